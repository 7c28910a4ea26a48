"""victorops_configs: an event to VictorOps, now Splunk On-Call."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote

import msgspec

from quietshift.alerts.integrations.fields import Address, Text, Texts
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying, shortened
from quietshift.alerts.model import Notifier
from quietshift.channels import http
from quietshift.channels.access import NONE, HttpAccess, Secret
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node

MAX_MESSAGE = 20480  # characters
OURS = (
    "routing_key", "message_type", "state_message", "entity_display_name", "monitoring_tool", "entity_id", "entity_state",
)  # fmt: skip


class VictorOps(Notifier, frozen=True, kw_only=True):
    """An entry of victorops_configs."""

    kind: ClassVar[str] = "victorops"
    http_config: HttpAccess = HttpAccess()
    api_key: Secret = NONE
    api_url: Address = ""
    routing_key: Text = ""
    message_type: Text = "CRITICAL"
    state_message: Text = '{{ template "victorops.default.state_message" . }}'
    entity_display_name: Text = '{{ template "victorops.default.entity_display_name" . }}'
    monitoring_tool: Text = '{{ template "victorops.default.monitoring_tool" . }}'
    custom_fields: Texts = msgspec.field(default_factory=dict)


def _finish(made: VictorOps, node: Node, _settings: Global) -> VictorOps:
    if not made.routing_key:
        node.error("routing_key is required")
    if not made.api_key:
        node.error("no api_key: set it here or as global.victorops_api_key")
    for name in OURS:
        if name in made.custom_fields:
            node.entries()["custom_fields"].error(f"{name} is set by the event itself")
    return made


def send(to: VictorOps, saying: Saying) -> Answer:
    """Post the event; 429 and 5xx are tried again."""
    kind = saying.text(to.message_type)
    if not saying.firing:
        kind = "RECOVERY"
    elif kind not in ("INFO", "WARNING", "CRITICAL"):
        kind = "CRITICAL"
    event = {
        "message_type": kind, "entity_id": saying.key,
        "entity_display_name": saying.text(to.entity_display_name, saying.title()),
        "state_message": shortened(saying.text(to.state_message, saying.summary()), MAX_MESSAGE),
        "monitoring_tool": saying.text(to.monitoring_tool, "Quietshift"),
        **{name: saying.text(value) for name, value in to.custom_fields.items()},
    }  # fmt: skip
    key = to.api_key.read()
    url = f"{to.api_url.rstrip('/')}/{quote(f'{key}/{saying.text(to.routing_key)}', safe='/:@!$&*+,;=')}"
    return http.send(http.post_json(url, event, secrets=(key,)), to.http_config)


KIND = Kind(
    VictorOps, send, {"http_config": "http_config", "api_url": "victorops_api_url", "api_key": "victorops_api_key"}, _finish
)
