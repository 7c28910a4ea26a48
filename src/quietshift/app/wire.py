"""The one file that names every room: who serves which due row, and what is started and stopped with the server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from quietshift.kernel import migrate, secret
from quietshift.kernel.clock import Clock
from quietshift.kernel.db import Database
from quietshift.kernel.errors import QuietshiftError
from quietshift.kernel.ops import Loaded, OpsHolder
from quietshift.kernel.registries import Lane, Panel, Registry
from quietshift.kernel.settings import Settings
from quietshift.kernel.worker import Worker

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from quietshift.alerts.opening import AlertsRoom
    from quietshift.alerts.usecases import Alerting
    from quietshift.kernel.listen import Listener

log = logging.getLogger("quietshift.wire")
OVERDUE = timedelta(seconds=30)  # work that is later than this is not being done


@dataclass
class App:
    """An open Quietshift: everything that doors need."""

    settings: Settings
    clock: Clock
    db: Database
    ops: OpsHolder
    registry: Registry
    worker: Worker
    key: bytes
    alerts: AlertsRoom
    collectors: list[Collector] = field(default_factory=list)  # of /metrics, beside our own
    listener: Listener | None = None  # PostgreSQL: what other processes commit, and who is up

    def start(self) -> None:
        """Take in alerts, hear of other processes, run timers and send."""
        self.alerts.start()
        self.ops.on_change(self.alerts.reload)
        if self.db.dialect == "postgresql":
            from quietshift.kernel.listen import Listener

            self.listener = self.listener or Listener.of(self.db)
            self.listener.start()
        self._beat()
        self.worker.start()
        self.alerts.hear_anew()

    def _beat(self) -> None:
        from quietshift.paging import heartbeat

        if heartbeat.BEAT in self.registry.timers:
            with self.db.write() as tx:
                heartbeat.begin(tx, self.settings.heartbeat_url, self.clock.now())

    def stop(self) -> None:
        """Finish what is under way and let go of the database."""
        self.alerts.stop()
        self.worker.stop()
        if self.listener is not None:
            self.listener.stop()
        self.db.close()

    def ailments(self) -> list[str]:
        """What is wrong with the engine, in words; empty where it turns and nothing is overdue."""
        found = [f"the {name} loop does not come round" for name in self.worker.stuck()]
        try:
            with self.db.read() as tx:
                late = self.worker.overdue(tx, self.clock.now())
        except QuietshiftError as error:
            return [*found, str(error)]
        if late > OVERDUE:
            found.append(f"work is {late.total_seconds():.0f} s overdue")
        return found

    def admin(self, authorization: str) -> str | None:
        """The actor, if this Authorization header carries a token of scope admin."""
        from quietshift.kernel import auth

        presented = auth.bearer_of(authorization)
        if presented is None:
            return None
        try:
            principal = auth.bearer(self.db, presented, self.settings.admin_token, self.clock.now())
        except QuietshiftError:
            return None
        return principal.actor if principal.allows("admin") else None

    def key_for(self, purpose: str) -> bytes:
        """A key for one purpose, derived from the server's secret key."""
        return secret.derive(self.key, purpose)


def load_tables() -> object:
    """Put every room's tables on the metadata."""
    from quietshift.app import tables

    return tables.metadata


def open_ground(settings: Settings) -> tuple[Database, bytes]:
    """Open the database, bring its schema up to date, and find the secret key."""
    db = Database.open(settings.db, exclusive=True)
    migrate.upgrade(db, load_tables)
    return db, secret.obtain(db, settings.secret_key)


def open_app(settings: Settings, holder: OpsHolder, clock: Clock) -> App:
    """Open everything: the database, the rooms on it, the engine (not started yet)."""
    db, key = open_ground(settings)
    return join(settings, holder, clock, db, key)


def join(settings: Settings, holder: OpsHolder, clock: Clock, db: Database, key: bytes, *, above: bool = True) -> App:
    """Join the rooms on an open database. above: with the rooms above `incidents`, which paging does not need."""
    from quietshift.alerts.model import AlertsConfig
    from quietshift.alerts.opening import AlertsRoom
    from quietshift.alerts.sources import Heartbeats

    registry = Registry()
    room = AlertsRoom(
        db, clock, lambda: holder.current.get(AlertsConfig), registry, settings.base_url,
        expected=lambda: holder.current.get(Heartbeats), change_retention=settings.change_retention,
    )  # fmt: skip
    room.use.silence_notice = settings.silence_notice
    _paging(registry, lambda: holder.current, settings, secret.derive(key, "ack-link"), room.use)
    _incidents(registry, lambda: holder.current, settings)
    if above:
        _above(registry, lambda: holder.current)
    worker = Worker(db, clock, registry, secret.derive(key, "journal"))
    return App(settings, clock, db, holder, registry, worker, key, room)


def _paging(registry: Registry, ops: Callable[[], Loaded], settings: Settings, link_key: bytes, alerting: Alerting) -> None:
    from quietshift.alerts.usecases import SILENCE_ENDS
    from quietshift.channels.smarthost import Smarthost
    from quietshift.oncall.people import zone_of
    from quietshift.paging import bundles, heartbeat, senders, silence_notice, store, usecases

    smarthost = None
    if settings.smtp_smarthost:
        smarthost = Smarthost.at(
            settings.smtp_smarthost, tls=settings.smtp_tls, username=settings.smtp_username, password=settings.smtp_password
        )
    way = senders.Way(
        settings.base_url, link_key, settings.ack_link_ttl, smarthost, settings.smtp_from,
        zone_of=lambda user: zone_of(user, ops()),
    )
    for kind in senders.kinds(way):
        registry.sender(kind)
    registry.timer(store.ESCALATE, lambda tx, timer, now: usecases.escalate(tx, timer, now, ops=ops()), Lane.PAGES)
    registry.timer(bundles.WINDOW, lambda tx, timer, now: bundles.window_ended(tx, timer, now, ops=ops()), Lane.PAGES)
    registry.timer(usecases.FAILED, lambda tx, timer, now: usecases.failed(tx, timer, now, ops=ops()), Lane.PAGES)
    registry.sender(silence_notice.kind(smarthost, settings.smtp_from, way.host))
    registry.timer(
        SILENCE_ENDS,
        lambda tx, timer, now: silence_notice.ends(tx, timer, now, ops=ops(), alerting=alerting, base_url=settings.base_url),
    )
    registry.sender(heartbeat.kind(settings.heartbeat_url))
    registry.timer(
        heartbeat.BEAT,
        lambda tx, timer, now: heartbeat.beat(
            tx, timer, now, url=settings.heartbeat_url, interval=settings.heartbeat_interval, kinds=list(registry.outbox)
        ),
    )


def _incidents(registry: Registry, ops: Callable[[], Loaded], settings: Settings) -> None:
    from quietshift.alerts import changes
    from quietshift.alerts.events import ACKNOWLEDGE_TIMER
    from quietshift.incidents import bundles
    from quietshift.incidents import usecases as incidents

    registry.timer(
        "incidents.group", lambda tx, timer, now: incidents.on_group(tx, timer, now, ops=ops(), settings=settings)
    )
    registry.timer(
        incidents.SNOOZE_END, lambda tx, timer, now: incidents.snooze_end(tx, timer, now, ops=ops(), settings=settings)
    )
    registry.timer(ACKNOWLEDGE_TIMER, incidents.event_acknowledged)
    registry.timer(bundles.ACKNOWLEDGE, bundles.go_on)
    registry.panel(
        Panel("What changed", "changes.html", lambda tx, incident, _now: changes.panel(tx, incident.service, incident.opened_at))
    )


def _above(registry: Registry, ops: Callable[[], Loaded]) -> None:
    """Rooms above `incidents` that serve due rows; none does yet: runbooks and learning act at their doors."""
