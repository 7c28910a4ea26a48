"""What on call's doors answer, as plain JSON values: the command line and the API say the same."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from quietshift.catalog.model import Catalog
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.errors import NotFound
from quietshift.oncall import decide
from quietshift.oncall.ledger import Load
from quietshift.oncall.model import Change, Cover, Oncall, Schedule


def who(schedule: Schedule, at: datetime) -> dict[str, Any]:
    """`schedule`, `users`, `start`, `end`, `layer`, `reason`. In a gap `users` is empty; a bound that is not there is None."""
    on = decide.who(schedule, at)
    return {
        "schedule": schedule.name,
        "users": list(on.users),
        "start": rfc3339(on.start) if on.start else None,
        "end": rfc3339(on.end) if on.end else None,
        "layer": on.layer,
        "reason": on.reason,
    }


def who_everywhere(oncall: Oncall, at: datetime) -> list[dict[str, Any]]:
    """`who` of every schedule, by name."""
    return [who(oncall.schedules[name], at) for name in sorted(oncall.schedules)]


def who_for_service(oncall: Oncall, catalog: Catalog, service: str, at: datetime) -> list[dict[str, Any]]:
    """`who` of each schedule of the group that owns a Component.

    Raises NotFound where there is no such Component, no group owns it, or the group has no schedule.
    """
    component = catalog.component(service)
    if component is None:
        raise NotFound(f"the catalog has no Component {service!r}")
    group = catalog.owner_group(component)
    if group is None:
        raise NotFound(f"{component.ref} is owned by no group: it has no schedule ({component.file}:{component.line})")
    found = decide.for_service(oncall, catalog, component)
    if not found:
        raise NotFound(f"{group.ref}, which owns {component.ref}, has no schedule")
    return [who(schedule, at) for schedule in found]


def shifts(schedule: Schedule, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """`user`, `start`, `end`, `hours`, `layer`, `reason` of each shift within [start, end), cut at its edges.

    hours are elapsed: a day's shift has 23 or 25 of them where clocks change.
    """
    return [
        {
            "user": shift.user,
            "start": rfc3339(shift.start),
            "end": rfc3339(shift.end),
            "hours": _hours(shift.end - shift.start),
            "layer": shift.layer,
            "reason": shift.reason,
        }
        for shift in decide.shifts(schedule, start, end)
    ]


def gaps(schedules: Iterable[Schedule], start: datetime, end: datetime) -> list[dict[str, Any]]:
    """`schedule`, `start`, `end`, `hours`, `reason` of each time within [start, end) at which nobody is on."""
    return [
        {
            "schedule": schedule.name,
            "start": rfc3339(gap.start),
            "end": rfc3339(gap.end),
            "hours": _hours(gap.end - gap.start),
            "reason": gap.reason,
        }
        for schedule in schedules
        for gap in decide.gaps(schedule, start, end)
    ]


def change(one: Change) -> dict[str, Any]:
    """An override made at run time."""
    return {
        "id": one.id,
        "schedule": one.schedule,
        "user": one.override.user,
        "instead_of": one.override.instead,
        "start": rfc3339(one.override.start),
        "end": rfc3339(one.override.end),
        "why": one.why,
        "created_by": one.created_by,
        "created_at": rfc3339(one.created_at),
    }


def cover(one: Cover, warnings: Iterable[str] = ()) -> dict[str, Any]:
    """A request for cover; warnings: the rest rules that taking it breaks."""
    return {
        "id": one.id,
        "schedule": one.schedule,
        "user": one.user,
        "start": rfc3339(one.start),
        "end": rfc3339(one.end),
        "back": {"start": rfc3339(one.back[0]), "end": rfc3339(one.back[1])} if one.back else None,
        "asked": list(one.asked),
        "declined": list(one.declined),
        "state": str(one.state),
        "taken_by": one.taken_by,
        "why": one.why,
        "created_at": rfc3339(one.created_at),
        "updated_at": rfc3339(one.updated_at),
        "warnings": list(warnings),
    }


def load(found: Iterable[Load]) -> list[dict[str, Any]]:
    """Each person's load, with hours as numbers; None is what is not known."""
    return [
        {
            "user": one.user,
            "shifts": one.shifts,
            "hours": _hours(one.hours),
            "nights": one.nights,
            "night_hours": _hours(one.night_hours),
            "weekends": one.weekends,
            "weekend_hours": _hours(one.weekend_hours),
            "holidays": one.holidays,
            "holiday_hours": None if one.holiday_hours is None else _hours(one.holiday_hours),
            "country": one.country,
            "pages": one.pages,
            "interrupted_nights": one.interrupted,
        }
        for one in found
    ]


def _hours(span: timedelta) -> float:
    hours = round(span / timedelta(hours=1), 2)
    return int(hours) if hours.is_integer() else hours
