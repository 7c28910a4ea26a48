"""`quietshift alertmanager`: the server with Alertmanager's own flags and its open door, in place of its binary.

It has to answer within 0.3 CPU-seconds and to store within 0.8: no click here, and the database is opened in a thread after
the socket listens.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quietshift.kernel.errors import Invalid, Problems, QuietshiftError, Unavailable

if TYPE_CHECKING:
    import socket

    from quietshift.app.server import Scope, Send, Server
    from quietshift.app.wire import App
    from quietshift.kernel.listen import Listener
    from quietshift.kernel.ops import Loaded
    from quietshift.kernel.settings import Settings

# name -> (takes a value, default, meaning); those marked (accepted) change nothing here
FLAGS: dict[str, tuple[bool, str, str]] = {
    "config.file": (True, "/etc/prometheus/alertmanager.yml", "The configuration file."),
    "storage.path": (True, "/var/lib/prometheus/alertmanager/", "Where the database is, if QUIETSHIFT_DB names no other."),
    "data.retention": (True, "120h", "How long decisions, notifications and expired silences are kept."),
    "data.maintenance-interval": (True, "15m", "(accepted)"),
    "alerts.gc-interval": (True, "30m", "How long an alert is kept after it is over."),
    "alerts.per-alertname-limit": (True, "0", "(accepted)"),
    "silences.max-silences": (True, "0", "How many silences there may be, ended ones that are kept too. 0: any."),
    "silences.max-silence-size-bytes": (True, "0", "How long one may be, as JSON. 0: any."),
    "dispatch.maintenance-interval": (True, "30s", "(accepted)"),
    "dispatch.start-delay": (True, "0s", "(accepted: groups and what was sent of them outlive a restart)"),
    "web.listen-address": (True, ":9093", "Where to listen (may be repeated)."),
    "web.external-url": (True, "", "The address under which it is reached; its path prefixes all routes."),
    "web.route-prefix": (True, "", "Prefix of all routes. Default: the path of --web.external-url."),
    "web.config.file": (True, "", "(refused: put a proxy that has TLS and passwords before it)"),
    "web.systemd-socket": (False, "", "(refused: it opens --web.listen-address itself)"),
    "web.get-concurrency": (True, "0", "(accepted)"),
    "web.timeout": (True, "0", "(accepted)"),
    "web.ui-path": (True, "", "(accepted)"),
    "template.default": (True, "", "(accepted)"),
    "cluster.listen-address": (True, "0.0.0.0:9094", "Our address among the members; nothing listens there. Empty: no cluster."),
    "cluster.peer": (True, "", "The members, ourselves or not (may be repeated). They share a schema of PostgreSQL."),
    "cluster.advertise-address": (True, "", "Our address among the members, where it is not the one above."),
    "cluster.peer-timeout": (True, "15s", "(accepted)"),
    "cluster.gossip-interval": (True, "200ms", "(accepted)"),
    "cluster.pushpull-interval": (True, "1m", "(accepted)"),
    "cluster.tcp-timeout": (True, "10s", "(accepted)"),
    "cluster.probe-timeout": (True, "500ms", "(accepted)"),
    "cluster.probe-interval": (True, "1s", "(accepted)"),
    "cluster.settle-timeout": (True, "1m", "(accepted)"),
    "cluster.reconnect-interval": (True, "10s", "(accepted)"),
    "cluster.reconnect-timeout": (True, "6h", "(accepted)"),
    "cluster.tls-config": (True, "", "(accepted)"),
    "cluster.label": (True, "", "Keeps clusters of one database apart whose addresses are the same."),
    "cluster.allow-insecure-public-advertise-address-discovery": (False, "", "(accepted)"),
    "enable-feature": (True, "", "classic-mode or utf8-strict-mode: one syntax of matchers. Other features: (accepted)."),
    "auto-gomemlimit.ratio": (True, "0.9", "(accepted)"),
    "log.level": (True, "info", "debug, info, warn or error."),
    "log.format": (True, "logfmt", "logfmt or json."),
    "version": (False, "", "Print the version."),
    "help": (False, "", "Print this."),
}
FEATURES_ACCEPTED = (
    "alert-names-in-metrics", "receiver-name-in-metrics", "group-key-in-metrics", "auto-gomemlimit", "auto-gomaxprocs",
    "event-recorder",
)  # fmt: skip
_WHY = re.compile(r"/api/v1/alerts/([0-9a-f]{16})/why")
REFUSED = ("web.config.file", "web.systemd-socket")


@dataclass
class Flags:
    """The command line, read. values: by flag, the last one given; peers: every --cluster.peer; addresses: every
    --web.listen-address."""

    values: dict[str, str] = field(default_factory=dict)
    peers: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, FLAGS[name][1])

    def on(self, name: str) -> bool:
        """Whether a switch was given."""
        return self.values.get(name) == "true"

    def number(self, name: str) -> int:
        """A count, 0 or more. Raises Invalid."""
        if not re.fullmatch(r"[0-9]{1,18}", self[name]):
            raise Invalid(f"--{name}: not a whole number, 0 or more: {self[name]!r}")
        return int(self[name])

    def span(self, name: str) -> timedelta:
        """A duration as Go or Prometheus write it. Raises Invalid."""
        from quietshift.kernel.durations import parse_duration

        units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
        text = self[name]
        if re.fullmatch(r"(\d+(\.\d+)?(h|ms|m|s))+", text):  # Go's
            return timedelta(seconds=sum(float(n) * units[u] for n, _, u in re.findall(r"(\d+(\.\d+)?)(h|ms|m|s)", text)))
        try:
            return parse_duration(text)
        except ValueError as error:
            raise Invalid(f"--{name}: {error}") from None


def parse_flags(arguments: Sequence[str]) -> Flags:
    """As kingpin reads them: `--flag value`, `--flag=value`, one dash or two, `--no-flag` for a switch, `@file`.

    Raises Invalid naming the argument that is none.
    """
    flags = Flags()
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument.startswith("@") and len(argument) > 1:
            try:
                rest[:0] = Path(argument[1:]).read_text().split("\n")
            except OSError as error:
                raise Invalid(f"{argument}: {error.strerror}") from None
            continue
        if not argument.strip():
            continue
        name, equals, value = argument.lstrip("-").partition("=")
        name = {"h": "help"}.get(name, name)
        if not argument.startswith("-") or argument.startswith("---"):
            raise Invalid(f"unexpected argument {argument!r}, try --help")
        if name.startswith("no-") and name[3:] in FLAGS and not FLAGS[name[3:]][0]:
            flags.values[name[3:]] = "false"
            continue
        if name not in FLAGS:
            raise Invalid(f"unknown flag {argument.split('=')[0]!r}, try --help")
        if not FLAGS[name][0]:
            flags.values[name] = value if equals else "true"
            continue
        if not equals:
            if not rest:
                raise Invalid(f"expected an argument for flag --{name}")
            value = rest.pop(0)
        if name == "cluster.peer":
            flags.peers.append(value)
            continue
        if name == "web.listen-address":
            flags.addresses.append(value)
        flags.values[name] = value
    return flags


def usage() -> str:
    """What --help prints."""
    lines = ["usage: quietshift alertmanager [flags]", ""]
    for name, (takes, default, meaning) in FLAGS.items():
        shown = f"--{name}" + (f"={default or '...'}" if takes else "")
        lines.append(f"  {shown}\n        {meaning}")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Run the server until it is told to end. Raises QuietshiftError for what it cannot start with."""
    flags = parse_flags(arguments)
    if flags.on("help"):
        sys.stdout.write(usage())
        return 0
    if flags.on("version"):
        from quietshift import __version__

        sys.stdout.write(f"quietshift, version {__version__} (in place of alertmanager)\n")
        return 0
    for name in REFUSED:
        if flags.values.get(name) not in (None, "", "false"):
            raise Invalid(f"--{name} is not supported: {FLAGS[name][2][len('(refused: '):-1]}")
    gc.disable()  # what is imported stays: to look through it for garbage would be a tenth of the start's CPU time
    level = {"warn": "warning"}.get(flags["log.level"], flags["log.level"])
    settings = _settings(flags, level)
    choose_syntax(flags["enable-feature"])

    from quietshift.alerts.api import AlertsApi, Cluster, SilenceLimits
    from quietshift.alerts.model import AlertsConfig
    from quietshift.app import server as edge
    from quietshift.kernel import logs
    from quietshift.kernel.clock import SystemClock
    from quietshift.kernel.ops import OpsHolder

    logs.set_up(settings.log_level, settings.log_format)
    idle = [f"--{n}" for n, value in flags.values.items() if FLAGS[n][2].startswith("(accepted") and value != FLAGS[n][1]]
    if idle:
        logging.getLogger("quietshift.alertmanager").info("taken, and without effect here: %s", ", ".join(idle))
    retention, keep_resolved = flags.span("data.retention"), flags.span("alerts.gc-interval")
    socks = [_bind(settings, address) for address in flags.addresses or [settings.listen]]
    config_file = Path(flags["config.file"])
    holder = OpsHolder(lambda: _load(config_file))
    clock = SystemClock()
    address = flags["cluster.advertise-address"] or flags["cluster.listen-address"]
    name = secrets.token_hex(6)
    listener: Listener | None = None  # of PostgreSQL, who else is up

    def members() -> Sequence[tuple[str, str]]:
        return listener.members if listener is not None else () if _is_postgres(settings.db) else [(name, address)]

    cluster = Cluster(name, address, members) if flags["cluster.listen-address"] else None
    limits = SilenceLimits(flags.number("silences.max-silences"), flags.number("silences.max-silence-size-bytes"))
    api = AlertsApi(lambda: holder.current.get(AlertsConfig), clock, cluster=cluster, limits=limits)
    where = ", ".join(flags.addresses or [settings.listen])
    edge.announce(
        f"quietshift alertmanager: listening on {where}. The door is OPEN, as Alertmanager's is: whoever reaches this "
        "address can send alerts and silence them. `quietshift serve` wants tokens beyond loopback."
    )

    def open_app() -> App:  # in a thread, while the door answers already
        nonlocal listener
        ours = settings
        if _is_postgres(settings.db):  # others know that we are up while we still import
            ours = clustered(settings, flags)
            listener = _listen(ours.db, name, address)
        from quietshift.app.standalone import open_alerts

        app = open_alerts(ours, holder, clock, api, retention, keep_resolved, listener, clustered=cluster is not None)
        gc.freeze()
        gc.enable()
        return app

    prefix = flags["web.route-prefix"] or urlsplit(flags["web.external-url"]).path
    server = edge.Server(
        settings, holder, api, open_app, prefix=f"/{prefix.strip('/')}", eager=False,
        web=lambda scope, _receive, send: _elsewhere(server, scope, send),
    )
    edge.run(server, *socks)
    return 0


def _bind(settings: Settings, address: str) -> socket.socket:
    """The listening socket; without a host, for IPv6 and IPv4 as Go has it. Raises Invalid."""
    from quietshift.app import early
    from quietshift.app.server import listen

    if address in early.taken:
        return early.taken.pop(address)
    try:
        return early.bind(address)
    except (OSError, ValueError):  # taken, which is told below, or a machine without IPv6
        return listen(replace(settings, listen=f"0.0.0.0{address}" if address.startswith(":") else address))


def choose_syntax(features: str) -> None:
    """Follow `--enable-feature`: a list with commas. Raises Invalid for a feature that Alertmanager does not have."""
    from quietshift.alerts import syntax

    named = [name for name in features.split(",") if name]
    modes = [mode for mode in syntax.Syntax if mode and mode in named]
    for name in named:
        if name not in (*modes, *FEATURES_ACCEPTED):
            raise Invalid(f"unknown option {name!r} for --enable-feature")
    if len(modes) > 1:
        raise Invalid(f"--enable-feature: {' and '.join(modes)} exclude each other")
    syntax.use(modes[0] if modes else syntax.Syntax.BOTH)


def _settings(flags: Flags, level: str) -> Settings:
    import os

    from quietshift.kernel.settings import load_settings

    environ = {k: v for k, v in os.environ.items() if k not in ("QUIETSHIFT_OPS", "QUIETSHIFT_LISTEN", "QUIETSHIFT_INTAKE")}
    directory = Path(flags["storage.path"])
    given: dict[str, str | None] = {
        "listen": flags.addresses[0] if flags.addresses else flags["web.listen-address"],
        "external_url": flags["web.external-url"] or None,
        "intake": "open",
        "log_level": level,
        "log_format": {"logfmt": "text"}.get(flags["log.format"], flags["log.format"]),
    }
    if "QUIETSHIFT_DB" not in environ and "QUIETSHIFT_DB_FILE" not in environ:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Invalid(f"--storage.path {directory}: {error.strerror}") from None
        given["db"] = str(directory / "quietshift.db")
    return load_settings(given, environ)


def _is_postgres(url: str) -> bool:
    return url.startswith(("postgresql:", "postgresql+psycopg:", "postgres:"))


def clustered(settings: Settings, flags: Flags) -> Settings:
    """With the schema that the members of our cluster share."""
    url = "postgresql:" + settings.db.partition(":")[2]
    if flags["cluster.listen-address"]:
        from quietshift.app.clusters import url_of

        ours = flags["cluster.listen-address"], flags["cluster.advertise-address"]
        url = url_of(url, *ours, flags.peers, flags["cluster.label"])
    return replace(settings, db=url)


def _listen(url: str, name: str, address: str) -> Listener:
    from quietshift.kernel.listen import Listener

    listener = Listener(url, name, address)
    listener.start()
    return listener


def _load(path: Path) -> tuple[Loaded, Problems]:
    from quietshift.alerts.config import load_file
    from quietshift.kernel.ops import Loaded

    problems = Problems()
    loaded = Loaded(path.parent)
    loaded.put(load_file(path, problems))
    return loaded, problems


async def _elsewhere(server: Server, scope: Scope, send: Send) -> None:
    """There is no web interface here: it needs people, and `quietshift serve` knows them. What `quietshift alerts why` asks for
    is answered, as there."""
    from quietshift.app import gone
    from quietshift.app.server import answer

    if (asked := _WHY.fullmatch(scope["path"])) and scope["method"] in ("GET", "HEAD"):
        try:
            body = await asyncio.to_thread(_explain, server.app, asked[1])
        except QuietshiftError as error:
            await answer(send, error.status, {"title": error.title, "status": error.status, "detail": str(error)})
        else:
            await answer(send, 200, body)
        return
    if scope["path"].startswith("/api/v1/"):  # all the rest: there is no API of our own here
        await answer(send, gone.STATUS, gone.BODY)
        return
    detail = "the API is at /api/v2/; the web interface comes with `quietshift serve`"
    await answer(send, 404, {"title": "Not found", "status": 404, "detail": f"there is no {scope['path']}: {detail}"})


def _explain(app: App | None, fingerprint: str) -> bytes:
    import json

    from quietshift.alerts import why

    if app is None:
        raise Unavailable("the server is starting")
    with app.db.read() as tx:
        found = why.as_json(why.explain(app.alerts.use, tx, fingerprint, app.clock.now()))
    return json.dumps({**found, "incidents": []}, ensure_ascii=False).encode()
