"""Figures under Alertmanager's names, for `quietshift alertmanager`: what its mixin's rules and dashboards ask for, and nothing
that would have to be made up. What is sent is counted by the process that sends it, from its start, as Alertmanager does."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quietshift.kernel.outbox import Answer, Delivery, OutboxKind
from quietshift.kernel.registries import Registry

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from quietshift.app.wire import App

# name -> (kind, labels, meaning); docs/reference/alertmanager.md has the same table
METRICS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "alertmanager_build_info": ("gauge", ("version", "revision"), "1, with the version of the API and ours."),
    "alertmanager_alerts": ("gauge", ("state",), "Alerts by state: active, suppressed."),
    "alertmanager_silences": ("gauge", ("state",), "Silences by state: active, pending, expired."),
    "alertmanager_notifications": ("counter", ("integration",), "Notifications begun."),
    "alertmanager_notifications_failed": ("counter", ("integration",), "Notifications given up."),
    "alertmanager_notification_requests": ("counter", ("integration",), "Attempts to send one."),
    "alertmanager_notification_requests_failed": ("counter", ("integration",), "Attempts that failed."),
    "alertmanager_notification_latency_seconds": ("histogram", ("integration",), "How long an attempt took."),
    "alertmanager_config_hash": ("gauge", (), "Changes with the configuration."),
    "alertmanager_config_last_reload_successful": ("gauge", (), "1 where the last reload was taken."),
    "alertmanager_config_last_reload_success_timestamp_seconds": ("gauge", (), "When the configuration in force was read."),
    "alertmanager_receivers": ("gauge", (), "Receivers of the configuration."),
    "alertmanager_integrations": ("gauge", (), "Integrations of all receivers."),
    "alertmanager_cluster_enabled": ("gauge", (), "1 where --cluster.listen-address is not empty."),
    "alertmanager_cluster_members": ("gauge", (), "Members that are up, this one among them."),
}
BOUNDS = (1.0, 5.0, 10.0, 15.0, 20.0)  # seconds; Alertmanager's


class Counts:
    """What this process sends. `count` before the worker starts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begun: Counter[str] = Counter()
        self.given_up: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()  # microseconds
        self.within: Counter[tuple[str, float]] = Counter()
        self.integrations: list[str] = []

    def count(self, registry: Registry) -> None:
        """Count what each integration sends from now on."""
        for name, kind in registry.outbox.items():
            if name.startswith("notify."):
                integration = name.removeprefix("notify.")
                self.integrations.append(integration)
                registry.outbox[name] = replace(kind, send=self._counted(kind, integration))

    def _counted(self, kind: OutboxKind, integration: str) -> Callable[[Delivery], Answer]:
        def send(delivery: Delivery) -> Answer:
            began = time.monotonic()
            answer = Answer("temporary")
            try:
                answer = kind.send(delivery)
            finally:
                self._note(kind, integration, delivery, answer, time.monotonic() - began)
            return answer

        return send

    def _note(self, kind: OutboxKind, integration: str, delivery: Delivery, answer: Answer, took: float) -> None:
        ends, at = delivery.give_up_at, delivery.attempted_at
        last = answer.outcome == "permanent" or bool(ends and at and at + kind.delay(delivery.attempt) > ends)
        with self._lock:
            self.attempts[integration] += 1
            self.begun[integration] += delivery.attempt == 1
            self.spent[integration] += int(took * 1e6)
            for bound in BOUNDS:
                self.within[integration, bound] += took <= bound
            if answer.outcome != "accepted":
                self.failed[integration] += 1
                self.given_up[integration] += last


class Collector:
    """Reads the figures when they are asked for."""

    def __init__(self, app: App, counts: Counts, *, clustered: bool, loaded_at: Callable[[], float]) -> None:
        self._app, self._counts, self._clustered, self._loaded_at = app, counts, clustered, loaded_at

    def collect(self) -> Iterator[Metric]:
        """For a prometheus_client registry. Without the database, only what needs none."""
        from quietshift import __version__
        from quietshift.alerts.api import AS_ALERTMANAGER
        from quietshift.alerts.model import AlertsConfig
        from quietshift.kernel.errors import QuietshiftError

        counts, config = self._counts, self._app.ops.current.get(AlertsConfig)
        yield _family("alertmanager_build_info", {(AS_ALERTMANAGER, f"quietshift {__version__}"): 1})
        digest = hashlib.sha256(config.original.encode()).digest()
        yield _family("alertmanager_config_hash", {(): int.from_bytes(digest[:6], "big")})
        yield _family("alertmanager_config_last_reload_successful", {(): int(not self._app.ops.problems)})
        yield _family("alertmanager_config_last_reload_success_timestamp_seconds", {(): self._loaded_at()})
        yield _family("alertmanager_receivers", {(): len(config.receivers)})
        yield _family("alertmanager_integrations", {(): sum(len(r.integrations) for r in config.receivers.values())})
        yield _family("alertmanager_cluster_enabled", {(): int(self._clustered)})
        listener = self._app.listener
        yield _family("alertmanager_cluster_members", {(): len(listener.members) if listener is not None else 1})
        for name, values in (
            ("alertmanager_notifications", counts.begun),
            ("alertmanager_notifications_failed", counts.given_up),
            ("alertmanager_notification_requests", counts.attempts),
            ("alertmanager_notification_requests_failed", counts.failed),
        ):
            yield _family(name, {(integration,): values[integration] for integration in counts.integrations})
        yield self._latency()
        try:
            yield from self._stored()
        except QuietshiftError:
            return

    def _latency(self) -> Metric:
        from prometheus_client.core import HistogramMetricFamily

        name = "alertmanager_notification_latency_seconds"
        family, counts = HistogramMetricFamily(name, METRICS[name][2], labels=METRICS[name][1]), self._counts
        for integration in counts.integrations:
            buckets = [(str(bound), float(counts.within[integration, bound])) for bound in BOUNDS]
            buckets.append(("+Inf", float(counts.attempts[integration])))
            family.add_metric([integration], buckets, sum_value=counts.spent[integration] / 1e6)
        return family

    def _stored(self) -> Iterator[Metric]:
        from quietshift.alerts import queries, store

        use, now = self._app.alerts.use, self._app.clock.now()
        with self._app.db.read() as tx:
            shown = len(queries.listed_alerts(use, tx, queries.Wanted(), now))
            suppressed = len(queries.listed_alerts(use, tx, queries.Wanted(active=False), now))
            silences = store.all_silences(tx)
        states = Counter("pending" if s.starts_at > now else "expired" if s.ends_at <= now else "active" for s in silences)
        yield _family("alertmanager_alerts", {("active",): shown - suppressed, ("suppressed",): suppressed})
        yield _family("alertmanager_silences", {(state,): states[state] for state in ("active", "expired", "pending")})


def _family(name: str, values: Mapping[Any, float]) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind, labels, meaning = METRICS[name]
    family = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(name, meaning, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
