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
from quietshift.alerts.model import Alert
from quietshift.alerts.sources import Act, Event, complete
from quietshift.alerts.usecases import Alerting
from quietshift.alerts.wires.alertmanager import Reported
from quietshift.kernel import timers
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.timers import Timer

ENDLESS = datetime(9999, 1, 1, tzinfo=UTC)  # the end of an alert that no silence ends; RFC 3339 has four digits for a year
CLOSE_TIMER = "alerts.close"  # an incident was resolved by hand: so are the problems in it
ACKNOWLEDGE_TIMER = "incidents.event_acknowledged"  # served by the room above
ACKNOWLEDGE_FOR = timedelta(minutes=15)  # how long an acknowledgement waits for its incident to be opened


def take(use: Alerting, tx: Tx, source: str, service: str, events: Sequence[Event], now: datetime) -> list[str]:
    """Do what events ask for, in their order; returns what that was, in words, for each. Raises ValueError for labels that
    cannot be any: then nothing was done."""
    store.take_turn(tx)
    batch = Batch(use, tx, now)
    known = event_store.of_keys(tx, source, {event.key for event in events})
    told = []
    for event in events:
        place = digest(event.key)
        if event.act is Act.TRIGGER:
            given = complete(event, source, service)
            known[place], words = batch.trigger(source, given, event, known.get(place))
        else:
            words = batch.answer(source, event, known.get(place))
            if event.act is Act.RESOLVE and words == "resolved":
                del known[place]
        told.append(words)
    batch.commit()
    return told


def end(use: Alerting, tx: Tx, problems: Sequence[OpenEvent], now: datetime) -> None:
    """These problems are over, and whoever was told of them hears so at once: the next trigger is a new one."""
    batch = Batch(use, tx, now)
    for problem in problems:
        batch.end(problem)
    batch.commit()


def close(use: Alerting, tx: Tx, timer: Timer, now: datetime) -> None:
    """Handler of `alerts.close`: a person has resolved the incident of these alerts. A tool that triggers again means it anew."""
    store.take_turn(tx)
    problems = event_store.by_fingerprint(tx, timer.payload["fingerprints"])
    if problems:
        end(use, tx, problems, now)


class Batch:
    """What events of one transaction change, written together by `commit`."""

    def __init__(self, use: Alerting, tx: Tx, now: datetime) -> None:
        self._use, self._tx, self._now = use, tx, now
        self._reports: list[tuple[OpenEvent, datetime, Event | None]] = []  # with its end, and what is told of it anew
        self._open: dict[tuple[str, int], OpenEvent] = {}
        self._over: dict[tuple[str, int], OpenEvent] = {}

    def trigger(self, source: str, given: Labels, event: Event, known: OpenEvent | None) -> tuple[OpenEvent, str]:
        """Open a problem with these labels, or tell anew of the one that is known. Returns it, and what was done, in words."""
        if known is None:
            begun = event.starts_at or self._now
            problem, told = OpenEvent(source, digest(event.key), label_set(given), begun, begun), "opened"
        else:
            labels = label_set({**known.labels, "severity": given.get("severity", "")})
            if labels == known.labels:
                problem, told = known, "is open already"
            else:
                self._reports.append((known, self._now, event))
                problem, told = OpenEvent(source, known.digest, labels, self._now, known.opened_at), "has another severity"
        self._reports.append((problem, ENDLESS, event))
        if problem != known:
            self._open[source, problem.digest] = problem
            self._over.pop((source, problem.digest), None)
        return problem, told

    def answer(self, source: str, event: Event, known: OpenEvent | None) -> str:
        """Acknowledge or resolve the problem that is known. Returns what was done, in words."""
        if known is None:
            return "nothing with this key is open: dropped"
        if event.act is Act.RESOLVE:
            if event.ended_at is not None and event.ended_at < known.starts_at:
                return "what is open began after this end: dropped"
            self.end(known)
            return "resolved"
        payload = {"by": f"integration:{source}", "until": rfc3339(self._now + ACKNOWLEDGE_FOR)}
        timers.schedule(self._tx, ACKNOWLEDGE_TIMER, fingerprint(known.labels), self._now, self._now, payload)
        return "acknowledged"

    def end(self, problem: OpenEvent) -> None:
        """It is over."""
        self._reports.append((problem, self._now, None))
        self._open.pop((problem.source, problem.digest), None)
        self._over[problem.source, problem.digest] = problem

    def commit(self) -> None:
        """Report the alerts, write which problems are open, and wake the groups of those that are over."""
        if not self._reports:
            return
        self._use.refresh(self._tx)
        self._use.receive(self._tx, self._reported(), self._now)
        over = list(self._over.values())
        event_store.remove(self._tx, over)
        event_store.save(self._tx, self._open.values())
        for problem in over:
            timers.cancel(self._tx, ACKNOWLEDGE_TIMER, fingerprint(problem.labels))
        self._wake(over)

    def _reported(self) -> list[Reported]:
        """Each as an alert with its end; where nothing is told anew, with what was told before."""
        use, now = self._use, self._now
        identities = [identity(problem.labels) for problem, _, _ in self._reports]
        known = dict(use.hot.known(identities) if use.hot.enabled else store.alerts_by_digest(self._tx, set(identities)))
        made = []
        for of, (problem, ends_at, event) in zip(identities, self._reports, strict=True):
            before = known.get(of)
            annotations = event.annotations if event else before.annotations if before else {}
            url = event.url if event else before.generator_url if before else ""
            starts_at = min(problem.starts_at, ends_at)
            known[of] = Alert(problem.labels, annotations, starts_at, ends_at, now, lease=ends_at > now, generator_url=url)
            made.append(Reported(of, known[of]))
        return made

    def _wake(self, over: Sequence[OpenEvent]) -> None:
        keys = {
            store.group_digest(route.path, decide.group_labels(route, problem.labels))
            for problem in over
            for route in decide.match(self._use.config().route, problem.labels)
        }
        groups = [group for group in store.groups_of(self._tx, keys).values() if group.flush_number]
        # in this commit: what is over before anybody above was told that it began is not told as begun any more
        self._use.wake(self._tx, [(group.id, self._now) for group in groups], self._now)
