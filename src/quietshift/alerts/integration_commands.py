"""`quietshift integration`: keys by which other tools' events come in, and what becomes of what they send."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from quietshift.alerts.inbound import API_VERSION, HEARTBEAT, KIND, TYPES, hash_line
from quietshift.catalog.model import is_name
from quietshift.kernel.durations import parse_duration
from quietshift.kernel.errors import Invalid, NotFound
from quietshift.kernel.terminal import output_option, show_json, show_table

if TYPE_CHECKING:
    from quietshift.alerts.sources import Event, Heartbeats, Inbound, Inbounds

SHORTEST_KEY = 20  # characters
ADDRESSES = {  # of each type: where its tool sends, and how it shows its key
    "pagerduty": ("/v2/enqueue", "routing_key in the body"),
    "opsgenie": ("/v2/alerts", "Authorization: GenieKey KEY"),
    "alertmanager": ("/in", "http_config.authorization.credentials, or /in/KEY"),
    "grafana": ("/in", "Authorization header: Bearer KEY, or /in/KEY"),
    "json": ("/in", "Authorization: Bearer KEY, or /in/KEY"),
}
MAPPING = """\
  mapping:  # JMESPath: where in the body it is; `quietshift integration try` shows what comes out
    key: id
    summary: title
    action: {path: status, values: {open: trigger, closed: resolve}, default: trigger}
"""
ops_option = click.option(
    "--ops", type=click.Path(path_type=Path), help="The ops directory. Default: QUIETSHIFT_OPS, else this one."
)


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
    _check_name(name)
    secret = sys.stdin.read().strip() if existing else secrets.token_hex(16)
    if len(secret) < SHORTEST_KEY:
        raise Invalid(f"a key has {SHORTEST_KEY} characters or more: a shorter one could be found by its hash")
    if not existing:
        click.echo(f"key of {name}, shown once: {secret}", err=True)
    click.echo(
        f"apiVersion: {API_VERSION}\nkind: {KIND}\nmetadata: {{name: {name}}}\nspec:\n  type: {kind}\n"
        f"  service: {service}\n  keyHash: {hash_line(secret)}\n" + (MAPPING if kind == "json" else ""),
        nl=False,
    )


@integration.command()
@click.argument("name")
@click.option("--service", required=True, help="The Component of the catalog that it is about.")
@click.option("--period", default="", help="How often it is heard, as 5m or 1d.")
@click.option("--schedule", default="", metavar="CRON", help="When it is heard instead: a cron expression, as '0 3 * * *'.")
@click.option("--time-zone", default="UTC", show_default=True, help="By whose clock the schedule is meant.")
@click.option("--grace", default="1m", show_default=True, help="How much later it may be.")
def heartbeat(name: str, service: str, period: str, schedule: str, time_zone: str, grace: str) -> None:
    """Make a token, and the document of the heartbeat NAME that holds its hash.

    The document goes to standard output (into ops/integrations/NAME.yaml), the token to standard error, once; it is stored
    nowhere.
    """
    from quietshift.alerts.inbound import EXAMPLE
    from quietshift.alerts.sources import next_time
    from quietshift.oncall.localtime import zone_of

    _check_name(name)
    if bool(period) == bool(schedule):
        raise click.UsageError("give one of --period and --schedule")
    try:
        for span in filter(None, (period, grace)):
            parse_duration(span)
        if schedule:
            next_time(schedule, str(zone_of(time_zone)), EXAMPLE)
    except ValueError as error:
        raise Invalid(str(error)) from None
    token = secrets.token_hex(16)
    click.echo(f"address of {name}, shown once: /heartbeat/{token}", err=True)
    rhythm = f"  period: {period}\n" if period else f'  schedule: "{schedule}"\n  timeZone: {time_zone}\n'
    click.echo(
        f"apiVersion: {API_VERSION}\nkind: {HEARTBEAT}\nmetadata: {{name: {name}}}\nspec:\n  service: {service}\n"
        f"{rhythm}  grace: {grace}\n  tokenHash: {hash_line(token)}"
    )


@integration.command("list")
@ops_option
@output_option
def list_(ops: Path | None, output: str) -> None:
    """List integrations and heartbeats, with the address to paste into each tool. By the files alone, no server."""
    from quietshift.kernel.settings import load_settings

    inbounds, heartbeats, root = _read(ops)
    base = load_settings({"ops": str(root)}).base_url
    found = [
        {"name": i.name, "type": i.type, "service": i.service, "address": base + address, "how": how}
        for i in inbounds.by_hash.values()
        for address, how in (ADDRESSES[i.type],)
    ] + [
        {
            "name": h.name, "type": "heartbeat", "service": h.service,
            "address": f"{base}/heartbeat/TOKEN" if h.token_hash else "none: alerts give it", "how": h.rhythm,
        }
        for h in heartbeats.by_name.values()
    ]  # fmt: skip
    if output == "json":
        show_json(found)
        return
    rows = [tuple(one.values()) for one in sorted(found, key=lambda one: one["name"])]
    columns = ("name", "type", "service", "address", "how")
    show_table(columns, rows, "no integration yet: `quietshift integration key NAME --service SERVICE` makes one")


@integration.command("try")
@click.argument("name")
@click.argument("body", type=click.File("rb"))
@ops_option
@output_option
def try_(name: str, body: IO[bytes], ops: Path | None, output: str) -> None:
    """Show what would become of BODY (a file, - for standard input), sent by the integration NAME. Nothing is sent or stored."""
    from quietshift.alerts.wires.reading import Wrong

    inbounds, _, _ = _read(ops)
    inbound = next((one for one in inbounds.by_hash.values() if one.name == name), None)
    if inbound is None:
        raise NotFound(f"no integration {name!r} is defined in integrations/")
    try:
        events = _events(inbound, body.read())
    except Wrong as wrong:
        raise Invalid("this would be refused:\n" + "\n".join(f"  {error}" for error in wrong.errors)) from None
    found = [_outcome(inbound, event) for event in events]
    if output == "json":
        show_json(found)
        return
    for one in found:
        rows = [("key", one["key"]), *((f"label {k}", v) for k, v in one["labels"].items())]
        rows += [(f"annotation {k}", v) for k, v in one["annotations"].items()]
        rows += [(k, one[k]) for k in ("since", "url") if one[k]]
        show_table((one["action"], ""), rows)
    if not found:
        click.echo("nothing: what it tells is to be ignored", err=True)


def _check_name(name: str) -> None:
    if not is_name(name):
        raise Invalid(f"{name!r} is no name: letters, digits and -_. between them, at most 63 characters")


def _read(ops: Path | None) -> tuple[Inbounds, Heartbeats, Path]:
    """The integrations and heartbeats of an ops directory. Raises ConfigError with every error in them."""
    from quietshift.alerts import inbound
    from quietshift.alerts.sources import Heartbeats, Inbounds
    from quietshift.catalog import config as catalog
    from quietshift.kernel.ops import read

    root = ops or Path(os.environ.get("QUIETSHIFT_OPS") or ".")
    loaded, problems = read(root, (catalog.part, inbound.part, inbound.heartbeats), whole=False)
    problems.raise_errors()
    return loaded.get(Inbounds), loaded.get(Heartbeats), root


def _events(inbound: Inbound, body: bytes) -> list[Event]:
    """What a body asks for. Raises Wrong."""
    from quietshift.alerts.events_api import read_webhook
    from quietshift.alerts.wires import opsgenie, pagerduty
    from quietshift.alerts.wires.reading import decode_object
    from quietshift.kernel.clock import SystemClock

    clock = SystemClock()
    ways: dict[str, Callable[[], list[Event]]] = {
        "pagerduty": lambda: [pagerduty.event(decode_object(body), clock.now())],
        "opsgenie": lambda: [opsgenie.created(body)],
    }
    return ways.get(inbound.type, lambda: read_webhook(inbound, body, clock))()


def _outcome(inbound: Inbound, event: Event) -> dict[str, Any]:
    from quietshift.alerts.labels import label_set
    from quietshift.alerts.sources import Act, complete
    from quietshift.kernel.clock import rfc3339

    labels = label_set(complete(event, inbound.name, inbound.service)) if event.act is Act.TRIGGER else {}
    since = rfc3339(event.starts_at) if event.starts_at else ""
    return {
        "action": str(event.act), "key": event.key, "labels": labels, "annotations": event.annotations, "since": since,
        "url": event.url,
    }  # fmt: skip
