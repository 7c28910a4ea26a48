"""Virtual time: the rooms as they are, on a database of their own, by a clock that is moved from one due row to the next.

Nothing leaves. Whatever would be sent is taken by a recorder, which answers as a provider does that accepts it; nobody reads it,
and so nobody acknowledges.
"""

from __future__ import annotations

import json
import logging
import secrets
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from quietshift.alerts import store as alerts_store
from quietshift.alerts import why
from quietshift.alerts.labels import Labels, fingerprint
from quietshift.alerts.model import AlertsConfig, Silence
from quietshift.alerts.why import Explanation
from quietshift.alerts.wires.alertmanager import decode
from quietshift.app import wire
from quietshift.app.wire import App
from quietshift.incidents import store as incidents_store
from quietshift.incidents.model import Incident, TimelineEntry
from quietshift.incidents.timeline import timeline
from quietshift.kernel import outbox, timers
from quietshift.kernel.answer import Answer
from quietshift.kernel.clock import ManualClock, rfc3339
from quietshift.kernel.errors import Invalid, Problems
from quietshift.kernel.ops import Loaded, OpsHolder
from quietshift.kernel.outbox import Delivery
from quietshift.kernel.settings import Settings
from quietshift.paging import store as paging_store
from quietshift.paging.model import EscalationState, Ladder, Page, PagingConfig

NOTHING_SENT = Answer("accepted", "taken by the simulation: nothing was sent")
FIRES_ON = timedelta(days=3650)  # the alert does not end by itself
PATIENCE = timedelta(hours=24)  # how long somebody is waited for, where nobody is paged
MOST_TURNS = 4000  # of one simulation: policies of many days are cut off, and that is said


class Driver:
    """An open Quietshift whose worker is not started: this does the worker's work, as far as it is due, in this thread."""

    def __init__(self, app: App, clock: ManualClock) -> None:
        self.app, self.clock = app, clock

    def next_due(self) -> datetime | None:
        """When a timer or a delivery is due next; None where nothing waits."""
        with self.app.db.read() as tx:
            dues = timers.next_due(tx), outbox.next_due(tx, list(self.app.registry.outbox))
        return min((due for due in dues if due is not None), default=None)

    def turn(self) -> None:
        """What is due at this instant, once: timers, then deliveries, those that the timers wrote included."""
        now = self.clock.now()
        with self.app.db.read() as tx:
            timer = timers.next_due(tx)
        if timer is not None and timer <= now:
            timers.run_due(self.app.db, self.app.registry.timers, now)
        with self.app.db.read() as tx:
            delivery = outbox.next_due(tx, list(self.app.registry.outbox))
        if delivery is not None and delivery <= now:
            outbox.run_due(self.app.db, self.app.registry.outbox, now)

    def go_to(self, due: datetime) -> None:
        """Move the clock on to what is due, and do it. What is late is done now."""
        self.clock.set(max(self.clock.now(), due))
        self.turn()


@dataclass(frozen=True)
class Known:
    """What counts besides the files: silences, and contacts that people set themselves (None: only those of the files)."""

    silences: Sequence[Silence] = ()
    ladders: Mapping[str, Ladder] | None = None


@dataclass(frozen=True)
class Question:
    """An alert with these labels begins to fire at an instant; it lasts so long (None: on and on). beside: the labels of others
    that begin to fire just then."""

    labels: Labels
    at: datetime
    lasts: timedelta | None = None
    annotations: Labels = field(default_factory=dict, hash=False)
    beside: Sequence[Labels] = ()


@dataclass(frozen=True)
class Told:
    """A message that would have left. receiver, integration: of a notification; whom: of a page or a mail to one person."""

    at: datetime
    kind: str
    receiver: str
    integration: str
    whom: str


@dataclass(frozen=True)
class Course:
    """What becomes of the alert. incidents: those it comes to, each with its story and its pages. ended: why it is not followed
    any further; until: to there."""

    question: Question
    explanation: Explanation
    incidents: tuple[tuple[Incident, tuple[TimelineEntry, ...], tuple[Page, ...]], ...]
    told: tuple[Told, ...]
    until: datetime
    ended: str


class Recorder:
    """Takes what would be sent."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def send(self, delivery: Delivery) -> Answer:
        payload = delivery.payload
        page = payload.get("page") or {}
        self.told.append(
            Told(
                delivery.attempted_at or delivery.claimed_at, delivery.kind, str(payload.get("receiver", "")),
                str(payload.get("integration", "")), str(page.get("user", "")),
            )
        )  # fmt: skip
        return NOTHING_SENT


@contextmanager
def simulated(ops: Loaded, settings: Settings, at: datetime) -> Iterator[tuple[Driver, Recorder]]:
    """All rooms on an empty database of their own at that instant; every outbox kind is answered by the recorder. Nothing runs
    but what the driver turns, and no thread is started."""
    clock, recorder = ManualClock(at), Recorder()
    with tempfile.TemporaryDirectory(prefix="quietshift-whatif-") as folder:
        own = replace(
            settings, db=f"sqlite:///{Path(folder) / 'simulation.db'}", secret_key=secrets.token_hex(32), heartbeat_url=""
        )
        db, key = wire.open_ground(own)
        try:
            with db.raw_engine().connect() as connection:  # it is thrown away: nothing has to outlast a crash
                driver = connection.connection.driver_connection
                assert driver is not None
                driver.execute("PRAGMA synchronous=OFF")
            app = wire.join(own, OpsHolder(lambda: (ops, Problems())), clock, db, key)
            for name, kind in app.registry.outbox.items():
                app.registry.outbox[name] = replace(kind, send=recorder.send)
            with _unheard():
                yield Driver(app, clock), recorder
        finally:
            db.close()


def whatif(
    ops: Loaded, settings: Settings, question: Question, known: Known | None = None, *, most_turns: int = MOST_TURNS
) -> Course:
    """The whole course of one alert that nobody acknowledges: until every escalation has gone through all steps and rounds, or
    the incidents are resolved, or nobody is paged for a day. Raises Invalid for labels that make no alert."""
    known = known or Known()
    if known.ladders is not None:
        ops = ops.having(replace(ops.get(PagingConfig), contacts=known.ladders))
    with simulated(ops, settings, question.at) as (driver, recorder):
        with driver.app.db.write() as tx:
            for silence in known.silences:
                alerts_store.save_silence(tx, silence)
        _fire(driver.app, question)
        of = fingerprint(question.labels)
        explanation = _explain(driver, of)
        ended = ""
        for _ in range(most_turns):
            due = driver.next_due()
            ended = _over(driver, of, question, due)
            if due is None or ended:
                break
            driver.go_to(due)
        else:
            ended = f"it is followed no further than {most_turns:,} turns of the engine"
        return _course(driver, recorder, question, explanation, ended or "nothing is due any more")


def _fire(app: App, question: Question) -> None:
    """Through the alerts room's door, in one request with those beside it."""
    until = question.at + (question.lasts or FIRES_ON)
    body = [
        {"labels": labels, "annotations": notes, "startsAt": rfc3339(question.at), "endsAt": rfc3339(ends)}
        for labels, notes, ends in (
            *((labels, {}, question.at + FIRES_ON) for labels in question.beside),
            (question.labels, question.annotations, until),
        )
    ]
    use, timeout = app.alerts.use, app.ops.current.get(AlertsConfig).resolve_timeout
    reports, errors = use.hot.absorb(decode(json.dumps(body).encode()), question.at, timeout)
    if errors:
        raise Invalid("; ".join(errors))
    with app.db.write() as tx:
        use.receive(tx, reports, question.at)


def _explain(driver: Driver, of: str) -> Explanation:
    with driver.app.db.read() as tx:
        return why.explain(driver.app.alerts.use, tx, of, driver.clock.now())


def _over(driver: Driver, of: str, question: Question, due: datetime | None) -> str:
    """Why there is no need to look further; "" where there is."""
    with driver.app.db.read() as tx:
        numbers = {incident_id for incident_id, _ in incidents_store.of_alert(tx, of)}
        found = [incidents_store.get(tx, number) for number in sorted(numbers)]
        running = [paging_store.escalation(tx, incident.id) for incident in found if incident.is_open]
    if not found:
        end = question.at + (min(PATIENCE, question.lasts) if question.lasts else PATIENCE)
        return f"nobody is paged for it until {rfc3339(end)}" if due is None or due > end else ""
    if not running:
        return "its incident is resolved" if due is None or due > driver.clock.now() else ""
    calls = [one.next.at for one in running if one and one.state is EscalationState.EXHAUSTED and one.next]
    if len(calls) == len(running) and (due is None or due >= min(calls)):
        return "all steps and rounds are over: from here on the last step and the fallback are called every half hour"
    nobody = [one for one in running if one and one.state is EscalationState.NOBODY]
    if len(nobody) == len(running) and due is not None and due > question.at + PATIENCE:
        return "nobody can be called for a day: it is tried again each minute"
    return ""


def _course(driver: Driver, recorder: Recorder, question: Question, first: Explanation, ended: str) -> Course:
    of = fingerprint(question.labels)
    with driver.app.db.read() as tx:
        numbers = sorted({incident_id for incident_id, _ in incidents_store.of_alert(tx, of)})
        found = tuple(
            (incidents_store.get(tx, n), tuple(timeline(tx, n)), tuple(paging_store.pages(tx, n))) for n in numbers
        )
    explanation = first if found else _explain(driver, of)
    return Course(question, explanation, found, tuple(recorder.told), driver.clock.now(), ended)


# -- what a simulation says is no news -----------------------------------------------------------------------------------


_here = threading.local()


class _OfSimulations(logging.Filter):
    """Leaves out what this thread logs while it simulates: "nobody could be called" would wake somebody who reads logs."""

    def filter(self, _record: logging.LogRecord) -> bool:
        return not getattr(_here, "simulates", False)


_filter = _OfSimulations()


@contextmanager
def _unheard() -> Iterator[None]:
    logging.getLogger("quietshift.paging").addFilter(_filter)
    before = getattr(_here, "simulates", False)
    _here.simulates = True
    try:
        yield
    finally:
        _here.simulates = before
