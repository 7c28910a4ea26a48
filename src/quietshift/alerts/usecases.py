"""What is done with alerts, each verb in one transaction: take in, regroup, forget, silence."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from quietshift.alerts import decide, notification, silences, store
from quietshift.alerts.decide import Heard
from quietshift.alerts.hot import Hot, Listed
from quietshift.alerts.labels import Labels, digest, fingerprint
from quietshift.alerts.matchers import all_match
from quietshift.alerts.model import Alert, AlertsConfig, Route, Silence, SilenceState
from quietshift.alerts.routing import Place, Router
from quietshift.alerts.store import Group
from quietshift.alerts.wires.alertmanager import Reported
from quietshift.kernel import journal, outbox, timers
from quietshift.kernel.clock import EPOCH, rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.durations import format_duration
from quietshift.kernel.errors import Invalid, NotFound
from quietshift.kernel.timers import Timer

log = logging.getLogger("quietshift.alerts")
GROUP_TIMER = "alerts.group"
FORGET_TIMER = "alerts.forget"
DESK_TIMER = "incidents.group"  # served by the room above
SILENCE_ENDS = "alerts.silence_ends"  # served by paging, which knows how people are reached
DESK = "desk/0"
AT_ONCE = 50  # groups that one transaction of intake flushes
IDLE_GROUP = timedelta(seconds=30)  # an empty group is kept so long: an alert that comes back keeps its rhythm


@dataclass
class Alerting:
    """What the use cases of this room share: the configuration in force, the hot state, since when senders can be heard."""

    config: Callable[[], AlertsConfig]
    hot: Hot
    flush: Callable[[Tx, Mapping[int, datetime], datetime], None]  # groups, each with the instant at which it was due
    heard_since: datetime = EPOCH
    external_url: str = ""
    retention: timedelta = timedelta(hours=120)
    keep_resolved: timedelta = timedelta(minutes=30)
    silence_notice: timedelta = timedelta()  # how long before a silence ends its owner is told; 0: not at all
    routes: dict[str, Route] = field(default_factory=dict)
    router: Router = field(init=False)
    on_received: Callable[[Tx, list[Alert], datetime], None] | None = None  # who listens to alerts: heartbeats
    behind: bool = False  # the groups in the database are not those of the configuration in force yet

    def __post_init__(self) -> None:
        self.take_config()

    def take_config(self) -> None:
        """Follow the configuration in force from here on."""
        config = self.config()
        self.routes = config.by_path()
        self.router = Router(config.route)
        self.hot.watch(config)

    def heard(self) -> Heard:
        return Heard(self.heard_since, self.config().resolve_timeout)

    # -- alerts in -------------------------------------------------------------------------------------------------

    def receive(self, tx: Tx, reports: Sequence[Reported], now: datetime) -> None:
        """Merge what senders report with what is known, put it into its groups, and set their timers."""
        store.take_turn(tx)
        self.refresh(tx)
        heard = self.heard()
        digests = {r.digest for r in reports}
        before = self.hot.known(digests) if self.hot.enabled else store.alerts_by_digest(tx, digests)
        after: dict[int, Alert] = {}
        came: dict[int, datetime] = {}
        for r in reports:
            key, alert = r.digest, r.alert
            came.setdefault(key, alert.updated_at)
            old = after.get(key) or before.get(key)
            if old is not None:
                alert, _ = decide.merge(old, alert, now, heard)
                if self._told_again(old, alert, now):
                    continue
            after[key] = alert
        unknown = [key for key in after if key not in before]
        ids = dict(zip(unknown, store.take_ids(tx, "alerts", len(unknown)), strict=True))
        joining: list[tuple[Alert, datetime]] = []
        for key, alert in after.items():
            known = before.get(key)
            # one that is known to fire since earlier may be what its groups wait for, if they were never flushed
            if not alert.grouped or (known is not None and alert.starts_at < known.starts_at):
                after[key] = member = msgspec.structs.replace(alert, id=ids.get(key, alert.id), grouped=True)
                joining.append((member, came[key]))
        store.insert_alerts(tx, ((key, after[key]) for key in unknown))
        store.update_alerts(tx, (alert for key, alert in after.items() if key in before))
        flushes = self._join(tx, joining, now)
        if self.hot.enabled:
            tx.after_undo(self.hot.invalidate)
            written = self.hot.apply(after)
            tx.after_commit(lambda: self.hot.confirm(written))
        self.wake(tx, flushes, now)
        tx.publish("alerts")
        if self.on_received is not None:
            self.on_received(tx, list(after.values()), now)

    @staticmethod
    def _told_again(old: Alert, new: Alert, now: datetime) -> bool:
        """A sender repeats that an alert is over: nothing happened."""
        return new.ends_at <= now and not old.lease and (old.starts_at, old.ends_at) == (new.starts_at, new.ends_at)

    def refresh(self, tx: Tx) -> None:
        """Read the hot state from the rows, if it is not known or not to be trusted."""
        if self.hot.enabled and self.hot.stale:
            tx.after_undo(self.hot.invalidate)
            written = self.hot.load(store.all_alerts(tx))
            tx.after_commit(lambda: self.hot.confirm(written))

    def _join(self, tx: Tx, alerts: Iterable[tuple[Alert, datetime]], now: datetime) -> list[tuple[int, datetime]]:
        """Make alerts members of the groups of their routes; groups that do not exist yet are made. Returns the groups that have
        to be flushed, and when.

        With each alert: since when it waits for its group, which may be before the server was ready to store it.
        """
        flushes: list[tuple[int, datetime]] = []
        waiting: dict[int, tuple[Place, list[tuple[Alert, datetime]]]] = {}
        places = self.router.places
        for one in alerts:
            for place in places(one[0].labels):
                found = waiting.get(place.digest)
                if found is None:
                    waiting[place.digest] = (place, [one])
                else:
                    found[1].append(one)
        if not waiting:
            return flushes
        standing = store.standing(tx, waiting)
        fresh = {key: place for key, (place, _) in waiting.items() if key not in standing}
        ids = dict(zip(fresh, store.take_ids(tx, "alert_groups", len(fresh)), strict=True))
        new: list[Group] = []
        pairs: list[tuple[int, int]] = []
        for key, (place, joining) in waiting.items():
            group, route = standing.get(key), place.route
            group_id = ids[key] if group is None else group.id
            pairs += [(group_id, alert.id) for alert, _ in joining]
            if group is not None and group.flush_number and not group.idle:
                continue
            earliest, since = min(alert.starts_at for alert, _ in joining), min(since for _, since in joining)
            due = decide.first_flush(route, earliest, now, since)
            if group is None:
                group_key = decide.group_key(route, place.labels)
                new.append(Group(group_id, key, route.path, place.labels, group_key, route.receiver, now, due))
            elif not group.flush_number and due < group.next_flush_at:
                store.update_group(tx, group_id, next_flush_at=due, idle=False)
            elif group.idle:
                due = decide.next_tick(group.next_flush_at, route.group_interval, now)
                store.update_group(tx, group_id, next_flush_at=due, idle=False)
            else:
                continue
            flushes.append((group_id, due))
        store.insert_groups(tx, new)
        store.join_groups(tx, pairs)
        return flushes

    def _set(self, tx: Tx, flushes: Iterable[tuple[int, datetime]], now: datetime) -> None:
        timers.schedule_many(tx, GROUP_TIMER, [(str(group_id), due) for group_id, due in flushes], now)

    def wake(self, tx: Tx, flushes: Sequence[tuple[int, datetime]], now: datetime) -> None:
        """Set the timers of groups, each with the instant at which it is due. Some that are due already (`group_wait: 0s`) are
        flushed at once, in the commit that answers their alerts: a commit and two changes of threads less. How many is
        bounded, for others wait to write."""
        at_once = [(group_id, due) for group_id, due in flushes if due <= now][:AT_ONCE]
        rest = set(flushes) - set(at_once)
        if at_once:
            try:
                with tx.savepoint():
                    self.flush(tx, dict(at_once), now)
            except outbox.STORE_FAILED:
                raise
            except Exception:
                log.exception("groups could not be flushed with their first alerts; their timers do it")
                rest.update(at_once)
        self._set(tx, sorted(rest), now)

    def all_alerts(self, tx: Tx) -> Iterator[Listed]:
        """Every alert that is kept, with its fingerprint."""
        known = self.hot.listed()
        return known if known is not None else ((alert, fingerprint(alert.labels)) for alert in store.all_alerts(tx))

    def firing_sources(self, tx: Tx, now: datetime) -> list[Labels]:
        """Labels of the firing alerts that can inhibit others."""
        if self.hot.enabled:
            return list(self.hot.sources(now, self.heard()))
        rules, heard = self.config().inhibit_rules, self.heard()
        return [
            alert.labels
            for alert in store.all_alerts(tx)
            if not decide.resolved(alert, now, heard) and any(all_match(rule.source, alert.labels) for rule in rules)
        ]

    # -- configuration, memory -------------------------------------------------------------------------------------

    def regroup(self, tx: Tx, now: datetime) -> None:
        """Put every grouped alert into the groups of the configuration in force, and flush them anew. What was told stays
        known, so that nobody is told twice."""
        store.take_turn(tx)
        self.refresh(tx)
        members = store.all_members(tx)
        alerts = {alert.id: alert for group in members.values() for alert in group}
        old = store.groups(tx)
        for group in old:
            timers.cancel(tx, GROUP_TIMER, str(group.id))
        for kind, subject in store.unsent(tx):
            outbox.cancel(tx, kind, subject)
        store.delete_all_groups(tx)
        self._set(tx, self._join(tx, [(alert, now) for alert in alerts.values()], now), now)
        store.set_grouped(tx, alerts)
        self._leave_desk(tx, now)
        tx.after_commit(self._caught_up)

    def _caught_up(self) -> None:
        self.behind = False

    def _leave_desk(self, tx: Tx, now: datetime) -> None:
        """Tell the incident desk of groups that were handed to it and are not its any more."""
        receivers = self.config().receivers
        kept = {(g.receiver, g.group_key) for g in store.groups(tx) if DESK in receivers[g.receiver].integrations}
        for receiver, group_key in store.at_the_desk(tx, DESK):
            if (receiver, group_key) not in kept:
                reason = "the configuration was changed: this group is not paged about any more"
                gone = notification.snapshot(notification.Notice(receiver, group_key, {}, ()), 0, "", reason, now)
                timers.schedule(tx, DESK_TIMER, desk_subject(receiver, group_key), now, now, gone)
                nothing = decide.Told(frozenset(), frozenset(), now)
                store.save_told(tx, group_key, receiver, DESK, nothing, now + self.retention, reason)

    def forget(self, tx: Tx, timer: Timer, now: datetime) -> None:
        """Drop alerts that have been over for a while and what is past its retention; once in a while."""
        store.take_turn(tx)
        self.hot.forget(store.delete_alerts(tx, now - self.keep_resolved))
        store.forget(tx, now, now - self.retention, DESK)
        timers.schedule(tx, FORGET_TIMER, timer.subject, now + timedelta(minutes=15), now)


def desk_subject(receiver: str, group_key: str) -> str:
    """Which group of which receiver the incident desk is told of; short, however long the key is. The receiver stands first, so
    that a storm of one is not what the others wait for."""
    return f"{digest(receiver, '') & 0xFFFF_FFFF:08x}:{digest(receiver, group_key) & 0xFFFF_FFFF_FFFF_FFFF:016x}"


# -- silences ------------------------------------------------------------------------------------------------------------


def set_silence(
    tx: Tx, silence: Silence, actor: str, now: datetime, *, why: str = "", notice: timedelta = timedelta()
) -> str:
    """Create a silence (no id), or change one; returns the id it has now.

    A change that would rewrite history expires the old one and makes a new one. why: of the change, where it is not the
    silence's own comment; notice: how long before its end its owner is told, 0 for not at all. Raises Invalid, NotFound.
    """
    if silence.starts_at >= silence.ends_at:
        raise Invalid("start time must be before end time")
    if silence.ends_at < now:
        raise Invalid("end time can't be in the past")
    wanted = msgspec.structs.replace(silence, updated_at=now)
    why = why or f"{silence.created_by}: {silence.comment}"
    if silence.id:
        old = store.silence(tx, silence.id)
        if old is None:
            raise NotFound(f"silence {silence.id} not found")
        if silences.change_in_place(old, wanted, now):
            _save(tx, wanted, actor, "silence.changed", why, now, notice)
            return silence.id
        if decide.silence_state(old, now) != SilenceState.EXPIRED:
            _save(tx, silences.expire(old, now), actor, "silence.expired", "replaced by a new one", now)
    wanted = msgspec.structs.replace(wanted, id=str(uuid.uuid4()), starts_at=max(silence.starts_at, now))
    _save(tx, wanted, actor, "silence.created", why, now, notice)
    return wanted.id


def extend_silence(
    tx: Tx, silence_id: str, span: timedelta, actor: str, now: datetime, *, why: str = "", notice: timedelta = timedelta()
) -> str:
    """Let a silence end later by so much; one that is over begins anew. Returns the id it has now. Raises NotFound, Invalid."""
    old = store.silence(tx, silence_id)
    if old is None:
        raise NotFound(f"silence {silence_id} not found")
    try:
        later = msgspec.structs.replace(old, ends_at=max(old.ends_at, now) + span)
    except OverflowError:
        raise Invalid("that is too long") from None
    said = f"extended by {format_duration(span)}" + (f": {why}" if why else "")
    return set_silence(tx, later, actor, now, why=said, notice=notice)


def expire_silence(tx: Tx, silence_id: str, actor: str, now: datetime, *, why: str = "") -> None:
    """End a silence now; one that is over stays so. Raises NotFound."""
    old = store.silence(tx, silence_id)
    if old is None:
        raise NotFound(f"silence {silence_id} not found")
    if decide.silence_state(old, now) != SilenceState.EXPIRED:
        _save(tx, silences.expire(old, now), actor, "silence.expired", why, now)


def _save(
    tx: Tx, silence: Silence, actor: str, act: str, why: str, now: datetime, notice: timedelta = timedelta()
) -> None:
    try:
        if act != "silence.expired":
            silences.check(silence)
    except ValueError as error:
        raise Invalid(f"silence invalid: {error}") from None
    store.save_silence(tx, silence)
    due = silences.notice_at(silence, notice, now)
    if due is not None:
        timers.schedule(tx, SILENCE_ENDS, silence.id, due, now)
    else:
        timers.cancel(tx, SILENCE_ENDS, silence.id)
    data = {
        "matchers": [str(m) for m in silence.matchers],
        "starts_at": rfc3339(silence.starts_at),
        "ends_at": rfc3339(silence.ends_at),
    }
    journal.append(tx, now, actor, act, f"silence:{silence.id}", why, data)
    tx.publish("silences")
