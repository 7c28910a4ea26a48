"""On call by the API: gaps and load, and to whom pages are told."""

from datetime import datetime
from typing import Any

from icalendar import Calendar
from sqlalchemy import Table, insert

from quietshift.incidents.store import incidents
from quietshift.kernel import journal
from quietshift.oncall.model import Oncall
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


def test_an_override_is_made_shown_counted_and_taken_back(site: Site) -> None:
    program, override = site.program("respond"), f"{BASE}/overrides"
    asked = {
        "schedule": "storage", "user": "dee", "start": "2026-11-21T02:00:00Z", "end": "2026-11-21T09:00:00Z", "why": "a swap",
    }  # fmt: skip
    made = program.post(override, json=asked)
    assert made.status_code == 201
    one = made.json()
    assert (one["created_by"], one["instead_of"], one["why"]) == ("token:t-respond", "", "a swap")
    on = program.get(f"{BASE}?schedule=storage").json()[0]
    assert (on["users"], on["layer"], on["end"]) == (["dee"], "override", "2026-11-21T09:00:00Z")
    times = "from=2026-11-21T00:00:00Z&to=2026-11-22T00:00:00Z"
    shifts = program.get(f"{BASE}/shifts?schedule=storage&{times}").json()
    assert [(s["user"], s["hours"]) for s in shifts if s["layer"] == "override"] == [("dee", 7.0)]
    assert [o["id"] for o in program.get(f"{override}?schedule=storage").json()] == [one["id"]]
    assert program.get(f"{override}?schedule=web").json() == []
    assert program.post(f"{override}/{one['id']}/end").status_code == 200
    assert program.get(f"{BASE}?schedule=storage").json()[0]["users"] != ["dee"]
    assert program.get(override).json() == []
    shifts = program.get(f"{BASE}/shifts?schedule=storage&{times}").json()
    assert [s["hours"] for s in shifts if s["layer"] == "override"] == [1.0], "what was, stays"
    assert program.post(f"{override}/{one['id']}/end").status_code == 409
    with site.app.db.read() as tx:
        acts = [(entry.act, entry.actor) for entry in journal.entries(tx, subject="schedule:storage")]
    assert acts == [("oncall.override_ended", "token:t-respond"), ("oncall.override_added", "token:t-respond")]


def test_one_that_has_not_begun_never_does(site: Site) -> None:
    program, override = site.program("respond"), f"{BASE}/overrides"
    asked = {"schedule": "storage", "user": "dee", "start": "2026-11-22T02:00:00Z", "end": "2026-11-22T09:00:00Z"}
    made = program.post(override, json=asked).json()
    assert program.post(f"{override}/{made['id']}/end").status_code == 200
    assert program.post(f"{override}/{made['id']}/end").status_code == 404
    assert program.get(f"{override}?since=2026-01-01T00:00:00Z").json() == []


def test_who_belongs_to_the_schedule_may_and_what_is_wrong_is_told(site: Site) -> None:
    override = f"{BASE}/overrides"
    asked = {"schedule": "storage", "user": "dee", "start": "2026-11-21T04:00:00Z", "end": "2026-11-21T09:00:00Z"}
    people = {user for layer in site.app.ops.current.get(Oncall).get("storage").layers for user in layer.users}
    inside, outside = sorted(people)[0], "dee"
    assert outside not in people
    refused = site.signed_in(outside).post(override, json=asked)
    assert refused.status_code == 403
    assert "its people, members of group:default/storage and administrators" in refused.text
    assert site.signed_in(inside).post(override, json=asked).status_code == 201
    assert site.signed_in("ana", role="admin").post(override, json=asked).status_code == 201
    assert site.signed_in(inside, role="viewer").post(override, json=asked).status_code == 403
    program = site.program("respond")
    for change, status, said in (
        ({"schedule": "nope"}, 404, "no schedule"), ({"user": "nope"}, 404, "no User"), ({"instead_of": "nope"}, 404, "no User"),
        ({"instead_of": "dee"}, 400, "stand in for themselves"), ({"instead_of": "chen"}, 409, "is not on in storage"),
        ({"end": "2026-11-21T04:00:00Z"}, 400, "ends after its start"), ({"end": "2028-11-21T04:00:00Z"}, 400, "366 days"),
        ({"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T02:00:00Z"}, 409, "its end has passed"),
    ):  # fmt: skip
        found = program.post(override, json=asked | change)
        assert (found.status_code, said in found.text) == (status, True), (change, found.text)


def test_the_page_of_a_schedule_has_a_form_that_overrides_and_takes_back(site: Site) -> None:
    people = sorted({user for layer in site.app.ops.current.get(Oncall).get("storage").layers for user in layer.users})
    browser = site.signed_in(people[0])
    assert 'action="/schedules/storage/overrides"' in browser.get("/schedules/storage").text
    assert 'action="/schedules/storage/overrides"' not in site.signed_in("dee").get("/schedules/storage").text
    form = {"user": "dee", "start": "2026-11-21T03:00", "end": "2026-11-21T20:00", "instead": "", "why": "ill"}
    wrong = browser.post("/schedules/storage/overrides", data=form | {"end": "2026-11-21T01:00"})
    assert (wrong.status_code, "ends after its start" in wrong.text, 'value="ill"' in wrong.text) == (422, True, True)
    assert browser.post("/schedules/storage/overrides", data=form).status_code == 303
    page = browser.get("/schedules/storage").text
    zone = site.app.ops.current.get(Oncall).get("storage").zone
    (made,) = browser.get(f"{BASE}/overrides").json()
    assert datetime.fromisoformat(made["start"]).astimezone(zone).strftime("%H:%M") == "03:00", "the schedule's local time"
    assert f"/schedules/storage/overrides/{made['id']}/end" in page
    assert browser.post(f"/schedules/storage/overrides/{made['id']}/end").status_code == 303
    assert browser.get(f"{BASE}/overrides").json() == []


def test_a_swap_is_offered_taken_and_worked(site: Site) -> None:
    program, covers = site.program("respond"), f"{BASE}/covers"
    monday, next_monday = "2026-11-23T08:00:00Z", "2026-11-30T08:00:00Z"
    turns = program.get(f"{BASE}/shifts?schedule=storage&from={monday}&to=2026-12-07T08:00:00Z").json()
    mine, theirs = turns[0]["user"], turns[1]["user"]
    asked = {
        "schedule": "storage", "start": "2026-11-24T08:00:00Z", "end": "2026-11-25T08:00:00Z", "why": "a wedding",
        "back": {"start": next_monday, "end": "2026-12-01T08:00:00Z"}, "asked": [theirs],
    }  # fmt: skip
    ana, bo = site.signed_in(mine), site.signed_in(theirs)
    assert program.post(covers, json=asked).status_code == 400, "a program says who"
    assert ana.post(covers, json=asked | {"user": theirs}).status_code == 403
    assert bo.post(covers, json=asked | {"asked": []}).status_code == 409, "who is not on has nothing to give"
    made = ana.post(covers, json=asked)
    assert (made.status_code, made.json()["state"]) == (201, "offered")
    which = f"{covers}/{made.json()['id']}"
    assert [one["id"] for one in program.get(covers).json()] == [made.json()["id"]]
    assert program.get(f"{BASE}?schedule=storage&at=2026-11-24T09:00:00Z").json()[0]["users"] == [mine], "nothing has changed yet"
    assert ana.post(f"{which}/take", json={}).status_code == 403
    assert site.signed_in("dee").post(f"{which}/take", json={}).status_code == 403
    taken = bo.post(f"{which}/take", json={}).json()
    assert (taken["state"], taken["taken_by"], taken["warnings"]) == ("taken", theirs, [])
    on = [program.get(f"{BASE}?schedule=storage&at={at}").json()[0]["users"] for at in ("2026-11-24T09:00:00Z", next_monday)]
    assert on == [[theirs], [mine]]
    again = bo.post(f"{which}/take", json={})
    assert (again.status_code, "is taken" in again.text) == (409, True)
    assert program.get(covers).json() == []
    assert len(program.get(f"{covers}?state=taken").json()) == 1


def test_a_request_is_declined_once_all_who_were_asked_have_and_withdrawn_by_who_asked(site: Site) -> None:
    program, covers = site.program("respond"), f"{BASE}/covers"
    on = program.get(f"{BASE}?schedule=storage").json()[0]["users"][0]
    asked = {"schedule": "storage", "user": on, "start": "2026-11-21T04:00:00Z", "end": "2026-11-21T08:00:00Z"}
    by_name = program.post(covers, json=asked | {"asked": ["ana", "dee"]}).json()["id"]
    answered = [program.post(f"{covers}/{by_name}/decline", json={"user": user}).json()["state"] for user in ("ana", "dee")]
    assert answered == ["offered", "declined"]
    free = program.post(covers, json=asked).json()["id"]
    assert site.signed_in("dee").post(f"{covers}/{free}/withdraw").status_code == 403
    assert site.signed_in(on).post(f"{covers}/{free}/withdraw").json()["state"] == "withdrawn"
    assert program.post(f"{covers}/{free}/take", json={"user": "ana"}).status_code == 409
    assert program.post(f"{covers}/nope/take", json={"user": "ana"}).status_code == 404
    assert program.post(covers, json=asked | {"asked": [on]}).status_code == 400
    assert program.post(covers, json=asked | {"end": "2026-11-21T02:00:00Z"}).status_code == 400


def test_a_feed_is_read_by_its_link_alone_until_it_is_revoked(site: Site) -> None:
    feeds, owner = f"{BASE}/feeds", site.signed_in("eli")
    made = owner.post(feeds, json={"subject": "user:eli"}).json()
    assert made["url"].startswith(f"{site.app.settings.base_url}/feeds/")
    path = made["url"].removeprefix(site.app.settings.base_url)
    asked = {"schedule": "storage", "user": "eli", "start": "2026-11-21T03:30:00Z", "end": "2026-11-21T04:30:00Z", "why": "x"}
    site.program("respond").post(f"{BASE}/overrides", json=asked)
    answer = site.browser().get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    events = Calendar.from_ical(answer.text).walk("VEVENT")
    times = "from=2026-10-24T03:00:00Z&to=2027-05-22T03:00:00Z"
    shifts = [
        (name, shift["user"])
        for name in sorted(site.app.ops.current.get(Oncall).schedules)
        for shift in owner.get(f"{BASE}/shifts?schedule={name}&{times}").json()
        if shift["user"] == "eli"
    ]
    assert len(events) == len(shifts) > 20
    assert len({str(event["uid"]) for event in events}) == len(events)
    over = [event for event in events if str(event["description"]).startswith("override")]
    assert [event.decoded("dtstart").isoformat() for event in over] == ["2026-11-21T03:30:00+00:00"]
    first = min(event.decoded("dtstart") for event in events)
    assert first < datetime.fromisoformat("2026-10-24T03:00Z"), "a shift that has begun before is shown whole"
    assert site.browser().get("/feeds/nope.ics").status_code == 404
    assert site.signed_in("dee").post(f"{feeds}/{made['id']}/revoke").status_code == 403
    assert owner.post(f"{feeds}/{made['id']}/revoke").status_code == 200
    assert site.browser().get(path).status_code == 404
    with site.app.db.read() as tx:
        assert made["url"].split("/")[-1].removesuffix(".ics") not in str(journal.entries(tx, subject="user:eli"))


def test_feeds_of_others_are_made_by_administrators_and_of_schedules_by_everybody(site: Site) -> None:
    feeds, eli = f"{BASE}/feeds", site.signed_in("eli")
    assert eli.post(feeds, json={"subject": "user:dee"}).status_code == 403
    assert eli.post(feeds, json={"subject": "schedule:nope"}).status_code == 404
    assert eli.post(feeds, json={"subject": "group:storage"}).status_code == 400
    made = eli.post(feeds, json={"subject": "schedule:storage"}).json()
    path = made["url"].removeprefix(site.app.settings.base_url)
    names = {str(event["summary"]) for event in Calendar.from_ical(site.browser().get(path).text).walk("VEVENT")}
    assert len(names) == 2
    assert all(name.startswith("storage: ") for name in names)
    assert [one["subject"] for one in eli.get(feeds).json()] == ["schedule:storage"]
    assert site.signed_in("dee").get(feeds).json() == []
