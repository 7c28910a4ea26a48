"""`/metrics`: what this process and its database say of themselves, in the Prometheus text format.

Figures are read when they are asked for; nothing is counted twice. METRICS is the table that the reference page is checked
against. Names follow Prometheus's conventions: base units, `_total` for counters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from sqlalchemy import ColumnElement, Table, func, select

from quietshift import __version__
from quietshift.kernel import schema
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import QuietshiftError

if TYPE_CHECKING:
    from quietshift.app.wire import App
    from quietshift.paging.store import Lateness

# name -> (kind, labels, meaning)
METRICS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "quietshift_build_info": ("gauge", ("version",), "1, with the version."),
    "quietshift_database_up": ("gauge", (), "1 where the database answers."),
    "quietshift_alerts": ("gauge", ("state",), "Alerts known, by state: active, over."),
    "quietshift_silences_active": ("gauge", (), "Silences in force."),
    "quietshift_incidents_open": ("gauge", ("state",), "Open incidents, by state: triggered, acknowledged."),
    "quietshift_escalations": (
        "gauge", ("state",), "Escalations that are not over, by state; `nobody`, where no one can be reached, has to be 0.",
    ),
    "quietshift_page_lateness_seconds": (
        "histogram", (), "From the instant at which a page's contact was due to its first attempt, over the last 24 hours.",
    ),
    "quietshift_page_attempts": ("gauge", ("channel", "outcome"), "Attempts to reach somebody in the last 24 hours."),
    "quietshift_timers_pending": ("gauge", (), "Timers that wait for their time."),
    "quietshift_outbox_pending": ("gauge", (), "Deliveries that wait or are under way."),
    "quietshift_parked": ("gauge", ("table",), "Rows that were given up and wait for a person: has to be 0."),
    "quietshift_overdue_seconds": ("gauge", (), "How late the latest work is; 0 where nothing is late."),
    "quietshift_engine_stuck": ("gauge", (), "Loops of the engine that do not come round: has to be 0."),
    "quietshift_journal_unsealed": ("gauge", (), "Acts on record that are not sealed yet."),
    "quietshift_config_reload_refused": ("gauge", (), "1 where the last reload was refused: the old one is in force."),
}  # fmt: skip
DAY = timedelta(hours=24)


def render(app: App) -> tuple[bytes, str]:
    """The page's text and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Collector(app))
    for collector in app.collectors:
        registry.register(collector)
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Collector:
    def __init__(self, app: App) -> None:
        self.app = app

    def collect(self) -> Iterator[Metric]:
        yield _gauge("quietshift_build_info", {(__version__,): 1})
        yield _gauge("quietshift_engine_stuck", {(): len(self.app.worker.stuck())})
        yield _gauge("quietshift_config_reload_refused", {(): int(bool(self.app.ops.problems))})
        now = self.app.clock.now()
        try:
            with self.app.db.read() as tx:
                found = [*self._ground(tx, now), *self._rooms(tx, now)]
        except QuietshiftError:
            yield _gauge("quietshift_database_up", {(): 0})
            return
        yield _gauge("quietshift_database_up", {(): 1})
        yield from found

    def _ground(self, tx: Tx, now: datetime) -> Iterable[Metric]:
        timers, outbox = schema.timers, schema.outbox
        parked = {
            ("timers",): _count(tx, timers, timers.c.parked_at.is_not(None)),
            ("outbox",): _count(tx, outbox, outbox.c.state == "parked"),
        }
        yield _gauge("quietshift_parked", parked)
        yield _gauge("quietshift_timers_pending", {(): _count(tx, timers, timers.c.parked_at.is_(None))})
        yield _gauge("quietshift_outbox_pending", {(): _count(tx, outbox, outbox.c.state != "parked")})
        yield _gauge("quietshift_overdue_seconds", {(): self.app.worker.overdue(tx, now).total_seconds()})
        sealed = _count(tx, schema.journal_seals)
        yield _gauge("quietshift_journal_unsealed", {(): max(_count(tx, schema.journal) - sealed, 0)})

    def _rooms(self, tx: Tx, now: datetime) -> Iterable[Metric]:
        from quietshift.alerts import store as alerts
        from quietshift.incidents import store as incidents
        from quietshift.incidents.model import State
        from quietshift.paging import store as paging
        from quietshift.paging.model import EscalationState

        known = alerts.count_by_state(tx, now)
        yield _gauge("quietshift_alerts", {(state,): count for state, count in known.items()})
        yield _gauge("quietshift_silences_active", {(): len(alerts.all_silences(tx, now))})
        opened = incidents.count_by_state(tx)
        by_state = {(str(state),): opened.get(state, 0) for state in (State.TRIGGERED, State.ACKNOWLEDGED)}
        yield _gauge("quietshift_incidents_open", by_state)
        running = {state: count for state, count in paging.counts(tx).items() if state is not EscalationState.STOPPED}
        yield _gauge("quietshift_escalations", {(str(state),): count for state, count in running.items()})
        yield _lateness(paging.lateness(tx, now - DAY))
        yield _gauge("quietshift_page_attempts", paging.attempt_counts(tx, now - DAY))


def _count(tx: Tx, table: Table, *where: ColumnElement[bool]) -> int:
    return int(tx.execute(select(func.count()).select_from(table).where(*where)).scalar_one())


def _gauge(name: str, values: Mapping[Any, float]) -> Metric:
    _, labels, meaning = METRICS[name]
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _lateness(measured: Lateness) -> Metric:
    name = "quietshift_page_lateness_seconds"
    buckets = [(str(bound.total_seconds()), float(count)) for bound, count in sorted(measured.buckets.items())]
    family = HistogramMetricFamily(name, METRICS[name][2])
    family.add_metric([], [*buckets, ("+Inf", float(measured.count))], sum_value=measured.total)
    return family
