"""`quietshift oncall feed`: links for calendar programs. A client of the server that QUIETSHIFT_URL names."""

from __future__ import annotations

import click

from quietshift.kernel.terminal import output_option, show_json, show_table

BASE = "/api/v1/oncall/feeds"
COLUMNS = ("id", "subject", "created_by", "created_at")


@click.group()
def feed() -> None:
    """Make, list and revoke links by which calendar programs read shifts."""


@feed.command()
@click.argument("subject", metavar="user:NAME|schedule:NAME")
@output_option
def add(subject: str, output: str) -> None:
    """Make a feed of a person's or a schedule's shifts, and print its link, this once. Who has the link can read it."""
    from quietshift.kernel.client import connect

    made = connect().post(BASE, {"subject": subject})
    if output == "json":
        show_json(made)
    else:
        click.echo(made["url"])


@feed.command("list")
@output_option
def list_(output: str) -> None:
    """List feeds that are not revoked: one's own, or all to an administrator."""
    from quietshift.kernel.client import connect

    found = connect().get(BASE)
    if output == "json":
        show_json(found)
        return
    show_table(COLUMNS, ([one[key] for key in COLUMNS] for one in found), "there is no feed")


@feed.command()
@click.argument("feed_id", metavar="ID")
def revoke(feed_id: str) -> None:
    """Its link leads nowhere from now on."""
    from urllib.parse import quote

    from quietshift.kernel.client import connect

    found = connect().post(f"{BASE}/{quote(feed_id, safe='')}/revoke")
    click.echo(f"the link of {found['subject']} leads nowhere any more")
