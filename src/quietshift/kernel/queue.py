"""Work that waits or does not advance: due rows for people to see, and to set going again. An act on record, as any other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from quietshift.kernel import journal
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import Conflict, NotFound
from quietshift.kernel.schema import outbox, timers


@dataclass(frozen=True)
class Waiting:
    """A timer or an outbox row. queue: "timers" or "outbox"; state: waiting, failing (tried, to be tried again) or parked."""

    queue: str
    id: str
    kind: str
    subject: str
    due_at: datetime
    state: str
    attempts: int
    error: str


def waiting(tx: Tx, *, parked: bool = False, limit: int = 100) -> list[Waiting]:
    """Rows that are not done, the parked ones first, then by due time. parked: those alone."""
    held = select(timers).order_by(timers.c.parked_at.is_(None), timers.c.due_at).limit(limit)
    sent = select(outbox).order_by(outbox.c.state != "parked", outbox.c.due_at).limit(limit)
    if parked:
        held, sent = held.where(timers.c.parked_at.is_not(None)), sent.where(outbox.c.state == "parked")
    rows = [_timer(r) for r in tx.execute(held)] + [_message(r) for r in tx.execute(sent)]
    return sorted(rows, key=lambda w: (w.state != "parked", w.due_at))[:limit]


def _state(parked: bool, error: str | None) -> str:
    return "parked" if parked else "failing" if error else "waiting"


def retry(tx: Tx, row_id: str, actor: str, now: datetime) -> Waiting:
    """Try a parked row again, now. Raises NotFound, Conflict where it is not parked."""
    timer = tx.execute(select(timers).where(timers.c.id == row_id)).one_or_none()
    message = tx.execute(select(outbox).where(outbox.c.id == row_id)).one_or_none()
    if timer is None and message is None:
        raise NotFound(f"no timer and no outbox row {row_id!r} waits; it may be done")
    found = _timer(timer) if timer is not None else _message(message)
    if found.state != "parked":
        raise Conflict(f"{row_id} is not parked: it is tried again by itself, at {found.due_at.isoformat()}")
    if found.queue == "timers":
        tx.execute(update(timers).where(timers.c.id == row_id).values(parked_at=None, attempts=0, due_at=now))
    else:
        tx.execute(update(outbox).where(outbox.c.id == row_id).values(state="pending", attempts=0, due_at=now))
    tx.due(now)
    data = {"kind": found.kind, "of": found.subject}
    journal.append(tx, now, actor, "queue.retried", f"{found.queue}:{row_id}", found.error, data)
    return replace(found, due_at=now, state=_state(False, found.error), attempts=0)


def _timer(row: Any) -> Waiting:
    state = _state(row.parked_at is not None, row.error)
    return Waiting("timers", row.id, row.kind, row.subject, row.due_at, state, row.attempts, row.error or "")


def _message(row: Any) -> Waiting:
    state = _state(row.state == "parked", row.error)
    return Waiting("outbox", row.id, row.kind, row.subject, row.due_at, state, row.attempts, row.error or "")
