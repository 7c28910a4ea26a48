"""Opsgenie's Alert API and Heartbeat API: what is posted, and what is answered.

Source: docs.opsgenie.com, "Alert API", "Heartbeat API"; the OpenAPI of opsgenie/opsgenie-oas.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec

from quietshift.alerts.labels import one_line
from quietshift.alerts.model import Alert
from quietshift.alerts.sources import Act, Event
from quietshift.alerts.wires.reading import Fault, Reader, Wrong, as_text, decode_object, filled
from quietshift.kernel.clock import rfc3339, to_micros

MAX_MESSAGE = 130
MAX_ALIAS = 512
PRIORITIES = {"P1": "critical", "P2": "critical", "P3": "warning", "P4": "info", "P5": "info"}
ACTS = {"close": Act.RESOLVE, "acknowledge": Act.ACKNOWLEDGE}
WORDS = {Act.TRIGGER: "Create", Act.ACKNOWLEDGE: "Acknowledge", Act.RESOLVE: "Close"}
IDENTIFIERS = ("id", "tiny", "alias")
TAKEN = "Request will be processed"
HEARD = "PONG - Heartbeat received"
SCHEME = "geniekey "


class Named(NamedTuple):
    """An alert as a request names it. kind: one of IDENTIFIERS."""

    kind: str
    name: str


class Ids(NamedTuple):
    """What Opsgenie calls an alert: by `id` and by `tiny`."""

    long: str
    tiny: str


class Processed(msgspec.Struct, frozen=True):
    """What became of a request. alert_id: of the alert it was about; empty where there was none."""

    id: str
    source: str
    at: datetime
    action: str
    status: str
    success: bool
    alert_id: str = ""
    alias: str = ""


def key_of(authorization: str) -> str:
    """The integration's key in an Authorization header; empty where there is none."""
    return authorization[len(SCHEME) :].strip() if authorization.lower().startswith(SCHEME) else ""


def created(body: bytes) -> Event:
    """What a body asks to be opened. One without an alias gets one. Raises Wrong, with everything that is."""
    raw = decode_object(body)
    reader = Reader()
    message = reader.text(raw, "message", most=MAX_MESSAGE, required=True)
    alias = reader.text(raw, "alias", most=MAX_ALIAS)
    priority = reader.choice(raw, "priority", list(PRIORITIES)) if raw.get("priority") is not None else "P3"
    texts = {name: reader.text(raw, name) for name in ("description", "entity", "source", "note", "user")}
    details = reader.object(raw, "details")
    tags = raw.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        reader.wrong("tags", "has to be a list of texts")
        tags = []
    reader.done()
    labels = {
        "alertname": message, "severity": PRIORITIES[priority], "entity": texts["entity"], "source": texts["source"],
    }  # fmt: skip
    annotations = {
        "summary": message, "description": texts["description"], "details": as_text(details), "tags": ", ".join(tags),
        "note": texts["note"], "reported_by": texts["user"], "priority": priority,
    }  # fmt: skip
    given = {name: one_line(text) for name, text in labels.items()}
    return Event(Act.TRIGGER, alias or str(uuid.uuid4()), given, filled(annotations))


def named(name: str, query: bytes) -> Named:
    """The alert that a path and its query mean. Raises Wrong."""
    kind = parse_qs(query.decode("latin-1")).get("identifierType", ["id"])[-1].lower()
    if kind not in IDENTIFIERS:
        raise Wrong(Fault("identifierType", f"has to be one of {', '.join(IDENTIFIERS)}"))
    return Named(kind, name)


def ids(source: str, key_digest: int, opened_at: datetime) -> Ids:
    """What Opsgenie calls a problem: made of whose it is, of its key and of when it was opened."""
    begun = to_micros(opened_at)
    of = hashlib.sha256(f"{source} {key_digest} {begun}".encode()).digest()
    return Ids(f"{uuid.UUID(bytes=of[:16], version=4)}-{max(0, begun // 1000)}", str(int.from_bytes(of[16:20])))


def shown(alert: Alert, names: Ids, integration: str, opened_at: datetime) -> dict[str, Any]:
    """An alert as `GET /v2/alerts/{id}` answers it. Who has it is known to its incident alone, and not told here."""
    told = alert.annotations
    return {
        "id": names.long, "tinyId": names.tiny, "alias": alert.labels.get("dedup_key", ""),
        "message": told.get("summary", alert.name), "status": "open", "count": 1,
        "tags": [tag for tag in told.get("tags", "").split(", ") if tag], "description": told.get("description", ""),
        "priority": told.get("priority", "P3"), "entity": alert.labels.get("entity", ""),
        "source": alert.labels.get("source", ""), "details": _details(told.get("details", "")),
        "integration": {"name": integration, "type": "API"},
        "createdAt": rfc3339(opened_at), "updatedAt": rfc3339(alert.updated_at), "lastOccurredAt": rfc3339(alert.updated_at),
    }  # fmt: skip


def _details(text: str) -> Any:
    try:
        return msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:  # it was too long and was cut
        return {"cut": text}


def processed(found: Processed) -> dict[str, Any]:
    """What `GET /v2/alerts/requests/{requestId}` tells of a request."""
    return {
        "success": found.success, "isSuccess": found.success, "action": found.action, "status": found.status,
        "processedAt": rfc3339(found.at), "alertId": found.alert_id, "alias": found.alias,
    }  # fmt: skip
