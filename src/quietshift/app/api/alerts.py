"""Alerts: why each is where it is. What is reported, and silences, are asked of Alertmanager's API v2."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from quietshift.alerts.why import as_json, explain
from quietshift.app.api.problems import documented
from quietshift.app.api.security import AppDep, Reader
from quietshift.app.api.shapes import InstantOut
from quietshift.incidents import store as incidents

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"], responses=documented(404))
Fingerprint = Annotated[
    str, Path(pattern=r"^[0-9a-f]{16}$", description="As Alertmanager makes it.", examples=["2f3b1c5d7e9a0b4c"])
]  # fmt: skip


class SilenceOut(BaseModel):
    """A silence that is active and fits the alert."""

    id: str
    created_by: str
    comment: str
    ends_at: InstantOut


class InhibitionOut(BaseModel):
    """A firing alert that inhibits this one."""

    fingerprint: str
    labels: dict[str, str]
    line: int = Field(description="Of the rule in alertmanager.yml.")


class MuteOut(BaseModel):
    """Time intervals by which the route says nothing now."""

    kind: Literal["muted", "inactive"]
    intervals: list[str]
    until: InstantOut | None = Field(description="Null: for a year at least.")


class ToldOut(BaseModel):
    """An integration that knows the alert to be firing."""

    integration: str = Field(examples=["webhook/0"])
    at: InstantOut = Field(description="When it was last told, and took it.")
    repeat_at: InstantOut | None = Field(description="When it is told again if nothing changes; null: it is not, as it stands.")


class DecisionOut(BaseModel):
    """What was decided about the alert's group, or what came of it."""

    at: InstantOut
    integration: str
    outcome: Literal["told", "kept", "sent", "failed"] = Field(description="told and kept: decided; sent and failed: answered.")
    reason: str = Field(description="Why; of what was sent or failed, the receiver's own answer.")


class StepOut(BaseModel):
    """A step of the way, in words."""

    at: InstantOut | None
    title: str
    state: Literal["passed", "stopped", "waiting", "skipped"]
    detail: str
    source: str = Field(examples=["alertmanager.yml:12"])


class WayOut(BaseModel):
    """What becomes of the alert on one route."""

    line: int = Field(description="Of the route in alertmanager.yml.")
    route: str = Field(description="The matchers from the root down to it.")
    receiver: str
    group_key: str
    group_labels: dict[str, str]
    next_flush_at: InstantOut | None = Field(description="When the group is looked at again; null: it is in none any more.")
    muted: MuteOut | None
    told: list[ToldOut]
    decisions: list[DecisionOut] = Field(description="Oldest first.")
    answer: str = Field(description="How it stands, in one sentence.")
    steps: list[StepOut]


class WhyOut(BaseModel):
    """Every decision about one alert, with its reason."""

    fingerprint: str
    labels: dict[str, str]
    state: Literal["firing", "over"]
    starts_at: InstantOut
    ends_at: InstantOut = Field(description="Over then, unless it is reported again before.")
    heard_at: InstantOut
    silenced_by: list[SilenceOut]
    inhibited_by: InhibitionOut | None
    incidents: list[str] = Field(description="That it was in, newest first.", examples=[["INC-1042"]])
    routes: list[WayOut]


@router.get("/{fingerprint}/why", response_model=WhyOut, summary="Every decision about an alert, with its reason")
def explain_alert(app: AppDep, _who: Reader, fingerprint: Fingerprint) -> dict[str, Any]:
    with app.db.read() as tx:
        found = as_json(explain(app.alerts.use, tx, fingerprint, app.clock.now()))
        return {**found, "incidents": [f"INC-{number}" for number, _ in incidents.of_alert(tx, fingerprint)]}
