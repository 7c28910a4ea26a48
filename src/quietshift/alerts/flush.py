"""Groups are due: decide who is told, and hand it to the outbox and to the incident desk; then note what came of it.

Many groups are flushed in one transaction, with as many statements as one takes: it is the same as flushing them one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from quietshift.alerts import decide, flush_store, labels, notification, store
from quietshift.alerts.decide import Mute, Told, Verdict
from quietshift.alerts.flush_store import Entry
from quietshift.alerts.labels import Labels
from quietshift.alerts.matchers import all_match
from quietshift.alerts.model import Alert, Desk, Integration, Route
from quietshift.alerts.notification import Notice
from quietshift.alerts.store import Group
from quietshift.alerts.usecases import DESK_TIMER, GROUP_TIMER, IDLE_GROUP, Alerting, desk_subject
from quietshift.kernel import outbox, timers
from quietshift.kernel.db import Tx
from quietshift.kernel.outbox import Message, Result
from quietshift.kernel.timers import Timer

PATIENCE = timedelta(seconds=10)  # the least time that a notification is tried again, however short group_interval is
SHOWN = 100  # alerts named in one decision

State = tuple[Alert, bool]  # an alert, and whether it is over


def due(use: Alerting, tx: Tx, due: Sequence[Timer], now: datetime) -> None:
    """Timers `alerts.group`: tell each integration of the groups' receivers what is news to it, and set the next flushes."""
    flush(use, tx, {int(timer.subject): timer.due_at for timer in due}, now)


def flush(use: Alerting, tx: Tx, due: Mapping[int, datetime], now: datetime) -> None:
    """Flush these groups, each due at an instant."""
    store.take_turn(tx)
    use.refresh(tx)
    if use.behind:
        use.regroup(tx, now)
        return
    found = flush_store.groups(tx, due)
    known = {g.id: route for g in found.values() if (route := _route(use, g)) is not None}
    # another process has regrouped the others: it knows the routes, this one will soon
    strange = [(str(group_id), now + timedelta(seconds=5)) for group_id in found if group_id not in known]
    timers.schedule_many(tx, GROUP_TIMER, strange, now)
    states = _states(use, tx, known, now)
    flush_store.delete_groups(tx, [group_id for group_id in known if not states[group_id]])
    groups = [found[group_id] for group_id in due if states.get(group_id)]
    while groups:  # once, but for routes that share a receiver and a group key: what one was told, the other takes into account
        first = {(group.receiver, group.group_key): group for group in reversed(groups)}
        _Flush(use, tx, now, list(first.values()), states).run(known, due)
        groups = [group for group in groups if first[group.receiver, group.group_key] is not group]
    tx.publish("alerts")


def _route(use: Alerting, group: Group) -> Route | None:
    route = use.routes.get(group.route)
    return route if route is not None and decide.group_key(route, group.labels) == group.group_key else None


def _states(use: Alerting, tx: Tx, ids: Collection[int], now: datetime) -> dict[int, list[State]]:
    members = flush_store.members(tx, ids)
    rows = [alert for alerts in members.values() for alert in alerts]
    settled = use.hot.settle(rows, now, use.heard())
    # the last end heard of what is over now may be in memory alone
    changed = (alert for row, (alert, over) in zip(rows, settled, strict=True) if over and alert is not row)
    store.update_alerts(tx, {alert.id: alert for alert in changed}.values())
    rest = iter(settled)
    return {
        group_id: sorted((next(rest) for _ in alerts), key=lambda state: labels.notification_order(state[0].labels))
        for group_id, alerts in members.items()
    }


def _next_flush(group: Group, route: Route, due_at: datetime, now: datetime) -> datetime:
    """One group_interval after this one was due; an extra flush in between leaves the rhythm as it was."""
    if group.flush_number and now < group.next_flush_at:
        return group.next_flush_at
    following = due_at + route.group_interval
    return following if following > now else now + route.group_interval


class _Muting:
    """Why alerts are not notified at this instant; what that depends on is read once."""

    def __init__(self, use: Alerting, tx: Tx, now: datetime) -> None:
        self._use, self._tx, self._now = use, tx, now
        self._config = use.config()
        self._silences = store.current_silences(tx, now)
        self._sources: list[Labels] | None = None

    def of(self, route: Route, states: Sequence[State]) -> dict[int, Mute]:
        """By the alerts' ids."""
        rules, now = self._config.inhibit_rules, self._now
        found: dict[int, Mute] = {}
        if rules and any(all_match(rule.target, alert.labels) for rule in rules for alert, _ in states):
            if self._sources is None:
                self._sources = self._use.firing_sources(self._tx, now)
            for alert, _ in states:
                by = decide.inhibited_by(rules, alert.labels, self._sources)
                if by is not None:
                    found[alert.id] = Mute("inhibited", (by,))
        whole = decide.route_mute(route, self._config.intervals, now)
        for alert, _ in states:
            if alert.id in found:
                continue
            ids = decide.silenced_by(self._silences, alert.labels, now) if whole is None else ()
            if whole is not None or ids:
                found[alert.id] = whole or Mute("silenced", ids)
        return found


@dataclass
class _Flush:
    """A flush of many groups: what is decided is gathered, and saved at once."""

    use: Alerting
    tx: Tx
    now: datetime
    groups: Sequence[Group]
    states: Mapping[int, Sequence[State]]
    _messages: dict[str, list[Message]] = field(default_factory=dict)
    _desk: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _lines: list[tuple[Entry, str, str, dict[str, Any]]] = field(default_factory=list)
    _decided: list[tuple[Entry, str, datetime]] = field(default_factory=list)
    _told: list[tuple[Entry, Told, datetime]] = field(default_factory=list)
    _flushed: list[tuple[int, int, datetime, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._receivers = self.use.config().receivers
        self._muting = _Muting(self.use, self.tx, self.now)
        self._digests = {group.id: labels.digest(group.receiver, group.group_key) for group in self.groups}
        self._books = flush_store.told(self.tx, list(self._digests.values()))
        self._under_way = self._call_off()

    def _call_off(self) -> set[tuple[str, str]]:
        """Take back what is not sent yet, for this flush knows better. What is being sent at this moment, is waited for: a
        receiver hears things in their order."""
        before = {
            (f"notify.{integration.kind}", _subject(group, key))
            for group in self.groups
            if group.flush_number
            for key, integration in self._receivers[group.receiver].integrations.items()
            if not isinstance(integration, Desk)
        }
        return outbox.call_off(self.tx, before, self.now) if before else set()

    def run(self, routes: Mapping[int, Route], due: Mapping[int, datetime]) -> None:
        """Decide about each group, and write it all."""
        for group in self.groups:
            route = routes[group.id]
            self._take(group, route, _next_flush(group, route, due[group.id], self.now))
        self._save()

    def _take(self, group: Group, route: Route, following: datetime) -> None:
        states = self.states[group.id]
        mutes = self._muting.of(route, states)
        waiting = 0
        for key, integration in self._receivers[group.receiver].integrations.items():
            entry = Entry(self._digests[group.id], key, group.receiver, group.group_key)
            waiting += _Turn(self, group, route, entry, integration).take(states, mutes)
        self._flushed.append((group.id, group.flush_number + 1, following, waiting))

    def _save(self) -> None:
        tx, now = self.tx, self.now
        flush_store.note(tx, now, self._lines)
        flush_store.save_told(tx, self._told)
        flush_store.save_decisions(tx, self._decided)
        over = [(group.id, alert) for group in self.groups for alert, is_over in self.states[group.id] if is_over]
        flush_store.mark_over(tx, over)
        flush_store.flushed(tx, self._flushed)
        timers.schedule_many(tx, GROUP_TIMER, [(str(group_id), at) for group_id, _, at, _ in self._flushed], now)
        for kind, messages in self._messages.items():
            outbox.enqueue_many(tx, kind, messages, now, leased=True)
        for subject, told in self._desk:
            timers.schedule(tx, DESK_TIMER, subject, now, now, told)
        _finish(self.use, tx, [group_id for group_id, _, _, waiting in self._flushed if not waiting], now)


def _subject(group: Group, key: str) -> str:
    return f"{group.id}/{key}"


def _finish(use: Alerting, tx: Tx, groups: Collection[int], now: datetime) -> None:
    """Everybody was told of these groups: what is over leaves them. An empty group is kept for a moment."""
    left, empty = flush_store.leave(tx, groups)
    use.hot.ungroup(left)
    timers.schedule_many(tx, GROUP_TIMER, [(str(group_id), now + IDLE_GROUP) for group_id in empty], now)


@dataclass
class _Turn:
    """One integration's turn in the flush of a group."""

    flush: _Flush
    group: Group
    route: Route
    entry: Entry
    integration: Integration

    def __post_init__(self) -> None:
        self.now = self.flush.now
        self.told, self.last_decision = self.flush._books.get((self.entry.digest, self.entry.integration), (None, ""))

    def take(self, states: Sequence[State], mutes: Mapping[int, Mute]) -> int:
        """Decide, and act on it. Returns how many answers there are to wait for: 0 or 1."""
        heard_of = [(alert, over) for alert, over in states if alert.id not in mutes or self._owed(alert, over)]
        firing = frozenset(labels.identity(alert.labels) for alert, over in heard_of if not over)
        over = frozenset(labels.identity(alert.labels) for alert, is_over in heard_of if is_over)
        if heard_of:
            verdict = decide.needs_update(
                self.told, firing, over, self.route.repeat_interval, self.integration.send_resolved, self.now
            )
        else:
            verdict = Verdict(False, "; ".join(sorted({str(mute) for mute in mutes.values()})))
        shown = [state for state in heard_of if self.integration.send_resolved or not state[1]]
        news = Told(firing, over, self.now)
        waiting = 0
        if (f"notify.{self.integration.kind}", self._subject) in self.flush._under_way:
            verdict = Verdict(False, f"{verdict.reason}; but the last notification is being sent: right after it")
            waiting = 1
        elif verdict.tell and not shown:
            verdict = Verdict(False, f"{verdict.reason}, which it does not want to hear (send_resolved: false)")
            self._save(news)
        elif verdict.tell:
            waiting = self._tell(shown, news, verdict)
        self._note(verdict, shown, mutes, states)
        return waiting

    def _owed(self, alert: Alert, over: bool) -> bool:
        """The desk hears that an alert is over although it is muted: an incident must not stay open for it."""
        if not isinstance(self.integration, Desk) or not over or self.told is None:
            return False
        return labels.identity(alert.labels) in self.told.firing

    @property
    def _subject(self) -> str:
        return _subject(self.group, self.entry.integration)

    @property
    def _expires_at(self) -> datetime:
        return self.now + min(2 * self.route.repeat_interval, self.flush.use.retention)

    def _tell(self, shown: Sequence[State], news: Told, verdict: Verdict) -> int:
        group = self.group
        notice = Notice(group.receiver, group.group_key, group.labels, shown, self.flush.use.external_url)
        if isinstance(self.integration, Desk):
            told = notification.snapshot(notice, group.id, self.integration.escalation_policy, verdict.reason, self.now)
            self.flush._desk.append((desk_subject(group.receiver, group.group_key), told))
            self._save(news)
            return 0
        payload: dict[str, Any] = {
            "group_id": group.id, "flush": group.flush_number + 1, "group_key": group.group_key, "receiver": group.receiver,
            "integration": self.entry.integration, "firing": sorted(news.firing), "resolved": sorted(news.resolved),
            "repeat_interval": self.route.repeat_interval.total_seconds(),
            "body": notification.webhook(notice, self.integration.most_alerts),
        }
        give_up_at = self.now + max(self.route.group_interval, PATIENCE)
        message = Message(f"{group.receiver}/{self.entry.integration}", payload, self._subject, give_up_at)
        self.flush._messages.setdefault(f"notify.{self.integration.kind}", []).append(message)
        return 1

    def _save(self, news: Told) -> None:
        self.flush._told.append((self.entry, news, self._expires_at))

    def _note(self, verdict: Verdict, shown: Sequence[State], mutes: Mapping[int, Mute], states: Sequence[State]) -> None:
        """Keep the decision, unless it is the last one once more."""
        muted = {labels.fingerprint(a.labels): str(mutes[a.id]) for a, _ in states[:SHOWN] if a.id in mutes}
        outcome = "told" if verdict.tell else "kept"
        summary = f"{outcome}: {verdict.reason}" + "".join(f"; {fp} {why}" for fp, why in muted.items())
        if summary == self.last_decision and not verdict.tell:
            return
        detail = {
            "firing": [labels.fingerprint(a.labels) for a, over in shown[:SHOWN] if not over],
            "resolved": [labels.fingerprint(a.labels) for a, over in shown[:SHOWN] if over],
            "alerts": len(states),
            "muted": muted,
        }
        self.flush._lines.append((self.entry, outcome, verdict.reason, detail))
        self.flush._decided.append((self.entry, summary, self._expires_at))


def record(use: Alerting, tx: Tx, results: Sequence[Result], now: datetime) -> None:
    """What came of notifications: only a success counts as told. A failure is tried again, at the latest by the next flush."""
    store.take_turn(tx)
    told: list[tuple[Entry, Told, datetime]] = []
    lines: list[tuple[Entry, str, str, dict[str, Any]]] = []
    for delivery, answer in results:
        p = delivery.payload
        entry = Entry(labels.digest(p["receiver"], p["group_key"]), p["integration"], p["receiver"], p["group_key"])
        accepted = answer.outcome == "accepted"
        if accepted:
            expires_at = now + min(2 * timedelta(seconds=p["repeat_interval"]), use.retention)
            told.append((entry, Told(frozenset(p["firing"]), frozenset(p["resolved"]), now), expires_at))
        if accepted or delivery.final or delivery.attempt == 1:
            detail = {"attempt": delivery.attempt, "code": answer.code, "final": delivery.final}
            lines.append((entry, "sent" if accepted else "failed", answer.text, detail))
    flush_store.save_told(tx, told)
    flush_store.note(tx, now, lines)
    _close(use, tx, [(d, a) for d, a in results if a.outcome == "accepted" or d.final], now)


def _close(use: Alerting, tx: Tx, results: Sequence[Result], now: datetime) -> None:
    """Of these nothing more is to be heard: their groups wait for less, or for nothing."""
    groups = flush_store.groups(tx, {delivery.payload["group_id"] for delivery, _ in results})
    waited: list[tuple[str, datetime]] = []
    waiting: dict[int, tuple[int, bool]] = {}
    for delivery, answer in results:
        group = groups.get(delivery.payload["group_id"])
        if group is None:
            continue
        if group.flush_number != delivery.payload["flush"]:  # a later flush has waited for this one
            waited.append((str(group.id), now))
            continue
        count, failed = waiting.get(group.id, (group.open_deliveries, group.failed))
        accepted = answer.outcome == "accepted"
        waiting[group.id] = count - accepted, failed or not accepted
    timers.schedule_many(tx, GROUP_TIMER, waited, now)
    flush_store.answered(tx, [(group_id, count, failed) for group_id, (count, failed) in waiting.items()])
    done = [group_id for group_id, (count, failed) in waiting.items() if not count and not failed]
    _finish(use, tx, done, now)
