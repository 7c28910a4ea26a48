"""Timers: due work is done once, in order, together; what fails is undone alone and parked in the end."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from quietshift.kernel import timers
from quietshift.kernel.clock import ManualClock
from quietshift.kernel.db import Database, Tx, get_meta, set_meta
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
