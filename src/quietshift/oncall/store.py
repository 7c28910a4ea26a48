"""Overrides made while the server runs, as rows. None is deleted: what was, stays to be counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Table, Text, insert, select, update

from quietshift.kernel.clock import from_micros, to_micros
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import NotFound
from quietshift.kernel.schema import Instant, metadata
from quietshift.oncall.model import Change, Override

oncall_overrides = Table(
    "oncall_overrides",
    metadata,
    Column("id", Text, primary_key=True),
    Column("schedule", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("instead", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("cancelled_at", Instant),
    Index("ix_oncall_overrides_ends_at", "ends_at"),
)


def add(tx: Tx, change: Change) -> None:
    """Put an override on record."""
    over = change.override
    tx.execute(
        insert(oncall_overrides),
        {
            "id": change.id, "schedule": change.schedule, "person": over.user, "instead": over.instead, "starts_at": over.start,
            "ends_at": over.end, "why": change.why, "created_by": change.created_by, "created_at": change.created_at,
            "cancelled_at": None,
        },
    )  # fmt: skip


def get(tx: Tx, change_id: str) -> Change:
    """One that was not cancelled. Raises NotFound."""
    row = tx.execute(
        select(oncall_overrides).where(oncall_overrides.c.id == change_id, oncall_overrides.c.cancelled_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no override {change_id} (any more); quietshift oncall override list shows those there are")
    return _change(row)


def changes(tx: Tx, since: datetime, schedule: str | None = None) -> list[Change]:
    """Those that end after an instant and were not cancelled, the first to begin first."""
    table = oncall_overrides
    statement = select(table).where(table.c.ends_at > since, table.c.cancelled_at.is_(None))
    if schedule is not None:
        statement = statement.where(table.c.schedule == schedule)
    return [_change(row) for row in tx.execute(statement.order_by(table.c.starts_at, table.c.id))]


def end(tx: Tx, change_id: str, at: datetime) -> None:
    """One that has begun ends at an instant; what was until then stays."""
    tx.execute(update(oncall_overrides).where(oncall_overrides.c.id == change_id).values(ends_at=at))


def cancel(tx: Tx, change_id: str, at: datetime) -> None:
    """One that has not begun never does."""
    tx.execute(update(oncall_overrides).where(oncall_overrides.c.id == change_id).values(cancelled_at=at))


def overrides(tx: Tx, since: datetime) -> Iterator[tuple[str, Override]]:
    """Each that ends after an instant, with its schedule, in the order in which they were made; plain: each page asks it."""
    rows = tx.run(
        "SELECT schedule, person, starts_at, ends_at, instead FROM oncall_overrides "
        "WHERE ends_at > ? AND cancelled_at IS NULL ORDER BY id",
        (to_micros(since),),
    )
    for schedule, person, starts_at, ends_at, instead in rows:
        yield schedule, Override(person, from_micros(starts_at), from_micros(ends_at), instead)


def _change(row: Any) -> Change:
    over = Override(row.person, row.starts_at, row.ends_at, row.instead)
    return Change(row.id, row.schedule, over, row.why, row.created_by, row.created_at)
