"""`quietshift prove`: for every service and every minute of the next weeks, whether a human is paged, by the files alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quietshift.app.alert_commands import labels_of
from quietshift.kernel.terminal import output_option, show_json, show_table
from quietshift.oncall.commands import instant

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from quietshift.alerts.labels import Labels
    from quietshift.app.prove import Proof
    from quietshift.paging.proof import Called, Finding, Span, Stretch

SHOWN = 5  # times and services of a finding that are listed; -o json has all
MOST_WEEKS = 52


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@click.option("--weeks", type=click.IntRange(1, MOST_WEEKS), default=4, show_default=True, help="How far to look ahead.")
@click.option("--from", "start", callback=instant, metavar="TIME", help="From this time on; from now on, if left out.")
@click.option("--service", metavar="NAME", help="Of this Component alone, with every hand-over.")
@click.option(
    "--labels", "label_sets", callback=labels_of, multiple=True, metavar="A=B,C=D",
    help="Labels of its alerts, besides service. May be given many times. Default: severity=critical.",
)  # fmt: skip
@output_option
def prove(
    directory: Path | None, weeks: int, start: datetime | None, service: str | None, label_sets: Sequence[Labels], output: str
) -> int:
    """Say for every service and every minute who would be paged first, who next, and how soon a human is reached.

    Reads an ops DIRECTORY (default: QUIETSHIFT_OPS, else this one) and asks no server: contacts that people set in the web, and
    silences, are not known here. Prints file:line: for what is wrong, with the times. Exits 1 where somebody would not be paged
    (an error), 0 where there are warnings at most.
    """
    import os

    from quietshift.app import prove as proving
    from quietshift.app.parts import read_ops
    from quietshift.kernel.clock import SystemClock

    loaded, problems = read_ops(directory or Path(os.environ.get("QUIETSHIFT_OPS") or "."))
    problems.raise_errors()
    begin = (start or SystemClock().now()).replace(second=0, microsecond=0)
    try:
        end = begin + timedelta(weeks=weeks)
        found = proving.prove(
            loaded, begin, end, service=service or "", label_sets=tuple(label_sets) or (proving.CRITICAL,)
        )
    except OverflowError:
        raise click.BadParameter(f"{begin.isoformat()} is too far off", param_hint="--from") from None
    if output == "json":
        show_json(proving.as_json(found))
    else:
        _print(found, hand_overs=bool(service))
    return 1 if found.errors else 0


def _print(found: Proof, *, hand_overs: bool) -> None:
    for finding, services in zip(found.findings, found.affected, strict=True):
        for line in _told(finding, services):
            click.echo(line)
    if found.findings:
        click.echo()
    if hand_overs:
        for name, made in found.stretches.items():
            click.echo(f"escalation policy {name}")
            show_table(("from (UTC)", "until", "paged first", "next", "a human within"), map(_stretch_row, made))
    else:
        _table(found)
    errors, warnings = found.errors, len(found.findings) - found.errors
    click.echo(
        f"{_utc(found.start)} to {_utc(found.end)}: {_count(len(found.services), 'service')}, "
        f"{_count(errors, 'error')}, {_count(warnings, 'warning')}", err=True,
    )  # fmt: skip


def _table(found: Proof) -> None:
    """A line for each policy, with the services it stands for."""
    from quietshift.app.prove import slowest

    served: dict[str, list[str]] = {name: [] for name in found.stretches}
    for service in found.services:
        for name in service.policies:
            served[name].append(service.entity.id)
    rows = [(name, _few(served[name]), *_first_next(made), _within(slowest([made]))) for name, made in found.stretches.items()]
    columns = ("policy", "services", "paged first now", "next", "a human within, at worst")
    show_table(columns, rows, "there is no escalation policy")


def _first_next(made: Sequence[Stretch]) -> tuple[str, str]:
    return (_called(made[0].first), _called(made[0].next)) if made else ("-", "-")


def _told(finding: Finding, services: Sequence[str]) -> Iterator[str]:
    """`oncall/storage.yaml:3: error: gap: ...`, and below it when."""
    yield f"{finding.where}: {'error' if finding.error else 'warning'}: {finding.kind}: {finding.text}"
    if services:
        yield f"    services: {_few(services)}"
    for span in finding.spans[:SHOWN]:
        yield f"    {_span(span, finding.zone)}"
    if len(finding.spans) > SHOWN:
        yield f"    and {len(finding.spans) - SHOWN} times more, {_minutes(finding.lasts)} in all"


def _span(span: Span, zone: ZoneInfo) -> str:
    """`Sat 2026-11-28 00:00 to Mon 2026-11-30 09:00 Europe/Berlin (2026-11-27T23:00Z to 2026-11-30T08:00Z), 3,420 minutes`."""
    start, end = span
    utc = f"{_utc(start)} to {_utc(end)}"
    local = f"{start.astimezone(zone):%a %Y-%m-%d %H:%M} to {end.astimezone(zone):%a %Y-%m-%d %H:%M} {zone.key}"
    return f"{utc if zone.key == 'UTC' else f'{local} ({utc})'}, {_minutes(end - start)}"


def _minutes(span: timedelta) -> str:
    number = round(span.total_seconds() / 60)
    return f"{number:,} minute{'' if number == 1 else 's'}"


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M}Z"


def _stretch_row(one: Stretch) -> tuple[str, ...]:
    return (_utc(one.start), _utc(one.end), _called(one.first), _called(one.next), _within(one.reached_within))


def _called(called: Called | None) -> str:
    from quietshift.kernel.durations import format_duration

    if called is None:
        return "NOBODY"
    stage = "" if called.stage == "step" else f" ({called.stage.replace('_', ' ')})"
    return f"{_few(called.users)}{stage} after {format_duration(called.after)}"


def _within(span: timedelta | None) -> str:
    from quietshift.kernel.durations import format_duration

    return "NEVER SURE" if span is None else format_duration(span)


def _few(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
