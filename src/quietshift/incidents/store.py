"""The incident desk's tables: incidents, the alerts in each, and what was done, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, case, func, select, text, update

from quietshift.incidents.model import (
    GroupAlert,
    Incident,
    IncidentAlert,
    Severity,
    State,
    TimelineEntry,
    Verdict,
)
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import NotFound
from quietshift.kernel.ids import new_id
from quietshift.kernel.redact import redact, redact_text
from quietshift.kernel.schema import Instant, Json, metadata

_OPEN = text("state <> 'resolved'")

incidents = Table(
    "incidents",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("group_ref", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("severity_by", Text, nullable=False),
    Column("alertname", Text, nullable=False),
    Column("service", Text),
    Column("owner", Text),
    Column("escalation_policy", Text, nullable=False),
    Column("runbook_url", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", Text, nullable=False),
    Column("resolved_at", Instant),
    Column("resolved_by", Text, nullable=False),
    Column("verdict", Text),
    Column("snoozed_until", Instant),
    Column("assignees", Json, nullable=False),
    Column("reopened", Integer, nullable=False),
    Index("ix_incidents_group_ref_receiver", "group_ref", "receiver"),
    Index("ix_incidents_opened_at", "opened_at"),
    # the same alert group does not open two: not even in two processes at once
    Index("uq_incidents_open_group", "group_ref", "receiver", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
)

incident_alerts = Table(
    "incident_alerts",
    metadata,
    Column("incident_id", BigInteger, primary_key=True, autoincrement=False),
    Column("fingerprint", Text, primary_key=True),
    Column("labels", Json, nullable=False),
    Column("annotations", Json, nullable=False),
    Column("starts_at", Instant),
    Column("ends_at", Instant),
    Column("generator_url", Text, nullable=False),
    Column("joined_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Index("ix_incident_alerts_fingerprint", "fingerprint"),
)

# What happened to the incident, by this room's own acts; pages and their attempts are in the paging room's tables.
incident_notes = Table(
    "incident_notes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("incident_id", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("data", Json, nullable=False),
    Index("ix_incident_notes_incident_id_id", "incident_id", "id"),
)


# -- incidents -----------------------------------------------------------------------------------------------------------


def get(tx: Tx, incident_id: int, *, lock: bool = False) -> Incident:
    """The incident. Raises NotFound, which names it. lock: nobody else changes it before this transaction ends."""
    statement = select(incidents).where(incidents.c.id == incident_id)
    row = tx.execute(_locked(tx, statement) if lock else statement).one_or_none()
    if row is None:
        raise NotFound(f"there is no incident INC-{incident_id}")
    return _incident(row)


def latest_of_group(tx: Tx, group: str, receiver: str, *, lock: bool = True) -> Incident | None:
    """The open incident of a group and receiver, else its newest; None where it never had one."""
    statement = (
        select(incidents)
        .where(incidents.c.group_ref == group, incidents.c.receiver == receiver)
        .order_by(incidents.c.state == State.RESOLVED, incidents.c.id.desc())  # an older one may have been reopened by hand
        .limit(1)
    )
    row = tx.execute(_locked(tx, statement) if lock else statement).one_or_none()
    return None if row is None else _incident(row)


def open_of_group(tx: Tx, group: str, receiver: str) -> Incident | None:
    """The open incident of a group and receiver; None where there is none."""
    statement = select(incidents).where(
        incidents.c.group_ref == group, incidents.c.receiver == receiver, incidents.c.state != State.RESOLVED
    )
    row = tx.execute(statement).one_or_none()
    return None if row is None else _incident(row)


def find(
    tx: Tx,
    *,
    states: Iterable[State | str] | None = None,
    service: str | None = None,
    owner: str | None = None,
    policy: str | None = None,
    alertname: str | None = None,
    limit: int = 50,
    before: int | None = None,
) -> list[Incident]:
    """Incidents, newest first. before: only those with a smaller id (the next page). states None: all."""
    statement = select(incidents).order_by(incidents.c.id.desc()).limit(limit)
    if states is not None:
        statement = statement.where(incidents.c.state.in_([str(state) for state in states]))
    if service is not None:
        statement = statement.where(incidents.c.service == service)
    if owner is not None:
        statement = statement.where(incidents.c.owner == owner)
    if policy is not None:
        statement = statement.where(incidents.c.escalation_policy == policy)
    if alertname is not None:
        statement = statement.where(incidents.c.alertname == alertname)
    if before is not None:
        statement = statement.where(incidents.c.id < before)
    return [_incident(row) for row in tx.execute(statement)]


def loudest(
    tx: Tx, states: Iterable[State], *, policy: str | None = None, alertname: str | None = None, skip: int = 0, limit: int = 50
) -> list[Incident]:
    """Incidents in these states: triggered before acknowledged before snoozed, then the worst, then the newest."""
    t = incidents.c
    asleep = case((t.snoozed_until.is_not(None), 1), else_=0)
    order = [case({str(state): number for number, state in enumerate(State)}, value=t.state), asleep]
    order.append(case({str(severity): -severity.rank for severity in Severity}, value=t.severity))
    statement = select(incidents).where(t.state.in_([str(state) for state in states])).order_by(*order, t.id.desc())
    if policy is not None:
        statement = statement.where(t.escalation_policy == policy)
    if alertname is not None:
        statement = statement.where(t.alertname == alertname)
    return [_incident(row) for row in tx.execute(statement.offset(skip).limit(limit))]


@dataclass(frozen=True)
class Alike:
    """Open incidents of one alert under one policy: how many, and how many of them nobody has yet."""

    policy: str
    alertname: str
    number: int
    triggered: int


def alike(tx: Tx, states: Iterable[State], *, policy: str | None = None, limit: int = 20) -> list[Alike]:
    """Incidents in these states by policy and alert, the most first."""
    t = incidents.c
    number, triggered = func.count(), func.sum(case((t.state == str(State.TRIGGERED), 1), else_=0))
    statement = (
        select(t.escalation_policy, t.alertname, number.label("number"), triggered.label("triggered"))
        .where(t.state.in_([str(state) for state in states]))
        .group_by(t.escalation_policy, t.alertname)
        .order_by(number.desc(), t.escalation_policy, t.alertname)
        .limit(limit)
    )
    if policy is not None:
        statement = statement.where(t.escalation_policy == policy)
    return [Alike(r.escalation_policy, r.alertname, int(r.number), int(r.triggered)) for r in tx.execute(statement)]


def triggered_in(tx: Tx, wanted: Any, *, after: int = 0, limit: int = 1_000_000) -> list[int]:
    """Those that nobody has, of the incidents whose ids this statement selects, in the order of their ids."""
    mine = (incidents.c.id.in_(wanted), incidents.c.id > after, incidents.c.state == str(State.TRIGGERED))
    return list(tx.execute(select(incidents.c.id).where(*mine).order_by(incidents.c.id).limit(limit)).scalars())


def count_by_state(tx: Tx, *, policy: str | None = None, alertname: str | None = None) -> dict[State, int]:
    """How many there are in each state, zeros too."""
    statement = select(incidents.c.state, func.count().label("number")).group_by(incidents.c.state)
    if policy is not None:
        statement = statement.where(incidents.c.escalation_policy == policy)
    if alertname is not None:
        statement = statement.where(incidents.c.alertname == alertname)
    rows = tx.execute(statement)
    counted = {State(row.state): int(row.number) for row in rows}
    return {state: counted.get(state, 0) for state in State}


def add(tx: Tx, incident: Incident) -> None:
    tx.add(incidents, {"id": incident.id, **_columns(incident)})


def save(tx: Tx, incident: Incident) -> None:
    tx.execute(update(incidents).where(incidents.c.id == incident.id).values(**_columns(incident)))


def _locked(tx: Tx, statement: Any) -> Any:
    return statement.with_for_update() if tx.dialect == "postgresql" else statement  # SQLite has one writer at a time


def _columns(incident: Incident) -> dict[str, Any]:
    return {
        "group_ref": incident.group, "receiver": incident.receiver, "title": incident.title, "state": str(incident.state),
        "severity": str(incident.severity), "severity_by": incident.severity_by, "alertname": incident.alertname,
        "service": incident.service, "owner": incident.owner, "escalation_policy": incident.escalation_policy,
        "runbook_url": incident.runbook_url, "opened_at": incident.opened_at, "updated_at": incident.updated_at,
        "acknowledged_at": incident.acknowledged_at, "acknowledged_by": incident.acknowledged_by,
        "resolved_at": incident.resolved_at, "resolved_by": incident.resolved_by,
        "verdict": str(incident.verdict) if incident.verdict else None, "snoozed_until": incident.snoozed_until,
        "assignees": list(incident.assignees), "reopened": incident.reopened,
    }  # fmt: skip


def _incident(row: Any) -> Incident:
    return Incident(
        id=row.id, group=row.group_ref, receiver=row.receiver, title=row.title, state=State(row.state),
        severity=Severity(row.severity), severity_by=row.severity_by, alertname=row.alertname, service=row.service,
        owner=row.owner, escalation_policy=row.escalation_policy, runbook_url=row.runbook_url, opened_at=row.opened_at,
        updated_at=row.updated_at, acknowledged_at=row.acknowledged_at, acknowledged_by=row.acknowledged_by,
        resolved_at=row.resolved_at, resolved_by=row.resolved_by, verdict=Verdict(row.verdict) if row.verdict else None,
        snoozed_until=row.snoozed_until, assignees=tuple(row.assignees), reopened=row.reopened,
    )  # fmt: skip


# -- the alerts in it ----------------------------------------------------------------------------------------------------


def alerts(tx: Tx, incident_id: int) -> list[IncidentAlert]:
    """The alerts that are or were in it, in the order in which they joined."""
    statement = (
        select(incident_alerts)
        .where(incident_alerts.c.incident_id == incident_id)
        .order_by(incident_alerts.c.joined_at, incident_alerts.c.fingerprint)
    )
    return [_alert(row) for row in tx.execute(statement)]


def firing_counts(tx: Tx, incident_ids: Sequence[int]) -> dict[int, int]:
    """How many alerts of each of these fire at present."""
    statement = (
        select(incident_alerts.c.incident_id, func.count().label("number"))
        .where(incident_alerts.c.incident_id.in_(incident_ids), incident_alerts.c.ended_at.is_(None))
        .group_by(incident_alerts.c.incident_id)
    )
    counted = {int(row.incident_id): int(row.number) for row in tx.execute(statement)}
    return {incident_id: counted.get(incident_id, 0) for incident_id in incident_ids}


def of_alert(tx: Tx, fingerprint: str) -> list[tuple[int, IncidentAlert]]:
    """The incidents that an alert was in, newest first, each with what it was there."""
    statement = (
        select(incident_alerts).where(incident_alerts.c.fingerprint == fingerprint).order_by(incident_alerts.c.incident_id.desc())
    )
    return [(row.incident_id, _alert(row)) for row in tx.execute(statement)]


def alerts_since(tx: Tx, since: datetime) -> list[tuple[int, IncidentAlert]]:
    """The alerts that were in an incident at some time after this instant, each with the incident."""
    t = incident_alerts.c
    statement = select(incident_alerts).where(t.ended_at.is_(None) | (t.ended_at >= since)).order_by(t.incident_id.desc())
    return [(row.incident_id, _alert(row)) for row in tx.execute(statement)]


def put_alerts(tx: Tx, incident_id: int, members: Sequence[IncidentAlert]) -> None:
    """Add alerts to the incident, or change those that are in it."""
    rows = [
        {
            "incident_id": incident_id, "fingerprint": one.alert.fingerprint, "labels": dict(one.alert.labels),
            "annotations": dict(one.alert.annotations), "starts_at": one.alert.starts_at, "ends_at": one.alert.ends_at,
            "generator_url": one.alert.generator_url, "joined_at": one.joined_at, "ended_at": one.ended_at,
        }
        for one in members
    ]  # fmt: skip
    tx.upsert(incident_alerts, rows, key=["incident_id", "fingerprint"])


def _alert(row: Any) -> IncidentAlert:
    alert = GroupAlert(
        row.fingerprint, row.ended_at is None, row.labels, row.annotations, row.starts_at, row.ends_at, row.generator_url
    )
    return IncidentAlert(alert, row.joined_at, row.ended_at)


# -- what was done -------------------------------------------------------------------------------------------------------


def add_entry(
    tx: Tx,
    incident_id: int,
    at: datetime,
    kind: str,
    actor: str,
    text: str,
    why: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Put a line into the incident's story."""
    add_entries(tx, incident_id, [TimelineEntry(at, kind, actor, text, why, data or {})])


def add_entries(tx: Tx, incident_id: int, told: Sequence[TimelineEntry]) -> None:
    """Put lines into the incident's story. Secrets in people's words are taken out before they are written."""
    rows = [
        {
            "id": new_id(one.at), "incident_id": incident_id, "at": one.at, "kind": one.kind, "actor": one.actor,
            "text": redact_text(one.text), "why": redact_text(one.why), "data": redact(dict(one.data)),
        }
        for one in told
    ]  # fmt: skip
    tx.add(incident_notes, rows)


def entries(tx: Tx, incident_id: int) -> list[TimelineEntry]:
    """The incident's own story, oldest first."""
    statement = select(incident_notes).where(incident_notes.c.incident_id == incident_id).order_by(incident_notes.c.id)
    return [TimelineEntry(r.at, r.kind, r.actor, r.text, r.why, r.data) for r in tx.execute(statement)]
