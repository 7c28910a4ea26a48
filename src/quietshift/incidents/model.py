"""Incidents as values: their states, the events they take, and the one table that says which leads where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from quietshift.kernel.clock import rfc3339
from quietshift.kernel.errors import Invalid


class State(StrEnum):
    """Triggered: somebody has to look. Acknowledged: somebody does. Resolved: it is over."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How loud, least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Verdict(StrEnum):
    """What the page was, said by whom it woke."""

    ACTIONABLE = "actionable"
    NOISE = "noise"
    DUPLICATE = "duplicate"
    KNOWN = "known"


class EventName(StrEnum):
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    ALERTS_RESOLVED = "alerts_resolved"
    SNOOZE = "snooze"
    SNOOZE_END = "snooze_end"
    ESCALATE = "escalate"
    REASSIGN = "reassign"
    SEVERITY_ROSE = "severity_rose"
    REOPEN = "reopen"
    ALERTS_JOINED = "alerts_joined"
    ALERTS_ENDED = "alerts_ended"
    SEVERITY = "severity"
    NOTE = "note"
    STEP = "step"
    CLASSIFY = "classify"


_T, _A, _R = State.TRIGGERED, State.ACKNOWLEDGED, State.RESOLVED
_E = EventName

# The whole lifecycle. What is not here is illegal: IllegalTransition, and nothing is changed.
# To escalate or to reassign asks somebody else, who has to acknowledge: so does an alert that makes it worse.
TRANSITIONS: Mapping[tuple[State, EventName], State] = {
    (_T, _E.ACKNOWLEDGE): _A,
    (_T, _E.RESOLVE): _R,
    (_T, _E.ALERTS_RESOLVED): _R,
    (_T, _E.SNOOZE): _A,
    (_T, _E.ESCALATE): _T,
    (_T, _E.REASSIGN): _T,
    (_T, _E.SEVERITY_ROSE): _T,
    (_T, _E.ALERTS_JOINED): _T,
    (_T, _E.ALERTS_ENDED): _T,
    (_T, _E.SEVERITY): _T,
    (_T, _E.NOTE): _T,
    (_T, _E.STEP): _T,
    (_A, _E.ACKNOWLEDGE): _A,
    (_A, _E.RESOLVE): _R,
    (_A, _E.ALERTS_RESOLVED): _R,
    (_A, _E.SNOOZE): _A,
    (_A, _E.SNOOZE_END): _T,
    (_A, _E.ESCALATE): _T,
    (_A, _E.REASSIGN): _T,
    (_A, _E.SEVERITY_ROSE): _T,
    (_A, _E.ALERTS_JOINED): _A,
    (_A, _E.ALERTS_ENDED): _A,
    (_A, _E.SEVERITY): _A,
    (_A, _E.NOTE): _A,
    (_A, _E.STEP): _A,
    (_A, _E.CLASSIFY): _A,
    (_R, _E.REOPEN): _T,
    (_R, _E.ALERTS_ENDED): _R,
    (_R, _E.SEVERITY): _R,
    (_R, _E.NOTE): _R,
    (_R, _E.STEP): _R,
    (_R, _E.CLASSIFY): _R,
}


@dataclass(frozen=True)
class Event:
    """Something that happens to an incident. by: "user:ana", "link:ana", "token:ci", "system"; why: in the actor's words."""

    name: ClassVar[EventName]
    by: str = "system"
    why: str = ""


@dataclass(frozen=True)
class Acknowledge(Event):
    name = EventName.ACKNOWLEDGE


@dataclass(frozen=True)
class Resolve(Event):
    """By hand. still_firing: alerts of it that have not ended."""

    name = EventName.RESOLVE
    verdict: Verdict | None = None
    still_firing: int = 0


@dataclass(frozen=True)
class AlertsResolved(Event):
    """The last alert of it has ended."""

    name = EventName.ALERTS_RESOLVED


@dataclass(frozen=True)
class Snooze(Event):
    name = EventName.SNOOZE
    until: datetime = field(kw_only=True)


@dataclass(frozen=True)
class SnoozeEnd(Event):
    name = EventName.SNOOZE_END


@dataclass(frozen=True)
class Escalate(Event):
    name = EventName.ESCALATE


@dataclass(frozen=True)
class Reassign(Event):
    """targets: "user:bo", "schedule:storage", "group:storage"."""

    name = EventName.REASSIGN
    targets: tuple[str, ...] = field(kw_only=True)


@dataclass(frozen=True)
class SeverityRose(Event):
    """An alert that joined is worse than all before it."""

    name = EventName.SEVERITY_ROSE
    severity: Severity = field(kw_only=True)


@dataclass(frozen=True)
class Reopen(Event):
    name = EventName.REOPEN


@dataclass(frozen=True)
class AlertsJoined(Event):
    name = EventName.ALERTS_JOINED
    count: int = field(kw_only=True)


@dataclass(frozen=True)
class AlertsEnded(Event):
    name = EventName.ALERTS_ENDED
    count: int = field(kw_only=True)


@dataclass(frozen=True)
class SetSeverity(Event):
    """By hand: kept from then on, whatever alerts say."""

    name = EventName.SEVERITY
    severity: Severity = field(kw_only=True)


@dataclass(frozen=True)
class Note(Event):
    name = EventName.NOTE


@dataclass(frozen=True)
class Step(Event):
    """A step of a runbook was ticked."""

    name = EventName.STEP


@dataclass(frozen=True)
class Classify(Event):
    name = EventName.CLASSIFY
    verdict: Verdict = field(kw_only=True)


ALERTS = "alerts"  # `resolved_by` and `severity_by` where no person said so


@dataclass(frozen=True, kw_only=True)
class Incident:
    """The unit of response: what one alert group asks of people. People see it as `ref`, "INC-1042".

    group, receiver: the alert group and the receiver it came to; at most one incident of them is open. severity_by:
    "alerts", or who set it by hand. acknowledged_*: of the acknowledgement that stands; None again once it is triggered
    again. reopened: how often. owner: a full entity reference, "group:default/storage".
    """

    id: int
    group: str
    receiver: str
    title: str
    escalation_policy: str
    opened_at: datetime
    updated_at: datetime
    state: State = State.TRIGGERED
    severity: Severity = Severity.CRITICAL
    severity_by: str = ALERTS
    alertname: str = ""
    service: str | None = None
    owner: str | None = None
    runbook_url: str = ""
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_at: datetime | None = None
    resolved_by: str = ""
    verdict: Verdict | None = None
    snoozed_until: datetime | None = None
    assignees: tuple[str, ...] = ()
    reopened: int = 0

    def __post_init__(self) -> None:
        instants = (getattr(self, f.name) for f in fields(self) if f.name.endswith(("_at", "_until")))
        if any(instant is not None and instant.tzinfo is None for instant in instants):
            raise ValueError(f"{self.ref}: a naive datetime is no instant")
        rules = {
            "has no title": bool(self.title.strip()),
            "is acknowledged without an instant, or triggered with one": self.state is State.RESOLVED
            or (self.acknowledged_at is not None) == (self.state is State.ACKNOWLEDGED),
            "is resolved without an instant, or open with one": (self.resolved_at is not None) == (self.state is State.RESOLVED),
            "is snoozed but not acknowledged": self.snoozed_until is None or self.state is State.ACKNOWLEDGED,
        }
        for wrong, holds in rules.items():
            if not holds:
                raise ValueError(f"{self.ref} {wrong}")

    @property
    def ref(self) -> str:
        return f"INC-{self.id}"

    @property
    def subject(self) -> str:
        """Its name in the journal."""
        return f"incident:{self.ref}"

    @property
    def is_open(self) -> bool:
        return self.state is not State.RESOLVED

    @property
    def resolved_by_hand(self) -> bool:
        return self.resolved_at is not None and self.resolved_by != ALERTS


# Control characters, and those that turn the direction of reading: no text for people, and PostgreSQL stores no NUL.
_UNREADABLE = dict.fromkeys([*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd")


def readable(text: str) -> str:
    """A sender's text on one line, in single spaces; what could deceive or drive a terminal is shown as �."""
    return " ".join(text.split()).translate(_UNREADABLE)


@dataclass(frozen=True)
class GroupAlert:
    """One alert as the alerts room reports it. starts_at, ends_at: by the sender's clock, which may be anything."""

    fingerprint: str
    firing: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    generator_url: str = ""

    @property
    def name(self) -> str:
        return readable(self.labels.get("alertname", "")) or "alert without a name"


@dataclass(frozen=True)
class IncidentAlert:
    """An alert in an incident. joined_at, ended_at: by our clock, ended_at None while it fires."""

    alert: GroupAlert
    joined_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True)
class GroupReport:
    """What the alerts room says of a group at one moment: to open, join or resolve an incident by.

    reason: why it is said now (first, changed, repeated...), as the alerts room stored it.
    """

    group: str
    receiver: str
    escalation_policy: str
    firing: bool
    alerts: tuple[GroupAlert, ...]
    group_labels: Mapping[str, str] = field(default_factory=dict)
    common_labels: Mapping[str, str] = field(default_factory=dict)
    common_annotations: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class TimelineEntry:
    """One line of an incident's story. kind: what it is for machines; text: for people; why: the stored reason."""

    at: datetime
    kind: str
    actor: str
    text: str
    why: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


_REF = re.compile(r"(?:INC-)?([0-9]{1,15})", re.ASCII | re.IGNORECASE)


def parse_ref(text: str) -> int:
    """1042 of "INC-1042" or "1042". Raises Invalid."""
    found = _REF.fullmatch(text.strip())
    if found is None:
        raise Invalid(f"{text!r:.80} is no incident: write it like INC-1042")
    return int(found[1])


def parse_severity(text: str) -> Severity:
    """Raises Invalid, which names those there are."""
    try:
        return Severity(text)
    except ValueError:
        raise Invalid(f"severity has to be one of {', '.join(Severity)}, not {text!r:.80}") from None


def parse_verdict(text: str) -> Verdict:
    """Raises Invalid, which names those there are."""
    try:
        return Verdict(text)
    except ValueError:
        raise Invalid(f"verdict has to be one of {', '.join(Verdict)}, not {text!r:.80}") from None


def as_json(incident: Incident) -> dict[str, Any]:
    """The incident as the API shows it, and as it travels in pages."""

    def instant(at: datetime | None) -> str | None:
        return rfc3339(at) if at is not None else None

    return {
        "id": incident.ref,
        "title": incident.title,
        "state": str(incident.state),
        "severity": str(incident.severity),
        "service": incident.service,
        "owner": incident.owner,
        "opened_at": instant(incident.opened_at),
        "acknowledged_at": instant(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by or None,
        "resolved_at": instant(incident.resolved_at),
        "resolved_by": incident.resolved_by or None,
        "snoozed_until": instant(incident.snoozed_until),
        "verdict": str(incident.verdict) if incident.verdict else None,
        "assignees": list(incident.assignees),
        "alertname": incident.alertname,
        "runbook_url": incident.runbook_url or None,
        "escalation_policy": incident.escalation_policy,
        "receiver": incident.receiver,
        "reopened": incident.reopened,
        "updated_at": instant(incident.updated_at),
    }
