"""The two-engine rule: no update is lost, what fails changes nothing, what is announced was committed."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from quietshift.kernel.db import Database, get_meta, normalise_url, set_meta
from quietshift.kernel.errors import Invalid, Unavailable
from quietshift.kernel.live import Committed
from quietshift.kernel.schema import counters, meta

THREADS, ROUNDS = 8, 30


def test_concurrent_read_modify_write_loses_no_update(db: Database) -> None:
    with db.write() as tx:
        set_meta(tx, "n", "0")

    def work() -> None:
        for _ in range(ROUNDS):
            with db.write() as tx:
                lock = select(meta.c.value).where(meta.c.key == "n")
                value = int(tx.execute(lock.with_for_update() if tx.dialect == "postgresql" else lock).scalar_one())
                set_meta(tx, "n", str(value + 1))

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.read() as tx:
        assert get_meta(tx, "n") == str(THREADS * ROUNDS)


def test_numbers_have_no_gap_and_no_double_under_concurrency(db: Database) -> None:
    seen: list[int] = []

    def work() -> None:
        for _ in range(ROUNDS):
            with db.write() as tx:
                seen.append(tx.next_number("incidents"))

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1001, 1001 + THREADS * ROUNDS))


def test_a_block_that_raises_changes_nothing_and_announces_nothing(db: Database) -> None:
    told: list[Committed] = []
    called: list[str] = []
    db.live.subscribe(told.append)
    with pytest.raises(ZeroDivisionError), db.write() as tx:  # noqa: PT012 - the block is what fails
        set_meta(tx, "k", "v")
        tx.publish("incidents")
        tx.after_commit(lambda: called.append("no"))
        _ = 1 // 0
    with db.read() as tx:
        assert get_meta(tx, "k") is None
    assert told == []
    assert called == []


def test_a_savepoint_undoes_its_rows_and_its_announcements_alone(db: Database) -> None:
    told: list[Committed] = []
    db.live.subscribe(told.append)
    with db.write() as tx:
        set_meta(tx, "kept", "1")
        tx.publish("kept")
        with pytest.raises(KeyError), tx.savepoint():  # noqa: PT012 - the block is what fails
            set_meta(tx, "undone", "1")
            tx.publish("undone")
            raise KeyError
    assert [message.topics for message in told] == [{"kept"}]
    with db.read() as tx:
        assert get_meta(tx, "kept") == "1"
        assert get_meta(tx, "undone") is None


def test_the_reader_cannot_write(db: Database) -> None:
    with pytest.raises(Exception, match=r"read-?only|readonly"), db.read() as tx:
        set_meta(tx, "k", "v")
    with db.read() as tx:
        assert get_meta(tx, "k") is None


def test_a_reader_sees_one_snapshot_while_others_write(db: Database) -> None:
    with db.write() as tx:
        set_meta(tx, "k", "before")
    with db.read() as reading:
        assert get_meta(reading, "k") == "before"
        with db.write() as tx:
            set_meta(tx, "k", "after")
        assert get_meta(reading, "k") == "before"


def test_upsert_changes_the_named_columns_alone(db: Database) -> None:
    with db.write() as tx:
        tx.upsert(counters, [{"name": "a", "value": 1}, {"name": "b", "value": 2}], key=["name"])
        tx.upsert(counters, [{"name": "a", "value": 9}, {"name": "b", "value": 9}], key=["name"], change=[])
        tx.upsert(counters, {"name": "b", "value": 5}, key=["name"])
    with db.read() as tx:
        assert {r.name: r.value for r in tx.execute(select(counters))} == {"a": 1, "b": 5}


def test_sqlite_commits_reach_the_disk(tmp_path: Path) -> None:
    db = Database.open(str(tmp_path / "x.db"))
    with db.write() as tx:
        assert tx.conn.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert tx.conn.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert (tmp_path / "x.db").stat().st_mode & 0o077 == 0
    db.close()


def test_one_server_per_sqlite_file(tmp_path: Path) -> None:
    first = Database.open(str(tmp_path / "x.db"), exclusive=True)
    with pytest.raises(Invalid, match="in use by another server"):
        Database.open(str(tmp_path / "x.db"), exclusive=True)
    first.close()
    Database.open(str(tmp_path / "x.db"), exclusive=True).close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://x/y", "only sqlite and postgresql"), (":memory:", "name a file"), ("sqlite://", "name a file"),
        ("://", "not a database URL"), ("/nowhere/at/all/x.db", "does not exist"),
    ],
)  # fmt: skip
def test_other_databases_are_refused_by_name(url: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        Database.open(url)


def test_a_url_never_shows_its_password() -> None:
    assert "hunter2" not in str(normalise_url("postgresql://ana:hunter2@host/db"))


def test_a_database_that_is_gone_is_unavailable() -> None:
    db = Database.open("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable, match="cannot take it now"), db.write():
        pass
    db.close()


def test_who_has_to_know_is_told_what_was_undone(db: Database) -> None:
    told: list[str] = []
    with db.write() as tx:
        tx.after_undo(lambda: told.append("kept"))
        with contextlib.suppress(RuntimeError), tx.savepoint():
            tx.after_undo(lambda: told.append("savepoint"))
            raise RuntimeError
    assert told == ["savepoint"]
    with contextlib.suppress(RuntimeError), db.write() as tx:
        tx.after_undo(lambda: told.append("whole"))
        raise RuntimeError
    assert told == ["savepoint", "whole"]
