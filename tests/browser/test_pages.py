"""A running server in chromium: sign-in, incident, acknowledge with and without a script, live; on a desk and on a phone."""

import json
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from quietshift.kernel import secret
from quietshift.paging import links
from tests.browser.house import AXE, SIZES, Visit
from tests.support.server import Server
from tests.support.web import EXAMPLE, PASSWORD

KEY = "browser-tests-have-a-key-of-their-own"
WAIT_SECONDS = 20.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on the example, whose groups do not wait; nobody's contacts lead out of this machine."""
    folder = tmp_path_factory.mktemp("pages")
    ops = folder / "ops"
    shutil.copytree(EXAMPLE, ops)
    routes = ops / "alertmanager.yml"
    routes.write_text(re.sub(r"group_wait: \w+", "group_wait: 0s", routes.read_text()))
    contacts = ops / "oncall" / "contacts.yaml"
    contacts.write_text(re.sub(r'via: "[^"]+"', 'via: "http://127.0.0.1:9/nobody"', contacts.read_text()))
    started = Server(folder, ops, env={"QUIETSHIFT_SECRET_KEY": KEY}).start()
    yield started
    started.terminate()


def call(server: Server, method: str, path: str, body: Any = None) -> Any:
    """The API, as administrator."""
    request = urllib.request.Request(
        server.url + path, None if body is None else json.dumps(body).encode(), method=method,
        headers={"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=10) as answer:
        content = answer.read()
    return json.loads(content) if content else None


def incident(server: Server, name: str) -> str:
    """An incident that this alert has opened; its id."""
    labels = {"alertname": name, "service": "checkout", "severity": "critical"}
    annotations = {"summary": f"{name}: one order in three fails"}
    call(server, "POST", "/api/v2/alerts", [{"labels": labels, "annotations": annotations}])
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        for one in call(server, "GET", "/api/v1/incidents"):
            if one["title"].startswith(f"{name}:"):
                return str(one["id"])
        time.sleep(0.05)  # waits for another process
    raise AssertionError(f"no incident of {name} in {WAIT_SECONDS} s:\n{server.log_text()}")


def state(server: Server, ref: str) -> str:
    return str(call(server, "GET", f"/api/v1/incidents/{ref}")["state"])


def visit(browser: Browser, server: Server, size: str, **more: Any) -> Visit:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, base_url=server.url, **more)
    context.add_init_script(AXE)
    return Visit(context.new_page(), server.url)


def sign_in(page: Page, name: str = "ana") -> None:
    page.goto("/sign-in")
    page.get_by_label("Account").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="On call now")).to_be_visible()


@pytest.fixture(scope="module")
def accounts(browser: Browser, server: Server) -> None:
    """Ana and Bo have set their passwords, by the links that an administrator made."""
    for name in ("ana", "bo"):
        url = call(server, "POST", "/api/v1/accounts", {"name": name, "role": "responder"})["url"]
        seen = visit(browser, server, "desktop")
        seen.page.goto("/setup/" + url.rsplit("/", 1)[1])
        assert seen.violations() == []
        seen.page.get_by_label("Password", exact=True).fill(PASSWORD)
        seen.page.get_by_label("Password again").fill(PASSWORD)
        seen.page.get_by_role("button", name="Create account").click()
        expect(seen.page.get_by_text("Your account is ready")).to_be_visible()
        healthy(seen)


def healthy(seen: Visit) -> None:
    """No violation of accessibility, nothing on the console, nothing from elsewhere, nothing scrolls sideways."""
    assert seen.violations() == [], seen.page.url
    assert seen.errors == [], seen.page.url
    assert seen.foreign == [], seen.page.url
    wide = seen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{seen.page.url} scrolls sideways"


@pytest.mark.parametrize("size", SIZES)
def test_sign_in_and_out(browser: Browser, server: Server, accounts: None, size: str) -> None:
    seen = visit(browser, server, size)
    page = seen.page
    page.goto("/schedules/payments")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    healthy(seen)
    page.get_by_label("Account").fill("ana")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Name or password is wrong.")
    assert seen.violations() == []
    seen.errors.clear()  # chromium tells of the 401
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/schedules/payments$"))
    healthy(seen)
    if size == "phone":
        page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/sign-in$"))
    page.context.close()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("size", SIZES)
def test_an_incident_is_acknowledged(browser: Browser, server: Server, accounts: None, size: str, script: bool) -> None:
    ref = incident(server, f"Ack{size}{script}")
    seen = visit(browser, server, size, java_script_enabled=script)
    page = seen.page
    sign_in(page)
    page.get_by_role("link", name=re.compile(f"Ack{size}{script}:")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("one order in three fails")
    assert state(server, ref) == "triggered"
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("You have it. Paging has stopped.")).to_be_visible()
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    assert state(server, ref) == "acknowledged"
    assert call(server, "GET", f"/api/v1/incidents/{ref}")["acknowledged_by"] == "user:ana"
    if script:
        healthy(seen)
    else:
        assert seen.errors + seen.foreign == []
    page.context.close()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_the_link_in_a_page_acknowledges_without_sign_in(browser: Browser, server: Server, script: bool) -> None:
    ref = incident(server, f"Link{script}")
    key = secret.derive(KEY.encode(), "ack-link")
    token = links.make(key, int(ref[4:]), "bo", "page", datetime.now(UTC), timedelta(hours=1))
    seen = visit(browser, server, "phone", java_script_enabled=script)
    seen.page.goto(links.PATH + token)
    expect(seen.page.get_by_text("Bo, you are being paged.")).to_be_visible()
    assert state(server, ref) == "triggered"
    if script:
        healthy(seen)
    seen.page.get_by_role("button", name="Acknowledge").click()
    expect(seen.page.get_by_text("You have it, Bo")).to_be_visible()
    assert state(server, ref) == "acknowledged"
    if script:
        healthy(seen)
    seen.page.context.close()


def test_an_open_page_follows_what_others_do(browser: Browser, server: Server, accounts: None) -> None:
    ref = incident(server, "Live")
    seen = visit(browser, server, "desktop")
    sign_in(seen.page)
    with seen.page.expect_response(lambda answer: "/events?" in answer.url):
        seen.page.goto(f"/incidents/{ref}")
    note = seen.page.get_by_label("Note", exact=True)
    note.fill("half a sentence")
    call(server, "POST", f"/api/v1/incidents/{ref}/acknowledge", {})
    expect(seen.page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    expect(note).to_have_value("half a sentence")
    healthy(seen)
    seen.page.context.close()


