"""Every decision about one alert with its reason: which routes, which group, what mutes it until when, who was told what, and
what they answered, when they are told again. All of it from what is stored; nothing is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from quietshift.alerts import decide, labels, queries, store
from quietshift.alerts.decide import Mute
from quietshift.alerts.flush import SHOWN
from quietshift.alerts.labels import Labels
from quietshift.alerts.ladder import PASSED, STOPPED, WAITING, Hop, Ladder, ladder
from quietshift.alerts.model import Alert, Desk, InhibitRule, Notifier, Route, Silence
from quietshift.alerts.store import Decision, Group
from quietshift.alerts.usecases import Alerting
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.durations import format_duration
from quietshift.kernel.errors import NotFound

ROUTES_FILE = "alertmanager.yml"
NEWEST = 200  # decisions of a group that are looked at
UNCHANGED = "unchanged"  # the reason of a decision that is no news
OUTCOMES = {"told": "Told", "kept": "Not told", "sent": "Sent", "failed": "Not sent"}


@dataclass(frozen=True)
class Inhibition:
    """What inhibits an alert at this moment: a firing alert, by a rule."""

    by: Labels
    rule: InhibitRule


@dataclass(frozen=True)
class Told:
    """An integration that knows the alert to be firing: since when, and when it is told again if nothing changes."""

    integration: str
    at: datetime
    repeat_at: datetime | None


@dataclass(frozen=True)
class Way:
    """What becomes of the alert on one route. group: None where it is in none (any more). muted: the route as a whole says
    nothing, until that instant (None: for a year at least)."""

    route: Route
    group_labels: Labels
    group_key: str
    group: Group | None
    muted: Mute | None
    muted_until: datetime | None
    told: tuple[Told, ...]
    decisions: tuple[Decision, ...]
    ladder: Ladder


@dataclass(frozen=True)
class Explanation:
    """What is known of an alert at one instant, and its way on each route that takes it."""

    alert: Alert
    fingerprint: str
    ends_at: datetime
    over: bool
    silences: tuple[Silence, ...]
    inhibition: Inhibition | None
    ways: tuple[Way, ...]


def explain(use: Alerting, tx: Tx, fingerprint: str, now: datetime) -> Explanation:
    """Why this alert is where it is. Raises NotFound for one that is not known (any more)."""
    alert = queries.by_fingerprint(use, tx, fingerprint)
    if alert is None:
        kept = format_duration(use.keep_resolved)
        raise NotFound(f"no alert {fingerprint} is known: it was never received, or it has been over for more than {kept}")
    config, heard = use.config(), use.heard()
    current = {s.id: s for s in store.all_silences(tx, ending_after=now)}
    silences = tuple(current[i] for i in decide.silenced_by(current.values(), alert.labels, now))
    found = Explanation(
        alert, fingerprint, decide.end(alert, heard), decide.resolved(alert, now, heard), silences,
        _inhibition(use, tx, alert.labels, now), (),
    )  # fmt: skip
    ways = tuple(_way(use, tx, found, route, now) for route in decide.match(config.route, alert.labels))
    return Explanation(alert, fingerprint, found.ends_at, found.over, silences, found.inhibition, ways)


def _inhibition(use: Alerting, tx: Tx, label_set: Labels, now: datetime) -> Inhibition | None:
    rules = use.config().inhibit_rules
    firing = use.firing_sources(tx, now) if rules else []
    for rule in rules:
        by = decide.inhibited_by([rule], label_set, firing)
        if by is not None:
            return Inhibition(next(source for source in firing if labels.fingerprint(source) == by), rule)
    return None


def _way(use: Alerting, tx: Tx, found: Explanation, route: Route, now: datetime) -> Way:
    config, alert = use.config(), found.alert
    of = decide.group_labels(route, alert.labels)
    key = decide.group_key(route, of)
    digest = store.group_digest(route.path, of)
    group = store.groups_of(tx, [digest]).get(digest) if alert.grouped else None
    muted = decide.route_mute(route, config.intervals, now)
    until = decide.mute_changes_at(route, config.intervals, now) if muted else None
    silent = found.over or muted is not None or bool(found.silences) or found.inhibition is not None
    identity = labels.identity(alert.labels)
    told = tuple(
        Told(integration, last.at, _repeat_at(last.at, route, group, silent))
        for integration, (last, _) in sorted(store.told(tx, key, route.receiver).items())
        if last is not None and identity in last.firing
    )
    decisions = tuple(_about(found.fingerprint, store.decisions(tx, key, route.receiver, newest=NEWEST)))
    hops = [_received(found), taken(route), *_mute_hops(found, muted, until), _group_hop(route, of, group)]
    decided = [(decision, _decision_hop(use, tx, route, found.fingerprint, decision)) for decision in decisions]
    last = next((hop for decision, hop in reversed(decided) if decision.reason != UNCHANGED), None)
    hops += [*(hop for _, hop in decided), *_next_hops(route, group, told, silent)]
    name = alert.name or labels.text(alert.labels)
    return Way(
        route, of, key, group, muted, until, told, decisions,
        ladder(f"{name}, to receiver {route.receiver}", hops, _answer(found, hops, last)),
    )  # fmt: skip


def _repeat_at(told_at: datetime, route: Route, group: Group | None, silent: bool) -> datetime | None:
    if group is None or silent:
        return None
    try:
        return decide.repeat_at(told_at, route.repeat_interval, group.next_flush_at, route.group_interval)
    except OverflowError:  # an interval longer than time
        return None


def _about(fingerprint: str, decisions: list[Decision]) -> list[Decision]:
    """Those that concern the alert: where it was told, kept back or muted, and the answers to what told of it."""
    found: list[Decision] = []
    told_of: dict[str, bool] = {}
    for decision in decisions:
        detail = decision.detail
        if decision.outcome in ("told", "kept"):
            muted = fingerprint in detail.get("muted", ())
            named = any(fingerprint in detail.get(part, ()) for part in ("firing", "resolved"))
            told = named or (not muted and detail.get("alerts", 0) > SHOWN)  # of a large group not every alert is named
            if decision.outcome == "told":
                told_of[decision.integration] = told
            concerns = told or muted
        else:
            concerns = told_of.get(decision.integration, False)
        if concerns:
            found.append(decision)
    return found


# -- in words ------------------------------------------------------------------------------------------------------------


def taken(route: Route) -> Hop:
    """That an alert takes a route, and where that is written."""
    source = f"{ROUTES_FILE}:{route.line}" if route.line else ROUTES_FILE
    return Hop("Route taken", f"{route.key} to receiver {route.receiver}", source=source)


def silence_words(tx: Tx, reason: str) -> str:
    """A silence's id alone tells nobody who wanted it: by whom, until when, why."""
    kind, _, ids = reason.partition("silenced by ")
    if kind or not ids:
        return reason
    silences = [silence for silence_id in ids.split(", ") if (silence := store.silence(tx, silence_id)) is not None]
    return f"silenced {_by_whom(silences)}" if silences else reason


def _by_whom(silences: list[Silence] | tuple[Silence, ...]) -> str:
    return "; ".join(f"by {s.created_by} until {rfc3339(s.ends_at)} ({s.comment})" for s in silences)


def _received(found: Explanation) -> Hop:
    alert = found.alert
    span = f"firing since {rfc3339(alert.starts_at)} by its sender's clock"
    if found.over:
        return Hop("Alert received", f"{labels.text(alert.labels)}, {span}; over since {rfc3339(found.ends_at)}")
    heard = f"last heard of at {rfc3339(alert.updated_at)}; over at {rfc3339(found.ends_at)} unless it is reported again"
    return Hop("Alert received", f"{labels.text(alert.labels)}, {span}, {heard}")


def _mute_hops(found: Explanation, muted: Mute | None, until: datetime | None) -> list[Hop]:
    inhibited = Hop("Inhibited?", "no")
    if (by := found.inhibition) is not None:
        detail = f"by alert {labels.fingerprint(by.by)} {labels.text(by.by)}, which is firing"
        source = f"{ROUTES_FILE}:{by.rule.line}" if by.rule.line else ROUTES_FILE
        inhibited = Hop("Inhibited?", detail, STOPPED, source=source)
    silenced = Hop("Silenced?", "no")
    if found.silences:
        silenced = Hop("Silenced?", _by_whom(found.silences), STOPPED)
    quiet = Hop("Muted?", "no")
    if muted is not None:
        end = f", until {rfc3339(until)}" if until else ", for a year at least"
        quiet = Hop("Muted?", f"{muted}{end}", STOPPED)
    return [inhibited, silenced, quiet]


def _group_hop(route: Route, of: Labels, group: Group | None) -> Hop:
    text = labels.text(of)
    if group is None:
        return Hop("Group", f"{text}: the alert is in it no longer: everybody was told that it is over")
    if not group.flush_number:
        wait = f"group_wait {format_duration(route.group_wait)}"
        return Hop("Group", f"{text}: waits for others until {rfc3339(group.next_flush_at)} ({wait})", WAITING, group.created_at)
    interval = f"group_interval {format_duration(route.group_interval)}"
    return Hop("Group", f"{text}: looked at again at {rfc3339(group.next_flush_at)} ({interval})", PASSED, group.created_at)


def _decision_hop(use: Alerting, tx: Tx, route: Route, fingerprint: str, decision: Decision) -> Hop:
    words, state = decision.reason, PASSED
    muted = decision.detail.get("muted", {}).get(fingerprint)
    if muted is not None:
        words, state = silence_words(tx, str(muted)), STOPPED
    elif decision.outcome == "failed":
        final = decision.detail.get("final")
        words, state = (f"{words}: given up", STOPPED) if final else (f"{words}: tried again", WAITING)
    title = OUTCOMES[decision.outcome if muted is None else "kept"]
    return Hop(title, f"{_integration(use, route, decision.integration)}: {words}", state, decision.at)


def _integration(use: Alerting, route: Route, key: str) -> str:
    """`webhook/0`, `email/0 to ana@example.org`, `desk/0, by policy storage`."""
    receiver = use.config().receivers.get(route.receiver)
    match receiver.integrations.get(key) if receiver else None:
        case Notifier(whom=whom) if whom:
            return f"{key} to {whom}"
        case Desk(escalation_policy=policy):
            return f"{key}, by policy {policy}"
        case _:
            return key


def _next_hops(route: Route, group: Group | None, told: tuple[Told, ...], silent: bool) -> list[Hop]:
    if silent or group is None:
        return []
    repeat = format_duration(route.repeat_interval)
    return [
        Hop("Repeated", f"{one.integration}, unless something changes before (repeat_interval {repeat})", WAITING, one.repeat_at)
        for one in told
        if one.repeat_at is not None
    ]


def _answer(found: Explanation, hops: list[Hop], last: Hop | None) -> str:
    """How it stands now: that it is over, else what mutes it, else the last news of it, else what it waits for."""
    if found.over:
        return f"Over since {rfc3339(found.ends_at)}"
    mutes = ("Inhibited?", "Silenced?", "Muted?")
    stopped = next((hop for hop in hops if hop.state == STOPPED and hop.title in mutes), None)
    if stopped is not None:
        return f"{stopped.title.removesuffix('?')} {stopped.detail}".replace("Muted muted", "Muted")
    if last is not None:
        return f"{last.title}: {last.detail}"
    return next((f"{hop.title}: {hop.detail}" for hop in hops if hop.state == WAITING), "Nothing has been decided yet")


# -- as JSON -------------------------------------------------------------------------------------------------------------


def as_json(found: Explanation) -> dict[str, object]:
    """As the API shows it."""
    by = found.inhibition
    return {
        "fingerprint": found.fingerprint,
        "labels": found.alert.labels,
        "state": "over" if found.over else "firing",
        "starts_at": rfc3339(found.alert.starts_at),
        "ends_at": rfc3339(found.ends_at),
        "heard_at": rfc3339(found.alert.updated_at),
        "silenced_by": [
            {"id": s.id, "created_by": s.created_by, "comment": s.comment, "ends_at": rfc3339(s.ends_at)} for s in found.silences
        ],
        "inhibited_by": by and {"fingerprint": labels.fingerprint(by.by), "labels": by.by, "line": by.rule.line},
        "routes": [_way_as_json(way) for way in found.ways],
    }


def _way_as_json(way: Way) -> dict[str, object]:
    route, muted = way.route, way.muted
    return {
        "line": route.line, "route": route.key, "receiver": route.receiver,
        "group_key": way.group_key, "group_labels": way.group_labels,
        "next_flush_at": _at(way.group.next_flush_at if way.group else None),
        "muted": muted and {"kind": muted.kind, "intervals": list(muted.by), "until": _at(way.muted_until)},
        "told": [{"integration": t.integration, "at": _at(t.at), "repeat_at": _at(t.repeat_at)} for t in way.told],
        "decisions": [
            {"at": _at(d.at), "integration": d.integration, "outcome": d.outcome, "reason": d.reason} for d in way.decisions
        ],
        "answer": way.ladder.answer,
        "steps": [
            {"at": _at(hop.at), "title": hop.title, "state": hop.state, "detail": hop.detail, "source": hop.source}
            for hop in way.ladder.hops
        ],
    }  # fmt: skip


def _at(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)
