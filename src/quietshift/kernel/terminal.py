"""What commands print: a table for people, JSON for scripts. `-o table|json` is the same everywhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
PIPE_WIDTH = 240  # where no terminal says how wide it is: scripts that read tables should not meet cut lines


def output_option(command: F) -> F:
    """`-o, --output table|json`, passed on as `output`."""
    choice = click.Choice(("table", "json"))
    return click.option("-o", "--output", type=choice, default="table", show_default=True, help="How to print.")(command)


def show_json(value: object) -> None:
    """One JSON value on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "nothing to show") -> None:
    """A table on standard output; `empty` on standard error where there are no rows.

    Cells are text as it is: no markup is read from them, and control characters, which could drive a terminal, are shown as �.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    if not table.row_count:
        click.echo(empty, err=True)
        return
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    Console(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False).print(table)


def plain(cell: object) -> str:
    """The text of a cell on one line without control characters; `-` for None or nothing."""
    text = "" if cell is None else " ".join(str(cell).split())
    return "".join(c if c.isprintable() else "�" for c in text) or "-"
