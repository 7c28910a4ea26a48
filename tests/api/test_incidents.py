"""The API of incidents: shapes that scripts read, verbs, scopes, and what is said when it does not work."""

from collections.abc import Callable

import pytest

from tests.support.web import Site

ITEM = {"id", "title", "state", "severity", "service", "owner", "opened_at", "acknowledged_at", "resolved_at"}


def test_the_list_is_a_plain_list_of_items(site: Site) -> None:
    site.alert()
    site.alert("DiskWillFill", service="disk", receiver="storage")
    api = site.program("read")
    found = api.get("/api/v1/incidents").json()
    assert [one["id"] for one in found] == ["INC-1002", "INC-1001"]
    for one in found:
        assert set(one) >= ITEM
    shown = {key: found[1][key] for key in ITEM - {"title"}}
    assert shown == {
        "id": "INC-1001", "state": "triggered", "severity": "critical", "service": "checkout",
        "owner": "group:default/payments", "opened_at": "2026-11-21T03:00:00Z", "acknowledged_at": None, "resolved_at": None,
    }  # fmt: skip
    assert api.get("/api/v1/incidents", params={"state": "resolved"}).json() == []
    assert len(api.get("/api/v1/incidents", params={"state": ["triggered", "resolved"]}).json()) == 2
    assert [one["id"] for one in api.get("/api/v1/incidents", params={"service": "checkout"}).json()] == ["INC-1001"]


def test_a_long_list_goes_on_by_its_link(site: Site) -> None:
    for n in range(5):
        site.alert(f"Alert{n}")
    api = site.program("read")
    seen, address = [], "/api/v1/incidents?limit=2&state=triggered"
    while address:
        answer = api.get(address)
        seen += [one["id"] for one in answer.json()]
        address = answer.links.get("next", {}).get("url", "")
    assert seen == ["INC-1005", "INC-1004", "INC-1003", "INC-1002", "INC-1001"]


def test_one_incident_has_a_timeline_in_order_and_its_pages(site: Site) -> None:
    incident = site.alert()
    api = site.program("read")
    for name in (incident, "1001", "inc-1001"):
        found = api.get(f"/api/v1/incidents/{name}").json()
        assert found["id"] == incident
    kinds = [entry["kind"] for entry in found["timeline"]]
    assert kinds.index("alert_firing") < kinds.index("paging.paged")
    assert all({"at", "kind", "actor", "text", "why"} <= set(entry) for entry in found["timeline"])
    pages = api.get(f"/api/v1/incidents/{incident}/pages").json()
    assert [page["user"] for page in pages] == ["bo"]
    assert pages[0]["due_at"] == "2026-11-21T03:00:00Z"
    assert pages[0]["attempts"] == []


@pytest.mark.parametrize("db", ["sqlite", "postgresql"])
def test_an_incident_from_page_to_rest(make_site: Callable[..., Site], db: str, request: pytest.FixtureRequest) -> None:
    site = make_site("" if db == "sqlite" else request.getfixturevalue("postgres_url"))
    path = f"/api/v1/incidents/{site.alert()}"
    api = site.program("respond")
    after = api.post(f"{path}/acknowledge").json()
    assert (after["state"], after["acknowledged_by"]) == ("acknowledged", "token:t-respond")
    assert api.post(f"{path}/note", json={"text": "looking at it"}).status_code == 200
    assert api.post(f"{path}/snooze", json={"for": "1h"}).json()["snoozed_until"] == "2026-11-21T04:00:00Z"
    assert api.post(f"{path}/reassign", json={"targets": ["user:chen"]}).json()["state"] == "triggered"
    assert api.post(f"{path}/escalate", json={}).json()["state"] == "triggered"
    assert api.post(f"{path}/severity", json={"severity": "warning"}).json()["severity"] == "warning"
    steps = api.post(f"{path}/steps", json={"runbook": "CheckoutFailing", "step": 1, "outcome": "done", "note": "ok"}).json()
    assert [s["outcome"] for s in steps["steps"]][:2] == ["done", None]
    resolved = api.post(f"{path}/resolve", json={"verdict": "actionable", "note": "rolled back"}).json()
    assert (resolved["state"], resolved["verdict"]) == ("resolved", "actionable")
    assert api.post(f"{path}/reopen", json={"why": "not over"}).json()["state"] == "triggered"
    assert api.post(f"{path}/resolve").json()["state"] == "resolved"
    assert api.post(f"{path}/classify", json={"verdict": "noise"}).json()["verdict"] == "noise"
    told = [entry["kind"] for entry in api.get(path).json()["timeline"]]
    for kind in ("acknowledged", "note", "snoozed", "reassigned", "escalated", "severity", "step", "resolved", "reopened"):
        assert kind in told, kind


def test_what_the_state_does_not_take_is_a_conflict_that_says_so(site: Site) -> None:
    incident = site.alert()
    api = site.program("respond")
    answer = api.post(f"/api/v1/incidents/{incident}/reopen")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.json()["detail"] == "INC-1001 is triggered: it cannot take 'reopen'"
    assert api.get(f"/api/v1/incidents/{incident}").json()["state"] == "triggered"


@pytest.mark.parametrize(
    ("verb", "body", "status", "said"),
    [
        ("snooze", {}, 400, "one of `for`"),
        ("snooze", {"for": "1h", "until": "2026-11-21T05:00:00Z"}, 400, "one of `for`"),
        ("snooze", {"for": "1 hour"}, 422, "body.for"),
        ("snooze", {"until": "tomorrow"}, 422, "RFC 3339"),
        ("snooze", {"until": "0001-01-01T00:00:00+14:00"}, 422, "body.until"),
        ("snooze", {"until": "9999-12-31T23:59:59-14:00"}, 422, "body.until"),
        ("snooze", {"for": "290y"}, 400, "within the next 30d"),
        ("note", {"text": ""}, 422, "body.text"),
        ("note", {"text": "a\x00b"}, 422, "body.text"),
        ("note", {"text": "  "}, 400, "needs words"),
        ("resolve", {"verdict": "boring"}, 422, "body.verdict"),
        ("resolve", {"verdikt": "noise"}, 422, "body.verdikt"),
        ("reassign", {"targets": []}, 422, "body.targets"),
        ("reassign", {"targets": ["user:nobody"]}, 400, "nobody"),
        ("severity", {"severity": "meh"}, 422, "body.severity"),
        ("steps", {"runbook": "CheckoutFailing", "step": 99, "outcome": "done"}, 404, "no step 99"),
        ("steps", {"runbook": "None", "step": 1, "outcome": "done"}, 404, "no runbook"),
    ],
)
def test_bad_input_is_told_with_its_place(site: Site, verb: str, body: dict[str, object], status: int, said: str) -> None:
    incident = site.alert()
    answer = site.program("respond").post(f"/api/v1/incidents/{incident}/{verb}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.text


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b"\xff\xfe", 400), (b"[1]", 422), (b'"x"', 422), (b'{"text": "\\ud800"}', 422), (b'{"text": 1e999}', 422)],
)
def test_what_is_no_json_or_not_ours_is_refused(site: Site, content: bytes, status: int) -> None:
    incident = site.alert()
    headers = {"Content-Type": "application/json"}
    answer = site.program("respond").post(f"/api/v1/incidents/{incident}/note", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"]


def test_a_missing_incident_is_named(site: Site) -> None:
    answer = site.program("read").get("/api/v1/incidents/INC-999999999999999")
    assert answer.status_code == 404
    assert "INC-999999999999999" in answer.json()["detail"]
    assert site.program("admin").get("/api/v1/incidents/INC-99999999999999999999").status_code == 422


# -- who may -------------------------------------------------------------------------------------------------------------


def test_scopes_are_held(site: Site) -> None:
    incident = site.alert()
    for scopes, reads, responds, administers in (
        (("ingest",), 403, 403, 403), (("read",), 200, 403, 403), (("respond",), 200, 200, 403), (("admin",), 200, 200, 200),
    ):  # fmt: skip
        api = site.program(*scopes)
        assert api.get("/api/v1/incidents").status_code == reads
        assert api.post(f"/api/v1/incidents/{incident}/acknowledge").status_code == responds
        assert api.get("/api/v1/tokens").status_code == administers


def test_nobody_gets_in_without_a_token(site: Site) -> None:
    browser = site.browser()
    answer = browser.get("/api/v1/incidents")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    for header in ("Bearer qs_wrong", "Bearer ", "Basic YTpi", "Bearer " + "x" * 5000):
        assert browser.get("/api/v1/incidents", headers={"Authorization": header}).status_code == 401


def test_a_viewer_sees_and_changes_nothing(site: Site) -> None:
    incident = site.alert()
    viewer = site.signed_in("chen", "viewer")
    assert viewer.get("/api/v1/incidents").status_code == 200
    assert viewer.post(f"/api/v1/incidents/{incident}/acknowledge").status_code == 403
    assert viewer.post(f"/incidents/{incident}/acknowledge").status_code == 403
    assert f'action="/incidents/{incident}' not in viewer.get(f"/incidents/{incident}").text
