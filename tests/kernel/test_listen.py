"""Several processes on PostgreSQL: what they hear of each other, whom they take over from, and who cannot hold them up."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import text

from quietshift.kernel import db as ground
from quietshift.kernel import listen, outbox
from quietshift.kernel.db import Database
from quietshift.kernel.errors import Unavailable
from quietshift.kernel.live import NOTIFY, SETTLE_SECONDS, Committed
from quietshift.kernel.outbox import Answer, OutboxKind
from quietshift.kernel.schema import metadata

pytestmark = pytest.mark.needs("postgresql")
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def heard(db: Database) -> tuple[list[Committed], Callable[[str], bool]]:
    """What subscribers hear from now on; and waiting for a topic."""
    told: list[Committed] = []
    changed = threading.Condition()

    def tell(message: Committed) -> None:
        with changed:
            told.append(message)
            changed.notify_all()

    def wait_for(topic: str) -> bool:
        with changed:
            return changed.wait_for(lambda: any(topic in message.topics for message in told), 10)

    db.live.subscribe(tell)
    return told, wait_for


def test_strange_notifications_end_nothing(postgres_url: str) -> None:
    here, there = Database.open(postgres_url), Database.open(postgres_url)
    metadata.create_all(here.raw_engine())
    _, wait_for = heard(here)
    listener = listen.Listener.of(here)
    listener.start()
    try:
        with there.write() as tx:
            for junk in ("", "hello", "{}", "[]", '{"p": 1, "t": 5, "d": "x"}'):
                tx.conn.exec_driver_sql(NOTIFY, (junk,))
        with there.write() as tx:
            tx.publish("incidents")
        assert wait_for("incidents")
    finally:
        listener.stop()
        here.close()
        there.close()


def test_one_that_connects_anew_is_not_taken_over_from(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock is free for a moment: what it is sending would be sent twice."""
    monkeypatch.setattr(listen, "REAP", 0.5)
    here, there = Database.open(postgres_url), Database.open(postgres_url)
    metadata.create_all(here.raw_engine())
    kind = OutboxKind("k", lambda _: Answer("accepted"), lambda *_: None)
    with there.write() as tx:
        outbox.enqueue(tx, "k", "x", {}, NOW)
        outbox.claim(tx, kind, NOW, 1)

    def owners() -> list[str]:
        with here.read() as tx:
            return outbox.lease_owners(tx)

    listener = listen.Listener.of(here)
    listener.start()
    name = psycopg.connect(postgres_url, autocommit=True)
    try:
        time.sleep(0.7)  # one look, and not two
        name.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (there.process,))
        time.sleep(1.5)
        assert owners() == [there.process]
        name.close()  # and now it is gone
        deadline = time.monotonic() + 10
        while owners() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert owners() == []
    finally:
        name.close()
        listener.stop()
        here.close()
        there.close()


def test_who_stands_still_in_a_transaction_holds_up_nobody_for_long(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is stopped, or a machine that is cut off, has the turn that all others wait for."""
    monkeypatch.setattr(ground, "IDLE_SECONDS", 0.5)
    stopped, other = Database.open(postgres_url), Database.open(postgres_url)

    def stand_still() -> None:
        with stopped.write() as tx:
            tx.execute(text("SELECT pg_advisory_xact_lock(7)"))
            began = time.monotonic()
            with other.write() as waiting:
                waiting.execute(text("SELECT pg_advisory_xact_lock(7)"))
            assert time.monotonic() - began < 5
            tx.execute(text("SELECT 1"))

    try:
        with pytest.raises(Unavailable, match="idle-in-transaction"):
            stand_still()
        with stopped.write() as tx:
            tx.execute(text("SELECT 1"))  # and goes on when it is let go on
    finally:
        stopped.close()
        other.close()


def test_what_was_committed_without_an_answer_is_sent_soon_and_not_when_its_lease_ends(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks while COMMIT is under way: it was committed, and who asked for it heard of an error."""
    monkeypatch.setattr(listen, "REAP", 0.2)
    here = Database.open(postgres_url)
    metadata.create_all(here.raw_engine())
    here.take_born_leased = lambda _deliveries: pytest.fail("whoever is not told of the commit sends nothing")
    commit = psycopg.Connection.commit

    def committed_and_lost(connection: psycopg.Connection) -> None:
        commit(connection)
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "commit", committed_and_lost)
        with pytest.raises(Unavailable), here.write() as tx:
            outbox.enqueue(tx, "k", "x", {}, NOW, leased=True)
    kind = OutboxKind("k", lambda _: Answer("accepted"), lambda *_: None)
    with here.write() as tx:
        assert not outbox.claim(tx, kind, NOW, 1)
    _, wait_for = heard(here)
    listener = listen.Listener.of(here)
    try:
        listener.start()
        deadline = time.monotonic() + 10
        while here.doubtful:
            assert wait_for("*")
            assert time.monotonic() < deadline
            time.sleep(0.02)  # waits for the listener's thread
        with here.write() as tx:
            (claimed,) = outbox.claim(tx, kind, NOW, 1)
        assert claimed.attempt == 1
    finally:
        listener.stop()
        here.close()


def test_after_an_outage_others_may_record_before_their_leases_run_out_for_us(postgres_url: str) -> None:
    """They sent it before the outage, which was longer than the lease."""
    here, there = Database.open(postgres_url), Database.open(postgres_url)
    metadata.create_all(here.raw_engine())
    kind = OutboxKind("k", lambda _: Answer("accepted"), lambda *_: None)
    with there.write() as tx:
        outbox.enqueue(tx, "k", "x", {}, NOW)
        outbox.claim(tx, kind, NOW, 1)
    late = NOW + 2 * outbox.LEASE
    try:
        here.live.lost()
        for back in (lambda: None, here.live.back):
            back()
            with here.write() as tx:
                assert not outbox.claim(tx, kind, late, 1)
        with there.write() as tx:
            assert outbox.claim(tx, kind, late, 1), "its own it may take up again"
        here.live._back_at -= SETTLE_SECONDS  # that long ago
        with here.write() as tx:
            assert outbox.claim(tx, kind, late + 2 * outbox.LEASE, 1)
    finally:
        here.close()
        there.close()
