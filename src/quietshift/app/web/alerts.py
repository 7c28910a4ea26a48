"""Alerts; and the ladders of why somebody, or nobody, was paged."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import Response

from quietshift.alerts import queries
from quietshift.alerts import store as alerts_store
from quietshift.alerts import why as decisions
from quietshift.alerts.decide import silence_state
from quietshift.alerts.ladder import Hop, Ladder
from quietshift.alerts.matchers import Matcher, filter_matches, parse_matchers, read_matchers
from quietshift.alerts.model import Silence, SilenceState
from quietshift.app.api.security import AppDep
from quietshift.app.web import silences as silences_page
from quietshift.app.web.incidents import Ref
from quietshift.app.web.names import owner_name, person
from quietshift.app.web.visitor import FrameDep, QueryText, Visitor
from quietshift.catalog.model import Catalog
from quietshift.incidents import store as incidents
from quietshift.incidents import why as ladders
from quietshift.incidents.model import parse_ref
from quietshift.kernel.clock import parse_rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.ops import Loaded

router = APIRouter(include_in_schema=False)
SHOWN = 300
STATES = ("active", "silenced", "inhibited")


# -- alerts --------------------------------------------------------------------------------------------------------------


@router.get("/alerts")
def alerts_page(
    request: Request, app: AppDep, frame: FrameDep, who: Visitor, q: QueryText = "", state: QueryText = ""
) -> Response:
    ops, now = app.ops.current, app.clock.now()
    with app.db.read() as tx:
        silences = {s.id: s for s in alerts_store.all_silences(tx, ending_after=now)}
        known = queries.alerts(app.alerts.use, tx, queries.Wanted(), now)
        found = [(alert, _state(alert)) for alert in known if _matches(alert, q)]
        numbers = {name: sum(s == name for _, s in found) for name in STATES}
        chosen = [(alert, s) for alert, s in found if not state or s == state]
        chosen.sort(key=lambda pair: (STATES.index(pair[1]), pair[0]["startsAt"]))
        shown = [_alert(tx, ops, alert, s, silences, now) for alert, s in chosen[:SHOWN]]
    query = f"&{urlencode({'q': q})}" if q else ""
    filters = [{"label": "All", "href": f"/alerts?{query.lstrip('&')}", "current": not state, "number": len(found)}] + [
        {"label": label, "href": f"/alerts?state={name}{query}", "current": state == name, "number": numbers[name]}
        for name, label in zip(STATES, ("Firing", "Silenced", "Inhibited"), strict=True)
    ]
    return frame.page(
        request, "alerts.html", topics=["alerts", "silences"], now=now, filters=filters, q=q, alerts=shown,
        silences=sum(silence_state(s, now) is SilenceState.ACTIVE for s in silences.values()), can_silence=who.allows("respond"),
    )


def _state(alert: dict[str, Any]) -> str:
    status = alert["status"]
    return "silenced" if status["silencedBy"] else "inhibited" if status["inhibitedBy"] else "active"


def _matches(alert: dict[str, Any], q: str) -> bool:
    """Words are looked for in values, `name="value"` is a matcher."""
    if not q.strip():
        return True
    labels: dict[str, str] = alert["labels"]
    if "=" in q or "!~" in q:
        try:
            return filter_matches(read_matchers(q).matchers, labels)
        except ValueError:
            return False
    text = " ".join([*labels.values(), alert["annotations"].get("summary", "")]).casefold()
    return all(word in text for word in q.casefold().split())


def _alert(
    tx: Tx, ops: Loaded, alert: dict[str, Any], state: str, silences: dict[str, Silence], now: datetime
) -> dict[str, Any]:
    labels: dict[str, str] = alert["labels"]
    component = ops.get(Catalog).component(labels.get("service", ""))
    open_ = (incidents.get(tx, number) for number, _ in incidents.of_alert(tx, alert["fingerprint"])[:1])
    incident = next((i for i in open_ if i.is_open), None)
    reasons = [_reason(ops, silences[i]) for i in alert["status"]["silencedBy"] if i in silences]
    if state == "inhibited":
        reasons = ["inhibited by alert " + ", ".join(alert["status"]["inhibitedBy"])]
    return {
        "fingerprint": alert["fingerprint"], "name": labels.get("alertname", "alert without a name"),
        "summary": alert["annotations"].get("summary", ""), "severity": labels.get("severity", ""), "state": state,
        "reason": "; ".join(reasons), "labels": sorted(labels.items()), "starts_at": parse_rfc3339(alert["startsAt"]),
        "service": labels.get("service", ""), "why": f"/why?{_query(labels, now)}",
        "silence": silences_page.address(fingerprint=alert["fingerprint"]),
        "owner": owner_name(ops, str(component.owner)) if component and component.owner else "",
        "incident": {"id": incident.ref, "href": f"/incidents/{incident.ref}"} if incident else None,
    }  # fmt: skip


def _query(labels: dict[str, str], now: datetime) -> str:
    wanted = ", ".join(str(Matcher(name, value)) for name, value in sorted(labels.items()))
    return urlencode({"labels": wanted[:480], "at": f"{now:%Y-%m-%dT%H:%M}", "utc": "1"})


def _reason(ops: Loaded, silence: Silence) -> str:
    return f"silenced by {person(ops, silence.created_by)['name']}: {silence.comment}"


# -- why -----------------------------------------------------------------------------------------------------------------


@router.get("/incidents/{ref}/why")
def why_incident(request: Request, app: AppDep, frame: FrameDep, who: Visitor, ref: Ref) -> Response:
    ops, number = app.ops.current, parse_ref(ref)
    with app.db.read() as tx:
        incident = incidents.get(tx, number)
        found = ladders.why(tx, number, ops=ops)
    mine = [ladder for ladder in found if who.user and ladder.title == f"Why was {who.user} paged?"]
    return frame.page(
        request, "why.html", topics=[f"incident:{number}"], question="Why was I paged?" if mine else "Who was paged, and why?",
        about={"text": f"{incident.ref} {incident.title}", "href": f"/incidents/{incident.ref}"}, search=None, asked=False,
        ladders=[_ladder(ladder) for ladder in [*mine, *(ladder for ladder in found if ladder not in mine)]],
    )  # fmt: skip


@router.get("/alerts/{fingerprint}")
def why_alert(request: Request, app: AppDep, frame: FrameDep, who: Visitor, fingerprint: Ref) -> Response:
    with app.db.read() as tx:
        found = decisions.explain(app.alerts.use, tx, fingerprint, app.clock.now())
    return frame.page(
        request, "why.html", topics=["alerts", "silences"], question="What was decided about this alert?", search=None,
        about={"text": found.alert.name or "alert without a name", "href": f"/alerts?{urlencode({'q': found.alert.name})}"},
        asked=False, ladders=[asdict(way.ladder) for way in found.ways],
        silence=silences_page.address(fingerprint=fingerprint) if who.allows("respond") and not found.over else "",
    )  # fmt: skip


@router.get("/why")
def why(
    request: Request, app: AppDep, frame: FrameDep, _who: Visitor, labels: QueryText = "", at: QueryText = "", utc: QueryText = ""
) -> Response:
    ops, now = app.ops.current, app.clock.now()
    zone: ZoneInfo = ZoneInfo("UTC") if utc else request.state.viewer["zone"]
    error, found, when = "", [], now
    if at:
        try:
            when = _when(at, zone, now)
        except ValueError as wrong:
            error = str(wrong)
    if labels and not error:
        try:
            wanted = parse_matchers(labels) if "=" in labels else (Matcher("alertname", labels.strip()),)
            with app.db.read() as tx:
                found = ladders.why_nobody(tx, wanted, when, ops=ops)
        except ValueError as wrong:
            error = str(wrong)
    local = when.astimezone(request.state.viewer["zone"])
    return frame.page(
        request, "why.html", 422 if error else 200, question="Why was nobody paged?", about=None,
        search={"labels": labels, "at": f"{local:%Y-%m-%dT%H:%M}", "error": error}, asked=bool(labels) and not error,
        ladders=[_ladder(ladder) for ladder in found],
    )  # fmt: skip


_ATTEMPT = re.compile(r"(?P<to>.*), attempts? (?P<first>\d+)(?: to )?(?P<last>\d*)")


def _ladder(ladder: Ladder) -> dict[str, Any]:
    """A ladder in which attempts that were answered alike stand once: `webhook to https://example.org/***, attempts 1 to 7`."""
    shown: list[list[Hop]] = []  # a contact and its answer stand together
    for hop in ladder.hops:
        if hop.title != ladders.ANSWER:
            shown.append([hop])
            continue
        shown[-1].append(hop)
        before, (contact, answer) = shown[-2:-1], shown[-1]
        known = _ATTEMPT.fullmatch(before[0][0].detail) if before and len(before[0]) > 1 else None
        this = _ATTEMPT.fullmatch(contact.detail)
        if known and this and known["to"] == this["to"] and before[0][1].detail == answer.detail:
            words = f"{this['to']}, attempts {known['first']} to {this['first']}"
            shown[-2:] = [[replace(before[0][0], detail=words), replace(answer, since=None)]]
    return asdict(replace(ladder, hops=tuple(hop for hops in shown for hop in hops)))


def _when(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The instant of a datetime-local field. Raises ValueError for what is none, or years away."""
    try:
        found = datetime.fromisoformat(text)
        found = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(now.tzinfo)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is no time: write it like 2026-11-21T02:40") from None
    if abs(found - now) > timedelta(days=3660):
        raise ValueError("that is too far away")
    return found

