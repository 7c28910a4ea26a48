"""What being on call costs each person: hours, nights, weekends, holidays, as their own clock and calendar have them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from quietshift.oncall import decide
from quietshift.oncall.localtime import instant, local
from quietshift.oncall.model import Schedule
from quietshift.oncall.turns import Interval, merged

NIGHT = (time(22), time(7))  # from the evening until the morning of the next day
WEEKEND = frozenset({5, 6})
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Person:
    """Where somebody lives. holidays: the days off of their country among the years asked for; None: no country is known."""

    user: str
    zone: ZoneInfo
    country: str = ""
    holidays: Callable[[Iterable[int]], Collection[date]] | None = None
    weekend: frozenset[int] = WEEKEND


@dataclass(frozen=True)
class Load:
    """What one person carries within a time. Time on two schedules at once counts once; a night, weekend or holiday counts where
    any of it was on call. holidays None: the person's country is not known. pages None: nobody counted them, or they are not
    for who asks; interrupted: nights with a page in them."""

    user: str
    shifts: int
    hours: timedelta
    nights: int
    night_hours: timedelta
    weekends: int
    weekend_hours: timedelta
    holidays: int | None
    holiday_hours: timedelta | None
    country: str
    pages: int | None = None
    interrupted: int | None = None


def ledger(
    schedules: Sequence[Schedule], start: datetime, end: datetime, person_of: Callable[[str], Person],
    pages: Mapping[str, Sequence[datetime]] | None = None,
) -> list[Load]:  # fmt: skip
    """The load of everybody who is on within [start, end), or could be, by name.

    pages: when each person was paged; of who is not in it nothing is said. Raises Invalid as `decide.shifts` does.
    """
    spans: dict[str, list[Interval]] = {}
    counts: dict[str, int] = {}
    for schedule in schedules:
        for layer in schedule.layers:
            for user in layer.users:
                spans.setdefault(user, [])
        for shift in decide.shifts(schedule, start, end):
            spans.setdefault(shift.user, []).append((shift.start, shift.end))
            counts[shift.user] = counts.get(shift.user, 0) + 1
    return [
        load(person_of(user), merged(spans[user]), counts.get(user, 0), None if pages is None else pages.get(user))
        for user in sorted(spans)
    ]


def load(person: Person, on: Sequence[Interval], shifts: int, pages: Sequence[datetime] | None = None) -> Load:
    """What these times, in order and without overlap, cost a person."""
    days = _days(person.zone, on)
    nights = [_between(person.zone, day, NIGHT[0], day + _DAY, NIGHT[1]) for day in days]
    free = [day for day in days if day.weekday() in person.weekend]
    off = None
    if person.holidays is not None:
        found = person.holidays({day.year for day in days})
        off = [_overlap(on, _between(person.zone, day, time(), day + _DAY, time())) for day in days if day in found]
    night_hours = [_overlap(on, night) for night in nights]
    weekend_hours = {day: _overlap(on, _between(person.zone, day, time(), day + _DAY, time())) for day in free}
    return Load(
        user=person.user,
        shifts=shifts,
        hours=_sum(end - start for start, end in on),
        nights=_some(night_hours),
        night_hours=_sum(night_hours),
        weekends=len({(day.toordinal() - 1) // 7 for day, hours in weekend_hours.items() if hours}),
        weekend_hours=_sum(weekend_hours.values()),
        holidays=None if off is None else _some(off),
        holiday_hours=None if off is None else _sum(off),
        country=person.country,
        pages=None if pages is None else len(pages),
        interrupted=None if pages is None else len({_night(person.zone, at) for at in pages} - {None}),
    )


def _days(zone: ZoneInfo, on: Sequence[Interval]) -> list[date]:
    """Every local day that these times touch, and the day before each, whose night reaches into it."""
    found: set[date] = set()
    for start, end in on:
        day, last = local(zone, start).date() - _DAY, local(zone, end).date()
        while day <= last:
            found.add(day)
            day += _DAY
    return sorted(found)


def _between(zone: ZoneInfo, day: date, begins: time, last: date, ends: time) -> Interval:
    return instant(zone, datetime.combine(day, begins)), instant(zone, datetime.combine(last, ends))


def _overlap(on: Sequence[Interval], span: Interval) -> timedelta:
    found, at = timedelta(), bisect_right(on, span[0], key=_end)
    while at < len(on) and on[at][0] < span[1]:
        found += min(on[at][1], span[1]) - max(on[at][0], span[0])
        at += 1
    return found


def _end(span: Interval) -> datetime:
    return span[1]


def _night(zone: ZoneInfo, at: datetime) -> date | None:
    """The day on whose evening the night of an instant began; None by day."""
    clock = local(zone, at)
    if clock.time() >= NIGHT[0]:
        return clock.date()
    return clock.date() - _DAY if clock.time() < NIGHT[1] else None


def _some(hours: Iterable[timedelta]) -> int:
    return sum(bool(one) for one in hours)


def _sum(spans: Iterable[timedelta]) -> timedelta:
    return sum(spans, timedelta())
