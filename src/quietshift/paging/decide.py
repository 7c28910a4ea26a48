"""Whom to call now, whom next and when: pure, with reasons. Schedules and groups are asked at the instant of the step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from quietshift.catalog.model import Catalog
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.durations import format_duration
from quietshift.kernel.errors import IllegalTransition, Invalid
from quietshift.oncall.decide import who
from quietshift.oncall.model import Oncall
from quietshift.paging.model import (
    ESCALATION,
    MINUTE,
    PAGE,
    Escalation,
    EscalationEvent,
    EscalationState,
    Ladder,
    NextStep,
    PageEvent,
    PageState,
    Policy,
    Position,
    Stage,
    Target,
    TargetKind,
)

LAST_RESORT_EVERY = timedelta(minutes=30)
NOBODY_RETRY = timedelta(minutes=1)


# -- lifecycles ----------------------------------------------------------------------------------------------------------


def escalation_after(state: EscalationState, event: EscalationEvent, what: str) -> EscalationState:
    """The state that follows. Raises IllegalTransition; `what` names the escalation."""
    if (state, event) not in ESCALATION:
        raise IllegalTransition(what, state, event)
    return ESCALATION[state, event]


def page_after(state: PageState, event: PageEvent, what: str) -> PageState:
    """The state that follows. Raises IllegalTransition; `what` names the page."""
    if (state, event) not in PAGE:
        raise IllegalTransition(what, state, event)
    return PAGE[state, event]


# -- who -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """Somebody to call, and why it is them."""

    user: str
    reason: str


@dataclass(frozen=True)
class Missed:
    """A target, or a person, who is not called. kind: "gap" or "no_contact"."""

    kind: str
    target: str
    why: str


@dataclass(frozen=True)
class Found:
    """What a step's targets come to at an instant."""

    people: tuple[Candidate, ...] = ()
    missed: tuple[Missed, ...] = ()


def resolve(targets: Sequence[Target], at: datetime, oncall: Oncall, catalog: Catalog) -> Found:
    """Who stands behind these targets at an instant; nobody twice. What leads to nobody is a gap, with its reason."""
    people: dict[str, Candidate] = {}
    missed: list[Missed] = []
    for target in targets:
        found = _one(target, at, oncall, catalog)
        missed += found.missed
        for candidate in found.people:
            people.setdefault(candidate.user, candidate)
    return Found(tuple(people.values()), tuple(missed))


def _one(target: Target, at: datetime, oncall: Oncall, catalog: Catalog) -> Found:
    if target.kind is TargetKind.USER:
        user = catalog.user(target.name)
        return Found((Candidate(user.id, f"{target} is named"),)) if user else _gap(target, "is no longer in the catalog")
    if target.kind is TargetKind.GROUP:
        group = catalog.group(target.name)
        if group is None:
            return _gap(target, "is no longer in the catalog")
        members = catalog.members(group)
        people = tuple(Candidate(user.id, f"member of {target}") for user in members)
        return Found(people) if people else _gap(target, "has no members")
    schedule = oncall.schedules.get(target.name)
    if schedule is None:
        return _gap(target, "is no longer in the ops directory")
    try:
        on = who(schedule, at)
    except Invalid as error:  # a clock far off, in 1969 or 9999
        return _gap(target, str(error))
    if not on.users:
        until = f", until {rfc3339(on.end)}" if on.end else ""
        return _gap(target, f"{on.reason}{until}")
    until = f" until {rfc3339(on.end)}" if on.end else ""
    return Found(tuple(Candidate(user, f"{target}: {user} is on{until} ({on.reason})") for user in on.users))


def _gap(target: Target, why: str) -> Found:
    return Found((), (Missed("gap", str(target), why),))


def reachable(found: Found, ladders: Mapping[str, Ladder]) -> Found:
    """Only those who have a contact; the others are missed."""
    people = tuple(candidate for candidate in found.people if ladders.get(candidate.user))
    without = [c for c in found.people if not ladders.get(c.user)]
    missed = tuple(Missed("no_contact", f"user:{c.user}", f"has no contact ({c.reason})") for c in without)
    return Found(people, found.missed + missed)


# -- the next call -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """Whom to call now, and what follows unless somebody acknowledges.

    position: the step that is called; next: the position after it, due `wait` later. passed: what led to nobody on the way
    here, each with the place it stood at. people is empty where nobody is called: at all (event NOBODY), or just yet (None).
    """

    stage: Stage
    event: EscalationEvent | None
    position: Position
    people: tuple[Candidate, ...]
    passed: tuple[tuple[str, Missed], ...]
    next: Position
    wait: timedelta
    reason: str


def following(policy: Policy, position: Position) -> Position:
    """The step after this one: the next of its round, else the first of the next round."""
    if position.round >= policy.rounds:
        return Position(policy.rounds, 0)
    if position.step + 1 < len(policy.steps):
        return Position(position.round, position.step + 1)
    return Position(position.round + 1, 0)


def wait(policy: Policy, here: Position, there: Position) -> timedelta:
    """How long the people called `here` have before `there` is called."""
    if there.round >= policy.rounds:
        return LAST_RESORT_EVERY if here.round >= policy.rounds else policy.round_wait
    return policy.steps[there.step].after if there.round == here.round else policy.round_wait


def place(policy: Policy, position: Position) -> str:
    """`step 1 of 2, round 1 of 4`."""
    if position.round >= policy.rounds:
        return f"all {policy.rounds} rounds are over" if policy.rounds > 1 else "all steps are over"
    rounds = f", round {position.round + 1} of {policy.rounds}" if policy.rounds > 1 else ""
    return f"step {position.step + 1} of {len(policy.steps)}{rounds}"


def call(
    policy: Policy, position: Position, steps: Sequence[Found], last_resort: Found, since_last: timedelta | None = None
) -> Call:
    """Whom to call at this position, given whom each step and the last resort reach now. since_last: since people were called.

    A step that reaches nobody is passed over at once. Where no step reaches anybody, the last resort is called; where it is
    empty as well, nobody is, which is loud, and tried again each minute. When all rounds are over, the last step and the last
    resort are called together, every half hour: it never falls silent. But no gap begins a round within a minute of a call.
    """
    here = position
    passed: list[tuple[str, Missed]] = []
    for _ in policy.steps:
        if here.round > position.round and since_last is not None and since_last < MINUTE:
            reason = f"nobody else to call in round {position.round + 1}: the next one waits as usual"
            return Call(Stage.STEP, None, position, (), tuple(passed), here, policy.round_wait, reason)
        if here.round >= policy.rounds:
            break
        found = steps[here.step]
        passed += [(place(policy, here), missed) for missed in found.missed]
        if found.people:
            there = following(policy, here)
            return Call(
                Stage.STEP, EscalationEvent.PAGED, here, found.people, tuple(passed), there, wait(policy, here, there),
                place(policy, here),
            )  # fmt: skip
        here = following(policy, here)
    else:
        return _fallback(policy, position, here, last_resort, tuple(passed), "no step of the policy reaches anybody")
    everybody = _together(steps[-1], last_resort)
    passed += [(place(policy, here), missed) for missed in everybody.missed if position.round >= policy.rounds]
    if not everybody.people:
        why = f"{place(policy, here)}, and neither the last step nor the fallback reaches anybody"
        return _nobody(position, tuple(passed), why)
    return Call(
        Stage.LAST_RESORT, EscalationEvent.EXHAUST, here, everybody.people, tuple(passed), here, LAST_RESORT_EVERY,
        f"{place(policy, here)} and nobody has acknowledged: the last step and the fallback, "
        f"every {format_duration(LAST_RESORT_EVERY)} until somebody does",
    )  # fmt: skip


def fallback(policy: Policy, next_position: Position, last_resort: Found) -> Call:
    """Whom to call when every contact of everybody called in this round has failed."""
    return _fallback(policy, next_position, next_position, last_resort, (), "no contact of anybody called in this round works")


def _fallback(
    policy: Policy, position: Position, there: Position, last_resort: Found, passed: tuple[tuple[str, Missed], ...], why: str
) -> Call:
    passed += tuple(("fallback", missed) for missed in last_resort.missed)
    if not last_resort.people:
        return _nobody(position, passed, f"{why}, and the fallback is empty as well")
    return Call(
        Stage.FALLBACK, EscalationEvent.PAGED, position, last_resort.people, passed, there, policy.round_wait,
        f"{why}: the fallback is called",
    )  # fmt: skip


def _nobody(position: Position, passed: tuple[tuple[str, Missed], ...], why: str) -> Call:
    return Call(Stage.FALLBACK, EscalationEvent.NOBODY, position, (), passed, position, NOBODY_RETRY, why)


def _together(first: Found, second: Found) -> Found:
    known = {candidate.user for candidate in first.people}
    people = first.people + tuple(c for c in second.people if c.user not in known)
    return Found(people, first.missed + tuple(m for m in second.missed if m not in first.missed))


def targets_at(policy: Policy, position: Position) -> tuple[Target, ...]:
    """Whom that position calls."""
    if position.round >= policy.rounds:
        return tuple(dict.fromkeys((*policy.steps[-1].targets, *policy.last_resort)))
    return policy.steps[position.step].targets


def preview(targets: Sequence[Target], at: datetime, found: Found) -> NextStep:
    """Who is called next and when, in words. found: whom these targets reach at that instant, as far as is known now."""
    users = tuple(candidate.user for candidate in found.people)
    behind = ", ".join(map(str, targets))
    told = f"{', '.join(users)} ({behind})" if users else f"{behind} (nobody is known to be there: then whoever comes after)"
    return NextStep(at, users, told)


# -- failures ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pull:
    """What to do when every contact of everybody called in this turn has failed for good."""

    what: str  # "step": the next step now; "fallback": the fallback now; "nobody": loud, and again soon; "": wait for others
    why: str


def after_failure(policy: Policy, stage: Stage, here_round: int, next_position: Position, reached_this_round: bool) -> Pull:
    """Nobody waits for a person who cannot be reached. A new round is never begun early, so that no loop runs hot.

    here_round: of the call that failed, from 0. reached_this_round: somebody called earlier in the round may have it.
    """
    if stage in (Stage.FALLBACK, Stage.LAST_RESORT):
        return Pull("nobody", "every contact of everybody failed, those of the fallback too")
    if stage is Stage.REASSIGNED or (next_position.round == here_round and here_round < policy.rounds):
        return Pull("step", "every contact of everybody called failed: the next step is called at once")
    if reached_this_round:
        return Pull("", "others were reached in this round: it goes on as planned")
    return Pull("fallback", "every contact of everybody called in this round failed")


def unanswered(escalation: Escalation, now: datetime) -> str:
    """Why the next call is made when its time has come; nothing where nobody was called before."""
    if escalation.called_at is None or escalation.state is EscalationState.NOBODY:
        return ""
    return f"not acknowledged in {format_duration(timedelta(seconds=round((now - escalation.called_at).total_seconds())))}"


def sooner(kept: NextStep, now: datetime) -> NextStep:
    """The same call, at the latest in a minute."""
    return replace(kept, at=min(kept.at, now + NOBODY_RETRY))
