"""One list of migrations, the same on both databases, and the same schema as the tables that the code declares."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from quietshift.app.wire import load_tables
from quietshift.kernel import migrate
from quietshift.kernel.db import Database
from quietshift.kernel.errors import Invalid
from quietshift.kernel.schema import metadata

QUIETSHIFT = Path(sys.executable).with_name("quietshift")
WAIT_SECONDS = 30.0


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    load_tables()
    database = Database.open(database_url)
    yield database
    database.close()


def shape(conn: Connection) -> dict[str, dict[str, Any]]:
    """All that the database itself says of its tables."""
    found = inspect(conn)
    return {
        table: {
            "columns": [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in found.get_columns(table)],
            "primary key": found.get_pk_constraint(table),
            "indexes": {
                i["name"]: (i["column_names"], i["unique"], _words(i["dialect_options"])) for i in found.get_indexes(table)
            },
            "unique": found.get_unique_constraints(table),
            "foreign keys": found.get_foreign_keys(table),
            "checks": found.get_check_constraints(table),
        }
        for table in found.get_table_names()
    }


def _words(options: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items()}  # a partial index's condition compares by identity


def shape_of(database: Database) -> dict[str, dict[str, Any]]:
    with database.read() as tx:
        return shape(tx.conn)


def test_walking_the_list_from_empty_makes_what_the_code_declares(empty: Database) -> None:
    def include(thing: Any, _name: Any, kind: str, _reflected: Any, _other: Any) -> bool:
        condition = getattr(thing, "_ddl_if", None) if kind == "index" else None  # declared for one of the databases alone
        return condition is None or condition.dialect == empty.dialect

    with empty.raw_engine().begin() as conn:
        migrate.walk(conn)
        options = {"compare_type": True, "compare_server_default": True, "include_object": include}
        assert compare_metadata(MigrationContext.configure(conn, opts=options), metadata) == []
        conn.execute(text("DROP INDEX ix_timers_due_at"))
        assert len(compare_metadata(MigrationContext.configure(conn, opts=options), metadata)) == 1, "the comparison sees it"


def test_walking_the_list_equals_making_all_at_once(empty: Database) -> None:
    """An empty database is made from the metadata: columns, types, keys and indexes are those of the migrations."""
    assert migrate.upgrade(empty, load_tables)
    at_once = shape_of(empty)
    assert {"timers", "journal", "alerts", "incidents", "pages", "runbook_steps", "alembic_version"} <= at_once.keys()
    with empty.raw_engine().begin() as conn:
        metadata.drop_all(conn)
        conn.execute(text("DROP TABLE alembic_version"))
        assert shape(conn) == {}
    with empty.raw_engine().begin() as conn:
        migrate.walk(conn)
    walked = shape_of(empty)
    assert walked.keys() == at_once.keys()
    for table in walked:
        assert walked[table] == at_once[table], table
    assert migrate.current(empty) == migrate.HEAD


def test_head_is_the_newest_of_the_list() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_migrations_name_no_room() -> None:
    """A migration tells what was; rooms tell what is."""
    files = list((migrate.SCRIPTS / "versions").glob("*.py"))
    assert files
    for file in files:
        assert not re.search(r"^\s*(from|import) quietshift", file.read_text(), re.MULTILINE), file


def test_upgrading_twice_changes_nothing(empty: Database) -> None:
    assert migrate.current(empty) is None
    assert migrate.upgrade(empty, load_tables)
    before = shape_of(empty)
    with empty.write() as tx:
        tx.execute(text("INSERT INTO counters (name, value) VALUES ('incident', 1042)"))

    def not_again() -> None:
        raise AssertionError("an up-to-date database needs no tables loaded")

    assert not migrate.upgrade(empty, not_again)
    assert shape_of(empty) == before
    with empty.read() as tx:
        assert tx.execute(text("SELECT value FROM counters")).scalar_one() == 1042


def test_a_newer_database_is_refused_and_left_alone(empty: Database) -> None:
    migrate.upgrade(empty, load_tables)
    with empty.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Invalid, match=rf"schema 9999, which is newer than this program \({migrate.HEAD}\): install"):
        migrate.upgrade(empty, load_tables)
    assert migrate.current(empty) == "9999"


def test_the_command_refuses_a_newer_database_in_one_line(empty: Database, database_url: str) -> None:
    migrate.upgrade(empty, load_tables)
    with empty.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    done = db_upgrade(database_url)
    assert done.wait(WAIT_SECONDS) == 1
    assert done.stderr
    (line,) = done.stderr.read().splitlines()
    assert "9999" in line
    assert migrate.HEAD in line


def test_a_database_that_is_not_whole_is_refused(empty: Database) -> None:
    with empty.raw_engine().begin() as conn:
        metadata.tables["journal"].create(conn)
    with pytest.raises(Invalid, match="not whole"):
        migrate.upgrade(empty, load_tables)
    assert list(shape_of(empty)) == ["journal"]


def test_an_up_to_date_database_costs_no_import_of_alembic(empty: Database, database_url: str) -> None:
    migrate.upgrade(empty, load_tables)
    empty.close()
    code = f"""
import sys
from quietshift.app.wire import load_tables
from quietshift.kernel import migrate
from quietshift.kernel.db import Database
assert not migrate.upgrade(Database.open({database_url!r}), load_tables)
print(sorted(m for m in sys.modules if m.split(".")[0] in ("alembic", "mako") or m.startswith("quietshift.alerts")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def db_upgrade(url: str) -> subprocess.Popen[str]:
    command = [str(QUIETSHIFT), "db", "upgrade", "--db", url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.needs("postgresql")
def test_of_two_processes_that_start_at_once_one_migrates(postgres_url: str) -> None:
    """Both find the database empty and wait at the same lock, which this test holds until both stand there."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = " \
        "(SELECT oid FROM pg_database WHERE datname = current_database())"  # fmt: skip
    with psycopg.connect(postgres_url, autocommit=True) as held:
        held.execute("SELECT pg_advisory_lock(%s, hashtext(current_schema()))", (migrate._LOCK,))
        both = [db_upgrade(postgres_url), db_upgrade(postgres_url)]
        deadline = time.monotonic() + WAIT_SECONDS
        while held.execute(waiting).fetchone() != (2,):
            assert time.monotonic() < deadline
            assert all(process.poll() is None for process in both)
            time.sleep(0.02)  # waits for other processes
    said = sorted(process.communicate(timeout=WAIT_SECONDS) for process in both)
    head = migrate.HEAD
    assert said == [(f"schema {head}: already up to date\n", ""), (f"schema {head}: upgraded\n", "")]
    assert [process.returncode for process in both] == [0, 0]
