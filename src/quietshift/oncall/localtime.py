"""Local time to instants, with one rule for every clock change.

The instant of a local time is **the first instant at which that zone's clock reads that time or later**. So a time that occurs
once is itself; of one that occurs twice it is the first occurrence; and one that is skipped becomes the first valid instant
after the gap (Chicago 02:30 in spring is 03:00 CDT). Libraries' usual rule ("compatible", RFC 5545) would make that 03:30.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from quietshift.kernel.errors import Invalid

# Instants are taken from FIRST up to, not including, LAST: a year of room for arithmetic before datetime ends. FAR is "never".
FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 1, 1, tzinfo=UTC)
FAR = datetime(9999, 12, 1, tzinfo=UTC)

_SECOND = timedelta(seconds=1)
# Files of the zone database that are no zones of the world: they count leap seconds, or are the machine's own zone.
_NO_ZONES = ("right/", "posix/", "localtime", "posixrules", "Factory")


def zone_of(name: str) -> ZoneInfo:
    """The IANA time zone of that name. Raises ValueError where there is none."""
    try:
        if name.startswith(_NO_ZONES):
            raise ValueError(name)
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a directory's name is an OSError
        raise ValueError(f"unknown time zone {name!r}{_near(name) or ': expected an IANA name like Europe/Berlin'}") from None


def within_range(at: datetime) -> datetime:
    """The same instant, in UTC. Raises Invalid before 1970 or after 9998, ValueError for a naive datetime."""
    if at.tzinfo is None:
        raise ValueError(f"a naive datetime is no instant: {at.isoformat()}")
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        at = FAR
    if not FIRST <= at < LAST:
        raise Invalid(f"{at.isoformat()} is outside the years 1970 to 9998, for which shifts are known")
    return at


def local(zone: ZoneInfo, at: datetime) -> datetime:
    """What the zone's clock reads at that instant, naive."""
    return at.astimezone(zone).replace(tzinfo=None)


@lru_cache(maxsize=1 << 16)
def instant(zone: ZoneInfo, time: datetime) -> datetime:
    """The first instant (UTC) at which the zone's clock reads `time` (naive) or later; FAR beyond the year 9998."""
    if time.year >= LAST.year:
        return FAR
    first = time.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if local(zone, first) == time:
        return first
    # In a gap. Python answers the time read with the offset before it, which is late by the rest of the gap; with the offset
    # after it, it is early. The gap lies between, and whole seconds are enough: no offset changes within one.
    early, late = time.replace(tzinfo=zone, fold=1).astimezone(UTC), first
    while late - early > _SECOND:
        middle = early + (late - early) // _SECOND // 2 * _SECOND
        if local(zone, middle) >= time:
            late = middle
        else:
            early = middle
    return late.replace(microsecond=0)


def _near(name: str) -> str:
    import difflib
    from zoneinfo import available_timezones

    near = difflib.get_close_matches(name, available_timezones(), 1)
    return f" (did you mean {near[0]}?)" if near else ""
