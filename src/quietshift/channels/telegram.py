"""Telegram: a bot's message to a chat. Source: core.telegram.org/bots/api#sendmessage."""

from __future__ import annotations

from collections.abc import Mapping

from quietshift.channels import http
from quietshift.channels.access import OPEN, HttpAccess
from quietshift.kernel.answer import Answer

URL = "https://api.telegram.org"
MAX_TEXT = 4096  # characters


def send_message(
    url: str, token: str, message: Mapping[str, str], access: HttpAccess = OPEN, timeout: float = http.TIMEOUT
) -> Answer:
    """Send it; whatever Telegram refuses may be put right there, so it is tried again, as Alertmanager does."""
    request = http.post_json(f"{url.rstrip('/')}/bot{token}/sendMessage", message, secrets=(token,))
    try:
        reply = http.exchange(request, access, timeout)
    except http.Failed as failed:
        return failed.answer
    said = reply.json
    if not isinstance(said, dict):
        return Answer("temporary", reply.words(), reply.status)
    if said.get("ok") is True:
        return Answer("accepted", reply.words("ok"), reply.status)
    return Answer("temporary", reply.words(str(said.get("description"))), reply.status)
