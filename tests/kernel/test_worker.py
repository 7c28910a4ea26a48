"""The engine with real threads: woken by commits, exact when idle, and it says when it is stuck."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from quietshift.kernel import journal, outbox, timers
from quietshift.kernel.clock import SystemClock
from quietshift.kernel.db import Database, Tx
from quietshift.kernel.listen import Listener
from quietshift.kernel.outbox import Answer, Delivery, OutboxKind
from quietshift.kernel.registries import Registry
from quietshift.kernel.schema import outbox as rows
from quietshift.kernel.timers import Timer
from quietshift.kernel.worker import RAMP, Worker

CLOCK = SystemClock()
KEY = b"k" * 32


class Engine:
    """A running worker, what it ran and sent, and waiting for it with a deadline."""

    def __init__(self, db: Database) -> None:
        self.db, self.changed = db, threading.Condition()
        self.ran: list[tuple[str, timedelta]] = []
        self.recorded: list[tuple[Delivery, Answer]] = []
        self.hold = threading.Event()
        self.hold.set()
        registry = Registry()
        registry.timer("t", self._timer)
        registry.sender(OutboxKind("quick", lambda _: Answer("accepted"), self._record))
        registry.sender(OutboxKind("stuck", self._stuck, self._record, threads=2))
        self.worker = Worker(db, CLOCK, registry, KEY)
        self.worker.start()

    def _timer(self, tx: Tx, timer: Timer, now: datetime) -> None:
        with self.changed:
            self.ran.append((timer.subject, CLOCK.now() - timer.due_at))
            self.changed.notify_all()

    def _stuck(self, delivery: Delivery) -> Answer:
        self.hold.wait(20)
        return Answer("accepted")

    def _record(self, tx: Tx, delivery: Delivery, answer: Answer, now: datetime) -> None:
        with self.changed:
            self.recorded.append((delivery, answer))
            self.changed.notify_all()

    def wait(self, count: int, of: str = "recorded", seconds: float = 15) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(getattr(self, of)) >= count, seconds), (of, getattr(self, of))


@pytest.fixture
def engine(db: Database) -> Iterator[Engine]:
    engine = Engine(db)
    listener = Listener.of(db) if db.dialect == "postgresql" else None
    if listener:
        listener.start()
    yield engine
    engine.hold.set()
    engine.worker.stop()
    if listener:
        listener.stop()


def test_a_timer_set_while_idle_fires_on_time(engine: Engine) -> None:
    now = CLOCK.now()
    with engine.db.write() as tx:
        for n in range(5):
            timers.schedule(tx, "t", str(n), now + timedelta(milliseconds=200 + 40 * n), now)
    engine.wait(5, "ran")
    assert [subject for subject, _ in engine.ran] == ["0", "1", "2", "3", "4"]
    assert all(late >= timedelta() for _, late in engine.ran)


@pytest.mark.parametrize("leased", [True, False])
def test_a_row_due_now_is_sent_at_once_and_forgotten(engine: Engine, leased: bool) -> None:
    with engine.db.write() as tx:
        for _ in range(20):
            outbox.enqueue(tx, "quick", "x", {}, CLOCK.now(), leased=leased)
    engine.wait(20)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:  # the commit of the record comes right after it
        with engine.db.read() as tx:
            left = tx.execute(select(rows)).all()
        if not left:
            break
    assert left == []
    assert len({d.id for d, _ in engine.recorded}) == 20


def test_one_stuck_destination_does_not_hold_up_the_others(engine: Engine) -> None:
    engine.hold.clear()
    with engine.db.write() as tx:
        for _ in range(10):
            outbox.enqueue(tx, "stuck", "x", {}, CLOCK.now())
        for _ in range(10):
            outbox.enqueue(tx, "quick", "x", {}, CLOCK.now())
    engine.wait(10)
    assert {d.kind for d, _ in engine.recorded} == {"quick"}
    engine.hold.set()
    engine.wait(20)


def test_committed_acts_are_sealed_within_a_second(engine: Engine) -> None:
    sealed = threading.Event()

    def look() -> bool:
        with engine.db.read() as tx:
            return journal.verify(tx, KEY).sealed == 3

    with engine.db.write() as tx:
        for n in range(3):
            journal.append(tx, CLOCK.now(), "system", "test", f"x:{n}")
    deadline = time.monotonic() + 5
    while not look():
        assert time.monotonic() < deadline
        sealed.wait(0.05)
    with engine.db.read() as tx:
        assert journal.verify(tx, KEY).findings == []


def test_a_turning_engine_is_not_stuck_and_late_work_is_told(engine: Engine) -> None:
    now = CLOCK.now()
    assert engine.worker.stuck() == []
    with engine.db.read() as tx:
        assert engine.worker.overdue(tx, now) == timedelta()
    engine.worker.stop()
    with engine.db.write() as tx:
        timers.schedule(tx, "t", "late", now, now)
    with engine.db.read() as tx:
        assert engine.worker.overdue(tx, now + timedelta(seconds=90)) == timedelta(seconds=90)


def test_leases_of_a_dead_process_are_taken_over(database_url: str, db: Database) -> None:
    dead = Database.open(database_url)  # a process that claimed and died: its connection is gone
    kind = OutboxKind("quick", lambda _: Answer("accepted"), lambda *_: None)
    with db.write() as tx:
        outbox.enqueue(tx, "quick", "x", {}, CLOCK.now())
    with dead.write() as tx:
        assert len(outbox.claim(tx, kind, CLOCK.now(), 1)) == 1
    dead.close()
    engine = Engine(db)
    listener = Listener.of(db) if db.dialect == "postgresql" else None
    if listener:
        listener.start()
    try:
        engine.wait(1)
    finally:
        engine.worker.stop()
        if listener:
            listener.stop()


def test_processes_on_postgresql_wake_each_other(postgres_url: str) -> None:
    from quietshift.kernel.schema import metadata

    here, there = Database.open(postgres_url), Database.open(postgres_url)
    metadata.create_all(here.raw_engine())
    engine = Engine(there)
    listener = Listener.of(there)
    listener.start()
    try:
        with here.write() as tx:
            timers.schedule(tx, "t", "x", CLOCK.now(), CLOCK.now())
        engine.wait(1, "ran", seconds=3)  # LOOK, the backstop, is later
    finally:
        engine.worker.stop()
        listener.stop()
        here.close()
        there.close()


def test_a_start_is_slow_so_that_dying_of_it_repeats_little(db: Database) -> None:
    """A backlog that nothing is recorded of: one more is sent each RAMP, and in the end as many as there are threads."""
    began: list[float] = []
    all_began, hold = threading.Event(), threading.Event()

    def send(_: Delivery) -> Answer:
        began.append(time.monotonic())
        if len(began) == 5:
            all_began.set()
        hold.wait(20)
        return Answer("accepted")

    registry = Registry()
    registry.sender(OutboxKind("slow", send, lambda *_: None, threads=5))
    with db.write() as tx:
        for n in range(20):
            outbox.enqueue(tx, "slow", f"x{n}", {}, CLOCK.now())
    worker = Worker(db, CLOCK, registry, KEY)
    started = time.monotonic()
    worker.start()
    try:
        assert all_began.wait(15)
    finally:
        hold.set()
        worker.stop()
    assert [at - started >= n * RAMP for n, at in enumerate(began[:5])] == [True] * 5


def test_what_this_process_has_in_hand_is_not_sent_again_when_its_lease_runs_out(db: Database) -> None:
    """As when the store is away for longer than a lease: the result is kept, and recorded before anything else is done."""
    sent: list[str] = []
    hold, recorded = threading.Event(), threading.Event()

    def send(delivery: Delivery) -> Answer:
        sent.append(delivery.id)
        hold.wait(20)
        return Answer("accepted")

    registry = Registry()
    kind = OutboxKind("slow", send, lambda *_: recorded.set(), threads=3, lease=timedelta(seconds=0.5))
    registry.sender(kind)
    with db.write() as tx:
        row = outbox.enqueue(tx, "slow", "x", {}, CLOCK.now())
    worker = Worker(db, CLOCK, registry, KEY)
    worker.start()
    try:
        time.sleep(2)
        hold.set()
        assert recorded.wait(10)
    finally:
        hold.set()
        worker.stop()
    assert sent == [row]
