"""Slack: JSON to an incoming webhook, or to chat.postMessage with an app's token. Source: api.slack.com, "Sending messages"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quietshift.channels import http
from quietshift.channels.access import OPEN, HttpAccess
from quietshift.kernel.answer import Answer

MAX_TITLE = 1024  # characters of an attachment's title


def post(url: str, message: Mapping[str, Any], access: HttpAccess = OPEN, timeout: float = http.TIMEOUT) -> Answer:
    """Post a message. A 200 is not enough: webhooks say `ok`, the API `{"ok": true}`; anything else is a refusal."""
    try:
        reply = http.exchange(http.post_json(url, message), access, timeout)
    except http.Failed as failed:
        return failed.answer
    if reply.status // 100 != 2:
        return http.judge(reply)
    if reply.content_type.startswith("application/json"):
        said = reply.json
        if not isinstance(said, dict):
            return Answer("temporary", reply.words(), reply.status)
        good = said.get("ok") is True
        return Answer("accepted" if good else "permanent", reply.words("ok" if good else str(said.get("error"))), reply.status)
    return Answer("accepted" if reply.body == b"ok" else "permanent", reply.words(), reply.status)
