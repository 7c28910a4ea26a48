"""The alerts room on a real database, its time driven by hand; what it sends goes to a real HTTP server, or into a list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quietshift.alerts import config, queries
from quietshift.alerts.model import AlertsConfig
from quietshift.alerts.opening import AlertsRoom
from quietshift.alerts.wires.alertmanager import decode
from quietshift.kernel import outbox, timers
from quietshift.kernel.clock import ManualClock, rfc3339
from quietshift.kernel.db import Database, Tx
from quietshift.kernel.errors import Problems
from quietshift.kernel.outbox import Answer, Delivery, OutboxKind
from quietshift.kernel.registries import Registry
from quietshift.kernel.schema import metadata
from quietshift.kernel.timers import Timer

START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
DEFAULT = """
route: {receiver: hook, group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 1h}
receivers:
  - name: hook
    webhook_configs: [{url: 'http://receiver.invalid/'}]
"""


class World:
    """One server of alerts. Seconds count from the start of the test."""

    def __init__(self, url: str, text: str, policies: dict[str, str] | None = None) -> None:
        self.clock = ManualClock(START)
        self.url, self.policies = url, policies or {}
        self.config = self._read(text)
        self.sent: list[tuple[float, dict[str, Any]]] = []  # when, and the body of each webhook that got through
        self.desk: list[tuple[float, dict[str, Any]]] = []
        self.down = False  # the receiver answers 503
        self.attempts = 0
        self._open()

    def _read(self, text: str) -> AlertsConfig:
        problems = Problems()
        made = config.load(text.encode(), "alertmanager.yml", problems, self.policies)
        problems.raise_errors()
        return made

    def _open(self) -> None:
        self.db = Database.open(self.url)
        metadata.create_all(self.db.raw_engine())
        self.registry = Registry()
        self.room = AlertsRoom(self.db, self.clock, lambda: self.config, self.registry)
        real = self.registry.outbox["notify.webhook"]
        self.kinds = {"notify.webhook": OutboxKind(real.kind, self._send, real.record, lambda _n: timedelta(seconds=5), 10_000)}
        self.registry.timer("incidents.group", self._desk)
        self.room.start()

    def _send(self, delivery: Delivery) -> Answer:
        self.attempts += 1
        if self.down:
            return Answer("temporary", "503 Service Unavailable", 503)
        self.sent.append((self.seconds, delivery.payload["body"]))
        return Answer("accepted", "200 OK", 200)

    def _desk(self, _tx: Tx, timer: Timer, _now: datetime) -> None:
        self.desk.append((self.seconds, timer.payload))

    # -- time ------------------------------------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        return (self.clock.now() - START).total_seconds()

    def run(self, until: float) -> None:
        """Let time pass: everything due is done when it is due."""
        end = START + timedelta(seconds=until)
        while True:
            with self.db.read() as tx:
                dues = [timers.next_due(tx), outbox.next_due(tx, list(self.kinds))]
            due = min((d for d in dues if d is not None), default=end)
            if due > end:
                break
            self.clock.set(max(due, self.clock.now()))
            before = self.attempts, due
            timers.run_due(self.db, self.registry.timers, self.clock.now())
            outbox.run_due(self.db, self.kinds, self.clock.now())
            if due == end and before == (self.attempts, due):
                break
        self.clock.set(max(end, self.clock.now()))

    def restart(self, after: float = 0) -> None:
        """Stop, be away for so many seconds, and start again on the same database."""
        self.close()
        self.clock.advance(timedelta(seconds=after))
        self._open()

    def reload(self, text: str) -> None:
        self.config = self._read(text)
        self.room.reload()

    def close(self) -> None:
        self.room.stop()
        self.db.close()

    # -- senders ---------------------------------------------------------------------------------------------------

    def post(self, *alerts: dict[str, Any]) -> None:
        """As a request does: absorb, then store in one transaction. Each: labels, and start, end in seconds."""
        body = json.dumps([posted(alert) for alert in alerts]).encode()
        reports, errors = self.room.use.hot.absorb(decode(body), self.clock.now(), self.config.resolve_timeout)
        assert not errors, errors
        if reports:
            with self.db.write() as tx:
                self.room.use.receive(tx, reports, self.clock.now())

    def listed(self, **wanted: Any) -> list[dict[str, Any]]:
        with self.db.read() as tx:
            return queries.alerts(self.room.use, tx, queries.Wanted(**wanted), self.clock.now())

    def told(self) -> list[tuple[float, str, list[str], list[str]]]:
        """When, status, names of the firing and of the resolved alerts: of each notification."""
        return [
            (
                when,
                body["status"],
                [_name(a) for a in body["alerts"] if a["status"] == "firing"],
                [_name(a) for a in body["alerts"] if a["status"] == "resolved"],
            )
            for when, body in self.sent
        ]


def _name(alert: dict[str, Any]) -> str:
    return str(alert["labels"].get("host") or alert["labels"]["alertname"])


def posted(alert: dict[str, Any]) -> dict[str, Any]:
    labels = {"alertname": "X"} | {k: v for k, v in alert.items() if k not in ("start", "end", "annotations")}
    made: dict[str, Any] = {"labels": labels, "annotations": alert.get("annotations", {})}
    for name, key in (("start", "startsAt"), ("end", "endsAt")):
        if name in alert:
            made[key] = rfc3339(START + timedelta(seconds=alert[name]))
    return made


@pytest.fixture
def make_world(database_url: str) -> Iterator[Any]:
    made: list[World] = []

    def make(text: str = DEFAULT, policies: dict[str, str] | None = None) -> World:
        made.append(World(database_url, text, policies))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(make_world: Any) -> World:
    return make_world()
