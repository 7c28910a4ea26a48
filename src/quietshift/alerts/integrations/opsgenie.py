"""opsgenie_configs: an alert is created, changed and closed."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from quietshift.alerts.integrations.fields import Address, SecretText, Text, Texts
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying, shortened
from quietshift.alerts.model import Notifier
from quietshift.channels import opsgenie
from quietshift.channels.access import NONE, HttpAccess
from quietshift.channels.words import filled
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node

TYPES = ("team", "teams", "user", "escalation", "schedule")


class Responder(msgspec.Struct, frozen=True):
    """type `teams`: name lists several, with commas."""

    id: Text = ""
    name: Text = ""
    username: Text = ""
    type: Text = ""


class Opsgenie(Notifier, frozen=True, kw_only=True):
    """An entry of opsgenie_configs."""

    kind: ClassVar[str] = "opsgenie"
    http_config: HttpAccess = HttpAccess()
    api_key: SecretText = NONE
    api_url: Address = ""
    message: Text = '{{ template "opsgenie.default.message" . }}'
    description: Text = '{{ template "opsgenie.default.description" . }}'
    source: Text = '{{ template "opsgenie.default.source" . }}'
    details: Texts = msgspec.field(default_factory=dict)
    entity: Text = ""
    responders: tuple[Responder, ...] = ()
    actions: Text = ""
    tags: Text = ""
    note: Text = ""
    priority: Text = ""
    update_alerts: bool = False


def _finish(made: Opsgenie, node: Node, _settings: Global) -> Opsgenie:
    for responder, at in zip(made.responders, node.entries()["responders"].items() if made.responders else (), strict=False):
        if not (responder.id or responder.name or responder.username):
            at.error("a responder needs an id, a name or a username")
        if "{{" not in responder.type and responder.type.lower() not in TYPES:
            at.error(f"type has to be one of {', '.join(TYPES)}, not {responder.type!r}")
    if not made.api_key:
        node.error("no api_key: set it here or as global.opsgenie_api_key")
    return made


def send(to: Opsgenie, saying: Saying) -> Answer:
    """Create or close the alert whose alias is the group."""
    source = saying.text(to.source)
    url = to.api_url if to.api_url.endswith("/") else f"{to.api_url}/"
    if not saying.firing:
        calls = [opsgenie.close(saying.key, source)]
    else:
        message = shortened(saying.text(to.message, saying.title()), opsgenie.MAX_MESSAGE)
        description = saying.text(to.description, saying.summary())
        details = {**saying.body["commonLabels"], **{name: saying.text(value) for name, value in to.details.items()}}
        alert = {
            "alias": saying.key, "message": message, "details": details, "source": source,
            **filled({
                "description": description, "responders": _responders(to, saying), "tags": _listed(saying.text(to.tags)),
                "note": saying.text(to.note), "priority": saying.text(to.priority), "entity": saying.text(to.entity),
                "actions": _listed(saying.text(to.actions)),
            }),
        }  # fmt: skip
        calls = [opsgenie.create(alert)]
        if to.update_alerts:
            changed = {"message": message, "description": description}
            calls += [opsgenie.change(saying.key, name, value) for name, value in changed.items()]
    return opsgenie.ask(url, saying.text(to.api_key.read()).strip(), calls, to.http_config)


def _responders(to: Opsgenie, saying: Saying) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for one in to.responders:
        told = {name: saying.text(getattr(one, name)) for name in ("id", "name", "username", "type")}
        if told["type"] == "teams":
            found += [{"name": name, "type": "team"} for name in _listed(told["name"])]
        elif any(told.values()):
            found.append({**filled(told), "type": told["type"]})
    return found


def _listed(text: str) -> list[str]:
    return [each for each in text.strip().split(",") if each]


KIND = Kind(
    Opsgenie, send, {"http_config": "http_config", "api_url": "opsgenie_api_url", "api_key": "opsgenie_api_key"}, _finish
)
