"""Microsoft Teams: a card to a webhook of a connector (MessageCard) or of a workflow (adaptive card). Sources:
learn.microsoft.com, "MessageCard reference"; adaptivecards.io, schema 1.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quietshift.channels import http
from quietshift.channels.access import OPEN, HttpAccess
from quietshift.kernel.answer import Answer


def message_card(title: str, summary: str, text: str, *, good: bool) -> dict[str, Any]:
    """What connectors of the older kind take."""
    return {
        "@context": "http://schema.org/extensions", "type": "MessageCard", "title": title,
        "summary": summary, "text": text, "themeColor": "2DC72D" if good else "8C1A1A",
    }  # fmt: skip


def adaptive_card(title: str, text: str, *, good: bool) -> dict[str, Any]:
    """What workflows take."""
    heading = {
        "type": "TextBlock", "text": title, "weight": "Bolder", "size": "Medium", "wrap": True, "style": "heading",
        "color": "Good" if good else "Attention",
    }  # fmt: skip
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.2",
        "body": [heading, {"type": "TextBlock", "text": text, "wrap": True}], "msteams": {"width": "full"},
    }  # fmt: skip
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def post(url: str, body: Mapping[str, Any], access: HttpAccess = OPEN, timeout: float = http.TIMEOUT) -> Answer:
    """Post it to a webhook, whose URL is its secret."""
    return http.send(http.post_json(url, body), access, timeout)
