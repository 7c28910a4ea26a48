"""Pages of a storm share messages: what waits, what was told, and which message told of which page."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "bundled_pages",
        sa.Column("page_id", sa.Text(), nullable=False),
        sa.Column("rung", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bundle_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("page_id", "rung", name="pk_bundled_pages"),
    )
    op.create_index("ix_bundled_pages_bundle_id_page_id", "bundled_pages", ["bundle_id", "page_id"], unique=False)
    op.create_table(
        "page_bundles",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_page_bundles"),
    )
    op.create_table(
        "page_windows",
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("contact", name="pk_page_windows"),
    )
    op.add_column("page_rungs", sa.Column("waits_in", sa.Text()))
    op.add_column("page_rungs", sa.Column("rank", sa.Integer()))
    op.create_index("ix_page_rungs_waits_in", "page_rungs", ["waits_in"], unique=False)
