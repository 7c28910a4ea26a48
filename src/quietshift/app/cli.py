"""The command line. Commands are loaded when they are called, so that `--help` answers at once."""

from __future__ import annotations

from quietshift.app import early as early  # isort: skip - it listens, before click takes its time

import importlib
import sys
from typing import Any

import click

from quietshift.kernel.errors import ConfigError, QuietshiftError

# name -> (module, attribute, one line of help); docs/reference/cli.md is checked against this
COMMANDS: dict[str, tuple[str, str, str]] = {
    "serve": ("quietshift.app.commands", "serve", "Run the server."),
    "alertmanager": ("quietshift.app.commands", "alertmanager", "Run the server with Alertmanager's flags, in its place."),
    "demo": ("quietshift.app.demo.command", "demo", "Show the main job: a shop breaks, people are paged, it is put to rest."),
    "init": ("quietshift.app.init_command", "init", "Write a small working ops directory."),
    "check": ("quietshift.app.commands", "check", "Say what is wrong with an ops directory, with file and line."),
    "prove": ("quietshift.app.prove_command", "prove", "Say for every minute of the next weeks whether a human is paged."),
    "whatif": ("quietshift.app.whatif_command", "whatif", "Say what becomes of an alert, from its route to the last page."),
    "incidents": ("quietshift.incidents.commands", "incidents", "List, show, acknowledge, resolve, snooze, escalate."),
    "oncall": ("quietshift.oncall.commands", "oncall", "Who is on call, and when."),
    "page": ("quietshift.paging.commands", "page", "Page somebody, to test the way."),
    "pages": ("quietshift.learning.commands", "pages", "What woke people, and what repeats."),
    "alerts": ("quietshift.app.alert_commands", "alerts", "What is reported now."),
    "silence": ("quietshift.alerts.silence_commands", "silence", "List, add, extend, expire silences; preview one."),
    "integration": ("quietshift.alerts.integration_commands", "integration", "Keys by which other tools' events come in."),
    "catalog": ("quietshift.catalog.commands", "catalog", "Who owns what."),
    "journal": ("quietshift.app.journal_commands", "journal", "What was done, by whom, why; and the proof of it."),
    "user": ("quietshift.app.user_commands", "user", "Accounts: invite people, set their role."),
    "token": ("quietshift.app.user_commands", "token", "API tokens: make, list, revoke them."),
    "db": ("quietshift.app.commands", "db", "The database: bring its schema up to date."),
}


class Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="quietshift", message="quietshift %(version)s")
def cli() -> None:
    """Quietshift turns pages into automation.

    symptom -> page -> incident -> action -> runbook -> automation -> (no page)

    QUIETSHIFT_URL and QUIETSHIFT_TOKEN name the server that the commands talk to.
    """


def main(argv: list[str] | None = None) -> Any:
    """Run a command. Exits 0 where it succeeded, 1 with one clear message where it did not, 2 where it was called wrongly."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["alertmanager"]:  # has to listen within 0.3 CPU-seconds: not through click
        from quietshift.app.alertmanager import main as alertmanager

        sys.exit(_guarded(lambda: alertmanager(arguments[1:])))
    sys.exit(_guarded(lambda: cli.main(arguments, prog_name="quietshift", standalone_mode=False)))


def _guarded(call: Any) -> int:
    try:
        return int(call() or 0)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        sys.stderr.write("stopped\n")
        return 130
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return 1
    except QuietshiftError as error:
        sys.stderr.write(f"quietshift: {error}\n")
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 1
