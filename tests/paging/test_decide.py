"""Whom to call next: for any policy and any set of people who can be reached, somebody is, or it is loud."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quietshift.catalog.model import Ref
from quietshift.kernel.errors import IllegalTransition
from quietshift.paging import decide
from quietshift.paging.decide import Candidate, Found, Missed
from quietshift.paging.model import (
    ESCALATION,
    MINUTE,
    PAGE,
    EscalationEvent,
    EscalationState,
    PageEvent,
    PageState,
    Policy,
    Position,
    Stage,
    Step,
    Target,
)

OWNER = Ref("group", "default", "storage")
GAP = Found((), (Missed("gap", "schedule:storage", "nobody is on"),))


def found(*users):
    return Found(tuple(Candidate(user, "named") for user in users)) if users else GAP


def policy_of(*afters, repeat=0):
    return Policy("p", OWNER, tuple(Step(after, (Target.parse("user:ana"),)) for after in afters), repeat)


afters = st.lists(st.sampled_from([timedelta(), timedelta(seconds=30), 5 * MINUTE, 10 * MINUTE]), min_size=1, max_size=4)
reached = st.lists(st.sampled_from(["ana", "bo", "chen"]), max_size=2, unique=True)


@st.composite
def situations(draw):
    policy = policy_of(*draw(afters), repeat=draw(st.integers(0, 3)))
    steps = [found(*draw(reached)) for _ in policy.steps]
    position = Position(draw(st.integers(0, policy.rounds)), draw(st.integers(0, len(policy.steps) - 1)))
    position = Position(policy.rounds, 0) if position.round == policy.rounds else position
    return policy, position, steps, found(*draw(reached)), draw(st.none() | st.sampled_from([timedelta(), MINUTE]))


@given(situations())
def test_somebody_is_called_or_it_is_loud_or_it_waits_for_a_round(situation):
    policy, position, steps, last_resort, since = situation
    call = decide.call(policy, position, steps, last_resort, since)
    everybody = {c.user for step in steps for c in step.people} | {c.user for c in last_resort.people}
    assert {c.user for c in call.people} <= everybody
    assert len({c.user for c in call.people}) == len(call.people)
    assert call.reason
    if call.people:
        assert call.event in (EscalationEvent.PAGED, EscalationEvent.EXHAUST)
    elif call.event is None:
        assert since is not None
        assert since < MINUTE  # somebody was called just now
    else:
        assert call.event is EscalationEvent.NOBODY
        assert not last_resort.people  # loud only where the last resort is empty as well
        assert call.wait == decide.NOBODY_RETRY
    if not everybody:
        assert not call.people


@given(situations())
def test_time_or_position_always_moves_on(situation):
    policy, position, steps, last_resort, since = situation
    call = decide.call(policy, position, steps, last_resort, since)
    assert call.next > position or call.wait >= MINUTE
    if call.next.round > call.position.round or call.next.round >= policy.rounds:
        assert call.wait >= MINUTE  # who was called last in a round has time to answer


@given(situations())
def test_a_whole_night_of_calls_is_bounded_and_never_silent(situation):
    """Nobody acknowledges for ten hours: nobody's phone is silent for more than the policy's waits, nor rung in a loop."""
    policy, position, steps, last_resort, _ = situation
    if not any(step.people for step in steps) and not last_resort.people:
        return
    now, last, calls = timedelta(), None, []
    while now < timedelta(hours=10):
        call = decide.call(policy, position, steps, last_resort, None if last is None else now - last)
        if call.people:
            last = now
            calls.append((now, call))
        position, now = call.next, now + call.wait
        assert len(calls) < 1000
    if any(step.people for step in steps[-1:]) or last_resort.people:
        assert calls
        longest = max(later - sooner for (sooner, _), (later, _) in pairwise(calls))
        assert longest <= max(decide.LAST_RESORT_EVERY, policy.round_wait + sum((s.after for s in policy.steps), timedelta()))
        assert calls[-1][1].stage is Stage.LAST_RESORT


def test_steps_follow_in_their_time_and_rounds_after_the_longer_of_first_and_last():
    policy = policy_of(timedelta(), 5 * MINUTE, 10 * MINUTE, repeat=1)
    steps, position, way = [found("ana"), found("bo"), found("chen")], Position(0, 0), []
    for _ in range(8):
        call = decide.call(policy, position, steps, found("dee"), None)
        way.append(("+".join(c.user for c in call.people), call.wait // MINUTE))
        position = call.next
    assert way == [
        ("ana", 5), ("bo", 10), ("chen", 10), ("ana", 5), ("bo", 10), ("chen", 10), ("chen+dee", 30), ("chen+dee", 30),
    ]  # fmt: skip


def test_a_gap_at_the_end_of_a_round_does_not_ring_the_first_person_twice_in_a_minute():
    policy = policy_of(timedelta(), timedelta(), repeat=3)
    call = decide.call(policy, Position(0, 1), [found("ana"), GAP], found("dee"), timedelta())
    assert (call.people, call.event, call.next, call.wait) == ((), None, Position(1, 0), policy.round_wait)
    later = decide.call(policy, Position(0, 1), [found("ana"), GAP], found("dee"), 5 * MINUTE)
    assert [c.user for c in later.people] == ["ana"]


@pytest.mark.parametrize(
    ("stage", "here", "there", "reached", "what"),
    [
        (Stage.STEP, 0, Position(0, 1), True, "step"), (Stage.STEP, 0, Position(1, 0), True, ""),
        (Stage.STEP, 0, Position(1, 0), False, "fallback"), (Stage.REASSIGNED, 0, Position(1, 0), True, "step"),
        (Stage.FALLBACK, 0, Position(1, 0), False, "nobody"), (Stage.LAST_RESORT, 2, Position(2, 0), True, "nobody"),
    ],
)  # fmt: skip
def test_a_call_that_failed_everywhere_leads_on_at_once_but_begins_no_round(stage, here, there, reached, what):
    policy = policy_of(timedelta(), MINUTE, repeat=1)
    assert decide.after_failure(policy, stage, here, there, reached).what == what


@pytest.mark.parametrize("state", EscalationState)
@pytest.mark.parametrize("event", EscalationEvent)
def test_an_event_an_escalation_does_not_take_names_state_and_event(state, event):
    if (state, event) in ESCALATION:
        assert decide.escalation_after(state, event, "it") is ESCALATION[state, event]
    else:
        with pytest.raises(IllegalTransition, match=f"it is {state}: it cannot take '{event}'"):
            decide.escalation_after(state, event, "it")


def test_every_running_state_can_be_stopped_and_a_stopped_one_only_started():
    running = set(EscalationState) - {EscalationState.STOPPED}
    assert all(ESCALATION[state, EscalationEvent.STOP] is EscalationState.STOPPED for state in running)
    assert {event for state, event in ESCALATION if state is EscalationState.STOPPED} == {EscalationEvent.START}


@pytest.mark.parametrize("state", PageState)
@pytest.mark.parametrize("event", PageEvent)
def test_only_an_open_page_takes_events(state, event):
    if state is PageState.OPEN:
        assert decide.page_after(state, event, "it") is PAGE[state, event]
    else:
        with pytest.raises(IllegalTransition, match="it is"):
            decide.page_after(state, event, "it")
