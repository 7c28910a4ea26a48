"""Requests for cover, as rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, Table, Text, insert, select, update

from quietshift.kernel.db import Tx
from quietshift.kernel.errors import NotFound
from quietshift.kernel.schema import Instant, Json, metadata
from quietshift.oncall.model import Cover, CoverState

oncall_covers = Table(
    "oncall_covers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("schedule", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("back_starts_at", Instant),
    Column("back_ends_at", Instant),
    Column("asked", Json, nullable=False),
    Column("declined", Json, nullable=False),
    Column("state", Text, nullable=False),  # offered | taken | declined | withdrawn
    Column("taken_by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_oncall_covers_state", "state", "ends_at"),
)


def add(tx: Tx, cover: Cover) -> None:
    """Put a request on record."""
    tx.execute(insert(oncall_covers), {"id": cover.id, **_row(cover)})


def save(tx: Tx, cover: Cover) -> None:
    """What became of it."""
    tx.execute(update(oncall_covers).where(oncall_covers.c.id == cover.id).values(**_row(cover)))


def take(tx: Tx, cover_id: str) -> Cover:
    """A request, which nobody else changes until this transaction ends. Raises NotFound."""
    row = tx.execute(select(oncall_covers).where(oncall_covers.c.id == cover_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"there is no request for cover {cover_id}; quietshift oncall cover list shows those there are")
    return _cover(row)


def covers(tx: Tx, states: list[CoverState], schedule: str | None = None, limit: int = 200) -> list[Cover]:
    """Those in one of these states, the newest first."""
    table = oncall_covers
    statement = select(table).where(table.c.state.in_([str(state) for state in states]))
    if schedule is not None:
        statement = statement.where(table.c.schedule == schedule)
    return [_cover(row) for row in tx.execute(statement.order_by(table.c.id.desc()).limit(limit))]


def _row(cover: Cover) -> dict[str, Any]:
    return {
        "schedule": cover.schedule, "person": cover.user, "starts_at": cover.start, "ends_at": cover.end,
        "back_starts_at": cover.back[0] if cover.back else None, "back_ends_at": cover.back[1] if cover.back else None,
        "asked": list(cover.asked), "declined": list(cover.declined), "state": str(cover.state), "taken_by": cover.taken_by,
        "why": cover.why, "created_at": cover.created_at, "updated_at": cover.updated_at,
    }  # fmt: skip


def _cover(row: Any) -> Cover:
    back = (row.back_starts_at, row.back_ends_at) if row.back_starts_at is not None else None
    return Cover(
        row.id, row.schedule, row.person, row.starts_at, row.ends_at, back, tuple(row.asked), tuple(row.declined),
        CoverState(row.state), row.taken_by, row.why, row.created_at, row.updated_at,
    )  # fmt: skip
