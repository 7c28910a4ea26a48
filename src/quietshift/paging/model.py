"""Escalation policies and contact ladders as they are written; escalations, pages and attempts as they happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from quietshift.catalog.model import DEFAULT_NAMESPACE, Ref
from quietshift.kernel.clock import parse_rfc3339, rfc3339
from quietshift.kernel.durations import format_duration, parse_duration
from quietshift.kernel.errors import NotFound
from quietshift.paging.storm import Bundling

MINUTE = timedelta(minutes=1)
DEFAULT_ROUND_WAIT = timedelta(minutes=5)
MAX_RULES = 20


# -- as written ----------------------------------------------------------------------------------------------------------


class TargetKind(StrEnum):
    USER = "user"
    SCHEDULE = "schedule"
    GROUP = "group"


@dataclass(frozen=True, order=True)
class Target:
    """Whom a step calls. name: a user's or group's id in the catalog, a schedule's name. Prints `schedule:storage`."""

    kind: TargetKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Target:
        """`user:ana`, `schedule:storage`, `group:storage`. Raises ValueError for anything else."""
        kind, _, name = text.partition(":")
        if kind not in list(TargetKind) or not name or any(c.isspace() for c in text):
            raise ValueError(f"{text!r} is no target: write user:NAME, schedule:NAME or group:NAME")
        return cls(TargetKind(kind), name)

    @classmethod
    def of(cls, ref: Ref) -> Target:
        """The group or user that this reference names."""
        return cls(TargetKind(ref.kind), ref.name if ref.namespace == DEFAULT_NAMESPACE else f"{ref.namespace}/{ref.name}")


@dataclass(frozen=True)
class Step:
    """after: time since the step before, of the first one since the escalation's start."""

    after: timedelta
    targets: tuple[Target, ...]

    def __post_init__(self) -> None:
        if self.after < timedelta() or not self.targets:
            raise ValueError(f"not a step: {self}")


@dataclass(frozen=True)
class Policy:
    """Who is called, in which order. The steps are gone through once, and `repeat` more times.

    fallback: whom to call when no step reaches anybody; without it, everybody of the owning group.
    """

    name: str
    owner: Ref
    steps: tuple[Step, ...]
    repeat: int = 0
    fallback: tuple[Target, ...] = ()
    description: str = field(default="", compare=False)
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not self.steps or self.repeat < 0:
            raise ValueError(f"escalation policy {self.name} has no steps, or a negative repeat")

    @property
    def rounds(self) -> int:
        """How often the steps are gone through before everybody is called."""
        return self.repeat + 1

    @property
    def round_wait(self) -> timedelta:
        """From the last step of a round to the first of the next: the longer of their two `after`, but 5m instead of less
        than 1m, for nobody can answer in that time."""
        wait = max(self.steps[0].after, self.steps[-1].after)
        return wait if wait >= MINUTE else DEFAULT_ROUND_WAIT

    @property
    def last_resort(self) -> tuple[Target, ...]:
        """Whom to call when no step reaches anybody, or all rounds are over."""
        return self.fallback or (Target.of(self.owner),)

    def as_json(self) -> dict[str, Any]:
        """What is kept while an escalation is under way."""
        steps = [{"after": format_duration(s.after), "targets": [str(t) for t in s.targets]} for s in self.steps]
        return {
            "name": self.name, "owner": str(self.owner), "steps": steps, "repeat": self.repeat,
            "fallback": [str(t) for t in self.fallback],
        }  # fmt: skip

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Policy:
        return cls(
            name=kept["name"], owner=Ref.parse(kept["owner"]), repeat=kept["repeat"],
            steps=tuple(Step(parse_duration(s["after"]), _targets(s["targets"])) for s in kept["steps"]),
            fallback=_targets(kept["fallback"]),
        )  # fmt: skip


def _targets(texts: Sequence[str]) -> tuple[Target, ...]:
    return tuple(map(Target.parse, texts))


@dataclass(frozen=True)
class Rule:
    """A rung of a contact ladder: `via` this URL, `after` that time since the page was due."""

    after: timedelta
    via: str = field(repr=False)


Ladder = tuple[Rule, ...]


@dataclass(frozen=True)
class PagingConfig:
    """Every escalation policy and default contact ladder of an ops directory, by policy and by user. broken: names of the
    policies that could not be read, which was told."""

    policies: Mapping[str, Policy] = field(default_factory=dict, hash=False)
    contacts: Mapping[str, Ladder] = field(default_factory=dict, hash=False)
    bundling: Bundling = field(default_factory=Bundling)
    broken: frozenset[str] = frozenset()

    def policy(self, name: str) -> Policy:
        """The policy. Raises NotFound, which names those there are."""
        if name not in self.policies:
            known = ", ".join(sorted(self.policies)) or "none"
            raise NotFound(f"there is no escalation policy {name!r} (policies: {known})")
        return self.policies[name]


# -- as it happens -------------------------------------------------------------------------------------------------------


class EscalationState(StrEnum):
    RUNNING = "running"  # the policy's steps are called, one after the other
    EXHAUSTED = "exhausted"  # every round is over: the last step and the fallback are called again and again
    NOBODY = "nobody"  # nobody could be called, not even the fallback: tried again each minute, and shown loudly
    STOPPED = "stopped"  # acknowledged, snoozed or resolved


class EscalationEvent(StrEnum):
    START = "start"
    PAGED = "paged"
    EXHAUST = "exhaust"
    NOBODY = "nobody"
    STOP = "stop"


_E, _V = EscalationState, EscalationEvent
ESCALATION: Mapping[tuple[EscalationState, EscalationEvent], EscalationState] = {
    (_E.RUNNING, _V.PAGED): _E.RUNNING,
    (_E.RUNNING, _V.EXHAUST): _E.EXHAUSTED,
    (_E.RUNNING, _V.NOBODY): _E.NOBODY,
    (_E.RUNNING, _V.STOP): _E.STOPPED,
    (_E.EXHAUSTED, _V.PAGED): _E.RUNNING,  # reassigned
    (_E.EXHAUSTED, _V.EXHAUST): _E.EXHAUSTED,
    (_E.EXHAUSTED, _V.NOBODY): _E.NOBODY,
    (_E.EXHAUSTED, _V.STOP): _E.STOPPED,
    (_E.NOBODY, _V.PAGED): _E.RUNNING,
    (_E.NOBODY, _V.EXHAUST): _E.EXHAUSTED,
    (_E.NOBODY, _V.NOBODY): _E.NOBODY,
    (_E.NOBODY, _V.STOP): _E.STOPPED,
    (_E.STOPPED, _V.START): _E.RUNNING,
}


class PageState(StrEnum):
    OPEN = "open"  # it asks for attention
    FAILED = "failed"  # every contact refused it for good
    ACKNOWLEDGED = "acknowledged"  # by this person
    WITHDRAWN = "withdrawn"  # somebody else has it, or it is over
    SUPERSEDED = "superseded"  # the same person was paged again
    TEST = "test"  # asks for nothing


class PageEvent(StrEnum):
    FAIL = "fail"
    ACKNOWLEDGE = "acknowledge"
    WITHDRAW = "withdraw"
    SUPERSEDE = "supersede"


PAGE: Mapping[tuple[PageState, PageEvent], PageState] = {
    (PageState.OPEN, PageEvent.FAIL): PageState.FAILED,
    (PageState.OPEN, PageEvent.ACKNOWLEDGE): PageState.ACKNOWLEDGED,
    (PageState.OPEN, PageEvent.WITHDRAW): PageState.WITHDRAWN,
    (PageState.OPEN, PageEvent.SUPERSEDE): PageState.SUPERSEDED,
}


class Stage(StrEnum):
    """Which call of an escalation."""

    STEP = "step"
    FALLBACK = "fallback"  # no step reached anybody
    LAST_RESORT = "last_resort"  # every round is over
    REASSIGNED = "reassigned"
    TEST = "test"


@dataclass(frozen=True, order=True)
class Position:
    """A step of a round, both from 0. A round at or beyond the policy's `rounds` means that these are over."""

    round: int
    step: int


@dataclass(frozen=True)
class IncidentFacts:
    """What pages tell of an incident. as_json: as the API shows it; url: its page."""

    id: int
    title: str
    severity: str
    service: str | None
    owner: str | None
    state: str
    opened_at: datetime
    url: str
    as_json: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def ref(self) -> str:
        return f"INC-{self.id}"

    def kept(self) -> dict[str, Any]:
        """As JSON, to be read by `from_kept`."""
        return {
            "id": self.id, "title": self.title, "severity": self.severity, "service": self.service, "owner": self.owner,
            "state": self.state, "opened_at": rfc3339(self.opened_at), "url": self.url, "as_json": dict(self.as_json),
        }  # fmt: skip

    @classmethod
    def from_kept(cls, kept: Mapping[str, Any]) -> IncidentFacts:
        return cls(**{**kept, "opened_at": parse_rfc3339(kept["opened_at"])})


@dataclass(frozen=True)
class NextStep:
    """Who is called next, and when. users: as of that instant, empty where nobody is known to be there; text: in words."""

    at: datetime
    users: tuple[str, ...]
    text: str

    def kept(self) -> dict[str, Any]:
        return {"at": rfc3339(self.at), "users": list(self.users), "text": self.text}

    @classmethod
    def from_kept(cls, kept: Mapping[str, Any]) -> NextStep:
        return cls(parse_rfc3339(kept["at"]), tuple(kept["users"]), kept["text"])


@dataclass(frozen=True)
class Escalation:
    """The calling of people for one incident. turn: how often people were called, the last time at called_at; position: the
    step that is called next; next: None where it is stopped."""

    incident_id: int
    policy: Policy
    facts: IncidentFacts
    state: EscalationState
    turn: int
    position: Position
    called_at: datetime | None
    next: NextStep | None
    started_at: datetime
    stopped_at: datetime | None
    why: str

    @property
    def running(self) -> bool:
        return self.state is not EscalationState.STOPPED


@dataclass(frozen=True)
class Attempt:
    """One try on one channel, with the provider's own answer. via: masked; due_at: when it had to be made. bundle: the message
    that told of this page and of `others`; empty where it told of this page alone."""

    channel: str
    via: str
    attempt: int
    due_at: datetime
    attempted_at: datetime
    answered_at: datetime
    outcome: str  # accepted | temporary | permanent
    code: int | None
    answer: str
    final: bool
    bundle: str = ""
    others: int = 0


@dataclass(frozen=True)
class Page:
    """A demand on one person's attention. step and round count from 1; step None: outside the policy's steps. rungs: how many
    contacts its ladder has."""

    id: str
    incident_id: int | None
    user: str
    turn: int
    stage: Stage
    step: int | None
    round: int
    due_at: datetime
    reason: str
    state: PageState
    rungs: int
    attempts: tuple[Attempt, ...] = ()

    @property
    def done(self) -> bool:
        """Every contact has taken it, or refused it for good."""
        return sum(a.final for a in self.attempts) >= self.rungs

    @property
    def used_up(self) -> bool:
        """Every contact has refused it for good."""
        return sum(a.final and a.outcome != "accepted" for a in self.attempts) >= self.rungs

    @property
    def accepted_at(self) -> datetime | None:
        """When a provider first took it."""
        return min((a.answered_at for a in self.attempts if a.outcome == "accepted"), default=None)


@dataclass(frozen=True)
class LogEntry:
    """Something the escalation did, or did not do, and why."""

    at: datetime
    kind: str
    text: str
    why: str
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)


def page_as_json(page: Page) -> dict[str, Any]:
    """A page as the API shows it."""
    return {
        "id": page.id, "user": page.user, "stage": page.stage, "step": page.step, "round": page.round,
        "due_at": rfc3339(page.due_at), "reason": page.reason, "state": page.state,
        "done": page.done,
        "attempts": [
            {
                "channel": a.channel, "via": a.via, "attempt": a.attempt, "due_at": rfc3339(a.due_at),
                "attempted_at": rfc3339(a.attempted_at), "answered_at": rfc3339(a.answered_at), "outcome": a.outcome,
                "code": a.code, "answer": a.answer, "final": a.final, "bundle": a.bundle or None, "others": a.others,
            }
            for a in page.attempts
        ],
    }  # fmt: skip
