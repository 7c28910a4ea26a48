"""The web interface as people use it: a real server, Debian's chromium, with and without a script."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.house import BY_LOOKS, PASSWORD, House, Visit, write_ops
from tests.support.mail import MailServer
from tests.support.server import Server

pytestmark = pytest.mark.timeout(90)  # a page that never answers names itself soon
ONLY_IN_THE_BROWSER = "document.body.dataset.same = 'yes'"  # gone after a reload


def button(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


# -- coming in -----------------------------------------------------------------------------------------------------------


def test_first_person_sets_up_an_account_by_the_printed_link_and_signs_in(
    serve: Callable[..., Server], smtp_server: MailServer, tmp_path: Path, browser: Browser
) -> None:
    server = serve(write_ops(tmp_path, smtp_server))
    found = re.search(r"http://\S+/setup/\S+", server.log_text())
    assert found is not None
    seen = Visit(browser.new_page(viewport={"width": 375, "height": 667}), server.url)
    page = seen.page
    seen.open("/")
    expect(page.get_by_role("status").first).to_contain_text("open the set-up link that the server printed")
    seen.open(found[0])
    page.get_by_label("Who are you?").select_option("ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    button(page, "Create account")
    expect(page.get_by_text("Your account is ready.")).to_be_visible()
    expect(page.get_by_text("You are on call for")).to_be_visible()
    button(page, "Menu")
    button(page, "Sign out")
    expect(page.get_by_text("You are signed out.")).to_be_visible()

    seen.open("/incidents?state=resolved")
    page.get_by_label("Account").fill("ana")
    page.get_by_label("Password").fill("incorrect horse battery")
    button(page, "Sign in")
    expect(page.get_by_role("alert")).to_contain_text("password")
    expect(page.get_by_label("Account")).to_have_value("ana")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}/incidents?state=resolved")
    seen.open(found[0])
    expect(page.get_by_text("This link")).to_be_visible()
    expect(page.get_by_label("Password", exact=True)).to_have_count(0)

    seen.expected = ("401", "404")  # the wrong password, the link that is used up
    seen.check()
    page.close()


# -- every page ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def story(standing_house: House) -> dict[str, str]:
    """Incidents in every state, ticked steps, a note, a silence: what there is to see on the pages. Gives them by state."""
    house = standing_house
    refs = {
        "triggered": house.alert("CheckoutFailing", "Checkout fails for 12 % of users", instance="checkout-1"),
        "acknowledged": house.alert("LedgerSlow", "Bookings take longer than 5 s", service="ledger", severity="warning"),
        "resolved": house.alert("DiskWillFill", "The disk of media-03 fills within 9 h", service="media", severity="warning"),
        "unowned": house.alert("Nobodys", severity="none", service="elsewhere"),
    }
    house.api("POST", f"/api/v1/incidents/{refs['acknowledged']}/acknowledge", {})
    house.api("POST", f"/api/v1/incidents/{refs['acknowledged']}/note", {"text": "The index is gone; it is being built anew."})
    house.api("POST", f"/api/v1/incidents/{refs['resolved']}/resolve", {"verdict": "noise"})
    matcher = {"name": "alertname", "value": "Nobodys", "isRegex": False, "isEqual": True}
    silence = {
        "matchers": [matcher], "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2036-01-01T00:00:00Z", "createdBy": "ana",
        "comment": "a test of silence",
    }  # fmt: skip
    made = house.api("POST", "/api/v2/silences", silence)["silenceID"]
    house.page_of(refs["triggered"])
    found = {one["labels"]["alertname"]: one["fingerprint"] for one in house.api("GET", "/api/v2/alerts")}
    return refs | {"alert": found["CheckoutFailing"], "silenced": found["Nobodys"], "silence": made}


PAGES = {
    "home": "/", "incidents": "/incidents", "nothing found": "/incidents?q=unheard-of", "triggered": "/incidents/{triggered}",
    "acknowledged": "/incidents/{acknowledged}", "resolved": "/incidents/{resolved}", "unowned": "/incidents/{unowned}",
    "why was I paged": "/incidents/{triggered}/why", "why was nobody paged": "/why?labels=alertname%3D%22Nobodys%22",
    "ask why": "/why", "schedules": "/schedules", "schedule": "/schedules/web", "alerts": "/alerts", "pages": "/pages",
    "why an alert is where it is": "/alerts/{alert}", "silenced alert": "/alerts/{silenced}",
    "silences": "/silences", "no silence": "/silences?state=pending", "silence": "/silences/{silence}",
    "extend": "/silences/{silence}/extend", "edit silence": "/silences/{silence}/edit",
    "new silence": "/silences/new?fingerprint={alert}", "empty form": "/silences/new",
    "what if": "/whatif?labels=alertname%3DX,service%3Dcheckout&at=2026-11-23T08:57", "what if, empty": "/whatif",
    "what if, wrong": "/whatif?labels=x&lasts=soon",
    "journal": "/journal", "me": "/me", "runbook": "/runbooks/CheckoutFailing", "not there": "/incidents/INC-9",
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible_on_a_desk_by_day_and_on_a_phone_by_night(house: House, story: dict[str, str], name: str) -> None:
    seen = house.visit()
    seen.expected = {"not there": ("404",), "what if, wrong": ("422",)}.get(name, ())
    seen.page.set_viewport_size({"width": 1440, "height": 900})
    seen.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    seen.open(PAGES[name].format(**story))
    assert seen.violations() == []
    assert seen.sideways() <= 0
    seen.page.set_viewport_size({"width": 375, "height": 667})
    seen.page.emulate_media(color_scheme="dark")
    assert seen.violations(*BY_LOOKS) == []
    assert seen.sideways() <= 0


def test_what_links_open_without_signing_in_is_accessible(house: House, story: dict[str, str]) -> None:
    for path in (house.ack_link(story["triggered"]), "/sign-in"):
        seen = house.visit(None, "phone", "dark")
        seen.open(path)
        assert seen.violations() == []
        assert seen.sideways() <= 0


def test_page_at_three_in_the_morning_reads_in_the_order_of_need(house: House, story: dict[str, str]) -> None:
    seen = house.visit("ana", "phone", "dark", script=False)
    seen.open(f"/incidents/{story['triggered']}")
    page = seen.page
    order = [
        page.get_by_role("heading", name="Checkout fails for 12 % of users"), page.get_by_text("owned by Payments"),
        page.get_by_text("since ").first, page.get_by_text("Also: "), page.get_by_role("link", name="Runbook: Checkout fails"),
        page.get_by_text("You were paged at"), page.get_by_text("Next: Bo at"), page.get_by_role("button", name="Acknowledge"),
    ]  # fmt: skip
    boxes = [found.bounding_box() for found in order]
    tops = [box["y"] for box in boxes if box]
    assert len(tops) == len(order)
    assert tops == sorted(tops)
    ack = boxes[-1]
    assert ack is not None
    assert ack["height"] >= 48
    assert ack["y"] + ack["height"] <= 667, "on the first screen"
    assert "INC-" in page.locator("#inc-head").inner_text()
    whole = page.locator("main").inner_text()
    assert not re.search(r"\d{4}-\d\d-\d\dT\d\d", whole), "an instant that nobody can read"
    assert "mailto:" not in whole


# -- one incident --------------------------------------------------------------------------------------------------------


def test_acknowledging_with_a_script_happens_in_the_page(house: House) -> None:
    ref = house.alert("AckByScript", "Orders fail")
    seen = house.visit(size="phone")
    seen.open(f"/incidents/{ref}")
    seen.page.evaluate(ONLY_IN_THE_BROWSER)
    button(seen.page, "Acknowledge")
    expect(seen.page.locator("#flash")).to_have_text("You have it. Paging has stopped.")
    expect(seen.page.locator("#inc-head")).to_contain_text("Acknowledged")
    expect(seen.page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    expect(seen.page.locator("#timeline")).to_contain_text("Ana acknowledged")
    assert seen.page.evaluate("document.body.dataset.same") == "yes"


def test_acknowledging_without_a_script(house: House) -> None:
    ref = house.alert("AckByForm", "Orders fail")
    seen = house.visit(size="phone", script=False)
    seen.open(f"/incidents/{ref}")
    button(seen.page, "Acknowledge")
    expect(seen.page.locator("#flash")).to_have_text("You have it. Paging has stopped.")
    expect(seen.page.locator("#inc-head")).to_contain_text("Acknowledged")
    expect(seen.page).to_have_url(f"{house.url}/incidents/{ref}")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_the_link_in_a_page_acknowledges_without_signing_in(house: House, script: bool) -> None:
    ref = house.alert(f"AckByLink{script}", "Orders fail")
    seen = house.visit(None, "phone", "dark", script=script)
    seen.open(house.ack_link(ref))
    expect(seen.page.get_by_text("Ana, you are being paged.")).to_be_visible()
    expect(seen.page.locator("#inc-head")).to_contain_text(re.compile(r"since \d\d:\d\d New York\s*$"))  # hers, and her team's
    expect(seen.page.get_by_text("Next: Bo at")).to_be_visible()
    assert house.api("GET", f"/api/v1/incidents/{ref}")["state"] == "triggered", "a mail scanner follows links"
    button(seen.page, "Acknowledge")
    expect(seen.page.get_by_text("You have it, Ana")).to_be_visible()
    assert house.api("GET", f"/api/v1/incidents/{ref}")["acknowledged_by"] == "link:ana"
    button(seen.page, "Escalate now")
    house.page_of(ref, "bo")


def test_what_a_second_person_does_is_seen_at_once_and_half_typed_text_stays(house: House) -> None:
    ref = house.alert("SeenLive", "Orders fail")
    mine, other = house.visit("ana"), house.visit("bo", "phone")
    home = house.visit("ana")
    home.open("/")
    mine.open(f"/incidents/{ref}")
    mine.page.evaluate(ONLY_IN_THE_BROWSER)
    note = mine.page.get_by_label("Note", exact=True)
    note.fill("it is the gateway, not the")
    other.open(f"/incidents/{ref}")
    button(other.page, "Acknowledge")
    expect(mine.page.locator("#inc-head")).to_contain_text("Acknowledged")
    expect(mine.page.locator("#act")).to_contain_text("Bo has it since")
    expect(mine.page.locator("#timeline")).to_contain_text("Bo acknowledged")
    expect(note).to_have_value("it is the gateway, not the")
    expect(note).to_be_focused()
    assert mine.page.evaluate("document.body.dataset.same") == "yes"
    expect(home.page.locator("#fires li", has_text=ref)).to_contain_text("Acknowledged")


def test_snooze_reassign_escalate_note_severity_resolve_reopen(house: House) -> None:
    ref = house.alert("EveryVerb", "Orders fail")
    seen = house.visit()
    page, head, story = seen.page, seen.page.locator("#inc-head"), seen.page.locator("#timeline")
    seen.open(f"/incidents/{ref}")
    page.get_by_label("Note", exact=True).fill("The gateway answers 502 <b>now</b>.")
    button(page, "Add note")
    expect(story).to_contain_text("The gateway answers 502 <b>now</b>.")
    expect(page.get_by_label("Note", exact=True)).to_have_value("")

    button(page, "Snooze 1 h")
    expect(head).to_contain_text("Snoozed")
    expect(story).to_contain_text(re.compile(r"snoozed by Ana until (\w+ )?\d\d:\d\d"))

    page.get_by_text("Reassign, change severity").click()
    page.get_by_label("Severity", exact=True).select_option("warning")
    button(page, "Change")
    expect(head).to_contain_text("warning")
    page.get_by_text("Reassign, change severity").click()
    page.get_by_label("Give it to").select_option("bo")
    button(page, "Reassign")
    expect(page.locator("#flash")).to_have_text("Bo is being paged.")
    expect(head).to_contain_text("Triggered")
    house.page_of(ref, "bo")

    button(page, "Escalate now")
    expect(page.locator("#flash")).to_have_text("The next step is being paged.")

    page.get_by_role("button", name="Resolve as Known").click()
    expect(page.locator("#flash")).to_have_text("Resolved.")
    expect(page.get_by_role("button", name="Known")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Noise").click()
    expect(page.get_by_role("button", name="Noise")).to_have_attribute("aria-pressed", "true")
    button(page, "Reopen")
    expect(head).to_contain_text("Triggered")
    button(page, "Resolve, say which later")
    expect(page.locator("#act")).to_contain_text("What was this page?")
    assert house.api("GET", f"/api/v1/incidents/{ref}")["verdict"] is None


def test_one_key_acknowledges_and_one_key_says_what_the_page_was(house: House) -> None:
    ref = house.alert("ByKeys", "Orders fail")
    seen = house.visit()
    page = seen.page
    seen.open(f"/incidents/{ref}")
    page.keyboard.press("2")
    expect(page.get_by_role("dialog")).to_contain_text(f"Resolve {ref} as noise?")  # nobody has it: a slip would be silence
    page.get_by_role("button", name="No", exact=True).click()
    page.keyboard.press("a")
    expect(page.locator("#inc-head")).to_contain_text("Acknowledged")
    page.keyboard.press("2")
    expect(page.locator("#inc-head")).to_contain_text("Resolved")
    expect(page.get_by_role("button", name="Noise")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("4")
    expect(page.get_by_role("button", name="Known")).to_have_attribute("aria-pressed", "true")
    assert house.api("GET", f"/api/v1/incidents/{ref}")["verdict"] == "known"


def test_steps_of_the_runbook_are_ticked_with_a_note(house: House, story: dict[str, str]) -> None:
    seen = house.visit(size="phone")
    page = seen.page
    seen.open(f"/incidents/{story['triggered']}")
    page.locator("#steps-fold > summary").click()
    for number, act, word in ((1, "Done", "done"), (2, "Skip", "skipped"), (3, "Failed", "failed")):
        step = page.locator(f"#step-{number}")
        if not step.get_by_role("button", name=act).is_visible():
            step.locator("summary").click()
        step.get_by_label(f"Note on step {number}").fill(f"saw {number}")
        step.get_by_role("button", name=act).click()
        expect(step).to_contain_text(f"{word} by Ana just now: saw {number}")
    expect(page.locator("#timeline")).to_contain_text("Ana did step 1")
    expect(page.locator("#timeline")).to_contain_text("Ana failed at step 3")


# -- the other rooms -----------------------------------------------------------------------------------------------------


def test_why_i_was_paged_is_a_sentence_and_a_ladder(house: House, story: dict[str, str]) -> None:
    seen = house.visit()
    seen.open(f"/incidents/{story['triggered']}")
    seen.page.get_by_role("link", name="Why was I paged?").click()
    expect(seen.page.get_by_role("heading", name="Why was Ana paged?")).to_be_visible()
    answer = seen.page.locator(".answer").first
    told = r"^Step 1 of 3, round 1 of 4: Ana is on call in schedule payments until (Mon( \d+ \w+)? )?09:00\.$"
    expect(answer).to_have_text(re.compile(told))
    expect(answer.locator("time")).to_have_attribute("datetime", re.compile(r"^\d{4}-.*Z$"))
    for hop in ("Alert received", "Route taken", "Group", "Policy and step", "Contact", "Provider's answer"):
        expect(seen.page.locator(".ladder").first).to_contain_text(hop)
    expect(seen.page.locator(".ladder").first).to_contain_text("mail to a***@example.org")


def test_why_nobody_was_paged_names_what_stopped_it(house: House, story: dict[str, str]) -> None:
    house.api("POST", "/api/v2/alerts", [{"labels": {"alertname": "Nobodys", "service": "elsewhere", "instance": "2"}}])
    seen = house.visit()
    seen.open("/alerts?state=silenced")
    seen.page.get_by_role("link", name="Why? Nobodys").first.click()
    expect(seen.page.get_by_role("heading", name="Why was nobody paged?")).to_be_visible()
    expect(seen.page.locator(".ladder").first).to_contain_text("Alert received")
    seen.page.get_by_label("Alert labels").fill('alertname="Unheard"')
    button(seen.page, "Explain")
    expect(seen.page.get_by_text("No such alert reached Quietshift around then")).to_be_visible()


def test_schedules_show_who_is_on_for_fourteen_days(house: House) -> None:
    seen = house.visit()
    seen.open("/")
    expect(seen.page.get_by_text("You are on call for")).to_contain_text("Payments")
    web = seen.page.get_by_role("row").filter(has=seen.page.get_by_role("link", name="Web", exact=True))
    expect(web).to_contain_text("then everybody in Web")  # by its own policy, not by the one for what no route takes
    seen.open("/schedules")
    row = seen.page.get_by_role("row").filter(has=seen.page.get_by_role("link", name="Payments backup"))
    expect(row).to_contain_text("Bo")
    seen.page.get_by_role("link", name="Web", exact=True).first.click()
    expect(seen.page.get_by_role("heading", name="Next 14 days").first).to_be_visible()
    assert seen.page.locator(".calendar [role=img]").count() >= 3
    expect(seen.page.locator("body")).to_contain_text("Asia/Singapore")


def test_one_key_leads_to_the_silence_of_the_alert_one_looks_at(house: House) -> None:
    ref = house.alert("TooLoudByKey", "It beeps")
    seen = house.visit()
    page = seen.page
    seen.open("/alerts")
    page.locator("#alerts li.al", has_text="TooLoudByKey").get_by_role("link", name="TooLoudByKey").first.focus()
    page.keyboard.press("m")
    expect(page.get_by_role("heading", name="New silence")).to_be_visible()
    expect(page.get_by_label('alertname="TooLoudByKey"')).to_be_checked()
    for start in (f"/incidents/{ref}", f"/alerts/{_fingerprint(house, 'TooLoudByKey')}"):
        seen.open(start)
        page.keyboard.press("m")
        expect(page.get_by_label('alertname="TooLoudByKey"')).to_be_checked()


def _fingerprint(house: House, name: str) -> str:
    found = house.api("GET", f"/api/v2/alerts?filter=alertname%3D{name}")
    return str(found[0]["fingerprint"])


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_silence_is_looked_at_made_extended_and_ended(house: House, story: dict[str, str], script: bool) -> None:
    name = f"TooLoud{script}"
    house.alert(name, "It beeps", instance="a")
    house.alert(f"{name}Too", f"{name} beeps too", instance="b")
    seen = house.visit(size="phone", script=script)
    seen.expected = ("422",)
    page = seen.page
    seen.open("/alerts")
    page.locator("#alerts li.al", has_text=f"{name} beeps too").get_by_role("link", name="Silence", exact=True).click()
    expect(page.locator("#preview")).to_contain_text("1 of")
    page.get_by_label(f'alertname="{name}Too"').uncheck()
    page.get_by_label('instance="b"').uncheck()
    page.get_by_label("And all of these").fill(f'alertname=~"{name}.*"')
    page.get_by_label("Why", exact=True).fill("works on the mains")
    button(page, "Preview")
    expect(page.locator("#preview")).to_contain_text("2 of")
    expect(page.get_by_label("Why", exact=True)).to_have_value("works on the mains")
    expect(page.get_by_label('instance="b"')).not_to_be_checked()
    page.get_by_label("And all of these").fill(f'alertname=~"{name}("')
    button(page, "Silence")
    expect(page.locator("#more-error")).to_be_visible()
    page.get_by_label("And all of these").fill(f'alertname=~"{name}.*"')
    page.get_by_label("For how long").select_option("4h")
    button(page, "Silence")
    expect(page.locator("#flash")).to_have_text("Silenced.")
    expect(page.locator("#muted")).to_contain_text(f"{name} beeps too")
    button(page, "Extend by 1 h")
    expect(page.locator("#flash")).to_have_text("Extended by 1h.")
    expect(page.locator("#story")).to_contain_text("Ana changed it: extended by 1h")
    seen.open("/alerts?state=silenced")
    expect(page.locator("#alerts li.al", has_text=f"{name} beeps too")).to_contain_text("silenced by Ana: works on the mains")
    seen.open("/silences")
    row = page.locator("#silences li.al", has_text="works on the mains")
    expect(row).to_contain_text("mutes 2 alerts now")
    row.get_by_role("button", name="End now").click()
    expect(page.locator("#flash")).to_contain_text("The silence has ended")
    expect(row).to_have_count(0)


def test_what_wakes_another_team_is_silenced_only_by_who_means_it(house: House, story: dict[str, str]) -> None:
    seen = house.visit("dee", "phone", "dark")
    seen.expected = ("422",)
    page = seen.page
    seen.open(f"/silences/new?fingerprint={story['alert']}")
    expect(page.locator("#warnings")).to_contain_text("It mutes what wakes Payments: CheckoutFailing")
    page.get_by_label("Why", exact=True).fill("it is loud here")
    button(page, "Silence")
    expect(page.locator("#sure-error")).to_be_visible()
    assert seen.violations(*BY_LOOKS) == []


def test_pages_rank_and_journal_tell_what_happened(house: House, story: dict[str, str]) -> None:
    seen = house.visit()
    seen.open("/pages")
    row = seen.page.get_by_role("row").filter(has_text="DiskWillFill")
    expect(row).to_contain_text("1 noise")
    expect(row.get_by_role("link", name="Runbook of DiskWillFill")).to_be_visible()
    seen.open("/journal")
    seen.page.get_by_label("Search the journal").fill(story["resolved"])
    seen.page.keyboard.press("Enter")
    expect(seen.page).to_have_url(re.compile("/journal.q="))
    rows = seen.page.get_by_role("row").filter(has_text="incident.resolved")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("as noise")


def test_my_ladder_is_edited_and_a_test_page_tries_it(house: House) -> None:
    seen = house.visit("bo", "phone")
    seen.expected = ("422",)
    page = seen.page
    seen.open("/me")
    expect(page.get_by_text("The default of the ops directory.")).to_be_visible()
    page.locator("#via-2").fill("pigeon:bo")
    button(page, "Save")
    expect(page.locator("#via-2-error")).to_contain_text("pigeon: is not supported")
    expect(page.locator("#via-2")).to_have_value("pigeon:bo")
    page.locator("#after-2").fill("1m")
    page.locator("#via-2").fill("mailto:bo.at.home@example.org")
    button(page, "Save")
    expect(page.get_by_text("Set by you")).to_be_visible()
    button(page, "Test page")
    expect(page.locator("#test")).to_contain_text("mail to b***@example.org accepted")
    house.mail.wait_for(to="bo.at.home@example.org")
    button(page, "Use the default")
    expect(page.get_by_text("The default of the ops directory.")).to_be_visible()
