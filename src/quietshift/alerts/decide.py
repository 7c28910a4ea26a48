"""Decisions about alerts: merge, resolve, route, group, mute, notify. Pure; each answers with its reason.

The rules are Alertmanager's. One differs on purpose: after a downtime an alert does not resolve by silence until its sender
has had one full `resolve_timeout` to be heard again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from quietshift.alerts import intervals, labels
from quietshift.alerts.intervals import Interval
from quietshift.alerts.labels import Labels
from quietshift.alerts.matchers import all_match
from quietshift.alerts.model import Alert, InhibitRule, Route, Silence, SilenceState


@dataclass(frozen=True)
class Heard:
    """Since when senders can be heard without a break, and how long one may be silent before that means something."""

    since: datetime
    resolve_timeout: timedelta

    @property
    def until(self) -> datetime:
        """End of the grace after the last break."""
        return self.since + self.resolve_timeout


def end(alert: Alert, heard: Heard) -> datetime:
    """When the alert ends as far as silence can tell: an end that lay ahead when it was received, before a break in hearing,
    is put off to the end of the grace."""
    if alert.lease and alert.updated_at < heard.since and alert.ends_at < heard.until:
        return heard.until
    return alert.ends_at


def resolved(alert: Alert, now: datetime, heard: Heard) -> bool:
    """Whether the alert is over at this instant."""
    return end(alert, heard) <= now


def accept(
    label_set: Labels,
    annotations: Labels,
    starts_at: datetime | None,
    ends_at: datetime | None,
    generator_url: str,
    now: datetime,
    resolve_timeout: timedelta,
) -> Alert:
    """The episode that a sender reports. Without a start it starts now (or at its end), without an end it ends by silence.

    Raises ValueError for what is no alert.
    """
    start = starts_at or ends_at or now
    until = ends_at or now + resolve_timeout
    if until < start and ends_at is None:  # the sender's clock is far ahead: that it is firing is what counts
        start = now
    if until < start:
        raise ValueError("it ends before it starts")
    if not label_set:
        raise ValueError("at least one label pair is required")
    return Alert(label_set, annotations, start, until, now, ends_at is None, until > now, generator_url)


def merge(old: Alert, new: Alert, now: datetime, heard: Heard) -> tuple[Alert, str]:
    """What is known after `new` was received, `old` being known: the same episode where their times overlap, else a new one.

    Of one episode the earliest start holds. Its end is the reported one, but an explicit end that is later wins over one that
    silence set, and the later of two ends in the past. Source: Alertmanager, types.Alert.Merge, provider/mem.
    """
    old_end = end(old, heard)
    if not (new.starts_at < old_end and new.ends_at > old.starts_at):
        return msgspec.structs.replace(new, id=old.id, grouped=old.grouped), "a new episode: the one before was over"
    ends_at = new.ends_at
    if new.ends_at <= now:
        if new.ends_at < old_end <= now:
            ends_at = old.ends_at
    elif old.ends_at > new.ends_at and not old.timeout:
        ends_at = old.ends_at
    start = min(old.starts_at, new.starts_at)
    known = msgspec.structs.replace(new, id=old.id, grouped=old.grouped, starts_at=start, ends_at=ends_at, lease=ends_at > now)
    return known, "the same episode"


def worth_writing(stored_end: datetime, new_end: datetime, now: datetime, resolve_timeout: timedelta) -> bool:
    """Whether a repeat that only moves the end has to be on disk: the stored end is a lease, renewed when it lags by a quarter
    of `resolve_timeout` or by half of what is left, so that a crash forgets only what the sender sends again."""
    lag = new_end - stored_end
    twice = lag + lag  # with every repeat: sums cost a fraction of what quotients do
    return twice >= new_end - now or twice + twice >= resolve_timeout


# -- routing and grouping ------------------------------------------------------------------------------------------------


def match(route: Route, label_set: Labels) -> list[Route]:
    """The routes that take an alert: depth first, the deepest of each branch, until one that does not continue."""
    if not all_match(route.matchers, label_set):
        return []
    found: list[Route] = []
    for child in route.routes:
        taken = match(child, label_set)
        found += taken
        if taken and not child.continues:
            break
    return found or [route]


def group_labels(route: Route, label_set: Labels) -> Labels:
    """The labels that tell the groups of a route apart."""
    if route.group_by_all:
        return label_set
    return {name: value for name, value in label_set.items() if name in route.group_by}


def group_key(route: Route, of: Labels) -> str:
    """Alertmanager's key of a group: `{}/{a="b"}:{alertname="X"}`."""
    return f"{route.key}:{labels.text(of)}"


def first_flush(route: Route, starts_at: datetime, now: datetime, since: datetime) -> datetime:
    """When a group that was never flushed is: group_wait after `since`, or at once where its alert has been firing for longer."""
    try:
        return now if starts_at < now - route.group_wait else max(now, since + route.group_wait)
    except OverflowError:  # a group_wait longer than time
        return since


def next_tick(tick: datetime, interval: timedelta, after: datetime) -> datetime:
    """The first instant after `after` of a rhythm that has a beat at `tick`; `tick` itself where it lies ahead."""
    return tick if tick > after else tick + ((after - tick) // interval + 1) * interval


# -- muting --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mute:
    """Why an alert is not notified. kind: inhibited | silenced | muted | inactive; by: fingerprints, silences or intervals."""

    kind: str
    by: tuple[str, ...]

    def __str__(self) -> str:
        words = {
            "inhibited": "inhibited by alert", "silenced": "silenced by", "muted": "muted by time interval",
            "inactive": "outside of the active time interval",
        }
        return f"{words[self.kind]} {', '.join(self.by)}"


def silence_state(silence: Silence, now: datetime) -> SilenceState:
    """pending before its start, expired from its end on."""
    if now < silence.starts_at:
        return SilenceState.PENDING
    return SilenceState.ACTIVE if now < silence.ends_at else SilenceState.EXPIRED


def silenced_by(silences: Iterable[Silence], label_set: Labels, now: datetime) -> tuple[str, ...]:
    """Ids of the active silences that fit, sorted."""
    return tuple(
        sorted(s.id for s in silences if silence_state(s, now) == SilenceState.ACTIVE and all_match(s.matchers, label_set))
    )


class Inhibition:
    """Which alerts are inhibited while these, by their labels, are firing. One that fulfils both sides of a rule is not
    inhibited by others that do so too."""

    def __init__(self, rules: Sequence[InhibitRule], firing: Iterable[Labels]) -> None:
        listed = list(firing)
        self._rules = [(rule, _by_values(rule, listed)) for rule in rules]

    def by(self, label_set: Labels) -> str | None:
        """The fingerprint of a firing alert that inhibits this one; None where none does."""
        for rule, sources in self._rules:
            if not sources or not all_match(rule.target, label_set):
                continue
            both = all_match(rule.source, label_set)
            for other in sources.get(_values(rule, label_set), ()):
                if not (both and all_match(rule.target, other)):
                    return labels.fingerprint(other)
        return None


def _values(rule: InhibitRule, label_set: Labels) -> tuple[str, ...]:
    return tuple(label_set.get(name, "") for name in rule.equal)


def _by_values(rule: InhibitRule, firing: Iterable[Labels]) -> dict[tuple[str, ...], list[Labels]]:
    found: dict[tuple[str, ...], list[Labels]] = {}
    for other in firing:
        if all_match(rule.source, other):
            found.setdefault(_values(rule, other), []).append(other)
    return found


def inhibited_by(rules: Sequence[InhibitRule], label_set: Labels, firing: Iterable[Labels]) -> str | None:
    """The fingerprint of a firing alert that inhibits this one; None where none does."""
    return Inhibition(rules, firing).by(label_set)


def route_mute(route: Route, times: Mapping[str, Interval], now: datetime) -> Mute | None:
    """Whether the route as a whole says nothing at this instant."""
    active = route.active_time_intervals
    if active and not any(intervals.contains(times.get(name, ()), now) for name in active):
        return Mute("inactive", active)
    muting = tuple(name for name in route.mute_time_intervals if intervals.contains(times.get(name, ()), now))
    return Mute("muted", muting) if muting else None


def mute_changes_at(route: Route, times: Mapping[str, Interval], now: datetime) -> datetime | None:
    """Until when the route says nothing, or may speak: whichever holds now; None: no change within a year."""
    spans = [span for name in (*route.active_time_intervals, *route.mute_time_intervals) for span in times.get(name, ())]
    return intervals.next_change(lambda at: route_mute(route, times, at) is not None, spans, now)


# -- notifying -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What an integration was last told of a group, successfully: identities of firing and resolved alerts, and when."""

    firing: frozenset[int]
    resolved: frozenset[int]
    at: datetime


@dataclass(frozen=True)
class Verdict:
    """Whether an integration is told now, and why (or why not)."""

    tell: bool
    reason: str


def needs_update(
    told: Told | None, firing: frozenset[int], over: frozenset[int], repeat: timedelta, send_resolved: bool, now: datetime
) -> Verdict:
    """Whether a group's state is news to an integration. Source: Alertmanager, notify.DedupStage."""
    if told is None:
        return Verdict(True, "first notification") if firing else Verdict(False, "never notified, and nothing is firing")
    if not firing <= told.firing:
        return Verdict(True, "new alerts are firing")
    if not firing:
        if told.firing:
            return Verdict(True, "all resolved")
        return Verdict(False, "resolved before anybody was told")
    if send_resolved and not over <= told.resolved:
        return Verdict(True, "more alerts are resolved")
    if told.at < now - repeat:
        return Verdict(True, "repeat_interval has passed")
    return Verdict(False, "unchanged")


def repeat_at(told_at: datetime, repeat: timedelta, next_flush_at: datetime, interval: timedelta) -> datetime:
    """When an unchanged group is told again: at the first of its flushes, one each group_interval, at which more than
    repeat_interval has passed."""
    due = told_at + repeat
    return next_flush_at if next_flush_at > due else next_tick(next_flush_at, interval, due)


def retry_delay(attempt: int, spread: float) -> timedelta:
    """How long to wait after so many failed attempts: from half a second, half as long again each time, at most a minute, give
    or take half. spread: a random number from 0 to 1."""
    base = min(0.5 * 1.5 ** min(attempt - 1, 20), 60.0)
    return timedelta(seconds=base * (0.5 + spread))
