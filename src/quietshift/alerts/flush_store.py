"""What a flush reads and writes: of many groups at once, in plain statements, each once (see `Tx.run`)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from quietshift.alerts.decide import Told
from quietshift.alerts.labels import Labels
from quietshift.alerts.model import Alert
from quietshift.alerts.store import Group
from quietshift.kernel.clock import from_micros, to_micros
from quietshift.kernel.db import Tx
from quietshift.kernel.ids import new_id
from quietshift.kernel.schema import to_json

_labels = msgspec.json.Decoder(Labels)


def groups(tx: Tx, ids: Collection[int]) -> dict[int, Group]:
    """The existing ones of these groups, by id."""
    rows = tx.run(_GROUPS, [tx.these(ids)])
    return {
        r[0]: Group(
            r[0], r[1], r[2], _labels.decode(r[3]), r[4], r[5], from_micros(r[6]), from_micros(r[7]), r[8], r[9],
            bool(r[10]), bool(r[11]),
        )
        for r in rows
    }  # fmt: skip


_GROUPS = """
SELECT id, digest, route, labels, group_key, receiver, created_at, next_flush_at, flush_number, open_deliveries, failed, idle
FROM alert_groups WHERE id AMONG ?
"""


def members(tx: Tx, ids: Collection[int]) -> dict[int, list[Alert]]:
    """The alerts of these groups."""
    found: dict[int, list[Alert]] = {group_id: [] for group_id in ids}
    for r in tx.run(_MEMBERS, [tx.these(ids)]):
        found[r[0]].append(
            Alert(
                _labels.decode(r[1]), _labels.decode(r[2]), from_micros(r[3]), from_micros(r[4]), from_micros(r[5]),
                bool(r[6]), bool(r[7]), r[8], r[9], bool(r[10]),
            )
        )  # fmt: skip
    return found


_MEMBERS = """
SELECT
    m.group_id, a.labels, a.annotations, a.starts_at, a.ends_at, a.updated_at, a.timeout, a.lease, a.generator_url, a.id,
    a.grouped
FROM alert_group_members m JOIN alerts a ON a.id = m.alert_id WHERE m.group_id AMONG ? ORDER BY m.group_id, m.alert_id
"""

Account = dict[tuple[int, str], tuple[Told | None, str]]


def told(tx: Tx, digests: Collection[int]) -> Account:
    """What each integration was last told, and the last decision about it. By digest (see Entry) and integration."""
    return {
        (r[0], r[1]): (
            None if r[4] is None else Told(frozenset(json.loads(r[2])), frozenset(json.loads(r[3])), from_micros(r[4])),
            r[5],
        )
        for r in tx.run(_TOLD, [tx.these(digests)])
    }


_TOLD = "SELECT digest, integration, firing, resolved, notified_at, decision FROM notification_log WHERE digest AMONG ?"


class Entry(msgspec.Struct, frozen=True):
    """Whom a line of the books is about: an integration, and a group of its receiver. digest: of receiver and group_key."""

    digest: int
    integration: str
    receiver: str
    group_key: str


def save_told(tx: Tx, entries: Iterable[tuple[Entry, Told, datetime]]) -> None:
    """Note successes, each with when it may be forgotten."""
    rows = [
        (*_of(e), to_json(sorted(t.firing)), to_json(sorted(t.resolved)), to_micros(t.at), to_micros(expires_at), "")
        for e, t, expires_at in entries
    ]
    tx.insert(_BOOK, rows, _SAVE_TOLD)


def save_decisions(tx: Tx, entries: Iterable[tuple[Entry, str, datetime]]) -> None:
    """Note the last decision about each, in words; and when it may be forgotten, where nothing was told yet."""
    rows = [(*_of(e), "[]", "[]", None, to_micros(expires_at), words) for e, words, expires_at in entries]
    tx.insert(_BOOK, rows, _SAVE_DECISION)


_BOOK = "notification_log (digest, integration, receiver, group_key, firing, resolved, notified_at, expires_at, decision)"
_SAVE_DECISION = "ON CONFLICT (digest, integration) DO UPDATE SET decision = excluded.decision"
_SAVE_TOLD = """ON CONFLICT (digest, integration) DO UPDATE SET
    firing = excluded.firing, resolved = excluded.resolved, notified_at = excluded.notified_at, expires_at = excluded.expires_at
"""


def note(tx: Tx, now: datetime, lines: Iterable[tuple[Entry, str, str, Mapping[str, Any]]]) -> None:
    """Keep decisions, or what came of them: outcome, reason, detail."""
    at = to_micros(now)
    tx.insert(
        "alert_decisions (digest, integration, receiver, group_key, id, at, outcome, reason, detail)",
        [(*_of(e), new_id(now), at, outcome, reason[:2000], to_json(detail)) for e, outcome, reason, detail in lines],
    )


def _of(entry: Entry) -> tuple[int, str, str, str]:
    return entry.digest, entry.integration, entry.receiver, entry.group_key


def flushed(tx: Tx, rows: Sequence[tuple[int, int, datetime, int]]) -> None:
    """Groups were flushed: id, number of the flush, when the next is, how many answers there are to wait for."""
    tx.run_many(
        "UPDATE alert_groups SET flush_number = ?, next_flush_at = ?, open_deliveries = ?, failed = FALSE, idle = FALSE "
        "WHERE id = ?",
        [(number, to_micros(next_flush_at), waiting, group_id) for group_id, number, next_flush_at, waiting in rows],
    )


def answered(tx: Tx, rows: Sequence[tuple[int, int, bool]]) -> None:
    """Answers came: id of the group, for how many it still waits, whether one was given up."""
    tx.run_many("UPDATE alert_groups SET open_deliveries = ?, failed = ? WHERE id = ?", [(w, f, g) for g, w, f in rows])


def delete_groups(tx: Tx, ids: Collection[int]) -> None:
    """Remove groups that have no members."""
    if ids:
        tx.run("DELETE FROM alert_groups WHERE id AMONG ?", [tx.these(ids)])


def mark_over(tx: Tx, over: Iterable[tuple[int, Alert]]) -> None:
    """Note which members of groups were found resolved, and what was known of them then."""
    rows = [(to_micros(alert.updated_at), group_id, alert.id) for group_id, alert in over]
    tx.run_many("UPDATE alert_group_members SET over_at = ? WHERE group_id = ? AND alert_id = ?", rows)


def leave(tx: Tx, ids: Collection[int]) -> tuple[list[int], set[int]]:
    """Remove the members of these groups that were told as resolved and not heard of since. Returns the alerts, which have to
    join their groups again when they are heard of, and the groups that became empty by it; those are idle from now on."""
    gone = tx.run(_LEAVE, [tx.these(ids)]) if ids else []
    if not gone:
        return [], set()
    left, of = sorted({r[1] for r in gone}), {r[0] for r in gone}
    tx.run("UPDATE alerts SET grouped = FALSE WHERE id AMONG ?", [tx.these(left)])
    peopled = {r[0] for r in tx.run("SELECT DISTINCT group_id FROM alert_group_members WHERE group_id AMONG ?", [tx.these(of)])}
    tx.run("UPDATE alert_groups SET idle = TRUE WHERE id AMONG ?", [tx.these(of - peopled)])
    return left, of - peopled


_LEAVE = """
DELETE FROM alert_group_members WHERE group_id AMONG ? AND over_at IS NOT NULL
AND over_at = (SELECT updated_at FROM alerts WHERE alerts.id = alert_group_members.alert_id) RETURNING group_id, alert_id
"""
