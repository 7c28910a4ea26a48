"""Who is on call: the same answers as `quietshift oncall`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from quietshift.app.api.problems import documented
from quietshift.app.api.security import AppDep, Reader
from quietshift.app.api.shapes import InstantIn, InstantOut, Word
from quietshift.app.wire import App
from quietshift.catalog.model import Catalog
from quietshift.kernel.errors import Invalid
from quietshift.learning import store as learning
from quietshift.oncall import answers
from quietshift.oncall.ledger import ledger
from quietshift.oncall.model import Oncall, Schedule
from quietshift.oncall.people import person_of
from quietshift.oncall.usecases import current

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
    hours: float = Field(description="Elapsed: a day has 23 or 25 where clocks change.")
    layer: str
    reason: str


class GapOut(BaseModel):
    """Nobody is on from start until end."""

    schedule: str
    start: InstantOut
    end: InstantOut
    hours: float
    reason: str


class LoadOut(BaseModel):
    """What being on call costs one person, by their own clock and country; null is what is not known, or not yours to know."""

    user: str
    shifts: int
    hours: float = Field(description="Time on two schedules at once counts once.")
    nights: int = Field(description="Nights (22:00 to 07:00) of which any part was on call.")
    night_hours: float
    weekends: int
    weekend_hours: float
    holidays: int | None = Field(description="null: no country is known (the User's annotation `quietshift.dev/country`).")
    holiday_hours: float | None
    country: str
    pages: int | None = Field(description="Shown to the person alone.")
    interrupted_nights: int | None = Field(description="Nights with a page in them. Shown to the person alone.")


class LedgerOut(BaseModel):
    """Everybody's load, and what pages and interrupted nights there were together."""

    people: list[LoadOut]
    pages: int
    interrupted_nights: int


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
    oncall, when = _current(app), at or app.clock.now()
    if schedule:
        return [answers.who(oncall.get(schedule), when)]
    if service:
        return answers.who_for_service(oncall, app.ops.current.get(Catalog), service, when)
    return answers.who_everywhere(oncall, when)


@router.get("/shifts", response_model=list[ShiftOut], summary="The shifts of a schedule, cut at both ends")
def list_shifts(
    app: AppDep,
    _who: Reader,
    schedule: Annotated[Word, Query(description="Of this schedule.")],
    start: Annotated[InstantIn, Query(alias="from", description="From this instant on.")],
    end: Annotated[InstantIn, Query(alias="to", description="Until this instant, at most 400 days later.")],
) -> list[dict[str, Any]]:
    _check(start, end)
    return answers.shifts(_current(app).get(schedule), start, end)


ScheduleIn = Annotated[Word | None, Query(description="Of this schedule. Default: of all.")]
FromIn = Annotated[InstantIn, Query(alias="from", description="From this instant on.")]
ToIn = Annotated[InstantIn, Query(alias="to", description="Until this instant, at most 400 days later.")]


@router.get("/gaps", response_model=list[GapOut], summary="The times at which nobody is on call, and why")
def list_gaps(app: AppDep, _who: Reader, start: FromIn, end: ToIn, schedule: ScheduleIn = None) -> list[dict[str, Any]]:
    _check(start, end)
    return answers.gaps(_asked(_current(app), schedule), start, end)


@router.get("/load", response_model=LedgerOut, summary="Hours, nights, weekends and holidays of each person")
def show_load(app: AppDep, who: Reader, start: FromIn, end: ToIn, schedule: ScheduleIn = None) -> dict[str, Any]:
    _check(start, end)
    oncall, catalog = _current(app), app.ops.current.get(Catalog)
    with app.db.read() as tx:
        paged = learning.paged(tx, start, end)
    schedules = _asked(oncall, schedule)
    names = {user for one in schedules for layer in one.layers for user in layer.users}
    pages: dict[str, list[datetime]] = {user: [] for user in names | {page.user for page in paged}}
    for page in paged:
        pages[page.user].append(page.due_at)
    found = ledger(schedules, start, end, lambda user: person_of(user, catalog, oncall), pages)
    return {
        "people": answers.load(one if one.user == who.user else replace(one, pages=None, interrupted=None) for one in found),
        "pages": sum(one.pages or 0 for one in found), "interrupted_nights": sum(one.interrupted or 0 for one in found),
    }  # fmt: skip


def _current(app: App) -> Oncall:
    """The schedules with the overrides made at run time."""
    with app.db.read() as tx:
        return current(tx, app.ops.current.get(Oncall))


def _asked(oncall: Oncall, schedule: str | None) -> list[Schedule]:
    return [oncall.get(schedule)] if schedule else [oncall.schedules[name] for name in sorted(oncall.schedules)]


def _check(start: datetime, end: datetime) -> None:
    if end < start or end - start > MOST_SHIFTS:
        raise Invalid(f"to: has to be after from, and at most {MOST_SHIFTS.days} days later")
