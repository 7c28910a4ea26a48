"""Where a message goes, written as a URL: `mailto:ana@example.org`, `https://...`, `ntfys://ntfy.example.org/ana`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, unquote, urlsplit

MAX_LENGTH = 2000
# RFC 5321's dot-atom, and non-ASCII as RFC 6531 has it; quoted local parts are refused: nobody is reached by one
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_HIDDEN = "***"


class Channel(StrEnum):
    MAIL = "mail"
    WEBHOOK = "webhook"
    NTFY = "ntfy"
    SLACK = "slack"
    DISCORD = "discord"
    MSTEAMS = "msteams"
    PUSHOVER = "pushover"
    TELEGRAM = "telegram"


_SCHEMES = {
    "mailto": Channel.MAIL, "http": Channel.WEBHOOK, "https": Channel.WEBHOOK, "ntfy": Channel.NTFY, "ntfys": Channel.NTFY,
    "slack": Channel.SLACK, "discord": Channel.DISCORD, "msteams": Channel.MSTEAMS, "pushover": Channel.PUSHOVER,
    "telegram": Channel.TELEGRAM,
}
# what is missing in a URL without a path, or without what stands before the @
_PATHS = {
    Channel.NTFY: "host/topic: the topic", Channel.SLACK: "hooks.slack.com/services/...: the webhook's path",
    Channel.DISCORD: "discord.com/api/webhooks/...: the webhook's path", Channel.MSTEAMS: "host/path: the workflow's path",
    Channel.TELEGRAM: "123:TOKEN@api.telegram.org/CHAT: the chat",
}
_KEYS = {
    Channel.PUSHOVER: "USER:TOKEN@api.pushover.net: the user's key and the application's token",
    Channel.TELEGRAM: "123:TOKEN@api.telegram.org/CHAT: the bot's token",
}


@dataclass(frozen=True)
class Via:
    """A destination. url: as written; address: the mail address, or the http(s) URL that is posted to (Pushover, Telegram: the
    service's, with who is told in it)."""

    channel: Channel
    url: str
    address: str

    def __str__(self) -> str:
        return mask(self.url)

    def __repr__(self) -> str:  # a topic or a path can be a secret: not in a log by accident
        return f"Via({mask(self.url)})"


def parse_via(text: str) -> Via:
    """The destination this URL names. Raises ValueError, whose message repeats nothing that could be a secret."""
    scheme, colon, rest = text.partition(":")
    channel = _SCHEMES.get(scheme.lower())
    if not colon:
        raise ValueError("not a contact: write mailto:ana@example.org, https://host/path or ntfys://host/topic")
    if channel is None:
        known = ", ".join(f"{name}:" for name in _SCHEMES)
        raise ValueError(f"{scheme[:20]}: is not supported (supported: {known})")
    if len(text) > MAX_LENGTH or not text.isprintable() or " " in text:
        raise ValueError(f"{scheme}: a URL has at most {MAX_LENGTH} characters, no spaces and no control characters")
    if channel is Channel.MAIL:
        return Via(channel, text, mail_address(unquote(rest)))
    url = _split(text)
    if channel is Channel.WEBHOOK:
        return Via(channel, text, text)
    if channel in _KEYS and not (url.username and url.password):
        raise ValueError(f"{scheme}://{_KEYS[channel]} is missing")
    if channel in _PATHS and not url.path.strip("/"):
        raise ValueError(f"{scheme}://{_PATHS[channel]} is missing")
    return Via(channel, text, ("http" if scheme.lower() == "ntfy" else "https") + ":" + rest)


def mail_address(text: str) -> str:
    """A single mail address, `local@domain`. Raises ValueError for anything else, names and header fields too."""
    local, at, domain = text.rpartition("@")
    labels = domain.split(".")
    good = len(text) <= 254 and len(local) <= 64 and _LOCAL.fullmatch(local) and all(map(_LABEL.fullmatch, labels))
    if not at or not good or not text.isprintable():
        raise ValueError("not a mail address: expected one like ana@example.org")
    return text


def mask(url: str) -> str:
    """The URL as it may be stored and shown: what could be a secret, or name a person, is taken out; the host stays."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() == "mailto":
        local, _, domain = rest.rpartition("@")
        return f"mailto:{local[:1]}{_HIDDEN}@{domain}"
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{scheme[:20]}:{_HIDDEN}"
    hidden = f"/{_HIDDEN}" if parts.path.strip("/") or parts.query or parts.fragment else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{hidden}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
    except ValueError as error:
        reason = "its port is none" if "ort" in str(error) else "its host is none"
        raise ValueError(f"not a URL: {reason}") from None
    if not parts.hostname:
        raise ValueError(f"not a URL: the host is missing (write {parts.scheme}://host/path)")
    return parts
