"""`quietshift oncall cover`: can somebody take Thursday? A client of the server that QUIETSHIFT_URL names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from quietshift.kernel.terminal import output_option, plain, show_json, show_table
from quietshift.oncall.override_commands import instant

BASE = "/api/v1/oncall/covers"
STATES = ("offered", "taken", "declined", "withdrawn")
COLUMNS = ("id", "state", "schedule", "user", "start", "end", "back", "asked", "taken_by", "why")

user_option = click.option("--user", default="", metavar="NAME", help="Who: a token has to say so, for it is nobody's.")
cover_argument = click.argument("cover_id", metavar="ID")


@click.group()
def cover() -> None:
    """Ask that somebody takes your place for a while; take, decline or withdraw what was asked."""


@cover.command("list")
@click.option("--schedule", metavar="NAME", help="Of this schedule; of every one, if left out.")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="In this state (repeatable). Default: offered.")
@output_option
def list_(schedule: str | None, states: Sequence[str], output: str) -> None:
    """List requests for cover, the newest first (UTC)."""
    from quietshift.kernel.client import connect

    found = connect().get(BASE, {"state": list(states) or ["offered"], **({"schedule": schedule} if schedule else {})})
    if output == "json":
        show_json(found)
        return
    show_table(COLUMNS, ([_cell(one[key]) for key in COLUMNS] for one in found), "nobody asks for cover")


@cover.command()
@click.option("--schedule", metavar="NAME", required=True, help="In this schedule.")
@user_option
@click.option("--from", "start", callback=instant, metavar="TIME", required=True, help="From this time on.")
@click.option("--to", "end", callback=instant, metavar="TIME", required=True, help="Until this time.")
@click.option("--back-from", callback=instant, metavar="TIME", help="A swap: take theirs from this time on,")
@click.option("--back-to", callback=instant, metavar="TIME", help="until this time.")
@click.option("--ask", "asked", multiple=True, metavar="NAME", help="Who may take it (repeatable); everybody of the schedule.")
@click.option("--why", default="", metavar="TEXT", help="The reason.")
@output_option
def ask(
    schedule: str, user: str, start: datetime, end: datetime, back_from: datetime | None, back_to: datetime | None,
    asked: Sequence[str], why: str, output: str,
) -> None:  # fmt: skip
    """Ask that somebody takes your place. Nothing changes until somebody does."""
    from quietshift.kernel.client import connect
    from quietshift.kernel.clock import rfc3339

    if (back_from is None) != (back_to is None):
        raise click.UsageError("a swap needs both --back-from and --back-to")
    back = {"start": rfc3339(back_from), "end": rfc3339(back_to)} if back_from and back_to else None
    body = {
        "schedule": schedule, "user": user, "start": rfc3339(start), "end": rfc3339(end), "back": back, "asked": list(asked),
        "why": why,
    }  # fmt: skip
    _tell(connect().post(BASE, body), output)


@cover.command()
@cover_argument
@user_option
@output_option
def take(cover_id: str, user: str, output: str) -> None:
    """Take somebody's place as they asked. Rest rules that this breaks are told on standard error."""
    _answer(cover_id, "take", {"user": user}, output)


@cover.command()
@cover_argument
@user_option
@output_option
def decline(cover_id: str, user: str, output: str) -> None:
    """Say no."""
    _answer(cover_id, "decline", {"user": user}, output)


@cover.command()
@cover_argument
@output_option
def withdraw(cover_id: str, output: str) -> None:
    """Take your request back."""
    _answer(cover_id, "withdraw", None, output)


def _answer(cover_id: str, verb: str, body: dict[str, str] | None, output: str) -> None:
    from urllib.parse import quote

    from quietshift.kernel.client import connect

    _tell(connect().post(f"{BASE}/{quote(cover_id, safe='')}/{verb}", body), output)


def _tell(one: dict[str, Any], output: str) -> None:
    for warning in one["warnings"]:
        click.echo(f"warning: {plain(warning)}", err=True)
    if output == "json":
        show_json(one)
        return
    by = f" by {plain(one['taken_by'])}" if one["taken_by"] else ""
    back = f", in return for {_cell(one['back'])}" if one["back"] else ""
    what = f"{plain(one['user'])} in {one['schedule']} from {one['start']} to {one['end']}{back}"
    click.echo(f"{one['id']} is {one['state']}{by}: {what}")


def _cell(value: Any) -> object:
    if isinstance(value, dict):
        return f"{value['start']} to {value['end']}"
    return ", ".join(value) if isinstance(value, list) else value
