"""SQL of other tools' open problems."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, and_, delete, select

from quietshift.alerts.labels import Labels, digest, fingerprint
from quietshift.alerts.store import encode
from quietshift.alerts.tables import open_events
from quietshift.kernel.db import Tx

_labels = msgspec.json.Decoder(Labels)


class OpenEvent(msgspec.Struct, frozen=True):
    """A problem that is not resolved. source: the integration; digest: of the tool's key; labels: of the alert it is."""

    source: str
    digest: int
    labels: Labels
    starts_at: datetime


def get(tx: Tx, source: str, key: str) -> OpenEvent | None:
    """The open problem that this source knows by this key."""
    t = open_events.c
    row = tx.execute(select(open_events).where(t.source == source, t.digest == digest(key))).one_or_none()
    return None if row is None else _event(row)


def by_fingerprint(tx: Tx, fingerprints: Collection[str]) -> list[OpenEvent]:
    """The open problems among these alerts."""
    return [_event(row) for row in tx.execute(select(open_events).where(open_events.c.fingerprint.in_(fingerprints)))]


def of_sources(tx: Tx, prefix: str) -> list[OpenEvent]:
    """The open problems of the sources whose names begin so."""
    theirs = open_events.c.source.startswith(prefix, autoescape=True)
    return [_event(row) for row in tx.execute(select(open_events).where(theirs))]


def save(tx: Tx, event: OpenEvent) -> None:
    """Write a problem, new or changed."""
    row = {
        "source": event.source, "digest": event.digest, "labels": encode(event.labels),
        "fingerprint": fingerprint(event.labels), "starts_at": event.starts_at,
    }  # fmt: skip
    tx.upsert(open_events, row, key=["source", "digest"])


def remove(tx: Tx, event: OpenEvent) -> None:
    """It is not open any more."""
    t = open_events.c
    tx.execute(delete(open_events).where(and_(t.source == event.source, t.digest == event.digest)))


def _event(row: Row[Any]) -> OpenEvent:
    return OpenEvent(row.source, row.digest, _labels.decode(row.labels), row.starts_at)
