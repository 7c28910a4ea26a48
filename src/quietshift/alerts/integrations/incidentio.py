"""incidentio_configs: the group as JSON, to an alert source of incident.io."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar

import msgspec

from quietshift.alerts.integrations.fields import SecretAddress
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying
from quietshift.alerts.model import Notifier
from quietshift.channels import http
from quietshift.channels.access import NONE, HttpAccess, Secret
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node

MAX_EVENT = 512 * 1024  # octets


class IncidentIo(Notifier, frozen=True, kw_only=True):
    """An entry of incidentio_configs; the source's token is in http_config once it is complete."""

    kind: ClassVar[str] = "incidentio"
    http_config: HttpAccess = HttpAccess()
    url: SecretAddress = NONE
    alert_source_token: Secret = NONE
    max_alerts: int = 0
    timeout: Annotated[timedelta, "go"] = timedelta()

    @property
    def most_alerts(self) -> int:
        return self.max_alerts


def _finish(made: IncidentIo, node: Node, _settings: Global) -> IncidentIo:
    if not made.url:
        node.error("url or url_file is required")
    if made.max_alerts < 0:
        node.entries()["max_alerts"].error("has to be 0 or more")
    access, token = made.http_config, made.alert_source_token
    if token and access.scheme and "http_config" in node.entries():
        node.error("at most one of alert_source_token, http_config.authorization")
    if not token and not access.scheme:
        node.error("alert_source_token (or alert_source_token_file, or http_config.authorization) is required")
    if token:
        access = msgspec.structs.replace(
            access, scheme="Bearer", credentials=token, username=NONE, password=NONE, oauth2=None
        )
    return msgspec.structs.replace(made, http_config=access)


def send(to: IncidentIo, saying: Saying) -> Answer:
    """Post it, the first alert alone where all are too much; 429 and 5xx are tried again."""
    body: dict[str, Any] = {**saying.body, "version": "1"}
    request = http.post_json(to.url.read(), body)
    if len(request.content) > MAX_EVENT:
        request = http.post_json(to.url.read(), {**body, "alerts": body["alerts"][:1]})
    return http.send(request, to.http_config, to.timeout.total_seconds() or http.TIMEOUT)


KIND = Kind(IncidentIo, send, {"http_config": "http_config"}, _finish)
