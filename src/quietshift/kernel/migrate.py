"""The schema: one Alembic list, applied at start, the same on both databases.

An up-to-date database costs one query and no import of Alembic. An empty one is made from the metadata and stamped with the
newest revision, which a test proves to be the same as walking the list from its beginning.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import inspect, text

from quietshift.kernel.db import Database
from quietshift.kernel.errors import Invalid
from quietshift.kernel.schema import metadata

log = logging.getLogger("quietshift.migrate")
SCRIPTS = Path(__file__).parent / "migrations"
HEAD = "0007"  # the newest file in migrations/versions; a test holds it
_LOCK = 0x71_73_6D_67  # "qsmg"
_VERSION_TABLE = """CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"""  # as Alembic makes it


def current(db: Database) -> str | None:
    """The revision that the database has; None where it is empty."""
    with db.read() as tx:
        if not inspect(tx.conn).has_table("alembic_version"):
            return None
        return tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def upgrade(db: Database, load_tables: Callable[[], object]) -> bool:
    """Bring the schema to HEAD; tells whether anything was done. load_tables puts every room's tables on the metadata; it
    is called only where there is something to do.

    Raises Invalid where the database is newer than this program.
    """
    if current(db) == HEAD:
        return False
    load_tables()
    with db.write() as tx:
        if tx.dialect == "postgresql":  # of several processes that start at once, one migrates
            tx.execute(text("SET LOCAL lock_timeout = 0"))  # however long that takes
            tx.execute(text("SELECT pg_advisory_xact_lock(:key, hashtext(current_schema()))"), {"key": _LOCK})
        tables = inspect(tx.conn).get_table_names()
        if "alembic_version" not in tables:
            if "journal" in tables:
                raise Invalid("this database holds tables of Quietshift but no revision: it is not whole; restore a backup")
            metadata.create_all(tx.conn, checkfirst=False)  # to ask for each table whether it is there costs 30 queries
            tx.execute(text(_VERSION_TABLE))
            tx.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
            return True
        version = tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        if version == HEAD:
            return False
        walk(tx.conn, version)
        log.info("schema upgraded", extra={"from": version, "to": HEAD})
    return True


def walk(conn: object, version: str | None = None) -> None:
    """Run the list of migrations on this connection, from `version` (None: from nothing) to HEAD."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise Invalid(
            f"this database is at schema {version}, which is newer than this program ({HEAD}): install the version of "
            "Quietshift that wrote it, or a newer one"
        )
    command.upgrade(config, "head")
