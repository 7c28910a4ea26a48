"""`quietshift alerts`: what is reported now, asked of a running server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import click

from quietshift.kernel.client import connect
from quietshift.kernel.terminal import output_option, plain, show_json, show_table

COLUMNS = ("alertname", "state", "severity", "service", "since", "receivers", "summary", "fingerprint")


@click.group()
def alerts() -> None:
    """What is reported now."""


@alerts.command("list")
@click.option("--filter", "-f", "filters", multiple=True, metavar="MATCHER", help='As severity="critical" or host=~"db.*".')
@click.option("--receiver", help="A pattern for the names of receivers.")
@click.option("--active", is_flag=True, help="Only those that are neither silenced nor inhibited.")
@output_option
def show(filters: tuple[str, ...], receiver: str | None, active: bool, output: str) -> None:
    """List the alerts that are firing, the longest first."""
    asked: dict[str, Any] = {"filter": list(filters)}
    if receiver is not None:
        asked["receiver"] = receiver
    if active:
        asked |= {"silenced": "false", "inhibited": "false"}
    found = sorted(connect().get("/api/v2/alerts", asked), key=lambda alert: str(alert["startsAt"]))
    show_json(found) if output == "json" else show_table(COLUMNS, _rows(found), "nothing is firing")


def _rows(found: Iterable[Mapping[str, Any]]) -> Iterable[list[object]]:
    for alert in found:
        labels, annotations, status = alert["labels"], alert["annotations"], alert["status"]
        by = [*status["silencedBy"], *status["inhibitedBy"]]
        yield [
            labels.get("alertname"),
            f"{status['state']} ({', '.join(by)})" if by else status["state"],
            labels.get("severity"),
            labels.get("service"),
            alert["startsAt"],
            ", ".join(receiver["name"] for receiver in alert["receivers"]),
            annotations.get("summary"),
            alert["fingerprint"],
        ]


def _be_fingerprint(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{16}", value):
        raise click.BadParameter("not a fingerprint: 16 hexadecimal digits, as `quietshift alerts list` shows them")
    return value


fingerprint_argument = click.argument("fingerprint", callback=_be_fingerprint)


@alerts.command()
@fingerprint_argument
@output_option
def why(fingerprint: str, output: str) -> None:
    """Say every decision about an alert with its reason, for each route that takes it: its group, what mutes it and until when,
    who was told, what they answered, when they are told again. FINGERPRINT: see `quietshift alerts list`."""
    from urllib.parse import quote

    found = connect().get(f"/api/v1/alerts/{quote(fingerprint, safe='')}/why")
    if output == "json":
        show_json(found)
        return
    for way in found["routes"]:
        click.echo(f"To receiver {plain(way['receiver'])}: {plain(way['answer'])}")
        steps = [
            (step["at"], step["title"], step["detail"] + (f" ({step['source']})" if step["source"] else ""))
            for step in way["steps"]
        ]
        show_table(("at", "what", "why"), steps)
    if found["incidents"]:
        click.echo(f"Incidents: {', '.join(found['incidents'])}")
