from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quietshift.alerts.intervals import Span, contains, load_span
from quietshift.kernel.config import parse_documents
from quietshift.kernel.errors import Problems


def span(text: str) -> Span:
    problems = Problems()
    made = load_span(parse_documents(text.encode(), "x.yml", problems)[0])
    assert not problems.errors, problems.errors
    return made


def wrong(text: str) -> list[str]:
    problems = Problems()
    load_span(parse_documents(text.encode(), "x.yml", problems)[0])
    return [str(problem) for problem in problems.errors]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_times_end_before_their_last_minute():
    office = span("times: [{start_time: '09:00', end_time: '17:00'}]")
    assert office.contains(at("2026-11-20T09:00:00"))
    assert office.contains(at("2026-11-20T16:59:59"))
    assert not office.contains(at("2026-11-20T17:00:00"))
    assert span("times: [{start_time: '17:00', end_time: '24:00'}]").contains(at("2026-11-20T23:59:59"))


def test_weekdays_begin_on_sunday():
    week = span("weekdays: ['monday:friday', sunday]")
    assert [week.contains(at(f"2026-11-{day}T12:00:00")) for day in range(15, 22)] == [True] * 6 + [False]  # 15 is a Sunday


def test_days_count_from_the_end_too_and_are_clamped_to_the_month():
    last = span("days_of_month: ['-3:-1']")
    assert last.contains(at("2026-02-26T00:00:00"))
    assert last.contains(at("2026-02-28T23:00:00"))
    assert not last.contains(at("2026-02-25T23:00:00"))
    assert not span("days_of_month: ['30:31']").contains(at("2026-02-28T00:00:00"))
    assert span("days_of_month: ['1:31']").contains(at("2026-02-28T00:00:00"))


def test_months_by_name_and_number_and_years():
    winter = span("months: ['december', '1:february']\nyears: ['2026:2027']")
    assert winter.contains(at("2026-12-01T00:00:00"))
    assert winter.contains(at("2027-02-01T00:00:00"))
    assert not winter.contains(at("2026-11-30T00:00:00"))
    assert not winter.contains(at("2028-01-01T00:00:00"))


def test_the_location_shifts_everything():
    berlin = span("times: [{start_time: '00:00', end_time: '01:00'}]\nweekdays: [monday]\nlocation: Europe/Berlin")
    assert berlin.contains(at("2026-11-22T23:30:00"))  # Sunday 23:30 UTC is Monday 00:30 there
    assert not berlin.contains(at("2026-11-23T00:30:00"))


def test_a_named_interval_is_any_of_its_spans():
    either = (span("weekdays: [sunday]"), span("weekdays: [monday]"))
    assert contains(either, at("2026-11-22T00:00:00"))
    assert contains(either, at("2026-11-23T00:00:00"))
    assert not contains(either, at("2026-11-24T00:00:00"))
    assert not contains((), at("2026-11-24T00:00:00"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("times: [{start_time: '17:00', end_time: '09:00'}]", "x.yml:1: times[0]: start_time has to be before end_time"),
        ("times: [{start_time: '9:00', end_time: '17:00'}]", "not a time of day: '9:00'"),
        ("times: [{start_time: '09:00'}]", "end_time: is required"),
        ("weekdays: ['friday:monday']", "the range ends before it begins"),
        ("weekdays: [funday]", "not a weekday: 'funday'"),
        ("days_of_month: ['0']", "not a day of the month: 0"),
        ("days_of_month: ['-1:5']", "the last has to as well"),
        ("days_of_month: ['31:-10']", "the last day is always before the first"),
        ("months: ['13']", "not a month: '13'"),
        ("years: [MMXXVI]", "expected a whole number"),
        ("location: Europe/Atlantis", "no such time zone"),
        ("location: Local", "name one, as Europe/Berlin"),
        ("hours: []", "unknown key"),
    ],
)
def test_mistakes_are_told_with_their_line(text, says):
    found = wrong(text)
    assert len(found) == 1
    assert says in found[0]
    assert found[0].startswith("x.yml:1: ")


RANGES = st.tuples(st.integers(-31, 31), st.integers(-31, 31)).filter(lambda p: p[0] and p[1] and not p[0] < 0 < p[1])


@given(RANGES, st.integers(0, 3650 * 24).map(lambda hours: at("2020-01-01T00:00:00") + timedelta(hours=hours)))
def test_days_of_month_agree_with_counting(days, instant):
    first, last = days
    month = [instant.replace(day=1) + timedelta(days=i) for i in range(31)]
    month = [day for day in month if day.month == instant.month]

    def place(day: int) -> int:
        return day - 1 if day > 0 else len(month) + day

    inside = {day.day for i, day in enumerate(month) if place(first) <= i <= place(last)}
    assert Span(days_of_month=(days,)).contains(instant) == (instant.day in inside)
