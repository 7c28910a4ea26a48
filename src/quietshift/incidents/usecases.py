"""The verbs of an incident: each is part of one transaction. Load, decide, save; journal, timeline and the next timer with it.

The timer of a snooze is touched before the incident is locked, and the incident before its escalation, everywhere: so on
PostgreSQL an acknowledgement and a due timer wait for each other, and never both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from quietshift.alerts.events import CLOSE_TIMER
from quietshift.incidents import decide, desk, store
from quietshift.incidents.decide import Verb
from quietshift.incidents.model import (
    Acknowledge,
    AlertsEnded,
    AlertsJoined,
    AlertsResolved,
    Classify,
    Escalate,
    Event,
    EventName,
    GroupReport,
    Incident,
    Note,
    Reassign,
    Reopen,
    Resolve,
    SetSeverity,
    Severity,
    SeverityRose,
    Snooze,
    SnoozeEnd,
    State,
    Step,
    Verdict,
    as_json,
    parse_severity,
    parse_verdict,
)
from quietshift.kernel import journal, timers
from quietshift.kernel.clock import parse_rfc3339, rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import Conflict, Invalid
from quietshift.kernel.ops import Loaded
from quietshift.kernel.settings import Settings
from quietshift.kernel.timers import Timer
from quietshift.paging import usecases as paging
from quietshift.paging.model import IncidentFacts

SNOOZE_END = "incidents.snooze_end"
LOOK_AGAIN = timedelta(seconds=2)  # for the incident of an acknowledgement that came before it
MAX_WORDS = 10_000  # characters of a note or a reason: a log file belongs elsewhere

# What is told in the timeline and the journal.
_ACTS = {
    EventName.ACKNOWLEDGE: ("acknowledged", "acknowledged it"),
    EventName.RESOLVE: ("resolved", "resolved it"),
    EventName.ALERTS_RESOLVED: ("resolved", "resolved it"),
    EventName.SNOOZE: ("snoozed", "snoozed it"),
    EventName.SNOOZE_END: ("snooze_ended", "called again after the snooze"),
    EventName.ESCALATE: ("escalated", "escalated it now"),
    EventName.REASSIGN: ("reassigned", "reassigned it"),
    EventName.SEVERITY_ROSE: ("severity", "raised its severity"),
    EventName.REOPEN: ("reopened", "reopened it"),
    EventName.SEVERITY: ("severity", "changed its severity"),
    EventName.CLASSIFY: ("classified", "said what the page was"),
    EventName.ALERTS_JOINED: ("alerts_joined", "joined it"),
    EventName.NOTE: ("note", ""),
    EventName.STEP: ("step", ""),
}


def acknowledge(tx: Tx, incident_id: int, actor: str, now: datetime, *, why: str = "") -> Incident:
    """Somebody has it: paging stops, a snooze ends. Who acknowledges what they have already changes nothing.

    Raises NotFound, IllegalTransition where it is resolved.
    """
    timers.cancel(tx, SNOOZE_END, str(incident_id))
    before = store.get(tx, incident_id, lock=True)
    paging.stop(tx, incident_id, now, f"acknowledged by {decide.person(actor)}", by=actor)
    return apply(tx, before, Acknowledge(actor, _words(why)), now)[0]


def resolve(
    tx: Tx, incident_id: int, actor: str, now: datetime, *, verdict: Verdict | str | None = None, why: str = ""
) -> Incident:
    """It is over, a person says so; its alerts may still fire. Paging stops. Raises NotFound, IllegalTransition, Invalid."""
    timers.cancel(tx, SNOOZE_END, str(incident_id))
    before = store.get(tx, incident_id, lock=True)
    paging.stop(tx, incident_id, now, f"resolved by {decide.person(actor)}", by=actor)
    said = parse_verdict(verdict) if verdict else None
    firing = [one.alert for one in store.alerts(tx, incident_id) if one.ended_at is None]
    after, _ = apply(tx, before, Resolve(actor, _words(why), said, len(firing)), now)
    problems = [alert.fingerprint for alert in firing if alert.labels.get("integration")]
    if problems:  # of other tools, which may never say that they are over; what they trigger again is meant anew
        timers.schedule(tx, CLOSE_TIMER, str(incident_id), now, now, {"fingerprints": problems})
    return after


def snooze(tx: Tx, incident_id: int, actor: str, until: datetime, now: datetime, *, why: str = "") -> Incident:
    """Nobody is paged until then; if it is not resolved by then, it is triggered and pages from the first step again.

    Raises NotFound, IllegalTransition where it is resolved, Invalid for an instant that is past or too far.
    """
    timers.schedule(tx, SNOOZE_END, str(incident_id), until, now)
    before = store.get(tx, incident_id, lock=True)
    paging.stop(tx, incident_id, now, f"snoozed by {decide.person(actor)} until {rfc3339(until)}", by=actor)
    return apply(tx, before, Snooze(actor, _words(why), until=until), now)[0]


def snooze_end(tx: Tx, timer: Timer, now: datetime, *, ops: Loaded, settings: Settings) -> None:
    """Handler of `incidents.snooze_end`: triggered again, paged again from the first step."""
    before = store.get(tx, int(timer.subject), lock=True)
    if before.state is State.ACKNOWLEDGED and before.snoozed_until is not None:
        after, reason = apply(tx, before, SnoozeEnd(), now)
        start_paging(tx, after, now, ops, settings, reason)


def reassign(
    tx: Tx, incident_id: int, actor: str, targets: Sequence[str], now: datetime, *, ops: Loaded, settings: Settings, why: str = ""
) -> Incident:
    """Page these instead, at once: "user:bo" or "bo", "schedule:storage", "group:storage". Whoever it is has to acknowledge.

    Raises NotFound, IllegalTransition where it is resolved, Invalid where a target does not exist, Conflict where nobody
    behind them can be called.
    """
    timers.cancel(tx, SNOOZE_END, str(incident_id))
    before = store.get(tx, incident_id, lock=True)
    named = tuple(target if ":" in target else f"user:{target}" for target in targets)
    after, _ = apply(tx, before, Reassign(actor, _words(why), targets=named), now)
    paging.reassign(tx, facts(after, settings), named, actor, now, ops=ops)
    return after


def escalate_now(
    tx: Tx, incident_id: int, actor: str, now: datetime, *, ops: Loaded, settings: Settings, why: str = ""
) -> Incident:
    """Do not wait: the policy's next step is paged at once. Raises NotFound, IllegalTransition where it is resolved."""
    timers.cancel(tx, SNOOZE_END, str(incident_id))
    before = store.get(tx, incident_id, lock=True)
    after, _ = apply(tx, before, Escalate(actor, _words(why)), now)
    paging.escalate_now(tx, facts(after, settings), actor, now, ops=ops)
    return after


def note(tx: Tx, incident_id: int, actor: str, text: str, now: datetime) -> Incident:
    """Put somebody's words into the timeline. Raises NotFound, Invalid where there are none."""
    words = _words(text)
    if not words:
        raise Invalid("a note needs words")
    before = store.get(tx, incident_id, lock=True)
    return apply(tx, before, Note(actor), now, text=words)[0]


def set_severity(tx: Tx, incident_id: int, actor: str, severity: Severity | str, now: datetime, *, why: str = "") -> Incident:
    """How bad it is by a person's judgement, kept from then on. Raises NotFound, Invalid."""
    said = parse_severity(severity)
    before = store.get(tx, incident_id, lock=True)
    return apply(tx, before, SetSeverity(actor, _words(why), severity=said), now)[0]


def classify(tx: Tx, incident_id: int, actor: str, verdict: Verdict | str, now: datetime) -> Incident:
    """What the page was: actionable, noise, duplicate or known. Raises NotFound, Invalid, IllegalTransition while nobody has
    acknowledged it."""
    said = parse_verdict(verdict)
    before = store.get(tx, incident_id, lock=True)
    return apply(tx, before, Classify(actor, verdict=said), now)[0]


def reopen(tx: Tx, incident_id: int, actor: str, now: datetime, *, ops: Loaded, settings: Settings, why: str = "") -> Incident:
    """It is not over after all: triggered, and paged from the first step.

    Raises NotFound, IllegalTransition where it is open, Conflict where its group has a newer incident that is.
    """
    before = store.get(tx, incident_id, lock=True)
    other = store.open_of_group(tx, before.group, before.receiver)
    if other is not None and other.id != before.id:
        raise Conflict(f"{before.ref} cannot be reopened: {other.ref} is open for the same alerts")
    after, reason = apply(tx, before, Reopen(actor, _words(why)), now)
    start_paging(tx, after, now, ops, settings, reason)
    return after


def record_step(
    tx: Tx, incident_id: int, actor: str, runbook: str, step: int, title: str, outcome: str, note: str, now: datetime
) -> Incident:
    """A runbook's step was ticked (done, skipped, failed): into the timeline. The runbooks room keeps the step itself."""
    before = store.get(tx, incident_id, lock=True)
    data = {"runbook": runbook, "step": step, "title": title, "outcome": outcome, "note": note}
    return apply(tx, before, Step(actor, _words(note)), now, text=f"{outcome}: step {step} of {runbook}, {title}", data=data)[0]


# -- the incident desk: a receiver like any other ------------------------------------------------------------------------


def on_group(tx: Tx, timer: Timer, now: datetime, *, ops: Loaded, settings: Settings) -> None:
    """Handler of `incidents.group`: a group reports its alerts; an incident is opened, joined, reopened or resolved by it."""
    report = desk.report(timer.payload)
    seen = store.latest_of_group(tx, report.group, report.receiver, lock=False)
    if seen is not None:
        timers.hold(tx, SNOOZE_END, str(seen.id))
    latest = seen if tx.dialect == "sqlite" else store.latest_of_group(tx, report.group, report.receiver)  # locked, and as it is
    known = store.alerts(tx, latest.id) if latest else []
    decision = decide.on_group(latest, known, report, now, settings.reopen_within)
    if latest is None or decision.verb is Verb.OPEN:
        if decision.verb is Verb.OPEN:
            _open(tx, report, decision, now, ops, settings)
        return
    desk.record_alerts(tx, latest.id, report, decision, known, now)
    if decision.verb is Verb.RESOLVE:
        timers.cancel(tx, SNOOZE_END, str(latest.id))
        paging.stop(tx, latest.id, now, decision.reason)
        apply(tx, latest, AlertsResolved("alerts", decision.reason), now)
    elif decision.verb is Verb.REOPEN:
        current = replace(latest, escalation_policy=report.escalation_policy, severity=decision.rose or latest.severity)
        after, reason = apply(tx, current, Reopen("alerts", decision.reason), now)
        start_paging(tx, after, now, ops, settings, reason)
    elif decision.verb is Verb.UPDATE:
        _update(tx, latest, decision, now, ops, settings)
    elif report.firing:
        store.add_entry(tx, latest.id, now, "left", "alerts", "fires on; nobody is paged", decision.reason)
        _tell(tx, latest)
    elif decision.ended:
        _ended(tx, latest, decision, now)


def _open(tx: Tx, report: GroupReport, decision: decide.Decision, now: datetime, ops: Loaded, settings: Settings) -> None:
    incident = desk.opened(tx.next_number("incident"), report, ops, now)
    store.add(tx, incident)
    desk.record_alerts(tx, incident.id, report, decision, [], now)
    told = {"group_labels": dict(report.group_labels), "group_key": report.group, "receiver": report.receiver}
    store.add_entry(tx, incident.id, now, "opened", "alerts", f"opened {incident.ref}: {incident.title}", decision.reason, told)
    journal.append(tx, now, "system", "incident.opened", incident.subject, decision.reason, as_json(incident))
    _tell(tx, incident)
    start_paging(tx, incident, now, ops, settings, f"{incident.ref} opened: {decision.reason}")


def _update(tx: Tx, incident: Incident, decision: decide.Decision, now: datetime, ops: Loaded, settings: Settings) -> None:
    """An open incident hears of its group: alerts join or end; nobody is paged twice for what somebody has."""
    if decision.ended:
        incident = _ended(tx, incident, decision, now)
    if decision.joined and decision.rose is None:
        incident, _ = apply(tx, incident, AlertsJoined("alerts", count=len(decision.joined)), now)
    if decision.rose is not None:
        timers.cancel(tx, SNOOZE_END, str(incident.id))
        after, reason = apply(tx, incident, SeverityRose("alerts", severity=decision.rose), now)
        start_paging(tx, after, now, ops, settings, reason)  # where it is under way, it goes on, and tells the new severity


def _ended(tx: Tx, incident: Incident, decision: decide.Decision, now: datetime) -> Incident:
    """Alerts of it have ended; each is in the timeline already."""
    after, _ = decide.transition(incident, AlertsEnded("alerts", count=len(decision.ended)), now)
    store.save(tx, after)
    _tell(tx, after)
    return after


def event_acknowledged(tx: Tx, timer: Timer, now: datetime) -> None:
    """Handler of `incidents.event_acknowledged`: in another tool somebody has what this alert tells. Its incident may have to
    be opened yet: then it is looked for again, for a while."""
    actor = timer.payload["by"]
    members = [number for number, one in store.of_alert(tx, timer.subject) if one.ended_at is None]
    found = [incident for incident in (store.get(tx, number) for number in members) if incident.is_open]
    for incident in found:
        if incident.state is State.TRIGGERED:
            acknowledge(tx, incident.id, actor, now, why="acknowledged there")
    if not found and now < parse_rfc3339(timer.payload["until"]):
        timers.schedule(tx, timer.kind, timer.subject, now + LOOK_AGAIN, now, timer.payload)


# -- shared --------------------------------------------------------------------------------------------------------------


def apply(
    tx: Tx, before: Incident, event: Event, now: datetime, *, text: str = "", data: Mapping[str, Any] | None = None
) -> tuple[Incident, str]:
    """Decide, save, and tell it in timeline and journal; nothing where nothing changes. Returns the incident and the reason."""
    after, reason = decide.transition(before, event, now)
    if after == before and not isinstance(event, Note | Step):  # words count even at the instant of the act before
        return after, reason
    store.save(tx, after)
    kind, words = _ACTS[event.name]
    told = {"state": str(after.state), "was": str(before.state), **(data or {})}
    store.add_entry(tx, after.id, now, kind, event.by, text or words, reason, told)
    journal.append(tx, now, event.by, f"incident.{kind}", after.subject, reason or text, told)
    _tell(tx, after)
    return after, reason


def start_paging(tx: Tx, incident: Incident, now: datetime, ops: Loaded, settings: Settings, why: str) -> None:
    """Page by the incident's policy, from its first step."""
    paging.start(tx, facts(incident, settings), incident.escalation_policy, now, ops=ops, why=why)


def facts(incident: Incident, settings: Settings) -> IncidentFacts:
    """What pages have to know of an incident."""
    return IncidentFacts(
        id=incident.id, title=incident.title, severity=str(incident.severity), service=incident.service, owner=incident.owner,
        state=str(incident.state), opened_at=incident.opened_at, url=f"{settings.base_url}/incidents/{incident.ref}",
        as_json=as_json(incident),
    )  # fmt: skip


def _tell(tx: Tx, incident: Incident) -> None:
    tx.publish("incidents")
    tx.publish(f"incident:{incident.id}")


def _words(text: str) -> str:
    words = text.replace("\x00", "").strip()  # PostgreSQL stores none
    if len(words) > MAX_WORDS:
        raise Invalid(f"at most {MAX_WORDS} characters fit here, not {len(words)}")
    return words
