"""Outbox: claim, commit, act, record. Nothing is marked sent before it is sent; who comes late records nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from quietshift.kernel import outbox
from quietshift.kernel.clock import ManualClock
from quietshift.kernel.db import Database, Tx, get_meta, set_meta
from quietshift.kernel.errors import Unavailable
from quietshift.kernel.outbox import Answer, Delivery, OutboxKind
from quietshift.kernel.schema import metadata
from quietshift.kernel.schema import outbox as rows

SECOND = timedelta(seconds=1)
ACCEPTED, LATER, NEVER = Answer("accepted", "ok", 250), Answer("temporary", "busy", 451), Answer("permanent", "no such user", 550)


class Provider:
    """A channel whose answers are scripted, and what was recorded of it."""

    def __init__(self, *answers: Answer | Exception, **options: object) -> None:
        self.answers = list(answers)
        self.sent: list[Delivery] = []
        self.recorded: list[tuple[Delivery, Answer]] = []
        self.kind = OutboxKind("mail", self._send, self._record, delay=lambda n: n * SECOND, **options)  # type: ignore[arg-type]  # test's own

    def _send(self, delivery: Delivery) -> Answer:
        self.sent.append(delivery)
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _record(self, tx: Tx, delivery: Delivery, answer: Answer, now: datetime) -> None:
        self.recorded.append((delivery, answer))

    def run(self, db: Database, now: datetime) -> int:
        return outbox.run_due(db, {"mail": self.kind}, now)


def put(db: Database, now: datetime, **options: object) -> str:
    with db.write() as tx:
        return outbox.enqueue(tx, "mail", "ana@example.org", {"n": 1}, now, **options)  # type: ignore[arg-type]  # test's own


def test_an_accepted_message_is_sent_once_and_recorded_with_its_answer(db: Database, clock: ManualClock) -> None:
    provider = Provider()
    row = put(db, clock.now())
    assert provider.run(db, clock.now()) == 1
    assert provider.run(db, clock.advance(timedelta(days=1))) == 0
    [(delivery, answer)] = provider.recorded
    assert (delivery.id, delivery.attempt, delivery.final, answer) == (row, 1, True, ACCEPTED)


def test_a_temporary_answer_is_retried_with_the_same_id_until_accepted(db: Database, clock: ManualClock) -> None:
    provider = Provider(LATER, RuntimeError("cable cut"), ACCEPTED)
    put(db, clock.now())
    provider.run(db, clock.now())
    assert provider.run(db, clock.now() + timedelta(milliseconds=900)) == 0  # not before its delay
    for _ in range(5):
        provider.run(db, clock.advance(2 * SECOND))
    assert [a.outcome for _, a in provider.recorded] == ["temporary", "temporary", "accepted"]
    assert "cable cut" in provider.recorded[1][1].text
    assert len({d.id for d in provider.sent}) == 1
    assert [d.attempt for d in provider.sent] == [1, 2, 3]
    assert [d.final for d, _ in provider.recorded] == [False, False, True]


@pytest.mark.parametrize(("answer", "attempts"), [(NEVER, 1), (LATER, 3)])
def test_the_last_attempt_is_recorded_as_final(db: Database, clock: ManualClock, answer: Answer, attempts: int) -> None:
    provider = Provider(*[answer] * 10, max_attempts=3)
    put(db, clock.now())
    for _ in range(10):
        provider.run(db, clock.advance(10 * SECOND))
    assert [d.final for d, _ in provider.recorded] == [False] * (attempts - 1) + [True]


def test_no_attempt_is_made_after_give_up_at(db: Database, clock: ManualClock) -> None:
    provider = Provider(*[LATER] * 10)
    put(db, clock.now(), give_up_at=clock.now() + 4 * SECOND)
    for _ in range(20):
        provider.run(db, clock.advance(SECOND))
    assert len(provider.sent) == 3  # at 1, 2 and 4 s; the next would come at 7
    assert provider.recorded[-1][0].final


def test_a_crash_between_act_and_record_repeats_the_attempt_with_the_same_id(db: Database, clock: ManualClock) -> None:
    provider = Provider()
    put(db, clock.now())
    with db.write() as tx:
        [delivery] = outbox.claim(tx, provider.kind, clock.now(), 10)
    outbox.act(provider.kind, delivery)  # and the process dies
    assert provider.run(db, clock.now()) == 0  # still leased
    with db.write() as tx:
        assert outbox.release(tx, None) == 1
    assert provider.run(db, clock.now()) == 1
    assert [d.id for d in provider.sent] == [delivery.id] * 2
    assert len(provider.recorded) == 1


def test_who_comes_late_records_nothing_over_who_took_over(db: Database, clock: ManualClock) -> None:
    slow, quick = Provider(LATER), Provider(ACCEPTED)
    put(db, clock.now())
    with db.write() as tx:
        [delivery] = outbox.claim(tx, slow.kind, clock.now(), 10)
    clock.advance(outbox.LEASE + SECOND)
    quick.run(db, clock.now())
    with db.write() as tx:
        outbox.record(tx, {"mail": slow.kind}, [(delivery, LATER)], clock.now())
    assert slow.recorded == []
    assert quick.run(db, clock.advance(timedelta(hours=1))) == 0


def test_what_is_let_go_is_claimed_anew_at_once_and_counts_no_attempt(db: Database, clock: ManualClock) -> None:
    provider = Provider()
    put(db, clock.now())
    with db.write() as tx:
        [delivery] = outbox.claim(tx, provider.kind, clock.now(), 10)
        outbox.let_go(tx, delivery, clock.now())
    assert provider.run(db, clock.now()) == 1
    assert [d.attempt for d in provider.sent] == [1]
    with db.write() as tx:
        outbox.let_go(tx, delivery, clock.now())  # long gone: nothing happens


def test_what_is_cancelled_is_not_sent_and_what_flies_is_recorded_but_not_repeated(db: Database, clock: ManualClock) -> None:
    provider = Provider(LATER)
    put(db, clock.now(), subject="incident:1")
    put(db, clock.now() + SECOND, subject="incident:1")
    with db.write() as tx:
        [flying] = outbox.claim(tx, provider.kind, clock.now(), 10)
    with db.write() as tx:
        assert outbox.cancel(tx, "mail", "incident:1") == 2
    with db.write() as tx:
        outbox.record(tx, {"mail": provider.kind}, [(flying, outbox.act(provider.kind, flying))], clock.now())
    assert provider.run(db, clock.advance(timedelta(hours=1))) == 0
    assert [(d.final, a.outcome) for d, a in provider.recorded] == [(True, "temporary")]


def test_what_was_cancelled_while_its_process_died_is_not_left_behind(db: Database, clock: ManualClock) -> None:
    provider = Provider()
    put(db, clock.now(), subject="incident:1")
    with db.write() as tx:
        outbox.claim(tx, provider.kind, clock.now(), 10)
        outbox.cancel(tx, "mail", "incident:1")
        assert outbox.release(tx, None) == 0
        assert tx.execute(select(rows)).all() == []
    assert provider.run(db, clock.advance(timedelta(days=1))) == 0


def test_a_result_that_cannot_be_recorded_is_parked_and_shown(db: Database, clock: ManualClock) -> None:
    def broken(tx: Tx, delivery: Delivery, answer: Answer, now: datetime) -> None:
        raise KeyError("nowhere to put it")

    kind = OutboxKind("mail", lambda _: ACCEPTED, broken)
    put(db, clock.now())
    outbox.run_due(db, {"mail": kind}, clock.now())
    assert outbox.run_due(db, {"mail": kind}, clock.advance(timedelta(days=1))) == 0
    with db.read() as tx:
        [row] = outbox.parked(tx)
        assert "nowhere to put it" in str(row.error)
    provider = Provider()
    with db.write() as tx:
        assert outbox.revive(tx, row.id, clock.now())
    assert provider.run(db, clock.now()) == 1


def test_two_claimers_never_get_the_same_row(db: Database, clock: ManualClock) -> None:
    kind = Provider().kind
    for _ in range(10):
        put(db, clock.now())
    with db.write() as tx:
        first = {d.id for d in outbox.claim(tx, kind, clock.now(), 6)}
    with db.write() as tx:
        second = {d.id for d in outbox.claim(tx, kind, clock.now(), 6)}
    assert (len(first), len(second)) == (6, 4)
    assert not first & second


def test_a_store_that_cannot_record_just_now_parks_nothing(postgres_url: str, clock: ManualClock) -> None:
    """Another transaction holds what the result has to touch, as in a deadlock: the result is kept and recorded after it."""
    db = Database.open(postgres_url)
    metadata.create_all(db.raw_engine())
    with db.write() as tx:
        set_meta(tx, "contended", "by two")
    provider = Provider()

    def record(tx: Tx, delivery: Delivery, answer: Answer, now: datetime) -> None:
        tx.execute(text("SET LOCAL lock_timeout = '50ms'"))
        set_meta(tx, "contended", "by the recorder")

    kinds = {"mail": OutboxKind("mail", provider.kind.send, record)}
    put(db, clock.now())
    with db.write() as tx:
        [delivery] = outbox.claim(tx, kinds["mail"], clock.now(), 1)
    results = [(delivery, outbox.act(kinds["mail"], delivery))]
    with db.write() as other:
        set_meta(other, "contended", "by another")
        with pytest.raises(Unavailable), db.write() as tx:
            outbox.record(tx, kinds, results, clock.now())
    with db.write() as tx:
        assert outbox.parked(tx) == []
        outbox.record(tx, kinds, results, clock.now())
        assert outbox.next_due(tx, ["mail"]) is None
        assert get_meta(tx, "contended") == "by the recorder"
    db.close()
