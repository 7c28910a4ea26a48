"""When turns change hands and when windows of the week are open: instants, never counted minute by minute."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate
from math import gcd
from zoneinfo import ZoneInfo

from quietshift.oncall.localtime import FAR, instant, local
from quietshift.oncall.model import DAY, Fairness, Layer, Rotation, Unit, Window

Interval = tuple[datetime, datetime]
_LAST_DAY = FAR.date()


def boundary(rotation: Rotation, zone: ZoneInfo, turn: int) -> datetime:
    """The instant at which a turn (from 0) begins; FAR where that lies beyond the calendar. Never decreases with `turn`.

    Two may be equal, where a clock change skips a whole turn (Samoa had no 30 December 2011): that turn is empty.
    """
    if rotation.unit is Unit.HOUR:
        first = _at(zone, rotation.start, rotation.minute)
        step = turn * rotation.every
        return first + timedelta(hours=step) if step < (FAR - first) // timedelta(hours=1) else FAR
    day, minute = _nominal(rotation, turn)
    return FAR if day is None else _at(zone, day, minute)


def turn_at(rotation: Rotation, zone: ZoneInfo, at: datetime) -> int | None:
    """The turn that runs at an instant; None before the first."""
    if at < boundary(rotation, zone, 0):
        return None
    turn = max(0, _about(rotation, zone, at)) * len(rotation.handoffs)
    while boundary(rotation, zone, turn) > at:
        turn -= 1
    while boundary(rotation, zone, turn + 1) <= at:
        turn += 1
    return turn


def turns(rotation: Rotation, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[int, datetime, datetime]]:
    """Every turn that runs within [start, end), with its own bounds; empty ones are left out."""
    turn = turn_at(rotation, zone, start) or 0
    begins = boundary(rotation, zone, turn)
    while begins < end and begins < FAR:
        ends = boundary(rotation, zone, turn + 1)
        if ends > begins:
            yield turn, begins, ends
        turn, begins = turn + 1, ends


def windows(only: tuple[Window, ...], zone: ZoneInfo, start: datetime, end: datetime) -> list[Interval]:
    """The times that overlap [start, end) and are within any of the windows, in order; what touches is one."""
    day = local(zone, start).date() - timedelta(days=2)  # a window may reach over midnight, and a clock change over a day
    last = local(zone, end).date() + timedelta(days=1)
    found: list[Interval] = []
    while day <= last:
        for window in only:
            if day.weekday() in window.days:
                opens, closes = _at(zone, day, window.start), _at(zone, day, window.start + window.length)
                if opens < closes and opens < end and closes > start:
                    found.append((opens, closes))
        day += timedelta(days=1)
    return merged(found)


def place(layer: Layer, turn: int) -> int:
    """Whose turn it is, as an index of `layer.takers`."""
    if layer.fairness is Fairness.COVERED and restriction(layer):
        turn = _covered_before(layer.rotation, layer.only, turn)
    return turn % len(layer.together or layer.users)


def restriction(layer: Layer) -> tuple[Window, ...]:
    """The windows that a layer is held to; none where they leave out no minute of the week."""
    return () if _fill_the_week(layer.only) else layer.only


@lru_cache(maxsize=1024)
def _fill_the_week(only: tuple[Window, ...]) -> bool:
    week = 7 * DAY
    spans = [
        (day * DAY + window.start + shift, day * DAY + window.start + window.length + shift)
        for window in only
        for day in window.days
        for shift in (-week, 0)
    ]
    reached = 0
    for start, end in sorted(spans):
        if start <= reached:
            reached = max(reached, end)
    return reached >= week


def merged(intervals: list[Interval]) -> list[Interval]:
    """The same times as disjoint intervals, in order."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _at(zone: ZoneInfo, day: date, minute: int) -> datetime:
    return instant(zone, datetime.combine(day, time()) + timedelta(minutes=minute))


def _days(rotation: Rotation) -> int:
    return 7 if rotation.unit is Unit.WEEK else 1


def _clamped(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))


@lru_cache(maxsize=4096)
def _cycle(rotation: Rotation) -> tuple[tuple[date, int, int], ...]:
    """The first hand-offs at or after the start, one of each kind, in order: date, day of the month, minute."""
    found = []
    start = rotation.start
    for day, minute in rotation.handoffs:
        first = start
        if rotation.unit is Unit.WEEK and day is not None:
            first += timedelta(days=(day - start.weekday()) % 7)
        elif rotation.unit is Unit.MONTH and day is not None:
            first = _clamped(start.year, start.month, day)
            if first < start:
                year, month0 = divmod(start.year * 12 + start.month, 12)
                first = _clamped(year, month0 + 1, day)
        found.append((first, day or 1, minute))
    return tuple(sorted(found, key=lambda one: (one[0], one[2])))


def _nominal(rotation: Rotation, turn: int) -> tuple[date | None, int]:
    """The local day and minute at which a turn of days, weeks or months begins; no day where it lies beyond the calendar."""
    cycle = _cycle(rotation)
    period, kind = divmod(turn, len(cycle))
    first, day, minute = cycle[kind]
    step = period * rotation.every
    if rotation.unit is Unit.MONTH:
        year, month0 = divmod(first.year * 12 + first.month - 1 + step, 12)
        return (_clamped(year, month0 + 1, day), minute) if year < _LAST_DAY.year else (None, 0)
    days = step * _days(rotation)
    return (first + timedelta(days=days), minute) if days < (_LAST_DAY - first).days else (None, 0)


def _about(rotation: Rotation, zone: ZoneInfo, at: datetime) -> int:
    """How often all hand-offs have passed by calendar arithmetic, wrong by a few at most: times of day and clock changes are left
    to the caller."""
    if rotation.unit is Unit.HOUR:
        return (at - boundary(rotation, zone, 0)) // timedelta(hours=1) // rotation.every
    day, first = local(zone, at).date(), _cycle(rotation)[0][0]
    if rotation.unit is Unit.MONTH:
        return ((day.year - first.year) * 12 + day.month - first.month) // rotation.every
    return (day - first).days // (_days(rotation) * rotation.every)


# -- fairness ------------------------------------------------------------------------------------------------------------
# Whether a turn is covered is told by the calendar's local times, without clock changes: so it repeats with the weeks, and turns
# are counted over decades without walking them.

_BLOCK = 1024  # turns; of months, whose lengths differ


def _covered_before(rotation: Rotation, only: tuple[Window, ...], turn: int) -> int:
    """How many turns before this one hold a minute of a window."""
    if rotation.unit is Unit.MONTH:
        size = _BLOCK
        blocks, rest = divmod(turn, size)
        return sum(_counted(rotation, only, block * size, size)[-1] for block in range(blocks)) + (
            _counted(rotation, only, blocks * size, size)[rest]
        )
    size = len(rotation.handoffs) * 7 // gcd(7, _days(rotation) * rotation.every)
    counted = _counted(rotation, only, 0, size)
    rounds, rest = divmod(turn, size)
    return rounds * counted[-1] + counted[rest]


@lru_cache(maxsize=4096)
def _counted(rotation: Rotation, only: tuple[Window, ...], first: int, size: int) -> tuple[int, ...]:
    """How many of the turns from `first` on are covered: before the first, the second, ... and before that after `size` turns."""
    return tuple(accumulate((_is_covered(rotation, only, first + n) for n in range(size)), initial=0))


def _is_covered(rotation: Rotation, only: tuple[Window, ...], turn: int) -> bool:
    week = 7 * DAY
    (day, minute), (next_day, next_minute) = _nominal(rotation, turn), _nominal(rotation, turn + 1)
    if day is None or next_day is None:
        return True
    begins = day.weekday() * DAY + minute
    ends = begins + (next_day - day).days * DAY + next_minute - minute
    return any(
        opens < ends and opens + window.length > begins
        for window in only
        for weekday in window.days
        for opens in range(weekday * DAY + window.start - week, ends, week)
    )
