"""`quietshift oncall override`: overrides made while the server runs, a client of the server that QUIETSHIFT_URL names."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from quietshift.kernel.terminal import output_option, plain, show_json, show_table

if TYPE_CHECKING:
    from quietshift.kernel.client import Client

BASE = "/api/v1/oncall/overrides"
COLUMNS = ("id", "schedule", "user", "instead_of", "start", "end", "why", "created_by")


def instant(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    from quietshift.oncall.commands import instant as read

    return read(ctx, param, value)


@click.group()
def override() -> None:
    """Put somebody on call for a while, above what the ops directory says; list such overrides and end them."""


@override.command("list")
@click.option("--schedule", metavar="NAME", help="Of this schedule; of every one, if left out.")
@output_option
def list_(schedule: str | None, output: str) -> None:
    """List the overrides made at run time that are not over (UTC)."""
    found = _server().get(BASE, {"schedule": schedule} if schedule else {})
    if output == "json":
        show_json(found)
        return
    show_table(COLUMNS, ([one[key] for key in COLUMNS] for one in found), "there is no override")


@override.command()
@click.option("--schedule", metavar="NAME", required=True, help="Of this schedule.")
@click.option("--user", metavar="NAME", required=True, help="Who is on.")
@click.option("--from", "start", callback=instant, metavar="TIME", help="From this time on; now, if left out.")
@click.option("--to", "end", callback=instant, metavar="TIME", required=True, help="Until this time.")
@click.option("--instead-of", default="", metavar="NAME", help="In the place of this person alone; who is on with them stays.")
@click.option("--why", default="", metavar="TEXT", help="The reason, for whoever wonders.")
@output_option
def add(schedule: str, user: str, start: datetime | None, end: datetime, instead_of: str, why: str, output: str) -> None:
    """Put somebody on call from one time until another."""
    from quietshift.kernel.clock import SystemClock, rfc3339

    body = {
        "schedule": schedule, "user": user, "start": rfc3339(start or SystemClock().now()), "end": rfc3339(end),
        "instead_of": instead_of, "why": why,
    }  # fmt: skip
    _tell(_server().post(BASE, body), output, "is on")


@override.command("end")
@click.argument("override_id", metavar="ID")
@output_option
def end_(override_id: str, output: str) -> None:
    """Take an override back: one that has begun ends now, one that has not never begins."""
    from urllib.parse import quote

    _tell(_server().post(f"{BASE}/{quote(override_id, safe='')}/end"), output, "is no longer on")


def _tell(one: dict[str, Any], output: str, what: str) -> None:
    if output == "json":
        show_json(one)
        return
    instead = f" instead of {plain(one['instead_of'])}" if one["instead_of"] else ""
    click.echo(f"{one['id']}: {plain(one['user'])} {what} in {one['schedule']}{instead} from {one['start']} to {one['end']}")


def _server() -> Client:
    from quietshift.kernel.client import connect

    return connect()
