"""Local times become the first instant at which the zone's clock reads them or later."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quietshift.kernel.errors import Invalid
from quietshift.oncall.localtime import FAR, instant, local, within_range, zone_of


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "written", "expected"),
    [
        ("America/Chicago", "2026-03-08T02:30", "2026-03-08T08:00"),  # skipped: 03:00 CDT, not 03:30
        ("America/Chicago", "2026-03-08T02:00", "2026-03-08T08:00"),
        ("America/Chicago", "2026-03-08T03:00", "2026-03-08T08:00"),
        ("America/Chicago", "2026-03-08T01:59", "2026-03-08T07:59"),
        ("America/Chicago", "2026-11-01T01:30", "2026-11-01T06:30"),  # twice: the first, 01:30 CDT
        ("America/Chicago", "2026-11-01T02:00", "2026-11-01T08:00"),
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),
        ("Europe/Dublin", "2026-03-29T01:30", "2026-03-29T01:00"),  # its winter time is the daylight saving one
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30"),  # half an hour is skipped: 02:30 +11
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),  # half an hour is repeated: the first, +11
        ("Pacific/Apia", "2011-12-30T09:00", "2011-12-30T10:00"),  # a whole day is skipped: 31 December 00:00 +14
        ("America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T03:00"),  # midnight is skipped: 01:00 -02
        ("Africa/Casablanca", "2026-02-15T02:30", "2026-02-15T01:30"),  # Ramadan
        ("America/Chicago", "2026-03-08T02:30:30.5", "2026-03-08T08:00"),
    ],
)
def test_named_clock_changes(zone, written, expected):
    assert instant(zone_of(zone), datetime.fromisoformat(written)) == utc(expected)


@cache
def zones():
    return sorted(name for name in available_timezones() if not name.startswith(("localtime", "posixrules", "Factory")))


@cache
def changes(name, year):
    """Instants of a year at which the zone's offset is another than a minute before."""
    zone, found, day = zone_of(name), [], datetime(year, 1, 1, tzinfo=UTC)
    while day.year == year:
        low, high = day, day + timedelta(days=1)
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) // 2
                low, high = (
                    (middle, high) if middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset() else (low, middle)
                )
            found.append(high.replace(second=0, microsecond=0))
        day += timedelta(days=1)
    return found


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_in_every_zone_it_is_the_first_instant_that_reads_so_late(data):
    name = data.draw(st.sampled_from(zones()))
    year = data.draw(st.integers(1970, 2040))
    near = data.draw(st.sampled_from(changes(name, year) or [datetime(year, 6, 1, tzinfo=UTC)]))
    zone = zone_of(name)
    written = local(zone, near) + timedelta(minutes=data.draw(st.integers(-26 * 60, 26 * 60)))
    found = instant(zone, written)
    assert local(zone, found) >= written
    for seconds in (1, 900, 1800, 3600, 7200, 12 * 3600, 86400):
        assert local(zone, found - timedelta(seconds=seconds)) < written
    later = written + timedelta(minutes=data.draw(st.integers(0, 26 * 60)))
    assert instant(zone, later) >= found


@pytest.mark.parametrize(
    "name", ["", "Berlin", "europe/berlin", "../etc/passwd", "right/UTC", "America", "localtime", "a\0b", "ü"]
)
def test_unknown_zones_are_refused(name):
    with pytest.raises(ValueError, match="unknown time zone"):
        zone_of(name)


def test_a_near_zone_is_named():
    with pytest.raises(ValueError, match=r"did you mean Europe/Berlin\?"):
        zone_of("Europe/Berlim")


def test_far_ends_of_the_calendar():
    assert instant(zone_of("Pacific/Kiritimati"), datetime.fromisoformat("9999-05-01")) == FAR
    assert within_range(utc("1970-01-01")) == utc("1970-01-01")
    for text in (
        "1969-12-31T23:59:59+00:00",
        "9999-01-01T00:00:00+00:00",
        "9999-12-31T23:00:00-12:00",
        "0001-01-01T00:00:00+12:00",
    ):
        with pytest.raises(Invalid, match="outside the years 1970 to 9998"):
            within_range(datetime.fromisoformat(text))
    with pytest.raises(ValueError, match="naive"):
        within_range(datetime.fromisoformat("2026-01-01"))
