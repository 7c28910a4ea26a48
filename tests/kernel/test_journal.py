"""The journal: what was changed, removed, reordered or cut off is found; what is secret never gets there; payloads can go."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from quietshift.kernel import journal
from quietshift.kernel.clock import ManualClock
from quietshift.kernel.db import Database
from quietshift.kernel.errors import Invalid, NotFound
from quietshift.kernel.schema import journal as entries
from quietshift.kernel.schema import journal_payloads as payloads
from quietshift.kernel.schema import journal_seals as seals

KEY = b"k" * 32


def fill(db: Database, clock: ManualClock, count: int = 5) -> list[str]:
    ids = []
    for n in range(count):
        with db.write() as tx:
            at = clock.advance(timedelta(seconds=1))
            ids.append(journal.append(tx, at, "user:ana", "incident.noted", f"incident:INC-{1001 + n}", f"because {n}", {"n": n}))
    journal.seal(db, KEY)
    return ids


def findings(db: Database, head: str | None = None) -> list[str]:
    with db.read() as tx:
        return journal.verify(tx, KEY, head).findings


def test_a_whole_journal_verifies_and_the_head_moves_with_it(db: Database, clock: ManualClock) -> None:
    fill(db, clock)
    with db.read() as tx:
        first = journal.head(tx)
    fill(db, clock, 2)
    with db.read() as tx:
        assert journal.head(tx) != first
        result = journal.verify(tx, KEY, first)
        assert (result.findings, result.sealed, result.unsealed) == ([], 7, 0)
        newest = journal.entries(tx, limit=1)[0]
        assert (newest.actor, newest.act, newest.why) == ("user:ana", "incident.noted", "because 1")
        assert (newest.data, newest.seq) == ({"n": 1}, 7)
    assert journal.seal(db, KEY) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda i: update(entries).where(entries.c.id == i).values(actor="user:mallory"),
        lambda i: update(entries).where(entries.c.id == i).values(act="incident.resolved"),
        lambda i: update(payloads).where(payloads.c.entry_id == i).values(why="another reason"),
        lambda i: update(payloads).where(payloads.c.entry_id == i).values(data={"n": 99}),
        lambda i: delete(entries).where(entries.c.id == i),
        lambda i: delete(payloads).where(payloads.c.entry_id == i),
        lambda i: delete(seals).where(seals.c.entry_id == i),
        lambda i: update(seals).where(seals.c.entry_id == i).values(seal="0" * 64),
    ],
)  # fmt: skip
def test_every_single_change_or_removal_is_found(db: Database, clock: ManualClock, change: object) -> None:
    victim = fill(db, clock)[2]
    with db.write() as tx:
        tx.execute(change(victim))  # type: ignore[operator]  # one of the statements above
    assert findings(db)


def test_reordering_is_found(db: Database, clock: ManualClock) -> None:
    fill(db, clock)
    with db.write() as tx:
        rows = {r.seq: r for r in tx.execute(select(seals))}
        tx.execute(delete(seals).where(seals.c.seq.in_([2, 3])))
        for seq, other in ((2, 3), (3, 2)):
            row = rows[other]
            swapped = {"seq": seq, "entry_id": row.entry_id, "entry_digest": row.entry_digest, "seal": rows[seq].seal}
            tx.execute(insert(seals), swapped)
    assert any("does not follow" in finding for finding in findings(db))


def test_who_lacks_the_key_cannot_rewrite_the_chain(db: Database, clock: ManualClock) -> None:
    victim = fill(db, clock)[4]
    with db.write() as tx:
        tx.execute(update(entries).where(entries.c.id == victim).values(actor="user:mallory"))
        tx.execute(delete(seals))
    journal.seal(db, b"another key".ljust(32))
    assert any("does not follow" in finding for finding in findings(db))


def test_a_cut_off_tail_is_found_by_a_head_kept_elsewhere(db: Database, clock: ManualClock) -> None:
    ids = fill(db, clock)
    with db.read() as tx:
        head = journal.head(tx)
    with db.write() as tx:
        for table, column in ((seals, seals.c.entry_id), (payloads, payloads.c.entry_id), (entries, entries.c.id)):
            tx.execute(delete(table).where(column.in_(ids[3:])))
    assert findings(db) == []  # by itself a shorter chain is a whole one
    assert any("cut off" in finding for finding in findings(db, head))
    fill(db, clock, 2)
    assert any("is not the head" in finding for finding in findings(db, head))


def test_a_payload_is_erased_by_an_act_on_record_and_the_chain_holds(db: Database, clock: ManualClock) -> None:
    victim = fill(db, clock)[1]
    with db.write() as tx:
        journal.erase_payload(tx, victim, clock.now(), "user:chen", "asked by the person")
    journal.seal(db, KEY)
    assert findings(db) == []
    with db.read() as tx:
        erased = next(e for e in journal.entries(tx) if e.id == victim)
        assert (erased.why, erased.data) == (None, None)
        assert journal.entries(tx)[0].subject == f"journal:{victim}"
    with pytest.raises(NotFound), db.write() as tx:
        journal.erase_payload(tx, victim, clock.now(), "user:chen", "again")


SECRETS = {
    "password": "hunter2hunter2",
    "note": "curl -H 'Authorization: Bearer abcdef1234567890' https://ana:s3cr3tpw@example.org/x?token=qqqqqqqqqqqq",
    "nested": [{"api_key": "zzzzzzzzzzzz", "aws": "AKIAIOSFODNN7EXAMPLE"}],
    "key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlMTIz",
}


def test_secrets_are_redacted_before_they_are_written(db: Database, clock: ManualClock) -> None:
    why = "ran with GITHUB_TOKEN=ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    with db.write() as tx:
        journal.append(tx, clock.now(), "user:ana", "run.started", "run:1", why, SECRETS)
        written = json.dumps([dict(row._mapping) for row in tx.execute(select(payloads))])
    for secret in (
        "hunter2", "abcdef1234567890", "s3cr3tpw", "qqqqqqqqqqqq", "zzzzzzzzzzzz", "AKIAIOSFODNN7EXAMPLE", "MIIEpAIBAAKCAQEA",
        "eyJhbGciOiJIUzI1NiJ9", "ghp_",
    ):  # fmt: skip
        assert secret not in written
    assert "example.org" in written  # what is no secret stays readable
    assert "ran with GITHUB_TOKEN=" in written


def test_a_look_at_the_youngest_entries_leaves_older_ones_to_the_whole_look(db: Database, clock: ManualClock) -> None:
    with db.write() as tx:
        journal.append(tx, clock.now(), "user:ana", "test", "x:old")
        young = clock.advance(timedelta(minutes=20))
        journal.append(tx, young, "user:ana", "test", "x:young")
    journal.seal(db, KEY, since=young - timedelta(minutes=10))
    with db.read() as tx:
        assert [e.subject for e in journal.entries(tx) if e.seq is not None] == ["x:young"]
    journal.seal(db, KEY)
    with db.read() as tx:
        result = journal.verify(tx, KEY)
    assert (result.sealed, result.unsealed, result.findings) == (2, 0, [])


@pytest.mark.parametrize("head", ["x", "12", "12:abc", "-1:" + "0" * 64, ":" + "0" * 64])
def test_a_head_that_is_none_is_refused(db: Database, head: str) -> None:
    with pytest.raises(Invalid, match="--head"):
        findings(db, head)
