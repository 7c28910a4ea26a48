"""This room's tables, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from quietshift.kernel.schema import Instant, Json, metadata

# One row for each incident that was ever paged for; its policy is frozen in it.
escalations = Table(
    "escalations",
    metadata,
    Column("incident_id", BigInteger, primary_key=True, autoincrement=False),
    Column("policy", Json, nullable=False),
    Column("facts", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("called_at", Instant),
    Column("next", Json),
    Column("next_at", Instant),
    Column("started_at", Instant, nullable=False),
    Column("stopped_at", Instant),
    Column("why", Text, nullable=False),
    Index("ix_escalations_state", "state"),
)

pages = Table(
    "pages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("incident_id", BigInteger),  # none: a test
    Column("person", Text, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("step", Integer),
    Column("round", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("rungs", Integer, nullable=False),  # how many its ladder has
    Column("state", Text, nullable=False),
    Column("closed_at", Instant),
    Index("ix_pages_incident_id", "incident_id"),
    Index("ix_pages_due_at", "due_at"),
    Index("ix_pages_person_due_at", "person", "due_at"),
)

# Rungs of a ladder whose time has not come: taken out when they are sent or withdrawn, for they hold addresses.
page_rungs = Table(
    "page_rungs",
    metadata,
    Column("page_id", Text, primary_key=True),
    Column("rung", Integer, primary_key=True, autoincrement=False),
    Column("incident_id", BigInteger, nullable=False),
    Column("via", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("waits_in", Text),  # the window that it waits in, its time having come, to be told with others
    Column("rank", Integer),  # of the incident's severity
    Index("ix_page_rungs_incident_id", "incident_id"),
    Index("ix_page_rungs_waits_in", "waits_in"),
)

# What each contact of each person was told in the last hour, and what is told with others when. No address: its digest.
page_windows = Table(
    "page_windows",
    metadata,
    Column("contact", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("told", Json, nullable=False),
)

# A message that tells of many pages at once. Its attempts have its id in page_attempts.page_id.
page_bundles = Table(
    "page_bundles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("via", Text, nullable=False),  # masked
    Column("due_at", Instant, nullable=False),
    Column("pages", Integer, nullable=False),
)

bundled_pages = Table(
    "bundled_pages",
    metadata,
    Column("page_id", Text, primary_key=True),
    Column("rung", Integer, primary_key=True, autoincrement=False),
    Column("bundle_id", Text, nullable=False),
    Index("ix_bundled_pages_bundle_id_page_id", "bundle_id", "page_id"),
)

page_attempts = Table(
    "page_attempts",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("page_id", Text, nullable=False),
    Column("rung", Integer, nullable=False),
    Column("channel", Text, nullable=False),
    Column("via", Text, nullable=False),  # masked
    Column("due_at", Instant, nullable=False),
    Column("attempted_at", Instant, nullable=False),
    Column("answered_at", Instant, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("code", Integer),
    Column("answer", Text, nullable=False),
    Column("final", Boolean, nullable=False),
    Index("ix_page_attempts_page_id", "page_id"),
    Index("ix_page_attempts_attempted_at", "attempted_at"),
)

# What an escalation did, or did not do, and why.
escalation_log = Table(
    "escalation_log",
    metadata,
    Column("id", Text, primary_key=True),
    Column("incident_id", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("data", Json, nullable=False),
    Index("ix_escalation_log_incident_id", "incident_id"),
)

# What a person set in the web; overrides the ops directory's Contacts.
contact_rules = Table(
    "contact_rules",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("after_ms", BigInteger, nullable=False),
    Column("via", Text, nullable=False),
    Column("set_at", Instant, nullable=False),
    Index("uq_contact_rules_person_position", "person", "position", unique=True),
)
