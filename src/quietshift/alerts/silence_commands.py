"""`quietshift silence`: silences from a terminal, a client of the server that QUIETSHIFT_URL names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from quietshift.kernel.terminal import output_option, plain, show_json, show_table

BASE = "/api/v1/silences"
STATES = ("active", "pending", "expired")
COLUMNS = ("id", "state", "matchers", "created_by", "ends_at", "mutes", "comment")

for_option = click.option("--for", "span", metavar="DURATION", help="How long: 30m, 2h, 3d.")
until_option = click.option("--until", metavar="TIME", help="Until then (RFC 3339), in place of --for.")
why_option = click.option("--why", required=True, metavar="TEXT", help="The reason; the silence's owner is whose token it is.")
sure_option = click.option("--sure", is_flag=True, help="Although it mutes everything, or what wakes another team.")
silence_argument = click.argument("silence_id", metavar="ID")
matchers_argument = click.argument("matchers", nargs=-1, required=True, metavar="MATCHER...")


@click.group()
def silence() -> None:
    """List, show, add, extend, expire silences, and see what one would mute.

    A MATCHER is one condition on a label, as alertname=DiskFull, host=~"db.*", env!=prod; all have to hold.
    """


def _path(silence_id: str, verb: str = "") -> str:
    from urllib.parse import quote

    return f"{BASE}/{quote(silence_id, safe='')}" + (f"/{verb}" if verb else "")


def make(which: Mapping[str, Any], span: str | None, until: str | None, why: str, sure: bool, output: str) -> None:
    """Make a silence and say what it mutes."""
    from quietshift.kernel.client import connect

    if (span is None) == (until is None):
        raise click.UsageError("say how long: --for a duration, or --until a time")
    body = {**which, "why": why, "sure": sure} | ({"for": span} if span else {"until": until})
    _tell(connect().post(BASE, body), output)


def joined(matchers: Sequence[str]) -> str:
    """As the API takes them. What is none is a usage error."""
    from quietshift.alerts.matchers import parse_matchers

    try:
        return ",".join(str(m) for text in matchers for m in parse_matchers(text))
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _tell(one: Mapping[str, Any], output: str) -> None:
    if output == "json":
        show_json(one)
        return
    mutes = f"mutes {one['mutes']} alert{'' if one['mutes'] == 1 else 's'} now"
    ends = "ended" if one["state"] == "expired" else "ends"
    click.echo(f"{one['id']} is {one['state']}, {ends} {one['ends_at']}, {mutes}: {plain(one['comment'])}")


@silence.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="In this state (repeatable).")
@click.option("--all", "everything", is_flag=True, help="Expired ones too.")
@output_option
def list_(states: Sequence[str], everything: bool, output: str) -> None:
    """List silences: active and pending ones unless told otherwise."""
    from quietshift.kernel.client import connect

    found = connect().get(BASE, {"state": list(states) or list(STATES if everything else STATES[:2])})
    if output == "json":
        show_json(found)
        return
    rows = ([", ".join(one[c]) if c == "matchers" else one[c] for c in COLUMNS] for one in found)
    show_table(COLUMNS, rows, "nothing is silenced")


@silence.command()
@silence_argument
@output_option
def show(silence_id: str, output: str) -> None:
    """Show a silence: whose, why, until when, how many alerts it mutes now."""
    from quietshift.kernel.client import connect

    found = connect().get(_path(silence_id))
    if output == "json":
        show_json(found)
        return
    rows = [(key, ", ".join(value) if key == "matchers" else value) for key, value in found.items() if key != "id"]
    show_table((found["id"], ""), rows)


@silence.command()
@matchers_argument
@for_option
@until_option
@why_option
@sure_option
@output_option
def add(matchers: Sequence[str], span: str | None, until: str | None, why: str, sure: bool, output: str) -> None:
    """Silence the alerts that fulfil every MATCHER, from now on."""
    make({"matchers": joined(matchers)}, span, until, why, sure, output)


@silence.command()
@matchers_argument
@output_option
def preview(matchers: Sequence[str], output: str) -> None:
    """Say what a silence would mute now, and would have muted in the last 24 h. Changes nothing."""
    from quietshift.kernel.client import connect

    found = connect().post(f"{BASE}/preview", {"matchers": joined(matchers)})
    if output == "json":
        show_json(found)
        return
    rows = [
        (one["labels"].get("alertname"), one["labels"].get("severity"), ", ".join(one["receivers"]), one["summary"])
        for one in found["muted"]
    ]
    show_table(("alertname", "severity", "receivers", "summary"), rows, "it would mute nothing now")
    day = found["last_day"]
    click.echo(f"{len(rows)} of {found['firing']} alerts that fire; in the last 24 h {day['alerts']} of "
               f"{len(day['incidents'])} incidents")  # fmt: skip
    for warning in found["warnings"]:
        click.echo(f"warning: {plain(warning)}", err=True)


@silence.command()
@silence_argument
@click.option("--for", "span", default="1h", show_default=True, metavar="DURATION", help="By so much.")
@click.option("--why", default="", metavar="TEXT", help="The reason, for the journal.")
@output_option
def extend(silence_id: str, span: str, why: str, output: str) -> None:
    """Let a silence end later; one that is over begins anew, under another ID."""
    from quietshift.kernel.client import connect

    _tell(connect().post(_path(silence_id, "extend"), {"for": span, "why": why}), output)


@silence.command()
@silence_argument
@click.option("--why", default="", metavar="TEXT", help="The reason, for the journal.")
@output_option
def expire(silence_id: str, why: str, output: str) -> None:
    """End a silence now: its alerts are told of again."""
    from quietshift.kernel.client import connect

    _tell(connect().post(_path(silence_id, "expire"), {"why": why}), output)
