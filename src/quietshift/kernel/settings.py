"""Settings: `ops/quietshift.yaml`, then `QUIETSHIFT_*`, then `QUIETSHIFT_*_FILE` (secrets), then flags; the later wins.

One table says for each setting its name, what it takes, its default and its meaning; the reference page is made from it.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from quietshift.kernel.config import Node, read_documents
from quietshift.kernel.durations import parse_duration
from quietshift.kernel.errors import ConfigError, Problem, Problems

PREFIX = "QUIETSHIFT_"
CLIENT_VARIABLES = ("URL", "TOKEN", "TOKEN_FILE")  # of the command line, not of the server


def _text(value: str) -> str:
    return value


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"has to be one of {', '.join(allowed)}, not {value!r}")
        return value

    return parse


def parse_listen(value: str) -> str:
    """HOST:PORT, [IPv6]:PORT or :PORT (every address). Raises ValueError."""
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise ValueError(f"expected HOST:PORT, like 127.0.0.1:8080, not {value!r}")
    return value


def _url(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise ValueError("expected an http:// or https:// address")
    return value.rstrip("/")


def _host_port(value: str) -> str:
    if value:
        host, colon, port = value.rpartition(":")
        if not colon or not host or not port.isdigit():
            raise ValueError(f"expected HOST:PORT, like mail.example.org:587, not {value!r}")
    return value


def _positive(value: str) -> timedelta:
    span = parse_duration(value)
    if span <= timedelta():
        raise ValueError("has to be longer than 0s")
    return span


def _secret_key(value: str) -> str:
    if value and len(value) < 32:
        raise ValueError("has to have 32 characters or more (openssl rand -hex 32)")
    return value


@dataclass(frozen=True)
class Setting:
    """One setting. in_file: may stand in quietshift.yaml; secret: never shown, and read from *_FILE too."""

    name: str
    parse: Callable[[str], Any]
    default: str
    meaning: str
    takes: str
    secret: bool = False
    in_file: bool = True

    @property
    def env(self) -> str:
        return PREFIX + self.name.upper()


SETTINGS: tuple[Setting, ...] = (
    Setting("ops", _text, "", "The ops directory.", "path", in_file=False),
    Setting(
        "db", _text, "quietshift.db", "The database: a SQLite file, or postgresql://user@host/name.", "path or URL",
        secret=True, in_file=False,
    ),
    Setting("listen", parse_listen, "127.0.0.1:8080", "Where to listen; beyond loopback, intake wants a token.", "HOST:PORT"),
    Setting(
        "external_url", _url, "",
        "The address under which people reach Quietshift: links in pages and mails begin with it. Default: the listen address.",
        "URL",
    ),
    Setting(
        "secret_key", _secret_key, "",
        "The key under which acknowledge links are signed and the journal is sealed. Default: made at the first start and kept "
        "in a file beside the SQLite database; on PostgreSQL in the database, which several processes share: better give it "
        "there.",
        "text, 32 characters or more", secret=True, in_file=False,
    ),
    Setting("admin_token", _text, "", "A bearer token with every scope, for automation.", "text", secret=True, in_file=False),
    Setting(
        "intake", _choice("auto", "open", "token"), "auto",
        "Who may send alerts: anybody (open), who has a token of scope ingest (token), or by address: open on loopback, token "
        "elsewhere (auto).", "auto, open or token",
    ),
    Setting("smtp_smarthost", _host_port, "", "The mail server through which pages go.", "HOST:PORT"),
    Setting("smtp_from", _text, "quietshift@localhost", "The sender of mails.", "mail address"),
    Setting("smtp_username", _text, "", "User name at the mail server.", "text"),
    Setting("smtp_password", _text, "", "Password at the mail server.", "text", secret=True, in_file=False),
    Setting(
        "smtp_tls", _choice("starttls", "tls", "none"), "starttls",
        "How the connection to the mail server is encrypted; none is refused together with a password.", "starttls, tls or none",
    ),
    Setting(
        "reopen_within", parse_duration, "30m", "A group that fires again within this time reopens its incident.", "duration"
    ),
    Setting(
        "silence_notice", parse_duration, "15m",
        "How long before a silence ends its owner is told, by mail or else by the first of their contacts; 0s: not at all. A "
        "silence that is no longer than this has no notice.", "duration",
    ),
    Setting(
        "change_retention", _positive, "30d", "How long is kept what other tools told of their changes (`/v2/change/enqueue`).",
        "duration",
    ),
    Setting("ack_link_ttl", _positive, "1d", "How long an acknowledge link is good.", "duration"),
    Setting(
        "heartbeat_url", _url, "",
        "An address outside that is called while timers and outbox advance, and only then: a dead man's switch there notices a "
        "stuck or dead Quietshift.", "URL", secret=True,
    ),
    Setting("heartbeat_interval", _positive, "1m", "How often the address outside is called.", "duration"),
    Setting(
        "log_level", _choice("debug", "info", "warning", "error"), "info", "How much is logged.", "debug, info, warning or error"
    ),
    Setting(
        "log_format", _choice("auto", "text", "json"), "auto", "How it is logged; auto: text on a terminal, else json.",
        "auto, text or json",
    ),
)  # fmt: skip
BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True)
class Settings:
    """The settings in force. See SETTINGS for the meaning and unit of each."""

    ops: str
    db: str
    listen: str
    external_url: str
    secret_key: str
    admin_token: str
    intake: str
    smtp_smarthost: str
    smtp_from: str
    smtp_username: str
    smtp_password: str
    smtp_tls: Literal["starttls", "tls", "none"]
    reopen_within: timedelta
    silence_notice: timedelta
    change_retention: timedelta
    ack_link_ttl: timedelta
    heartbeat_url: str
    heartbeat_interval: timedelta
    log_level: str
    log_format: str

    def __repr__(self) -> str:
        shown = {s.name: getattr(self, s.name) for s in SETTINGS if not s.secret}
        return f"Settings({shown})"

    @property
    def listen_host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]") or "0.0.0.0"

    @property
    def listen_port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach us."""
        return self.listen_host == "localhost" or self.listen_host.startswith("127.") or self.listen_host == "::1"

    @property
    def intake_open(self) -> bool:
        """Whether alerts are taken without a token."""
        return self.intake == "open" or (self.intake == "auto" and self.loopback)

    @property
    def base_url(self) -> str:
        """What links begin with, without a slash at the end."""
        if self.external_url:
            return self.external_url
        host = "127.0.0.1" if self.listen_host in ("0.0.0.0", "::") else self.listen_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.listen_port}"


def load_settings(flags: Mapping[str, str | None], environ: Mapping[str, str] | None = None) -> Settings:
    """Put the layers together. flags: by setting name, None where not given.

    Raises ConfigError naming file:line, variable or flag.
    """
    environ = os.environ if environ is None else environ
    problems: list[Problem] = []
    values: dict[str, Any] = {s.name: s.parse(s.default) for s in SETTINGS}
    given = {k: (v, f"--{k.replace('_', '-')}") for k, v in flags.items() if v is not None}
    layers = _environment(environ, problems), given
    ops = next((layer["ops"][0] for layer in reversed(layers) if "ops" in layer), "")
    if ops:
        values.update(_file(Path(ops), problems))
    for layer in layers:
        for name, (raw, place) in layer.items():
            try:
                values[name] = BY_NAME[name].parse(raw)
            except ValueError as error:
                problems.append(Problem(place, 0, str(error)))
    if values["smtp_password"] and values["smtp_tls"] == "none":
        problems.append(Problem("smtp_tls", 0, "none would send the mail server's password in clear text"))
    if problems:
        raise ConfigError(problems)
    return Settings(**values)


def _environment(environ: Mapping[str, str], problems: list[Problem]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    known = {s.env: s for s in SETTINGS}
    files = {s.env + "_FILE": s for s in SETTINGS if s.secret}
    for variable in sorted(v for v in environ if v.startswith(PREFIX)):
        if variable.removeprefix(PREFIX) in CLIENT_VARIABLES:
            continue
        if variable in files:
            setting = files[variable]
            if environ.get(setting.env):
                problems.append(Problem(variable, 0, f"{setting.env} is set as well: which one?"))
            try:
                found[setting.name] = (Path(environ[variable]).read_text().strip(), variable)
            except (OSError, UnicodeDecodeError) as error:
                problems.append(Problem(variable, 0, f"cannot be read: {getattr(error, 'strerror', None) or 'not text'}"))
        elif variable in known:
            found[known[variable].name] = (environ[variable], variable)
        else:
            near = difflib.get_close_matches(variable, [*known, *files], 1)
            problems.append(Problem(variable, 0, "unknown setting" + (f" (did you mean {near[0]}?)" if near else "")))
    return found


def _file(root: Path, problems: list[Problem]) -> dict[str, Any]:
    path = root / "quietshift.yaml"
    if not path.is_file():
        return {}
    found = Problems(root)
    values: dict[str, Any] = {}
    for node in read_documents(path, found)[:1]:
        values = read_settings(node)
    problems.extend(found.errors)
    return values


SECTIONS = ("receivers", "bundle")  # of quietshift.yaml that rooms read


def read_settings(node: Node) -> dict[str, Any]:
    """The settings written in quietshift.yaml; unknown keys and secrets in the file are errors with their line."""
    in_file = [s.name for s in SETTINGS if s.in_file]
    for name, entry in node.entries().items():
        setting = BY_NAME.get(name)
        if setting is not None and not setting.in_file:
            where = f"{setting.env} or {setting.env}_FILE" if setting.secret else f"--{name} or {setting.env}"
            node.problems.add(entry.file, entry.key_line, f"{name}: is not taken from this file; use {where}")
    not_here = [s.name for s in SETTINGS if not s.in_file]
    fields = node.fields(*in_file, *SECTIONS, *not_here)
    return {
        name: fields[name].parsed(BY_NAME[name].parse, BY_NAME[name].parse(BY_NAME[name].default))
        for name in in_file
        if not fields[name].missing
    }


def reference() -> str:
    """The table of all settings as Markdown, for docs/reference/settings.md."""
    lines = ["| setting | takes | default | meaning |", "|---|---|---|---|"]
    for s in SETTINGS:
        places = f"`{s.env}`" + (f", `{s.env}_FILE`" if s.secret else "")
        if s.in_file:
            places = f"`{s.name}:`<br>{places}"
        default = f"`{s.default}`" if s.default else "none"
        lines.append(f"| **{s.name}**<br>{places} | {s.takes} | {default} | {s.meaning} |")
    return "\n".join(lines) + "\n"


__all__ = ["SETTINGS", "Setting", "Settings", "load_settings", "read_settings", "reference"]
