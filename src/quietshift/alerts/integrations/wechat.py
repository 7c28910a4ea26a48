"""wechat_configs: a message by an app of WeChat Work."""

from __future__ import annotations

from typing import ClassVar

from quietshift.alerts.integrations.fields import Address, SecretText, Text
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying
from quietshift.alerts.model import Notifier
from quietshift.channels import wechat
from quietshift.channels.access import NONE, HttpAccess
from quietshift.channels.words import filled
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node


class WeChat(Notifier, frozen=True, kw_only=True):
    """An entry of wechat_configs."""

    kind: ClassVar[str] = "wechat"
    send_resolved: bool = False
    http_config: HttpAccess = HttpAccess()
    api_secret: SecretText = NONE
    corp_id: Text = ""
    message: Text = '{{ template "wechat.default.message" . }}'
    api_url: Address = ""
    to_user: Text = '{{ template "wechat.default.to_user" . }}'
    to_party: Text = '{{ template "wechat.default.to_party" . }}'
    to_tag: Text = '{{ template "wechat.default.to_tag" . }}'
    agent_id: Text = '{{ template "wechat.default.agent_id" . }}'
    message_type: str = "text"


def _finish(made: WeChat, node: Node, _settings: Global) -> WeChat:
    if made.message_type not in ("", "text", "markdown"):
        node.entries()["message_type"].error("has to be text or markdown")
    if not made.api_secret:
        node.error("no api_secret: set it here or as global.wechat_api_secret")
    if not made.corp_id:
        node.error("no corp_id: set it here or as global.wechat_api_corp_id")
    return made


def send(to: WeChat, saying: Saying) -> Answer:
    """Send it; a token that ran out is had anew, and what is no answer of WeChat is tried again."""
    kind = to.message_type or "text"
    text = saying.text(to.message, saying.summary())
    message = {
        "text": {"content": text if kind == "text" else ""}, "markdown": {"content": text if kind == "markdown" else ""},
        "msgtype": kind, "safe": "0",
        **filled({
            "touser": saying.text(to.to_user), "toparty": saying.text(to.to_party), "totag": saying.text(to.to_tag),
            "agentid": saying.text(to.agent_id),
        }),
    }  # fmt: skip
    url = to.api_url if to.api_url.endswith("/") else f"{to.api_url}/"
    return wechat.send(url, saying.text(to.corp_id), saying.text(to.api_secret.read()), message, to.http_config)


KIND = Kind(
    WeChat, send,
    {
        "http_config": "http_config", "api_url": "wechat_api_url", "api_secret": "wechat_api_secret",
        "corp_id": "wechat_api_corp_id",
    },
    _finish,
)  # fmt: skip
