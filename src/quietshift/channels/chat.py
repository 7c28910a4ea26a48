"""One message to one person by a chat or push service: what `via` names, said as each service shows it best."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from quietshift.channels import discord, msteams, pushover, slack, telegram
from quietshift.channels.access import OPEN
from quietshift.channels.parse import Channel, Via
from quietshift.kernel.answer import Answer

TIMEOUT = 10.0  # seconds for the whole exchange
URGENT = 4  # of ntfy's priorities: from here on it rings through quiet hours
_MARKDOWN = re.compile(r"([\\\\`*_~|>\[\]()])")


@dataclass(frozen=True)
class Said:
    """links: label and address. priority: ntfy's, 1 to 5."""

    title: str
    text: str
    links: Sequence[tuple[str, str]] = ()
    priority: int = 3


def tell(via: Via, said: Said) -> Answer:
    """Send it. 429 and 5xx, silence and broken connections are temporary; a refusal is permanent. Raises nothing."""
    return _WAYS[via.channel](via, said)


def _slack(via: Via, said: Said) -> Answer:
    def safe(text: str) -> str:
        return html.escape(text, quote=False)

    links = "  ".join(f"<{url}|{safe(label)}>" for label, url in said.links)
    message = {"text": f"*{safe(said.title)}*\n{safe(said.text)}\n{links}", "unfurl_links": False, "unfurl_media": False}
    return slack.post(via.address, message, OPEN, TIMEOUT)


def _discord(via: Via, said: Said) -> Answer:
    links = "\n".join(f"[{label}]({url})" for label, url in said.links)
    text = _MARKDOWN.sub(r"\\\1", said.text)[: discord.MAX_DESCRIPTION - len(links) - 1]
    message = discord.message(_MARKDOWN.sub(r"\\\1", said.title)[: discord.MAX_TITLE], f"{text}\n{links}", good=False)
    return discord.post(via.address, {**message, "allowed_mentions": {"parse": []}}, OPEN, TIMEOUT)


def _msteams(via: Via, said: Said) -> Answer:
    card: dict[str, Any] = msteams.adaptive_card(said.title, said.text.replace("\n", "\n\n"), good=False)
    card["attachments"][0]["content"]["actions"] = [
        {"type": "Action.OpenUrl", "title": label, "url": url} for label, url in said.links
    ]
    return msteams.post(via.address, card, OPEN, TIMEOUT)


def _pushover(via: Via, said: Said) -> Answer:
    parts = urlsplit(via.address)
    first = said.links[0] if said.links else ("", "")
    rest = "".join(f"\n{label}: {url}" for label, url in said.links[1:])
    parameters = {
        "user": unquote(parts.username or ""), "token": unquote(parts.password or ""), "title": said.title[: pushover.MAX_TITLE],
        "message": f"{said.text[: pushover.MAX_MESSAGE - len(rest)]}{rest}" or "(no details)",
        "priority": "1" if said.priority >= URGENT else "0",
        **({"url": first[1], "url_title": first[0]} if len(first[1]) <= pushover.MAX_URL and first[1] else {}),
    }  # fmt: skip
    return pushover.push(parameters, OPEN, TIMEOUT, f"{_origin(via)}/1/messages.json")


def _telegram(via: Via, said: Said) -> Answer:
    parts = urlsplit(via.address)
    links = "".join(f"\n{label}: {url}" for label, url in said.links)
    text = f"{said.title}\n{said.text}"[: telegram.MAX_TEXT - len(links)] + links
    message = {"chat_id": parts.path.strip("/"), "text": text, "disable_web_page_preview": "true"}
    token = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return telegram.send_message(_origin(via), token, message, OPEN, TIMEOUT)


def _origin(via: Via) -> str:
    return f"https://{urlsplit(via.address).netloc.rpartition('@')[2]}"


_WAYS: dict[Channel, Callable[[Via, Said], Answer]] = {
    Channel.SLACK: _slack, Channel.DISCORD: _discord, Channel.MSTEAMS: _msteams, Channel.PUSHOVER: _pushover,
    Channel.TELEGRAM: _telegram,
}
