"""Discord: an embed to a channel's webhook. Source: discord.com/developers/docs/resources/webhook#execute-webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quietshift.channels import http
from quietshift.channels.access import OPEN, HttpAccess
from quietshift.kernel.answer import Answer

MAX_TITLE, MAX_DESCRIPTION, MAX_CONTENT = 256, 4096, 2000  # characters
RED, GREEN = 0x992D22, 0x2ECC71


def message(title: str, description: str, *, good: bool, content: str = "") -> dict[str, Any]:
    """A message with one embed, green or red."""
    return {
        "content": content, "embeds": [{"title": title, "description": description, "color": GREEN if good else RED}],
    }  # fmt: skip


def post(url: str, body: Mapping[str, Any], access: HttpAccess = OPEN, timeout: float = http.TIMEOUT) -> Answer:
    """Post it to a webhook, whose URL is its secret."""
    return http.send(http.post_json(url, body), access, timeout)
