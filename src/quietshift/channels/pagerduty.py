"""PagerDuty's Events API, version 2, and 1 for keys that are older. Source: developer.pagerduty.com, "Events API v2 overview"."""

from __future__ import annotations

import json
from typing import Any

from quietshift.channels import http
from quietshift.channels.access import OPEN, HttpAccess
from quietshift.kernel.answer import Answer

V1_URL = "https://events.pagerduty.com/generic/2010-04-15/create_event.json"
MAX_EVENT = 512_000  # octets
MAX_SUMMARY = 1024  # characters
TOO_LARGE = "The custom details were left out: with them the event is larger than the 512 KB that PagerDuty takes."


def enqueue(
    url: str, event: dict[str, Any], secret: str, access: HttpAccess = OPEN, timeout: float = http.TIMEOUT, *, v1: bool = False
) -> Answer:
    """Send an event; one that is too large goes without its details. 429 (403 in version 1) means: too many for now."""
    request = http.post_json(url, event, secrets=(secret,))
    if len(request.content) > MAX_EVENT:
        where = event if v1 else event["payload"]
        small = {**where, "details" if v1 else "custom_details": {"error": TOO_LARGE}}
        request = http.post_json(url, small if v1 else {**event, "payload": small}, secrets=(secret,))
    try:
        reply = http.exchange(request, access, timeout)
    except http.Failed as failed:
        return failed.answer
    return http.judge(reply, {403} if v1 else (), _why(reply))


def _why(reply: http.Reply) -> str | None:
    said = reply.json if reply.status == 400 else None
    if not isinstance(said, dict):
        return None
    errors = said.get("errors")
    listed = ", ".join(map(str, errors)) if isinstance(errors, list) else json.dumps(errors)
    return f"{said.get('message')}: {listed}"
