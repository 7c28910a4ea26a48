"""Outbox: rows whose effect is outside (a mail, a call, a POST). Claim, commit, act, record.

No message is marked sent before it is sent: after a crash between act and record it is sent once more, with the same id as
idempotency key. A lease says who is sending; a fence counts the claims, so that who comes back late records nothing over who
took over. A row may be born leased to its writer, which saves the claim.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from quietshift.kernel.answer import Answer as Answer  # whoever handles rows needs it as well
from quietshift.kernel.clock import to_micros
from quietshift.kernel.db import Database, Tx
from quietshift.kernel.errors import Unavailable
from quietshift.kernel.ids import new_id
from quietshift.kernel.schema import outbox, to_json
from quietshift.kernel.timers import Parked, backoff

log = logging.getLogger("quietshift.outbox")
LEASE = timedelta(seconds=60)  # longer than any channel's own time limit


@dataclass(frozen=True)
class Delivery:
    """One attempt to bring a row outside. id is the idempotency key, the same in every attempt; attempt counts from 1.

    attempted_at: the instant just before `send`; None until then.
    """

    id: str
    kind: str
    destination: str
    subject: str
    payload: dict[str, Any]
    attempt: int
    due_at: datetime
    created_at: datetime
    give_up_at: datetime | None
    fence: int
    claimed_at: datetime
    final: bool = False  # in `record`: no further attempt follows
    attempted_at: datetime | None = None


Result = tuple[Delivery, Answer]


@dataclass(frozen=True)
class OutboxKind:
    """How rows of a kind are sent and what is made of the answer.

    send: outside any transaction, on one of this kind's `threads`; raises nothing it can answer.
    record: stores the answer, in the transaction that marks the row; delivery.final tells whether it was the last attempt.
    delay: how long to wait after so many attempts; max_attempts: how many there are.
    turn: what `record` waits for that others share; taken before any row is locked, see timers.InTurn.
    record_all: as `record`, of many at once, where that costs little more than one.
    linger: seconds for which an answer may wait for others to be recorded with it: what a crash repeats, it repeats so much more.
    """

    kind: str
    send: Callable[[Delivery], Answer]
    record: Callable[[Tx, Delivery, Answer, datetime], None]
    delay: Callable[[int], timedelta] = backoff
    max_attempts: int = 12
    threads: int = 4
    lease: timedelta = field(default=LEASE)
    turn: Callable[[Tx], None] | None = None
    record_all: Callable[[Tx, Sequence[Result], datetime], None] | None = None
    linger: float = 0.0


@dataclass(frozen=True)
class Message:
    """What is to be sent. subject: what `cancel` names."""

    destination: str
    payload: Mapping[str, Any]
    subject: str = ""
    give_up_at: datetime | None = None


def enqueue(
    tx: Tx,
    kind: str,
    destination: str,
    payload: Mapping[str, Any],
    now: datetime,
    *,
    due_at: datetime | None = None,
    subject: str = "",
    give_up_at: datetime | None = None,
    leased: bool = False,
) -> str:
    """Write a row to be sent at due_at (default: now); returns its id.

    leased: this process sends it itself right after the commit, without a claim. subject: what `cancel` names.
    """
    message = Message(destination, payload, subject, give_up_at)
    return enqueue_many(tx, kind, [message], now, due_at=due_at, leased=leased)[0]


def enqueue_many(
    tx: Tx, kind: str, messages: Sequence[Message], now: datetime, *, due_at: datetime | None = None, leased: bool = False
) -> list[str]:
    """Write rows of a kind; returns their ids. See `enqueue`."""
    born = leased and tx.db.take_born_leased is not None and (due_at is None or due_at <= now)
    due = due_at or now
    made = [
        Delivery(new_id(now), kind, m.destination, m.subject, dict(m.payload), int(born), due, now, m.give_up_at, int(born), now)
        for m in messages
    ]
    owner, until = (tx.db.process, to_micros(now + LEASE)) if born else (None, None)
    tx.insert(
        _ROW,
        [
            (
                d.id, kind, d.destination, d.subject, to_json(d.payload), to_micros(due),
                None if d.give_up_at is None else to_micros(d.give_up_at), d.attempt, d.fence, owner, until, to_micros(now),
                "pending",
            )
            for d in made
        ],
    )  # fmt: skip
    if made:
        tx.due(now + LEASE if born else due)
    if born:
        tx.born_leased += made
    return [d.id for d in made]


_ROW = (
    "outbox (id, kind, destination, subject, payload, due_at, give_up_at, attempts, fence, lease_owner, lease_until, created_at, "
    "state)"
)


def call_off(tx: Tx, subjects: Collection[tuple[str, str]], now: datetime) -> set[tuple[str, str]]:
    """`cancel` for many kinds and subjects; returns those of which one is being sent at this moment."""
    found = tx.run(
        "SELECT id, kind, subject, state, lease_owner, lease_until FROM outbox WHERE kind AMONG ? AND subject AMONG ?",
        [tx.these({kind for kind, _ in subjects}), tx.these({subject for _, subject in subjects})],
    )
    free: list[tuple[str]] = []
    flying: list[tuple[str]] = []
    under_way: set[tuple[str, str]] = set()
    for row_id, kind, subject, state, owner, until in found:
        if (kind, subject) not in subjects:
            continue
        if state == "pending":
            (free if owner is None else flying).append((row_id,))
        if owner is not None and until > to_micros(now) and state != "parked":
            under_way.add((kind, subject))
    tx.run_many("DELETE FROM outbox WHERE id = ? AND lease_owner IS NULL", free)
    tx.run_many("UPDATE outbox SET state = 'cancelled' WHERE id = ?", flying)
    return under_way


def cancel(tx: Tx, kind: str, subject: str) -> int:
    """Take back what is not sent yet; returns how many. What is being sent at this moment is still recorded, but not repeated."""
    mine = (outbox.c.kind == kind, outbox.c.subject == subject, outbox.c.state == "pending")
    gone = tx.execute(delete(outbox).where(*mine, outbox.c.lease_owner.is_(None))).rowcount
    flying = tx.execute(update(outbox).where(*mine).values(state="cancelled")).rowcount
    return gone + flying


def claim(tx: Tx, kind: OutboxKind, now: datetime, limit: int, but: Collection[str] = ()) -> list[Delivery]:
    """Lease up to `limit` due rows of this kind to this process. Commit before acting on them.

    but: rows that this process has in hand, even if their lease has run out: being sent, or sent and not recorded yet.
    """
    expired = outbox.c.lease_until <= now
    if not tx.db.live.settled():
        expired = and_(expired, outbox.c.lease_owner == tx.db.process)
    free = or_(outbox.c.lease_owner.is_(None), expired)
    statement = (
        select(outbox)
        .where(outbox.c.kind == kind.kind, outbox.c.state == "pending", outbox.c.due_at <= now, free)
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(limit)
    )
    if but:
        statement = statement.where(outbox.c.id.not_in(but))
    if tx.dialect == "postgresql":
        statement = statement.with_for_update(skip_locked=True)
    claimed = [
        Delivery(
            row.id, row.kind, row.destination, row.subject, row.payload, row.attempts + 1, row.due_at,
            row.created_at, row.give_up_at, row.fence + 1, now,
        )
        for row in tx.execute(statement)
    ]  # fmt: skip
    tx.run_many(
        "UPDATE outbox SET lease_owner = ?, lease_until = ?, fence = ?, attempts = ? WHERE id = ?",
        [(tx.db.process, to_micros(now + kind.lease), d.fence, d.attempt, d.id) for d in claimed],
    )
    return claimed


def act(kind: OutboxKind, delivery: Delivery) -> Answer:
    """Send it. An exception of the channel is an answer too: temporary, with the error's words."""
    try:
        return kind.send(delivery)
    except Exception as error:
        log.exception("channel raised", extra={"kind": delivery.kind, "delivery": delivery.id})
        return Answer("temporary", f"{type(error).__name__}: {error}"[:500])


def record(tx: Tx, kinds: Mapping[str, OutboxKind], results: Sequence[Result], now: datetime) -> None:
    """Store what came of these attempts. A row that another process has claimed since is left to that one.

    A row whose result cannot be recorded is parked; where the store cannot, nothing is, and all are kept by the caller.
    """
    for turn in {kinds[delivery.kind].turn for delivery, _ in results}:
        if turn is not None:
            turn(tx)
    ids = tx.these([delivery.id for delivery, _ in results])
    states = {(r[0], r[1]): r[2] for r in tx.run("SELECT id, fence, state FROM outbox WHERE id AMONG ?", [ids])}
    known = []
    for delivery, answer in results:
        state = states.get((delivery.id, delivery.fence))
        if state is None:
            log.warning("late result dropped", extra={"kind": delivery.kind, "delivery": delivery.id})
            continue
        retry_at = now + kinds[delivery.kind].delay(delivery.attempt)
        known.append((replace(delivery, final=_final(kinds[delivery.kind], delivery, answer, state, retry_at)), answer, retry_at))
    try:  # together, as nearly always; if one fails, each by itself
        with tx.savepoint():
            _record(tx, kinds, known, now)
    except STORE_FAILED:
        raise
    except Exception:
        for one in known:
            _record_alone(tx, kinds, one, now)


STORE_FAILED = (OperationalError, InterfaceError, Unavailable)  # deadlock, lost connection, a full disk: no row's fault
Judged = tuple[Delivery, Answer, datetime]  # with `final` known, and when the next attempt is made if it is not


def _final(kind: OutboxKind, delivery: Delivery, answer: Answer, state: str, retry_at: datetime) -> bool:
    return (
        answer.outcome != "temporary"
        or state == "cancelled"
        or delivery.attempt >= kind.max_attempts
        or (delivery.give_up_at is not None and retry_at > delivery.give_up_at)
    )


def _record(tx: Tx, kinds: Mapping[str, OutboxKind], results: Sequence[Judged], now: datetime) -> None:
    tx.run_many("DELETE FROM outbox WHERE id = ?", [(delivery.id,) for delivery, _, _ in results if delivery.final])
    again = [(delivery, answer, retry_at) for delivery, answer, retry_at in results if not delivery.final]
    tx.run_many(
        "UPDATE outbox SET due_at = ?, lease_owner = NULL, lease_until = NULL, error = ? WHERE id = ?",
        [(to_micros(retry_at), answer.text[:2000], delivery.id) for delivery, answer, retry_at in again],
    )
    for _, _, retry_at in again:
        tx.due(retry_at)
    of_kind: dict[str, list[Result]] = {}
    for delivery, answer, _ in results:
        of_kind.setdefault(delivery.kind, []).append((delivery, answer))
    for name, of in of_kind.items():
        kind = kinds[name]
        if kind.record_all is not None:
            kind.record_all(tx, of, now)
            continue
        for delivery, answer in of:
            kind.record(tx, delivery, answer, now)


def _record_alone(tx: Tx, kinds: Mapping[str, OutboxKind], result: Judged, now: datetime) -> None:
    delivery = result[0]
    try:
        with tx.savepoint():
            _record(tx, kinds, [result], now)
    except STORE_FAILED:
        raise
    except Exception as error:
        log.exception("record failed", extra={"kind": delivery.kind, "delivery": delivery.id})
        tx.execute(
            update(outbox)
            .where(outbox.c.id == delivery.id)
            .values(state="parked", error=f"{type(error).__name__}: {error}"[:2000], lease_owner=None, lease_until=None)
        )


def next_due(tx: Tx, kinds: Sequence[str]) -> datetime | None:
    """When the earliest row of these kinds can be claimed; None where nothing waits."""
    base = select(func.min(outbox.c.due_at)).where(outbox.c.state == "pending", outbox.c.kind.in_(kinds))
    leases = select(func.min(outbox.c.lease_until)).where(
        outbox.c.state == "pending", outbox.c.kind.in_(kinds), outbox.c.lease_owner.is_not(None)
    )
    free = tx.execute(base.where(outbox.c.lease_owner.is_(None))).scalar_one_or_none()
    leased = tx.execute(leases).scalar_one_or_none()
    return min((instant for instant in (free, leased) if instant is not None), default=None)


def release(tx: Tx, owner: str | None) -> int:
    """Free the rows leased to a process that is gone (None: to anybody), so that they are claimed at once."""
    leased = outbox.c.lease_owner.is_not(None) if owner is None else outbox.c.lease_owner == owner
    tx.execute(delete(outbox).where(leased, outbox.c.state == "cancelled"))  # taken back: nobody waits for its result
    # who died before acting and who died after it look alike: the attempt is made again
    return tx.execute(update(outbox).where(leased).values(lease_owner=None, lease_until=None)).rowcount


def free(tx: Tx, deliveries: Collection[str]) -> int:
    """Free rows of this process that nobody sends: born in a transaction that was committed, which it was never told."""
    mine = (outbox.c.id.in_(deliveries), outbox.c.lease_owner == tx.db.process)
    freed = {"lease_owner": None, "lease_until": None, "attempts": outbox.c.attempts - 1}
    return tx.execute(update(outbox).where(*mine).values(freed)).rowcount


def let_go(tx: Tx, delivery: Delivery, now: datetime) -> None:
    """Give up the lease on what was not sent after all, so that it is claimed anew at once. Whoever took over keeps theirs."""
    mine = (outbox.c.id == delivery.id, outbox.c.fence == delivery.fence)
    tx.execute(update(outbox).where(*mine).values(lease_owner=None, lease_until=None, attempts=outbox.c.attempts - 1))
    tx.due(now)


def lease_owners(tx: Tx) -> list[str]:
    """The processes that hold leases."""
    statement = select(outbox.c.lease_owner).where(outbox.c.lease_owner.is_not(None)).distinct()
    return [owner for owner in tx.execute(statement).scalars() if owner is not None]


def run_due(db: Database, kinds: Mapping[str, OutboxKind], now: datetime, limit: int = 100) -> int:
    """Claim, send and record in this thread, one after the other: for stories and simulations, where time is driven."""
    sent = 0
    for kind in kinds.values():
        with db.write() as tx:
            claimed = claim(tx, kind, now, limit)
        started = [replace(delivery, attempted_at=now) for delivery in claimed]
        results = [(delivery, act(kind, delivery)) for delivery in started]
        if results:
            with db.write() as tx:
                record(tx, kinds, results, now)
        sent += len(results)
    return sent


def parked(tx: Tx) -> list[Parked]:
    """Rows whose result could not be recorded: they wait for a person, oldest first."""
    statement = select(outbox).where(outbox.c.state == "parked").order_by(outbox.c.id)
    return [Parked(r.id, r.kind, r.subject, r.attempts, r.error or "", None) for r in tx.execute(statement)]


def revive(tx: Tx, delivery_id: str, now: datetime) -> bool:
    """Try a parked row again, now; tells whether it was parked."""
    mine = (outbox.c.id == delivery_id, outbox.c.state == "parked")
    done = tx.execute(update(outbox).where(*mine).values(state="pending", due_at=now, lease_owner=None, lease_until=None))
    tx.due(now)
    return done.rowcount > 0
