"""Ticks on disk: rows are added, never changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, insert, select

from quietshift.kernel.db import Tx
from quietshift.kernel.schema import Instant, metadata
from quietshift.runbooks.model import Outcome, Tick

runbook_steps = Table(
    "runbook_steps",
    metadata,
    Column("id", Text, primary_key=True),
    Column("incident_id", BigInteger, nullable=False),
    Column("runbook", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # done | skipped | failed
    Column("note", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_runbook_steps_incident_id", "incident_id"),
)


def add(tx: Tx, tick: Tick) -> None:
    """Put a tick on record."""
    tx.execute(
        insert(runbook_steps),
        {
            "id": tick.id, "incident_id": tick.incident_id, "runbook": tick.runbook, "step": tick.step, "title": tick.title,
            "outcome": tick.outcome.value, "note": tick.note, "actor": tick.actor, "at": tick.at,
        },
    )  # fmt: skip


def ticks(tx: Tx, incident_id: int, runbook: str | None = None) -> list[Tick]:
    """The ticks of an incident, oldest first; of one runbook."""
    statement = select(runbook_steps).where(runbook_steps.c.incident_id == incident_id).order_by(runbook_steps.c.id)
    if runbook is not None:
        statement = statement.where(runbook_steps.c.runbook == runbook)
    return [_tick(row) for row in tx.execute(statement)]


def _tick(row: Any) -> Tick:
    return Tick(row.id, row.incident_id, row.runbook, row.step, row.title, Outcome(row.outcome), row.note, row.actor, row.at)
