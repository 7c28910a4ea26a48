"""`quietshift page test USER`: asks the server that QUIETSHIFT_URL names to try every contact of a person."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from quietshift.kernel.terminal import output_option, show_json, show_table

LOOK_EVERY = 0.25  # seconds


@click.group()
def page() -> None:
    """Page somebody, to test the way."""


@page.command()
@click.argument("user")
@click.option("--wait", default=10.0, show_default=True, help="Seconds to wait for the providers' answers.")
@output_option
def test(user: str, wait: float, output: str) -> None:
    """Send a test page to every contact of USER at once, and print what each provider answered.

    Exit code 1 where a contact did not take it, or has not answered in time.
    """
    from urllib.parse import quote

    from quietshift.kernel.client import connect

    server, path = connect(), f"/api/v1/users/{quote(user, safe='')}/test-page"
    sent: dict[str, Any] = server.post(path)
    deadline = time.monotonic() + wait
    while not sent["done"] and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
        newest: list[dict[str, Any]] = server.get(path, {"limit": 10})
        sent = next((page for page in newest if page["id"] == sent["id"]), sent)
    if output == "json":
        show_json(sent)
    else:
        rows = [(a["channel"], a["via"], a["attempted_at"], a["outcome"], a["answer"]) for a in sent["attempts"]]
        show_table(("channel", "via", "attempted", "outcome", "answer"), rows, f"nothing was attempted in {wait:g} s")
    if not sent["done"] or any(a["final"] and a["outcome"] != "accepted" for a in sent["attempts"]):
        if not sent["done"]:
            click.echo(f"not every contact has answered within {wait:g} s", err=True)
        sys.exit(1)
