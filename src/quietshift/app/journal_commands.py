"""`quietshift journal`: what was done, and the proof of it. Reads the database itself, so it works when the server does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from quietshift.app.commands import setting_flags
from quietshift.kernel.clock import SystemClock, rfc3339
from quietshift.kernel.settings import Settings, load_settings
from quietshift.kernel.terminal import output_option, show_json, show_table


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


@click.group(invoke_without_command=True)
@click.pass_context
def journal(ctx: click.Context) -> None:
    """What was done, by whom, why; and the proof of it."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show)


@journal.command("list")
@setting_flags("db")
@click.option("--subject", help='Acts on this alone: "incident:INC-1042", "user:ana".')
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@output_option
def show(subject: str | None, limit: int, output: str, **flags: str | None) -> int:
    """The newest acts, newest first."""
    from quietshift.kernel import journal as ground

    with _open(flags) as (database, _), database.read() as tx:
        found = ground.entries(tx, subject=subject, limit=limit)
    if output == "json":
        show_json(
            [
                {
                    "id": e.id, "at": rfc3339(e.at), "actor": e.actor, "act": e.act, "subject": e.subject, "why": e.why,
                    "data": e.data, "seq": e.seq,
                }
                for e in found
            ]
        )  # fmt: skip
        return 0
    rows = [(rfc3339(e.at), e.actor, e.act, e.subject, "(erased)" if e.why is None else e.why) for e in found]
    show_table(("at", "who", "did", "to", "why"), rows, "nothing is on record")
    return 0


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
