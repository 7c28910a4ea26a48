"""What a policy does whenever an escalation may begin: gaps, the same person twice, who cannot be reached; over clock changes."""

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from quietshift.catalog.model import Catalog, Entity, Group, Ref, User
from quietshift.oncall.model import Layer, Oncall, Override, Rest, Rotation, Schedule, Unit, Window
from quietshift.paging import proof
from quietshift.paging.model import Ladder, Policy, Rule, Step, Target
from quietshift.paging.proof import Kind, People, Stretch

TEAM = Ref("group", "default", "storage")
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def user(name: str) -> User:
    ref = Ref("user", "default", name)
    return User(ref=ref, kind="User", name=name, member_of=(TEAM,), file="catalog/people.yaml", line=len(name))


def catalog(*names: str) -> Catalog:
    group = Group(ref=TEAM, kind="Group", name="storage")
    entities: dict[Ref, Entity] = {TEAM: group, **{one.ref: one for one in map(user, names)}}
    return Catalog(entities)


def schedule(
    name: str, *users: str, only: tuple[Window, ...] = (), overrides: tuple[Override, ...] = (), zone: ZoneInfo = BERLIN
) -> Schedule:
    rotation = Rotation(Unit.DAY, 1, 9 * 60, None, date(2026, 1, 5))
    layers = (Layer("all", rotation, users, only),)
    return Schedule(name, TEAM, zone, layers, overrides, file="oncall/storage.yaml", line=7)


def policy(*steps: tuple[str, str], fallback: str = "", repeat: int = 0) -> Policy:
    minutes = {"0s": timedelta(), "5m": 5 * MINUTE, "1h": HOUR}
    made = tuple(Step(minutes[after], (Target.parse(target),)) for after, target in steps)
    return Policy(
        "storage", TEAM, made, repeat, (Target.parse(fallback),) if fallback else (), file="oncall/policy.yaml", line=3
    )  # fmt: skip


def people(policy: Policy, *schedules: Schedule, days: int = 7, start: datetime = MONDAY, silent: str = "") -> People:
    names = [name for one in schedules for layer in one.layers for name in layer.users]
    ladders: dict[str, Ladder] = {
        name: (Rule(timedelta(), f"mailto:{name}@example.org"),) for name in {*names, "ana", "bo"} - {silent}
    }
    end = start + timedelta(days=days) + proof.reach(policy, ladders)
    return People(Oncall({one.name: one for one in schedules}), catalog("ana", "bo", *names), ladders, start, end)


def proved(policy: Policy, known: People, days: int = 7) -> tuple[list[Stretch], list[proof.Finding]]:
    end = known.start + timedelta(days=days)
    made = proof.stretches(policy, known, known.start, end)
    assert made[0].start == known.start
    assert made[-1].end == end
    assert all(before.end == after.start for before, after in itertools.pairwise(made)), "no minute is left out"
    return made, proof.findings(policy, made, known, known.start, end)


def test_an_escalation_that_crosses_a_hand_off_calls_who_is_on_by_then() -> None:
    two = policy(("0s", "schedule:first"), ("5m", "schedule:second"))
    made, found = proved(two, people(two, schedule("first", "ana", "bo"), schedule("second", "bo", "ana")), days=1)
    handoff = MONDAY + 8 * HOUR  # 09:00 in Berlin
    first = made[0].first.users if made[0].first else ()
    other = ("ana",) if first == ("bo",) else ("bo",)
    assert [(one.start, one.end, one.first and one.first.users, one.next and one.next.users) for one in made] == [
        (MONDAY, handoff - 5 * MINUTE, first, other),
        (handoff - 5 * MINUTE, handoff, first, first),
        (handoff, MONDAY + 24 * HOUR, other, first),
    ]
    (twice,) = found
    assert (twice.kind, twice.error, twice.where, twice.zone) == (Kind.SAME_PERSON, False, "oncall/policy.yaml:3", BERLIN)
    assert twice.spans == ((handoff - 5 * MINUTE, handoff),)
    assert "hand-off" in twice.text


def test_a_gap_is_told_with_its_minutes_and_the_schedule_and_the_next_step_is_called_at_once() -> None:
    two = policy(("0s", "schedule:day"), ("5m", "user:bo"))
    day = schedule("day", "ana", only=(Window(frozenset(range(7)), 9 * 60, 17 * 60),))
    made, found = proved(two, people(two, day), days=2)
    nights = ((MONDAY, MONDAY + 8 * HOUR), (MONDAY + 16 * HOUR, MONDAY + 32 * HOUR), (MONDAY + 40 * HOUR, MONDAY + 48 * HOUR))
    (gap,) = [one for one in found if one.kind is Kind.GAP]
    assert (gap.error, gap.where, gap.spans, gap.lasts) == (True, "oncall/storage.yaml:7", nights, 32 * HOUR)
    assert made[0].first is not None
    assert made[0].first.users == ("bo",)
    assert all(one.reached_within == timedelta() for one in made)
    assert not [one for one in found if one.kind is Kind.NOBODY]


@pytest.mark.parametrize(
    ("begins", "length"), [(datetime(2027, 3, 28, tzinfo=BERLIN), 2), (datetime(2026, 10, 25, tzinfo=BERLIN), 4)]
)
def test_a_gap_over_a_clock_change_is_as_long_as_it_is(begins: datetime, length: int) -> None:
    """From midnight to three by the clock."""
    one = policy(("0s", "schedule:late"))
    late = schedule("late", "ana", only=(Window(frozenset(range(7)), 3 * 60, 0),))
    _, found = proved(one, people(one, late, start=begins.astimezone(UTC), days=1), days=1)
    gap = next(finding for finding in found if finding.kind is Kind.GAP)
    assert gap.spans[0] == (begins.astimezone(UTC), begins.astimezone(UTC) + length * HOUR)


def test_nobody_at_all_is_an_error_and_the_time_to_a_human_is_unknown() -> None:
    one = policy(("0s", "schedule:day"), fallback="schedule:day")
    day = schedule("day", "ana", only=(Window(frozenset({0}), 9 * 60, 10 * 60),))
    made, found = proved(one, people(one, day), days=1)
    hour = (MONDAY + 8 * HOUR, MONDAY + 9 * HOUR)
    day_after = MONDAY + 24 * HOUR
    assert proof.merged(((m.start, m.end) for m in made if m.first is not None), MONDAY, day_after) == (hour,)
    assert all((m.reached_within is None) == (m.first is None) for m in made)
    (nobody,) = [finding for finding in found if finding.kind is Kind.NOBODY]
    assert nobody.error
    assert nobody.spans == ((MONDAY, hour[0]), (hour[1], day_after))
    assert [finding.error for finding in found if finding.kind is Kind.NO_FALLBACK] == [False]


def test_who_has_no_contact_is_named_where_they_are_written_and_only_while_they_are_on() -> None:
    two = policy(("0s", "schedule:first"), ("5m", "user:bo"))
    made, found = proved(two, people(two, schedule("first", "ana", "silent"), silent="silent"), days=2)
    (missing,) = [finding for finding in found if finding.kind is Kind.NO_CONTACT]
    assert (missing.error, missing.where, missing.lasts) == (True, "catalog/people.yaml:6", 24 * HOUR)
    called = {one.first.users for one in made if one.first}
    assert called == {("ana",), ("bo",)}


def test_somebody_without_contact_beside_others_is_a_warning() -> None:
    one = policy(("0s", "group:storage"))
    _, found = proved(one, people(one, silent="bo"), days=1)
    (missing,) = found
    assert (missing.kind, missing.error) == (Kind.NO_CONTACT, False)
    assert missing.lasts == 24 * HOUR


def test_a_ladder_and_a_delay_put_off_the_first_contact() -> None:
    one = policy(("5m", "user:ana"))
    known = people(one)
    known.ladders = {"ana": (Rule(2 * MINUTE, "mailto:ana@example.org"),)}
    made, _ = proved(one, known, days=1)
    assert [(m.reached_within, m.first and m.first.after) for m in made] == [(7 * MINUTE, 5 * MINUTE)]


def test_a_first_contact_that_is_slower_than_the_calls_is_never_tried() -> None:
    one = policy(("0s", "user:ana"), fallback="user:ana")
    known = people(one)
    known.ladders = {"ana": (Rule(30 * MINUTE, "mailto:ana@example.org"),)}
    made, found = proved(one, known, days=1)
    assert [m.reached_within for m in made] == [None]
    assert [(finding.kind, finding.error) for finding in found] == [(Kind.UNREACHED, True)]


def test_an_override_ends_a_stretch_at_its_edges() -> None:
    one = policy(("0s", "schedule:first"), ("1h", "user:bo"))
    override = Override("chen", MONDAY + 10 * HOUR, MONDAY + 11 * HOUR)
    first = schedule("first", "ana", overrides=(override,))
    known = people(one, first, schedule("other", "chen"))
    made, found = proved(one, known, days=1)
    assert [(m.start, m.first and m.first.users) for m in made] == [
        (MONDAY, ("ana",)), (MONDAY + 10 * HOUR, ("chen",)), (MONDAY + 11 * HOUR, ("ana",)),
    ]  # fmt: skip
    assert not found


def test_what_is_not_known_is_not_proved() -> None:
    one = policy(("0s", "user:ana"))
    with pytest.raises(ValueError, match="known until"):
        proof.stretches(one, people(one, days=1), MONDAY, MONDAY + timedelta(days=2))


def test_broken_rest_rules_are_told_where_the_schedule_stands() -> None:
    one = policy(("0s", "schedule:first"))
    first = replace(schedule("first", "ana"), rest=Rest(24 * HOUR, None))
    _, found = proved(one, people(one, first), days=2)
    (told,) = [finding for finding in found if finding.kind is Kind.REST]
    assert (told.error, told.where, told.spans) == (False, "oncall/storage.yaml:7", ((MONDAY, MONDAY + 48 * HOUR),))
    assert "ana is on for 48h in a row" in told.text
