"""Opsgenie's Alert API: what is posted, and what is answered. Source: docs.opsgenie.com, "Alert API"."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from quietshift.alerts.labels import one_line
from quietshift.alerts.model import Act, Event
from quietshift.alerts.wires.pagerduty import Reader, Wrong, decode, details_text, filled

MAX_MESSAGE = 130
MAX_ALIAS = 512
PRIORITIES = {"P1": "critical", "P2": "critical", "P3": "warning", "P4": "info", "P5": "info"}
ACTS = {"close": Act.RESOLVE, "acknowledge": Act.ACKNOWLEDGE}
SCHEME = "geniekey "


def key_of(authorization: str) -> str:
    """The integration's key in an Authorization header; empty where there is none."""
    return authorization[len(SCHEME) :].strip() if authorization.lower().startswith(SCHEME) else ""


def created(body: bytes) -> Event:
    """What a body asks to be opened. One without an alias gets one. Raises Wrong, with everything that is."""
    raw = decode(body)
    reader = Reader()
    message = reader.text(raw, "message", most=MAX_MESSAGE, required=True)
    alias = reader.text(raw, "alias", most=MAX_ALIAS)
    priority = reader.choice(raw, "priority", list(PRIORITIES)) if raw.get("priority") is not None else "P3"
    texts = {name: reader.text(raw, name) for name in ("description", "entity", "source", "note", "user")}
    details = reader.object(raw, "details")
    tags = raw.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        reader.errors.append("'tags' has to be a list of texts")
        tags = []
    if reader.errors:
        raise Wrong(*reader.errors)
    labels = {
        "alertname": message, "severity": PRIORITIES[priority], "entity": texts["entity"], "source": texts["source"],
    }  # fmt: skip
    annotations = {
        "summary": message, "description": texts["description"], "details": details_text(details), "tags": ", ".join(tags),
        "note": texts["note"], "reported_by": texts["user"], "priority": priority,
    }  # fmt: skip
    given = {name: one_line(text) for name, text in labels.items()}
    return Event(Act.TRIGGER, alias or str(uuid.uuid4()), given, filled(annotations))


def acted(path: str, query: bytes) -> Event | None:
    """What `{alias}/close` or `{alias}/acknowledge` asks for; None for any other path. Raises Wrong."""
    alias, _, verb = path.rpartition("/")
    if verb not in ACTS or not alias:
        return None
    kind = parse_qs(query.decode("latin-1")).get("identifierType", ["id"])[-1]
    if kind != "alias":
        raise Wrong("'identifierType' has to be alias: alerts have no other name here")
    return Event(ACTS[verb], alias)


def answer() -> dict[str, Any]:
    """What is answered to a request that was taken."""
    return {"result": "Request will be processed", "took": 0.0, "requestId": str(uuid.uuid4())}


def refusal(message: str, errors: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What is answered to one that was not."""
    return {"message": message, "took": 0.0, "requestId": str(uuid.uuid4()), **({"errors": errors} if errors else {})}
