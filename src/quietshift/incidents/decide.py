"""What an event makes of an incident, and what a group's report asks for: pure, and each with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from quietshift.incidents import model
from quietshift.incidents.model import (
    ALERTS,
    TRANSITIONS,
    Event,
    EventName,
    GroupAlert,
    GroupReport,
    Incident,
    IncidentAlert,
    Severity,
    State,
    readable,
)
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.durations import format_duration
from quietshift.kernel.errors import IllegalTransition, Invalid

MOST_SNOOZE = timedelta(days=30)  # what sleeps longer is forgotten, not snoozed
TITLE_LENGTH = 200
KEY_LABELS = ("service", "job", "cluster", "namespace", "instance", "severity")  # told in a title, where there is no summary

# What `severity` labels say in the field; what is not here is unknown, and the unknown wakes people.
# Source: Prometheus docs, "Alerting rules"; SRE Workbook ch. 5 (page, ticket); kube-prometheus (critical, warning, info).
SEVERITIES: Mapping[str, Severity] = {
    "critical": Severity.CRITICAL, "page": Severity.CRITICAL, "emergency": Severity.CRITICAL, "fatal": Severity.CRITICAL,
    "warning": Severity.WARNING, "warn": Severity.WARNING, "ticket": Severity.WARNING,
    "info": Severity.INFO, "informational": Severity.INFO, "notice": Severity.INFO,
}  # fmt: skip


# -- one incident, one event ---------------------------------------------------------------------------------------------


def transition(incident: Incident, event: Event, now: datetime) -> tuple[Incident, str]:
    """The incident after this event, and the reason in words. Who acknowledges what they have already gets it back as it was.

    Raises IllegalTransition where the table has no such pair, Invalid where the event itself makes no sense.
    """
    after = TRANSITIONS.get((incident.state, event.name))
    if after is None:
        raise IllegalTransition(incident.ref, incident.state, event.name)
    changes, reason = _effect(incident, event, now)
    if event.why:
        reason = f"{reason}: {event.why}" if reason else event.why
    changes["state"] = after
    if incident.snoozed_until is not None and after is not State.ACKNOWLEDGED:
        changes["snoozed_until"] = None
    if after is State.TRIGGERED and incident.state is not State.TRIGGERED:
        changes |= {"acknowledged_at": None, "acknowledged_by": "", "resolved_at": None, "resolved_by": ""}
    if event.name is EventName.ACKNOWLEDGE and replace(incident, **changes) == incident:
        return incident, reason
    return replace(incident, **changes, updated_at=now), reason


def _effect(incident: Incident, event: Event, now: datetime) -> tuple[dict[str, Any], str]:
    """The fields that an event sets beside the state, and the reason."""
    who = person(event.by)
    match event:
        case model.Acknowledge():
            return _acknowledged(incident, event, now)
        case model.Resolve(verdict=verdict, still_firing=firing):
            fires = "fires" if firing == 1 else "fire"
            told = f"resolved by {who}" + (f" while {_count(firing, 'alert')} still {fires}" if firing else "")
            changes: dict[str, Any] = {"resolved_at": now, "resolved_by": event.by}
            return changes | ({"verdict": verdict} if verdict else {}), told + (f", as {verdict}" if verdict else "")
        case model.AlertsResolved():
            return {"resolved_at": now, "resolved_by": ALERTS}, ""
        case model.Snooze(until=until):
            if not now < until <= now + MOST_SNOOZE:
                most = format_duration(MOST_SNOOZE)
                raise Invalid(f"{incident.ref} can be snoozed until an instant within the next {most}, not {rfc3339(until)}")
            changes = {"snoozed_until": until, "assignees": (_target(event.by),)}
            if incident.state is State.TRIGGERED:
                changes |= {"acknowledged_at": now, "acknowledged_by": event.by}
            return changes, f"snoozed by {who} until {rfc3339(until)}: then it pages again from the first step"
        case model.SnoozeEnd():
            if incident.snoozed_until is None:
                raise IllegalTransition(incident.ref, "not snoozed", event.name)
            return {"assignees": ()}, "the snooze is over and it is not resolved"
        case model.Escalate():
            return {"assignees": ()}, f"{who} asks for the next step now"
        case model.Reassign(targets=targets):
            if not targets:
                raise Invalid(f"{incident.ref}: reassign to whom? Name a user, schedule or group")
            return {"assignees": targets}, f"{who} hands it to {', '.join(targets)}, who has to acknowledge"
        case model.SeverityRose(severity=severity):
            told = f"an alert of severity {severity} joined, worse than the {incident.severity} before"
            if incident.state is State.ACKNOWLEDGED:
                return {"severity": severity, "assignees": ()}, f"{told} that was acknowledged: it pages again"
            return {"severity": severity}, f"{told}: paging goes on"
        case model.Reopen():
            return {"reopened": incident.reopened + 1, "verdict": None, "assignees": ()}, f"reopened by {who}"
        case model.AlertsJoined(count=count):
            return {}, _joined(incident, count)
        case model.AlertsEnded(count=count):
            return {}, f"{_count(count, 'alert')} ended"
        case model.SetSeverity(severity=severity):
            told = f"{who} says {severity} ({incident.severity} before); kept whatever alerts say"
            return {"severity": severity, "severity_by": event.by}, told
        case model.Classify(verdict=verdict):
            return {"verdict": verdict}, f"{who} says it was {verdict}"
        case _:
            return {}, ""  # a note and a runbook step are told in their own words


def _acknowledged(incident: Incident, event: Event, now: datetime) -> tuple[dict[str, Any], str]:
    who = person(event.by)
    if incident.state is State.TRIGGERED:
        changes = {"acknowledged_at": now, "acknowledged_by": event.by, "assignees": (_target(event.by),)}
        return changes, f"{who} has it: paging stops"
    told = f"{person(incident.acknowledged_by)} has had it since {rfc3339(incident.acknowledged_at or now)}"
    if incident.snoozed_until is not None:
        return {"snoozed_until": None, "assignees": (_target(event.by),)}, f"{who} is at it: the snooze ends ({told})"
    if _target(event.by) not in incident.assignees:
        return {"assignees": (*incident.assignees, _target(event.by))}, f"{who} joins: {told}"
    return {}, f"nothing changes: {told}"


def _joined(incident: Incident, count: int) -> str:
    told = f"{_count(count, 'new alert')} joined"
    match incident.state:
        case State.ACKNOWLEDGED if incident.snoozed_until:
            return f"{told}: nobody is paged before the snooze ends, for none is worse than {incident.severity}"
        case State.ACKNOWLEDGED:
            has_it = person(incident.acknowledged_by)
            return f"{told}: nobody is paged again, for {has_it} has it and none is worse than {incident.severity}"
        case _:
            return f"{told}: paging goes on as it was"


# -- a group's report ----------------------------------------------------------------------------------------------------


class Verb(StrEnum):
    """What a report does to the incident desk."""

    OPEN = "open"
    UPDATE = "update"
    REOPEN = "reopen"
    RESOLVE = "resolve"
    LEAVE = "leave"


@dataclass(frozen=True)
class Decision:
    """verb, with its reason; joined: alerts that begin to fire in it; ended: those that have stopped; rose: the severity of a
    joined alert, where it is worse than the incident's."""

    verb: Verb
    reason: str
    joined: tuple[GroupAlert, ...] = ()
    ended: tuple[GroupAlert, ...] = ()
    rose: Severity | None = None


def on_group(
    latest: Incident | None, known: Sequence[IncidentAlert], report: GroupReport, now: datetime, reopen_within: timedelta
) -> Decision:
    """What to do with a group's report, given its latest incident and the alerts in that.

    One incident of a group is open at a time. An alert is new to it where its fingerprint is, or where it fires again after it
    had ended. Resolved by hand while alerts fire on: their mere repetition opens nothing, a person has judged them (snooze it
    to be called again); what is new reopens it within `reopen_within`, and opens another one after that.
    """
    fresh = tuple(alert for alert in report.alerts if alert.firing and _is_new(alert, known))
    ended = _ended(report, known)
    if not report.firing or not any(alert.firing for alert in report.alerts):
        if latest is None or not latest.is_open:
            return Decision(Verb.LEAVE, "the group's alerts ended, and no incident of it is open", ended=ended)
        # a group without alerts is one that the desk is not told of any more: the report says why
        return Decision(Verb.RESOLVE, "all its alerts have ended" if report.alerts else report.reason, ended=ended)
    if latest is None:
        return Decision(Verb.OPEN, "the group fires and never had an incident", joined=fresh)
    if latest.is_open:
        rose = _rise(latest, fresh)
        reason = f"{latest.ref} is open: one incident for one group"
        return Decision(Verb.UPDATE, reason, joined=fresh, ended=ended, rose=rose)
    by = "its alerts" if not latest.resolved_by_hand else person(latest.resolved_by)
    resolved_at = latest.resolved_at or now
    since = f"{latest.ref} was resolved by {by} at {rfc3339(resolved_at)}"
    if not fresh:
        return Decision(Verb.LEAVE, f"{since}, and nothing but the same alerts fires on", ended=ended)
    if now - resolved_at <= reopen_within:
        reason = f"{since}, and {_names(fresh)} fires within {format_duration(reopen_within)} of that"
        return Decision(Verb.REOPEN, reason, joined=fresh, ended=ended, rose=_rise(latest, fresh))
    firing = tuple(alert for alert in report.alerts if alert.firing)
    return Decision(Verb.OPEN, f"{since}, more than {format_duration(reopen_within)} ago", joined=firing)


def _is_new(alert: GroupAlert, known: Sequence[IncidentAlert]) -> bool:
    for one in known:
        if one.alert.fingerprint == alert.fingerprint:
            # it may have ended and begun again between two reports: then it starts later than the one we know
            before, after = one.alert.starts_at, alert.starts_at
            return one.ended_at is not None or (before is not None and after is not None and after > before)
    return True


def _ended(report: GroupReport, known: Sequence[IncidentAlert]) -> tuple[GroupAlert, ...]:
    """Alerts of the incident that fired and do no longer: those reported as resolved; all, where the group is at rest."""
    firing = {alert.fingerprint for alert in report.alerts if alert.firing}
    resolved = {alert.fingerprint: alert for alert in report.alerts if not alert.firing}
    at_rest = not report.firing or not firing
    return tuple(
        resolved.get(one.alert.fingerprint, one.alert)
        for one in known
        if one.ended_at is None and one.alert.fingerprint not in firing and (at_rest or one.alert.fingerprint in resolved)
    )


def _rise(incident: Incident, fresh: Sequence[GroupAlert]) -> Severity | None:
    """The worst severity of the new alerts, where it is worse than the incident's, and no person has set that."""
    worst = max((severity(alert.labels) for alert in fresh), key=lambda s: s.rank, default=incident.severity)
    return worst if incident.severity_by == ALERTS and worst.rank > incident.severity.rank else None


# -- what an incident is called, how loud it is --------------------------------------------------------------------------


def severity(labels: Mapping[str, str]) -> Severity:
    """By the `severity` label, without case; without one, or with a word that is unknown here: critical."""
    return SEVERITIES.get(labels.get("severity", "").strip().lower(), Severity.CRITICAL)


def worst(alerts: Sequence[GroupAlert]) -> Severity:
    """The worst severity of these alerts (firing ones where there are any)."""
    chosen = [alert for alert in alerts if alert.firing] or alerts
    return max((severity(alert.labels) for alert in chosen), key=lambda s: s.rank, default=Severity.CRITICAL)


def title(report: GroupReport) -> str:
    """The symptom in users' words: the summary that all alerts share, else that of the first; else its name and key labels."""
    first = next((alert for alert in report.alerts if alert.firing), None) or next(iter(report.alerts), None)
    candidates = [report.common_annotations, *([first.annotations] if first else [])]
    for texts in candidates:
        for key in ("summary", "title"):
            if text := readable(texts.get(key, "")):
                return _cut(text)
    labels = {**(first.labels if first else {}), **report.group_labels, **report.common_labels}
    name = readable(labels.get("alertname", "")) or "Alert without a name"
    keys = [key for key in KEY_LABELS if labels.get(key)] or [key for key in sorted(labels) if key != "alertname"][:3]
    told = readable(", ".join(f"{key}={labels[key]}" for key in keys if key != "severity"))
    return _cut(f"{name} ({told})" if told else name)


def alertname(report: GroupReport) -> str:
    """The name that the alerts share, else that of the first one that fires."""
    shared = report.common_labels.get("alertname") or report.group_labels.get("alertname")
    return readable(shared or next((alert.labels.get("alertname", "") for alert in report.alerts if alert.firing), ""))


def first_of(report: GroupReport, key: str, *, annotation: bool = False) -> list[str]:
    """The values of a label (or annotation) in the report: the shared one first, then in the order of the alerts."""
    common = report.common_annotations if annotation else report.common_labels
    each = (alert.annotations if annotation else alert.labels for alert in report.alerts if alert.firing)
    found = [value for mapping in (common, *each) if (value := readable(mapping.get(key, "")))]
    return list(dict.fromkeys(found))


# -- words ---------------------------------------------------------------------------------------------------------------


def person(actor: str) -> str:
    """How an actor is told to people: "ana" of "user:ana" and "link:ana", "token ci", "Quietshift"."""
    kind, _, name = actor.partition(":")
    if kind in ("user", "link") and name:
        return name
    if kind == ALERTS:
        return "its alerts"
    return f"{kind} {name}" if name else ("Quietshift" if kind == "system" else kind)


def _target(actor: str) -> str:
    kind, _, name = actor.partition(":")
    return f"user:{name}" if kind in ("user", "link") and name else actor


def _count(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _names(alerts: Sequence[GroupAlert]) -> str:
    names = list(dict.fromkeys(alert.name for alert in alerts))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _cut(text: str) -> str:
    return text if len(text) <= TITLE_LENGTH else text[: TITLE_LENGTH - 1].rstrip() + "…"
