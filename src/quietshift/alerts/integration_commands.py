"""`quietshift integration`: keys by which other tools' events come in."""

from __future__ import annotations

import secrets
import sys

import click

from quietshift.alerts.inbound import API_VERSION, HEARTBEAT, KIND, TYPES, hash_line
from quietshift.catalog.model import is_name
from quietshift.kernel.durations import parse_duration
from quietshift.kernel.errors import Invalid

SHORTEST_KEY = 20  # characters


@click.group()
def integration() -> None:
    """Keys by which other tools' events come in."""


@integration.command()
@click.argument("name")
@click.option("--service", required=True, help="The Component of the catalog that its events are about.")
@click.option("--type", "kind", type=click.Choice(TYPES), default=TYPES[0], show_default=True, help="Whose API the tool speaks.")
@click.option("--existing", is_flag=True, help="Read the key that the tool has already from standard input, make none.")
def key(name: str, service: str, kind: str, existing: bool) -> None:
    """Make a key, and the document of the integration NAME that holds its hash.

    The document goes to standard output (into ops/integrations/NAME.yaml), the key to standard error, once: it is stored nowhere.
    """
    if not is_name(name):
        raise Invalid(f"{name!r} is no name: letters, digits and -_. between them, at most 63 characters")
    secret = sys.stdin.read().strip() if existing else secrets.token_hex(16)
    if len(secret) < SHORTEST_KEY:
        raise Invalid(f"a key has {SHORTEST_KEY} characters or more: a shorter one could be found by its hash")
    if not existing:
        click.echo(f"key of {name}, shown once: {secret}", err=True)
    click.echo(
        f"apiVersion: {API_VERSION}\nkind: {KIND}\nmetadata: {{name: {name}}}\nspec:\n  type: {kind}\n"
        f"  service: {service}\n  keyHash: {hash_line(secret)}"
    )


@integration.command()
@click.argument("name")
@click.option("--service", required=True, help="The Component of the catalog that it is about.")
@click.option("--period", required=True, help="How often it is heard, as 5m or 1d.")
@click.option("--grace", default="1m", show_default=True, help="How much later it may be.")
def heartbeat(name: str, service: str, period: str, grace: str) -> None:
    """Make a token, and the document of the heartbeat NAME that holds its hash.

    The document goes to standard output (into ops/integrations/NAME.yaml), the token to standard error, once; it is stored
    nowhere.
    """
    if not is_name(name):
        raise Invalid(f"{name!r} is no name: letters, digits and -_. between them, at most 63 characters")
    for span in (period, grace):
        try:
            parse_duration(span)
        except ValueError as error:
            raise Invalid(str(error)) from None
    token = secrets.token_hex(16)
    click.echo(f"address of {name}, shown once: /heartbeat/{token}", err=True)
    click.echo(
        f"apiVersion: {API_VERSION}\nkind: {HEARTBEAT}\nmetadata: {{name: {name}}}\nspec:\n  service: {service}\n"
        f"  period: {period}\n  grace: {grace}\n  tokenHash: {hash_line(token)}"
    )
