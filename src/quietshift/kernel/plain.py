"""Plain statements, the same for SQLite and PostgreSQL: `?` for a value, `AMONG ?` for one of many. See `Tx.run`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Table

AT_ONCE = (64, 8, 1)  # rows in one statement: few sizes, so that each is compiled once; more cost more


@functools.cache
def translated(sql: str, dialect: str) -> str:
    """As the driver wants it."""
    if dialect == "postgresql":
        return sql.replace("AMONG ?", "= ANY(%s)").replace("?", "%s")
    return sql.replace("AMONG ?", "IN (SELECT value FROM json_each(?))")


@functools.cache
def insertion(into: str, rows: int) -> str:
    """Insert that many rows into `table (column, ...)`."""
    marks = "(" + ", ".join("?" * (into.count(",") + 1)) + ")"
    return f"INSERT INTO {into} VALUES {', '.join([marks] * rows)} "  # noqa: S608 - our own names


@functools.cache
def putting(
    table: Table, columns: tuple[str, ...], key: tuple[str, ...], change: tuple[str, ...] | None, dialect: Any
) -> tuple[str, list[Callable[[Any], Any]]]:
    """The statement that inserts rows, or changes those with the same key, and how each column's value is stored."""
    found: list[Callable[[Any], Any]] = [
        table.c[name].type.dialect_impl(dialect).bind_processor(dialect) or _as_it_is for name in columns
    ]
    # names of our own tables and columns, quoted; no value is in it
    sql = f'INSERT INTO "{table.name}" ({_names(columns)}) VALUES ({", ".join("?" for _ in columns)})'  # noqa: S608 - see above
    if key:
        changed = [name for name in columns if name not in key] if change is None else change
        told = ", ".join(f'"{name}" = excluded."{name}"' for name in changed)
        sql += f" ON CONFLICT ({_names(key)}) DO " + (f"UPDATE SET {told}" if told else "NOTHING")
    return sql, found


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _as_it_is(value: Any) -> Any:
    return value
