"""What repeats is counted from the pages and incidents on record, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from quietshift.catalog.model import Ref
from quietshift.incidents import store as incidents
from quietshift.incidents.model import Incident, Verdict
from quietshift.kernel.db import Database
from quietshift.kernel.errors import Invalid
from quietshift.kernel.ops import Loaded
from quietshift.kernel.schema import metadata
from quietshift.learning import answers, usecases
from quietshift.oncall.model import Oncall, Schedule
from quietshift.paging.tables import pages
from quietshift.runbooks.config import parse
from quietshift.runbooks.model import Runbooks

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
STORAGE = "group:default/storage"


@pytest.fixture
def ops() -> Loaded:
    loaded = Loaded()
    schedules = {
        name: Schedule(name, Ref.parse("storage", "group"), ZoneInfo(zone))
        for name, zone in (("b-backup", "Asia/Tokyo"), ("a-first", "Europe/Berlin"))
    }
    loaded.put(Oncall(schedules))
    loaded.put(Runbooks({"Known": parse("Known", "# Known\n1. act\n")}))
    return loaded


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database.open(database_url)
    metadata.create_all(database.raw_engine())
    yield database
    database.close()


def page(tx, number, alertname, person, due_at, *, verdict=None, incident=True):
    if incident:
        opened = Incident(
            id=number, group=f"g{number}", receiver="r", title=alertname, escalation_policy="p", opened_at=due_at,
            updated_at=due_at, alertname=alertname, owner=STORAGE, verdict=verdict,
        )  # fmt: skip
        incidents.add(tx, opened)
    row = SimpleNamespace(
        id=f"{number}-{person}", incident_id=number, person=person, turn=1, stage="step", step=1, round=1, due_at=due_at,
        reason="on call", rungs=1, state="open",
    )  # fmt: skip
    tx.execute(insert(pages), vars(row))


@pytest.fixture
def paged(db):
    with db.write() as tx:
        night = datetime(2026, 11, 20, 1, tzinfo=UTC)  # 02:00 in Berlin, 10:00 in Tokyo
        page(tx, 1, "DiskWillFill", "ana", night, verdict=Verdict.NOISE)
        page(tx, 1, "DiskWillFill", "bo", night + timedelta(minutes=5), incident=False)
        page(tx, 2, "Known", "ana", NOW)
        page(tx, 3, "Old", "ana", NOW - timedelta(weeks=5))
        test = {"id": "test", "person": "ana", "turn": 0, "stage": "test", "round": 0, "due_at": NOW, "reason": "", "rungs": 1}
        tx.execute(insert(pages), {**test, "state": "test"})
    return db


def test_pages_of_the_last_weeks_are_ranked_and_test_pages_are_none(paged, ops):
    with paged.read() as tx:
        found = usecases.top(tx, NOW, ops=ops)
    assert [(r.alertname, r.owner, r.pages, r.nights, r.sleeps, r.runbook) for r in found.rows] == [
        ("DiskWillFill", STORAGE, 2, 2, 2, False),
        ("Known", STORAGE, 1, 0, 0, True),
    ]
    shown = answers.ranking(found)
    assert shown["rows"][0]["verdicts"] == {"noise": 1}
    assert shown["rows"][0]["busiest_hour"] == 2  # Berlin's: the owner's first schedule by name
    assert (shown["pages"], shown["nights"]) == (3, 2)
    with paged.read() as tx:
        assert usecases.top(tx, NOW, ops=ops, weeks=6, by="owner").rows[0].pages == 4


def test_weeks_since_the_first_page_are_counted_for_the_home_page(paged, ops):
    with paged.read() as tx:
        found = usecases.pages_per_week(tx, NOW, ops=ops)
    assert [(w.label, w.pages, w.nights) for w in found] == [
        ("W42", 1, 0), ("W43", 0, 0), ("W44", 0, 0), ("W45", 0, 0), ("W46", 0, 0), ("W47", 3, 2),
    ]  # fmt: skip
    assert answers.week(found[0]) == {"label": "W42", "monday": "2026-10-12", "pages": 1, "nights": 0}


def test_nothing_counted_is_no_quiet_week(db, ops):
    with db.read() as tx:
        assert usecases.pages_per_week(tx, NOW, ops=ops) == []
        assert usecases.top(tx, NOW, ops=ops).rows == ()


@pytest.mark.parametrize("options", [{"weeks": 0}, {"weeks": 105}, {"by": "person"}])
def test_questions_that_cannot_be_answered_are_refused(db, ops, options):
    with db.read() as tx, pytest.raises(Invalid):
        usecases.top(tx, NOW, ops=ops, **options)
