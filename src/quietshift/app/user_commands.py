"""`quietshift user` and `quietshift token`: who may come in, over the API of the server that QUIETSHIFT_URL names."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from quietshift.kernel.terminal import output_option, show_json, show_table

ROLES = ("viewer", "responder", "admin")
SCOPES = ("ingest", "read", "respond", "admin")


def _account(name: str, change: dict[str, Any]) -> None:
    from quietshift.kernel.client import connect

    after = connect().patch(f"/api/v1/accounts/{quote(name, safe='')}", change)
    state = "disabled" if after["disabled_at"] else "enabled"
    click.echo(f"{after['name']} is {after['role']}, {state}")


@click.group()
def user() -> None:
    """Accounts: invite people, set their role, lock them out."""


@user.command("list")
@output_option
def list_users(output: str) -> None:
    """List who may sign in."""
    from quietshift.kernel.client import connect

    found = connect().get("/api/v1/accounts")
    if output == "json":
        show_json(found)
        return
    rows = [
        (one["name"], one["role"], "disabled" if one["disabled_at"] else "" if one["in_catalog"] else "not in the catalog")
        for one in found
    ]
    show_table(("name", "role", ""), rows, "nobody has an account; the server prints a set-up link when it starts")


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="responder", show_default=True, help="What they may do.")
@output_option
def invite(name: str, role: str, output: str) -> None:
    """Make a link by which NAME, a User of the catalog, sets a password: for a new account, or a lost password.

    The link is good once, for three days. Send it to that person alone.
    """
    from quietshift.kernel.client import connect

    made = connect().post("/api/v1/accounts", {"name": name, "role": role})
    if output == "json":
        show_json(made)
    else:
        click.echo(made["url"])


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
def set_role(name: str, role: str) -> None:
    """Give NAME another role."""
    _account(name, {"role": role})


@user.command()
@click.argument("name")
def disable(name: str) -> None:
    """Lock NAME out, at once: sessions and set-up links end. Links in pages that were sent go on to acknowledge."""
    _account(name, {"disabled": True})


@user.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let NAME in again."""
    _account(name, {"disabled": False})


@click.group()
def token() -> None:
    """API tokens: for Prometheus, for scripts, for the command line."""


@token.command("list")
@output_option
def list_tokens(output: str) -> None:
    """List the tokens, the newest first, without their secrets."""
    from quietshift.kernel.client import connect

    found = connect().get("/api/v1/tokens")
    if output == "json":
        show_json(found)
        return
    rows = [
        (
            one["name"], ", ".join(one["scopes"]), one["created_by"], one["expires_at"] or "never",
            one["last_used_at"] or "never", "revoked" if one["revoked_at"] else "",
        )
        for one in found
    ]  # fmt: skip
    show_table(("name", "scopes", "made by", "expires", "last used", ""), rows, "there are no tokens")


@token.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), required=True, help="May be repeated.")
@click.option("--expires", "expires_at", metavar="TIME", help="RFC 3339, like 2027-01-01T00:00:00Z. Default: never.")
@output_option
def create(name: str, scopes: tuple[str, ...], expires_at: str | None, output: str) -> None:
    """Make a token called NAME and print it: it is shown this once.

    ingest sends alerts, read reads, respond acknowledges and resolves (and reads), admin does everything.
    """
    from quietshift.kernel.client import connect

    made = connect().post("/api/v1/tokens", {"name": name, "scopes": list(scopes), "expires_at": expires_at})
    if output == "json":
        show_json(made)
    else:
        click.echo(made["token"])


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """End the token NAME at once."""
    from quietshift.kernel.client import connect

    connect().delete(f"/api/v1/tokens/{quote(name, safe='')}")
    click.echo(f"{name}: revoked")
