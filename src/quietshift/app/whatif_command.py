"""`quietshift whatif`: the whole course of one alert that nobody acknowledges, in virtual time, by the files alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quietshift.app.alert_commands import labels_of, one_label_set
from quietshift.kernel.terminal import output_option, plain, show_json
from quietshift.oncall.commands import instant

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from quietshift.alerts.labels import Labels
    from quietshift.app.whatif import Event


def _span(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    from quietshift.kernel.durations import parse_duration

    try:
        found = parse_duration(value) if value is not None else None
        if found is not None and found <= timedelta():
            raise ValueError("has to be longer than 0s")
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    return found


def _place(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[datetime, str] | None:
    """The instant, and the zone that is named behind it."""
    found = instant(ctx, param, value)
    return None if found is None or value is None else (found, value.strip().partition(" ")[2])


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@click.option("--labels", callback=one_label_set, required=True, metavar="A=B,C=D", help="The labels of the alert.")
@click.option("--at", callback=_place, metavar="TIME", help='It begins then: "2027-03-28T02:30 Europe/Berlin". Default: now.')
@click.option("--lasts", callback=_span, metavar="SPAN", help="It ends after that time, like 20m; if left out, it does not end.")
@click.option(
    "--beside", callback=labels_of, multiple=True, metavar="A=B,C=D",
    help="The labels of another alert that begins just then. May be given many times.",
)  # fmt: skip
@output_option
def whatif(
    directory: Path | None, labels: Labels, at: tuple[datetime, str] | None, lasts: timedelta | None, beside: Sequence[Labels],
    output: str,
) -> None:
    """Say what becomes of an alert that nobody acknowledges: route, group, mutes, incident, each page, until the last round.

    Lives through it in virtual time, with the code that pages people, on a database that is thrown away. No message leaves. Reads
    an ops DIRECTORY (default: QUIETSHIFT_OPS, else this one) and asks no server: silences, and contacts set in the web, are not
    known here.
    """
    import os
    from zoneinfo import ZoneInfo

    from quietshift.app import whatif as asking
    from quietshift.app.parts import read_ops
    from quietshift.app.simulation import Question
    from quietshift.app.simulation import whatif as live_through
    from quietshift.kernel.clock import SystemClock
    from quietshift.kernel.settings import load_settings

    root = directory or Path(os.environ.get("QUIETSHIFT_OPS") or ".")
    loaded, problems = read_ops(root)
    problems.raise_errors()
    when, zone = at or (SystemClock().now().replace(microsecond=0), "")
    question = Question(labels, when, lasts, beside=beside)
    course = live_through(loaded, load_settings({"ops": str(root)}, {}), question)
    if output == "json":
        show_json(asking.as_json(course))
        return
    for line in _lines(asking.events(course), when, ZoneInfo(zone or "UTC")):
        click.echo(line)


def _lines(events: Sequence[Event], since: datetime, zone: ZoneInfo) -> Iterator[str]:
    """`+5m10s   Sun 2027-03-28 03:35:10  bo called` and, below it, why."""
    yield f"Times in {zone.key}."
    for event in events:
        local = f"{event.at.astimezone(zone):%a %Y-%m-%d %H:%M:%S}"
        yield f"{_after(event.at - since):<10} {local}  {plain(event.text)}"
        if event.why:
            yield f"{'':35}{plain(event.why)}"


def _after(span: timedelta) -> str:
    from quietshift.kernel.durations import format_duration

    return f"+{format_duration(span)}"
