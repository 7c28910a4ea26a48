"""The pages: what they show, what their forms do without a script, and what is said when that does not work."""

import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from quietshift.kernel import timers
from quietshift.paging import bundle_store, links, store, usecases
from quietshift.paging.store import Rung
from tests.support.web import EXAMPLE, Site


def text_of(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style|svg).*?</\1>", " ", html, flags=re.S))))


def link(site: Site, incident: str, user: str = "bo") -> str:
    """The address that a page to this person carries."""
    number = int(incident.removeprefix("INC-"))
    ttl = site.app.settings.ack_link_ttl
    return links.PATH + links.make(site.app.key_for("ack-link"), number, user, "page", site.now, ttl)


def state(site: Site, incident: str) -> str:
    return str(site.program().get(f"/api/v1/incidents/{incident}").json()["state"])


# -- home, lists ---------------------------------------------------------------------------------------------------------


def test_home_tells_who_is_on_call_and_what_burns(site: Site) -> None:
    on = site.signed_in("bo")
    quiet = text_of(on.get("/").text)
    assert "You are on call for Payments until Mon 09:00" in quiet
    assert "Next hand-off to Ana" in quiet
    assert "No open incident" in quiet
    site.alert()
    burning = text_of(on.get("/").text)
    assert "1 incident triggered" in burning
    assert "CheckoutFailing: customers cannot pay" in burning
    for team in ("Payments", "Web", "Storage"):
        assert team in burning


def test_home_tells_who_is_not_on_call(make_site: Callable[..., Site], tmp_path: Path) -> None:
    ops = tmp_path / "ops"
    shutil.copytree(EXAMPLE, ops)
    user = "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: gil}\nspec: {profile: {displayName: Gil}}\n"
    (ops / "catalog" / "gil.yaml").write_text(user)
    off = text_of(make_site(ops=ops).signed_in("gil").get("/").text)
    assert "You are not on call" in off
    assert "No shift of yours in the next 14 days" in off


def test_incidents_are_listed_filtered_and_searched(site: Site) -> None:
    site.alert()
    site.alert("DiskWillFill", service="disk", receiver="storage")
    browser = site.signed_in()
    browser.post("/incidents/INC-1001/resolve", data={"verdict": "noise"})
    assert "INC-1001" not in browser.get("/incidents").text
    assert "INC-1001" in browser.get("/incidents?state=resolved").text
    found = browser.get("/incidents", params={"q": "checkout pay"}).text
    assert "INC-1001" in found
    assert "INC-1002" not in found
    assert "Nothing found" in browser.get("/incidents", params={"q": "<b>nothing</b>"}).text
    assert "<b>nothing" not in browser.get("/incidents", params={"q": "<b>nothing</b>"}).text


# -- the incident --------------------------------------------------------------------------------------------------------


def test_the_incident_page_has_what_is_needed_at_3_am(site: Site) -> None:
    incident = site.alert(instance="pay-1")
    shown = text_of(site.signed_in("bo").get(f"/incidents/{incident}").text)
    for wanted in (
        "INC-1001", "Triggered", "CheckoutFailing: customers cannot pay", "checkout · owned by Payments", "You were paged at",
        "Next: Ana at", "Acknowledge", "Escalate now", "CheckoutFailing fires", "Bo was paged", "labels",
    ):  # fmt: skip
        assert wanted in shown, wanted


def test_every_button_of_the_incident_works_without_a_script(site: Site) -> None:
    incident = site.alert()
    browser = site.signed_in("ana")
    at = f"/incidents/{incident}"

    def press(act: str, **data: str) -> str:
        answer = browser.post(f"{at}/{act}", data=data)
        assert (answer.status_code, answer.headers["location"]) == (303, at), answer.text
        return text_of(browser.get(at).text)

    assert "You have it since" in press("acknowledge")
    assert "You have it. Paging has stopped." not in browser.get(at).text, "a message is shown once"
    assert "a look at the disk" in press("note", text="a look at the disk")
    assert "snoozed until" in press("snooze", **{"for": "4h"})
    assert "Chen is being paged" in press("reassign", user="chen")
    assert "next step is being paged" in press("escalate")
    assert "severity is warning now" in press("severity", severity="warning")
    assert "done by Ana" in press("steps/1", runbook="CheckoutFailing", outcome="done", note="seen")
    assert "Resolved" in press("resolve", verdict="actionable")
    assert "Reopened" in press("reopen")
    press("resolve", verdict="noise")
    assert "what the page was" in press("classify", verdict="known")
    assert state(site, incident) == "resolved"


def test_what_cannot_be_done_is_told_on_the_page_and_changes_nothing(site: Site) -> None:
    incident = site.alert()
    browser = site.signed_in()
    for act, data, said in (
        ("reopen", {}, "it cannot take 'reopen'"),
        ("snooze", {"for": "a while"}, "ot a duration"),
        ("note", {"text": " "}, "needs words"),
        ("reassign", {"user": "eve"}, "eve"),
        ("severity", {"severity": "huge"}, "everity has to be one of"),
        ("resolve", {"verdict": "boring"}, "erdict has to be one of"),
    ):
        answer = browser.post(f"/incidents/{incident}/{act}", data=data)
        assert answer.status_code in (400, 409), act
        assert said in unescape(answer.text), act
        assert state(site, incident) == "triggered"
    assert browser.post("/incidents/INC-9/acknowledge").status_code == 404
    assert browser.post("/incidents/nonsense/acknowledge").status_code == 400


def test_words_of_others_are_shown_as_words(site: Site) -> None:
    incident = site.alert(instance="<script>alert(1)</script>")
    browser = site.signed_in()
    browser.post(f"/incidents/{incident}/note", data={"text": "<img src=x onerror=alert(1)>"})
    page = browser.get(f"/incidents/{incident}").text
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_why_is_a_ladder_from_alert_to_person(site: Site) -> None:
    incident = site.alert()
    mine = text_of(site.signed_in("bo").get(f"/incidents/{incident}/why").text)
    assert "Why was I paged?" in mine
    ladder = mine[mine.index("Alert received") :]
    hops = ("Alert received", "Route taken", "Inhibited", "Group", "Incident", "Policy and step", "Person", "Contact")
    at = [ladder.index(hop) for hop in hops]
    assert at == sorted(at)
    asked = site.signed_in("bo").get("/why", params={"labels": 'alertname="CheckoutFailing"', "at": "2026-11-20T22:10"})
    assert "CheckoutFailing" in text_of(asked.text)
    nothing = site.signed_in().get("/why", params={"labels": 'alertname="Nothing"', "at": "2026-11-21T04:00"})
    assert "No such alert reached Quietshift" in nothing.text


@pytest.mark.parametrize("query", [{"labels": "a=~(", "at": "2026-11-21T04:00"}, {"labels": "a=b", "at": "9999-12-31T23:59"},
                                   {"labels": "a=b", "at": "0001-01-01T00:00"}, {"labels": "a=b", "at": "soon"}])  # fmt: skip
def test_a_question_that_is_none_is_told(site: Site, query: dict[str, str]) -> None:
    assert site.signed_in().get("/why", params=query).status_code == 422


# -- the link in a page --------------------------------------------------------------------------------------------------


def test_opening_the_link_changes_nothing_and_its_button_acknowledges(site: Site) -> None:
    incident = site.alert()
    stranger = site.browser(headers={"Origin": "https://mail.example.org"})
    stranger.headers["Origin"] = "https://mail.example.org"
    path = link(site, incident)
    page = stranger.get(path)
    assert "Bo, you are being paged" in text_of(page.text)
    assert state(site, incident) == "triggered"
    button = re.search(r'action="(/p/[^"]+/acknowledge)"', page.text)
    assert button is not None
    assert stranger.post(button[1]).headers["location"] == path
    assert "You have it, Bo" in text_of(stranger.get(path).text)
    found = site.program().get(f"/api/v1/incidents/{incident}").json()
    assert (found["state"], found["acknowledged_by"]) == ("acknowledged", "link:bo")


def test_a_webhook_acknowledges_by_a_plain_post(site: Site) -> None:
    incident = site.alert()
    program = site.browser(headers={})
    program.headers["Accept"] = "*/*"
    answer = program.post(link(site, incident))
    assert (answer.status_code, answer.json()["state"]) == (200, "acknowledged")


def bundle_link(site: Site, number: int) -> tuple[str, list[str]]:
    """The link of a message that told of so many incidents, and their names."""
    incidents = [site.alert(f"Full{i}") for i in range(number)]
    with site.app.db.write() as tx:
        pages = [store.pages(tx, int(one.removeprefix("INC-")))[0] for one in incidents]
        bundle = bundle_store.Bundle("01bundle", "bo", "payments", "mailto:b***@example.org", site.now, number)
        bundle_store.add(tx, bundle, [Rung(page.id, 0, "mailto:bo@example.org", site.now) for page in pages])
    ttl = site.app.settings.ack_link_ttl
    return links.PATH + links.make(site.app.key_for("ack-link"), None, "bo", "01bundle", site.now, ttl), incidents


def test_the_link_of_a_bundle_shows_what_is_left_and_acknowledges_all_of_it(site: Site) -> None:
    path, incidents = bundle_link(site, 60)
    site.signed_in().post(f"/incidents/{incidents[7]}/acknowledge")
    seen = text_of(site.browser().get(path).text)
    assert "59 of 60 incidents have nobody" in seen
    assert "and 9 more" in seen
    assert state(site, incidents[0]) == "triggered"
    button = re.search(r'action="(/p/[^"]+/acknowledge)"', site.browser().get(path).text)
    assert button is not None
    assert site.browser().post(button[1]).headers["location"] == path
    assert "They are being given to you, Bo" in text_of(site.browser().get(path).text)
    while timers.run_due(site.app.db, site.app.registry.timers, site.now):
        pass
    assert "Somebody has each of these 60 incidents" in text_of(site.browser().get(path).text)
    found = [site.program().get(f"/api/v1/incidents/{one}").json() for one in incidents]
    assert [one["acknowledged_by"] for one in found].count("link:bo") == 59
    assert found[7]["acknowledged_by"] == "user:ana"
    assert site.journaled().count("incident.acknowledged") == 60
    assert site.journaled().count("page.bundle_acknowledged") == 1


def test_a_webhook_acknowledges_a_bundle_by_a_plain_post(site: Site) -> None:
    path, incidents = bundle_link(site, 3)
    program = site.browser(headers={})
    program.headers["Accept"] = "*/*"
    told = {"bundle": "01bundle", "policy": "payments", "count": 3, "left": 3, "acknowledging": True}
    assert program.post(path).json() == told
    assert program.post(path).json() == told  # a second press changes nothing
    while timers.run_due(site.app.db, site.app.registry.timers, site.now):
        pass
    assert [state(site, one) for one in incidents] == ["acknowledged"] * 3
    assert program.post(path).json() == told | {"left": 0, "acknowledging": False}
    assert program.post(f"{path}/escalate").status_code == 400


def test_many_incidents_are_listed_by_page_and_told_by_policy_and_alert(site: Site) -> None:
    for number in range(58):
        site.alert("DiskFull", service=f"n{number}")
    loud, quiet = site.alert("Loud", service="x", receiver="web"), site.alert("Quiet", service="y", severity="info")
    on = site.signed_in()
    first = text_of(on.get("/incidents").text)
    assert "58 × DiskFull policy payments" in first
    assert "1 to 50 of 60, the loudest first" in first
    assert loud in first
    assert quiet not in first
    assert quiet in text_of(on.get("/incidents?page=2").text)
    narrowed = text_of(on.get("/incidents?policy=web").text)
    assert loud in narrowed
    assert "DiskFull" not in narrowed


def test_the_link_says_when_it_is_over(site: Site) -> None:
    incident = site.alert()
    path = link(site, incident)
    site.signed_in().post(f"/incidents/{incident}/resolve", data={"verdict": "noise"})
    assert "It is over" in site.browser().get(path).text
    answer = site.browser().post(f"{path}/acknowledge")
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    site.app.clock.advance(site.app.settings.ack_link_ttl)  # type: ignore[attr-defined]  # a ManualClock
    gone = site.browser().get(path)
    assert gone.status_code == 410
    assert "This link has expired" in gone.text
    assert "customers cannot pay" not in gone.text
    assert site.browser().post(f"{path}/acknowledge").status_code == 410
    program = site.browser()
    program.headers["Accept"] = "*/*"
    told = program.post(path)
    assert (told.status_code, told.headers["content-type"]) == (410, "application/problem+json"), "a program gets no page"


def test_a_link_that_is_not_ours_is_refused(site: Site) -> None:
    path = link(site, site.alert())
    for wrong in (path[:-2], path[:-1] + ("A" if path[-1] != "A" else "B"), "/p/x", "/p/" + "A" * 5000):
        assert site.browser().get(wrong).status_code == 400
        assert site.browser().post(f"{wrong}/acknowledge").status_code == 400


def test_who_cannot_take_it_passes_it_on(site: Site) -> None:
    incident = site.alert()
    site.browser().post(link(site, incident) + "/escalate", data={"because": "cannot"})
    users = [page["user"] for page in site.program().get(f"/api/v1/incidents/{incident}/pages").json()]
    assert users == ["bo", "ana"]


# -- schedules, alerts, me, journal, pages -------------------------------------------------------------------------------


def test_schedules_show_fourteen_days(site: Site) -> None:
    browser = site.signed_in()
    assert "Payments" in browser.get("/schedules").text
    page = text_of(browser.get("/schedules/payments").text)
    assert "Bo until Mon 09:00 New York" in page
    assert "Bo → Ana" in page.replace("  ", " ")
    assert browser.get("/schedules/nope").status_code == 404


def test_my_contact_ladder_is_kept_and_tested(site: Site) -> None:
    browser = site.signed_in("ana")
    assert "default of the ops directory" in browser.get("/me").text
    data = {"after": ["0s", "1m", ""], "via": ["https://example.org/x", "mailto:a@example.org", ""]}
    assert browser.post("/me", data=data).status_code == 303
    assert "https://example.org/x" in browser.get("/me").text
    wrong = browser.post("/me", data={"after": ["0s", "later"], "via": ["pigeon:ana", "mailto:a@example.org"]})
    assert wrong.status_code == 422
    assert "Nothing was saved" in wrong.text
    assert 'value="pigeon:ana"' in wrong.text
    assert browser.post("/me", data={"after": [""], "via": [""]}).status_code == 422
    assert "https://example.org/x" in browser.get("/me").text
    assert browser.post("/me/test-page").status_code == 303
    assert browser.post("/me", data={"reset": "1"}).status_code == 303
    assert "ana@example.org" in browser.get("/me").text


def test_the_journal_shows_access_to_administrators_alone(site: Site) -> None:
    incident = site.alert()
    site.program("read")  # makes a token, which is journaled
    everybody = site.signed_in("bo").get("/journal").text
    assert "incident.opened" in everybody
    assert "token.created" not in everybody
    assert "token.created" in site.signed_in("ana", "admin").get("/journal").text
    one = site.signed_in("bo").get("/journal", params={"q": incident}).text
    assert "incident.opened" in one


def test_what_repeats_is_ranked(site: Site) -> None:
    browser = site.signed_in()
    assert "Nobody was paged" in browser.get("/pages").text
    for n in range(2):
        site.alert("CheckoutFailing", receiver="payments", pod=str(n), service="checkout" if n else "cart")
    page = text_of(browser.get("/pages").text)
    assert "2 pages in 4 weeks" in page
    assert "CheckoutFailing" in page
    assert browser.get("/pages?weeks=0").status_code == 422


def test_runbooks_are_read(site: Site) -> None:
    browser = site.signed_in()
    assert browser.get("/runbooks/CheckoutFailing").status_code == 200
    assert browser.get("/runbooks/CheckoutFailing.md").headers["location"] == "/runbooks/CheckoutFailing"
    assert browser.get("/runbooks/../quietshift.yaml").status_code == 404


def test_time_moves_pages_on(site: Site) -> None:
    """The next step that the page names is the one that is called."""
    incident = site.alert()
    browser = site.signed_in()
    assert "Next: Ana at" in text_of(browser.get(f"/incidents/{incident}").text)
    later = site.app.clock.advance(timers.backoff(20))  # type: ignore[attr-defined]  # five minutes
    timers.run_due(site.app.db, site.app.registry.timers, later)
    page = text_of(browser.get(f"/incidents/{incident}").text)
    assert "Ana was paged" in page
    assert usecases.ESCALATE in site.app.registry.timers
