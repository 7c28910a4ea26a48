"""PagerDuty's Events API v2: what is posted, and what is answered.

Source: developer.pagerduty.com, "Events API v2 Overview", "Send an Alert Event"; the OpenAPI of PagerDuty/api-schema.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from quietshift.alerts.labels import Labels, one_line
from quietshift.alerts.model import Act, Event

MAX_BODY = 512 << 10
MAX_KEY = 255
MAX_SUMMARY = 1024
MAX_DETAILS = 16 << 10  # characters kept of what else is told of a problem
# Ours are critical, warning and info; PagerDuty's `error` calls people as `critical` does.
SEVERITIES = {"critical": "critical", "error": "critical", "warning": "warning", "info": "info"}


class Wrong(ValueError):
    """An event that cannot be taken. errors: each names its place."""

    def __init__(self, *errors: str) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


def decode(body: bytes) -> dict[str, Any]:
    """The event's object. Raises Wrong."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Wrong(f"the body is not JSON: {what}") from None
    if not isinstance(raw, dict):
        raise Wrong("the body has to be a JSON object")
    return raw


def routing_key(raw: Mapping[str, Any]) -> str:
    """The integration's key. Raises Wrong."""
    key = raw.get("routing_key")
    if not isinstance(key, str) or not key:
        raise Wrong("'routing_key' is missing: the key of an integration")
    return key


def event(raw: Mapping[str, Any], now: datetime) -> Event:
    """What an object asks for. A trigger without a dedup_key gets one. Raises Wrong, with everything that is."""
    reader = Reader()
    action = reader.choice(raw, "event_action", [str(act) for act in Act])
    key = reader.text(raw, "dedup_key", most=MAX_KEY)
    if action == Act.TRIGGER:
        made = _trigger(reader, raw, key or secrets.token_hex(16), now)
    else:
        if not key:
            reader.errors.append("'dedup_key' is missing: it says which problem is meant")
        made = Event(Act.RESOLVE if action == Act.RESOLVE else Act.ACKNOWLEDGE, key)
    if reader.errors:
        raise Wrong(*reader.errors)
    return made


def _trigger(reader: Reader, raw: Mapping[str, Any], key: str, now: datetime) -> Event:
    payload = reader.object(raw, "payload", required=True)
    summary = reader.text(payload, "summary", "payload.", most=MAX_SUMMARY, required=True)
    source = reader.text(payload, "source", "payload.", required=True)
    severity = reader.choice(payload, "severity", list(SEVERITIES), "payload.")
    starts_at = reader.instant(payload, "timestamp", "payload.")
    given = {name: reader.text(payload, name, "payload.") for name in ("class", "component", "group")}
    client, url = reader.text(raw, "client"), reader.text(raw, "client_url")
    links, images = reader.links(raw, "links", "href"), reader.links(raw, "images", "src")
    labels = {
        "alertname": given["class"] or summary, "severity": SEVERITIES.get(severity, "critical"), "source": source, **given,
    }  # fmt: skip
    annotations = {
        "summary": summary, "details": details_text(payload.get("custom_details")), "client": client, "links": links,
        "images": images, "reported_severity": severity,
    }  # fmt: skip
    web = url if url.startswith(("https://", "http://")) else ""
    return Event(
        Act.TRIGGER, key, {name: one_line(text) for name, text in labels.items()}, filled(annotations),
        min(starts_at, now) if starts_at else None, web,
    )  # fmt: skip


def answer(key: str) -> dict[str, str]:
    """What is answered to an event that was taken."""
    return {"status": "success", "message": "Event processed", "dedup_key": key}


def refusal(wrong: Wrong) -> dict[str, Any]:
    """What is answered to one that was not."""
    return {"status": "invalid event", "message": "Event object is invalid", "errors": list(wrong.errors)}


def filled(annotations: Mapping[str, str]) -> Labels:
    """Those that say something, without what databases cannot store; what is too long is cut."""
    kept = {name: text.replace("\0", "") for name, text in sorted(annotations.items()) if text.replace("\0", "").strip()}
    return {name: text if len(text) <= MAX_DETAILS else f"{text[:MAX_DETAILS]}…" for name, text in kept.items()}


def details_text(value: Any) -> str:
    """Whatever else is told of a problem, as text."""
    if value is None or value in ("", {}, []):
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


class Reader:
    """Reads an object, and notes what is wrong with it."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def text(self, raw: Mapping[str, Any], name: str, path: str = "", *, most: int = 0, required: bool = False) -> str:
        value = raw.get(name)
        if value is None or value == "":
            if required:
                self.errors.append(f"'{path}{name}' is missing or blank")
            return ""
        if not isinstance(value, str):
            self.errors.append(f"'{path}{name}' has to be text")
            return ""
        if required and not value.replace("\0", " ").strip():
            self.errors.append(f"'{path}{name}' is missing or blank")
        if most and len(value) > most:
            self.errors.append(f"'{path}{name}' has {len(value)} characters: at most {most} are allowed")
        return value

    def choice(self, raw: Mapping[str, Any], name: str, allowed: list[str], path: str = "") -> str:
        value = raw.get(name)
        if not isinstance(value, str) or value not in allowed:
            self.errors.append(f"'{path}{name}' has to be one of {', '.join(allowed)}")
            return ""
        return value

    def object(self, raw: Mapping[str, Any], name: str, *, required: bool = False) -> Mapping[str, Any]:
        value = raw.get(name)
        if isinstance(value, dict):
            return value
        if required or value is not None:
            self.errors.append(f"'{name}' {'is missing: it' if value is None else ''} has to be an object".replace("  ", " "))
        return {}

    def instant(self, raw: Mapping[str, Any], name: str, path: str = "") -> datetime | None:
        """ISO 8601; without an offset it is UTC. PagerDuty's own client writes `+00:00Z`."""
        text = self.text(raw, name, path)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text.removesuffix("Z") if text.endswith(":00Z") and "+" in text else text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.errors.append(f"'{path}{name}' is no ISO 8601 time")
            return None

    def links(self, raw: Mapping[str, Any], name: str, address: str) -> str:
        """A line each: the address and its text."""
        value = raw.get(name)
        if value is None:
            return ""
        if not isinstance(value, list):
            self.errors.append(f"'{name}' has to be a list")
            return ""
        lines = []
        for i, item in enumerate(value):
            if not isinstance(item, dict):
                self.errors.append(f"'{name}[{i}]' has to be an object")
                continue
            words = (self.text(item, key, f"{name}[{i}].") for key in (address, "text", "alt", "href") if key in item)
            lines.append(" ".join(dict.fromkeys(word for word in words if word)))
        return "\n".join(filter(None, lines))
