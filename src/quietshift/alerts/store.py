"""This room's SQL, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, Select, Table, Text, and_, bindparam, case, delete, func, select, text, type_coerce, update

from quietshift.alerts.decide import Told
from quietshift.alerts.labels import Labels, digest
from quietshift.alerts.matchers import Matcher
from quietshift.alerts.model import NOTIFIED_KINDS, Alert, Silence
from quietshift.alerts.tables import (
    alert_decisions,
    alert_group_members,
    alert_groups,
    alerts,
    notification_log,
    silences,
)
from quietshift.kernel.clock import EPOCH, from_micros, to_micros
from quietshift.kernel.db import Tx
from quietshift.kernel.ids import new_id
from quietshift.kernel.schema import counters, outbox

TURN = 0x7173616C  # "qsal": the advisory lock that orders intake and flushes of many processes
NOTIFY_KINDS = tuple(f"notify.{name}" for name in NOTIFIED_KINDS)
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(:k, hashtext(current_schema()))")  # clusters of one database do not meet
IN_LIST = 500  # values in one IN (...)


def take_turn(tx: Tx) -> None:
    """Wait until no other process of this schema takes in or flushes alerts; held until the transaction ends. On SQLite it
    always holds."""
    if tx.dialect == "postgresql":
        tx.execute(_TAKE_TURN, {"k": TURN})


def take_ids(tx: Tx, name: str, count: int) -> range:
    """That many new ids."""
    if not count:
        return range(0)
    bump = "UPDATE counters SET value = value + ? WHERE name = ? RETURNING value"
    rows = tx.run(bump, [count, name])
    if not rows:
        tx.upsert(counters, {"name": name, "value": 0}, key=["name"], change=[])
        rows = tx.run(bump, [count, name])
    last = int(rows[0][0])
    return range(last - count + 1, last + 1)


# -- alerts --------------------------------------------------------------------------------------------------------------

_labels = msgspec.json.Decoder(Labels)
_json = msgspec.json.Encoder().encode


def encode(labels: Mapping[str, str]) -> str:
    """A label set as it is stored."""
    return _json(labels).decode()


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        _labels.decode(row.labels), _labels.decode(row.annotations), row.starts_at, row.ends_at, row.updated_at,
        row.timeout, row.lease, row.generator_url, row.id, row.grouped,
    )


def all_alerts(tx: Tx) -> list[Alert]:
    """Every alert that is kept."""
    return [_alert(row) for row in tx.execute(select(alerts).order_by(alerts.c.id))]


def alerts_by_digest(tx: Tx, digests: Collection[int]) -> dict[int, Alert]:
    """The known ones of these alerts, by the digest of their labels."""
    found: dict[int, Alert] = {}
    for part in _parts(digests):
        for row in tx.execute(select(alerts).where(alerts.c.digest.in_(part))):
            found[row.digest] = _alert(row)
    return found


def insert_alerts(tx: Tx, new: Iterable[tuple[int, Alert]]) -> None:
    """Rows of alerts not known before, with the digests of their labels; they have their ids."""
    texts: dict[int, str] = {}  # alerts of one rule share their annotations
    rows: list[tuple[Any, ...]] = []
    for of_labels, a in new:
        annotations = texts.get(id(a.annotations))
        if annotations is None:
            annotations = texts[id(a.annotations)] = encode(a.annotations)
        rows.append((
            a.id, of_labels, _json(a.labels).decode(), annotations, _micros(a.starts_at), _micros(a.ends_at),
            _micros(a.updated_at), a.timeout, a.lease, a.grouped, a.generator_url,
        ))  # fmt: skip
    _insert_many(tx, alerts, rows)


_micros = functools.lru_cache(maxsize=1024)(to_micros)  # alerts of one request share their instants


def _insert_many(tx: Tx, table: Table, rows: Sequence[tuple[Any, ...]], conflict: str = "") -> None:
    """Insert rows of plain values, every column in its order. conflict: the clause."""
    tx.insert(f"{table.name} ({', '.join(column.name for column in table.columns)})", rows, conflict)


_CHANGE = (
    update(alerts)
    .where(alerts.c.id == bindparam("row"))
    .values({
        name: bindparam(name)
        for name in ("annotations", "starts_at", "ends_at", "updated_at", "timeout", "lease", "grouped", "generator_url")
    })
)  # fmt: skip


def update_alerts(tx: Tx, changed: Iterable[Alert]) -> None:
    """What may change of known alerts."""
    rows = [
        {
            "row": a.id, "annotations": encode(a.annotations), "starts_at": a.starts_at, "ends_at": a.ends_at,
            "updated_at": a.updated_at, "timeout": a.timeout, "lease": a.lease, "grouped": a.grouped,
            "generator_url": a.generator_url,
        }
        for a in changed
    ]
    if rows:
        tx.execute(_CHANGE, rows)


def count_by_state(tx: Tx, now: datetime) -> dict[str, int]:
    """How many alerts are active and over, by what is stored (a renewal may lag behind by a quarter of `resolve_timeout`)."""
    over = case((alerts.c.ends_at <= now, "over"), else_="active")
    found = {row.state: row.n for row in tx.execute(select(over.label("state"), func.count().label("n")).group_by(over))}
    return {"active": found.get("active", 0), "over": found.get("over", 0)}


def delete_alerts(tx: Tx, before: datetime) -> list[int]:
    """Forget alerts that ended, and were heard of, before this instant and are in no group; returns their ids."""
    free = alerts.c.id.not_in(select(alert_group_members.c.alert_id))  # it may have left one of its groups alone
    old = and_(alerts.c.ends_at < before, alerts.c.updated_at < before, alerts.c.grouped.is_(False), free)
    return list(tx.execute(delete(alerts).where(old).returning(alerts.c.id)).scalars())


# -- groups --------------------------------------------------------------------------------------------------------------


class Group(msgspec.Struct, frozen=True):
    """A row of alert_groups. digest: of route and labels, see group_digest."""

    id: int
    digest: int
    route: str
    labels: Labels
    group_key: str
    receiver: str
    created_at: datetime
    next_flush_at: datetime
    flush_number: int = 0
    open_deliveries: int = 0
    failed: bool = False
    idle: bool = False


def _group(row: Row[Any]) -> Group:
    return Group(
        row.id, row.digest, row.route, _labels.decode(row.labels), row.group_key, row.receiver, row.created_at, row.next_flush_at,
        row.flush_number, row.open_deliveries, row.failed, row.idle,
    )


def groups(tx: Tx) -> list[Group]:
    """Every group."""
    return [_group(row) for row in tx.execute(select(alert_groups).order_by(alert_groups.c.id))]


def group_digest(route: str, labels: Labels) -> int:
    """What identifies the group of a route that has these labels."""
    return digest(route, encode(labels))


def groups_of(tx: Tx, wanted: Collection[int]) -> dict[int, Group]:
    """The existing ones of these groups, by digest."""
    found: dict[int, Group] = {}
    for part in _parts(wanted):
        for row in tx.execute(select(alert_groups).where(alert_groups.c.digest.in_(part))):
            found[row.digest] = _group(row)
    return found


class Standing(msgspec.Struct, frozen=True, gc=False):
    """What alerts that join a group have to know of it. flush_due: in microseconds."""

    id: int
    flush_number: int
    flush_due: int
    idle: bool

    @property
    def next_flush_at(self) -> datetime:
        return from_micros(self.flush_due)


def standing(tx: Tx, wanted: Iterable[int]) -> dict[int, Standing]:
    """The existing ones of these groups, by digest."""
    rows = tx.run(_STANDING, [tx.these(list(wanted))])
    return {r[0]: Standing(r[1], r[2], r[3], bool(r[4])) for r in rows}


_STANDING = "SELECT digest, id, flush_number, next_flush_at, idle FROM alert_groups WHERE digest AMONG ?"


def insert_groups(tx: Tx, new: Sequence[Group]) -> None:
    """Rows of new groups."""
    _insert_many(
        tx,
        alert_groups,
        [
            (
                g.id, g.digest, g.route, encode(g.labels), g.group_key, g.receiver, to_micros(g.created_at), g.flush_number,
                to_micros(g.next_flush_at), g.open_deliveries, g.failed, g.idle,
            )
            for g in new
        ],
    )  # fmt: skip


def update_group(tx: Tx, group_id: int, **values: Any) -> None:
    """Change columns of a group."""
    tx.execute(update(alert_groups).where(alert_groups.c.id == group_id).values(**values))


def delete_all_groups(tx: Tx) -> None:
    """Remove every group and membership: the routes have changed."""
    tx.execute(delete(alert_group_members))
    tx.execute(delete(alert_groups))
    tx.execute(update(alerts).where(alerts.c.grouped).values(grouped=False))


def join_groups(tx: Tx, pairs: Iterable[tuple[int, int]]) -> None:
    """Make alerts members: pairs of group and alert id. One that is a member already counts as heard of anew."""
    rows = [(group_id, alert_id, None) for group_id, alert_id in pairs]
    _insert_many(tx, alert_group_members, rows, " ON CONFLICT (group_id, alert_id) DO UPDATE SET over_at = NULL")


def _members() -> Select[Any]:
    return select(alert_group_members.c.group_id, alerts).join(alerts, alerts.c.id == alert_group_members.c.alert_id)


def member_ids(tx: Tx) -> dict[int, list[int]]:
    """The ids of the alerts of every group, by its id."""
    found: dict[int, list[int]] = {}
    for row in tx.execute(select(alert_group_members.c.group_id, alert_group_members.c.alert_id)).all():
        found.setdefault(row.group_id, []).append(row.alert_id)
    return found


def all_members(tx: Tx) -> dict[int, list[Alert]]:
    """The alerts of every group, by its id."""
    found: dict[int, list[Alert]] = {}
    for row in tx.execute(_members()):
        found.setdefault(row.group_id, []).append(_alert(row))
    return found


def set_grouped(tx: Tx, ids: Collection[int]) -> None:
    """These alerts are in groups."""
    for part in _parts(ids):
        tx.execute(update(alerts).where(alerts.c.id.in_(part)).values(grouped=True))


# -- what was told, and why ----------------------------------------------------------------------------------------------


def told(tx: Tx, group_key: str, receiver: str) -> dict[str, tuple[Told | None, str]]:
    """What each integration of a receiver was last told of a group, and the last decision about it."""
    rows = tx.execute(select(notification_log).where(notification_log.c.digest == digest(receiver, group_key)))
    return {
        row.integration: (
            None if row.notified_at is None else Told(frozenset(row.firing), frozenset(row.resolved), row.notified_at),
            row.decision,
        )
        for row in rows
    }


def save_told(
    tx: Tx, group_key: str, receiver: str, integration: str, told: Told | None, expires_at: datetime, decision: str | None = None
) -> None:
    """Note a success (told), a decision, or both."""
    row: dict[str, Any] = {
        "digest": digest(receiver, group_key), "integration": integration, "receiver": receiver, "group_key": group_key,
        "firing": sorted(told.firing) if told else [], "resolved": sorted(told.resolved) if told else [],
        "notified_at": told.at if told else None, "expires_at": expires_at, "decision": decision or "",
    }
    change = ["firing", "resolved", "notified_at", "expires_at"] if told else []
    if decision is not None:
        change.append("decision")
    tx.upsert(notification_log, row, key=["digest", "integration"], change=change)


def at_the_desk(tx: Tx, integration: str) -> list[tuple[str, str]]:
    """Receivers and keys of the groups that the incident desk knows to be firing."""
    t = notification_log.c
    rows = tx.execute(select(t.receiver, t.group_key, t.firing).where(t.integration == integration))
    return [(row.receiver, row.group_key) for row in rows if row.firing]


def unsent(tx: Tx) -> list[tuple[str, str]]:
    """Kinds and subjects of the notifications that are not sent yet."""
    o = outbox.c
    statement = select(o.kind, o.subject).distinct().where(o.kind.in_(NOTIFY_KINDS), o.state == "pending")
    return [(row.kind, row.subject) for row in tx.execute(statement)]


class Decision(msgspec.Struct, frozen=True):
    """A row of alert_decisions: what was decided about a group, or what came of it, and why. See `note`."""

    at: datetime
    integration: str
    outcome: str
    reason: str
    detail: Mapping[str, Any]


def decisions(
    tx: Tx, group_key: str, receiver: str, since: datetime = EPOCH, until: datetime | None = None, newest: int = 1000
) -> list[Decision]:
    """The newest decisions about a group of a receiver in a span of time, in their order."""
    t = alert_decisions.c
    of_group = select(alert_decisions).where(t.digest == digest(receiver, group_key), t.at >= since).order_by(t.id.desc())
    statement = of_group.limit(newest) if until is None else of_group.where(t.at <= until).limit(newest)
    found = [Decision(r.at, r.integration, r.outcome, r.reason, r.detail) for r in tx.execute(statement)]
    return found[::-1]


def forget(tx: Tx, now: datetime, retention_begins: datetime, desk: str) -> None:
    """Drop what is past its time: told entries that expired, decisions and expired silences before the retention. What the
    incident desk believes to be firing is kept, however long it is muted: it has to hear of its end."""
    t = notification_log.c
    believed = and_(t.integration == desk, type_coerce(t.firing, Text) != "[]")
    tx.execute(delete(notification_log).where(t.expires_at < now, ~believed))
    tx.execute(delete(alert_decisions).where(alert_decisions.c.id < new_id(retention_begins)[:10]))
    tx.execute(delete(silences).where(silences.c.ends_at < retention_begins))


# -- silences ------------------------------------------------------------------------------------------------------------


def _silence(row: Row[Any]) -> Silence:
    conditions = tuple(Matcher(m["name"], m["value"], m["operator"]) for m in row.matchers)
    return Silence(row.id, conditions, row.starts_at, row.ends_at, row.created_by, row.comment, row.updated_at)


def all_silences(tx: Tx, ending_after: datetime | None = None) -> list[Silence]:
    """Every silence, or those that end later."""
    statement = select(silences)
    if ending_after is not None:
        statement = statement.where(silences.c.ends_at > ending_after)
    return [_silence(row) for row in tx.execute(statement)]


def current_silences(tx: Tx, now: datetime) -> list[Silence]:
    """The silences that are active."""
    rows = tx.run(_CURRENT, [to_micros(now)] * 2)
    return [
        Silence(
            r[0], tuple(Matcher(m["name"], m["value"], m["operator"]) for m in msgspec.json.decode(r[1])), from_micros(r[2]),
            from_micros(r[3]), r[4], r[5], from_micros(r[6]),
        )
        for r in rows
    ]  # fmt: skip


_CURRENT = """
SELECT id, matchers, starts_at, ends_at, created_by, comment, updated_at FROM silences WHERE starts_at <= ? AND ends_at > ?
"""


def silence(tx: Tx, silence_id: str) -> Silence | None:
    """A silence by its id."""
    row = tx.execute(select(silences).where(silences.c.id == silence_id)).one_or_none()
    return None if row is None else _silence(row)


def save_silence(tx: Tx, s: Silence) -> None:
    """Write a silence, new or changed."""
    tx.upsert(silences, {**msgspec.structs.asdict(s), "matchers": [msgspec.structs.asdict(m) for m in s.matchers]}, key=["id"])


def _parts(values: Collection[Any]) -> Iterable[list[Any]]:
    listed = list(values)
    return (listed[i : i + IN_LIST] for i in range(0, len(listed), IN_LIST))
