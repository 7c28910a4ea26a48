"""discord_configs: an embed to a channel's webhook."""

from __future__ import annotations

from typing import ClassVar

from quietshift.alerts.integrations.fields import SecretAddress, Text
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying, shortened
from quietshift.alerts.model import Notifier
from quietshift.channels import discord
from quietshift.channels.access import NONE, HttpAccess
from quietshift.channels.words import filled
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node


class Discord(Notifier, frozen=True, kw_only=True):
    """An entry of discord_configs."""

    kind: ClassVar[str] = "discord"
    http_config: HttpAccess = HttpAccess()
    webhook_url: SecretAddress = NONE
    content: Text = ""
    title: Text = '{{ template "discord.default.title" . }}'
    message: Text = '{{ template "discord.default.message" . }}'
    username: str = ""
    avatar_url: str = ""


def _finish(made: Discord, node: Node, _settings: Global) -> Discord:
    if not made.webhook_url:
        node.error("webhook_url or webhook_url_file is required")
    return made


def send(to: Discord, saying: Saying) -> Answer:
    """Post it; 429 and 5xx are tried again."""
    body = discord.message(
        shortened(saying.text(to.title, saying.title()), discord.MAX_TITLE),
        shortened(saying.text(to.message, saying.summary()), discord.MAX_DESCRIPTION),
        good=not saying.firing,
        content=shortened(saying.text(to.content), discord.MAX_CONTENT),
    )
    return discord.post(
        to.webhook_url.read(), body | filled({"username": to.username, "avatar_url": to.avatar_url}), to.http_config
    )


KIND = Kind(Discord, send, {"http_config": "http_config"}, _finish)
