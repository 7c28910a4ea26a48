"""What is done with other tools' events: a problem is an alert from its trigger until somebody resolves it; silence ends none.

Who it is told to follows from its labels, as with every alert. The labels are those of the first trigger, for identity must not
hang on a summary that counts; only the severity follows the tool, so that what gets worse is told as worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from quietshift.alerts import decide, event_store, store
from quietshift.alerts.event_store import OpenEvent
from quietshift.alerts.labels import Labels, digest, fingerprint, identity, label_set
from quietshift.alerts.model import Act, Alert, Event
from quietshift.alerts.usecases import GROUP_TIMER, Alerting
from quietshift.alerts.wires.alertmanager import Reported
from quietshift.kernel import timers
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.timers import Timer

ENDLESS = datetime(9999, 1, 1, tzinfo=UTC)  # the end of an alert that no silence ends; RFC 3339 has four digits for a year
CLOSE_TIMER = "alerts.close"  # an incident was resolved by hand: so are the problems in it
ACKNOWLEDGE_TIMER = "incidents.event_acknowledged"  # served by the room above
ACKNOWLEDGE_FOR = timedelta(minutes=15)  # how long an acknowledgement waits for its incident to be opened


def take(use: Alerting, tx: Tx, source: str, service: str, event: Event, now: datetime) -> str:
    """Do what an event asks for; returns what that was, in words. Raises ValueError for labels that cannot be any."""
    store.take_turn(tx)
    known = event_store.get(tx, source, event.key)
    if event.act is Act.TRIGGER:
        given = {**event.labels, "service": service, "integration": source, "dedup_key": event.key}
        return trigger(use, tx, source, given, event, known, now)
    if known is None:
        return "nothing with this key is open: dropped"
    if event.act is Act.RESOLVE:
        end(use, tx, [known], now)
        return "resolved"
    payload = {"by": f"integration:{source}", "until": rfc3339(now + ACKNOWLEDGE_FOR)}
    timers.schedule(tx, ACKNOWLEDGE_TIMER, fingerprint(known.labels), now, now, payload)
    return "acknowledged"


def trigger(
    use: Alerting, tx: Tx, source: str, given: Labels, event: Event, known: OpenEvent | None, now: datetime
) -> str:
    """Open a problem with these labels, or tell anew of the one that is known. Returns what was done, in words."""
    if known is None:
        problem = OpenEvent(source, digest(event.key), label_set(given), event.starts_at or now)
        told = "opened"
    else:
        labels = label_set({**known.labels, "severity": given["severity"]})
        if labels == known.labels:
            problem, told = known, "is open already"
        else:
            _report(use, tx, [(known, now)], event, now)
            problem, told = OpenEvent(source, known.digest, labels, now), "has another severity"
    _report(use, tx, [(problem, ENDLESS)], event, now)
    if problem != known:
        event_store.save(tx, problem)
    return told


def end(use: Alerting, tx: Tx, problems: Sequence[OpenEvent], now: datetime) -> None:
    """These problems are over, and whoever was told of them hears so at once: the next trigger is a new one."""
    _report(use, tx, [(problem, now) for problem in problems], None, now)
    for problem in problems:
        event_store.remove(tx, problem)
        timers.cancel(tx, ACKNOWLEDGE_TIMER, fingerprint(problem.labels))
    keys = {
        store.group_digest(route.path, decide.group_labels(route, problem.labels))
        for problem in problems
        for route in decide.match(use.config().route, problem.labels)
    }
    for group in store.groups_of(tx, keys).values():
        if group.flush_number:
            timers.schedule(tx, GROUP_TIMER, str(group.id), now, now)


def close(use: Alerting, tx: Tx, timer: Timer, now: datetime) -> None:
    """Handler of `alerts.close`: a person has resolved the incident of these alerts. A tool that triggers again means it anew."""
    store.take_turn(tx)
    problems = event_store.by_fingerprint(tx, timer.payload["fingerprints"])
    if problems:
        end(use, tx, problems, now)


def _report(use: Alerting, tx: Tx, problems: Sequence[tuple[OpenEvent, datetime]], event: Event | None, now: datetime) -> None:
    """Report each as an alert with this end. event: what is told of it now; None: what was told before."""
    use.refresh(tx)
    identities = [identity(problem.labels) for problem, _ in problems]
    known = use.hot.known(identities) if use.hot.enabled else store.alerts_by_digest(tx, set(identities))
    reports = []
    for of, (problem, ends_at) in zip(identities, problems, strict=True):
        before = known.get(of)
        annotations = event.annotations if event else before.annotations if before else {}
        url = event.url if event else before.generator_url if before else ""
        starts_at = min(problem.starts_at, ends_at)
        reports.append(
            Reported(of, Alert(problem.labels, annotations, starts_at, ends_at, now, lease=ends_at > now, generator_url=url))
        )
    use.receive(tx, reports, now)
