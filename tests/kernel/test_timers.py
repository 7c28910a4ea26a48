"""Timers: due work is done once, in order, together; what fails is undone alone and parked in the end."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from quietshift.kernel import queue, timers
from quietshift.kernel.clock import ManualClock
from quietshift.kernel.db import Database, Tx, get_meta, set_meta
from quietshift.kernel.errors import Unavailable
from quietshift.kernel.schema import metadata
from quietshift.kernel.timers import Timer

SECOND = timedelta(seconds=1)


def test_due_timers_run_once_oldest_first_with_their_payload(db: Database, clock: ManualClock) -> None:
    ran: list[tuple[str, object]] = []
    now = clock.now()
    with db.write() as tx:
        timers.schedule(tx, "k", "later", now + 3 * SECOND, now)
        timers.schedule(tx, "k", "second", now + 2 * SECOND, now, {"n": 2})
        timers.schedule(tx, "k", "first", now + SECOND, now, {"n": 1})

    def handler(tx: Tx, timer: Timer, now: datetime) -> None:
        ran.append((timer.subject, timer.payload))

    assert timers.run_due(db, {"k": handler}, now) == 0
    assert timers.run_due(db, {"k": handler}, clock.advance(2 * SECOND)) == 2
    assert timers.run_due(db, {"k": handler}, clock.now()) == 0
    assert ran == [("first", {"n": 1}), ("second", {"n": 2})]
    with db.read() as tx:
        assert timers.next_due(tx) == now + 3 * SECOND


def test_a_backlog_of_one_is_not_what_the_others_wait_for(db: Database, clock: ManualClock) -> None:
    ran: list[str] = []
    now = clock.now()
    with db.write() as tx:
        for number in range(2 * timers.BATCH):
            timers.schedule(tx, "desk", f"storm:{number}", now, now)
        timers.schedule(tx, "desk", "web:1", now + SECOND, now)
        timers.schedule(tx, "desk", "web:2", now + SECOND, now)

    def handler(tx: Tx, timer: Timer, now: datetime) -> None:
        ran.append(timer.subject)

    timers.run_due(db, {"desk": handler}, clock.advance(SECOND), kinds=["desk"])
    assert ran[:2] == ["storm:0", "web:1"]
    assert ran[2:] == [f"storm:{number}" for number in range(1, timers.BATCH - 1)]  # each once, oldest first
    while timers.run_due(db, {"desk": handler}, clock.now(), kinds=["desk"]):
        pass
    assert len(ran) == len(set(ran)) == 2 * timers.BATCH + 2


def test_setting_a_timer_again_replaces_it_and_a_handler_may_set_its_own(db: Database, clock: ManualClock) -> None:
    now = clock.now()
    ran: list[datetime] = []
    with db.write() as tx:
        timers.schedule(tx, "k", "s", now, now)
        timers.schedule(tx, "k", "s", now + SECOND, now)

    def again(tx: Tx, timer: Timer, at: datetime) -> None:
        ran.append(at)
        timers.schedule(tx, "k", "s", at + SECOND, at)

    for _ in range(4):
        timers.run_due(db, {"k": again}, clock.now())
        clock.advance(SECOND)
    assert ran == [now + SECOND, now + 2 * SECOND, now + 3 * SECOND]


def test_a_handler_that_cancels_another_due_timer_of_the_batch_prevails(db: Database, clock: ManualClock) -> None:
    now = clock.now()
    ran: list[str] = []
    with db.write() as tx:
        timers.schedule(tx, "ack", "1", now - SECOND, now)
        timers.schedule(tx, "page", "1", now, now)

    def ack(tx: Tx, timer: Timer, at: datetime) -> None:
        timers.cancel(tx, "page", timer.subject)

    def page(tx: Tx, timer: Timer, at: datetime) -> None:
        ran.append(timer.subject)

    timers.run_due(db, {"ack": ack, "page": page}, now)
    assert ran == []


def test_a_poisoned_timer_is_undone_alone_and_parked_in_the_end(db: Database, clock: ManualClock) -> None:
    now = clock.now()
    ran: list[str] = []
    with db.write() as tx:
        timers.schedule(tx, "bad", "x", now - SECOND, now)
        for n in range(3):
            timers.schedule(tx, "good", str(n), now, now)

    def bad(tx: Tx, timer: Timer, at: datetime) -> None:
        set_meta(tx, "half", "done")
        raise ValueError("poison")

    def good(tx: Tx, timer: Timer, at: datetime) -> None:
        ran.append(timer.subject)
        set_meta(tx, f"good-{timer.subject}", "done")

    handlers = {"bad": bad, "good": good}
    timers.run_due(db, handlers, now)
    with db.read() as tx:
        assert get_meta(tx, "half") is None
        assert [get_meta(tx, f"good-{n}") for n in range(3)] == ["done"] * 3
    for _ in range(40):
        timers.run_due(db, handlers, clock.advance(timedelta(minutes=6)))
    with db.read() as tx:
        parked = timers.parked(tx)
        assert [(p.kind, p.attempts, p.error) for p in parked] == [("bad", timers.MAX_ATTEMPTS, "ValueError: poison")]
        assert timers.next_due(tx) is None
    with db.write() as tx:
        assert timers.revive(tx, parked[0].id, clock.now())
    assert timers.run_due(db, {"bad": good}, clock.now()) == 1


def test_a_kind_nobody_serves_waits_and_is_shown(db: Database, clock: ManualClock) -> None:
    with db.write() as tx:
        timers.schedule(tx, "from.the.future", "x", clock.now(), clock.now())
    timers.run_due(db, {}, clock.now())
    with db.read() as tx:
        waiting = timers.get(tx, "from.the.future", "x")
        assert waiting is not None
        assert waiting.attempts == 1
        assert waiting.due_at > clock.now()


@given(st.integers(1, 10_000))
def test_backoff_grows_and_is_bounded(attempts: int) -> None:
    assert timers.backoff(attempts) <= timers.backoff(attempts + 1) <= timedelta(minutes=5)


def test_a_full_disk_undoes_all_and_is_no_timer_s_fault(tmp_path: Path, clock: ManualClock) -> None:
    db = Database.open(f"{tmp_path}/small.db")
    metadata.create_all(db.raw_engine())
    now = clock.now()
    with db.write() as tx:
        timers.schedule(tx, "little", "x", now - SECOND, now)
        timers.schedule(tx, "much", "x", now, now)

    def little(tx: Tx, timer: Timer, at: datetime) -> None:
        set_meta(tx, "little", "done")

    def much(tx: Tx, timer: Timer, at: datetime) -> None:
        pages = tx.conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        tx.conn.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")
        for n in range(100):
            set_meta(tx, f"much-{n}", "x" * 500)

    with pytest.raises(Unavailable):
        timers.run_due(db, {"little": little, "much": much}, now)
    with db.read() as tx:
        assert get_meta(tx, "little") is None
        assert [(timers.get(tx, kind, "x") or Timer("", "", "", now, {}, 9)).attempts for kind in ("little", "much")] == [0, 0]
    db.close()


def test_two_processes_that_need_each_other_s_timers_do_not_wait_in_a_circle(postgres_url: str, clock: ManualClock) -> None:
    """As when an incident resolves whose escalation is due as well, and another process has it."""
    now = clock.now()
    both = threading.Barrier(2, timeout=10)
    dbs = [Database.open(postgres_url), Database.open(postgres_url)]
    metadata.create_all(dbs[0].raw_engine())
    with dbs[0].write() as tx:
        for age, (kind, subject) in enumerate([("desk", "1"), ("call", "2"), ("desk", "2"), ("call", "1")]):
            timers.schedule(tx, kind, subject, now + (age - 9) * SECOND, now)

    def desk(tx: Tx, timer: Timer, at: datetime) -> None:
        if timer.attempts == 0:
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait()
        timers.cancel(tx, "call", timer.subject)

    def call(tx: Tx, timer: Timer, at: datetime) -> None:
        pass

    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            done = [pool.submit(timers.run_due, db, {"desk": desk, "call": call}, now, 2) for db in dbs]
            for one in done:
                one.result(30)
    with dbs[0].read() as tx:
        assert queue.waiting(tx) == []
    for db in dbs:
        db.close()


def test_who_has_the_turn_never_waits_for_a_row_of_who_waits_for_it(postgres_url: str, clock: ManualClock) -> None:
    now = clock.now()
    db = Database.open(postgres_url)
    metadata.create_all(db.raw_engine())
    asks = threading.Event()

    def turn(tx: Tx) -> None:
        asks.set()
        tx.execute(text("SELECT pg_advisory_xact_lock(7)"))

    def handler(tx: Tx, timer: Timer, at: datetime) -> None:
        turn(tx)

    with db.write() as tx:
        timers.schedule(tx, "group", "1", now, now)
    with ThreadPoolExecutor(1) as pool:
        with db.write() as tx:
            tx.execute(text("SELECT pg_advisory_xact_lock(7)"))
            running = pool.submit(timers.run_due, db, {"group": timers.InTurn(turn, handler)}, now)
            assert asks.wait(10)
            timers.schedule(tx, "group", "1", now + SECOND, now)
        assert running.result(10) == 0
    with db.read() as tx:
        waiting = timers.get(tx, "group", "1")
        assert waiting is not None
        assert (waiting.due_at, waiting.attempts) == (now + SECOND, 0)
    db.close()
