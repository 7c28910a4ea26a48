"""A group is due: decide who is told, and hand it to the outbox and to the incident desk; then note what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from quietshift.alerts import decide, labels, notification, store
from quietshift.alerts.decide import Mute, Told, Verdict
from quietshift.alerts.matchers import all_match
from quietshift.alerts.model import Alert, Desk, Integration, Route
from quietshift.alerts.notification import Notice
from quietshift.alerts.store import Group
from quietshift.alerts.usecases import DESK_TIMER, GROUP_TIMER, IDLE_GROUP, Alerting, desk_subject
from quietshift.kernel import outbox, timers
from quietshift.kernel.db import Tx
from quietshift.kernel.outbox import Answer, Delivery
from quietshift.kernel.timers import Timer

PATIENCE = timedelta(seconds=10)  # the least time that a notification is tried again, however short group_interval is
SHOWN = 100  # alerts named in one decision

State = tuple[Alert, bool]  # an alert, and whether it is over


def flush_group(use: Alerting, tx: Tx, timer: Timer, now: datetime) -> None:
    """Timer `alerts.group`: tell each integration of the group's receiver what is news to it, and set the next flush."""
    store.take_turn(tx)
    use.refresh(tx)
    if use.behind:
        use.regroup(tx, now)
        return
    group = store.group(tx, int(timer.subject))
    if group is None:
        return
    route = use.routes.get(group.route)
    if route is None or decide.group_key(route, group.labels) != group.group_key:
        timers.schedule(tx, GROUP_TIMER, timer.subject, now + timedelta(seconds=5), now)  # another process has regrouped: it
        return  # knows the routes, this one will soon
    states = _states(use, tx, group, now)
    if not states:
        store.delete_group(tx, group.id)
        return
    number = group.flush_number + 1
    mutes = _mutes(use, tx, route, states, now)
    waiting = 0
    for key, integration in use.config().receivers[group.receiver].integrations.items():
        waiting += _Turn(use, tx, group, number, key, integration, route, now).take(states, mutes)
    following = _next_flush(group, route, timer, now)
    store.mark_over(tx, group.id, [alert for alert, over in states if over])
    store.update_group(
        tx, group.id, flush_number=number, next_flush_at=following, open_deliveries=waiting, failed=False, idle=False
    )
    timers.schedule(tx, GROUP_TIMER, timer.subject, following, now)
    if not waiting:
        _finish(use, tx, group.id, following, now)
    tx.publish("alerts")


def _states(use: Alerting, tx: Tx, group: Group, now: datetime) -> list[State]:
    rows = store.members(tx, group.id)
    states = use.hot.settle(rows, now, use.heard())
    # the last end heard of what is over now may be in memory alone
    store.update_alerts(tx, (alert for row, (alert, over) in zip(rows, states, strict=True) if over and alert is not row))
    return sorted(states, key=lambda state: labels.notification_order(state[0].labels))


def _next_flush(group: Group, route: Route, timer: Timer, now: datetime) -> datetime:
    """One group_interval after this one was due; an extra flush in between leaves the rhythm as it was."""
    if group.flush_number and now < group.next_flush_at:
        return group.next_flush_at
    following = timer.due_at + route.group_interval
    return following if following > now else now + route.group_interval


def _finish(use: Alerting, tx: Tx, group_id: int, next_flush_at: datetime, now: datetime) -> None:
    """Everybody was told: what is over leaves the group. An empty group is kept for a moment."""
    left, empty = store.leave_group(tx, group_id)
    use.hot.ungroup(left)
    if empty:
        store.update_group(tx, group_id, idle=True)
        timers.schedule(tx, GROUP_TIMER, str(group_id), min(next_flush_at, now + IDLE_GROUP), now)


def _mutes(use: Alerting, tx: Tx, route: Route, states: Sequence[State], now: datetime) -> dict[int, Mute]:
    """Why alerts are not notified, by their id."""
    config = use.config()
    found: dict[int, Mute] = {}
    if any(all_match(rule.target, alert.labels) for rule in config.inhibit_rules for alert, _ in states):
        firing = use.firing_sources(tx, now)
        for alert, _ in states:
            by = decide.inhibited_by(config.inhibit_rules, alert.labels, firing)
            if by is not None:
                found[alert.id] = Mute("inhibited", (by,))
    whole = decide.route_mute(route, config.intervals, now)
    current = store.all_silences(tx, ending_after=now)
    for alert, _ in states:
        if alert.id in found:
            continue
        ids = decide.silenced_by(current, alert.labels, now) if whole is None else ()
        if whole is not None or ids:
            found[alert.id] = whole or Mute("silenced", ids)
    return found


class _Turn:
    """One integration's turn in a flush."""

    def __init__(
        self, use: Alerting, tx: Tx, group: Group, number: int, key: str, integration: Integration, route: Route, now: datetime
    ) -> None:
        self.use, self.tx, self.group, self.number, self.key = use, tx, group, number, key
        self.integration, self.route, self.now = integration, route, now
        self.told, self.last_decision = store.told(tx, group.group_key, group.receiver).get(key, (None, ""))

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
        if self._call_off():
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
        return f"{self.group.id}/{self.key}"

    def _call_off(self) -> bool:
        """Take back what is not sent yet, for this flush knows better. True where it is being sent at this moment: then this
        flush waits for it, so that a receiver hears things in their order."""
        if isinstance(self.integration, Desk) or not self.group.flush_number:
            return False
        kind = f"notify.{self.integration.kind}"
        if not outbox.cancel(self.tx, kind, self._subject):
            return False
        return store.under_way(self.tx, kind, self._subject, self.now)

    def _tell(self, shown: Sequence[State], news: Told, verdict: Verdict) -> int:
        group = self.group
        notice = Notice(group.receiver, group.group_key, group.labels, shown, self.use.external_url)
        if isinstance(self.integration, Desk):
            told = notification.snapshot(notice, group.id, self.integration.escalation_policy, verdict.reason, self.now)
            timers.schedule(self.tx, DESK_TIMER, desk_subject(group.receiver, group.group_key), self.now, self.now, told)
            self._save(news)
            return 0
        payload: dict[str, Any] = {
            "group_id": group.id, "flush": self.number, "group_key": group.group_key, "receiver": group.receiver,
            "integration": self.key, "firing": sorted(news.firing), "resolved": sorted(news.resolved),
            "repeat_interval": self.route.repeat_interval.total_seconds(),
            "body": notification.webhook(notice, self.integration.most_alerts),
        }
        outbox.enqueue(
            self.tx, f"notify.{self.integration.kind}", f"{group.receiver}/{self.key}", payload, self.now,
            subject=self._subject, give_up_at=self.now + max(self.route.group_interval, PATIENCE), leased=True,
        )
        return 1

    def _save(self, news: Told) -> None:
        expires_at = self.now + min(2 * self.route.repeat_interval, self.use.retention)
        store.save_told(self.tx, self.group.group_key, self.group.receiver, self.key, news, expires_at)

    def _note(self, verdict: Verdict, shown: Sequence[State], mutes: Mapping[int, Mute], states: Sequence[State]) -> None:
        """Keep the decision, unless it is the last one once more."""
        muted = {labels.fingerprint(a.labels): str(mutes[a.id]) for a, _ in states[:SHOWN] if a.id in mutes}
        outcome = "told" if verdict.tell else "kept"
        summary = f"{outcome}: {verdict.reason}" + "".join(f"; {fp} {why}" for fp, why in muted.items())
        if summary == self.last_decision and not verdict.tell:
            return
        group = self.group
        detail = {
            "firing": [labels.fingerprint(a.labels) for a, over in shown[:SHOWN] if not over],
            "resolved": [labels.fingerprint(a.labels) for a, over in shown[:SHOWN] if over],
            "alerts": len(states),
            "muted": muted,
        }
        store.note(self.tx, self.now, group.group_key, group.receiver, self.key, outcome, verdict.reason, detail)
        expires_at = self.now + min(2 * self.route.repeat_interval, self.use.retention)
        store.save_told(self.tx, group.group_key, group.receiver, self.key, None, expires_at, summary)


def record(use: Alerting, tx: Tx, delivery: Delivery, answer: Answer, now: datetime) -> None:
    """What came of a notification: only a success counts as told. A failure is tried again, at the latest by the next flush."""
    store.take_turn(tx)
    p = delivery.payload
    key, receiver, integration = p["group_key"], p["receiver"], p["integration"]
    accepted = answer.outcome == "accepted"
    if accepted:
        repeat = timedelta(seconds=p["repeat_interval"])
        news = Told(frozenset(p["firing"]), frozenset(p["resolved"]), now)
        store.save_told(tx, key, receiver, integration, news, now + min(2 * repeat, use.retention))
    if accepted or delivery.final or delivery.attempt == 1:
        detail = {"attempt": delivery.attempt, "code": answer.code, "final": delivery.final}
        store.note(tx, now, key, receiver, integration, "sent" if accepted else "failed", answer.text, detail)
    group = store.group(tx, p["group_id"])
    if group is None or not (accepted or delivery.final):
        return
    if group.flush_number != p["flush"]:  # a later flush has waited for this one
        timers.schedule(tx, GROUP_TIMER, str(group.id), now, now)
        return
    waiting = group.open_deliveries - accepted
    store.update_group(tx, group.id, open_deliveries=waiting, failed=group.failed or not accepted)
    if not waiting and not group.failed and accepted:
        _finish(use, tx, group.id, group.next_flush_at, now)
