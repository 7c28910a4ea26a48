"""`quietshift pages`: what woke people, and what repeats; a client of the server that QUIETSHIFT_URL names."""

from __future__ import annotations

from typing import Any

import click

from quietshift.kernel.terminal import output_option, show_json, show_table


@click.group()
def pages() -> None:
    """What woke people, and what repeats."""


@pages.command()
@click.option("--weeks", default=4, show_default=True, type=click.IntRange(1, 104), help="Of the last so many weeks.")
@click.option("--by", default="alert", show_default=True, type=click.Choice(["alert", "owner", "hour"]), help="What to rank.")
@output_option
def top(weeks: int, by: str, output: str) -> None:
    """Rank what repeats: the most pages first, nights (22:00 to 07:00 of the owning group) beside them."""
    from quietshift.kernel.client import connect

    found = connect().get("/api/v1/pages/top", {"weeks": weeks, "by": by})
    if output == "json":
        show_json(found)
        return
    owner = ("owner",) if by == "alert" else ()
    runbook = ("runbook",) if by == "alert" else ()
    columns = (by, *owner, "pages", "share", "at night", "nights broken", "people", "mostly at", "what they were", *runbook)
    show_table(columns, [_cells(row, by) for row in found["rows"]], f"nobody was paged in the last {weeks} weeks")


def _cells(row: dict[str, Any], by: str) -> list[object]:
    owner = (row["owner"] or "").removeprefix("group:").removeprefix("default/")
    cells: list[object] = [owner or "no owner"] if by == "owner" else [row["key"]]
    if by == "alert":
        cells.append(owner or "no owner")
    said = ", ".join(f"{count} {word}" for word, count in row["verdicts"].items())
    cells += [
        row["pages"], f"{row['share']:.0%}", row["nights"], row["sleeps"], row["people"], f"{row['busiest_hour']:02}:00", said,
    ]  # fmt: skip
    if by == "alert":
        cells.append("yes" if row["runbook"] else "no runbook yet")
    return cells
