"""The pages of silences: what they would mute, who may make them, what is said before they end. No script."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest

from quietshift.alerts.labels import fingerprint
from quietshift.kernel import outbox, timers
from quietshift.paging.silence_notice import NOTICE
from tests.support.web import Site

DISK = {"alertname": "DiskWillFill", "instance": "db-1", "service": "disk", "severity": "warning"}
CHECKOUT = {"alertname": "CheckoutFailing", "service": "checkout", "severity": "critical"}


def text_of(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style|svg).*?</\1>", " ", html, flags=re.S))))


def fires(site: Site, *sets: dict[str, str]) -> None:
    from quietshift.alerts.wires import alertmanager

    body = json.dumps([{"labels": labels, "annotations": {"summary": f"{labels['alertname']}!"}} for labels in sets]).encode()
    use = site.app.alerts.use
    reports = [alertmanager.parse(item, site.now, use.config().resolve_timeout) for item in alertmanager.decode(body)]
    with site.app.db.write() as tx:
        use.receive(tx, reports, site.now)


def made(site: Site, name: str = "ana", **fields: Any) -> str:
    """The address of a silence that this person makes."""
    usual = {"m": 'alertname="DiskWillFill"', "why": "a new disk comes", "for": "1h"}
    answer = site.signed_in(name).post("/silences", data=usual | fields)
    assert answer.status_code == 303, text_of(answer.text)
    return str(answer.headers["location"])


# -- making one ----------------------------------------------------------------------------------------------------------


def test_the_form_offers_the_labels_of_the_alert_and_shows_what_the_rest_would_mute(site: Site) -> None:
    fires(site, DISK, DISK | {"instance": "db-2"}, CHECKOUT)
    browser = site.signed_in("ana")
    alerts = browser.get("/alerts").text
    address = next(unescape(a) for a in re.findall(r'href="(/silences/new[^"]+)"', alerts) if fingerprint(DISK) in a)
    page = browser.get(address).text
    assert re.findall(r'name="m" value="([^"]+)" checked', page) == [
        "alertname=&#34;DiskWillFill&#34;", "instance=&#34;db-1&#34;", "service=&#34;disk&#34;", "severity=&#34;warning&#34;",
    ]  # fmt: skip
    assert "1 of 3 alerts that fire" in text_of(page)
    assert re.findall(r'name="(\w+)"[^>]* autofocus', page) == ["why"], "the rest is there: say why, and Enter"
    offered = [f'{name}="{value}"' for name, value in sorted(DISK.items())]
    fewer = [text for text in offered if "instance" not in text]
    wider = browser.get("/silences/new", params={"offered": offered, "m": fewer, "why": "x"})
    shown = text_of(wider.text)
    assert "2 of 3 alerts that fire" in shown
    assert re.findall(r'value="([^"]+)">', wider.text).count("instance=&#34;db-1&#34;") == 2, "offered still, but not ticked"
    assert 'name="why" required' in wider.text
    assert 'value="x"' in wider.text


def test_the_page_of_an_alert_and_of_an_incident_lead_to_the_form(site: Site) -> None:
    fires(site, DISK)
    browser = site.signed_in("ana")
    assert f"/silences/new?fingerprint={fingerprint(DISK)}" in browser.get(f"/alerts/{fingerprint(DISK)}").text
    ref = site.alert("CheckoutFailing", instance="pay-1")
    assert f"/silences/new?incident={ref}" in browser.get(f"/incidents/{ref}").text
    assert "instance=&#34;pay-1&#34;" in browser.get(f"/silences/new?incident={ref}").text
    assert browser.get("/silences/new?fingerprint=0000000000000000").status_code == 404
    viewer = site.signed_in("chen", "viewer")
    for page in (f"/alerts/{fingerprint(DISK)}", f"/incidents/{ref}", "/alerts", "/silences"):
        assert "/silences/new" not in viewer.get(page).text, page


def test_a_silence_is_made_shown_with_its_story_edited_extended_and_ended(site: Site) -> None:
    fires(site, DISK, CHECKOUT)
    at = made(site)
    browser = site.signed_in("ana")
    listed = text_of(browser.get("/silences").text)
    assert "a new disk comes" in listed
    assert "by Ana you" in listed
    assert "mutes 1 alert now" in listed
    assert "silenced by Ana: a new disk comes" in text_of(browser.get("/alerts?state=silenced").text)

    edit = browser.get(f"{at}/edit").text
    assert 'value="2026-11-20T23:00"' in edit, "the end, in Ana's zone"
    fields = {"m": 'alertname="DiskWillFill"', "why": "it comes later", "for": "until", "until": "2026-11-21T01:00"}
    assert browser.post(f"{at}/edit", data=fields).headers["location"] == at, "the same matchers: the same silence"
    assert "it comes later" in text_of(browser.get(at).text)
    assert browser.post(f"{at}/extend", data={"for": "1h", "why": "still waiting"}).headers["location"] == at
    story = text_of(browser.get(at).text)
    assert "Ana changed it: extended by 1h: still waiting" in story
    assert "Ana made it: a new disk comes" in story
    silence = site.program().get(f"/api/v1{at}").json()
    assert silence["ends_at"] == "2026-11-21T07:00:00Z"

    wider = browser.post(f"{at}/edit", data=fields | {"m": 'service="disk"'})
    assert wider.headers["location"] != at, "other matchers: the old one stays in the story"
    assert browser.post(f"{wider.headers['location']}/expire", data={"why": "it came"}).status_code == 303
    assert "No active silence" in text_of(browser.get("/alerts").text)
    assert "it comes later" in text_of(browser.get("/silences?state=expired").text)
    assert site.journaled().count("silence.expired") == 2


def test_what_is_wrong_is_told_and_what_was_typed_stays(site: Site) -> None:
    browser = site.signed_in("ana")
    for fields, said in (
        ({"more": 'env=~"("'}, "not a regular expression"),
        ({"more": 'env="dev"', "why": " "}, "Say why"),
        ({}, "at least one condition"),
        ({"more": 'env=""'}, "would silence every alert"),
        ({"more": 'env="dev"', "for": "until", "until": "soon"}, "is no time"),
        ({"more": 'env="dev"', "for": "until", "until": "2020-01-01T00:00"}, "has passed"),
        ({"more": 'env="dev"', "for": "400d"}, "at most"),
        ({"m": 'env="dev"x', "offered": 'env="dev"x'}, "unescaped double quote"),
    ):
        answer = browser.post("/silences", data={"why": "on <b>mains</b>"} | fields)
        assert answer.status_code == 422, fields
        assert said in unescape(answer.text), fields
        if fields.get("why") is None:
            assert "on &lt;b&gt;mains&lt;/b&gt;" in answer.text
    assert "silence.created" not in site.journaled()
    assert browser.get("/silences/nothing").status_code == 404
    assert browser.post("/silences/nothing/extend").status_code == 404


def test_until_tomorrow_morning_is_in_my_zone(site: Site) -> None:
    at = made(site, **{"for": "morning"})
    assert site.program().get(f"/api/v1{at}").json()["ends_at"] == "2026-11-21T14:00:00Z"  # 09:00 in New York


# -- thinking twice ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matcher", "said"),
    [
        ('service!="nothing"', "mutes whatever is reported"),
        ('alertname=~".+"', "mutes whatever is reported"),
        ('alertname=~"DiskWillFill|CheckoutFailing"', "mutes all 2 alerts that fire"),
        ('alertname="CheckoutFailing"', "mutes what wakes Payments: CheckoutFailing"),
    ],
)
def test_what_is_too_wide_or_wakes_another_team_has_to_be_meant(site: Site, matcher: str, said: str) -> None:
    fires(site, DISK, CHECKOUT)
    browser = site.signed_in("eli")
    fields = {"more": matcher, "why": "x", "for": "1h"}
    assert said in text_of(browser.get("/silences/new", params=fields).text)
    asked = browser.post("/silences", data=fields)
    assert asked.status_code == 422
    assert "say that you mean it" in asked.text
    assert browser.post("/silences", data=fields | {"sure": "1"}).status_code == 303


def test_ones_own_team_and_what_is_muted_already_need_no_warning(site: Site) -> None:
    fires(site, DISK, CHECKOUT)
    made(site, "bo", m='alertname="CheckoutFailing"')  # of Payments
    assert 'id="warnings"' not in site.signed_in("eli").get("/silences/new", params={"m": 'alertname="CheckoutFailing"'}).text


def test_the_last_day_is_looked_at_too(site: Site) -> None:
    ref = site.alert("CheckoutFailing")
    shown = text_of(site.signed_in("ana").get("/silences/new", params={"m": 'alertname="CheckoutFailing"'}).text)
    assert f"In the last 24 h it would have muted 1 alert of 1 incident: {ref}" in shown
    assert "muted 0 alerts of 0 incidents" in text_of(site.signed_in("ana").get("/silences/new", params={"m": "a=b"}).text)


def test_only_responders_silence_and_only_from_our_own_pages(site: Site) -> None:
    at = made(site)
    fields = {"m": "a=b", "why": "x", "for": "1h"}
    viewer = site.signed_in("chen", "viewer")
    assert viewer.get("/silences").status_code == viewer.get(at).status_code == 200
    for path in ("/silences", f"{at}/edit", f"{at}/extend", f"{at}/expire"):
        assert viewer.post(path, data=fields).status_code == 403, path
        foreign = site.signed_in("ana").post(path, data=fields, headers={"Origin": "https://elsewhere.example.org"})
        assert foreign.status_code == 403, path
    assert site.browser().get(at).status_code == 303
    assert f"next={quote(at)}/extend" in site.browser().get(f"{at}/extend").headers["location"]


# -- a word before it ends -----------------------------------------------------------------------------------------------


def notices(site: Site) -> list[outbox.Delivery]:
    """Timers that are due are run; gives the notices that go out."""
    timers.run_due(site.app.db, site.app.registry.timers, site.now)
    with site.app.db.write() as tx:
        return outbox.claim(tx, site.app.registry.outbox[NOTICE], site.now, 10)


def advance(site: Site, **span: float) -> None:
    site.app.clock.advance(timedelta(**span))  # type: ignore[attr-defined]  # a ManualClock in tests


def test_its_owner_hears_in_time_that_it_ends_and_may_extend_it(site: Site) -> None:
    fires(site, DISK)
    at = made(site, "ana", **{"for": "4h"})
    advance(site, hours=3, minutes=44)
    assert notices(site) == []
    advance(site, minutes=1)
    (notice,) = notices(site)
    assert notice.destination == "mailto:ana@example.org", "not the channel that rings"
    assert notice.payload["subject"] == "Your silence ends in 15m: a new disk comes"
    assert notice.payload["extend_url"].endswith(f"{at}/extend")
    assert 'alertname="DiskWillFill"' in notice.payload["text"]
    assert "silence.notice" in site.journaled()
    browser = site.signed_in("ana")
    before = site.program().get(f"/api/v1{at}").json()["ends_at"]
    asked = browser.get(f"{at}/extend").text
    assert "Shall it last an hour longer?" in asked
    assert site.program().get(f"/api/v1{at}").json()["ends_at"] == before, "a mail scanner follows links"
    assert browser.post(f"{at}/extend", data={"for": "1h"}).status_code == 303
    assert site.program().get(f"/api/v1{at}").json()["ends_at"] != before
    advance(site, hours=1)
    assert len(notices(site)) == 1, "and again before the new end"


def test_no_word_where_it_was_ended_is_short_or_has_no_owner_to_tell(site: Site) -> None:
    ended = made(site, "ana", **{"for": "4h"})
    made(site, "bo", **{"for": "15m"})
    body = {
        "matchers": [{"name": "a", "value": "b", "isRegex": False}], "startsAt": "2026-11-21T03:00:00Z",
        "endsAt": "2026-11-21T07:00:00Z", "createdBy": "a robot", "comment": "by amtool",
    }  # fmt: skip
    from quietshift.alerts import usecases
    from quietshift.alerts.wires import alertmanager

    with site.app.db.write() as tx:
        posted = alertmanager.decode_silence(json.dumps(body).encode())
        usecases.set_silence(tx, posted, "token:x", site.now, notice=timedelta(minutes=15))
    site.signed_in("ana").post(f"{ended}/expire")
    advance(site, hours=3, minutes=50)
    assert notices(site) == []
    assert "silence.notice" not in site.journaled()
