"""What being on call costs, by a person's own clock and calendar."""

from datetime import UTC, datetime, timedelta

from quietshift.oncall.ledger import Person, load
from quietshift.oncall.localtime import zone_of
from quietshift.oncall.people import calendar_of

HOUR = timedelta(hours=1)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def person(zone, country=""):
    weekend, holidays = calendar_of(country) if country else (frozenset({5, 6}), None)
    return Person("ana", zone_of(zone), country, holidays, weekend)


def test_a_night_is_the_persons_own_and_shorter_by_an_hour_in_spring():
    night = [(utc("2026-03-28T20:00"), utc("2026-03-29T08:00"))]
    assert load(person("Europe/Berlin"), night, 1).night_hours == 8 * HOUR
    assert load(person("UTC"), night, 1).night_hours == 9 * HOUR
    chicago = load(person("America/Chicago"), night, 1)
    assert (chicago.nights, chicago.night_hours) == (1, 5 * HOUR), "22:00 CDT is 03:00 UTC"


def test_holidays_and_weekends_are_those_of_the_country():
    corpus_christi = [(utc("2026-06-04T06:00"), utc("2026-06-05T06:00"))]  # a Thursday, off in Bavaria and not in Berlin
    bavaria, berlin, nowhere = (load(person("Europe/Berlin", c), corpus_christi, 1) for c in ("DE-BY", "DE-BE", ""))
    assert (bavaria.holidays, bavaria.holiday_hours) == (1, 16 * HOUR)
    assert (berlin.holidays, berlin.holiday_hours) == (0, timedelta())
    assert (nowhere.holidays, nowhere.holiday_hours) == (None, None), "unknown is not none"
    friday = [(utc("2026-06-05T00:00"), utc("2026-06-06T00:00"))]
    assert (load(person("UTC", "EG"), friday, 1).weekends, load(person("UTC", "DE"), friday, 1).weekends) == (1, 0)


def test_saturday_and_sunday_are_one_weekend_and_two_weeks_have_two():
    two_weeks = [(utc("2026-06-01T00:00"), utc("2026-06-15T00:00"))]
    found = load(person("UTC"), two_weeks, 2)
    assert (found.weekends, found.weekend_hours, found.nights, found.night_hours) == (2, 96 * HOUR, 15, 126 * HOUR)


def test_a_night_with_many_pages_is_interrupted_once():
    pages = [utc("2026-06-01T23:00"), utc("2026-06-02T03:00"), utc("2026-06-02T12:00"), utc("2026-06-02T23:30")]
    found = load(person("UTC"), [(utc("2026-06-01T20:00"), utc("2026-06-03T06:00"))], 1, pages)
    assert (found.pages, found.interrupted) == (4, 2)
    assert load(person("UTC"), [], 0).interrupted is None
