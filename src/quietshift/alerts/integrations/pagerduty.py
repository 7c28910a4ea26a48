"""pagerduty_configs: an event that opens or resolves an alert, by a routing key (version 2) or a service key (version 1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar

import msgspec

from quietshift.alerts.integrations.fields import Address, Anything, SecretText, Text
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying, shortened
from quietshift.alerts.model import Notifier
from quietshift.channels import http, pagerduty
from quietshift.channels.access import NONE, HttpAccess
from quietshift.channels.words import filled
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node

DETAILS = {
    "firing": "{{ .Alerts.Firing | toJson }}", "resolved": "{{ .Alerts.Resolved | toJson }}",
    "num_firing": "{{ .Alerts.Firing | len }}", "num_resolved": "{{ .Alerts.Resolved | len }}",
}  # fmt: skip


class Image(msgspec.Struct, frozen=True):
    src: Text = ""
    alt: Text = ""
    href: Text = ""


class Link(msgspec.Struct, frozen=True):
    href: Text = ""
    text: Text = ""


class PagerDuty(Notifier, frozen=True, kw_only=True):
    """An entry of pagerduty_configs. details: with the usual ones where they are not written."""

    kind: ClassVar[str] = "pagerduty"
    http_config: HttpAccess = HttpAccess()
    service_key: SecretText = NONE
    routing_key: SecretText = NONE
    url: Address = ""
    client: Text = '{{ template "pagerduty.default.client" . }}'
    client_url: Text = '{{ template "pagerduty.default.clientURL" . }}'
    description: Text = '{{ template "pagerduty.default.description" .}}'
    details: Anything = None
    images: tuple[Image, ...] = ()
    links: tuple[Link, ...] = ()
    source: Text = ""
    severity: Text = "error"
    class_: Text = ""
    component: Text = ""
    group: Text = ""
    timeout: Annotated[timedelta, "go"] = timedelta()


def _finish(made: PagerDuty, node: Node, _settings: Global) -> PagerDuty:
    if not made.routing_key and not made.service_key:
        node.error("a routing_key or service_key is required")
    if made.details is not None and not isinstance(made.details, dict):
        node.entries()["details"].error("expected a mapping (key: value)")
        return made
    return msgspec.structs.replace(
        made, details=DETAILS | (made.details or {}), source=made.source or made.client, severity=made.severity or "error"
    )


def send(to: PagerDuty, saying: Saying) -> Answer:
    """Send the event: `trigger` while an alert fires, `resolve` when all are over. The group is its deduplication key."""
    v1 = bool(to.service_key)
    key = saying.text((to.service_key if v1 else to.routing_key).read())
    if not key:
        return Answer("permanent", "the key is empty: its template gave nothing")
    kind = "trigger" if saying.firing else "resolve"
    summary = shortened(saying.text(to.description, saying.title()), pagerduty.MAX_SUMMARY)
    details = {name: saying.all(value) for name, value in to.details.items()} if isinstance(to.details, dict) else {}
    timeout = to.timeout.total_seconds() or http.TIMEOUT
    client = {"client": saying.text(to.client), "client_url": saying.text(to.client_url)}
    if v1:
        event: dict[str, Any] = {
            "service_key": key, "event_type": kind, "incident_key": saying.key, "event_action": "", "payload": None,
            **filled({"description": summary, "details": details, **(client if saying.firing else {})}),
        }  # fmt: skip
        return pagerduty.enqueue(pagerduty.V1_URL, event, key, to.http_config, timeout, v1=True)
    images = [{"src": saying.text(i.src), "alt": saying.text(i.alt), "href": saying.text(i.href)} for i in to.images]
    links = [{"href": saying.text(i.href), "text": saying.text(i.text)} for i in to.links]
    payload = {
        "summary": summary, "source": saying.text(to.source, "Quietshift"), "severity": saying.text(to.severity, "error"),
        **filled({
            "class": saying.text(to.class_), "component": saying.text(to.component), "group": saying.text(to.group),
            "custom_details": details,
        }),
    }  # fmt: skip
    event = {
        "routing_key": key, "dedup_key": saying.key, "event_action": kind, "payload": payload,
        **filled({
            **client, "images": [i for i in images if i["src"]], "links": [i for i in links if i["href"]],
        }),
    }  # fmt: skip
    return pagerduty.enqueue(to.url, event, key, to.http_config, timeout)


KIND = Kind(PagerDuty, send, {"http_config": "http_config", "url": "pagerduty_url"}, _finish)
