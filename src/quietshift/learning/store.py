"""Pages with what their incidents were: read from the tables of the rooms below, this room has none of its own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from quietshift.incidents.store import incidents
from quietshift.kernel.db import Tx
from quietshift.learning.model import Paged
from quietshift.paging.tables import pages


def paged(tx: Tx, start: datetime, end: datetime) -> list[Paged]:
    """The pages due from `start` until before `end`, oldest first; test pages are none."""
    statement = (
        select(
            pages.c.incident_id, pages.c.person, pages.c.due_at, incidents.c.alertname, incidents.c.owner, incidents.c.verdict,
            incidents.c.runbook_url, incidents.c.service,
        )
        .join(incidents, incidents.c.id == pages.c.incident_id)
        .where(pages.c.due_at >= start, pages.c.due_at < end)
        .order_by(pages.c.due_at, pages.c.id)
    )  # fmt: skip
    return [
        Paged(r.incident_id, r.alertname, r.owner or "", r.person, r.due_at, r.verdict or "", r.runbook_url, r.service or "")
        for r in tx.execute(statement)
    ]


def first_page_at(tx: Tx) -> datetime | None:
    """When counting began: when the first page was due that is on record."""
    first: datetime | None = tx.execute(
        select(func.min(pages.c.due_at)).where(pages.c.incident_id.is_not(None))
    ).scalar_one()
    return first
