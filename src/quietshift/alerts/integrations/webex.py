"""webex_configs: a message to a Webex space."""

from __future__ import annotations

from typing import ClassVar

from quietshift.alerts.integrations.fields import Address, Text
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying, shortened_octets
from quietshift.alerts.model import Notifier
from quietshift.channels import http
from quietshift.channels.access import HttpAccess
from quietshift.channels.words import filled
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node

MAX_MESSAGE = 7439  # octets


class Webex(Notifier, frozen=True, kw_only=True):
    """An entry of webex_configs; the bot's token is its http_config.authorization."""

    kind: ClassVar[str] = "webex"
    http_config: HttpAccess = HttpAccess()
    api_url: Address = ""
    message: Text = '{{ template "webex.default.message" . }}'
    room_id: Text = ""

    @property
    def whom(self) -> str:
        return f"room {self.room_id}"


def _finish(made: Webex, node: Node, _settings: Global) -> Webex:
    if not made.room_id:
        node.error("room_id is required")
    if "http_config" not in node.entries() or not made.http_config.scheme:
        node.error("http_config.authorization is required: the bot's token")
    return made


def send(to: Webex, saying: Saying) -> Answer:
    """Post it; 429 and 5xx are tried again."""
    text = shortened_octets(saying.text(to.message, saying.summary()), MAX_MESSAGE)
    message = {"markdown": text, **filled({"roomId": saying.text(to.room_id)})}
    return http.send(http.post_json(to.api_url, message), to.http_config)


KIND = Kind(Webex, send, {"http_config": "http_config", "api_url": "webex_api_url"}, _finish)
