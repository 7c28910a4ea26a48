"""Problems that other tools have triggered and not resolved."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "open_events",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "digest", name="pk_open_events"),
    )
    op.create_index("ix_open_events_fingerprint", "open_events", ["fingerprint"], unique=False)
