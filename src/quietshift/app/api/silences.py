"""Silences: what each mutes, what one would mute, made with a reason and an end. Alertmanager's API v2 has them its own way."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from quietshift.alerts import queries, usecases
from quietshift.alerts import store as alerts_store
from quietshift.alerts.decide import silence_state
from quietshift.alerts.matchers import Matcher, Matchers, parse_matchers
from quietshift.alerts.model import Silence
from quietshift.alerts.preview import muted_by_each, preview
from quietshift.alerts.silences import listing_order, of_labels
from quietshift.app.api.problems import documented
from quietshift.app.api.security import AppDep, Reader, Responder
from quietshift.app.api.shapes import Body, DurationText, InstantIn, InstantOut, Word
from quietshift.app.silences import checked_span, last_day, warnings
from quietshift.app.wire import App
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.durations import parse_duration
from quietshift.kernel.errors import Conflict, Invalid, NotFound

router = APIRouter(prefix="/api/v1/silences", tags=["silences"], responses=documented(404, 409))
State = Literal["active", "pending", "expired"]
SilenceId = Annotated[str, Path(max_length=100, description="As it was answered when it was made.")]


def _matchers(value: Any) -> Matchers:
    if not isinstance(value, str) or len(value) > 10_000:
        raise ValueError('expected a text like alertname="DiskFull", host=~"db.*"')
    return parse_matchers(value)


MatchersIn = Annotated[
    Any, BeforeValidator(_matchers),
    WithJsonSchema({"type": "string", "examples": ['alertname="DiskFull", host=~"db.*"'], "description": "Commas between."}),
]  # fmt: skip


class SilenceOut(BaseModel):
    """Alerts whose labels fulfil every matcher are not told of while it is active."""

    id: str
    state: State
    matchers: list[str] = Field(examples=[['alertname="DiskFull"', 'host=~"db.*"']])
    starts_at: InstantOut
    ends_at: InstantOut
    created_by: str = Field(description="Its owner.")
    comment: str = Field(description="Why.")
    updated_at: InstantOut
    mutes: int = Field(description="How many alerts that fire now it mutes.")


class MutedOut(BaseModel):
    """An alert that fires now."""

    fingerprint: str
    labels: dict[str, str]
    summary: str
    receivers: list[str]
    already: bool = Field(description="It is silenced or inhibited without this silence too.")


class LastDayOut(BaseModel):
    """What it would have muted in the last 24 hours, of what incidents know."""

    alerts: int
    incidents: list[str] = Field(examples=[["INC-1042"]])


class PreviewOut(BaseModel):
    """What a silence would mute. Nothing is changed."""

    matchers: list[str]
    muted: list[MutedOut]
    firing: int = Field(description="How many alerts fire at all.")
    last_day: LastDayOut
    warnings: list[str] = Field(description="Why to think twice; where there are any, making it wants `sure`.")


class Which(Body):
    """Which alerts: by matchers, or those with the labels of one alert."""

    matchers: MatchersIn = Field(default=())
    fingerprint: str = Field("", pattern=r"^([0-9a-f]{16})?$", description="Of an alert, in place of matchers.")


class Making(Which):
    """A silence to be made; it begins now."""

    why: Word = Field(description="The reason: whoever wonders why nobody was paged reads it.")
    span: DurationText | None = Field(None, alias="for")
    until: InstantIn | None = Field(None, description="In place of `for`.")
    sure: bool = Field(False, description="Make it although there are warnings.")


class Extending(Body):
    span: DurationText = Field("1h", alias="for")
    why: str = Field("", max_length=300, pattern=r"^[^\x00]*$")


class Ending(Body):
    why: str = Field("", max_length=300, pattern=r"^[^\x00]*$")


def _out(silence: Silence, mutes: int, now: datetime) -> dict[str, Any]:
    return {
        "id": silence.id, "state": str(silence_state(silence, now)), "matchers": [str(m) for m in silence.matchers],
        "starts_at": rfc3339(silence.starts_at), "ends_at": rfc3339(silence.ends_at), "created_by": silence.created_by,
        "comment": silence.comment, "updated_at": rfc3339(silence.updated_at), "mutes": mutes,
    }  # fmt: skip


def _one(app: App, tx: Tx, silence_id: str, now: datetime) -> dict[str, Any]:
    silence = queries.silence(tx, silence_id)
    if silence is None:
        raise NotFound(f"there is no silence {silence_id} (any more)")
    return _out(silence, muted_by_each(app.alerts.use, tx, now).get(silence_id, 0), now)


def _which(app: App, tx: Tx, asked: Which) -> Matchers:
    if bool(asked.matchers) == bool(asked.fingerprint):
        raise Invalid("say which alerts: by matchers, or by the fingerprint of one")
    if not asked.fingerprint:
        found: tuple[Matcher, ...] = tuple(asked.matchers)
        return found
    alert = queries.by_fingerprint(app.alerts.use, tx, asked.fingerprint)
    if alert is None:
        raise NotFound(f"no alert {asked.fingerprint} is known: it was never received, or it has been over for a while")
    return of_labels(alert.labels.items())


@router.get("", response_model=list[SilenceOut], summary="Silences: active by their end, pending by their start, expired")
def list_silences(
    app: AppDep, _who: Reader, state: Annotated[list[State] | None, Query(description="Default: active and pending.")] = None
) -> list[dict[str, Any]]:
    now, wanted = app.clock.now(), state or ["active", "pending"]
    with app.db.read() as tx:
        mutes = muted_by_each(app.alerts.use, tx, now)
        found = sorted(alerts_store.all_silences(tx), key=lambda s: listing_order(s, now))
        return [_out(s, mutes.get(s.id, 0), now) for s in found if silence_state(s, now) in wanted]


@router.get("/{silence_id}", response_model=SilenceOut, summary="A silence")
def get_silence(app: AppDep, _who: Reader, silence_id: SilenceId) -> dict[str, Any]:
    with app.db.read() as tx:
        return _one(app, tx, silence_id, app.clock.now())


@router.post("/preview", response_model=PreviewOut, summary="What a silence would mute now, and would have muted in the last day")
def preview_silence(app: AppDep, who: Reader, asked: Which) -> dict[str, Any]:
    now = app.clock.now()
    with app.db.read() as tx:
        matchers = _which(app, tx, asked)
        found = preview(app.alerts.use, tx, matchers, now)
        day = last_day(tx, found, now)
    return {
        "matchers": [str(m) for m in matchers], "firing": found.firing,
        "muted": [
            {
                "fingerprint": one.fingerprint, "labels": one.labels, "summary": one.summary, "receivers": list(one.receivers),
                "already": one.already,
            }
            for one in found.muted
        ],
        "last_day": {"alerts": day.alerts, "incidents": list(day.incidents)},
        "warnings": warnings(found, ops=app.ops.current, user=who.user),
    }  # fmt: skip


@router.post("", response_model=SilenceOut, status_code=201, summary="Make a silence")
def create_silence(app: AppDep, who: Responder, asked: Making) -> dict[str, Any]:
    now = app.clock.now()
    if (asked.span is None) == (asked.until is None):
        raise Invalid("say how long: `for` a duration, or `until` an instant")
    ends_at = asked.until or now + checked_span(parse_duration(asked.span or ""))
    checked_span(ends_at - now)
    with app.db.write() as tx:
        matchers = _which(app, tx, asked)
        doubts = [] if asked.sure else warnings(preview(app.alerts.use, tx, matchers, now), ops=app.ops.current, user=who.user)
        if doubts:
            raise Conflict(" ".join([*doubts, "Say `sure` to make it all the same."]))
        made = Silence("", matchers, now, ends_at, who.user or who.actor, asked.why, now)
        return _one(app, tx, usecases.set_silence(tx, made, who.actor, now, notice=app.alerts.use.silence_notice), now)


@router.post("/{silence_id}/extend", response_model=SilenceOut, summary="Let a silence end later; one that is over begins anew")
def extend_silence(app: AppDep, who: Responder, silence_id: SilenceId, asked: Extending) -> dict[str, Any]:
    now, span = app.clock.now(), checked_span(parse_duration(asked.span))
    with app.db.write() as tx:
        after = usecases.extend_silence(
            tx, silence_id, span, who.actor, now, why=asked.why, notice=app.alerts.use.silence_notice
        )
        return _one(app, tx, after, now)


@router.post("/{silence_id}/expire", response_model=SilenceOut, summary="End a silence now; one that is over stays so")
def expire_silence(app: AppDep, who: Responder, silence_id: SilenceId, asked: Ending) -> dict[str, Any]:
    now = app.clock.now()
    with app.db.write() as tx:
        usecases.expire_silence(tx, silence_id, who.actor, now, why=asked.why)
        return _one(app, tx, silence_id, now)
