"""Writes a migration: the difference between what the list of migrations makes and the tables that the code declares.

    .venv/bin/python scripts/migration.py 0002 what_it_brings "What it brings, in words"

Read and tidy what it writes, then set HEAD in kernel/migrate.py. A migration that was never released can be made anew by
the same call; a released one never changes.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import ops

from quietshift.app.tables import metadata
from quietshift.kernel.migrate import SCRIPTS, walk
from quietshift.kernel.schema import Instant, Json

VERSIONS = SCRIPTS / "versions"
STORED = {Instant: "sa.BigInteger()", Json: "sa.Text()"}  # what our own types are in the database
HEADER = '''\
"""{words}."""

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = {before}


def upgrade() -> None:
'''


def write(number: str, name: str, words: str) -> Path:
    """Make versions/NUMBER_NAME.py, in place of any other of this number; returns its path."""
    for old in VERSIONS.glob(f"{number}_*.py"):
        old.unlink()
    before = max((path.name[:4] for path in VERSIONS.glob("[0-9]*_*.py") if path.name[:4] < number), default=None)
    engine = sa.create_engine("sqlite://")
    with engine.begin() as conn:
        if before:
            walk(conn)
        found = produce_migrations(MigrationContext.configure(conn), metadata)
    upgrades = found.upgrade_ops
    assert upgrades is not None
    only_on = {
        index.name: index._ddl_if.dialect for table in metadata.tables.values() for index in table.indexes if index._ddl_if
    }
    dialects: dict[str, list[ops.MigrateOperation]] = {}
    _sift(upgrades, only_on, dialects)
    body = _code(upgrades)
    for dialect, operations in sorted(dialects.items()):
        inner = textwrap.indent(_code(ops.UpgradeOps(operations)), "    ")
        body += f'\nif op.get_context().dialect.name == "{dialect}":\n{inner}'
    text = HEADER.format(words=words, number=number, before=f'"{before}"' if before else None)
    path = VERSIONS / f"{number}_{name}.py"
    path.write_text(text + textwrap.indent(body, "    ") + "\n")
    ruff = Path(sys.executable).with_name("ruff")
    subprocess.run([ruff, "format", "--quiet", path], check=True)  # noqa: S603 - our own file
    return path


def _sift(container: ops.OpContainer, only_on: dict[Any, Any], dialects: dict[str, list[ops.MigrateOperation]]) -> None:
    """Take out the indexes that are for one database alone."""
    for operation in list(container.ops):
        if isinstance(operation, ops.OpContainer):
            _sift(operation, only_on, dialects)
        elif isinstance(operation, ops.CreateIndexOp) and operation.index_name in only_on:
            container.ops.remove(operation)
            dialects.setdefault(only_on[operation.index_name], []).append(operation)


def _code(operations: ops.UpgradeOps) -> str:
    def item(kind: str, value: Any, _context: Any) -> str | Literal[False]:
        return STORED.get(type(value), False) if kind == "type" else False

    code = render_python_code(operations, render_item=item)
    lines = [line for line in code.split("\n") if not line.strip().startswith("# ###")]
    text = re.sub(r"op\.f\(('[^']+')\)", r"\1", "\n".join(lines)).replace(", nullable=True", "")
    return textwrap.dedent("    " + text.strip())


if __name__ == "__main__":
    if len(sys.argv) != 4 or not sys.argv[1].isdigit() or len(sys.argv[1]) != 4:
        sys.exit(__doc__)
    sys.stdout.write(f"{write(*sys.argv[1:])}\n")
