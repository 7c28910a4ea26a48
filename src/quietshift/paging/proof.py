"""Will a policy page somebody? Whom it calls whenever an escalation may begin, and where it calls nobody: pure.

No minute is looked at by itself. Whom targets reach changes only where a shift does, so it is asked once between two of these;
and an escalation that nobody acknowledges goes the same way until one of the instants at which it calls crosses such a change.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from quietshift.catalog.model import Catalog
from quietshift.kernel.durations import format_duration
from quietshift.oncall.decide import shifts
from quietshift.oncall.model import Oncall, Schedule
from quietshift.oncall.rest import strains
from quietshift.paging import decide
from quietshift.paging.decide import Call, Found, Missed
from quietshift.paging.model import EscalationEvent, Ladder, Policy, Position, Target, TargetKind

UTC = ZoneInfo("UTC")
Span = tuple[datetime, datetime]
Look = Callable[[timedelta], tuple[Sequence[Found], Found]]


# -- one escalation that nobody acknowledges -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Planned:
    """A call, that long after the escalation's start."""

    after: timedelta
    call: Call


def course(policy: Policy, look: Look) -> Iterator[Planned]:
    """The calls of an escalation, in order, without end, if nobody acknowledges and every contact takes its page.

    look: whom each step, and the last resort, reaches that long after the start.
    """
    after, position, called = policy.steps[0].after, Position(0, 0), None
    while True:
        steps, last_resort = look(after)
        made = decide.call(policy, position, steps, last_resort, None if called is None else after - called)
        yield Planned(after, made)
        called = after if made.people else called
        after, position = after + made.wait, made.next


def beginning(policy: Policy, look: Look, ladders: Mapping[str, Ladder]) -> tuple[list[Planned], timedelta | None]:
    """The calls until two of them have called somebody and a contact of somebody was tried, or nobody at all can be called; and
    how long after the start that contact is tried.

    Who is called again gets a new page in place of the one before, and what of its ladder was not tried yet is not tried any
    more: a first contact that is slower than the calls are is not tried (None: not as far as is looked).
    """
    found: list[Planned] = []
    waiting: dict[str, timedelta] = {}  # when the first contact of each is tried, unless they are called again before
    tried: timedelta | None = None
    calls, ended, limit = 0, False, reach(policy, ladders) - _longest(policy, ladders)
    for planned in course(policy, look):
        soonest = min(waiting.values(), default=None)
        if tried is None and soonest is not None and soonest < planned.after:
            tried = soonest
        if planned.after > limit or (tried is not None and (ended or calls == 2)):
            break
        if not ended and calls < 2:
            found.append(planned)
            calls += bool(planned.call.people)
            ended = planned.call.event is EscalationEvent.NOBODY
        if ended and not waiting:
            break
        for candidate in planned.call.people:
            waiting[candidate.user] = planned.after + ladders[candidate.user][0].after
        if tried is None and planned.after in waiting.values():
            tried = planned.after
    return found, tried


def _most(policy: Policy) -> int:
    """How many calls are looked at: all rounds (of many rounds the first), and what follows them."""
    return min(policy.rounds * len(policy.steps), 60) + 3


# -- whom targets reach, over time ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reached:
    """Whom targets reach: found[i] from starts[i] until starts[i + 1]."""

    starts: Sequence[datetime]
    found: Sequence[Found]
    end: datetime

    def at(self, instant: datetime) -> tuple[Found, datetime]:
        """Whom they reach at an instant, and until when that stays so as far as is known."""
        place = bisect_right(self.starts, instant) - 1
        return self.found[place], self.starts[place + 1] if place + 1 < len(self.starts) else self.end

    def __iter__(self) -> Iterator[tuple[Found, Span]]:
        return zip(self.found, zip(self.starts, [*self.starts[1:], self.end], strict=True), strict=True)


class People:
    """Whom targets reach within [start, end), asked of the same decisions by which people are paged; each question once.

    ladders: the contacts of each person, as far as they are known.
    """

    def __init__(
        self, oncall: Oncall, catalog: Catalog, ladders: Mapping[str, Ladder], start: datetime, end: datetime
    ) -> None:
        self.oncall, self.catalog, self.ladders, self.start, self.end = oncall, catalog, ladders, start, end
        self._known: dict[tuple[Target, ...], Reached] = {}
        self._changes: dict[str, set[datetime]] = {}

    def reached(self, targets: tuple[Target, ...]) -> Reached:
        known = self._known.get(targets)
        if known is None:
            starts = sorted({self.start}.union(*(self._changes_of(target) for target in targets)))
            found = [
                decide.reachable(decide.resolve(targets, at, self.oncall, self.catalog), self.ladders) for at in starts
            ]
            known = self._known[targets] = Reached(starts, found, self.end)
        return known

    def _changes_of(self, target: Target) -> set[datetime]:
        """When a schedule's answer changes."""
        schedule = self.oncall.schedules.get(target.name) if target.kind is TargetKind.SCHEDULE else None
        if schedule is None:
            return set()
        if schedule.name not in self._changes:
            edges = {edge for shift in shifts(schedule, self.start, self.end) for edge in (shift.start, shift.end)}
            self._changes[schedule.name] = {edge for edge in edges if self.start <= edge < self.end}
        return self._changes[schedule.name]


# -- a policy, whenever it may begin -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Called:
    """People who are called, that long after the escalation's start."""

    after: timedelta
    users: tuple[str, ...]
    stage: str

    @classmethod
    def of(cls, planned: Planned) -> Called:
        return cls(planned.after, tuple(c.user for c in planned.call.people), str(planned.call.stage))


@dataclass(frozen=True)
class Stretch:
    """An escalation that begins within [start, end) calls these. first None: nobody can be called. reached_within: when the
    first contact of somebody is tried, that long after the beginning; None where nobody's is."""

    start: datetime
    end: datetime
    first: Called | None
    next: Called | None
    reached_within: timedelta | None


def reach(policy: Policy, ladders: Mapping[str, Ladder]) -> timedelta:
    """How far an escalation is looked at, from its start, at most."""
    return policy.steps[0].after + _longest(policy, ladders) * (_most(policy) + 1)


def _longest(policy: Policy, ladders: Mapping[str, Ladder]) -> timedelta:
    """Between two calls, or from a call to the first contact, at most."""
    slowest = max((ladder[0].after for ladder in ladders.values() if ladder), default=timedelta())
    return max(policy.round_wait, decide.LAST_RESORT_EVERY, slowest, *(step.after for step in policy.steps))


def stretches(policy: Policy, people: People, start: datetime, end: datetime) -> list[Stretch]:
    """What becomes of an escalation by the instant at which it begins: all of [start, end), in order, alike ones joined.

    Raises ValueError where `people` is not known for as long after the end as an escalation takes.
    """
    if people.start > start or people.end < end + reach(policy, people.ladders):
        raise ValueError(f"{policy.name}: people are known until {people.end}: not long enough after {end}")
    steps = [people.reached(step.targets) for step in policy.steps]
    last_resort = people.reached(policy.last_resort)
    found: list[Stretch] = []
    here = start
    while here < end:
        until = end

        def look(after: timedelta, here: datetime = here) -> tuple[list[Found], Found]:
            nonlocal until
            *now, last = [one.at(here + after) for one in (*steps, last_resort)]
            until = min(until, *(changes - after for _, changes in (*now, last)))
            return [one for one, _ in now], last[0]

        planned, tried = beginning(policy, look, people.ladders)
        calls = [Called.of(one) for one in planned if one.call.people]
        stands = Stretch(here, until, calls[0] if calls else None, calls[1] if len(calls) > 1 else None, tried)
        if found and _alike(found[-1], stands):
            stands = replace(stands, start=found.pop().start)
        found.append(stands)
        here = until
    return found


def _alike(one: Stretch, other: Stretch) -> bool:
    return (one.first, one.next, one.reached_within) == (other.first, other.next, other.reached_within)


# -- what is wrong with it -----------------------------------------------------------------------------------------------


class Kind(StrEnum):
    """What a prover finds. An error leaves somebody unpaged who was to be paged; a warning may be meant."""

    NOBODY = "nobody"  # error: nobody at all can be called, not even the fallback
    GAP = "gap"  # error: a step calls nobody, since nobody is on
    UNREACHED = "unreached"  # error: people are called, and called again before the first contact of anybody is tried
    NO_CONTACT = "no_contact"  # somebody who is to be called has no contact; an error where the step calls nobody therefore
    SAME_PERSON = "same_person"  # warning: the second call reaches nobody whom the first did not
    NO_FALLBACK = "no_fallback"  # warning: after all rounds, or where no step reaches anybody, nobody is left
    NO_POLICY = "no_policy"  # error: alerts of a service page nobody
    NO_OWNER = "no_owner"  # warning: nobody answers for a service
    REST = "rest"  # warning: a schedule breaks its own rest rules
    MUTED = "muted"  # warning: a route says nothing at these times


@dataclass(frozen=True)
class Finding:
    """Something wrong, where that is written, and when: spans in order, none where it is always so."""

    kind: Kind
    error: bool
    file: str
    line: int
    text: str
    spans: tuple[Span, ...] = ()
    zone: ZoneInfo = UTC

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def lasts(self) -> timedelta:
        """How long it holds, within the time that was looked at."""
        return sum((end - start for start, end in self.spans), timedelta())


def findings(policy: Policy, made: Sequence[Stretch], people: People, start: datetime, end: datetime) -> list[Finding]:
    """What is wrong with a policy, given what becomes of it."""
    zone = _zone(policy, people.oncall)
    found: dict[tuple[Kind, bool, str, int, str, ZoneInfo], list[Span]] = {}

    def add(kind: Kind, error: bool, text: str, span: Span, at: tuple[str, int, ZoneInfo] | None = None) -> None:
        file, line, its_zone = at or (policy.file, policy.line, zone)
        found.setdefault((kind, error, file, line, text, its_zone), []).append(span)

    for number, step in enumerate(policy.steps, start=1):
        for reaches, span in people.reached(step.targets):
            for missed in reaches.missed:
                kind, error = Kind(missed.kind), not reaches.people
                if error or kind is Kind.NO_CONTACT:
                    add(kind, error, _missed_text(policy, number, missed, error), span, _place_of(missed, people))
    for reaches, span in people.reached(policy.last_resort):
        if not reaches.people:
            named = ", ".join(map(str, policy.last_resort))
            add(Kind.NO_FALLBACK, False, f"escalation policy {policy.name}: {named} reaches nobody when all steps are over", span)
    for schedule in _schedules(policy, people.oncall):
        for strain in strains(schedule, start, end):
            place = schedule.file, schedule.line, schedule.zone
            add(Kind.REST, False, f"schedule:{schedule.name}: {strain.text}", (strain.start, strain.end), place)
    for one in made:
        if one.first is None:
            add(Kind.NOBODY, True, f"escalation policy {policy.name} can call nobody at all, not even its fallback",
                (one.start, one.end))  # fmt: skip
            continue
        if one.reached_within is None:
            who = ", ".join(one.first.users)
            again = format_duration(reach(policy, people.ladders))
            text = f"escalation policy {policy.name} calls {who} again before a first contact is tried: none is within {again}"
            add(Kind.UNREACHED, True, text, (one.start, one.end))
        if len(policy.steps) > 1 and one.next is not None and set(one.next.users) <= set(one.first.users):
            passing = one.end - one.start <= one.next.after - one.first.after
            when = ": they are first until the hand-off, and next after it" if passing else ""
            text = f"escalation policy {policy.name} calls nobody next whom it has not called first{when}"
            add(Kind.SAME_PERSON, False, text, (one.start, one.end))
    return [
        Finding(kind, error, file, line, text, spans, its_zone)
        for (kind, error, file, line, text, its_zone), listed in found.items()
        if (spans := merged(listed, start, end))
    ]


def merged(spans: Iterable[Span], start: datetime, end: datetime) -> tuple[Span, ...]:
    """The same times within [start, end), in order, what touches or overlaps as one."""
    found: list[Span] = []
    for begins, ends in sorted((max(a, start), min(b, end)) for a, b in spans):
        if begins >= ends:
            continue
        if found and begins <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], ends)
        else:
            found.append((begins, ends))
    return tuple(found)


def _missed_text(policy: Policy, number: int, missed: Missed, alone: bool) -> str:
    what = f"step {number} of escalation policy {policy.name}"
    if missed.kind == Kind.NO_CONTACT:
        rest = ", and nobody else is there" if alone else ""
        return f"{missed.target} is to be called by {what} and has no contact in the files{rest}"
    return f"{missed.target}: nobody is on for {what}"


def _place_of(missed: Missed, people: People) -> tuple[str, int, ZoneInfo] | None:
    """Where the schedule or the person stands that leads to nobody."""
    target = Target.parse(missed.target)
    if target.kind is TargetKind.SCHEDULE:
        schedule = people.oncall.schedules.get(target.name)
        return (schedule.file, schedule.line, schedule.zone) if schedule else None
    entity = people.catalog.user(target.name) if target.kind is TargetKind.USER else people.catalog.group(target.name)
    return (entity.file, entity.line, UTC) if entity else None


def _schedules(policy: Policy, oncall: Oncall) -> list[Schedule]:
    """The schedules it calls, in order."""
    named = (t.name for step in policy.steps for t in step.targets if t.kind is TargetKind.SCHEDULE)
    return [oncall.schedules[name] for name in dict.fromkeys(named) if name in oncall.schedules]


def _zone(policy: Policy, oncall: Oncall) -> ZoneInfo:
    """In which its times are read: that of the first schedule it calls."""
    return next((schedule.zone for schedule in _schedules(policy, oncall)), UTC)
