"""Silences by the API."""

import json

from quietshift.alerts.labels import fingerprint
from quietshift.alerts.wires.alertmanager import decode
from tests.support.web import Site

LABELS = {"alertname": "CheckoutFailing", "service": "checkout", "severity": "critical"}
BASE = "/api/v1/silences"


def fires(site: Site) -> None:
    use, now = site.app.alerts.use, site.now
    reports, _ = use.hot.absorb(decode(json.dumps([{"labels": LABELS}]).encode()), now, use.config().resolve_timeout)
    with site.app.db.write() as tx:
        use.receive(tx, reports, now)


def test_a_preview_is_the_same_decision_and_changes_nothing(site: Site) -> None:
    fires(site)
    reader = site.program("read")
    for asked in ({"matchers": 'service="checkout"'}, {"fingerprint": fingerprint(LABELS)}):
        found = reader.post(f"{BASE}/preview", json=asked).json()
        assert [one["labels"] for one in found["muted"]] == [LABELS]
        assert found["firing"] == 1
        assert found["warnings"] == ["It mutes what wakes Payments: CheckoutFailing."]
    assert reader.post(f"{BASE}/preview", json={"matchers": '{"a.b"="c"}'}).json()["muted"] == []
    assert reader.get(BASE).json() == []


def test_it_is_made_by_who_means_it_and_has_an_owner(site: Site) -> None:
    fires(site)
    program = site.program("respond")
    asked = {"matchers": 'service="checkout"', "why": "a test", "for": "2h"}
    doubted = program.post(BASE, json=asked)
    assert doubted.status_code == 409
    assert "wakes Payments" in doubted.json()["detail"]
    made = program.post(BASE, json=asked | {"sure": True})
    assert made.status_code == 201
    one = made.json()
    assert (one["created_by"], one["mutes"], one["ends_at"]) == ("token:t-respond", 1, "2026-11-21T05:00:00Z")
    until = program.post(BASE, json={"matchers": "a=b", "why": "x", "until": "2026-11-21T04:00:00Z"})
    assert until.json()["ends_at"] == "2026-11-21T04:00:00Z"
    assert [s["id"] for s in program.get(BASE).json()] == [until.json()["id"], one["id"]], "what ends first comes first"
    after = program.post(f"{BASE}/{one['id']}/expire", json={"why": "over"}).json()
    assert after["state"] == "expired"
    assert [s["id"] for s in program.get(f"{BASE}?state=expired").json()] == [one["id"]]
    again = program.post(f"{BASE}/{one['id']}/extend", json={"for": "1h"}).json()
    assert (again["state"], again["id"] != one["id"]) == ("active", True)


def test_what_is_wrong_is_told_with_its_place(site: Site) -> None:
    program = site.program("respond")
    good = {"matchers": "a=b", "why": "x", "for": "1h"}
    for change, status, said in (
        ({"matchers": "a"}, 422, "bad matcher format: a"), ({"matchers": ""}, 400, "say which alerts"),
        ({"fingerprint": "0" * 16}, 400, "say which alerts"), ({"why": ""}, 422, "body.why"),
        ({"for": None}, 400, "say how long"),
        ({"until": "2026-11-21T04:00:00Z"}, 400, "say how long"), ({"for": "400d"}, 400, "at most"),
        ({"for": None, "until": "2026-11-21T02:00:00Z"}, 400, "longer than 0s"),
        ({"reason": "x"}, 422, "body.reason: no such key here (known: fingerprint, for, matchers, sure, until, why)"),
    ):  # fmt: skip
        answer = program.post(BASE, json=good | change)
        assert (answer.status_code, said in answer.text) == (status, True), (change, answer.text)
    assert program.get(f"{BASE}/nothing").status_code == 404
    assert site.program("read").post(BASE, json=good).status_code == 403
    assert site.program("ingest").get(BASE).status_code == 403
