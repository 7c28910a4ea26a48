"""Over all zones, units, restrictions, layers and overrides: shifts are what the definition says, no gap or overlap beyond it.

The oracle reads the zone's clock: outside a repeated hour, a hand-off has happened when the clock reads its time or later. It
enumerates days and knows neither intervals nor instants.
"""

from calendar import monthrange
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import available_timezones

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quietshift.catalog.model import Ref
from quietshift.oncall.decide import gaps, shifts, who
from quietshift.oncall.localtime import local, zone_of
from quietshift.oncall.model import OVERRIDE, Fairness, Layer, Override, Rotation, Schedule, Unit, Window
from quietshift.oncall.turns import boundary, turn_at

MINUTE = timedelta(minutes=1)
USERS = ("ana", "bo", "chen", "dee")
bounded = settings(max_examples=120, deadline=None)


@cache
def zones():
    return sorted(name for name in available_timezones() if not name.startswith(("localtime", "posixrules", "Factory")))


@st.composite
def rotations(draw, year):
    unit = draw(st.sampled_from(list(Unit)))
    every = draw(st.integers(1, 40 if unit is Unit.HOUR else 4))
    day = {Unit.WEEK: st.integers(0, 6), Unit.MONTH: st.integers(1, 31)}.get(unit, st.none())
    start = date(year, 1, 1) + timedelta(days=draw(st.integers(-60, 200)))
    first = (draw(day), draw(minutes))
    further = st.tuples(st.integers(1, 27) if unit is Unit.MONTH else day, minutes).filter(lambda one: one != first)
    more = draw(st.lists(further, max_size=2, unique=True)) if unit is not Unit.HOUR else []
    return Rotation(unit, every, first[1], first[0], start, tuple(more))


minutes = st.one_of(st.sampled_from([0, 90, 150, 540]), st.integers(0, 1439))
windows = st.builds(
    Window, st.frozensets(st.integers(0, 6), min_size=1), minutes, st.one_of(minutes, st.just(1440))
)  # fmt: skip


@st.composite
def drawn_layers(draw, name, year):
    rotation = draw(rotations(year))
    fair = st.just(Fairness.CALENDAR) if rotation.unit is Unit.HOUR else st.sampled_from(Fairness)
    only = tuple(draw(st.lists(windows, max_size=2)))
    if draw(st.booleans()):
        return Layer(name, rotation, tuple(draw(st.lists(people, min_size=1, max_size=4))), only, fairness=draw(fair))
    together = tuple(map(tuple, draw(st.lists(st.lists(people, min_size=1, max_size=3, unique=True), min_size=1, max_size=3))))
    return Layer(name, rotation, tuple({user for turn in together for user in turn}), only, together, draw(fair))


people = st.sampled_from(USERS)


@st.composite
def schedules(draw):
    """A schedule and a stretch of four weeks, most often across a clock change."""
    zone = zone_of(draw(st.sampled_from(zones())))
    year = draw(st.one_of(st.integers(2024, 2028), st.integers(1971, 2037)))
    layers = tuple(draw(drawn_layers(f"l{number}", year)) for number in range(draw(st.integers(0, 3))))
    begin = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=draw(st.sampled_from([20, 60, 80, 85, 265, 270, 295, 300])))
    overrides = []
    for _ in range(draw(st.integers(0, 3))):
        start = begin + MINUTE * draw(st.integers(-3000, 40000))
        user = draw(st.sampled_from(USERS))
        instead = draw(st.sampled_from(("", "", *(other for other in USERS if other != user))))
        overrides.append(Override(user, start, start + MINUTE * draw(st.integers(1, 5000)), instead))
    return Schedule("s", Ref.parse("group:s"), zone, layers, tuple(overrides)), begin, begin + timedelta(days=28)


def instants(start, end):
    return st.integers(0, int((end - start) / MINUTE)).map(lambda minute: start + minute * MINUTE)


# -- the oracle ----------------------------------------------------------------------------------------------------------


def handoffs(rotation, until):
    """Hand-offs by the local clock, from the first on, days and clamped months simply counted, every so many of each kind."""
    found = []
    for wanted, minute in rotation.handoffs:
        day, month, number = rotation.start, 0, -1
        while True:
            if rotation.unit is Unit.MONTH:
                year, index = divmod(rotation.start.year * 12 + rotation.start.month - 1 + month, 12)
                day = date(year, index + 1, min(wanted, monthrange(year, index + 1)[1]))
                month += 1
            clock = datetime.combine(day, time()) + MINUTE * minute
            if clock > until:
                break
            if day >= rotation.start and (rotation.unit is not Unit.WEEK or day.weekday() == wanted):
                number += 1
                if rotation.unit is Unit.HOUR or number % rotation.every == 0:
                    found.append(clock)
            if rotation.unit is not Unit.MONTH:
                day += timedelta(days=1)
    return sorted(found)


def turn_by_the_clock(layer, zone, at):
    rotation, clock = layer.rotation, local(zone, at)
    passed = handoffs(rotation, clock)
    if not passed:
        return None
    if rotation.unit is Unit.HOUR:
        return int((at - boundary(rotation, zone, 0)) / timedelta(hours=1)) // rotation.every
    if layer.fairness is Fairness.COVERED:
        return sum(covered_by_the_clock(layer, *bounds) for bounds in pairwise(passed))
    return len(passed) - 1


def covered_by_the_clock(layer, begins, ends):
    """Whether a window is open within a turn, by the hour and the edges of windows."""
    day, edges = begins.date() - timedelta(days=1), [begins]
    while day <= ends.date():
        edges += [datetime.combine(day, time()) + MINUTE * window.start for window in layer.only]
        day += timedelta(days=1)
    return any(open_by_the_clock(layer, clock) for clock in edges if begins <= clock < ends)


def open_by_the_clock(layer, clock):
    for window in layer.only:
        for back in (0, 1):
            day = clock.date() - timedelta(days=back)
            opens = datetime.combine(day, time()) + MINUTE * window.start
            if day.weekday() in window.days and opens <= clock < opens + MINUTE * window.length:
                return True
    return not layer.only


def expected(schedule, at):
    """Who is on, and by what: each override, in the order written, says who is in whose place from then on."""
    found = None
    for layer in schedule.layers:
        turn = turn_by_the_clock(layer, schedule.zone, at)
        if turn is not None and open_by_the_clock(layer, local(schedule.zone, at)):
            found = [[user] for user in layer.takers[turn % len(layer.takers)]], layer.name
    for override in schedule.overrides:
        if not override.start <= at < override.end:
            continue
        if not override.instead:
            found = [[override.user]], OVERRIDE
        elif found and any(override.instead in place for place in found[0]):
            places = [[*place, override.user] if override.instead in place else place for place in found[0]]
            merged = {}
            for place in places:
                merged.setdefault(place[-1], []).extend(place[:-1])
            found = [[*before, user] for user, before in merged.items()], OVERRIDE
    return found and (tuple(place[-1] for place in found[0]), found[1])


def is_repeated(zone, at):
    """The clock reads now what it read, or will read, at another instant; or it has read later already."""
    clock = local(zone, at)
    return any(local(zone, at - timedelta(hours=hours)) >= clock for hours in (0.25, 0.5, 1, 2, 3, 12, 24)) or (
        clock.replace(tzinfo=zone, fold=0).utcoffset() != clock.replace(tzinfo=zone, fold=1).utcoffset()
    )


# -- the properties ------------------------------------------------------------------------------------------------------


@bounded
@given(schedules(), st.data())
def test_who_is_on_is_what_the_local_clock_says(drawn, data):
    schedule, start, end = drawn
    for _ in range(5):
        at = data.draw(instants(start, end))
        if is_repeated(schedule.zone, at):
            continue
        on, want = who(schedule, at), expected(schedule, at)
        assert on.users == (want[0] if want else ())
        assert on.layer == (want[1] if want else "")


@bounded
@given(schedules(), st.data())
def test_shifts_and_gaps_part_the_time_and_agree_with_who(drawn, data):
    schedule, start, end = drawn
    found = shifts(schedule, start, end)
    empty = gaps(schedule, start, end)
    here = start
    for begins, ends in sorted({(piece.start, piece.end) for piece in [*found, *empty]}):
        assert begins == here
        assert begins < ends
        here = ends
    assert len({(shift.user, shift.start) for shift in found}) == len(found), "nobody is on twice at once"
    assert here == end
    for shift in found:
        for at in (shift.start, shift.start + (shift.end - shift.start) / 2, shift.end - timedelta(microseconds=1)):
            on = who(schedule, at)
            assert (on.layer, on.reason) == (shift.layer, shift.reason)
            assert on.users == tuple(other.user for other in found if other.start == shift.start)
            assert on.start == shift.start if shift.start > start else on.start <= start
            assert on.end == shift.end if shift.end < end else on.end >= end
    for gap in empty:
        on = who(schedule, gap.start)
        assert (on.users, on.reason) == ((), gap.reason)
        assert on.start == gap.start if gap.start > start else on.start is None or on.start <= start
        assert on.end == gap.end if gap.end < end else on.end is None or on.end >= end
    middle = data.draw(instants(start, end))
    halves = [*shifts(schedule, start, middle), *shifts(schedule, middle, end)]
    assert sum((s.end - s.start for s in halves), timedelta()) == sum((s.end - s.start for s in found), timedelta())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_year_in_any_zone_has_no_gap_and_no_overlap_but_those_of_the_definition(data):
    """A layer without restrictions is on all year; one with windows exactly while the local clock is within one."""
    zone = zone_of(data.draw(st.sampled_from(zones())))
    year = data.draw(st.integers(1971, 2037))
    layer = data.draw(drawn_layers("l", year))
    layer = replace(layer, rotation=replace(layer.rotation, start=date(year - 1, 6, 1)))
    start, end = (datetime(number, 1, 1, tzinfo=UTC) for number in (year, year + 1))
    schedule = Schedule("s", Ref.parse("group:s"), zone, (layer,))
    found = shifts(schedule, start, end)
    spans = sorted({(shift.start, shift.end) for shift in found})
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    if boundary(layer.rotation, zone, 0) > start:
        return
    empty = gaps(schedule, start, end)
    assert layer.only or not empty
    here = start
    for begins, ends in sorted([*spans, *((gap.start, gap.end) for gap in empty)]):
        assert begins == here
        here = ends
    assert here == end
    for gap in empty:
        at = gap.start + MINUTE * data.draw(st.integers(0, max(0, int((gap.end - gap.start) / MINUTE) - 1)))
        assert is_repeated(zone, at) or not open_by_the_clock(layer, local(zone, at))


@bounded
@given(st.data())
def test_hand_offs_keep_their_local_time_where_it_exists_and_never_go_back(data):
    zone = zone_of(data.draw(st.sampled_from(zones())))
    year = data.draw(st.integers(1971, 2037))
    rotation = data.draw(rotations(year))
    assume(rotation.unit is not Unit.HOUR)
    clocks = handoffs(rotation, datetime(year + 1, 6, 1))  # noqa: DTZ001 - a local time
    before = None
    for turn, clock in enumerate(clocks):
        at = boundary(rotation, zone, turn)
        read = local(zone, at)
        if read != clock:  # skipped by the zone's clock: the first valid instant after the gap
            assert read > clock
            assert local(zone, at - timedelta(microseconds=1)) < clock
        assert before is None or at >= before
        before = at


@bounded
@given(st.data())
def test_every_instant_lies_within_its_turn(data):
    zone = zone_of(data.draw(st.sampled_from(zones())))
    year = data.draw(st.integers(1971, 2037))
    rotation = data.draw(rotations(year))
    at = datetime(year, 1, 1, tzinfo=UTC) + MINUTE * data.draw(st.integers(0, 3 * 525_600))
    turn = turn_at(rotation, zone, at)
    if turn is None:
        assert at < boundary(rotation, zone, 0)
    else:
        assert boundary(rotation, zone, turn) <= at < boundary(rotation, zone, turn + 1)
    if rotation.unit is Unit.HOUR:
        assert boundary(rotation, zone, 7) - boundary(rotation, zone, 6) == timedelta(hours=rotation.every)


def test_in_every_zone_a_year_of_daily_turns_has_neither_gap_nor_overlap():
    start, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (2026, 2027))
    layer = Layer("l", Rotation(Unit.DAY, 1, 150, None, date(2025, 12, 1)), USERS)
    for name in zones():
        here = start
        for shift in shifts(Schedule("s", Ref.parse("group:s"), zone_of(name), (layer,)), start, end):
            assert shift.start == here, name
            here = shift.end
        assert here == end, name
