"""Why was I paged? Why was nobody paged? A ladder of hops from the alert to the acknowledgement, each from a stored reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select

from quietshift.alerts import decide as alerts
from quietshift.alerts import labels as label_sets
from quietshift.alerts import store as alerts_store
from quietshift.alerts.ladder import PASSED, SKIPPED, STOPPED, WAITING, Hop, Ladder, ladder
from quietshift.alerts.matchers import Matchers, filter_matches
from quietshift.alerts.model import AlertsConfig, Desk, Route
from quietshift.alerts.store import Decision
from quietshift.alerts.why import ROUTES_FILE, silence_words, taken
from quietshift.incidents import store
from quietshift.incidents.decide import person
from quietshift.incidents.model import Incident, State, TimelineEntry
from quietshift.incidents.timeline import in_bundle
from quietshift.kernel.db import Tx
from quietshift.kernel.durations import format_duration
from quietshift.kernel.ops import Loaded
from quietshift.paging import store as paging
from quietshift.paging.model import LogEntry, Page

AROUND = timedelta(hours=1)  # how far from the instant asked about an alert is looked for
MOST_LADDERS = 20
ANSWER = "Provider's answer"  # a hop that stands after its contact


def why(tx: Tx, incident_id: int, *, ops: Loaded, user: str | None = None) -> list[Ladder]:
    """A ladder for each person paged for an incident (or for `user` alone), newest page; one that tells why nobody was, where
    nobody was. Raises NotFound."""
    incident = store.get(tx, incident_id)
    arrival = _arrival(tx, incident, ops)
    pages = {page.user: page for page in paging.pages(tx, incident_id) if user is None or page.user == user}
    if not pages:
        hops = [*arrival, *_unpaged(tx, incident, user)]
        return [ladder(f"Why was {user} not paged?" if user else "Why was nobody paged?", hops, "")]
    found = []
    for page in pages.values():
        hops = [*arrival, *_page_hops(tx, incident, page)]
        found.append(ladder(f"Why was {page.user} paged?", hops, page.reason))
    return found


def why_nobody(tx: Tx, wanted: Matchers, at: datetime, *, ops: Loaded) -> list[Ladder]:
    """The ladders of the alerts with these labels that were there around an instant, one for each route that takes them: how
    far each came, and what stopped it. [] where no such alert was received."""
    config = ops.get(AlertsConfig)
    ways = [(labels, route) for labels in _candidates(tx, wanted, at) for route in alerts.match(config.route, labels)]
    return [_alert_ladder(tx, label_set, route, config, at, ops) for label_set, route in ways[:MOST_LADDERS]]


# -- from the alert to the incident --------------------------------------------------------------------------------------


def _arrival(tx: Tx, incident: Incident, ops: Loaded) -> list[Hop]:
    """The hops from the first alert of an incident to the incident."""
    entries = store.entries(tx, incident.id)
    first = next((entry for entry in entries if entry.kind == "alert_firing"), None)
    opened = next((entry for entry in entries if entry.kind == "opened"), None)
    label_set = dict(first.data["labels"]) if first else {}
    route = _route_of(ops.get(AlertsConfig), label_set, incident)
    hops = [_received(label_set, first)]
    if route is not None:
        hops.append(taken(route))
    else:
        hops.append(Hop("Route taken", f"to receiver {incident.receiver}, by a route that {ROUTES_FILE} holds no longer"))
    decisions = _decisions(tx, incident.group, incident.receiver, incident.opened_at - AROUND, incident.opened_at)
    hops += _muted_hops(tx, decisions, label_sets.fingerprint(label_set) if label_set else "")
    group = label_sets.text(first.data["group_labels"]) if first else incident.group
    waited = f", after group_wait {format_duration(route.group_wait)}" if route else ""
    hops.append(Hop("Group", f"{group}: {first.why if first else 'told'}{waited}", at=incident.opened_at))
    words = f"{incident.ref}, severity {incident.severity}: {opened.why if opened else ''}"
    hops.append(Hop("Incident", words, at=incident.opened_at, href=f"/incidents/{incident.ref}"))
    return hops


def _alert_ladder(tx: Tx, label_set: dict[str, str], route: Route, config: AlertsConfig, at: datetime, ops: Loaded) -> Ladder:
    """How far one alert came on one route."""
    name = label_set.get("alertname") or label_sets.text(label_set)
    fingerprint = label_sets.fingerprint(label_set)
    title = f"{name}, to receiver {route.receiver}"
    hops = [_received(label_set, None), taken(route)]
    if not any(isinstance(one, Desk) for one in config.receivers[route.receiver].integrations.values()):
        words = f"receiver {route.receiver} pages nobody: quietshift.yaml maps no escalation policy to it"
        return ladder(title, [*hops, Hop("Escalation policy", words, STOPPED)], "")
    incident = _incident_of(tx, fingerprint, route.receiver, at)
    if incident is not None:
        pages = paging.pages(tx, incident.id)
        after = _page_hops(tx, incident, pages[0]) if pages else _unpaged(tx, incident, None)
        passed = f"{pages[0].user} was paged: {pages[0].reason}" if pages else ""
        return ladder(title, [*_arrival(tx, incident, ops), *after], passed)
    of = alerts.group_labels(route, label_set)
    key = alerts.group_key(route, of)
    decisions = _decisions(tx, key, route.receiver, at - AROUND, at + AROUND)
    hops += _muted_hops(tx, decisions, fingerprint)
    if hops[-1].state is STOPPED:
        return ladder(title, hops, "")
    if not decisions:
        wait = format_duration(route.group_wait)
        hops.append(Hop("Group", f"{label_sets.text(of)}: not flushed yet; group_wait is {wait}", WAITING))
    else:
        last = decisions[-1]
        hops.append(Hop("Group", f"{label_sets.text(of)}: {last.reason}", STOPPED, last.at))
    return ladder(title, hops, "")


def _received(label_set: Mapping[str, str], entry: TimelineEntry | None) -> Hop:
    began = f", firing since {entry.data['starts_at']} by its sender's clock" if entry and entry.data.get("starts_at") else ""
    return Hop("Alert received", f"{label_sets.text(label_set)}{began}")


def _route_of(config: AlertsConfig, label_set: dict[str, str], incident: Incident) -> Route | None:
    for route in alerts.match(config.route, label_set):
        key = alerts.group_key(route, alerts.group_labels(route, label_set))
        if (key, route.receiver) == (incident.group, incident.receiver):
            return route
    return None


# -- inhibited, silenced, muted ------------------------------------------------------------------------------------------


def _decisions(tx: Tx, group_key: str, receiver: str, since: datetime, until: datetime) -> list[Decision]:
    """What the desk was told of a group, or not, and why."""
    found = alerts_store.decisions(tx, group_key, receiver, since, until)
    return [decision for decision in found if decision.integration.startswith("desk/")]


def _muted_hops(tx: Tx, decisions: Sequence[Decision], fingerprint: str) -> list[Hop]:
    """Whether the alert was inhibited, silenced or muted: the last time it was, and whether it was told after that."""
    muted = [(place, d) for place, d in enumerate(decisions) if fingerprint in d.detail.get("muted", {})]
    told = [place for place, d in enumerate(decisions) if d.outcome == "told" and fingerprint in d.detail.get("firing", ())]
    title = "Inhibited, silenced, muted?"
    if not muted:
        return [Hop(title, "no", at=None)]
    place, decision = muted[-1]
    words = silence_words(tx, str(decision.detail["muted"][fingerprint]))
    if told and told[-1] > place:
        return [Hop(title, f"{words}; but not any more", at=decision.at)]
    return [Hop(title, words, STOPPED, decision.at)]


# -- from the incident to the person -------------------------------------------------------------------------------------


def _page_hops(tx: Tx, incident: Incident, page: Page) -> list[Hop]:
    """Policy and step, person, contact, attempts with their answers, acknowledgement."""
    escalation = paging.escalation(tx, incident.id)
    policy = escalation.policy.name if escalation else incident.escalation_policy
    step = f"step {page.step}, round {page.round}" if page.step else str(page.stage).replace("_", " ")
    hops = [Hop("Policy and step", f"{policy}: {step}", at=page.due_at)]
    passed_over = _passed_over(paging.log(tx, incident.id), page)
    hops += [Hop("Passed over", _said(entry), SKIPPED, entry.at) for entry in passed_over]
    hops.append(Hop("Person", f"{page.user}: {page.reason}", at=page.due_at))
    for entry in paging.log(tx, incident.id):
        if entry.kind == "bundled" and entry.data.get("page") == page.id:
            hops.append(Hop("Told with others", _said(entry), PASSED if page.attempts else WAITING, entry.at))
    for attempt in page.attempts:
        words = f"{attempt.channel} to {attempt.via}{in_bundle(attempt)}, attempt {attempt.attempt}"
        hops.append(Hop("Contact", words, at=attempt.attempted_at))
        state = PASSED if attempt.outcome == "accepted" else (STOPPED if attempt.final else WAITING)
        again = "" if attempt.outcome == "accepted" or attempt.final else ": tried again"
        hops.append(Hop(ANSWER, f"{attempt.outcome}, {attempt.answer}{again}", state, attempt.answered_at))
    if not page.attempts:
        hops.append(Hop("Contact", "not tried yet", WAITING))
    hops.append(_answered(incident))
    return hops


def _unpaged(tx: Tx, incident: Incident, user: str | None) -> list[Hop]:
    """What the escalation did instead of paging (this user), and how it stands."""
    hops = [Hop("Escalation", _said(entry), SKIPPED, entry.at) for entry in paging.log(tx, incident.id)]
    following = paging.next_step(tx, incident.id)
    if incident.state is State.TRIGGERED and following is not None:
        hops.append(Hop("Next", f"{following.text}, unless it is acknowledged before", WAITING, following.at))
        return hops
    answered = _answered(incident)
    whom = f": before {user} was called" if user else ""
    return [*hops, replace(answered, state=STOPPED, detail=f"{answered.detail}{whom}")]


def _passed_over(log: Iterable[LogEntry], page: Page) -> list[LogEntry]:
    """Targets that led to nobody on the way to this page."""
    return [entry for entry in log if entry.at == page.due_at and entry.kind in ("gap", "no_contact")]


def _said(entry: LogEntry) -> str:
    return f"{entry.text}: {entry.why}" if entry.why else entry.text


def _answered(incident: Incident) -> Hop:
    if incident.acknowledged_at is not None:
        return Hop("Acknowledged", f"by {person(incident.acknowledged_by)}", at=incident.acknowledged_at)
    if incident.resolved_at is not None:
        return Hop("Resolved", f"by {person(incident.resolved_by)}", at=incident.resolved_at)
    return Hop("Acknowledged", "by nobody yet", WAITING)


# -- finding alerts ------------------------------------------------------------------------------------------------------


def _candidates(tx: Tx, wanted: Matchers, at: datetime) -> list[dict[str, str]]:
    """The label sets that fit, of alerts known now or in incidents around an instant; each once."""
    found: dict[str, dict[str, str]] = {}
    for alert in alerts_store.all_alerts(tx):
        if alert.updated_at >= at - AROUND and filter_matches(wanted, alert.labels):
            found[label_sets.fingerprint(alert.labels)] = alert.labels
    t = store.incident_alerts.c
    statement = select(t.fingerprint, t.labels).where(t.joined_at >= at - AROUND, t.joined_at <= at + AROUND)
    for row in tx.execute(statement):
        if filter_matches(wanted, row.labels):
            found.setdefault(row.fingerprint, row.labels)
    return list(found.values())


def _incident_of(tx: Tx, fingerprint: str, receiver: str, at: datetime) -> Incident | None:
    """The newest incident of a receiver that the alert was in around an instant."""
    for incident_id, member in store.of_alert(tx, fingerprint):
        ended = member.ended_at or at
        if member.joined_at <= at + AROUND and ended >= at - AROUND:
            incident = store.get(tx, incident_id)
            if incident.receiver == receiver:
                return incident
    return None
