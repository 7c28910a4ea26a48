"""rocketchat_configs: an attachment to a channel of Rocket.Chat, by its REST API."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from quietshift.alerts.integrations.fields import Address, Text
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying, shortened
from quietshift.alerts.model import Notifier
from quietshift.channels import http
from quietshift.channels.access import NONE, HttpAccess, Secret
from quietshift.channels.words import filled
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node

MAX_TITLE = 1024  # characters


class Field(msgspec.Struct, frozen=True):
    title: Text = ""
    value: Text = ""
    short: bool | None = None


class Action(msgspec.Struct, frozen=True):
    """A button. Of these, type, text, url and msg are sent."""

    type: Text = ""
    text: Text = ""
    url: Text = ""
    msg: Text = ""


class RocketChat(Notifier, frozen=True, kw_only=True):
    """An entry of rocketchat_configs."""

    kind: ClassVar[str] = "rocketchat"
    send_resolved: bool = False
    http_config: HttpAccess = HttpAccess()
    api_url: Address = ""
    token_id: Secret = NONE
    token: Secret = NONE
    channel: Text = ""
    color: Text = '{{ if eq .Status "firing" }}red{{ else }}green{{ end }}'
    title: Text = '{{ template "rocketchat.default.title" . }}'
    title_link: Text = '{{ template "rocketchat.default.titlelink" . }}'
    text: Text = '{{ template "rocketchat.default.text" . }}'
    fields: tuple[Field, ...] = ()
    short_fields: bool = False
    emoji: Text = '{{ template "rocketchat.default.emoji" . }}'
    icon_url: Text = '{{ template "rocketchat.default.iconurl" . }}'
    image_url: Text = ""
    thumb_url: Text = ""
    link_names: bool = False
    actions: tuple[Action, ...] = ()

    @property
    def whom(self) -> str:
        return self.channel


def _finish(made: RocketChat, node: Node, _settings: Global) -> RocketChat:
    for name in ("token_id", "token"):
        if not getattr(made, name):
            node.error(f"no {name}: set it here or as global.rocketchat_{name}")
    return made


def send(to: RocketChat, saying: Saying) -> Answer:
    """Post it; a 200 is not enough, the answer has to say `success`."""
    attachment: dict[str, Any] = filled({
        "title": shortened(saying.text(to.title, saying.title()), MAX_TITLE), "title_link": saying.text(to.title_link),
        "text": saying.text(to.text, saying.summary()), "image_url": saying.text(to.image_url),
        "thumb_url": saying.text(to.thumb_url), "color": saying.text(to.color),
        "fields": [
            {
                "short": to.short_fields if field.short is None else field.short,
                **filled({"title": saying.text(field.title), "value": saying.text(field.value)}),
            }
            for field in to.fields
        ],
        "actions": [
            {
                "type": "button", "is_webview": False, "msg_in_chat_window": False,
                **filled({name: saying.text(getattr(action, name)) for name in ("text", "url", "msg")}),
            }
            for action in to.actions
        ],
    })  # fmt: skip
    message = filled({
        "channel": saying.text(to.channel), "emoji": saying.text(to.emoji), "avatar": saying.text(to.icon_url),
        "attachments": [attachment],
    })  # fmt: skip
    token, user = to.token.read(), to.token_id.read()
    headers = {"X-Auth-Token": token, "X-User-Id": user}
    request = http.post_json(f"{to.api_url.rstrip('/')}/api/v1/chat.postMessage", message, headers, (token, user))
    try:
        reply = http.exchange(request, to.http_config)
    except http.Failed as failed:
        return failed.answer
    said = reply.json
    if reply.status // 100 != 2 or (isinstance(said, dict) and said.get("success") is True):
        return http.judge(reply)
    if not isinstance(said, dict):
        return Answer("temporary", reply.words(), reply.status)
    return Answer("permanent", reply.words(str(said.get("error"))), reply.status)


KIND = Kind(
    RocketChat, send,
    {
        "http_config": "http_config", "api_url": "rocketchat_api_url", "token": "rocketchat_token",
        "token_id": "rocketchat_token_id",
    },
    _finish,
)  # fmt: skip
