"""What is known, as the API asks for it: alerts, groups, silences. Each question is one reading transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quietshift.alerts import decide, silences, store
from quietshift.alerts.decide import Heard
from quietshift.alerts.labels import Labels, Order, fingerprint, notification_order
from quietshift.alerts.matchers import Matchers, compiled, filter_matches
from quietshift.alerts.model import Alert, Silence, SilenceState
from quietshift.alerts.usecases import Alerting
from quietshift.alerts.wires.alertmanager import alert_answer, group_answer, silence_answer
from quietshift.kernel.db import Tx


@dataclass(frozen=True)
class Wanted:
    """Which alerts a request asks for. receiver: a pattern for the names of receivers; None: any."""

    filter: Matchers = ()
    receiver: str | None = None
    active: bool = True
    silenced: bool = True
    inhibited: bool = True
    muted: bool = True  # groups that a time interval mutes

    def receiver_fits(self) -> Callable[[str], bool]:
        """Raises ValueError for a pattern that is none."""
        return compiled(self.receiver) if self.receiver is not None else lambda _name: True


class _Muted:
    """By what alerts are silenced and inhibited at one instant."""

    def __init__(self, use: Alerting, tx: Tx, now: datetime) -> None:
        self._rules, self._now = use.config().inhibit_rules, now
        self._silences = store.all_silences(tx, ending_after=now)
        self._firing: Sequence[Labels] = use.firing_sources(tx, now) if self._rules else ()

    def of(self, labels: Labels) -> tuple[tuple[str, ...], tuple[str, ...]]:
        by = decide.inhibited_by(self._rules, labels, self._firing) if self._firing else None
        return decide.silenced_by(self._silences, labels, self._now), (by,) if by else ()


def _fits(wanted: Wanted, labels: Labels, silenced: tuple[str, ...], inhibited: tuple[str, ...]) -> bool:
    if not (silenced or inhibited) and not wanted.active:
        return False
    if (silenced and not wanted.silenced) or (inhibited and not wanted.inhibited):
        return False
    return filter_matches(wanted.filter, labels)


def alerts(use: Alerting, tx: Tx, wanted: Wanted, now: datetime) -> list[dict[str, Any]]:
    """The alerts that are not over, by fingerprint."""
    heard, root, fits = use.heard(), use.config().route, wanted.receiver_fits()
    muted = _Muted(use, tx, now)
    found = []
    for alert in use.hot.renewed(store.all_alerts(tx)):
        if _over(alert, now, heard):
            continue
        receivers = [route.receiver for route in decide.match(root, alert.labels)]
        if not any(map(fits, receivers)):
            continue
        silenced, inhibited = muted.of(alert.labels)
        if _fits(wanted, alert.labels, silenced, inhibited):
            found.append(alert_answer(alert, decide.end(alert, heard), receivers, silenced, inhibited))
    return sorted(found, key=lambda answer: str(answer["fingerprint"]))


def _over(alert: Alert, now: datetime, heard: Heard) -> bool:
    return decide.end(alert, heard) < now


def groups(use: Alerting, tx: Tx, wanted: Wanted, now: datetime) -> list[dict[str, Any]]:
    """The groups with the alerts in them that are not over."""
    heard, fits = use.heard(), wanted.receiver_fits()
    muted = _Muted(use, tx, now)
    members = store.all_members(tx)
    by_interval = _muted_routes(use, now)
    chosen = []
    receivers: dict[int, list[str]] = {}
    for group in store.groups(tx):
        if not fits(group.receiver) or (group.route in by_interval and not wanted.muted):
            continue
        kept = []
        for alert in use.hot.renewed(members.get(group.id, ())):
            verdict = muted.of(alert.labels)
            if not _over(alert, now, heard) and _fits(wanted, alert.labels, *verdict):
                kept.append((alert, verdict))
                receivers.setdefault(alert.id, []).append(group.receiver)
        if kept:
            chosen.append((group, kept))
    chosen.sort(key=lambda pair: (Order(pair[0].labels), pair[0].receiver))
    return [
        group_answer(
            group.receiver,
            group.labels,
            [
                alert_answer(
                    alert, decide.end(alert, heard), sorted(receivers[alert.id]), *verdict, by_interval.get(group.route, ())
                )
                for alert, verdict in sorted(kept, key=lambda pair: notification_order(pair[0].labels))
            ],
        )
        for group, kept in chosen
    ]


def _muted_routes(use: Alerting, now: datetime) -> dict[str, tuple[str, ...]]:
    """The routes that say nothing now, each by the names of the time intervals."""
    mutes = ((path, decide.route_mute(route, use.config().intervals, now)) for path, route in use.routes.items())
    return {path: mute.by for path, mute in mutes if mute is not None}


def listed_silences(tx: Tx, wanted: Matchers, now: datetime, states: Collection[SilenceState]) -> list[dict[str, Any]]:
    """Silences in these states that have all of these matchers: active, pending, expired."""
    every = (s for s in store.all_silences(tx) if decide.silence_state(s, now) in states)
    found = [s for s in every if set(wanted) <= set(s.matchers)]
    return [silence_answer(s, now) for s in sorted(found, key=lambda s: silences.listing_order(s, now))]


def silence(tx: Tx, silence_id: str) -> Silence | None:
    """A silence by its id."""
    return store.silence(tx, silence_id)


def by_fingerprint(use: Alerting, tx: Tx, wanted: str) -> Alert | None:
    """The alert with this fingerprint, over or not, as long as it is kept."""
    return next((a for a in use.hot.renewed(store.all_alerts(tx)) if fingerprint(a.labels) == wanted), None)
