"""Silences: who wanted which alerts not to be told of, why and until when; made after a look at what they would mute."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Form, Query, Request
from pydantic import StringConstraints
from starlette.responses import Response

from quietshift.alerts import queries, usecases
from quietshift.alerts import store as alerts_store
from quietshift.alerts.decide import silence_state
from quietshift.alerts.labels import common
from quietshift.alerts.matchers import Matchers, read_matcher, read_matchers
from quietshift.alerts.model import Silence, SilenceState
from quietshift.alerts.preview import Preview, muted_by_each, preview
from quietshift.alerts.silences import listing_order, of_labels
from quietshift.app.api.security import AppDep
from quietshift.app.silences import checked_span, last_day, warnings
from quietshift.app.web.frame import Frame
from quietshift.app.web.incidents import Acting, Ref
from quietshift.app.web.names import actor, display_name, person
from quietshift.app.web.visitor import FormWord, FrameDep, QueryText, Visitor
from quietshift.app.wire import App
from quietshift.incidents import store as incidents
from quietshift.incidents.model import parse_ref
from quietshift.kernel import journal
from quietshift.kernel.auth import Principal
from quietshift.kernel.db import Tx
from quietshift.kernel.durations import format_duration, parse_duration
from quietshift.kernel.errors import Invalid, NotFound
from quietshift.kernel.ops import Loaded

router = APIRouter(include_in_schema=False)
SHOWN = 100
MUTED_SHOWN = 20
STATES = ("active", "pending", "expired")
LENGTHS = (("1h", "1 h"), ("4h", "4 h"), ("morning", "until tomorrow 09:00"), ("until", "until the time below"))
MORNING = time(9)
Typed = Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\x00]*$")]
Texts = Annotated[list[Typed] | None, Form()]
QueryTexts = Annotated[list[Typed] | None, Query()]
QueryLong = Annotated[Typed, Query()]
FormLong = Annotated[Typed, Form()]
Length = Annotated[str, StringConstraints(max_length=20)]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A silence as it is typed. offered: conditions with a tick each, of which `ticked` are wanted; more: others, one a line."""

    offered: tuple[str, ...] = ()
    ticked: tuple[str, ...] = ()
    more: str = ""
    why: str = ""
    length: str = "1h"
    until: str = ""
    sure: bool = False


# -- the list ------------------------------------------------------------------------------------------------------------


@router.get("/silences")
def list_page(request: Request, app: AppDep, frame: FrameDep, who: Visitor, state: QueryText = "active") -> Response:
    ops, now = app.ops.current, app.clock.now()
    with app.db.read() as tx:
        known = alerts_store.all_silences(tx)
        mutes = muted_by_each(app.alerts.use, tx, now) if any(_active(s, now) for s in known) else {}
    by_state: dict[str, list[Silence]] = {name: [] for name in STATES}
    for silence in sorted(known, key=lambda s: listing_order(s, now)):
        by_state[silence_state(silence, now)].append(silence)
    chosen = state if state in by_state else "active"
    filters = [
        {"label": name.capitalize(), "href": f"/silences?state={name}", "current": name == chosen, "number": len(by_state[name])}
        for name in STATES
    ]
    return frame.page(
        request, "silences.html", topics=["alerts", "silences"], now=now, filters=filters, state=chosen,
        silences=[_row(ops, one, mutes.get(one.id, 0), now) for one in by_state[chosen][:SHOWN]],
        more=max(0, len(by_state[chosen]) - SHOWN), can_silence=who.allows("respond"),
    )  # fmt: skip


def _active(silence: Silence, now: datetime) -> bool:
    return silence_state(silence, now) is SilenceState.ACTIVE


def _row(ops: Loaded, silence: Silence, mutes: int, now: datetime) -> dict[str, Any]:
    return {
        "id": silence.id, "href": f"/silences/{silence.id}", "matchers": [str(m) for m in silence.matchers],
        "by": person(ops, silence.created_by), "comment": silence.comment, "starts_at": silence.starts_at,
        "ends_at": silence.ends_at, "state": str(silence_state(silence, now)), "mutes": mutes,
    }  # fmt: skip


# -- one silence ---------------------------------------------------------------------------------------------------------


@router.get("/silences/new")
def new_page(
    request: Request, app: AppDep, frame: FrameDep, who: Acting, fingerprint: QueryText = "", incident: QueryText = "",
    offered: QueryTexts = None, m: QueryTexts = None, more: QueryLong = "", why: QueryText = "",
    span: Annotated[Length, Query(alias="for")] = "1h", until: QueryText = "",
) -> Response:  # fmt: skip
    """The form, filled in from an alert or an incident; or again as it was typed, with what it would mute."""
    wanted = Wanted(offered=tuple(offered or ()), ticked=tuple(m or ()), more=more, why=why, length=span, until=until)
    if not offered and (fingerprint or incident):
        labels = _labels(app, fingerprint, incident)
        texts = tuple(map(str, of_labels(labels.items())))
        wanted = msgspec.structs.replace(wanted, offered=texts, ticked=texts)
    return _form(request, app, frame, who, wanted)


@router.get("/silences/{silence_id}")
def silence_page(request: Request, app: AppDep, frame: FrameDep, who: Visitor, silence_id: Ref) -> Response:
    return _show(request, app, frame, who, silence_id)


def _show(
    request: Request, app: App, frame: Frame, who: Principal, silence_id: str, *, wrong: str = "", status: int = 200,
    asked: bool = False,
) -> Response:  # fmt: skip
    """A silence with its story. asked: whether to extend it is what is asked."""
    ops, now = app.ops.current, app.clock.now()
    with app.db.read() as tx:
        silence = _known(tx, silence_id)
        mutes = preview(app.alerts.use, tx, silence.matchers, now)
        story = journal.entries(tx, subject=f"silence:{silence_id}", limit=50)
    flash = [{"kind": "wrong", "text": wrong}] if wrong else []
    acts = [{"at": e.at, "who": actor(ops, e.actor)["name"], "act": e.act.partition(".")[2], "why": e.why or ""} for e in story]
    return frame.page(
        request, "silence.html", status, topics=["alerts", "silences"], flash=flash, now=now,
        silence=_row(ops, silence, len(mutes.muted), now), muted=_muted(mutes), hidden=max(0, len(mutes.muted) - MUTED_SHOWN),
        asked=asked, can_silence=who.allows("respond"), story=acts,
    )


@router.get("/silences/{silence_id}/edit")
def edit_page(
    request: Request, app: AppDep, frame: FrameDep, who: Acting, silence_id: Ref, offered: QueryTexts = None,
    m: QueryTexts = None, more: QueryLong = "", why: QueryText = "", span: Annotated[Length, Query(alias="for")] = "1h",
    until: QueryText = "",
) -> Response:  # fmt: skip
    with app.db.read() as tx:
        silence = _known(tx, silence_id)
    if offered:
        wanted = Wanted(offered=tuple(offered), ticked=tuple(m or ()), more=more, why=why, length=span, until=until)
        return _form(request, app, frame, who, wanted, silence_id=silence_id)
    texts = tuple(map(str, silence.matchers))
    over = silence_state(silence, app.clock.now()) is SilenceState.EXPIRED
    until = "" if over else f"{silence.ends_at.astimezone(request.state.viewer['zone']):%Y-%m-%dT%H:%M}"
    wanted = Wanted(offered=texts, ticked=texts, why=silence.comment, length="1h" if over else "until", until=until)
    return _form(request, app, frame, who, wanted, silence_id=silence_id)


@router.get("/silences/{silence_id}/extend")
def extend_page(request: Request, app: AppDep, frame: FrameDep, who: Acting, silence_id: Ref) -> Response:
    """What the link in a notice opens: looking changes nothing, the button does."""
    return _show(request, app, frame, who, silence_id, asked=True)


# -- the form ------------------------------------------------------------------------------------------------------------


def _form(
    request: Request, app: App, frame: Frame, who: Principal, wanted: Wanted, *, silence_id: str = "",
    errors: dict[str, str] | None = None, status: int = 200,
) -> Response:  # fmt: skip
    ops, now, errors = app.ops.current, app.clock.now(), dict(errors or {})
    asked = None
    try:
        matchers = _matchers(wanted)
    except ValueError as error:
        matchers = ()
        if wanted.ticked or wanted.more:
            errors.setdefault("more", str(error))
    context: dict[str, Any] = {"preview": None, "warnings": [], "day": None}
    if matchers:
        with app.db.read() as tx:
            asked = preview(app.alerts.use, tx, matchers, now)
            context = {
                "preview": {"muted": _muted(asked), "number": len(asked.muted), "firing": asked.firing},
                "warnings": warnings(asked, ops=ops, user=who.user), "day": last_day(tx, asked, now),
            }  # fmt: skip
    zone = request.state.viewer["zone"]
    until = wanted.until or f"{_morning(now, zone).astimezone(zone):%Y-%m-%dT%H:%M}"
    ticks = [{"text": text, "ticked": text in wanted.ticked} for text in dict.fromkeys(wanted.offered)]
    return frame.page(
        request, "silence_form.html", status, now=now, silence_id=silence_id, ticks=ticks, typed=wanted, until=until,
        lengths=LENGTHS, errors=errors, owner=display_name(ops, who.user or who.actor), **context,
    )  # fmt: skip


def _muted(asked: Preview) -> list[dict[str, Any]]:
    return [
        {
            "name": one.labels.get("alertname", "alert without a name"), "summary": one.summary, "already": one.already,
            "severity": one.labels.get("severity", ""), "href": f"/alerts/{one.fingerprint}",
        }
        for one in asked.muted[:MUTED_SHOWN]
    ]  # fmt: skip


def _matchers(wanted: Wanted) -> Matchers:
    """The ticked conditions and the typed ones. Raises ValueError naming what is none."""
    found = [m for text in wanted.ticked for m in read_matcher(text).matchers]
    for line in filter(None, map(str.strip, wanted.more.splitlines())):
        found += read_matchers(line).matchers
    if not found:
        raise ValueError("tick or write at least one condition")
    return tuple(sorted(set(found)))


def _ends_at(wanted: Wanted, now: datetime, zone: ZoneInfo) -> datetime:
    """When it ends. Raises ValueError, Invalid."""
    if wanted.length == "morning":
        return _morning(now, zone)
    if wanted.length != "until":
        return now + checked_span(parse_duration(wanted.length))
    try:
        found = datetime.fromisoformat(wanted.until)
        found = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(now.tzinfo)
    except (ValueError, OverflowError):
        raise ValueError(f"{wanted.until[:40]!r} is no time: write it like 2026-11-21T09:00") from None
    if found <= now:
        raise ValueError("that time has passed")
    checked_span(found - now)
    return found


def _morning(now: datetime, zone: ZoneInfo) -> datetime:
    return datetime.combine(now.astimezone(zone).date() + timedelta(days=1), MORNING, zone).astimezone(now.tzinfo)


def _labels(app: App, fingerprint: str, ref: str) -> dict[str, str]:
    """Those of an alert, or those that all firing alerts of an incident share."""
    with app.db.read() as tx:
        if ref:
            members = incidents.alerts(tx, incidents.get(tx, parse_ref(ref)).id)
            firing = [one for one in members if one.ended_at is None] or members
            return common([one.alert.labels for one in firing])
        alert = queries.by_fingerprint(app.alerts.use, tx, fingerprint)
    if alert is None:
        raise NotFound("this alert is over: there is nothing to silence")
    return dict(alert.labels)


def _known(tx: Tx, silence_id: str) -> Silence:
    found = queries.silence(tx, silence_id)
    if found is None:
        raise NotFound("there is no such silence (any more)")
    return found


# -- acting --------------------------------------------------------------------------------------------------------------


@router.post("/silences")
def create(
    request: Request, app: AppDep, frame: FrameDep, who: Acting, offered: Texts = None, m: Texts = None, more: FormLong = "",
    why: FormWord = "", span: Annotated[Length, Form(alias="for")] = "1h", until: FormWord = "", sure: FormWord = "",
) -> Response:  # fmt: skip
    wanted = _wanted(offered, m, more, why, span, until, sure)
    return _save(request, app, frame, who, wanted, "")


@router.post("/silences/{silence_id}/edit")
def edit(
    request: Request, app: AppDep, frame: FrameDep, who: Acting, silence_id: Ref, offered: Texts = None, m: Texts = None,
    more: FormLong = "", why: FormWord = "", span: Annotated[Length, Form(alias="for")] = "1h", until: FormWord = "",
    sure: FormWord = "",
) -> Response:  # fmt: skip
    wanted = _wanted(offered, m, more, why, span, until, sure)
    return _save(request, app, frame, who, wanted, silence_id)


def _wanted(
    offered: Sequence[str] | None, ticked: Sequence[str] | None, more: str, why: str, length: str, until: str, sure: str
) -> Wanted:
    return Wanted(
        offered=tuple(offered or ()), ticked=tuple(ticked or ()), more=more, why=why.strip(), length=length, until=until,
        sure=bool(sure),
    )  # fmt: skip


def _save(request: Request, app: App, frame: Frame, who: Principal, wanted: Wanted, silence_id: str) -> Response:
    ops, now, errors = app.ops.current, app.clock.now(), dict[str, str]()
    matchers: Matchers = ()
    ends_at = now
    try:
        matchers = _matchers(wanted)
    except ValueError as error:
        errors["more"] = str(error)
    try:
        ends_at = _ends_at(wanted, now, request.state.viewer["zone"])
    except (ValueError, Invalid) as error:
        errors["until"] = str(error)
    if not wanted.why:
        errors["why"] = "Say why: whoever wonders why nobody was paged reads it."
    if not errors:
        try:
            with app.db.write() as tx:
                if wanted.sure or not warnings(preview(app.alerts.use, tx, matchers, now), ops=ops, user=who.user):
                    old = _known(tx, silence_id) if silence_id else None
                    owner, begins = (old.created_by, old.starts_at) if old else (who.user or who.actor, now)
                    if old and set(old.matchers) == set(matchers):
                        matchers = old.matchers  # in their order: nothing was changed
                    made = Silence(silence_id, matchers, begins, ends_at, owner, wanted.why, now)
                    notice = app.alerts.use.silence_notice
                    made_id = usecases.set_silence(tx, made, who.actor, now, why=wanted.why, notice=notice)
                else:
                    errors["sure"] = "Look at the warning first, and say that you mean it."
        except Invalid as error:
            errors["more"] = str(error)
    if errors:
        return _form(request, app, frame, who, wanted, silence_id=silence_id, errors=errors, status=422)
    return frame.redirect(f"/silences/{made_id}", "Saved." if silence_id else "Silenced.")


@router.post("/silences/{silence_id}/extend")
def extend(
    request: Request, app: AppDep, frame: FrameDep, who: Acting, silence_id: Ref,
    span: Annotated[Length, Form(alias="for")] = "1h", why: FormWord = "",
) -> Response:  # fmt: skip
    now = app.clock.now()
    try:
        by = checked_span(parse_duration(span))
        with app.db.write() as tx:
            notice = app.alerts.use.silence_notice
            after = usecases.extend_silence(tx, silence_id, by, who.actor, now, why=why.strip(), notice=notice)
    except (ValueError, Invalid) as error:
        return _show(request, app, frame, who, silence_id, wrong=str(error), status=422)
    return frame.redirect(f"/silences/{after}", f"Extended by {format_duration(by)}.")


@router.post("/silences/{silence_id}/expire")
def expire(app: AppDep, frame: FrameDep, who: Acting, silence_id: Ref, why: FormWord = "") -> Response:
    with app.db.write() as tx:
        usecases.expire_silence(tx, silence_id, who.actor, app.clock.now(), why=why.strip())
    return frame.redirect("/silences", "The silence has ended: its alerts are told of again.")


def address(**asked: str) -> str:
    """Of the form, filled in."""
    return f"/silences/new?{urlencode(asked)}"
