"""`quietshift oncall`: asks the server that QUIETSHIFT_URL names, or reads an ops directory (`--ops`) and needs no server."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quietshift.kernel.terminal import output_option, show_json, show_table
from quietshift.oncall.cover_commands import cover
from quietshift.oncall.feed_commands import feed
from quietshift.oncall.override_commands import override

if TYPE_CHECKING:
    from quietshift.catalog.model import Catalog
    from quietshift.oncall.model import Oncall, Schedule

AHEAD, BEHIND = timedelta(weeks=4), timedelta(weeks=12)
ops_option = click.option("--ops", type=click.Path(path_type=Path), help="Read this ops directory; without it, ask the server.")


def instant(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """The instant of RFC 3339 text, of a local time and its zone, or the midnight that begins a date (UTC, unless a zone is
    named behind it). What is none is a usage error."""
    from datetime import date
    from zoneinfo import ZoneInfo

    from quietshift.oncall.config import moment
    from quietshift.oncall.localtime import zone_of

    if value is None:
        return None
    text, _, name = value.strip().partition(" ")
    try:
        with suppress(ValueError):
            text = f"{date.fromisoformat(text)}T00:00" if name else f"{date.fromisoformat(text)}T00:00Z"
        found = moment(text, zone_of(name) if name else ZoneInfo("UTC"))
        if not name and datetime.fromisoformat(text).tzinfo is None:
            raise ValueError(f"{text} has no zone: add Z, an offset like +01:00, or a zone like ' Europe/Berlin'")
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    return found


@click.group()
def oncall() -> None:
    """Who is on call, and when."""


oncall.add_command(override)
oncall.add_command(cover)
oncall.add_command(feed)


@oncall.command()
@click.option("--schedule", metavar="NAME", help="Of this schedule.")
@click.option("--service", metavar="NAME", help="Of the schedules of the group that owns this Component.")
@click.option("--at", callback=instant, metavar="TIME", help="At this time; now, if left out.")
@ops_option
@output_option
def who(schedule: str | None, service: str | None, at: datetime | None, ops: Path | None, output: str) -> None:
    """Say who is on call, and the bounds of their shift (UTC). Without --schedule and --service: of every schedule.

    In a gap nobody is named, and the bounds are those of the gap.
    """
    from quietshift.kernel.clock import SystemClock

    if schedule and service:
        raise click.UsageError("--schedule and --service are two questions: ask one")
    at = at or SystemClock().now()
    found = _who(schedule, service, at, ops)
    if output == "json":
        keys = ("users", "start", "end") if schedule else ("schedule", "users", "start", "end")
        answers = [{key: answer[key] for key in keys} for answer in found]
        show_json(answers[0] if schedule else answers)
        return
    rows = [
        (answer["schedule"], ", ".join(answer["users"]) or "nobody", answer["start"], answer["end"], answer["reason"])
        for answer in found
    ]
    show_table(("schedule", "on call", "since", "until", "why"), rows, "there are no schedules")


@oncall.command()
@click.option("--schedule", metavar="NAME", help="Of this schedule; may be left out where there is only one.")
@click.option("--from", "start", callback=instant, metavar="TIME", required=True, help="From this time on.")
@click.option("--to", "end", callback=instant, metavar="TIME", required=True, help="Until this time.")
@ops_option
@output_option
def shifts(schedule: str | None, start: datetime, end: datetime, ops: Path | None, output: str) -> None:
    """List the shifts between two times (UTC), cut at both. Where two do not touch, nobody is on call."""
    from quietshift.kernel.clock import rfc3339

    if end < start:
        raise click.UsageError("--to is before --from")
    if ops is None:
        schedule = schedule or _only([answer["schedule"] for answer in _ask("/api/v1/oncall", {})])
        params = {"schedule": schedule, "from": rfc3339(start), "to": rfc3339(end)}
        found: list[dict[str, Any]] = _ask("/api/v1/oncall/shifts", params)
    else:
        from quietshift.oncall import answers

        known = _read(ops)[0]
        found = answers.shifts(known.get(schedule or _only(list(known.schedules))), start, end)
    if output == "json":
        show_json([{key: shift[key] for key in ("user", "start", "end", "hours", "layer")} for shift in found])
        return
    columns = ("user", "start", "end", "hours", "layer", "reason")
    show_table(columns, ([shift[key] for key in columns] for shift in found), "nobody is on call in this time")


@oncall.command()
@click.option("--schedule", metavar="NAME", help="Of this schedule; of every one, if left out.")
@click.option("--from", "start", callback=instant, metavar="TIME", help="From this time on; now, if left out.")
@click.option("--to", "end", callback=instant, metavar="TIME", help="Until this time; four weeks later, if left out.")
@ops_option
@output_option
def gaps(schedule: str | None, start: datetime | None, end: datetime | None, ops: Path | None, output: str) -> None:
    """List the times at which nobody is on call (UTC), and why. Exits 1 where there are any."""
    begins, ends = _span(start, end, AHEAD)
    if ops is None:
        found: list[dict[str, Any]] = _ask("/api/v1/oncall/gaps", _params(begins, ends, schedule=schedule))
    else:
        from quietshift.oncall import answers

        known = _read(ops)[0]
        found = answers.gaps(_asked(known, schedule), begins, ends)
    if output == "json":
        show_json(found)
    else:
        columns = ("schedule", "start", "end", "hours", "reason")
        show_table(columns, ([gap[key] for key in columns] for gap in found), "somebody is on call all the time")
    raise SystemExit(1 if found else 0)


@oncall.command()
@click.option("--schedule", metavar="NAME", help="Of this schedule; of all together, if left out.")
@click.option("--from", "start", callback=instant, metavar="TIME", help="From this time on; twelve weeks ago, if left out.")
@click.option("--to", "end", callback=instant, metavar="TIME", help="Until this time; now, or twelve weeks after --from.")
@ops_option
@output_option
def load(schedule: str | None, start: datetime | None, end: datetime | None, ops: Path | None, output: str) -> None:
    """What being on call costs each person: hours, nights (22:00 to 07:00), weekends, holidays, by their own clock and country.

    A server also knows pages and interrupted nights; it tells them to the person alone, and the sum to everybody.
    """
    from quietshift.kernel.clock import SystemClock

    begins, ends = _span(start or (end or SystemClock().now()) - BEHIND, end, BEHIND)
    if ops is None:
        answer: dict[str, Any] = _ask("/api/v1/oncall/load", _params(begins, ends, schedule=schedule))
    else:
        from quietshift.oncall import answers
        from quietshift.oncall.ledger import ledger
        from quietshift.oncall.people import person_of

        known, catalog = _read(ops)
        found = ledger(_asked(known, schedule), begins, ends, lambda user: person_of(user, catalog, known))
        answer = {"people": answers.load(found), "pages": None, "interrupted_nights": None}
    if output == "json":
        show_json(answer)
        return
    columns = ["user", "shifts", "hours", "nights", "night_hours", "weekends", "weekend_hours", "holidays", "holiday_hours"]
    columns += ["pages", "interrupted_nights"] if answer["pages"] is not None else []
    show_table(columns, ([one[key] for key in columns] for one in answer["people"]), "nobody is on call in this time")
    if answer["pages"] is not None:
        click.echo(f"together {answer['pages']} pages, {answer['interrupted_nights']} interrupted nights")


def _span(start: datetime | None, end: datetime | None, length: timedelta) -> tuple[datetime, datetime]:
    """From then, or now, until then, or so much later. What runs backwards is a usage error."""
    from quietshift.kernel.clock import SystemClock

    begins = start or SystemClock().now()
    ends = end or begins + length
    if ends < begins:
        raise click.UsageError("--to is before --from")
    return begins, ends


def _params(start: datetime, end: datetime, **more: str | None) -> dict[str, str]:
    from quietshift.kernel.clock import rfc3339

    return {"from": rfc3339(start), "to": rfc3339(end), **{key: value for key, value in more.items() if value}}


def _asked(known: Oncall, schedule: str | None) -> list[Schedule]:
    return [known.get(schedule)] if schedule else [known.schedules[name] for name in sorted(known.schedules)]


def _only(names: Sequence[str]) -> str:
    """The one schedule that can be meant. Raises UsageError, naming those there are."""
    if len(names) != 1:
        raise click.UsageError(f"say which with --schedule: {', '.join(sorted(names)) or 'there is none'}")
    return names[0]


def _who(schedule: str | None, service: str | None, at: datetime, ops: Path | None) -> list[dict[str, Any]]:
    """The answers of `oncall.answers.who`, one for each schedule asked for."""
    from quietshift.kernel.clock import rfc3339

    if ops is None:
        params = {"schedule": schedule, "service": service, "at": rfc3339(at)}
        found: list[dict[str, Any]] = _ask("/api/v1/oncall", {key: value for key, value in params.items() if value})
        return found
    from quietshift.oncall import answers

    oncall, catalog = _read(ops)
    if schedule:
        return [answers.who(oncall.get(schedule), at)]
    if service:
        return answers.who_for_service(oncall, catalog, service, at)
    return answers.who_everywhere(oncall, at)


def _ask(path: str, params: dict[str, str]) -> Any:
    from quietshift.kernel.client import connect

    return connect().get(path, params)


def _read(ops: Path) -> tuple[Oncall, Catalog]:
    """The schedules and the catalog of an ops directory. Raises ConfigError with every error found in them.

    Where there is no catalog at all, schedules are taken at their word: who is on does not depend on it (`check` misses it).
    """
    from quietshift.catalog import config as catalog_config
    from quietshift.catalog.model import Catalog
    from quietshift.kernel.ops import read
    from quietshift.oncall import config
    from quietshift.oncall.model import Oncall

    parts = [catalog_config.part, config.part] if (ops / "catalog").is_dir() else [config.part, catalog_config.part]
    loaded, problems = read(ops, parts, whole=False)
    problems.raise_errors()
    return loaded.get(Oncall), loaded.get(Catalog)
