"""Who is on call: the same answers as `quietshift oncall`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from quietshift.app.api.problems import documented
from quietshift.app.api.security import AppDep, Reader
from quietshift.app.api.shapes import InstantIn, InstantOut, Word
from quietshift.catalog.model import Catalog
from quietshift.kernel.errors import Invalid
from quietshift.oncall import answers
from quietshift.oncall.model import Oncall

router = APIRouter(prefix="/api/v1/oncall", tags=["on call"], responses=documented(404))
MOST_SHIFTS = timedelta(days=400)


class OnCallOut(BaseModel):
    """Who is on, and the bounds of the shift; in a gap nobody is named, and the bounds are the gap's."""

    schedule: str
    users: list[str]
    start: InstantOut | None
    end: InstantOut | None
    layer: str
    reason: str = Field(description="Why this person.")


class ShiftOut(BaseModel):
    """One person is on from start until end."""

    user: str
    start: InstantOut
    end: InstantOut
    layer: str
    reason: str


@router.get("", response_model=list[OnCallOut], summary="Who is on call")
def list_on_call(
    app: AppDep,
    _who: Reader,
    schedule: Annotated[Word | None, Query(description="Of this schedule. Default: of every schedule.")] = None,
    service: Annotated[Word | None, Query(description="Of the schedules of the group that owns this Component.")] = None,
    at: Annotated[InstantIn | None, Query(description="At this instant. Default: now.")] = None,
) -> list[dict[str, Any]]:
    if schedule and service:
        raise Invalid("schedule and service are two questions: ask one")
    ops, when = app.ops.current, at or app.clock.now()
    if schedule:
        return [answers.who(ops.get(Oncall).get(schedule), when)]
    if service:
        return answers.who_for_service(ops.get(Oncall), ops.get(Catalog), service, when)
    return answers.who_everywhere(ops.get(Oncall), when)


@router.get("/shifts", response_model=list[ShiftOut], summary="The shifts of a schedule, cut at both ends")
def list_shifts(
    app: AppDep,
    _who: Reader,
    schedule: Annotated[Word, Query(description="Of this schedule.")],
    start: Annotated[InstantIn, Query(alias="from", description="From this instant on.")],
    end: Annotated[InstantIn, Query(alias="to", description="Until this instant, at most 400 days later.")],
) -> list[dict[str, Any]]:
    if end < start or end - start > MOST_SHIFTS:
        raise Invalid(f"to: has to be after from, and at most {MOST_SHIFTS.days} days later")
    return answers.shifts(app.ops.current.get(Oncall).get(schedule), start, end)
