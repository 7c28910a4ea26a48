"""What was changed before an incident stands beside it: on its page and in the API, newest first, of its service alone."""

import re
from datetime import timedelta
from html import unescape

import pytest

from quietshift.alerts import changes, event_store
from quietshift.alerts.sources import Inbound
from quietshift.alerts.wires import pagerduty
from tests.support.web import Site


def changed(site: Site, summary: str, ago: timedelta, service: str = "checkout", **event: object) -> None:
    """A pipeline told of it so long before now."""
    inbound = Inbound("ci", "pagerduty", service, "")
    payload = {"summary": summary, "source": "deploys", "custom_details": {"commit": "5ac1e0", "api_key": "s3cr3t-s3cr3t"}}
    given = {"payload": payload | {"timestamp": (site.now - ago).isoformat()}, **event}
    with site.app.db.write() as tx:
        event_store.add_change(tx, pagerduty.change(given, inbound.service, inbound.name, site.now))


@pytest.fixture
def incident(site: Site) -> str:
    links = [{"href": "https://ci.example.org/812", "text": "Build <812>"}, {"href": "javascript:alert(1)", "text": "Odd"}]
    changed(site, "checkout 4.1 is out", timedelta(hours=23))
    changed(site, "checkout 4.2 is <out>", timedelta(minutes=5), links=links)
    changed(site, "checkout 4.0 is out", timedelta(hours=25))
    changed(site, "cart 9 is out", timedelta(minutes=1), service="cart")
    return site.alert()


def test_the_page_shows_what_was_changed_in_the_day_before(site: Site, incident: str) -> None:
    html = site.signed_in("bo").get(f"/incidents/{incident}").text
    panel = html[html.index("What changed") :]
    assert re.findall(r"<b>(.*?)</b>", panel[: panel.index("</section>")]) == [
        "checkout 4.2 is &lt;out&gt;", "checkout 4.1 is out",
    ]  # fmt: skip
    assert '<a href="https://ci.example.org/812" rel="noreferrer">Build &lt;812&gt;</a>' in panel
    assert "javascript:" not in panel
    assert "commit" in panel
    assert "s3cr3t" not in unescape(html)


def test_the_api_tells_the_same(site: Site, incident: str) -> None:
    found = site.program().get(f"/api/v1/incidents/{incident}").json()["changes"]
    assert [one["summary"] for one in found] == ["checkout 4.2 is <out>", "checkout 4.1 is out"]
    assert found[0]["details"] == {"commit": "5ac1e0", "api_key": "[redacted]"}
    assert found[0]["links"] == [
        {"href": "https://ci.example.org/812", "text": "Build <812>"}, {"href": "", "text": "Odd"},
    ]  # fmt: skip


def test_without_changes_there_is_no_panel(site: Site) -> None:
    assert "What changed" not in site.signed_in("bo").get(f"/incidents/{site.alert()}").text


def test_changes_are_forgotten_after_their_retention(site: Site) -> None:
    changed(site, "old", timedelta(days=31))
    changed(site, "young", timedelta(days=29))
    with site.app.db.write() as tx:
        event_store.forget(tx, site.now - site.app.settings.change_retention, site.now)
        kept = event_store.changes(tx, "checkout", site.now - timedelta(days=99), site.now, 9)
    assert [one.summary for one in kept] == ["young"]


def test_a_service_that_changes_all_day_shows_the_newest(site: Site) -> None:
    for minute in range(changes.MOST + 5):
        changed(site, f"{minute} minutes ago", timedelta(minutes=minute))
    with site.app.db.read() as tx:
        found = changes.before(tx, "checkout", site.now)
    assert [one.summary for one in found][:2] == ["0 minutes ago", "1 minutes ago"]
    assert len(found) == changes.MOST
