"""Every template with sample content in chromium: accessible, quiet on the console, nothing fetched from elsewhere."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser import gallery, samples
from tests.browser import sample_incidents as incidents
from tests.browser.house import AXE, BY_LOOKS, SIZES, Visit

pytestmark = pytest.mark.timeout(90)  # a page that never answers names itself soon


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with gallery.serving() as found:
        yield found


def visit(browser: Browser, url: str, size: str, **more: Any) -> Visit:
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, **more)
    page.clock.set_fixed_time(samples.NOW)
    return Visit(page, url)


@pytest.fixture(scope="module")
def one(browser: Browser) -> Iterator[BrowserContext]:
    """One context for all pages that are only looked at: a new one costs as much as the look."""
    context = browser.new_context()
    context.add_init_script(AXE)  # evaluated by the browser itself, so the page's policy stays as strict as the server's
    context.clock.set_fixed_time(samples.NOW)
    yield context
    context.close()


@pytest.mark.parametrize("name", gallery.PAGES)
def test_page_is_accessible_and_keeps_to_its_policy(one: BrowserContext, url: str, name: str) -> None:
    seen = Visit(one.new_page(), url)
    page = seen.page
    page.set_viewport_size({"width": 375, "height": 667})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    seen.open(f"/{name}")
    assert seen.violations() == []
    assert seen.sideways() <= 0
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    assert seen.violations(*BY_LOOKS) == []
    assert seen.sideways() <= 0
    page.close()
    seen.check()


@pytest.mark.parametrize("name", ["incident", "ack"])
def test_acknowledge_is_under_the_thumb_without_a_script(browser: Browser, url: str, name: str) -> None:
    seen = visit(browser, url, "phone", java_script_enabled=False)
    seen.open(f"/{name}")
    button = seen.page.get_by_role("button", name="Acknowledge")
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 48
    assert box["y"] + box["height"] <= gallery.PHONE[1], "on the first screen"
    with seen.page.expect_request(lambda r: r.method == "POST" and r.url.endswith("/acknowledge")):
        button.click()
    seen.page.close()


def test_targets_on_a_phone_are_large(browser: Browser, url: str) -> None:
    seen = visit(browser, url, "phone", has_touch=True)
    for name in ("incident", "incident-acknowledged", "alerts", "me"):
        seen.open(f"/{name}")
        small = seen.page.evaluate(
            "[...document.querySelectorAll('main .btn, main select, main input:not([type=hidden])')]"
            ".filter(e => e.getClientRects().length && e.getBoundingClientRect().height < 47.5).map(e => e.outerHTML)"
        )
        assert small == [], name
    seen.page.close()


def test_keys_act_and_escalation_asks_first(browser: Browser, url: str) -> None:
    seen = visit(browser, url, "desktop")
    seen.open("/incident")
    seen.page.keyboard.press("e")
    expect(seen.page.get_by_role("dialog")).to_contain_text("Page Bo now?")
    seen.page.keyboard.press("Escape")
    expect(seen.page.get_by_role("dialog")).to_have_count(0)
    with seen.page.expect_request(lambda r: r.method == "POST" and r.url.endswith("/acknowledge")):
        seen.page.keyboard.press("a")
    seen.page.keyboard.press("?")
    expect(seen.page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    seen.page.get_by_label("Single-key shortcuts").uncheck()
    seen.page.get_by_role("button", name="Close").click()
    seen.page.keyboard.press("e")
    expect(seen.page.get_by_role("dialog")).to_have_count(0)
    seen.page.close()
    seen.check()


def test_lists_are_walked_by_keys_and_commands_are_found(browser: Browser, url: str) -> None:
    seen = visit(browser, url, "desktop")
    seen.open("/incidents")
    seen.page.keyboard.press("j")
    seen.page.keyboard.press("j")
    expect(seen.page.get_by_role("link", name="Checkout slower than 2 s for 1 in 50")).to_be_focused()
    seen.page.keyboard.press("k")
    expect(seen.page.get_by_role("link", name="Git push fails for 3.1 % of users")).to_be_focused()
    seen.page.keyboard.press("/")
    expect(seen.page.get_by_label("Search incidents", exact=True)).to_be_focused()
    seen.page.keyboard.press("Control+k")
    seen.page.keyboard.type("sched")
    expect(seen.page.locator("#command-list li:visible")).to_have_text(["Schedules"])
    seen.page.close()


def test_live_update_keeps_half_typed_text_focus_and_what_is_unfolded(
    browser: Browser, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = visit(browser, url, "desktop")
    seen.open("/incident")
    note = seen.page.get_by_label("Note", exact=True)
    note.fill("the disk, not the")
    labels = seen.page.locator("details", has_text="6 labels")
    labels.locator("summary").click()
    note.focus()
    monkeypatch.setitem(gallery.PAGES, "incident", ("incident.html", changed))
    gallery.changes.append("incident:1042")
    expect(seen.page.locator("#timeline")).to_contain_text("Bo joined the call")
    expect(seen.page.locator("#live")).to_have_text("Updated")
    expect(note).to_be_focused()
    expect(note).to_have_value("the disk, not the")
    expect(labels).to_have_attribute("open", "")
    seen.page.close()
    seen.check()


def test_live_update_does_not_take_away_a_form_one_is_writing_in(
    browser: Browser, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = visit(browser, url, "desktop")
    seen.open("/incident")
    seen.page.locator("#step-2-fold summary").click()
    note = seen.page.get_by_label("Note on step 2")
    note.fill("drained gita")
    monkeypatch.setitem(gallery.PAGES, "incident", ("incident.html", incidents.incident_resolved))
    gallery.changes.append("incident:1042")
    expect(seen.page.locator("#live")).to_contain_text("changed while you were typing")
    expect(seen.page.locator("#inc-head")).to_contain_text("Resolved")
    expect(note).to_have_value("drained gita")
    seen.page.close()


def test_a_post_is_morphed_in_without_losing_the_scroll(browser: Browser, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = visit(browser, url, "phone")
    seen.open("/incident")
    monkeypatch.setitem(gallery.PAGES, "incident", ("incident.html", incidents.incident_acknowledged))
    seen.page.mouse.wheel(0, 200)
    seen.page.wait_for_function("scrollY > 100")
    seen.page.get_by_role("button", name="Acknowledge").click()
    expect(seen.page.locator("#flash")).to_contain_text("Nobody else will be paged")
    expect(seen.page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    assert seen.page.evaluate("scrollY") > 100
    seen.page.close()
    seen.check()


def changed() -> samples.Context:
    found = incidents.incident()
    return found | {"timeline": [*found["timeline"], incidents.entry(samples.NOW, "note", "Bo", "joined the call")]}
