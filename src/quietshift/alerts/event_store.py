"""SQL of other tools' open problems, of what became of their requests, and of changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select

from quietshift.alerts.labels import Labels, digest, fingerprint
from quietshift.alerts.sources import Change
from quietshift.alerts.store import encode
from quietshift.alerts.tables import change_events, event_requests, open_events
from quietshift.alerts.wires.opsgenie import Processed
from quietshift.kernel.db import Tx

_labels = msgspec.json.Decoder(Labels)
_PART = 500  # values of one IN


class OpenEvent(msgspec.Struct, frozen=True):
    """A problem that is not resolved. source: the integration; digest: of the tool's key; labels: of the alert it is, which began
    at starts_at; opened_at: when the problem began, whatever its severity was."""

    source: str
    digest: int
    labels: Labels
    starts_at: datetime
    opened_at: datetime


# -- open problems -------------------------------------------------------------------------------------------------------


def get(tx: Tx, source: str, key: str) -> OpenEvent | None:
    """The open problem that this source knows by this key."""
    return of_keys(tx, source, [key]).get(digest(key))


def of_keys(tx: Tx, source: str, keys: Collection[str]) -> dict[int, OpenEvent]:
    """The open problems that this source knows by these keys, by the digest of each."""
    t, wanted = open_events.c, [digest(key) for key in keys]
    found: dict[int, OpenEvent] = {}
    for start in range(0, len(wanted), _PART):
        part = select(open_events).where(t.source == source, t.digest.in_(wanted[start : start + _PART]))
        found |= {row.digest: _event(row) for row in tx.execute(part)}
    return found


def by_fingerprint(tx: Tx, fingerprints: Collection[str]) -> list[OpenEvent]:
    """The open problems among these alerts."""
    return [_event(row) for row in tx.execute(select(open_events).where(open_events.c.fingerprint.in_(fingerprints)))]


def of_sources(tx: Tx, prefix: str) -> list[OpenEvent]:
    """The open problems of the sources whose names begin so."""
    theirs = open_events.c.source.startswith(prefix, autoescape=True)
    return [_event(row) for row in tx.execute(select(open_events).where(theirs))]


def of_source(tx: Tx, source: str) -> list[OpenEvent]:
    """Every open problem of a source."""
    return [_event(row) for row in tx.execute(select(open_events).where(open_events.c.source == source))]


def save(tx: Tx, events: Iterable[OpenEvent]) -> None:
    """Write problems, new or changed."""
    rows = [
        {
            "source": event.source, "digest": event.digest, "labels": encode(event.labels),
            "fingerprint": fingerprint(event.labels), "starts_at": event.starts_at, "opened_at": event.opened_at,
        }
        for event in events
    ]  # fmt: skip
    tx.upsert(open_events, rows, key=["source", "digest"])


def remove(tx: Tx, events: Sequence[OpenEvent]) -> None:
    """They are not open any more."""
    t = open_events.c
    by_source: dict[str, list[int]] = {}
    for event in events:
        by_source.setdefault(event.source, []).append(event.digest)
    for source, digests in by_source.items():
        for start in range(0, len(digests), _PART):
            tx.execute(delete(open_events).where(t.source == source, t.digest.in_(digests[start : start + _PART])))


def _event(row: Row[Any]) -> OpenEvent:
    return OpenEvent(row.source, row.digest, _labels.decode(row.labels), row.starts_at, row.opened_at or row.starts_at)


# -- requests ------------------------------------------------------------------------------------------------------------


def add_request(tx: Tx, done: Processed) -> None:
    """Remember what became of a request."""
    tx.execute(insert(event_requests).values(msgspec.structs.asdict(done)))


def request(tx: Tx, source: str, request_id: str) -> Processed | None:
    """What became of a request of this source."""
    if "\0" in request_id:  # no text of PostgreSQL's has one
        return None
    t = event_requests.c
    row = tx.execute(select(event_requests).where(t.id == request_id, t.source == source)).one_or_none()
    return None if row is None else Processed(**row._mapping)


# -- changes -------------------------------------------------------------------------------------------------------------


def add_change(tx: Tx, change: Change) -> None:
    """Keep a change."""
    tx.execute(insert(change_events).values(msgspec.structs.asdict(change) | {"links": [list(link) for link in change.links]}))


def changes(tx: Tx, service: str, since: datetime, until: datetime, limit: int) -> list[Change]:
    """What was changed about a service in this time, newest first."""
    t = change_events.c
    theirs = select(change_events).where(t.service == service, t.at >= since, t.at <= until)
    rows = tx.execute(theirs.order_by(t.at.desc(), t.id.desc()).limit(limit))
    return [Change(**{**row._mapping, "links": tuple((address, text) for address, text in row.links)}) for row in rows]


def forget(tx: Tx, changes_before: datetime, requests_before: datetime) -> None:
    """Drop what is past its retention."""
    tx.execute(delete(change_events).where(change_events.c.at < changes_before))
    tx.execute(delete(event_requests).where(event_requests.c.at < requests_before))
