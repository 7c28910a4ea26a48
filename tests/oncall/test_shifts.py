"""Shifts across hand-offs, clock changes, restrictions, layers and overrides, in named places."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

import pytest

from quietshift.catalog.model import Ref
from quietshift.kernel.errors import Invalid
from quietshift.oncall.decide import gaps, shifts, who
from quietshift.oncall.localtime import zone_of
from quietshift.oncall.model import DAYS, Fairness, Gap, Layer, Override, Rotation, Schedule, Unit, Window

HOUR = timedelta(hours=1)
WEEKDAYS = frozenset(range(5))


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rotation(unit, handoff, start, every=1):
    day, _, time = handoff.rpartition(" ")
    number = DAYS.index(day) if day in DAYS else int(day) if day else None
    return Rotation(Unit(unit), every, int(time[:2]) * 60 + int(time[3:]), number, date.fromisoformat(start))


def layer(unit, handoff, start, users="ana bo chen", every=1, only=(), name="weekly"):
    return Layer(name, rotation(unit, handoff, start, every), tuple(users.split()), tuple(only))


def schedule(zone, *layers, overrides=()):
    return Schedule("storage", Ref.parse("group:storage"), zone_of(zone), layers, tuple(overrides))


def window(start, until, days=range(7)):
    minutes = [int(text[:2]) * 60 + int(text[3:]) for text in (start, until)]
    return Window(frozenset(days), *minutes)


def told(found):
    return [(s.user, f"{s.start:%m-%dT%H:%M}", f"{s.end:%m-%dT%H:%M}") for s in found]


BERLIN = schedule("Europe/Berlin", layer("week", "Mon 09:00", "2026-01-05"))


def test_who_names_the_shift_its_bounds_and_the_reason():
    on = who(BERLIN, utc("2026-03-29T02:30"))
    assert (on.users, on.layer) == (("chen",), "weekly")
    assert (on.start, on.end) == (utc("2026-03-23T08:00"), utc("2026-03-30T07:00"))
    assert on.reason == "layer weekly, hand-off Mon 09:00 Europe/Berlin, turn 3 of [ana, bo, chen]"


def test_the_instant_of_a_hand_off_belongs_to_who_takes_over():
    assert who(BERLIN, utc("2026-03-30T07:00")).users == ("ana",)
    assert who(BERLIN, utc("2026-03-30T07:00") - timedelta(microseconds=1)).users == ("chen",)


def test_weeks_of_167_and_169_hours_keep_their_local_hand_off():
    lengths = {
        s.start.date().isoformat(): (s.end - s.start) / HOUR
        for s in shifts(BERLIN, utc("2026-03-16T08:00"), utc("2026-11-02T08:00"))
    }
    assert (lengths["2026-03-16"], lengths["2026-03-23"], lengths["2026-10-19"]) == (168, 167, 169)


def test_days_of_23_and_25_hours():
    daily = schedule("Europe/Berlin", layer("day", "00:00", "2026-01-01", "ana bo"))
    spring = who(daily, utc("2026-03-29T12:00"))
    autumn = who(daily, utc("2026-10-25T12:00"))
    assert ((spring.end - spring.start) / HOUR, (autumn.end - autumn.start) / HOUR) == (23, 25)


def test_chicago_a_hand_off_in_the_spring_gap_happens_at_03_00_cdt():
    nightly = schedule("America/Chicago", layer("day", "02:30", "2026-03-01", "ana bo"))
    on = who(nightly, utc("2026-03-08T08:00"))
    assert (on.start, on.users) == (utc("2026-03-08T08:00"), ("bo",))
    assert who(nightly, utc("2026-03-08T07:59:59")).users == ("ana",)
    assert on.end == utc("2026-03-09T07:30")


def test_chicago_a_hand_off_in_the_autumn_overlap_happens_at_the_first_01_30():
    nightly = schedule("America/Chicago", layer("day", "01:30", "2026-10-31", "ana bo"))
    assert told(shifts(nightly, utc("2026-10-31T06:30"), utc("2026-11-02T07:30"))) == [
        ("ana", "10-31T06:30", "11-01T06:30"),
        ("bo", "11-01T06:30", "11-02T07:30"),
    ]


def test_lord_howe_changes_by_half_an_hour():
    daily = schedule("Australia/Lord_Howe", layer("day", "09:00", "2026-01-01", "ana"))
    assert (who(daily, utc("2026-04-04T20:00")).end - who(daily, utc("2026-04-04T20:00")).start) / HOUR == 24.5
    assert (who(daily, utc("2026-10-03T20:00")).end - who(daily, utc("2026-10-03T20:00")).start) / HOUR == 23.5


def test_the_day_that_samoa_skipped_is_nobodys_turn():
    daily = schedule("Pacific/Apia", layer("day", "00:00", "2011-12-28", "ana bo chen"))
    assert told(shifts(daily, utc("2011-12-29T10:00"), utc("2011-12-31T10:00"))) == [
        ("bo", "12-29T10:00", "12-30T10:00"),
        ("ana", "12-30T10:00", "12-31T10:00"),
    ]


def test_a_month_from_the_31st_takes_the_last_day_and_returns():
    monthly = schedule("Europe/Berlin", layer("month", "31 09:00", "2026-01-01"))
    found = shifts(monthly, utc("2026-01-01T00:00"), utc("2026-07-01T00:00"))
    assert [f"{s.user} {s.start:%m-%d}" for s in found] == [
        "ana 01-31",
        "bo 02-28",
        "chen 03-31",
        "ana 04-30",
        "bo 05-31",
        "chen 06-30",
    ]
    assert who(monthly, utc("2028-02-29T09:00")).start == utc("2028-02-29T08:00")


def test_a_month_whose_day_has_passed_at_the_start_begins_in_the_next():
    monthly = schedule("UTC", layer("month", "1 09:00", "2026-01-02", every=2))
    assert [f"{s.start:%m-%d}" for s in shifts(monthly, utc("2026-01-01"), utc("2026-07-01"))] == ["02-01", "04-01", "06-01"]


def test_hours_are_elapsed_hours():
    hourly = schedule("Europe/Berlin", layer("hour", "09:00", "2026-03-28", "ana bo", every=12))
    assert told(shifts(hourly, utc("2026-03-28T00:00"), utc("2026-03-30T08:00"))) == [
        ("ana", "03-28T08:00", "03-28T20:00"),
        ("bo", "03-28T20:00", "03-29T08:00"),
        ("ana", "03-29T08:00", "03-29T20:00"),
        ("bo", "03-29T20:00", "03-30T08:00"),
    ]


def test_the_first_turn_begins_at_the_first_hand_off_from_the_start_on():
    later = schedule("Europe/Berlin", layer("week", "Mon 09:00", "2026-01-06"))
    on = who(later, utc("2026-01-01"))
    assert (on.users, on.start, on.end, on.layer) == ((), None, utc("2026-01-12T08:00"), "")
    assert on.reason == "nobody: layer weekly begins Mon 2026-01-12 09:00 Europe/Berlin; no override"
    assert who(later, utc("2026-01-12T08:00")).users == ("ana",)


def test_a_window_that_closed_before_the_first_turn_is_no_shift_to_look_back_at():
    mondays = schedule("UTC", layer("day", "00:00", "2026-01-07", only=[window("09:00", "18:00", [0])]))
    assert (who(mondays, utc("2026-01-08")).start, who(mondays, utc("2026-01-08")).end) == (None, utc("2026-01-12T09:00"))
    assert who(mondays, utc("2026-01-01")).end == utc("2026-01-12T09:00")
    assert who(mondays, utc("2026-01-13")).start == utc("2026-01-12T18:00")


def test_every_second_week():
    fortnight = schedule("UTC", layer("week", "Thu 17:00", "2026-01-01", every=2))
    assert [f"{s.user} {s.start:%m-%d}" for s in shifts(fortnight, utc("2026-01-02"), utc("2026-02-12T17:00"))] == [
        "ana 01-02", "bo 01-15", "chen 01-29",
    ]  # fmt: skip


def test_restrictions_to_working_hours_leave_the_nights_and_weekends_open():
    office = schedule("Europe/Berlin", layer("week", "Mon 09:00", "2026-01-05", only=[window("09:00", "18:00", WEEKDAYS)]))
    friday = who(office, utc("2026-03-27T12:00"))
    assert (friday.start, friday.end) == (utc("2026-03-27T08:00"), utc("2026-03-27T17:00"))
    weekend = who(office, utc("2026-03-28T12:00"))
    assert (weekend.users, weekend.start, weekend.end) == ((), utc("2026-03-27T17:00"), utc("2026-03-30T07:00"))
    assert weekend.reason == "nobody: layer weekly is on only Mon Tue Wed Thu Fri 09:00-18:00 Europe/Berlin; no override"
    assert gaps(office, utc("2026-03-27T08:00"), utc("2026-03-30T12:00")) == [
        Gap(utc("2026-03-27T17:00"), utc("2026-03-30T07:00"), weekend.reason)
    ]


def test_the_days_of_a_restriction_over_midnight_are_those_on_which_it_begins():
    night = schedule("UTC", layer("day", "12:00", "2026-01-01", "ana", only=[window("22:00", "06:00", [4])]))
    assert told(shifts(night, utc("2026-01-01"), utc("2026-01-09"))) == [("ana", "01-02T22:00", "01-03T06:00")]


def test_a_hand_off_within_a_restriction_over_midnight_ends_the_shift():
    night = schedule("UTC", layer("day", "00:00", "2026-01-01", "ana bo", only=[window("22:00", "06:00")]))
    assert told(shifts(night, utc("2026-01-01T12:00"), utc("2026-01-02T12:00"))) == [
        ("ana", "01-01T22:00", "01-02T00:00"),
        ("bo", "01-02T00:00", "01-02T06:00"),
    ]


def test_restrictions_that_touch_are_one_shift_and_whole_days_leave_no_hole_at_a_clock_change():
    whole = [window("00:00", "24:00", [5]), window("00:00", "12:00", [6]), window("11:00", "24:00", [6])]
    weekend = schedule("Europe/Berlin", layer("week", "Mon 09:00", "2026-01-05", "ana", only=whole))
    assert told(shifts(weekend, utc("2026-03-27"), utc("2026-03-31"))) == [("ana", "03-27T23:00", "03-29T22:00")]


def test_a_restriction_from_a_time_until_the_same_is_a_whole_day():
    one_day = schedule("UTC", layer("week", "Mon 00:00", "2026-01-05", "ana", only=[window("09:00", "09:00", [1])]))
    assert told(shifts(one_day, utc("2026-01-05"), utc("2026-01-12"))) == [("ana", "01-06T09:00", "01-07T09:00")]


def test_restrictions_that_fill_the_week_are_none():
    full = schedule(
        "Europe/Berlin",
        layer("week", "Mon 09:00", "2026-01-05", every=500, only=[window("08:00", "20:00"), window("20:00", "08:00")]),
    )
    on = who(full, utc("2026-05-05"))
    assert (on.start, on.end) == (utc("2026-01-05T08:00"), utc("2035-08-06T07:00"))


def test_a_later_layer_covers_an_earlier_one_where_it_has_somebody():
    both = schedule(
        "UTC",
        layer("week", "Mon 09:00", "2026-01-05", "ana bo", name="all"),
        layer("day", "00:00", "2026-01-07", "dee", only=[window("08:00", "12:00")], name="mornings"),
    )
    assert [(s.layer, *told([s])[0]) for s in shifts(both, utc("2026-01-06T09:00"), utc("2026-01-08T09:00"))] == [
        ("all", "ana", "01-06T09:00", "01-07T08:00"),
        ("mornings", "dee", "01-07T08:00", "01-07T12:00"),
        ("all", "ana", "01-07T12:00", "01-08T08:00"),
        ("mornings", "dee", "01-08T08:00", "01-08T09:00"),
    ]
    on = who(both, utc("2026-01-07T20:00"))
    assert (on.users, on.start, on.end) == (("ana",), utc("2026-01-07T12:00"), utc("2026-01-08T08:00"))
    assert who(both, utc("2026-01-06")).start == utc("2026-01-05T09:00")


def test_an_override_covers_every_layer_and_the_later_written_covers_the_earlier():
    over = schedule(
        "Europe/Berlin",
        layer("week", "Mon 09:00", "2026-01-05"),
        overrides=[
            Override("bo", utc("2026-03-28T20:00"), utc("2026-03-29T12:00")),
            Override("dee", utc("2026-03-29T00:00"), utc("2026-03-29T02:00")),
        ],
    )
    assert told(shifts(over, utc("2026-03-28T12:00"), utc("2026-03-30T07:00"))) == [
        ("chen", "03-28T12:00", "03-28T20:00"),
        ("bo", "03-28T20:00", "03-29T00:00"),
        ("dee", "03-29T00:00", "03-29T02:00"),
        ("bo", "03-29T02:00", "03-29T12:00"),
        ("chen", "03-29T12:00", "03-30T07:00"),
    ]
    on = who(over, utc("2026-03-29T06:00"))
    assert (on.users, on.layer, on.start, on.end) == (("bo",), "override", utc("2026-03-29T02:00"), utc("2026-03-29T12:00"))
    assert on.reason == "override until Sun 2026-03-29 14:00 Europe/Berlin"
    before = who(over, utc("2026-03-28T12:00"))
    assert (before.start, before.end) == (utc("2026-03-23T08:00"), utc("2026-03-28T20:00"))


def test_a_schedule_of_overrides_alone_is_free_for_ever_around_them():
    rare = schedule("UTC", overrides=[Override("ana", utc("2026-01-02"), utc("2026-01-03"))])
    assert who(rare, utc("2026-01-02")).users == ("ana",)
    after = who(rare, utc("2026-01-03"))
    assert (after.users, after.start, after.end) == ((), utc("2026-01-03"), None)
    assert after.reason == "nobody: the schedule has no layers; no override"


def test_who_hands_over_to_themselves_begins_another_shift():
    alone = schedule("UTC", layer("week", "Mon 09:00", "2026-01-05", "ana"))
    assert told(shifts(alone, utc("2026-01-05T09:00"), utc("2026-01-19T09:00"))) == [
        ("ana", "01-05T09:00", "01-12T09:00"),
        ("ana", "01-12T09:00", "01-19T09:00"),
    ]


@pytest.mark.parametrize(("unit", "handoff"), [("hour", "09:00"), ("day", "09:00"), ("week", "Mon 09:00"), ("month", "31 09:00")])
@pytest.mark.parametrize("every", [1, 7, 10**12])
@pytest.mark.parametrize("start", ["1970-01-01", "2026-01-05", "9998-12-31"])
@pytest.mark.parametrize("only", [(), (window("23:00", "01:00", [6]),)])
def test_every_instant_from_1970_to_9998_has_an_answer(unit, handoff, every, start, only):
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        far = schedule(zone, layer(unit, handoff, start, every=every, only=only))
        for at in (utc("1970-01-01"), utc("2026-06-01"), utc("9998-12-31T23:59:59")):
            on = who(far, at)
            assert on.start is None or on.start <= at
            assert on.end is None or on.end > at
            for shift in shifts(far, max(at - HOUR, utc("1970-01-01")), at):
                assert shift.start < shift.end


def test_what_lies_outside_is_a_clear_error():
    with pytest.raises(Invalid, match="outside the years 1970 to 9998"):
        who(BERLIN, utc("9999-01-01"))
    with pytest.raises(Invalid, match="is before the start"):
        shifts(BERLIN, utc("2026-01-02"), utc("2026-01-01"))
    assert shifts(BERLIN, utc("2026-02-01"), utc("2026-02-01")) == []


# -- several at once, given days, fairness, one person's place -----------------------------------------------------------


def turns_of(unit, *handoffs, start="2026-01-05", users="ana bo chen", **options):
    first = rotation(unit, handoffs[0], start)
    more = tuple((other.day, other.minute) for other in (rotation(unit, text, start) for text in handoffs[1:]))
    return Layer("given", replace(first, more=more), tuple(users.split()), **options)


def test_turns_pass_on_at_each_of_the_given_days_in_the_order_of_the_calendar():
    days = schedule("Europe/Berlin", turns_of("week", "Fri 17:00", "Mon 09:00", start="2026-03-24"))
    assert told(shifts(days, utc("2026-03-24T00:00"), utc("2026-04-04T00:00"))) == [
        ("ana", "03-27T16:00", "03-30T07:00"),
        ("bo", "03-30T07:00", "04-03T15:00"),
        ("chen", "04-03T15:00", "04-04T00:00"),
    ]
    months = schedule("UTC", turns_of("month", "31 09:00", "15 09:00", start="2026-01-20"))
    begins = [f"{s.user} {s.start:%m-%d}" for s in shifts(months, utc("2026-01-20T00:00"), utc("2026-04-20T00:00"))]
    assert begins == ["ana 01-31", "bo 02-15", "chen 02-28", "ana 03-15", "bo 03-31", "chen 04-15"]
    assert str(months.layers[0].rotation) == "hand-off 31 09:00 and 15 09:00"


def test_halves_of_a_day_keep_their_local_time_where_hours_elapse():
    halves = schedule("America/Chicago", turns_of("day", "09:00", "21:00", start="2026-03-07", users="ana bo"))
    lengths = [(s.end - s.start) / HOUR for s in shifts(halves, utc("2026-03-07T15:00"), utc("2026-03-09T14:00"))]
    assert lengths == [12, 11, 12, 12]


def test_several_are_on_at_once_with_the_same_bounds():
    pairs = schedule("UTC", layer("week", "Mon 09:00", "2026-01-05"))
    pairs = replace(pairs, layers=(replace(pairs.layers[0], together=(("ana", "bo"), ("chen",))),))
    on = who(pairs, utc("2026-01-06T00:00"))
    assert (on.users, on.reason) == (("ana", "bo"), "layer weekly, hand-off Mon 09:00 UTC, turn 1 of [ana+bo, chen]")
    assert told(shifts(pairs, utc("2026-01-05T09:00"), utc("2026-01-19T09:00"))) == [
        ("ana", "01-05T09:00", "01-12T09:00"),
        ("bo", "01-05T09:00", "01-12T09:00"),
        ("chen", "01-12T09:00", "01-19T09:00"),
    ]
    assert gaps(pairs, utc("2026-01-05T09:00"), utc("2026-01-19T09:00")) == []


def test_an_override_of_one_person_leaves_the_others_and_the_place_is_kept_through_further_ones():
    pair = schedule("UTC", layer("week", "Mon 09:00", "2026-01-05", "ana bo"))
    pair = replace(pair, layers=(replace(pair.layers[0], together=(("ana", "bo"),)),))
    over = replace(
        pair,
        overrides=(
            Override("dee", utc("2026-01-06T00:00"), utc("2026-01-08T00:00"), "bo"),
            Override("eli", utc("2026-01-07T00:00"), utc("2026-01-09T00:00"), "bo"),
            Override("fay", utc("2026-01-06T00:00"), utc("2026-01-09T00:00"), "chen"),
        ),
    )
    days = [who(over, utc(f"2026-01-{day:02}T12:00")).users for day in range(5, 10)]
    assert days == [("ana", "bo"), ("ana", "dee"), ("ana", "eli"), ("ana", "eli"), ("ana", "bo")]
    on = who(over, utc("2026-01-06T12:00"))
    assert (on.start, on.end, on.layer) == (utc("2026-01-06T00:00"), utc("2026-01-07T00:00"), "override")
    assert on.reason.startswith("override: dee instead of bo until Thu 2026-01-08 00:00 UTC; layer weekly")


def test_fairness_counts_the_turns_in_which_somebody_is_on():
    office = [window("09:00", "17:00", range(5))]
    calendar = schedule("UTC", layer("day", "00:00", "2026-01-05", "ana bo chen dee eli fay gil", only=office))
    covered = replace(calendar, layers=(replace(calendar.layers[0], fairness=Fairness.COVERED),))
    four_weeks = utc("2026-01-05T00:00"), utc("2026-02-23T00:00")
    worked = Counter(s.user for s in shifts(calendar, *four_weeks))
    assert worked == dict.fromkeys(("ana", "bo", "chen", "dee", "eli"), 7), "the same five, every week"
    fair = shifts(covered, *four_weeks)
    assert Counter(s.user for s in fair) == dict.fromkeys(("ana", "bo", "chen", "dee", "eli", "fay", "gil"), 5)
    assert [s.user for s in fair[:8]] == ["ana", "bo", "chen", "dee", "eli", "fay", "gil", "ana"]
    assert "turn 6 of those covered, [ana, bo" in who(covered, utc("2026-01-12T10:00")).reason


@pytest.mark.parametrize("zone", sorted({"Europe/Berlin", "America/Chicago", "Australia/Lord_Howe"}))
def test_fairness_of_months_and_of_weeks_is_counted_far_from_the_start_as_it_is_near(zone):
    sundays = (window("10:00", "12:00", [6]),)
    for one in (turns_of("month", "1 00:00", "3 00:00"), turns_of("week", "Mon 00:00", "Sun 00:00"), turns_of("day", "00:00")):
        far = schedule(zone, replace(one, only=sundays, fairness=Fairness.COVERED))
        found = [user for user, _ in groupby(s.user for s in shifts(far, utc("2026-01-01T00:00"), utc("2031-01-01T00:00")))]
        assert found == [("ana", "bo", "chen")[n % 3] for n in range(len(found))]
        assert len(found) > 60
