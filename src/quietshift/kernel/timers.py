"""Timers: rows that say what has to happen when. A handler touches only the database, so many due rows share one transaction.

A timer is named by its kind and subject; setting it again replaces it. A handler that raises is undone alone, tried again
with growing delays, and parked with its error in the end: it never blocks the others.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import OperationalError

from quietshift.kernel.clock import from_micros, to_micros
from quietshift.kernel.db import Database, Tx
from quietshift.kernel.errors import Unavailable
from quietshift.kernel.ids import new_id
from quietshift.kernel.schema import timers, to_json

log = logging.getLogger("quietshift.timers")
BATCH = 100
CONTENDED = {"40001", "40P01", "55P03"}  # PostgreSQL: serialization failure, deadlock, lock timeout: nobody's fault, try again
MAX_ATTEMPTS = 10


@dataclass(frozen=True)
class Timer:
    """A due row. payload: what its writer left for the handler (JSON). attempts: failed ones so far."""

    id: str
    kind: str
    subject: str
    due_at: datetime
    payload: dict[str, Any]
    attempts: int = 0


class TimerHandler(Protocol):
    """Does what is due, in the transaction given. It may set the same timer again."""

    def __call__(self, tx: Tx, timer: Timer, now: datetime) -> None: ...


@dataclass(frozen=True)
class InTurn:
    """A handler that waits for a turn which many share. turn: takes it, before any row is locked; so its timers can be run
    many at once on PostgreSQL too, and nobody who has the turn waits for a row of theirs."""

    turn: Callable[[Tx], None]
    handler: TimerHandler

    def __call__(self, tx: Tx, timer: Timer, now: datetime) -> None:
        self.handler(tx, timer, now)


@dataclass(frozen=True)
class Together(InTurn):
    """Such a handler that takes many timers in one call, which costs little more than one. most: how many at once."""

    handler: Callable[[Tx, Sequence[Timer], datetime], None]  # type: ignore[assignment]  # many in place of one
    most: int = 50

    def __call__(self, tx: Tx, timer: Timer, now: datetime) -> None:
        self.handler(tx, [timer], now)


def schedule(
    tx: Tx, kind: str, subject: str, due_at: datetime, now: datetime, payload: Mapping[str, Any] | None = None
) -> None:
    """Set the timer of this kind and subject: once, at due_at. An earlier setting is replaced, a parked one revived."""
    schedule_many(tx, kind, [(subject, due_at)], now, payload)


def schedule_many(
    tx: Tx, kind: str, settings: Sequence[tuple[str, datetime]], now: datetime, payload: Mapping[str, Any] | None = None
) -> None:
    """Set timers of a kind: subjects, each with its due_at. See `schedule`."""
    text = to_json(payload or {})
    tx.insert(_TIMER, [(new_id(now), kind, subject, to_micros(due_at), text, 0) for subject, due_at in settings], _REPLACE)
    if settings:
        tx.due(min(due_at for _, due_at in settings))


_TIMER = "timers (id, kind, subject, due_at, payload, attempts)"
_REPLACE = """ON CONFLICT (kind, subject) DO UPDATE SET
    id = excluded.id, due_at = excluded.due_at, payload = excluded.payload, attempts = 0, error = NULL, parked_at = NULL
"""


def cancel(tx: Tx, kind: str, subject: str) -> bool:
    """Remove the timer; tells whether there was one."""
    gone = tx.execute(delete(timers).where(timers.c.kind == kind, timers.c.subject == subject))
    return gone.rowcount > 0


def hold(tx: Tx, kind: str, subject: str) -> None:
    """Let nobody else take or change this timer before the transaction ends, where it is set."""
    if tx.dialect == "postgresql":
        tx.execute(select(timers.c.id).where(timers.c.kind == kind, timers.c.subject == subject).with_for_update())


def get(tx: Tx, kind: str, subject: str) -> Timer | None:
    """The timer as it is set now; None where there is none."""
    row = tx.execute(select(timers).where(timers.c.kind == kind, timers.c.subject == subject)).one_or_none()
    return None if row is None else _timer(row)


def next_due(tx: Tx) -> datetime | None:
    """When the earliest timer is due; None where nothing waits."""
    statement = select(func.min(timers.c.due_at)).where(timers.c.parked_at.is_(None))
    return tx.execute(statement).scalar_one_or_none()


def run_due(
    db: Database,
    handlers: Mapping[str, TimerHandler],
    now: datetime,
    limit: int = BATCH,
    budget: float = math.inf,
    kinds: Collection[str] | None = None,
    ahead: bool = False,
) -> int:
    """Run timers due at `now`, oldest first; returns how many were taken (limit: there may be more).

    budget: seconds after which a transaction begins no further one, for others wait for their turn to write. kinds: only these.
    ahead: before others that wait to write.

    On SQLite, where there is one writer, in one transaction. On PostgreSQL a transaction that held many rows would wait for
    one that holds others and waits for it: each runs in its own, those of an InTurn together.
    """
    if db.dialect == "postgresql":
        return _run_units(db, handlers, now, limit, budget, kinds)
    with db.write(ahead=ahead) as tx:
        due = _due(tx, now, limit, kinds)
        return len(due) if _run_together(tx, handlers, due, now, budget) else limit


def _run_units(
    db: Database, handlers: Mapping[str, TimerHandler], now: datetime, limit: int, budget: float, kinds: Collection[str] | None
) -> int:
    with db.read() as tx:
        units: dict[str, list[Timer]] = {}
        for timer in _due(tx, now, limit, kinds):
            units.setdefault(timer.kind if isinstance(handlers.get(timer.kind), InTurn) else timer.id, []).append(timer)
    taken = 0
    for unit in units.values():
        try:
            with db.write() as tx:
                handler = handlers.get(unit[0].kind)
                if isinstance(handler, InTurn):
                    handler.turn(tx)
                due = _due(tx, now, limit, of=unit)
                whole = _run_together(tx, handlers, due, now, budget)
        except Unavailable as error:
            if not _contended(error.__cause__):
                raise
            log.warning("timers wait for others: %s", error, extra={"kind": unit[0].kind})
        else:
            taken += len(due) if whole else limit
    return min(taken, limit)


def _due(
    tx: Tx, now: datetime, limit: int, kinds: Collection[str] | None = None, of: Sequence[Timer] | None = None
) -> list[Timer]:
    """The oldest due timers. of: those among these that nobody else has taken, and locked."""
    if of is not None:
        rows = tx.run(_DUE_AND_FREE, [to_micros(now), tx.these([timer.id for timer in of]), limit])
    elif kinds is not None:
        rows = tx.run(_DUE_OF_KINDS, [to_micros(now), to_micros(now), tx.these(kinds), limit])
        if len(rows) >= limit:
            rows = _oldest_of_each(tx, now, kinds) + rows
            rows = list({row[0]: row for row in rows}.values())[:limit]
    else:
        rows = tx.run(_DUE, [to_micros(now), limit])
    return [Timer(r[0], r[1], r[2], from_micros(r[3]), json.loads(r[4]), r[5]) for r in rows]


_SELECT = "SELECT id, kind, subject, due_at, payload, attempts FROM timers WHERE due_at <= ? AND parked_at IS NULL"
_OLDEST = " ORDER BY due_at, id LIMIT ?"
_DUE = _SELECT + _OLDEST
# the oldest are found without their payloads, which a backlog of thousands would otherwise carry through the sorter
_IDS_OF_KINDS = "SELECT id FROM timers WHERE due_at <= ? AND parked_at IS NULL AND kind AMONG ?"
_DUE_OF_KINDS = _SELECT + " AND id IN (" + _IDS_OF_KINDS + _OLDEST + ") ORDER BY due_at, id"
_DUE_AND_FREE = _SELECT + " AND id AMONG ?" + _OLDEST + " FOR UPDATE SKIP LOCKED"


def _oldest_of_each(tx: Tx, now: datetime, kinds: Collection[str]) -> list[tuple[Any, ...]]:
    """Of a backlog, the oldest of each kind and of each part that stands before a colon in the subject, as a receiver does: so
    that a storm of one receiver is not what every other waits for."""
    part = "split_part(subject, ':', 1)" if tx.dialect == "postgresql" else "substr(subject, 1, instr(subject, ':'))"
    heads = f"SELECT min(id) FROM timers WHERE due_at <= ? AND parked_at IS NULL AND kind AMONG ? GROUP BY kind, {part}"  # noqa: S608
    rows = tx.run(heads, [to_micros(now), tx.these(kinds)])  # no value is in the statement: one of the two words above
    return tx.run(_SELECT + " AND id AMONG ?" + _OLDEST, [to_micros(now), tx.these([row[0] for row in rows]), BATCH])


def due_kinds(tx: Tx, now: datetime) -> set[str]:
    """The kinds of which a timer is due."""
    found = tx.run("SELECT DISTINCT kind FROM timers WHERE due_at <= ? AND parked_at IS NULL", [to_micros(now)])
    return {row[0] for row in found}


def _run_together(tx: Tx, handlers: Mapping[str, TimerHandler], due: list[Timer], now: datetime, budget: float) -> bool:
    """Whether none was left for the next transaction."""
    if not due:
        return True
    try:  # together, as nearly always; if one fails, each by itself
        with tx.savepoint():
            ends = time.monotonic() + budget
            for unit in _units(handlers, due):
                if time.monotonic() > ends:
                    return False
                _run(tx, handlers, unit, now)
    except Exception as problem:
        if isinstance(problem, Unavailable) or _contended(problem):
            raise
        for timer in due:
            try:
                with tx.savepoint():
                    _run(tx, handlers, [timer], now)
            except Exception as error:
                if isinstance(error, Unavailable) or _contended(error):
                    raise
                _failed(tx, timer, error, now)
    return True


def _units(handlers: Mapping[str, TimerHandler], due: Sequence[Timer]) -> Iterator[list[Timer]]:
    """In their order, what one handler takes at once."""
    unit: list[Timer] = []
    for timer in due:
        handler = handlers.get(timer.kind)
        most = handler.most if isinstance(handler, Together) else 1
        if unit and (unit[0].kind != timer.kind or len(unit) >= most):
            yield unit
            unit = []
        unit.append(timer)
    yield unit


def _contended(error: BaseException | None) -> bool:
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) in CONTENDED


def _run(tx: Tx, handlers: Mapping[str, TimerHandler], unit: Sequence[Timer], now: datetime) -> None:
    ids = tx.these([timer.id for timer in unit])
    there = {row[0] for row in tx.run("DELETE FROM timers WHERE id AMONG ? RETURNING id", [ids])}
    unit = [timer for timer in unit if timer.id in there]  # not what one before it in this batch cancelled or replaced
    if not unit:
        return
    handler = handlers.get(unit[0].kind)
    if handler is None:
        raise LookupError(f"no handler for timers of kind {unit[0].kind!r}")
    if isinstance(handler, Together):
        handler.handler(tx, unit, now)
    else:
        handler(tx, unit[0], now)


def _failed(tx: Tx, timer: Timer, error: Exception, now: datetime) -> None:
    attempts = timer.attempts + 1
    parked = attempts >= MAX_ATTEMPTS
    due_at = now + backoff(attempts)
    log.error("timer failed", exc_info=error, extra={"kind": timer.kind, "subject": timer.subject, "parked": parked})
    tx.execute(
        update(timers)
        .where(timers.c.id == timer.id)
        .values(
            attempts=attempts, error=f"{type(error).__name__}: {error}"[:2000], due_at=due_at,
            parked_at=now if parked else None,
        )
    )
    if not parked:
        tx.due(due_at)


def backoff(attempts: int, first: timedelta = timedelta(seconds=1), most: timedelta = timedelta(minutes=5)) -> timedelta:
    """How long to wait after so many failed attempts: first, doubling, at most `most`."""
    return min(first * (1 << min(max(attempts - 1, 0), 30)), most)


def _timer(row: Any) -> Timer:
    return Timer(row.id, row.kind, row.subject, row.due_at, row.payload, row.attempts)


@dataclass(frozen=True)
class Parked:
    """A row that was tried until it was given up: it waits for a person."""

    id: str
    kind: str
    subject: str
    attempts: int
    error: str
    parked_at: datetime | None


def parked(tx: Tx) -> list[Parked]:
    """The timers that were given up, oldest first."""
    statement = select(timers).where(timers.c.parked_at.is_not(None)).order_by(timers.c.parked_at, timers.c.id)
    return [Parked(r.id, r.kind, r.subject, r.attempts, r.error or "", r.parked_at) for r in tx.execute(statement)]


def revive(tx: Tx, timer_id: str, now: datetime) -> bool:
    """Try a parked timer again, now; tells whether it was parked."""
    mine = (timers.c.id == timer_id, timers.c.parked_at.is_not(None))
    done = tx.execute(update(timers).where(*mine).values(parked_at=None, attempts=0, due_at=now))
    tx.due(now)
    return done.rowcount > 0
