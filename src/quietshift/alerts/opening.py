"""Opens this room on a database: what it serves, what it remembers, since when it hears."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

import msgspec
from sqlalchemy import Connection, text

from quietshift.alerts import event_store, events, flush, heartbeats, senders, store
from quietshift.alerts.api import Opened
from quietshift.alerts.hot import Hot
from quietshift.alerts.intake import Intake
from quietshift.alerts.model import AlertsConfig
from quietshift.alerts.sources import Heartbeats
from quietshift.alerts.usecases import FORGET_TIMER, GROUP_TIMER, Alerting
from quietshift.kernel import timers
from quietshift.kernel.clock import Clock, parse_rfc3339, rfc3339
from quietshift.kernel.db import Database, Tx, get_meta, set_meta
from quietshift.kernel.errors import Unavailable
from quietshift.kernel.live import DEAF, Committed
from quietshift.kernel.registries import Lane, Registry
from quietshift.kernel.timers import Timer

log = logging.getLogger("quietshift.alerts")
TREE = "alerts.tree"  # which routes the groups in the database belong to
HEARD_SINCE = "alerts.heard_since"
ALIVE = "hashtextextended('quietshift.alive.' || current_schema(), 0)"  # the lock that every process shares while it lives
FORGET_EVENTS = "alerts.forget_events"
KEEP_REQUESTS = timedelta(days=1)  # how long may be asked what became of a request to Opsgenie's API


class AlertsRoom:
    """The room, open. `start` before the worker starts, `stop` after it has stopped."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        config: Callable[[], AlertsConfig],
        registry: Registry,
        external_url: str = "",
        retention: timedelta = timedelta(hours=120),
        keep_resolved: timedelta = timedelta(minutes=30),
        expected: Callable[[], Heartbeats] = Heartbeats,
        change_retention: timedelta = timedelta(days=30),
    ) -> None:
        self._db, self._clock, self._expected, self._change_retention = db, clock, expected, change_retention
        self.use = Alerting(
            config, Hot(db.dialect == "sqlite"), self._flush,
            external_url=external_url, retention=retention, keep_resolved=keep_resolved,
        )
        self.use.on_received = lambda tx, alerts, now: heartbeats.told(self.use, tx, expected(), alerts, now)
        self.intake = Intake(db, self.use, clock)
        self.listening_since: datetime | None = None  # when the door was opened: before, senders could not be heard
        self._was_away = self._was_deaf = False
        self._alive: Connection | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        registry.timer(GROUP_TIMER, timers.Together(store.take_turn, partial(flush.due, self.use)), Lane.GROUPS)
        registry.timer(FORGET_TIMER, timers.InTurn(store.take_turn, self.use.forget))
        registry.timer(heartbeats.TIMER, timers.InTurn(store.take_turn, self._missed))
        registry.timer(FORGET_EVENTS, self._forget_events)
        registry.timer(events.CLOSE_TIMER, timers.InTurn(store.take_turn, partial(events.close, self.use)))
        for kind in senders.kinds(self.use):
            registry.sender(kind)

    def _flush(self, tx: Tx, due: Mapping[int, datetime], now: datetime) -> None:
        flush.flush(self.use, tx, due, now)

    @property
    def opened(self) -> Opened:
        """What the API needs."""
        return Opened(self._db, self.use, self.intake)

    def start(self) -> None:
        """Read what is known, follow routes that were changed in the meantime, and begin to take in alerts."""
        now = self._clock.now()
        alone = self._alone()
        with self._db.write() as tx:
            self.use.heard_since = self._hear(tx, alone, now)
            self.use.refresh(tx)
            tree = _tree(self.use.config())
            if get_meta(tx, TREE) != tree:
                self.use.regroup(tx, now)
                set_meta(tx, TREE, tree)
            if timers.get(tx, FORGET_TIMER, "all") is None:
                timers.schedule(tx, FORGET_TIMER, "all", now + timedelta(minutes=15), now)
            if timers.get(tx, FORGET_EVENTS, "all") is None:
                timers.schedule(tx, FORGET_EVENTS, "all", now + timedelta(hours=1), now)
            heartbeats.follow(self.use, tx, self._expected(), now, deaf=alone)
        self._unsubscribe = self._db.live.subscribe(self._deaf)
        self.intake.start()
        threading.Thread(target=senders.warm_up, args=(self.use,), name="qs-warm-up", daemon=True).start()

    def stop(self) -> None:
        """Store what was taken in, and let go."""
        self.intake.stop()
        self._unsubscribe()
        if self._alive is not None:
            self._alive.close()
            self._alive = None

    def reload(self, _loaded: object = None) -> None:
        """Follow the configuration that is in force from now on; where the store does not take it, the next flush does."""
        self.use.take_config()
        self.use.behind = True
        try:
            with self._db.write() as tx:
                self.use.regroup(tx, self._clock.now())
                set_meta(tx, TREE, _tree(self.use.config()))
                heartbeats.follow(self.use, tx, self._expected(), self._clock.now(), deaf=False)
        except Unavailable as error:
            log.error("the new routes are followed as soon as the store is back: %s", error)

    def _deaf(self, message: Committed) -> None:
        """While PostgreSQL cannot be reached nobody can be heard, through whichever process: their silence means nothing."""
        if DEAF in message.topics:
            self.use.heard_since = self._clock.now()
            self._was_deaf = True
        elif "*" in message.topics and self._was_deaf:
            self._was_deaf = False
            threading.Thread(target=self._hear_again, name="qs-hear", daemon=True).start()

    def _hear_again(self) -> None:
        """Who starts from now on has to know of the break too."""
        try:
            with self._db.write() as tx:
                since = self._clock.now()
                set_meta(tx, HEARD_SINCE, rfc3339(since))
        except Unavailable as error:
            log.error("the break is not on record: %s", error)
            self._was_deaf = True
        else:
            self.use.heard_since = since

    def _forget_events(self, tx: Tx, timer: Timer, now: datetime) -> None:
        """Drop changes and requests that are past their retention; once in a while."""
        event_store.forget(tx, now - self._change_retention, now - KEEP_REQUESTS)
        timers.schedule(tx, FORGET_EVENTS, timer.subject, now + timedelta(hours=1), now)

    def _missed(self, tx: Tx, timer: Timer, now: datetime) -> None:
        heartbeats.missed(self.use, tx, timer, now, heartbeats=self._expected())

    def _alone(self) -> bool:
        """Whether no other process was taking in alerts until now: then nobody could be heard."""
        if self._db.dialect == "sqlite":
            return True
        self._alive = self._db.raw_engine().connect().execution_options(isolation_level="AUTOCOMMIT")
        alone = self._alive.execute(text(f"SELECT pg_try_advisory_lock({ALIVE})")).scalar_one()
        self._alive.execute(text(f"SELECT pg_advisory_lock_shared({ALIVE})"))
        if alone:
            self._alive.execute(text(f"SELECT pg_advisory_unlock({ALIVE})"))
        return bool(alone)

    def _hear(self, tx: Tx, alone: bool, now: datetime) -> datetime:
        """Since when senders are heard: a database without a past was never away, so since the door listens; else since now,
        and `hear_anew` puts it off to the instant at which the door is open again."""
        known = get_meta(tx, HEARD_SINCE)
        if known is not None and not alone:
            return parse_rfc3339(known)
        self._was_away = known is not None
        since = now if self._was_away else self.listening_since or now
        set_meta(tx, HEARD_SINCE, rfc3339(since))
        return since

    def hear_anew(self) -> None:
        """The server is ready. After a break, silence means something again one full resolve_timeout from here."""
        if not self._was_away:
            return
        with self._db.write() as tx:
            since = self._clock.now()
            set_meta(tx, HEARD_SINCE, rfc3339(since))
        self.use.heard_since = since


def _tree(config: AlertsConfig) -> str:
    """Tells routing trees apart."""
    parts = [
        (r.path, r.key, r.receiver, sorted(r.group_by), r.group_by_all, r.continues) for r in config.route.walk()
    ]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
