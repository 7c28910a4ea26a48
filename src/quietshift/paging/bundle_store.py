"""The SQL of bundles: what each contact was told, the rungs that wait in a window, the messages that tell of many pages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, select, tuple_

from quietshift.kernel.db import Tx
from quietshift.kernel.schema import outbox
from quietshift.paging.model import IncidentFacts, NextStep, PageState
from quietshift.paging.store import Rung
from quietshift.paging.storm import Told
from quietshift.paging.tables import bundled_pages, escalations, page_bundles, page_rungs, page_windows
from quietshift.paging.tables import pages as page_table


def contact_of(person: str, via: str) -> str:
    """A name for a contact of a person that holds no address."""
    return hashlib.sha256(f"{person}\n{via}".encode()).hexdigest()[:32]


def told(tx: Tx, contact: str, person: str) -> Told:
    """What a contact was told; its row is locked until the transaction ends."""
    statement = select(page_windows.c.told).where(page_windows.c.contact == contact)
    if tx.dialect == "sqlite":  # has one writer at a time
        kept = tx.execute(statement).scalar_one_or_none()
    else:
        kept = tx.execute(statement.with_for_update()).scalar_one_or_none()
        if kept is None:
            row = {"contact": contact, "person": person, "told": Told().kept()}
            tx.upsert(page_windows, row, key=["contact"], change=[])
            kept = tx.execute(statement.with_for_update()).scalar_one()
    return Told.from_kept(kept) if kept else Told()


def save_told(tx: Tx, contact: str, person: str, after: Told) -> None:
    """Keep what a contact was told."""
    tx.upsert(page_windows, {"contact": contact, "person": person, "told": after.kept()}, key=["contact"], change=["told"])


# -- waiting -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Waiting:
    """A rung that waited in a window. rank: of its incident's severity."""

    incident_id: int
    rung: Rung
    rank: int


def wait(tx: Tx, incident_id: int, rung: Rung, window: str, rank: int) -> None:
    """Keep a rung until its window ends."""
    tx.add(
        page_rungs,
        {
            "page_id": rung.page_id, "rung": rung.number, "incident_id": incident_id, "via": rung.via, "due_at": rung.due_at,
            "waits_in": window, "rank": rank,
        },
    )  # fmt: skip


def take_window(tx: Tx, window: str) -> list[Waiting]:
    """The rungs that wait in a window, taken out, the worst first. On PostgreSQL those that somebody else is about to close
    are left: `waits` tells whether any are."""
    t = page_rungs
    mine: Any = t.c.waits_in == window
    if tx.dialect == "postgresql":
        free = select(t.c.page_id, t.c.rung).where(mine).with_for_update(skip_locked=True)
        mine = tuple_(t.c.page_id, t.c.rung).in_(free)
    rows = tx.execute(delete(t).where(mine).returning(t.c.page_id, t.c.rung, t.c.incident_id, t.c.via, t.c.due_at, t.c.rank))
    found = [Waiting(r.incident_id, Rung(r.page_id, r.rung, r.via, r.due_at), r.rank) for r in rows]
    return sorted(found, key=lambda w: (-w.rank, w.rung.due_at, w.rung.page_id, w.rung.number))


def waits(tx: Tx, window: str) -> bool:
    """Whether any rung waits in it."""
    return bool(tx.execute(select(exists().where(page_rungs.c.waits_in == window))).scalar_one())


# -- bundles -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bundle:
    """A message that told, or is about to tell, of many pages. via: masked."""

    id: str
    person: str
    policy: str
    via: str
    due_at: datetime
    pages: int


def add(tx: Tx, bundle: Bundle, rungs: Sequence[Rung]) -> None:
    """Keep a bundle and what it tells of."""
    b = bundle
    tx.add(
        page_bundles,
        {"id": b.id, "person": b.person, "policy": b.policy, "via": b.via, "due_at": b.due_at, "pages": b.pages},
    )
    tx.add(bundled_pages, [{"page_id": r.page_id, "rung": r.number, "bundle_id": b.id} for r in rungs])


def get(tx: Tx, bundle_id: str) -> Bundle | None:
    """The bundle; None where there is none of this id."""
    r = tx.execute(select(page_bundles).where(page_bundles.c.id == bundle_id)).one_or_none()
    return Bundle(r.id, r.person, r.policy, r.via, r.due_at, r.pages) if r is not None else None


def incident_ids(bundle_id: str) -> Any:
    """A statement that selects the ids of the incidents that a bundle tells of."""
    t, p = bundled_pages, page_table
    return select(p.c.incident_id).join(t, t.c.page_id == p.c.id).where(t.c.bundle_id == bundle_id)


def page_ids(tx: Tx, bundle_id: str, after: str, limit: int) -> Sequence[str]:
    """Pages of a bundle in the order of their ids, from the one after `after`."""
    t = bundled_pages
    statement = select(t.c.page_id).where(t.c.bundle_id == bundle_id, t.c.page_id > after)
    return tx.execute(statement.distinct().order_by(t.c.page_id).limit(limit)).scalars().all()


def facts(tx: Tx, incident_ids: Sequence[int]) -> dict[int, IncidentFacts]:
    """What pages tell of these incidents."""
    statement = select(escalations.c.incident_id, escalations.c.facts).where(escalations.c.incident_id.in_(incident_ids))
    return {row.incident_id: IncidentFacts.from_kept(row.facts) for row in tx.execute(statement)}


def next_step(tx: Tx, bundle_id: str) -> NextStep | None:
    """Who is called first for any of a bundle's incidents, and when."""
    p, e, t = page_table, escalations, bundled_pages
    statement = (
        select(e.c.next)
        .join(p, p.c.incident_id == e.c.incident_id)
        .join(t, t.c.page_id == p.c.id)
        .where(t.c.bundle_id == bundle_id, e.c.next_at.is_not(None))
        .order_by(e.c.next_at)
        .limit(1)
    )
    kept = tx.execute(statement).scalar_one_or_none()
    return NextStep.from_kept(kept) if kept else None


def unsent_of(tx: Tx, page_id: str, kinds: Sequence[str]) -> list[str]:
    """The bundles with this page that nobody has accepted yet, and that ask for nothing any more: all their pages are closed."""
    t, p, o = bundled_pages, page_table, outbox
    mine = select(t.c.bundle_id).where(t.c.page_id == page_id).distinct()
    pending = select(o.c.subject).where(o.c.kind.in_(kinds), o.c.subject.in_(mine), o.c.state == "pending").distinct()
    found = []
    for bundle_id in tx.execute(pending).scalars():
        others = select(exists().where(t.c.bundle_id == bundle_id, p.c.id == t.c.page_id, p.c.state == str(PageState.OPEN)))
        if not tx.execute(others).scalar_one():
            found.append(bundle_id)
    return found
