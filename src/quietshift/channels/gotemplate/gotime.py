"""Go's time.Time, Duration, Month and Weekday, as far as templates use them. Microseconds are the finest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_INT64 = 1 << 63
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}", re.ASCII)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)


class Duration(int):
    """A span in nanoseconds."""

    __slots__ = ()
    go_type: ClassVar[str] = "time.Duration"


class Month(int):
    __slots__ = ()
    go_type: ClassVar[str] = "time.Month"


class Weekday(int):
    __slots__ = ()
    go_type: ClassVar[str] = "time.Weekday"


@dataclass(frozen=True, slots=True)
class Location:
    """A zone: what `tz` and `.In` take."""

    zone: tzinfo
    go_type: ClassVar[str] = "*time.Location"

    @property
    def name(self) -> str:
        return "UTC" if self.zone is UTC else getattr(self.zone, "key", "") or ""


@dataclass(frozen=True, slots=True)
class Time:
    """An instant in a zone. at: aware."""

    at: datetime
    go_type: ClassVar[str] = "time.Time"

    def zone_name(self) -> str:
        """`UTC`, `CET`, or `+0200` where the zone is only an offset."""
        if isinstance(self.at.tzinfo, timezone) and self.at.tzinfo is not UTC:
            return offset_text(self.at, "-0700")
        name = self.at.tzname() or ""
        return name if re.fullmatch(r"[A-Z]{2,6}|[+-]\d{2,4}", name) else offset_text(self.at, "-0700")

    def since_epoch(self) -> int:
        """Microseconds."""
        return (self.at - _EPOCH) // _MICRO

    def moved(self, span: timedelta) -> Time:
        """This much later. Raises OverflowError outside of the years 1 to 9999."""
        return Time((self.at.astimezone(UTC) + span).astimezone(self.at.tzinfo))

    def within(self, zone: tzinfo) -> Time:
        """The same instant there; where that day does not exist (year 0), as it is."""
        try:
            return Time(self.at.astimezone(zone))
        except OverflowError:
            return self


ZERO_TIME = Time(datetime(1, 1, 1, tzinfo=UTC))


def clamp(nanoseconds: int) -> Duration:
    """As a 64-bit number holds it."""
    return Duration(max(-_INT64, min(_INT64 - 1, nanoseconds)))


def load_zone(name: str) -> tzinfo:
    """A zone of the IANA database. Raises ValueError for a name that it does not have."""
    if name in ("", "UTC", "Local"):
        return UTC
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        pass
    raise ValueError(f"unknown time zone {name}")


def parse_rfc3339(text: str) -> Time:
    """An instant with its offset; nothing is the zero time. Raises ValueError."""
    if not text:
        return ZERO_TIME
    form = _RFC3339.fullmatch(text)
    if form is None:
        raise ValueError(f"not an RFC 3339 instant: {text!r:.60}")
    *numbers, fraction, utc, sign, hours, minutes = form.groups()
    zone: tzinfo = UTC
    if not utc and (int(hours) or int(minutes)):
        zone = timezone((-1 if sign == "-" else 1) * timedelta(hours=int(hours), minutes=int(minutes)))
    year, month, day, hour, minute, second = map(int, numbers)
    return Time(datetime(year, month, day, hour, minute, second, int((fraction or "").ljust(6, "0")[:6]), zone))


# -- layouts -------------------------------------------------------------------------------------------------------------

# Longest first where one begins like another. Source: Go's package time, constants and the notes of Format.
_LAYOUT = re.compile(
    r"January|Jan(?![a-z])|Jan|Monday|Mon(?![a-z])|MST|2006|__2|002|01|02|03|04|05|06|15|PM|pm"
    r"|Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07|_2006|_2|1|2|3|4|5"
    r"|[.,]0+(?!\d)|[.,]9+(?!\d)"
)


def pieces(layout: str) -> list[tuple[str, str]]:
    """A layout as pairs of literal text and the element after it (empty at the end)."""
    found, begin, position = [], 0, 0
    while (match := _LAYOUT.search(layout, position)) is not None:
        element, at = match.group(), match.start()
        position = match.end()
        if element == "_2006":  # an underscore and a year, not a padded day
            element, at = "2006", at + 1
        elif element == "Jan" and layout[match.end() : match.end() + 1].islower():
            continue  # Go takes Jan only where no small letter follows
        found.append((layout[begin:at], element))
        begin = position
    return [*found, (layout[begin:], "")]


def offset_text(at: datetime, form: str) -> str:
    """The distance from UTC, in the form of `-0700`, `Z07:00` and the like."""
    seconds = int((at.utcoffset() or timedelta()).total_seconds())
    if form.startswith("Z"):
        if not seconds:
            return "Z"
        form = "-" + form[1:]
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    hours, minutes, rest = f"{seconds // 3600:02}", f"{seconds // 60 % 60:02}", f"{seconds % 60:02}"
    return sign + {
        "-07": hours, "-0700": hours + minutes, "-07:00": f"{hours}:{minutes}", "-070000": hours + minutes + rest,
        "-07:00:00": f"{hours}:{minutes}:{rest}",
    }[form]


def format_time(time: Time, layout: str) -> str:
    """Go's Format."""
    out = []
    for literal, element in pieces(layout):
        out.append(literal)
        if element:
            out.append(_element(time, element))
    return "".join(out)


def _element(time: Time, element: str) -> str:
    at = time.at
    if element[0] in ".,":
        digits = f"{at.microsecond:06}000"
        shown = digits[: len(element) - 1].ljust(len(element) - 1, "0")
        if element[1] == "9":
            shown = shown.rstrip("0")
            return element[0] + shown if shown else ""
        return element[0] + shown
    if element[0] in "Z-":
        return offset_text(at, element)
    weekday = DAYS[at.isoweekday() % 7]
    twelve = at.hour % 12 or 12
    day_of_year = at.timetuple().tm_yday
    return {
        "2006": f"{at.year:04}", "06": f"{at.year % 100:02}", "January": MONTHS[at.month - 1], "Jan": MONTHS[at.month - 1][:3],
        "01": f"{at.month:02}", "1": str(at.month), "Monday": weekday, "Mon": weekday[:3], "02": f"{at.day:02}",
        "_2": f"{at.day:2}", "2": str(at.day), "002": f"{day_of_year:03}", "__2": f"{day_of_year:3}", "15": f"{at.hour:02}",
        "03": f"{twelve:02}", "3": str(twelve), "04": f"{at.minute:02}", "4": str(at.minute), "05": f"{at.second:02}",
        "5": str(at.second), "PM": "PM" if at.hour >= 12 else "AM", "pm": "pm" if at.hour >= 12 else "am",
        "MST": time.zone_name(),
    }[element]  # fmt: skip


def time_text(time: Time) -> str:
    """As it is printed."""
    return format_time(time, "2006-01-02 15:04:05.999999999 -0700 MST")


def duration_text(span: int) -> str:
    """`1h2m3.5s`, `250ms`, `0s`."""
    if span == 0:
        return "0s"
    sign, rest = ("-", -span) if span < 0 else ("", span)
    for unit, size in (("ns", 1), ("µs", 1000), ("ms", 1_000_000)):
        if rest < size * 1000 and rest < 1_000_000_000:
            return sign + _decimal(rest, size) + unit
    hours, rest = divmod(rest, 3_600_000_000_000)
    minutes, rest = divmod(rest, 60_000_000_000)
    text = _decimal(rest, 1_000_000_000) + "s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return sign + (f"{hours}h{text}" if hours else text)


def _decimal(amount: int, size: int) -> str:
    whole, part = divmod(amount, size)
    digits = str(part).rjust(len(str(size)) - 1, "0").rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)
