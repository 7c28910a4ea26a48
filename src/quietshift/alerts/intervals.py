"""Time intervals of `alertmanager.yml`: when a route is muted, or active.

Each named interval is a list of spans; a span holds where all that it names holds: times of day, weekdays, days of the month
(negative from its end), months, years, in its location (UTC where none is named).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec

from quietshift.kernel.config import Node

Range = tuple[int, int]

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = tuple(calendar.month_name[i].lower() for i in range(1, 13))
_TIME = re.compile(r"(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)


class Span(msgspec.Struct, frozen=True):
    """times: minutes of the day, end exclusive; weekdays from Sunday 0; days may be negative; None: any."""

    times: tuple[Range, ...] | None = None
    weekdays: tuple[Range, ...] | None = None
    days_of_month: tuple[Range, ...] | None = None
    months: tuple[Range, ...] | None = None
    years: tuple[Range, ...] | None = None
    location: str = "UTC"

    def contains(self, instant: datetime) -> bool:
        """Whether an instant lies in this span."""
        local = instant.astimezone(_zone(self.location))
        minute = local.hour * 60 + local.minute
        last_day = calendar.monthrange(local.year, local.month)[1]
        return (
            (self.times is None or any(begin <= minute < end for begin, end in self.times))
            and _within(self.weekdays, local.isoweekday() % 7)
            and (self.days_of_month is None or any(_on_day(local.day, last_day, *days) for days in self.days_of_month))
            and _within(self.months, local.month)
            and _within(self.years, local.year)
        )


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def _within(ranges: tuple[Range, ...] | None, value: int) -> bool:
    return ranges is None or any(begin <= value <= end for begin, end in ranges)


def _on_day(day: int, last_day: int, begin: int, end: int) -> bool:
    begin = begin if begin > 0 else max(1, last_day + begin + 1)
    end = end if end > 0 else last_day + end + 1
    return begin <= day <= min(end, last_day)


Interval = tuple[Span, ...]


def contains(interval: Interval, instant: datetime) -> bool:
    """Whether any span of a named interval holds at this instant."""
    return any(span.contains(instant) for span in interval)


HORIZON = 366  # days that are looked ahead
MINUTE = timedelta(minutes=1)


def next_change(holds: Callable[[datetime], bool], spans: Iterable[Span], now: datetime) -> datetime | None:
    """The first minute after `now` at which `holds`, which follows from these spans alone, is not what it is now; None where
    that is more than a year away.

    A change comes where a wall clock passes midnight or the bound of a time of day, or where that clock is itself set.
    """
    bounds: dict[str, set[int]] = {}
    for span in spans:
        of_day = (minute for pair in span.times or () for minute in pair)
        bounds.setdefault(span.location, {0}).update(minute % (24 * 60) for minute in of_day)
    before, state = now, holds(now)
    try:
        for day in range(HORIZON + 1):
            for at in sorted({at for zone, minutes in bounds.items() for at in _instants(now, day, zone, minutes) if at > now}):
                if holds(at) != state:
                    return _between(holds, before, at)
                before = max(before, at)
    except OverflowError:  # the end of time
        pass
    return None


def _instants(now: datetime, day: int, zone: str, minutes: Iterable[int]) -> Iterator[datetime]:
    """When the clocks of a zone show these minutes of a day, twice where they are set back."""
    local = now.astimezone(_zone(zone)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0) + timedelta(days=day)
    if local.utcoffset() != (local + timedelta(days=1)).utcoffset():  # set on this day: what it skips or repeats is between these
        minutes = {*minutes, *range(0, 24 * 60, 30)}
    for minute in minutes:
        shown = local.replace(hour=minute // 60, minute=minute % 60)
        yield from (shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def _between(holds: Callable[[datetime], bool], before: datetime, after: datetime) -> datetime:
    """The minute at which it changed, between an instant before and one at which it has."""
    before, state = before.replace(second=0, microsecond=0), holds(after)
    while after - before > MINUTE:
        middle = (before + (after - before) / 2).replace(second=0, microsecond=0)
        before, after = (before, middle) if holds(middle) == state else (middle, after)
    return after


def load_span(node: Node) -> Span:
    """One entry of `time_intervals`; what is wrong becomes a problem with its line."""
    f = node.fields("times", "weekdays", "days_of_month", "months", "years", "location")
    return Span(
        _ranges(f["times"], _times),
        _ranges(f["weekdays"], lambda item: item.parsed(_weekdays, (0, 6))),
        _ranges(f["days_of_month"], lambda item: item.parsed(_days, (1, 31))),
        _ranges(f["months"], lambda item: item.parsed(_months, (1, 12))),
        _ranges(f["years"], lambda item: item.parsed(_years, (0, 9999))),
        f["location"].parsed(_location, "UTC"),
    )


def _ranges(node: Node, load: Callable[[Node], Range]) -> tuple[Range, ...] | None:
    return None if node.missing else tuple(load(item) for item in node.items())


def _times(node: Node) -> Range:
    f = node.fields("start_time", "end_time")
    for bound in f.values():
        if bound.missing:
            bound.error("is required")
    begin, end = f["start_time"].parsed(_minute, 0), f["end_time"].parsed(_minute, 24 * 60)
    if begin >= end:
        node.error("start_time has to be before end_time (a span over midnight is two)")
    return begin, end


def _minute(text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time of day: {text!r} (write it like 09:00, at most 24:00)")
    return 24 * 60 if match[1] is None else int(match[1]) * 60 + int(match[2])


def _pair(text: str, member: Callable[[str], int]) -> Range:
    parts = text.lower().split(":")
    if len(parts) > 2:
        raise ValueError(f"not a range: {text!r} (write it like first:last)")
    return member(parts[0]), member(parts[-1])


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"expected a whole number, not {text!r}") from None


def _weekdays(text: str) -> Range:
    def member(word: str) -> int:
        if word not in WEEKDAYS:
            raise ValueError(f"not a weekday: {word!r} (sunday to saturday)")
        return WEEKDAYS.index(word)

    return _ascending(text, _pair(text, member))


def _months(text: str) -> Range:
    def member(word: str) -> int:
        number = MONTHS.index(word) + 1 if word in MONTHS else _number(word)
        if not 1 <= number <= 12:
            raise ValueError(f"not a month: {word!r} (january to december, 1 to 12)")
        return number

    return _ascending(text, _pair(text, member))


def _years(text: str) -> Range:
    return _ascending(text, _pair(text, _number))


def _days(text: str) -> Range:
    begin, end = _pair(text, _number)
    for day in (begin, end):
        if not 1 <= abs(day) <= 31:
            raise ValueError(f"not a day of the month: {day} (1 to 31, or -1 to -31 from the end)")
    if begin < 0 < end:
        raise ValueError(f"{text!r}: where the first day counts from the end of the month, the last has to as well")
    shortest = 28
    if (begin if begin > 0 else shortest + begin) > (end if end > 0 else shortest + end):
        raise ValueError(f"{text!r}: the last day is always before the first")
    return begin, end


def _ascending(text: str, pair: Range) -> Range:
    if pair[0] > pair[1]:
        raise ValueError(f"{text!r}: the range ends before it begins")
    return pair


def _location(text: str) -> str:
    if text == "Local":
        raise ValueError("location: Local means another zone on each machine; name one, as Europe/Berlin")
    try:
        _zone(text)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"no such time zone: {text!r} (IANA names, as Europe/Berlin)") from None
    return text
