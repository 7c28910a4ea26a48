"""webhook_configs: the group as JSON, Alertmanager's version 4, to any address."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from quietshift.alerts.integrations.fields import Anything, SecretText, web_address
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying
from quietshift.alerts.model import Notifier
from quietshift.channels import http, tokens, webhook
from quietshift.channels.access import NONE, HttpAccess
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node


class Webhook(Notifier, frozen=True, kw_only=True):
    """An entry of webhook_configs. url: a template; timeout: zero for ours."""

    kind: ClassVar[str] = "webhook"
    url: SecretText = NONE
    max_alerts: int = 0
    timeout: Annotated[timedelta, "go"] = timedelta()
    payload: Anything = None
    http_config: HttpAccess = HttpAccess()

    @property
    def most_alerts(self) -> int:
        return self.max_alerts


def _finish(made: Webhook, node: Node, _settings: Global) -> Webhook:
    if not made.url:
        node.error("url or url_file is required")
    elif made.url.value and "{{" not in made.url.value:
        node.entries()["url"].parsed(web_address, "")
    if made.max_alerts < 0:
        node.entries()["max_alerts"].error("has to be 0 or more")
    return made


def send(to: Webhook, saying: Saying) -> Answer:
    """POST the body; any 2xx is a success, 429, 5xx and network errors are tried again."""
    access = to.http_config
    url = saying.text(to.url.read())
    if not url:
        return Answer("permanent", "the URL is empty: its template gave nothing")
    timeout = to.timeout.total_seconds() or http.TIMEOUT
    body = saying.body if to.payload is None else saying.all(to.payload)
    headers = {"Idempotency-Key": saying.id}
    if access.plain and len(access.headers) == len({name.lower() for name, _ in access.headers}):
        ours, hidden = tokens.authorization(access, 0)
        own = {name: value.read() for name, value in access.headers}
        answer = webhook.post_json(url, body, {**headers, **ours, **own}, min(timeout, http.LONGEST))
        if not (access.follow_redirects and answer.code in http.REDIRECTS):
            return Answer(answer.outcome, http.cleaned(answer.text, url, (*hidden, *own.values())), answer.code)
    return http.send(http.post_json(url, body, headers), access, timeout)


KIND = Kind(Webhook, send, {"http_config": "http_config"}, _finish)
