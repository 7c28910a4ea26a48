"""msteamsv2_configs: an adaptive card to a workflow's webhook."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from quietshift.alerts.integrations.fields import SecretAddress, Text
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying
from quietshift.alerts.model import Notifier
from quietshift.channels import msteams
from quietshift.channels.access import NONE, HttpAccess
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node


class MSTeamsV2(Notifier, frozen=True, kw_only=True):
    """An entry of msteamsv2_configs."""

    kind: ClassVar[str] = "msteamsv2"
    http_config: HttpAccess = HttpAccess()
    webhook_url: SecretAddress = NONE
    title: Text = '{{ template "msteamsv2.default.title" . }}'
    text: Text = '{{ template "msteamsv2.default.text" . }}'


def _finish(made: MSTeamsV2, node: Node, settings: Global) -> MSTeamsV2:
    if not made.webhook_url:
        node.error("webhook_url or webhook_url_file is required")
    own, above = made.http_config, settings.http_config.proxy
    if not own.proxy.url and above.url:  # of this kind alone: an http_config of its own goes by the proxy of `global` as well
        proxy = msgspec.structs.replace(own.proxy, url=above.url)
        made = msgspec.structs.replace(made, http_config=msgspec.structs.replace(own, proxy=proxy))
    return made


def send(to: MSTeamsV2, saying: Saying) -> Answer:
    """Post it; 429 and 5xx are tried again."""
    title, text = saying.text(to.title, saying.title()), saying.text(to.text, saying.summary())
    return msteams.post(to.webhook_url.read(), msteams.adaptive_card(title, text, good=not saying.firing), to.http_config)


KIND = Kind(MSTeamsV2, send, {"http_config": "http_config"}, _finish)
