"""The alerts room alone on its database: what `quietshift alertmanager` opens behind its door."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from quietshift.alerts.api import AlertsApi
from quietshift.alerts.model import AlertsConfig
from quietshift.alerts.opening import AlertsRoom
from quietshift.app.alertmanager_metrics import Collector, Counts
from quietshift.app.wire import App, open_ground
from quietshift.kernel import secret
from quietshift.kernel.clock import Clock
from quietshift.kernel.listen import Listener
from quietshift.kernel.ops import OpsHolder
from quietshift.kernel.registries import Registry
from quietshift.kernel.settings import Settings
from quietshift.kernel.worker import Worker


def open_alerts(
    settings: Settings, holder: OpsHolder, clock: Clock, api: AlertsApi, retention: timedelta, keep_resolved: timedelta,
    listener: Listener | None = None, *, clustered: bool = False,
) -> App:  # fmt: skip
    """Open the database, the room, and its door. listener: on PostgreSQL, one that is started already."""
    db, key = open_ground(settings)
    if listener is not None:
        db.process = listener.process
        listener.attach(db)
    registry = Registry()
    room = AlertsRoom(
        db, clock, lambda: holder.current.get(AlertsConfig), registry, settings.base_url, retention, keep_resolved
    )
    room.listening_since = api.started
    counts = Counts()
    counts.count(registry)
    worker = Worker(db, clock, registry, secret.derive(key, "journal"))
    app = App(settings, clock, db, holder, registry, worker, key, room, listener=listener)
    app.collectors.append(Collector(app, counts, clustered=clustered, loaded_at=_loaded_at(holder, clock)))
    app.start()
    api.open(room.opened)
    return app


def _loaded_at(holder: OpsHolder, clock: Clock) -> Callable[[], float]:
    """When the configuration in force was read, in seconds since 1970."""
    at = clock.now().timestamp()

    def taken(_loaded: object) -> None:
        nonlocal at
        at = clock.now().timestamp()

    holder.on_change(taken)
    return lambda: at
