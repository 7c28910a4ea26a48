"""`serve`, `check` and `db`: the commands of the server itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from quietshift.kernel.errors import Invalid
from quietshift.kernel.settings import SETTINGS, load_settings

# no secret on the command line: it would stand in the process list
FLAGS = [setting for setting in SETTINGS if not setting.secret or setting.name == "db"]


def setting_flags(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options for these settings (all that may be flags, if none is named), passed on by the setting's name."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for setting in reversed([s for s in FLAGS if not names or s.name in names]):
            flag = f"--{setting.name.replace('_', '-')}"
            command = click.option(flag, setting.name, metavar=_metavar(setting.takes), help=setting.meaning)(command)
        return command

    return decorate


def _metavar(takes: str) -> str:
    """What stands behind a flag in --help: `[auto|open|token]` for words to choose from, else a name."""
    if ", " in takes and " or " in takes:
        return f"[{takes.replace(', ', '|').replace(' or ', '|')}]"
    return takes.split(",")[0].upper()


@click.command()
@setting_flags()
def serve(**flags: str | None) -> int:
    """Run the server: alerts in, people paged, incidents, pages, API. Ends on SIGTERM, reloads the ops directory on SIGHUP."""
    from quietshift.kernel import logs

    settings = load_settings(flags)
    if not settings.ops:
        raise Invalid("serve: name the ops directory with --ops DIR or QUIETSHIFT_OPS (quietshift init DIR makes an example)")
    logs.set_up(settings.log_level, settings.log_format)

    from quietshift.app import server
    from quietshift.app.parts import loader
    from quietshift.kernel.clock import SystemClock
    from quietshift.kernel.ops import OpsHolder

    holder = OpsHolder(loader(Path(settings.ops)))
    server.serve(settings, holder, SystemClock())
    return 0


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("flags", nargs=-1, type=click.UNPROCESSED)
def alertmanager(flags: tuple[str, ...]) -> int:
    """Run the server with Alertmanager's own flags, in its place: see `quietshift alertmanager --help`."""
    from quietshift.app.alertmanager import main

    return main(flags)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@click.option("--tree/--no-tree", default=True, help="Print the routing tree, with the lines of alertmanager.yml. [default: yes]")
def check(directory: Path | None, tree: bool) -> int:
    """Validate an ops DIRECTORY (default: QUIETSHIFT_OPS, else this one): every file, and what they say of each other.

    Prints the routing tree, and file:line: message for each finding; exits 1 if there is an error. Warnings tell what is valid
    and has no effect: routes that no alert comes to, receivers that nobody uses, inhibit rules that inhibit nothing.
    """
    import os

    from quietshift.app.parts import read_ops

    root = directory or Path(os.environ.get("QUIETSHIFT_OPS") or ".")
    loaded, problems = read_ops(root)
    if tree and not problems.errors:
        from quietshift.alerts.model import AlertsConfig
        from quietshift.alerts.tree import draw

        for line in draw(loaded.get(AlertsConfig)):
            click.echo(line)
    for problem in [*problems.errors, *problems.warnings]:
        click.echo(str(problem))
    errors, warnings = len(problems.errors), len(problems.warnings)
    click.echo(f"{root}: {_count(errors, 'error')}, {_count(warnings, 'warning')}", err=True)
    return 1 if errors else 0


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


@click.group()
def db() -> None:
    """The database: bring its schema up to date."""


@db.command()
@setting_flags("db")
def upgrade(**flags: str | None) -> int:
    """Bring the schema up to date. `serve` does the same at its start; this is for those who want to do it before."""
    from quietshift.app.wire import load_tables
    from quietshift.kernel import migrate
    from quietshift.kernel.db import Database

    settings = load_settings(flags, None)
    database = Database.open(settings.db, exclusive=True)
    try:
        done = migrate.upgrade(database, load_tables)
        click.echo(f"schema {migrate.HEAD}: {'upgraded' if done else 'already up to date'}")
    finally:
        database.close()
    return 0
