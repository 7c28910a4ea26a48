"""The alerts room alone on its database: what `quietshift alertmanager` opens behind its door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from quietshift.alerts.api import AlertsApi
from quietshift.alerts.model import AlertsConfig
from quietshift.alerts.opening import AlertsRoom
from quietshift.app.wire import App, load_tables
from quietshift.kernel import migrate, secret
from quietshift.kernel.clock import Clock
from quietshift.kernel.db import Database
from quietshift.kernel.ops import OpsHolder
from quietshift.kernel.registries import Registry
from quietshift.kernel.settings import Settings
from quietshift.kernel.worker import Worker


@dataclass(kw_only=True)
class AlertsApp(App):
    """An open database with one room on it."""

    room: AlertsRoom

    def stop(self) -> None:
        """Store what was taken in, then let go."""
        self.room.stop()
        super().stop()


def open_alerts(
    settings: Settings, holder: OpsHolder, clock: Clock, api: AlertsApi, retention: timedelta, keep_resolved: timedelta
) -> App:
    """Open the database, the room, and its door."""
    db = Database.open(settings.db, exclusive=True)
    migrate.upgrade(db, load_tables)
    key = secret.obtain(db, settings.secret_key)
    registry = Registry()
    room = AlertsRoom(
        db, clock, lambda: holder.current.get(AlertsConfig), registry, settings.base_url, retention, keep_resolved
    )
    worker = Worker(db, clock, registry, secret.derive(key, "journal"))
    app = AlertsApp(settings, clock, db, holder, registry, worker, key, room=room)
    room.start(api.started)
    holder.on_change(room.reload)
    api.open(room.opened)
    return app
