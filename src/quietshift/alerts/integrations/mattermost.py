"""mattermost_configs: a message to an incoming webhook of Mattermost."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from quietshift.alerts.integrations.fields import SecretAddress, Text, absent
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying, shortened
from quietshift.alerts.model import Notifier
from quietshift.channels import http
from quietshift.channels.access import NONE, HttpAccess
from quietshift.channels.words import filled
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node

MAX_TEXT = 16383  # characters
TEXTS = (
    "fallback", "color", "pretext", "text", "author_name", "author_link", "author_icon", "title", "title_link", "thumb_url",
    "footer", "footer_icon", "image_url",
)  # fmt: skip


class Field(msgspec.Struct, frozen=True):
    title: Text = ""
    value: Text = ""
    short: bool | None = None


class Attachment(msgspec.Struct, frozen=True):
    fallback: Text = ""
    color: Text = ""
    pretext: Text = ""
    text: Text = ""
    author_name: Text = ""
    author_link: Text = ""
    author_icon: Text = ""
    title: Text = ""
    title_link: Text = ""
    fields: tuple[Field, ...] = ()
    thumb_url: Text = ""
    footer: Text = ""
    footer_icon: Text = ""
    image_url: Text = ""


class Props(msgspec.Struct, frozen=True):
    card: Text = ""


class Priority(msgspec.Struct, frozen=True):
    priority: Text = ""
    requested_ack: bool = False
    persistent_notifications: bool = False


class Mattermost(Notifier, frozen=True, kw_only=True):
    """An entry of mattermost_configs. attachments: in place of the one that the fields here make."""

    kind: ClassVar[str] = "mattermost"
    http_config: HttpAccess = HttpAccess()
    webhook_url: SecretAddress = NONE
    channel: Text = ""
    username: Text = '{{ template "mattermost.default.username" . }}'
    text: Text = '{{ template "mattermost.default.text" . }}'
    fallback: Text = '{{ template "mattermost.default.fallback" . }}'
    color: Text = '{{ template "mattermost.default.color" . }}'
    pretext: Text = ""
    author_name: Text = ""
    author_link: Text = ""
    author_icon: Text = ""
    title: Text = '{{ template "mattermost.default.title" . }}'
    title_link: Text = '{{ template "mattermost.default.titlelink" . }}'
    fields: tuple[Field, ...] = ()
    thumb_url: Text = ""
    footer: Text = ""
    footer_icon: Text = ""
    image_url: Text = ""
    icon_url: Text = ""
    icon_emoji: Text = ""
    attachments: tuple[Attachment, ...] = ()
    type: Text = ""
    props: Props = Props()
    priority: Priority = Priority()

    @property
    def whom(self) -> str:
        return self.channel


def _finish(made: Mattermost, node: Node, _settings: Global) -> Mattermost:
    if not made.webhook_url:
        node.error("no webhook_url: set it here or as global.mattermost_webhook_url")
    written = node.entries()
    lists = [(made.fields, written.get("fields"))]
    attachments = written["attachments"].items() if made.attachments else []
    lists += [(one.fields, at.entries().get("fields")) for one, at in zip(made.attachments, attachments, strict=False)]
    for fields, at in lists:
        for field, each in zip(fields, at.items() if at is not None else (), strict=False):
            for name in ("title", "value"):
                if not getattr(field, name):
                    absent(each, name)
    return made


def _attachment(of: Mattermost | Attachment, saying: Saying) -> dict[str, Any]:
    instead = {"text": saying.summary(), "title": saying.title(), "fallback": saying.title()}
    made: dict[str, Any] = {name: saying.text(getattr(of, name), instead.get(name, "")) for name in TEXTS}
    made["fields"] = [
        {
            **filled({"title": saying.text(field.title), "value": saying.text(field.value)}),
            **({} if field.short is None else {"short": field.short}),
        }
        for field in of.fields
    ]
    return filled(made)


def _priority(to: Mattermost, saying: Saying) -> dict[str, Any]:
    """Only what is urgent may insist, and what is standard cannot ask for an acknowledgement."""
    asked = to.priority
    if not asked.priority:
        return {}
    word = saying.text(asked.priority).lower()
    word = word if word in ("urgent", "important", "standard") else "standard"
    return filled({
        "priority": word, "requested_ack": asked.requested_ack and word != "standard",
        "persistent_notifications": asked.persistent_notifications and word == "urgent",
    })  # fmt: skip


def send(to: Mattermost, saying: Saying) -> Answer:
    """Post it; 429 and 5xx are tried again."""
    message = filled({
        "channel": saying.text(to.channel), "username": saying.text(to.username, "Quietshift"),
        "icon_url": saying.text(to.icon_url), "icon_emoji": saying.text(to.icon_emoji), "type": saying.text(to.type),
        "text": shortened(saying.text(to.text, saying.summary()), MAX_TEXT) if to.attachments else "",
        "attachments": [_attachment(one, saying) for one in to.attachments or (to,)],
        "props": filled({"card": saying.text(to.props.card)}), "priority": _priority(to, saying),
    })  # fmt: skip
    return http.send(http.post_json(to.webhook_url.read(), message), to.http_config)


KIND = Kind(Mattermost, send, {"http_config": "http_config", "webhook_url": "mattermost_webhook_url"}, _finish)
