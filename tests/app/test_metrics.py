"""/metrics: every name that is documented is there, in a text that Prometheus reads, before and after something happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from quietshift.app import metrics, wire
from quietshift.app.init_command import init
from quietshift.app.parts import loader
from quietshift.app.wire import App
from quietshift.kernel import journal, migrate, secret, timers
from quietshift.kernel.clock import ManualClock
from quietshift.kernel.db import Database
from quietshift.kernel.ops import OpsHolder
from quietshift.kernel.settings import load_settings

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture
def app(tmp_path: Path, database_url: str) -> Iterator[App]:
    CliRunner().invoke(init, [str(tmp_path / "ops")], catch_exceptions=False, standalone_mode=False)
    settings = load_settings({"ops": str(tmp_path / "ops"), "db": database_url}, {"QUIETSHIFT_SECRET_KEY": "k" * 32})
    db = Database.open(database_url)
    migrate.upgrade(db, wire.load_tables)
    key = secret.obtain(db, settings.secret_key)
    made = wire.join(settings, OpsHolder(loader(tmp_path / "ops")), ManualClock(NOW), db, key)
    yield made
    db.close()


def read(app: App) -> dict[str, dict[tuple[str, ...], float]]:
    text = metrics.render(app)[0].decode()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_every_documented_metric_is_there_and_no_other_of_ours(app: App) -> None:
    names = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in read(app)}
    silent = {"quietshift_page_attempts", "quietshift_escalations"}  # have samples once somebody was paged
    ours = {name for name in names if name.startswith("quietshift_")}
    assert set(metrics.METRICS) - silent <= ours <= set(metrics.METRICS)


def test_figures_follow_what_happens(app: App) -> None:
    before = read(app)
    assert before["quietshift_database_up"] == {(): 1}
    assert before["quietshift_overdue_seconds"] == {(): 0}
    with app.db.write() as tx:
        journal.append(tx, NOW, "system", "test", "x:1")
        timers.schedule(tx, "paging.escalate", "1", NOW - timedelta(seconds=40), NOW)
    after = read(app)
    assert after["quietshift_journal_unsealed"][()] == before["quietshift_journal_unsealed"][()] + 1
    assert after["quietshift_timers_pending"][()] == before["quietshift_timers_pending"][()] + 1
    assert after["quietshift_overdue_seconds"] == {(): 40}
    assert any("overdue" in ailment for ailment in app.ailments())


def test_a_database_that_is_gone_is_told_not_raised(app: App) -> None:
    app.db = Database.open("postgresql://nobody@127.0.0.1:1/none")
    assert read(app)["quietshift_database_up"] == {(): 0}
    assert any("cannot be read" in ailment for ailment in app.ailments())
