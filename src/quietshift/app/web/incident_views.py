"""Incidents as templates show them: rows of the list, the page's head, what the viewer may do, the timeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from quietshift.app.web.names import actor, display_name, owner_name, owner_zone, person
from quietshift.incidents import store
from quietshift.incidents.model import TRANSITIONS, EventName, Incident, Severity, State, TimelineEntry
from quietshift.incidents.timeline import in_bundle
from quietshift.kernel.auth import Principal
from quietshift.kernel.db import Tx
from quietshift.kernel.ops import Loaded
from quietshift.paging import store as paging
from quietshift.paging.model import NextStep, Page, PageState, Stage

# Which event each button sends. A verdict on an open incident is asked for when it is resolved.
ACTS = {
    "acknowledge": EventName.ACKNOWLEDGE, "resolve": EventName.RESOLVE, "snooze": EventName.SNOOZE,
    "reassign": EventName.REASSIGN, "escalate": EventName.ESCALATE, "note": EventName.NOTE, "severity": EventName.SEVERITY,
    "reopen": EventName.REOPEN, "classify": EventName.CLASSIFY, "step": EventName.STEP,
}  # fmt: skip
SEVERITIES = [(str(severity), str(severity)) for severity in reversed(Severity)]
# Kinds of the timeline, as the page draws them; those of paging are told by the pages themselves.
_SHAPES = {
    "alert_firing": "alert", "alert_resolved": "alert", "alerts_joined": "alert", "left": "alert", "paging_again": "page",
    "acknowledged": "ack", "note": "note", "step": "step",
}  # fmt: skip
# Of one instant, what led to what: the alert, the incident, the escalation, the page; then what came of it.
_RANKS = {kind: rank for rank, kind in enumerate(("alert_firing", "opened", "paging.started", "paging.paged"))}


def shown_state(incident: Incident) -> str:
    """The state in the page's words: an acknowledged incident that sleeps is snoozed."""
    return "snoozed" if incident.snoozed_until is not None else str(incident.state)


def holder(ops: Loaded, incident: Incident) -> dict[str, str] | None:
    """Who has it; None while nobody does."""
    return actor(ops, incident.acknowledged_by) if incident.acknowledged_by else None


def next_page(ops: Loaded, step: NextStep | None) -> dict[str, Any] | None:
    """Who is paged next unless it is acknowledged."""
    if step is None:
        return None
    names = ", ".join(display_name(ops, user) for user in step.users) or step.text
    return {"person": {"user": step.users[0] if step.users else "", "name": names}, "at": step.at}


def row(tx: Tx, ops: Loaded, incident: Incident) -> dict[str, Any]:
    """A line of a list (macros.html incident_row)."""
    upcoming = paging.next_step(tx, incident.id) if incident.state is State.TRIGGERED else None
    return {
        "id": incident.ref, "href": f"/incidents/{incident.ref}", "title": incident.title, "state": shown_state(incident),
        "severity": str(incident.severity), "service": incident.service or "", "owner": owner_name(ops, incident.owner),
        "holder": holder(ops, incident) if incident.is_open else None, "opened_at": incident.opened_at,
        "resolved_at": incident.resolved_at, "next_page": next_page(ops, upcoming),
        "verdict": str(incident.verdict) if incident.verdict else "",
    }  # fmt: skip


def loudest_first(incidents: Iterable[Incident]) -> list[Incident]:
    """Triggered before acknowledged before snoozed before resolved, then by severity, then the newest."""
    order = ("triggered", "acknowledged", "snoozed", "resolved")
    return sorted(incidents, key=lambda i: (order.index(shown_state(i)), -i.severity.rank, -i.id))


def head(ops: Loaded, incident: Incident, zone: ZoneInfo) -> dict[str, Any]:
    """`incident` of incident.html and ack.html."""
    return {
        "id": incident.ref, "title": incident.title, "state": shown_state(incident), "severity": str(incident.severity),
        "snoozed_until": incident.snoozed_until, "service": incident.service or "", "owner": owner_name(ops, incident.owner),
        "zone": owner_zone(ops, incident.owner, zone), "opened_at": incident.opened_at,
        "acknowledged_at": incident.acknowledged_at, "resolved_at": incident.resolved_at, "holder": holder(ops, incident),
        "verdict": str(incident.verdict) if incident.verdict else "",
    }  # fmt: skip


def may(principal: Principal, incident: Incident) -> set[str]:
    """What this viewer can do with it now, by the one transition table."""
    if not principal.allows("respond"):
        return set()
    found = {name for name, event in ACTS.items() if (incident.state, event) in TRANSITIONS}
    if incident.state is not State.TRIGGERED:
        found.discard("acknowledge")
    return found


def channel_words(page: Page) -> str:
    """How somebody was reached, in a word or two."""
    accepted = [a.channel for a in page.attempts if a.outcome == "accepted"]
    tried = [a.channel for a in page.attempts]
    return (accepted or tried or ["page"])[0]


def people(ops: Loaded, incident: Incident, pages: Iterable[Page]) -> list[dict[str, Any]]:
    """Who is in it, each once: who has it, who joined, who was paged."""
    found: dict[str, dict[str, Any]] = {}
    who = holder(ops, incident)
    if who:
        found[who["user"]] = {"person": who, "role": "has it"}
    for target in incident.assignees:
        name = target.removeprefix("user:")
        found.setdefault(name, {"person": person(ops, name), "role": "joined"})
    for page in pages:
        found.setdefault(page.user, {"person": person(ops, page.user), "role": "paged"})
    return list(found.values())


def attempt(a: Any) -> dict[str, Any]:
    """An attempt as the timeline shows it. What is repeated is told as failed: it did not arrive."""
    return {
        "at": a.attempted_at, "channel": a.channel, "to": a.via.removeprefix("mailto:"), "answer": a.answer,
        "outcome": "accepted" if a.outcome == "accepted" else "failed", "times": 1, "until": None,
        "with": in_bundle(a).removeprefix(", "),
    }  # fmt: skip


def alike(attempts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Attempts in a row that were answered alike stand once: how many `times`, `until` when."""
    found: list[dict[str, Any]] = []
    for one in attempts:
        if found and all(found[-1][key] == one[key] for key in ("channel", "to", "outcome", "answer")):
            found[-1] |= {"times": found[-1]["times"] + 1, "until": one["at"]}
        else:
            found.append(one)
    return found


# -- timeline ------------------------------------------------------------------------------------------------------------


def timeline(ops: Loaded, entries: Iterable[TimelineEntry], pages: Iterable[Page]) -> list[dict[str, Any]]:
    """The story, oldest first. A page stands there once, with its attempts."""
    told = [e for e in entries if e.kind not in ("attempt", "paging.paged")]
    found = [(e.at, _RANKS.get(e.kind, len(_RANKS)), _entry(ops, e)) for e in told]
    found += [(page.due_at, _RANKS["paging.paged"], _page(ops, page)) for page in pages]
    return [entry for _, _, entry in sorted(found, key=lambda item: item[:2])]


def _entry(ops: Loaded, e: TimelineEntry) -> dict[str, Any]:
    data: Mapping[str, Any] = e.data
    shown: dict[str, Any] = {
        "at": e.at, "kind": _SHAPES.get(e.kind, "page" if e.kind.startswith("paging.") else "state"),
        "who": "" if e.actor == "system" else actor(ops, e.actor)["name"], "verb": e.text, "object": "", "why": e.why,
        "note": "", "labels": [], "attempts": [],
    }  # fmt: skip
    if e.kind == "opened":
        shown["verb"] = "opened the incident"
    elif e.kind == "paging.started" and " opened: " in e.why:
        shown["why"] = ""  # the line before has it
    elif e.kind == "note":
        shown |= {"verb": "noted", "note": e.text}
    elif e.kind in ("alert_firing", "alert_resolved"):
        labels: dict[str, str] = data.get("labels", {})
        shown |= {
            "who": labels.get("alertname", "Alert"), "verb": "fires" if e.kind == "alert_firing" else "has ended",
            "labels": sorted(labels.items()),
        }  # fmt: skip
        annotations: dict[str, str] = data.get("annotations", {})
        shown["note"] = annotations.get("summary", "") or annotations.get("description", "")
    elif e.kind == "step":
        did = {"done": "did", "skipped": "skipped", "failed": "failed at"}.get(str(data.get("outcome")), "ticked")
        shown |= {"verb": f"{did} step {data.get('step')}", "object": data.get("title", ""), "why": "", "note": e.why}
    return shown


def _page(ops: Loaded, page: Page) -> dict[str, Any]:
    where = {Stage.FALLBACK: "as the fallback", Stage.LAST_RESORT: "as the last resort"}.get(page.stage, "")
    attempts = alike(attempt(a) for a in page.attempts)
    if page.state is PageState.OPEN and not attempts:
        first = {"at": page.due_at, "channel": "first contact", "to": "", "outcome": "waiting", "answer": "", "with": ""}
        attempts = [{**first, "times": 1, "until": None}]
    return {
        "at": page.due_at, "kind": "page", "who": display_name(ops, page.user), "verb": "was paged", "object": where,
        "why": page.reason, "note": "", "labels": [], "attempts": attempts,
    }  # fmt: skip


def near(tx: Tx, incident: Incident) -> list[dict[str, Any]]:
    """What else is going on: other alerts in it that fire, other open incidents of the same service or owner."""
    firing = [one.alert for one in store.alerts(tx, incident.id) if one.ended_at is None]
    others = [alert for alert in firing if alert.name != incident.alertname]
    found: list[dict[str, Any]] = [{"text": _alert_words(alert.labels), "href": None} for alert in others[:5]]
    if len(firing) > 1 and not others:
        found.append({"text": f"{incident.alertname} fires {len(firing)} times", "href": None})
    for other in store.find(tx, states=(State.TRIGGERED, State.ACKNOWLEDGED), limit=100):
        same = (other.service and other.service == incident.service) or (other.owner and other.owner == incident.owner)
        if same and other.id != incident.id and len(found) < 8:
            found.append({"text": f"{other.ref} {other.title}", "href": f"/incidents/{other.ref}"})
    return found


def _alert_words(labels: Mapping[str, str]) -> str:
    where = labels.get("instance") or labels.get("service") or labels.get("job")
    return labels.get("alertname", "alert") + (f" on {where}" if where else "")


def paged_viewer(pages: Iterable[Page], user: str | None) -> dict[str, Any] | None:
    """When and how the viewer was paged for it last; None where they were not."""
    mine = [page for page in pages if page.user == user]
    return {"at": mine[-1].due_at, "via": channel_words(mine[-1])} if mine else None


def day_words(at: datetime, zone: ZoneInfo) -> str:
    """`Sat 03:12` on the clock of a zone."""
    return f"{at.astimezone(zone):%a %H:%M}"
