"""`quietshift incidents`: the desk from a terminal, a client of the server that QUIETSHIFT_URL names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from quietshift.kernel.terminal import output_option, show_json, show_table

BASE = "/api/v1/incidents"
STATES = ("triggered", "acknowledged", "resolved")
VERDICTS = ("actionable", "noise", "duplicate", "known")

why_option = click.option("--why", default="", metavar="TEXT", help="The reason, for the timeline and the journal.")
incident_argument = click.argument("incident", metavar="INC-NUMBER")


def _path(incident: str, verb: str = "") -> str:
    from quietshift.incidents.model import parse_ref

    return f"{BASE}/INC-{parse_ref(incident)}" + (f"/{verb}" if verb else "")


def _call(incident: str, verb: str, body: dict[str, Any], output: str) -> None:
    from quietshift.kernel.client import connect

    after = connect().post(_path(incident, verb), {key: value for key, value in body.items() if value})
    if output == "json":
        show_json(after)
    else:
        click.echo(f"{after['id']} is {after['state']}: {after['title']}")


@click.group()
def incidents() -> None:
    """List, show, acknowledge, resolve, snooze, escalate incidents."""


@incidents.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="In this state (repeatable). Default: open.")
@click.option("--all", "everything", is_flag=True, help="Resolved ones too.")
@click.option("--service", default="", metavar="NAME", help="Of this service.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500), help="At most so many, newest first.")
@output_option
def list_(states: Sequence[str], everything: bool, service: str, limit: int, output: str) -> None:
    """List incidents, newest first; open ones unless told otherwise."""
    from quietshift.kernel.client import connect

    wanted = list(states) or (list(STATES) if everything else ["triggered", "acknowledged"])
    params: dict[str, Any] = {"state": wanted, "limit": limit} | ({"service": service} if service else {})
    found = connect().get(BASE, params)
    if output == "json":
        show_json(found)
        return
    columns = ("id", "state", "severity", "service", "title", "opened_at")
    show_table(columns, ([one[column] or "" for column in columns] for one in found), "no incident: nothing is on fire")


@incidents.command()
@incident_argument
@output_option
def show(incident: str, output: str) -> None:
    """Show an incident, its timeline (what happened when, by whom and why), and what was changed about its service before it."""
    from quietshift.kernel.client import connect

    found = connect().get(_path(incident))
    if output == "json":
        show_json(found)
        return
    rows = [(key, _text(value)) for key, value in found.items() if key not in ("id", "timeline", "changes") and value]
    show_table((found["id"], ""), rows)
    if found["changes"]:
        show_table(("changed at", "by", "what", "links"), map(_change, found["changes"]))
    lines = [(entry["at"], entry["actor"], entry["text"], entry["why"]) for entry in found["timeline"]]
    show_table(("at", "who", "what", "why"), lines, "nothing has happened yet")


@incidents.command()
@incident_argument
@why_option
@output_option
def ack(incident: str, why: str, output: str) -> None:
    """Acknowledge: you have it, paging stops."""
    _call(incident, "acknowledge", {"why": why}, output)


@incidents.command()
@incident_argument
@click.option("--verdict", type=click.Choice(VERDICTS), help="What the page was.")
@why_option
@output_option
def resolve(incident: str, verdict: str | None, why: str, output: str) -> None:
    """Resolve: it is over. Alerts that fire on open nothing again until something new fires."""
    _call(incident, "resolve", {"verdict": verdict, "why": why}, output)


@incidents.command()
@incident_argument
@click.argument("duration", metavar="DURATION")
@why_option
@output_option
def snooze(incident: str, duration: str, why: str, output: str) -> None:
    """Page nobody for DURATION (30m, 4h); then it pages again from the first step, unless it is resolved."""
    from quietshift.kernel.durations import parse_duration

    try:
        parse_duration(duration)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="DURATION") from None
    _call(incident, "snooze", {"for": duration, "why": why}, output)


@incidents.command()
@incident_argument
@click.argument("text")
@output_option
def note(incident: str, text: str, output: str) -> None:
    """Put TEXT into the timeline."""
    _call(incident, "note", {"text": text}, output)


@incidents.command()
@incident_argument
@why_option
@output_option
def escalate(incident: str, why: str, output: str) -> None:
    """Do not wait: page the policy's next step now."""
    _call(incident, "escalate", {"why": why}, output)


def _change(change: dict[str, Any]) -> tuple[str, ...]:
    links = ", ".join(link["href"] or link["text"] for link in change["links"])
    return change["at"], change["source"] or change["integration"], change["summary"], links


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
