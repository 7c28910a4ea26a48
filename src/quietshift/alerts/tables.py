"""This room's tables, the same on SQLite and PostgreSQL.

An alert's row is appended, not placed by its digest: on SQLite one process knows every alert by heart, so that no unique
index has to be kept (random ones multiply what is written). On PostgreSQL many processes share them, and one has to be there.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from quietshift.kernel.schema import Instant, Json, metadata

alerts = Table(
    "alerts",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", BigInteger, nullable=False),  # of the labels
    Column("labels", Text, nullable=False),  # JSON
    Column("annotations", Text, nullable=False),  # JSON
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("timeout", Boolean, nullable=False),
    Column("lease", Boolean, nullable=False),
    Column("grouped", Boolean, nullable=False),  # it is a member of all of its groups
    Column("generator_url", Text, nullable=False),
)
Index("uq_alerts_digest", alerts.c.digest, unique=True).ddl_if(dialect="postgresql")

alert_groups = Table(
    "alert_groups",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", BigInteger, nullable=False),  # of route and labels, which may be too long for an index
    Column("route", Text, nullable=False),  # path in the tree
    Column("labels", Text, nullable=False),  # JSON
    Column("group_key", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("flush_number", Integer, nullable=False),  # 0: never flushed
    Column("next_flush_at", Instant, nullable=False),
    Column("open_deliveries", Integer, nullable=False),  # of the last flush, not yet answered
    Column("failed", Boolean, nullable=False),  # a delivery of the last flush was given up
    Column("idle", Boolean, nullable=False),  # without members, kept for a moment
    Index("uq_alert_groups_digest", "digest", unique=True),
)

alert_group_members = Table(
    "alert_group_members",
    metadata,
    Column("group_id", BigInteger, primary_key=True, autoincrement=False),
    Column("alert_id", BigInteger, primary_key=True, autoincrement=False),
    Column("over_at", Instant),  # updated_at of the alert when the last flush found it resolved
)

notification_log = Table(
    "notification_log",
    metadata,
    Column("digest", BigInteger, primary_key=True, autoincrement=False),  # of receiver and group_key
    Column("integration", Text, primary_key=True),
    Column("receiver", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("firing", Json, nullable=False),  # digests
    Column("resolved", Json, nullable=False),
    Column("notified_at", Instant),  # the last success; null: none yet
    Column("expires_at", Instant, nullable=False),
    Column("decision", Text, nullable=False),  # the last one written to alert_decisions
)

silences = Table(
    "silences",
    metadata,
    Column("id", Text, primary_key=True),
    Column("matchers", Json, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

alert_decisions = Table(
    "alert_decisions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("digest", BigInteger, nullable=False),  # of receiver and group_key
    Column("group_key", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("integration", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # told | kept | sent | failed
    Column("reason", Text, nullable=False),
    Column("detail", Json, nullable=False),
    Index("ix_alert_decisions_digest", "digest", "id"),
)

# Problems that other tools have reported and not resolved, by their own name for them.
open_events = Table(
    "open_events",
    metadata,
    Column("source", Text, primary_key=True),  # integration
    Column("digest", BigInteger, primary_key=True, autoincrement=False),  # of the tool's key, which may be too long for an index
    Column("labels", Text, nullable=False),  # JSON; of the alert
    Column("fingerprint", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("opened_at", Instant),  # as starts_at, but a change of severity leaves it; null: as starts_at
    Index("ix_open_events_fingerprint", "fingerprint"),
)

# What other tools have changed on purpose: told beside the incidents of the service, never told by itself.
change_events = Table(
    "change_events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", Instant, nullable=False),  # by the tool
    Column("service", Text, nullable=False),
    Column("integration", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("details", Json, nullable=False),
    Column("links", Json, nullable=False),  # pairs of address and text
    Index("ix_change_events_service", "service", "at"),
    Index("ix_change_events_at", "at"),
)

# What became of requests to Opsgenie's API: its clients ask for it by the requestId that they were answered.
event_requests = Table(
    "event_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),  # integration
    Column("at", Instant, nullable=False),
    Column("action", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("alert_id", Text, nullable=False),
    Column("alias", Text, nullable=False),
    Index("ix_event_requests_at", "at"),
)
