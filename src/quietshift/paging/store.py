"""This room's SQL. An escalation's timer is taken before its row is locked, everywhere: so nobody waits in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, case, delete, func, select, type_coerce, update

from quietshift.kernel import journal, timers
from quietshift.kernel.clock import from_micros
from quietshift.kernel.db import Tx
from quietshift.kernel.ids import new_id
from quietshift.paging.model import (
    Attempt,
    Escalation,
    EscalationState,
    IncidentFacts,
    LogEntry,
    NextStep,
    Page,
    PageState,
    Policy,
    Position,
    Stage,
)
from quietshift.paging.tables import bundled_pages, escalation_log, escalations, page_attempts, page_bundles, page_rungs
from quietshift.paging.tables import pages as page_table

ESCALATE = "paging.escalate"  # timer kind; subject: the incident's id
BUCKETS = tuple(timedelta(seconds=s) for s in (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300))


# -- escalations ---------------------------------------------------------------------------------------------------------


def take(tx: Tx, incident_id: int) -> Escalation | None:
    """The escalation, its timer taken out and its row locked until the transaction ends. `save` sets the timer again."""
    timers.cancel(tx, ESCALATE, str(incident_id))
    return escalation(tx, incident_id, lock=True)


def escalation(tx: Tx, incident_id: int, *, lock: bool = False) -> Escalation | None:
    """The escalation of an incident; None where it never had one."""
    statement = select(escalations).where(escalations.c.incident_id == incident_id)
    if lock and tx.dialect == "postgresql":
        statement = statement.with_for_update()
    row = tx.execute(statement).one_or_none()
    if row is None:
        return None
    return Escalation(
        row.incident_id, Policy.from_json(row.policy), IncidentFacts.from_kept(row.facts), EscalationState(row.state),
        row.turn, Position(row.round, row.step), row.called_at, NextStep.from_kept(row.next) if row.next else None,
        row.started_at, row.stopped_at, row.why,
    )  # fmt: skip


def save(tx: Tx, escalation_: Escalation, now: datetime) -> None:
    """Keep it, and set its timer to whatever comes first: the next step, or a rung of somebody's ladder."""
    e = escalation_
    tx.upsert(
        escalations,
        {
            "incident_id": e.incident_id, "policy": e.policy.as_json(), "facts": e.facts.kept(), "state": str(e.state),
            "turn": e.turn, "round": e.position.round, "step": e.position.step, "called_at": e.called_at,
            "next": e.next.kept() if e.next else None, "next_at": e.next.at if e.next else None,
            "started_at": e.started_at, "stopped_at": e.stopped_at, "why": e.why,
        },
        key=["incident_id"],
    )  # fmt: skip
    if e.running:
        [[first]] = tx.run("SELECT min(due_at) FROM page_rungs WHERE incident_id = ? AND waits_in IS NULL", [e.incident_id])
        rung = from_micros(first) if first is not None else None
        dues = [due for due in (e.next.at if e.next else None, rung) if due is not None]
        if dues:
            timers.schedule(tx, ESCALATE, str(e.incident_id), min(dues), now)


def next_step(tx: Tx, incident_id: int) -> NextStep | None:
    """Who is called next, and when; None where nobody is going to be."""
    kept = tx.execute(select(escalations.c.next).where(escalations.c.incident_id == incident_id)).scalar_one_or_none()
    return NextStep.from_kept(kept) if kept else None


def counts(tx: Tx) -> dict[EscalationState, int]:
    """How many escalations are in each state, the stopped ones left out. NOBODY above 0 is an emergency."""
    number = func.count().label("number")
    running = escalations.c.state != str(EscalationState.STOPPED)
    rows = tx.execute(select(escalations.c.state, number).where(running).group_by(escalations.c.state))
    found = {EscalationState(row.state): row.number for row in rows}
    return {state: found.get(state, 0) for state in EscalationState if state is not EscalationState.STOPPED}


# -- pages ---------------------------------------------------------------------------------------------------------------


def add_pages(tx: Tx, new: Sequence[Page]) -> None:
    """Keep new pages."""
    rows = [
        {
            "id": p.id, "incident_id": p.incident_id, "person": p.user, "turn": p.turn, "stage": str(p.stage), "step": p.step,
            "round": p.round, "due_at": p.due_at, "reason": p.reason, "rungs": p.rungs, "state": str(p.state),
            "closed_at": None,
        }
        for p in new
    ]  # fmt: skip
    tx.add(page_table, rows)


def close_page(tx: Tx, page_id: str, state: PageState, now: datetime) -> None:
    """It asks for nothing any more; rungs whose time has not come are forgotten."""
    tx.execute(update(page_table).where(page_table.c.id == page_id).values(state=str(state), closed_at=now))
    tx.execute(delete(page_rungs).where(page_rungs.c.page_id == page_id))


def page(tx: Tx, page_id: str) -> Page | None:
    """A page with its attempts."""
    found = _pages(tx, page_table.c.id == page_id)
    return found[0] if found else None


def pages(tx: Tx, incident_id: int) -> list[Page]:
    """Every page of an incident with its attempts, in the order in which they were due."""
    return _pages(tx, page_table.c.incident_id == incident_id)


def tests_of(tx: Tx, user: str, limit: int) -> list[Page]:
    """The last test pages to a person, newest first."""
    newest = (
        select(page_table.c.id)
        .where(page_table.c.person == user, page_table.c.stage == str(Stage.TEST))
        .order_by(page_table.c.due_at.desc(), page_table.c.id.desc())
        .limit(limit)
    )
    return _pages(tx, page_table.c.id.in_(newest))[::-1]


def open_pages(tx: Tx, incident_id: int) -> list[Page]:
    """The pages that still ask for attention, without their attempts."""
    return _pages(tx, (page_table.c.incident_id == incident_id) & (page_table.c.state == str(PageState.OPEN)), attempts=False)


def pages_since(tx: Tx, incident_id: int, since: datetime) -> list[Page]:
    """The pages due at an instant or later, without their attempts."""
    return _pages(tx, (page_table.c.incident_id == incident_id) & (page_table.c.due_at >= since), attempts=False)


def _pages(tx: Tx, condition: Any, *, attempts: bool = True) -> list[Page]:
    rows = tx.execute(select(page_table).where(condition).order_by(page_table.c.due_at, page_table.c.id)).all()
    found = _attempts(tx, [row.id for row in rows]) if attempts and rows else {}
    return [
        Page(
            r.id, r.incident_id, r.person, r.turn, Stage(r.stage), r.step, r.round, r.due_at, r.reason, PageState(r.state),
            r.rungs, tuple(found.get(r.id, ())),
        )
        for r in rows
    ]  # fmt: skip


# -- rungs and attempts --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rung:
    """A contact of a page's ladder that is to be tried at due_at. number: from 0."""

    page_id: str
    number: int
    via: str
    due_at: datetime


def add_rungs(tx: Tx, incident_id: int, rungs: Iterable[Rung]) -> None:
    """Keep rungs until their time comes."""
    rows = [
        {"page_id": r.page_id, "rung": r.number, "incident_id": incident_id, "via": r.via, "due_at": r.due_at} for r in rungs
    ]
    tx.add(page_rungs, rows)


def take_due_rungs(tx: Tx, incident_id: int, now: datetime) -> list[Rung]:
    """The rungs whose time has come, taken out; those that wait to be told with others are left."""
    mine = (page_rungs.c.incident_id == incident_id) & page_rungs.c.waits_in.is_(None)
    return _take(tx, mine & (page_rungs.c.due_at <= now))


def take_waiting_rungs(tx: Tx, incident_id: int) -> list[Rung]:
    """The rungs that wait to be told with others, taken out."""
    return _take(tx, (page_rungs.c.incident_id == incident_id) & page_rungs.c.waits_in.is_not(None))


def take_next_rung(tx: Tx, page_id: str) -> Rung | None:
    """The next rung of a page, taken out; None where none is left, or it waits to be told with others."""
    mine = (page_rungs.c.page_id == page_id) & page_rungs.c.waits_in.is_(None)
    first = select(func.min(page_rungs.c.rung)).where(mine).scalar_subquery()
    found = _take(tx, mine & (page_rungs.c.rung == first))
    return found[0] if found else None


def _take(tx: Tx, condition: Any) -> list[Rung]:
    rows = tx.execute(select(page_rungs).where(condition).order_by(page_rungs.c.due_at, page_rungs.c.rung)).all()
    for row in rows:
        tx.execute(delete(page_rungs).where(page_rungs.c.page_id == row.page_id, page_rungs.c.rung == row.rung))
    return [Rung(row.page_id, row.rung, row.via, row.due_at) for row in rows]


def add_attempt(tx: Tx, page_id: str, delivery_id: str, rung: int, attempt: Attempt) -> None:
    """Keep an attempt and its answer."""
    a = attempt
    tx.add(
        page_attempts,
        {
            "delivery_id": delivery_id, "attempt": a.attempt, "page_id": page_id, "rung": rung, "channel": a.channel,
            "via": a.via, "due_at": a.due_at, "attempted_at": a.attempted_at, "answered_at": a.answered_at,
            "outcome": a.outcome, "code": a.code, "answer": a.answer, "final": a.final,
        },
    )  # fmt: skip


def _attempts(tx: Tx, page_ids: list[str]) -> dict[str, list[Attempt]]:
    """By page: of messages that told of it alone, and of those that told of others too."""
    t, b, m = page_attempts, page_bundles, bundled_pages
    order = (t.c.attempted_at, t.c.rung, t.c.attempt)
    found: dict[str, list[Attempt]] = {}
    for r in tx.execute(select(t).where(t.c.page_id.in_(page_ids)).order_by(*order)):
        found.setdefault(r.page_id, []).append(_attempt(r))
    bundled = select(t, m.c.page_id.label("told_of"), b.c.pages).join(m, m.c.bundle_id == t.c.page_id)
    bundled = bundled.join(b, b.c.id == m.c.bundle_id).where(m.c.page_id.in_(page_ids)).order_by(*order)
    for r in tx.execute(bundled):
        found.setdefault(r.told_of, []).append(replace(_attempt(r), bundle=r.page_id, others=r.pages - 1))
    return {page_id: sorted(attempts, key=lambda a: a.attempted_at) for page_id, attempts in found.items()}


def _attempt(r: Any) -> Attempt:
    return Attempt(r.channel, r.via, r.attempt, r.due_at, r.attempted_at, r.answered_at, r.outcome, r.code, r.answer, r.final)


@dataclass(frozen=True)
class Lateness:
    """How late attempts were made: at - due. buckets: how many were at most so late; total: their sum in seconds."""

    count: int
    total: float
    most: timedelta
    buckets: Mapping[timedelta, int]


def lateness(tx: Tx, since: datetime) -> Lateness:
    """Of the first attempts made since an instant: the objective is 99.9 % within 1 s of due."""
    t = page_attempts
    late = type_coerce(t.c.attempted_at, BigInteger) - type_coerce(t.c.due_at, BigInteger)
    micro = timedelta(microseconds=1)
    columns: list[Any] = [func.count(), func.sum(late), func.max(late)]
    columns += [func.sum(case((late <= bound // micro, 1), else_=0)) for bound in BUCKETS]
    row = tx.execute(select(*columns).where(t.c.attempt == 1, t.c.attempted_at >= since)).one()
    count, total, most, *within = (int(value or 0) for value in row)
    return Lateness(count, total / 1e6, most * micro, dict(zip(BUCKETS, within, strict=True)))


def attempt_counts(tx: Tx, since: datetime) -> dict[tuple[str, ...], float]:
    """How many attempts were made since an instant, by channel and outcome."""
    t = page_attempts
    statement = select(t.c.channel, t.c.outcome, func.count().label("n")).where(t.c.attempted_at >= since)
    return {(row.channel, row.outcome): row.n for row in tx.execute(statement.group_by(t.c.channel, t.c.outcome))}


# -- the log -------------------------------------------------------------------------------------------------------------


def note(
    tx: Tx, now: datetime, incident_id: int, kind: str, text: str, why: str = "", data: Mapping[str, Any] | None = None
) -> None:
    """Write down what the escalation did, or did not do, and why."""
    tx.add(
        escalation_log,
        {
            "id": new_id(now), "incident_id": incident_id, "at": now, "kind": kind, "text": text, "why": why,
            "data": dict(data or {}),
        },
    )  # fmt: skip


def log(tx: Tx, incident_id: int) -> list[LogEntry]:
    """What the escalation did, oldest first."""
    statement = select(escalation_log).where(escalation_log.c.incident_id == incident_id).order_by(escalation_log.c.id)
    return [LogEntry(r.at, r.kind, r.text, r.why, r.data) for r in tx.execute(statement)]


def put_on_record(
    tx: Tx, now: datetime, facts: IncidentFacts, act: str, why: str, data: Mapping[str, Any], actor: str = "system"
) -> None:
    """Into the journal: a decision about who is called."""
    journal.append(tx, now, actor, act, f"incident:{facts.ref}", why, data)
