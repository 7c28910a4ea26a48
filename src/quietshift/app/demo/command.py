"""`quietshift demo`: shows the main job on this machine, with a person at the switch or without (`--headless`)."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

import click

from quietshift.kernel.errors import Invalid

DEFAULT_LISTEN = "127.0.0.1:8080"
SIGN_IN_SECONDS = 10.0


@click.command()
@click.option("--headless", is_flag=True, help="Play the story without a person, check each hop, exit 0 or 1 within 90 s.")
@click.option("--listen", metavar="HOST:PORT", help=f"Where Quietshift listens, on loopback.  [default: {DEFAULT_LISTEN}]")
@click.option(
    "--watcher", type=click.Choice(["auto", "builtin", "prometheus"]), default="auto", show_default=True,
    help="Who watches the shop; auto: Prometheus where it is installed.",
)  # fmt: skip
@click.option("--browser/--no-browser", default=True, help="Open the pages in a browser, where there is a display.")
def demo(headless: bool, listen: str | None, watcher: str, browser: bool) -> int:
    """Show the main job: a shop breaks, people are paged, it is put to rest. Everything is on this machine and temporary."""
    started = time.monotonic()
    signal.signal(signal.SIGTERM, _leave)
    from quietshift.app.demo.world import open_world

    port = _port(listen, headless)
    if headless:
        from quietshift.app.demo.story import play

        with open_world(port, 0, watcher=watcher) as world:
            return 0 if play(world, click.echo, started) else 1
    with open_world(port, port + 1 if port < 65535 else 0, watcher=watcher) as world:
        link = _sign_in_link(world.quietshift.sign_in_link)
        click.echo(_WELCOME.format(
            url=world.quietshift.url, stage=world.stage_url, link=link or f"{world.quietshift.url}/sign-in",
            watcher=world.watcher.name,
        ))  # fmt: skip
        if browser and _has_display():
            import webbrowser

            webbrowser.open(link or world.quietshift.url)
            webbrowser.open(world.stage_url)
        try:
            while world.quietshift.running:
                time.sleep(1)  # until Ctrl-C
        except KeyboardInterrupt:
            click.echo("\nThe demo is over; nothing is left of it.")
            return 0
        click.echo(f"Quietshift ended:\n{world.quietshift.log()[-3000:]}", err=True)
        return 1


_WELCOME = """\
Quietshift       {url}
sign in (once)   {link}
the stage        {stage}   the shop and its switch, phones, mail

Break the shop on the stage and watch: the symptom (seen by {watcher}), Ana's phone ringing, nobody answering,
Bo being called 10 s later. Acknowledge, follow the runbook, mend the shop, read the timeline.

An alert of your own:

  curl -H 'Content-Type: application/json' {url}/api/v2/alerts -d '[{{
    "labels": {{"alertname": "DiskWillFill", "service": "checkout", "severity": "warning"}},
    "annotations": {{"summary": "The disk of checkout is full in 4 hours"}}}}]'

Ctrl-C ends it."""


def _port(listen: str | None, headless: bool) -> int:
    """The port to listen on; 0: any. Raises Invalid for other hosts than loopback: the demo's intake is open to everybody."""
    if listen is None and headless:
        return 0
    host, _, port = (listen or DEFAULT_LISTEN).rpartition(":")
    if host not in ("127.0.0.1", "localhost") or not port.isdigit() or int(port) > 65535:
        raise Invalid(f"--listen {listen}: the demo listens on loopback alone, like 127.0.0.1:8080")
    return int(port)


def _sign_in_link(look: Callable[[], str]) -> str:
    deadline = time.monotonic() + SIGN_IN_SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)  # waits for another process
    return ""


def _has_display() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(143)
