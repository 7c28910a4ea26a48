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
from quietshift.kernel.live import NOTIFY, Committed
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
