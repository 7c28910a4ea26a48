"""msteams_configs: a message card to a connector's webhook."""

from __future__ import annotations

from typing import ClassVar

from quietshift.alerts.integrations.fields import SecretAddress, Text
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying
from quietshift.alerts.model import Notifier
from quietshift.channels import msteams
from quietshift.channels.access import NONE, HttpAccess
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node


class MSTeams(Notifier, frozen=True, kw_only=True):
    """An entry of msteams_configs."""

    kind: ClassVar[str] = "msteams"
    http_config: HttpAccess = HttpAccess()
    webhook_url: SecretAddress = NONE
    title: Text = '{{ template "msteams.default.title" . }}'
    summary: Text = '{{ template "msteams.default.summary" . }}'
    text: Text = '{{ template "msteams.default.text" . }}'


def _finish(made: MSTeams, node: Node, _settings: Global) -> MSTeams:
    if not made.webhook_url:
        node.error("webhook_url or webhook_url_file is required")
    return made


def send(to: MSTeams, saying: Saying) -> Answer:
    """Post it; 429 and 5xx are tried again."""
    title, text = saying.text(to.title, saying.title()), saying.text(to.text, saying.summary())
    card = msteams.message_card(title, saying.text(to.summary, saying.title()), text, good=not saying.firing)
    return msteams.post(to.webhook_url.read(), card, to.http_config)


KIND = Kind(MSTeams, send, {"http_config": "http_config"}, _finish)
