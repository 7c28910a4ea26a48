from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quietshift.alerts.intervals import Span, contains, load_span, next_change
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


# -- until when ----------------------------------------------------------------------------------------------------------


def changes(text: str, now: str) -> str | None:
    made = span(text)
    found = next_change(made.contains, [made], at(now))
    return found and f"{found:%Y-%m-%dT%H:%M:%S}"


def test_the_next_change_is_the_minute_at_which_it_holds_or_no_longer_does():
    office = "{times: [{start_time: '09:00', end_time: '17:00'}], weekdays: ['monday:friday']}"
    assert changes(office, "2026-11-20T09:00:30") == "2026-11-20T17:00:00"
    assert changes(office, "2026-11-20T17:00:00") == "2026-11-23T09:00:00"
    assert changes("{days_of_month: ['-1']}", "2027-02-01T12:00:00") == "2027-02-28T00:00:00"
    assert changes("{times: [{start_time: '17:00', end_time: '24:00'}]}", "2026-11-20T23:59:59") == "2026-11-21T00:00:00"


def test_what_never_changes_has_no_next_change():
    assert changes("{}", "2026-11-20T09:00:00") is None
    assert changes("{years: ['2030']}", "2026-11-20T09:00:00") is None
    assert changes("{}", "9999-12-31T09:00:00") is None


def test_the_next_change_follows_clocks_that_are_set():
    night = "{times: [{start_time: '02:30', end_time: '03:30'}], location: Europe/Berlin}"
    assert changes(night, "2026-03-28T23:00:00") == "2026-03-29T01:00:00"  # 02:30 is left out: 03:00 follows 01:59
    assert changes(night, "2026-10-24T23:00:00") == "2026-10-25T00:30:00"  # the first 02:30
    assert changes(night, "2026-10-25T00:45:00") == "2026-10-25T01:00:00"  # 02:00 comes again
    assert changes(night, "2026-10-25T01:00:00") == "2026-10-25T01:30:00"  # the second 02:30


@given(
    st.lists(st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda p: p[0] < p[1]), max_size=2),
    st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")),
    st.sampled_from(("2026-03-08", "2026-03-28", "2026-10-24", "2026-11-01", "2026-11-21")),
    st.integers(0, 2 * 24 * 3600),
)  # fmt: skip
def test_nothing_changes_before_the_next_change(times: list[tuple[int, int]], zone: str, day: str, seconds: int):
    made, now = Span(times=tuple(times) or None, location=zone), at(f"{day}T00:00:00") + timedelta(seconds=seconds)
    found = next_change(made.contains, [made], now)
    until = min(found or now + timedelta(days=2), now + timedelta(days=2))
    minutes = int((until.replace(second=0) - now.replace(second=0, microsecond=0)).total_seconds()) // 60
    first = now.replace(second=0, microsecond=0)
    assert all(made.contains(max(first + timedelta(minutes=n), now)) == made.contains(now) for n in range(minutes))
    assert found is None or made.contains(found) != made.contains(now)
