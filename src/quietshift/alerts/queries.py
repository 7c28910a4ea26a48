"""What is known, as the API asks for it: alerts, groups, silences. Each question is one reading transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec

from quietshift.alerts import decide, silences, store
from quietshift.alerts.decide import Heard
from quietshift.alerts.labels import Labels, Order, notification_orders
from quietshift.alerts.matchers import Matchers, compiled, filter_matches
from quietshift.alerts.model import Alert, Silence, SilenceState
from quietshift.alerts.store import Group
from quietshift.alerts.usecases import Alerting
from quietshift.alerts.wires.alertmanager import (
    AlertAnswer,
    GroupAnswer,
    Named,
    alert_answer,
    receivers_answer,
    silence_answer,
    status_answer,
)
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


_Verdict = tuple[tuple[str, ...], tuple[str, ...]]  # by which silences an alert is silenced, by which alerts inhibited


class _Shown(msgspec.Struct, frozen=True, gc=False):
    alert: Alert
    fingerprint: str
    verdict: _Verdict


class _Muted:
    """By what alerts are silenced and inhibited at one instant."""

    def __init__(self, use: Alerting, tx: Tx, now: datetime) -> None:
        rules = use.config().inhibit_rules
        self._now = now
        self._silences = store.all_silences(tx, ending_after=now)
        self._inhibition = decide.Inhibition(rules, use.firing_sources(tx, now)) if rules else None

    def of(self, labels: Labels) -> _Verdict:
        by = self._inhibition.by(labels) if self._inhibition else None
        silenced = decide.silenced_by(self._silences, labels, self._now) if self._silences else ()
        return silenced, (by,) if by else ()


def _fits(wanted: Wanted, labels: Labels, silenced: tuple[str, ...], inhibited: tuple[str, ...]) -> bool:
    if not (silenced or inhibited) and not wanted.active:
        return False
    if (silenced and not wanted.silenced) or (inhibited and not wanted.inhibited):
        return False
    return filter_matches(wanted.filter, labels)


def alerts(use: Alerting, tx: Tx, wanted: Wanted, now: datetime) -> list[dict[str, Any]]:
    """The alerts that are not over, by fingerprint, as plain values."""
    found: list[dict[str, Any]] = msgspec.to_builtins(listed_alerts(use, tx, wanted, now))
    return found


def listed_alerts(use: Alerting, tx: Tx, wanted: Wanted, now: datetime) -> list[AlertAnswer]:
    """The alerts that are not over, by fingerprint."""
    heard, fits = use.heard(), wanted.receiver_fits()
    muted = _Muted(use, tx, now)
    found = []
    for alert, fingerprint in use.all_alerts(tx):
        if _over(alert, now, heard):
            continue
        receivers = tuple([route.receiver for route in use.router.routes(alert.labels)])
        if not any(map(fits, receivers)):
            continue
        verdict = muted.of(alert.labels)
        if _fits(wanted, alert.labels, *verdict):
            end = decide.end(alert, heard)
            found.append(alert_answer(alert, fingerprint, end, receivers_answer(receivers), status_answer(*verdict)))
    found.sort(key=attrgetter("fingerprint"))
    return found


def _over(alert: Alert, now: datetime, heard: Heard) -> bool:
    return decide.end(alert, heard) < now


def listed_groups(use: Alerting, tx: Tx, wanted: Wanted, now: datetime) -> list[GroupAnswer]:
    """The groups with the alerts in them that are not over."""
    heard, fits = use.heard(), wanted.receiver_fits()
    muted = _Muted(use, tx, now)
    shown: dict[int, _Shown] = {}
    for alert, fingerprint in use.all_alerts(tx):
        if not _over(alert, now, heard):
            verdict = muted.of(alert.labels)
            if _fits(wanted, alert.labels, *verdict):
                shown[alert.id] = _Shown(alert, fingerprint, verdict)
    members = store.member_ids(tx)
    by_interval = _muted_routes(use, now)
    chosen: list[tuple[Group, list[_Shown]]] = []
    receivers: dict[int, tuple[str, ...]] = {}
    for group in store.groups(tx):
        if not fits(group.receiver) or (group.route in by_interval and not wanted.muted):
            continue
        kept = [shown[alert_id] for alert_id in members.get(group.id, ()) if alert_id in shown]
        for one in kept:
            receivers[one.alert.id] = (*receivers.get(one.alert.id, ()), group.receiver)
        if kept:
            chosen.append((group, kept))
    chosen.sort(key=lambda pair: (Order(pair[0].labels), pair[0].receiver))
    return [
        GroupAnswer(
            [
                alert_answer(
                    one.alert, one.fingerprint, decide.end(one.alert, heard),
                    receivers_answer(tuple(sorted(receivers[one.alert.id]))),
                    status_answer(*one.verdict, by_interval.get(group.route, ())),
                )
                for one in _in_order(kept)
            ],
            group.labels,
            Named(group.receiver),
        )
        for group, kept in chosen
    ]  # fmt: skip


def _in_order(kept: Sequence[_Shown]) -> list[_Shown]:
    keys = notification_orders([one.alert.labels for one in kept])
    return [kept[i] for i in sorted(range(len(kept)), key=keys.__getitem__)]


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
    return next((alert for alert, fingerprint in use.all_alerts(tx) if fingerprint == wanted), None)
