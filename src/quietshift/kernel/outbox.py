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

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from quietshift.kernel.answer import Answer as Answer  # whoever handles rows needs it as well
from quietshift.kernel.db import Database, Tx
from quietshift.kernel.errors import Unavailable
from quietshift.kernel.ids import new_id
from quietshift.kernel.schema import outbox
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


@dataclass(frozen=True)
class OutboxKind:
    """How rows of a kind are sent and what is made of the answer.

    send: outside any transaction, on one of this kind's `threads`; raises nothing it can answer.
    record: stores the answer, in the transaction that marks the row; delivery.final tells whether it was the last attempt.
    delay: how long to wait after so many attempts; max_attempts: how many there are.
    turn: what `record` waits for that others share; taken before any row is locked, see timers.InTurn.
    """

    kind: str
    send: Callable[[Delivery], Answer]
    record: Callable[[Tx, Delivery, Answer, datetime], None]
    delay: Callable[[int], timedelta] = backoff
    max_attempts: int = 12
    threads: int = 4
    lease: timedelta = field(default=LEASE)
    turn: Callable[[Tx], None] | None = None


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
    born = leased and tx.db.take_born_leased is not None and (due_at is None or due_at <= now)
    row: dict[str, Any] = {
        "id": new_id(now), "kind": kind, "destination": destination, "subject": subject, "payload": dict(payload),
        "state": "pending", "due_at": due_at or now, "give_up_at": give_up_at, "attempts": int(born), "fence": int(born),
        "lease_owner": tx.db.process if born else None, "lease_until": now + LEASE if born else None,
        "error": None, "created_at": now,
    }
    tx.execute(insert(outbox), row)
    if born:
        tx.born_leased.append(
            Delivery(row["id"], kind, destination, subject, row["payload"], 1, row["due_at"], now, give_up_at, 1, now)
        )
        tx.due(now + LEASE)
    else:
        tx.due(due_at or now)
    return str(row["id"])


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
    free = or_(outbox.c.lease_owner.is_(None), outbox.c.lease_until <= now)
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
    claimed = []
    for row in tx.execute(statement):
        tx.execute(
            update(outbox)
            .where(outbox.c.id == row.id)
            .values(lease_owner=tx.db.process, lease_until=now + kind.lease, fence=row.fence + 1, attempts=row.attempts + 1)
        )
        claimed.append(
            Delivery(
                row.id, row.kind, row.destination, row.subject, row.payload, row.attempts + 1, row.due_at,
                row.created_at, row.give_up_at, row.fence + 1, now,
            )
        )
    return claimed


def act(kind: OutboxKind, delivery: Delivery) -> Answer:
    """Send it. An exception of the channel is an answer too: temporary, with the error's words."""
    try:
        return kind.send(delivery)
    except Exception as error:
        log.exception("channel raised", extra={"kind": delivery.kind, "delivery": delivery.id})
        return Answer("temporary", f"{type(error).__name__}: {error}"[:500])


def record(
    tx: Tx, kinds: Mapping[str, OutboxKind], results: Sequence[tuple[Delivery, Answer]], now: datetime
) -> None:
    """Store what came of these attempts. A row that another process has claimed since is left to that one.

    A row whose result cannot be recorded is parked; where the store cannot, nothing is, and all are kept by the caller.
    """
    for turn in {kinds[delivery.kind].turn for delivery, _ in results}:
        if turn is not None:
            turn(tx)
    for delivery, answer in results:
        row = tx.execute(
            select(outbox.c.state).where(outbox.c.id == delivery.id, outbox.c.fence == delivery.fence)
        ).one_or_none()
        if row is None:
            log.warning("late result dropped", extra={"kind": delivery.kind, "delivery": delivery.id})
            continue
        kind = kinds[delivery.kind]
        try:
            with tx.savepoint():
                _record_one(tx, kind, delivery, answer, row.state, now)
        except (OperationalError, InterfaceError, Unavailable):  # deadlock, lost connection, a full disk: not this row's fault
            raise
        except Exception as error:
            log.exception("record failed", extra={"kind": delivery.kind, "delivery": delivery.id})
            tx.execute(
                update(outbox)
                .where(outbox.c.id == delivery.id)
                .values(state="parked", error=f"{type(error).__name__}: {error}"[:2000], lease_owner=None, lease_until=None)
            )


def _record_one(tx: Tx, kind: OutboxKind, delivery: Delivery, answer: Answer, state: str, now: datetime) -> None:
    retry_at = now + kind.delay(delivery.attempt)
    final = (
        answer.outcome != "temporary"
        or state == "cancelled"
        or delivery.attempt >= kind.max_attempts
        or (delivery.give_up_at is not None and retry_at > delivery.give_up_at)
    )
    if final:
        tx.execute(delete(outbox).where(outbox.c.id == delivery.id))
    else:
        tx.execute(
            update(outbox)
            .where(outbox.c.id == delivery.id)
            .values(due_at=retry_at, lease_owner=None, lease_until=None, error=answer.text[:2000])
        )
        tx.due(retry_at)
    kind.record(tx, replace(delivery, final=final), answer, now)


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
