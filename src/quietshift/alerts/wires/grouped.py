"""The webhooks of Alertmanager (version 4) and of Grafana, which has the same shape and tells more: what is posted.

Each alert stands for itself: that a group is "resolved" or "firing" says nothing of those that were cut off.
Sources: prometheus.io, "Alerting configuration", webhook_config; grafana.com, "Configure the webhook notifier".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quietshift.alerts import labels as label_sets
from quietshift.alerts.labels import Labels
from quietshift.alerts.sources import Act, Event
from quietshift.alerts.syntax import is_name
from quietshift.alerts.wires.reading import MAX_TEXT, Reader, Wrong, as_text, decode_object, filled, web_address

VERSION = "4"  # of Alertmanager's webhook
STATUSES = ("firing", "resolved")
LINKS = {"silenceURL": "silence_url", "dashboardURL": "dashboard_url", "panelURL": "panel_url", "imageURL": "image_url"}


def events(body: bytes, now: datetime, *, version: str = "") -> list[Event]:
    """What the alerts of a message ask for. version: that the message has to be of. Raises Wrong, with everything that is."""
    raw = decode_object(body)
    reader = Reader()
    if version and raw.get("version") != version:
        reader.wrong("version", f"has to be {version!r}: a webhook of Alertmanager")
    if not isinstance(raw.get("alerts"), list):
        reader.wrong("alerts", "has to be a list")
    cut_off = raw.get("truncatedAlerts") or 0
    if not isinstance(cut_off, int):
        reader.wrong("truncatedAlerts", "has to be a number")
    found = [_event(reader, alert, f"alerts[{i}].", cut_off, now) for i, alert in reader.objects(raw, "alerts")]
    reader.done()
    return found


def _event(reader: Reader, raw: Mapping[str, Any], path: str, cut_off: int, now: datetime) -> Event:
    firing = reader.choice(raw, "status", list(STATUSES), path) == STATUSES[0]
    given = _as_names(reader.texts(raw, "labels", path))
    if not given:
        reader.wrong(f"{path}labels", "says nothing: an alert is told apart by them")
    told = reader.texts(raw, "annotations", path)
    starts_at, ends_at = (reader.instant(raw, name, path) for name in ("startsAt", "endsAt"))
    key = reader.text(raw, "fingerprint", path, most=MAX_TEXT) or label_sets.fingerprint(dict(sorted(given.items())))
    url = web_address(reader.text(raw, "generatorURL", path))
    if not firing:
        return Event(Act.RESOLVE, key, ended_at=ends_at)
    told |= {ours: reader.text(raw, theirs, path) for theirs, ours in LINKS.items() if raw.get(theirs)}
    told |= {"values": as_text(raw.get("values")) or reader.text(raw, "valueString", path)}
    if cut_off:
        told["truncated_alerts"] = f"{cut_off} more alerts of this group were cut off by the sender (max_alerts): not known here"
    begun = min(starts_at, now) if starts_at else None
    return Event(Act.TRIGGER, key, {"dedup_key": "", **given}, filled(_as_names(told)), begun, url)


def beats(body: bytes) -> bool:
    """Whether what was posted to a heartbeat's address is a sign of life: everything is, except a message of this shape in which
    nothing fires, for that tells that the sign of life has ended."""
    try:
        raw = decode_object(body)
    except Wrong:
        return True
    alerts = raw.get("alerts")
    if not isinstance(alerts, list) or not all(isinstance(alert, dict) for alert in alerts):
        return True
    return not alerts or any(alert.get("status") != STATUSES[1] for alert in alerts)


def _as_names(given: Labels) -> Labels:
    """By names that labels may have: whatever else is in one becomes `_`."""
    return {name if is_name(name) else _as_name(name): text for name, text in given.items()}


def _as_name(name: str) -> str:
    plain = "".join(char if char.isascii() and (char.isalnum() or char == "_") else "_" for char in name)
    return f"_{plain}" if not plain or plain[0].isdigit() else plain
