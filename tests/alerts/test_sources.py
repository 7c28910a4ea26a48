"""When something is expected: by the period, and by cron through the changes of the clock."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quietshift.alerts.sources import Heartbeat, next_time

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
INSTANTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given one
CRONS = st.sampled_from(["0 3 * * *", "30 2 * * *", "*/7 * * * *", "15 1-4 * * 0", "0 0 1 * *", "0 12 29 2 *", "59 23 L * *"])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("after", "cron", "expected"),
    [
        ("2026-03-28T12:00+01:00", "30 2 * * *", "2026-03-29T03:00+02:00"),  # 02:30 is skipped: right after the gap
        ("2026-03-29T03:00+02:00", "30 2 * * *", "2026-03-30T02:30+02:00"),
        ("2026-10-24T12:00+02:00", "30 2 * * *", "2026-10-25T02:30+02:00"),  # 02:30 comes twice: the first
        ("2026-10-25T02:30+02:00", "30 2 * * *", "2026-10-26T02:30+01:00"),
        ("2026-10-25T02:30+01:00", "30 2 * * *", "2026-10-26T02:30+01:00"),  # heard in the second 02:30
        ("2026-10-25T02:15+02:00", "*/30 * * * *", "2026-10-25T02:30+02:00"),
        ("2026-10-25T02:45+02:00", "*/30 * * * *", "2026-10-25T02:00+01:00"),  # every half hour goes through both
        ("2026-11-21T03:00+01:00", "0 3 * * *", "2026-11-22T03:00+01:00"),  # at its time: the next
    ],
)
def test_a_cron_expression_through_the_changes_of_the_clock(after: str, cron: str, expected: str) -> None:
    assert next_time(cron, "Europe/Berlin", at(after)) == at(expected)


@settings(max_examples=100, deadline=None)
@given(CRONS, ZONES, INSTANTS)
def test_the_next_time_lies_ahead_and_nothing_is_between(cron: str, zone: str, after: datetime) -> None:
    found = next_time(cron, zone, after)
    assert after < found
    middle = after + (found - after) / 2
    assert next_time(cron, zone, middle) == found


NONE = ["", "* * * *", "* * * * * *", "60 * * * *", "x * * * *", "0 0 31 2 *", "0 0 * * 8", "*/0 * * * *"]


@pytest.mark.parametrize("cron", NONE)
def test_what_is_no_cron_expression(cron: str) -> None:
    with pytest.raises(ValueError, match=r"cron|never"):
        next_time(cron, "Europe/Berlin", at("2026-01-01T00:00Z"))


def test_grace_is_added_to_what_is_expected() -> None:
    heard = at("2026-11-21T03:00Z")
    made = Heartbeat("x", "gitaly", timedelta(minutes=10), "critical", "", period=timedelta(hours=1))
    assert made.due(heard) == heard + timedelta(minutes=70)
    nightly = Heartbeat("x", "gitaly", timedelta(minutes=10), "critical", "", cron="0 3 * * *", zone="Europe/Berlin")
    assert nightly.due(heard) == at("2026-11-22T02:10Z")
