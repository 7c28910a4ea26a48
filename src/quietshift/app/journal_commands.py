"""`quietshift journal`: what was done, and the proof of it.

Reads the database itself, so it works when the server does not; the list alone is asked of a server, where one is named and no
database is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from quietshift.app.commands import setting_flags
from quietshift.kernel.clock import SystemClock, rfc3339
from quietshift.kernel.settings import Settings, load_settings
from quietshift.kernel.terminal import output_option, show_json, show_table

if TYPE_CHECKING:
    from quietshift.kernel.journal import Entry

_PART = 500  # as many as the API gives at once


@contextmanager
def _open(flags: dict[str, str | None]) -> Iterator[tuple[Any, Settings]]:
    from pathlib import Path

    from quietshift.kernel.db import Database
    from quietshift.kernel.errors import Invalid

    settings = load_settings(flags)
    if "://" not in settings.db and not Path(settings.db).is_file():
        raise Invalid(f"--db {settings.db}: there is no such file (QUIETSHIFT_DB names the database)")
    database = Database.open(settings.db)
    try:
        yield database, settings
    finally:
        database.close()


class _Listing(click.Group):
    """Lists unless told otherwise: `journal -o json` is `journal list -o json`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *self.get_help_option_names(ctx)):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Listing)
def journal() -> None:
    """What was done, by whom, why; and the proof of it. Without a command: list."""


@journal.command("list")
@setting_flags("db")
@click.option("--subject", help='Acts on this alone: "incident:INC-1042", "user:ana".')
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@output_option
def show(subject: str | None, limit: int, output: str, **flags: str | None) -> int:
    """The newest acts, newest first. Asks the server that QUIETSHIFT_URL names, unless --db or QUIETSHIFT_DB names a database."""
    from quietshift.kernel import journal as ground

    if os.environ.get("QUIETSHIFT_URL") and not (flags.get("db") or {"QUIETSHIFT_DB", "QUIETSHIFT_DB_FILE"} & os.environ.keys()):
        acts = _ask(subject, limit)
    else:
        with _open(flags) as (database, _), database.read() as tx:
            acts = [_act(entry) for entry in ground.entries(tx, subject=subject, limit=limit)]
    if output == "json":
        show_json(acts)
        return 0
    rows = [
        (act["at"], act["actor"], act["act"], act["subject"], "(erased)" if act["why"] is None else act["why"]) for act in acts
    ]
    show_table(("at", "who", "did", "to", "why"), rows, "nothing is on record")
    return 0


def _act(entry: Entry) -> dict[str, Any]:
    """As the API gives it."""
    return {
        "id": entry.id, "at": rfc3339(entry.at), "actor": entry.actor, "act": entry.act, "subject": entry.subject,
        "why": entry.why, "data": entry.data, "seq": entry.seq,
    }  # fmt: skip


def _ask(subject: str | None, limit: int) -> list[dict[str, Any]]:
    from quietshift.kernel.client import connect

    server = connect()
    acts: list[dict[str, Any]] = []
    while len(acts) < limit:
        wanted = min(limit - len(acts), _PART)
        params = {"subject": subject, "limit": wanted, "cursor": acts[-1]["id"] if acts else None}
        part = server.get("/api/v1/journal", {key: value for key, value in params.items() if value is not None})
        acts += part
        if len(part) < wanted:
            break
    return acts


@journal.command()
@setting_flags("db")
@click.option("--head", "known_head", help="A head SEQ:HEX that was kept elsewhere (the server logs each): finds a cut-off tail.")
def verify(known_head: str | None, **flags: str | None) -> int:
    """Prove that no entry was changed, removed, inserted or reordered. Exits 1 if one was."""
    from quietshift.kernel import journal as ground
    from quietshift.kernel import secret

    with _open(flags) as (database, settings):
        key = secret.derive(secret.obtain(database, settings.secret_key), "journal")
        with database.read() as tx:
            result = ground.verify(tx, key, known_head)
    for finding in result.findings:
        click.echo(finding)
    click.echo(f"{result.sealed} sealed, {result.unsealed} not sealed yet, head {result.head}")
    click.echo("the journal is NOT whole" if result.findings else "the journal is whole")
    return 1 if result.findings else 0


@journal.command()
@setting_flags("db")
@click.argument("entry_id")
@click.option("--why", required=True, help="Why it is erased; goes on record.")
def erase(entry_id: str, why: str, **flags: str | None) -> int:
    """Erase an entry's words and data for good. That it was done, by whom and why, goes on record; the chain stays whole."""
    import getpass

    from quietshift.kernel import journal as ground

    with _open(flags) as (database, _), database.write() as tx:
        ground.erase_payload(tx, entry_id, SystemClock().now(), f"os:{getpass.getuser()}", why)
    click.echo(f"{entry_id}: erased")
    return 0
