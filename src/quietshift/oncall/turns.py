"""When turns change hands and when windows of the week are open: instants, never counted minute by minute."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from quietshift.oncall.localtime import FAR, instant, local
from quietshift.oncall.model import DAY, Layer, Rotation, Unit, Window

Interval = tuple[datetime, datetime]
_LAST_DAY = FAR.date()


def boundary(rotation: Rotation, zone: ZoneInfo, turn: int) -> datetime:
    """The instant at which a turn (from 0) begins; FAR where that lies beyond the calendar. Never decreases with `turn`.

    Two may be equal, where a clock change skips a whole turn (Samoa had no 30 December 2011): that turn is empty.
    """
    step = turn * rotation.every
    if rotation.unit is Unit.HOUR:
        first = _at(zone, rotation.start, rotation.minute)
        return first + timedelta(hours=step) if step < (FAR - first) // timedelta(hours=1) else FAR
    if rotation.unit is Unit.MONTH:
        year, month0 = divmod(_first_month(rotation) + step, 12)
        day = _clamped(year, month0 + 1, rotation.day or 1) if year < _LAST_DAY.year else _LAST_DAY
        return _at(zone, day, rotation.minute)
    days = step * _days(rotation)
    first_day = rotation.start
    if rotation.day is not None:
        first_day += timedelta(days=(rotation.day - first_day.weekday()) % 7)
    return _at(zone, first_day + timedelta(days=days), rotation.minute) if days < (_LAST_DAY - first_day).days else FAR


def turn_at(rotation: Rotation, zone: ZoneInfo, at: datetime) -> int | None:
    """The turn that runs at an instant; None before the first."""
    if at < boundary(rotation, zone, 0):
        return None
    turn = max(0, _about(rotation, zone, at))
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


def _first_month(rotation: Rotation) -> int:
    """Months from the year 0 to the first hand-off."""
    start = rotation.start
    late = _clamped(start.year, start.month, rotation.day or 1) < start
    return start.year * 12 + start.month - 1 + late


def _about(rotation: Rotation, zone: ZoneInfo, at: datetime) -> int:
    """The turn by calendar arithmetic, wrong by a few at most: hand-off times and clock changes are left to the caller."""
    day = local(zone, at).date()
    if rotation.unit is Unit.HOUR:
        return (at - boundary(rotation, zone, 0)) // timedelta(hours=1) // rotation.every
    if rotation.unit is Unit.MONTH:
        return (day.year * 12 + day.month - 1 - _first_month(rotation)) // rotation.every
    return (day - rotation.start).days // (_days(rotation) * rotation.every)
