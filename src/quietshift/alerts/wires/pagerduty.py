"""PagerDuty's Events API v2: what is posted, and what is answered.

Source: developer.pagerduty.com, "Events API v2 Overview", "Send an Alert Event", "Send a Change Event"; the OpenAPI of
PagerDuty/api-schema.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from quietshift.alerts.labels import one_line
from quietshift.alerts.sources import Act, Change, Event
from quietshift.alerts.wires.reading import MAX_TEXT, Fault, Reader, Wrong, as_text, filled, web_address
from quietshift.kernel.ids import new_id
from quietshift.kernel.redact import redact, redact_text

MAX_KEY = 255
MAX_SUMMARY = 1024
MAX_LINKS = 20  # kept of a change
# Ours are critical, warning and info; PagerDuty's `error` calls people as `critical` does.
SEVERITIES = {"critical": "critical", "error": "critical", "warning": "warning", "info": "info"}


def routing_key(raw: Mapping[str, Any]) -> str:
    """The integration's key. Raises Wrong."""
    key = raw.get("routing_key")
    if not isinstance(key, str) or not key:
        raise Wrong(Fault("routing_key", "is missing: the key of an integration"))
    return key


def event(raw: Mapping[str, Any], now: datetime) -> Event:
    """What an object asks for. A trigger without a dedup_key gets one. Raises Wrong, with everything that is."""
    reader = Reader()
    action = reader.choice(raw, "event_action", [str(act) for act in Act])
    key = reader.text(raw, "dedup_key", most=MAX_KEY)
    if action == Act.TRIGGER:
        made = _trigger(reader, raw, key or secrets.token_hex(16), now)
    else:
        if not key and "dedup_key" not in {fault.place for fault in reader.faults}:
            reader.wrong("dedup_key", "is missing: it says which problem is meant")
        made = Event(Act.RESOLVE if action == Act.RESOLVE else Act.ACKNOWLEDGE, key)
    reader.done()
    return made


def _trigger(reader: Reader, raw: Mapping[str, Any], key: str, now: datetime) -> Event:
    payload = reader.object(raw, "payload", required=True)
    summary = reader.text(payload, "summary", "payload.", most=MAX_SUMMARY, required=True)
    source = reader.text(payload, "source", "payload.", required=True)
    severity = reader.choice(payload, "severity", list(SEVERITIES), "payload.")
    starts_at = reader.instant(payload, "timestamp", "payload.")
    given = {name: reader.text(payload, name, "payload.") for name in ("class", "component", "group")}
    client, url = reader.text(raw, "client"), reader.text(raw, "client_url")
    links, images = _links(reader, raw, "links", "href"), _links(reader, raw, "images", "src")
    labels = {
        "alertname": given["class"] or summary, "severity": SEVERITIES.get(severity, "critical"), "source": source, **given,
    }  # fmt: skip
    annotations = {
        "summary": summary, "details": as_text(payload.get("custom_details")), "client": client,
        "links": "\n".join(" ".join(link) for link in links), "images": "\n".join(" ".join(image) for image in images),
        "reported_severity": severity,
    }  # fmt: skip
    return Event(
        Act.TRIGGER, key, {name: one_line(text) for name, text in labels.items()}, filled(annotations),
        min(starts_at, now) if starts_at else None, web_address(url),
    )  # fmt: skip


def _links(reader: Reader, raw: Mapping[str, Any], name: str, address: str) -> list[list[str]]:
    """The words of each: its address, then its text."""
    found = []
    for i, item in reader.objects(raw, name):
        words = (reader.text(item, key, f"{name}[{i}].") for key in (address, "text", "alt", "href") if key in item)
        found.append(list(dict.fromkeys(word for word in words if word)))
    return [words for words in found if words]


def change(raw: Mapping[str, Any], service: str, integration: str, now: datetime) -> Change:
    """The change that an object tells of, secrets taken out. Raises Wrong, with everything that is."""
    reader = Reader()
    payload = reader.object(raw, "payload", required=True)
    summary = reader.text(payload, "summary", "payload.", most=MAX_SUMMARY, required=True)
    source = reader.text(payload, "source", "payload.")
    at = reader.instant(payload, "timestamp", "payload.")
    details = redact(reader.object(payload, "custom_details", "payload."))
    if len(msgspec.json.encode(details)) > MAX_TEXT:
        details = {"cut": as_text(details)[:MAX_TEXT] + "…"}
    given = _links(reader, raw, "links", "href")
    links = [(redact_text(web_address(first)), redact_text(" ".join(rest) or first)) for first, *rest in given]
    reader.done()
    return Change(
        new_id(now), min(at or now, now), service, integration, redact_text(summary.replace("\0", " ").strip()),
        redact_text(source.replace("\0", " ").strip())[:MAX_SUMMARY], details,
        tuple(links[:MAX_LINKS]),
    )  # fmt: skip


def answer(key: str) -> dict[str, str]:
    """What is answered to an event that was taken."""
    return {"status": "success", "message": "Event processed", "dedup_key": key}


def change_answer() -> dict[str, str]:
    """What is answered to a change that was taken."""
    return {"status": "success", "message": "Change event processed"}


def refusal(wrong: Wrong) -> dict[str, Any]:
    """What is answered to one that was not."""
    return {"status": "invalid event", "message": "Event object is invalid", "errors": wrong.errors}
