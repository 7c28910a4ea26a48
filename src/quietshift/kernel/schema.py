"""One metadata for all rooms, and the two column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, TypeDecorator
from sqlalchemy.engine import Dialect

from quietshift.kernel.clock import from_micros, to_micros

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as microseconds since 1970 (BIGINT): exact, sortable, the same on both databases.

    A naive datetime raises ValueError.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


class Json(TypeDecorator[Any]):
    """JSON as text: objects, arrays and scalars; keys sorted, so that equal values are equal text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else to_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def to_json(value: Any) -> str:
    """The text that a Json column holds."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


# Small facts about the database itself: the secret key's fingerprint, when a server was last alive.
meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# Numbers that people see, as in INC-1042.
counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

timers = Table(
    "timers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("payload", Json, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("parked_at", Instant),
    Index("uq_timers_kind_subject", "kind", "subject", unique=True),
    Index("ix_timers_due_at", "due_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("payload", Json, nullable=False),
    Column("state", Text, nullable=False),  # pending | cancelled | parked
    Column("due_at", Instant, nullable=False),
    Column("give_up_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Instant),
    Column("error", Text),
    Column("created_at", Instant, nullable=False),
    Index("ix_outbox_due_at", "due_at"),
    Index("ix_outbox_kind_subject", "kind", "subject"),
)

journal = Table(
    "journal",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("payload_digest", Text, nullable=False),
    Index("ix_journal_subject", "subject"),
)

# What may be erased by a journaled act: the reason in words and the data. The chain holds only their salted digest.
journal_payloads = Table(
    "journal_payloads",
    metadata,
    Column("entry_id", Text, primary_key=True),
    Column("salt", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("data", Json, nullable=False),
)

journal_seals = Table(
    "journal_seals",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", Text, nullable=False),
    Column("entry_digest", Text, nullable=False),
    Column("seal", Text, nullable=False),
    Index("uq_journal_seals_entry_id", "entry_id", unique=True),
)
