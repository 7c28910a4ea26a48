"""Why an alert is where it is, as programs and people ask for it."""

import json
import re

import pytest

from quietshift.alerts.labels import fingerprint
from quietshift.alerts.wires.alertmanager import decode
from quietshift.kernel import timers
from tests.support.web import Site

LABELS = {"alertname": "CheckoutFailing", "service": "checkout", "severity": "critical"}
FP = fingerprint(LABELS)


@pytest.fixture
def reported(site: Site) -> Site:
    """A site with an alert whose group was flushed, so that an incident is open."""
    use, now = site.app.alerts.use, site.now
    body = json.dumps([{"labels": LABELS, "startsAt": "2026-11-21T02:00:00Z"}]).encode()
    reports, _ = use.hot.absorb(decode(body), now, use.config().resolve_timeout)
    with site.app.db.write() as tx:
        use.receive(tx, reports, now)
    while timers.run_due(site.app.db, site.app.registry.timers, now):
        pass
    return site


def test_why_tells_routes_decisions_and_incidents(reported: Site) -> None:
    found = reported.program("read").get(f"/api/v1/alerts/{FP}/why").json()
    assert (found["fingerprint"], found["labels"], found["state"]) == (FP, LABELS, "firing")
    assert found["incidents"] == ["INC-1001"]
    (way,) = found["routes"]
    assert (way["line"], way["receiver"], way["muted"]) == (10, "payments", None)
    assert way["group_labels"] == {"alertname": "CheckoutFailing", "service": "checkout"}
    assert [(d["integration"], d["outcome"], d["reason"]) for d in way["decisions"]] == [("desk/0", "told", "first notification")]
    assert way["told"] == [{"integration": "desk/0", "at": "2026-11-21T03:00:00Z", "repeat_at": "2026-11-21T07:01:00Z"}]
    assert way["steps"][-1]["title"] == "Repeated"


def test_what_is_not_known_is_not_found_and_what_is_no_fingerprint_is_refused(site: Site) -> None:
    api = site.program("read")
    assert api.get("/api/v1/alerts/0123456789abcdef/why").status_code == 404
    assert api.get("/api/v1/alerts/nonsense/why").status_code == 422
    assert site.program("ingest").get(f"/api/v1/alerts/{FP}/why").status_code == 403


def test_the_page_of_an_alert_is_linked_from_the_list(reported: Site) -> None:
    browser = reported.signed_in()
    assert f'<a href="/alerts/{FP}">CheckoutFailing</a>' in browser.get("/alerts").text
    page = browser.get(f"/alerts/{FP}")
    assert page.status_code == 200
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))
    for said in ("CheckoutFailing, to receiver payments", "alertmanager.yml:10", "first notification", "Repeated", "Silenced?"):
        assert said in words, said
    assert browser.get("/alerts/0123456789abcdef").status_code == 404
    assert reported.browser().get(f"/alerts/{FP}").status_code == 303
