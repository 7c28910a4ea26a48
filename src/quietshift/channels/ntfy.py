"""ntfy: a push to a phone, by one plain POST to `https://host/topic`. Source: docs.ntfy.sh/publish."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from email.header import Header

from quietshift.channels import webhook
from quietshift.channels.mail import one_line
from quietshift.kernel.answer import Answer

MAX_MESSAGE = 3500  # octets; beyond 4,096 ntfy makes it an attachment


@dataclass(frozen=True)
class Button:
    """post: the phone posts to the URL itself, without opening it."""

    label: str
    url: str
    post: bool = False


def publish(
    url: str,
    *,
    title: str,
    message: str,
    click: str = "",
    buttons: Sequence[Button] = (),
    priority: int = 3,
    timeout: float = webhook.TIMEOUT,
) -> Answer:
    """Post to a topic. url: http(s); click: what a tap opens; at most three buttons; priority 1 to 5, 5 rings loudest."""
    headers = {"Title": _header(title), "Priority": str(priority)}
    if click:
        headers["Click"] = _header(click)
    if buttons:
        headers["Actions"] = json.dumps([_action(button) for button in buttons[:3]])
    content = message.encode("utf-8", "replace")[:MAX_MESSAGE].decode("utf-8", "ignore").encode()
    return webhook.request("POST", url, content, headers, timeout)


def _action(button: Button) -> dict[str, object]:
    if button.post:
        return {"action": "http", "label": button.label, "url": button.url, "method": "POST", "clear": True}
    return {"action": "view", "label": button.label, "url": button.url}


def _header(text: str) -> str:
    """ASCII as it is; other letters as RFC 2047 writes them, which ntfy reads."""
    line = one_line(text)
    return line if line.isascii() else Header(line, "utf-8", maxlinelen=10**6).encode()
