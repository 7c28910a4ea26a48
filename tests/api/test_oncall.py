"""On call by the API: gaps and load, and to whom pages are told."""

from datetime import datetime
from typing import Any

from sqlalchemy import Table, insert

from quietshift.incidents.store import incidents
from quietshift.paging.tables import pages
from tests.support.web import Site

BASE = "/api/v1/oncall"
TIMES = "from=2026-11-01T00:00:00Z&to=2026-11-22T00:00:00Z"


def _row(table: Table, **known: Any) -> dict[str, Any]:
    """A row with what is asked, and nothing in the other columns that have to be filled."""
    blank = {str: "", int: 0, bool: False}
    rest = {c.name: blank.get(c.type.python_type, []) for c in table.c if not c.nullable and c.name not in known}
    return rest | known


def test_gaps_of_all_schedules_and_of_one(site: Site) -> None:
    reader = site.program("read")
    names = [one["schedule"] for one in reader.get(BASE).json()]
    found = reader.get(f"{BASE}/gaps?{TIMES}").json()
    assert {gap["schedule"] for gap in found} <= set(names)
    early = reader.get(f"{BASE}/gaps?schedule={names[0]}&from=1980-01-01T00:00:00Z&to=1980-01-03T00:00:00Z").json()
    assert [(gap["schedule"], gap["hours"]) for gap in early] == [(names[0], 48.0)]
    assert reader.get(f"{BASE}/gaps?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z").status_code == 400
    assert reader.get(f"{BASE}/gaps?{TIMES}&schedule=nope").status_code == 404


def test_pages_are_told_to_the_person_and_their_sum_to_everybody(site: Site) -> None:
    with site.app.db.write() as tx:
        tx.execute(insert(incidents), _row(incidents, id=1, state="resolved", opened_at=site.now, updated_at=site.now))
        for number, due in enumerate(("2026-11-20T02:00Z", "2026-11-20T03:00Z", "2026-11-20T12:00Z")):
            at = datetime.fromisoformat(due)
            tx.execute(insert(pages), _row(pages, id=f"P{number}", incident_id=1, person="ana", due_at=at))
    mine = site.signed_in("ana").get(f"{BASE}/load?{TIMES}").json()
    theirs = site.signed_in("bo").get(f"{BASE}/load?{TIMES}").json()
    (own,) = [one for one in mine["people"] if one["user"] == "ana"]
    assert (own["pages"], own["interrupted_nights"]) == (3, 1)
    (other,) = [one for one in theirs["people"] if one["user"] == "ana"]
    assert (other["pages"], other["interrupted_nights"], other["hours"]) == (None, None, own["hours"])
    assert (theirs["pages"], theirs["interrupted_nights"]) == (mine["pages"], mine["interrupted_nights"]) == (3, 1)
