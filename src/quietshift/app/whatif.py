"""The course of one alert as one list of events, oldest first: for the command, the page and programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quietshift.alerts import labels
from quietshift.alerts.ladder import STOPPED, WAITING, Hop
from quietshift.app.simulation import Course
from quietshift.incidents.model import TimelineEntry
from quietshift.incidents.timeline import entry_as_json
from quietshift.kernel.clock import rfc3339
from quietshift.paging.model import page_as_json

BEFORE = ("Route taken", "Inhibited?", "Silenced?", "Muted?", "Group")  # hops of an alert before its incident
KINDS = {"attempt": "page", "alert_firing": "alert", "alert_resolved": "alert", "note": "note"}


@dataclass(frozen=True)
class Event:
    """kind: alert, page, state, or stop, which keeps the alert from people. source: `alertmanager.yml:12`."""

    at: datetime
    kind: str
    text: str
    why: str = ""
    source: str = ""


def events(course: Course) -> list[Event]:
    """From the alert to the last page, and why it is not followed further."""
    found = list(_arrival(course))
    found += [event for incident, told, _ in course.incidents for event in map(_of_incident, told)]
    found += [
        Event(one.at, "page", f"{one.kind.removeprefix('notify.')} to receiver {one.receiver} ({one.integration})")
        for one in course.told
        if one.receiver
    ]
    found.sort(key=lambda event: event.at)
    return [*found, Event(max(course.until, found[-1].at), "end", "Not followed further", course.ended)]


def _arrival(course: Course) -> Iterable[Event]:
    """Each route's way to the incident desk, as it is when the alert comes; at the end, where there is no incident."""
    at = course.question.at
    yield Event(at, "alert", f"Alert received: {labels.text(course.question.labels)}")
    for way in course.explanation.ways:
        for hop in way.ladder.hops:
            if hop.title in BEFORE:
                yield _of_hop(at, hop)
        if not course.incidents:
            yield Event(at, "stop", "Nobody is paged", way.ladder.answer)


def _of_hop(at: datetime, hop: Hop) -> Event:
    source = f" ({hop.source})" if hop.source else ""
    kind = "stop" if hop.state == STOPPED else ("state" if hop.state == WAITING else "alert")
    return Event(at, kind, f"{hop.title.rstrip('?')}: {hop.detail}{source}", source=hop.source)


def _of_incident(entry: TimelineEntry) -> Event:
    kind = KINDS.get(entry.kind, "page" if entry.kind == "paging.paged" else "state")
    if entry.kind == "attempt":
        return Event(entry.at, kind, f"{entry.data['channel']} to {entry.data['user']} ({entry.data['via']})")
    return Event(entry.at, kind, entry.text, entry.why)


def as_json(course: Course) -> dict[str, Any]:
    """Everything, for programs."""
    question = course.question
    return {
        "labels": question.labels,
        "at": rfc3339(question.at),
        "lasts_seconds": question.lasts.total_seconds() if question.lasts else None,
        "beside": list(question.beside),
        "routes": [
            {
                "line": way.route.line, "receiver": way.route.receiver, "group_key": way.group_key,
                "answer": way.ladder.answer,
                "steps": [{"title": hop.title, "detail": hop.detail, "state": hop.state} for hop in way.ladder.hops],
            }
            for way in course.explanation.ways
        ],
        "incidents": [
            {
                "title": incident.title, "severity": incident.severity, "state": incident.state, "owner": incident.owner,
                "escalation_policy": incident.escalation_policy, "opened_at": rfc3339(incident.opened_at),
                "pages": [page_as_json(page) for page in sorted(pages, key=lambda page: page.due_at)],
                "timeline": [entry_as_json(entry) for entry in told],
            }
            for incident, told, pages in course.incidents
        ],
        "notifications": [
            {"at": rfc3339(one.at), "kind": one.kind, "receiver": one.receiver, "integration": one.integration}
            for one in course.told
            if one.receiver
        ],
        "until": rfc3339(course.until),
        "ended": course.ended,
    }  # fmt: skip
