"""The demo's page shows the shop, phones and mail as they are, and its switch works without a script."""

import http.client
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from quietshift.app.demo.inbox import Devices, Mail
from quietshift.app.demo.shop import Shop
from quietshift.app.demo.stage import Stage
from quietshift.app.demo.world import World

INCIDENT = {
    "id": "INC-1001", "title": "Checkout fails", "state": "triggered",
    "timeline": [
        {"at": "2020-01-01T00:00:00Z", "kind": "alert", "actor": "alerts", "text": "of an earlier story", "why": "", "data": {}},
        {"at": "2099-01-01T00:00:00Z", "kind": "ack", "actor": "link:bo", "text": "acknowledged", "why": "by mail", "data": {}},
    ],
}  # fmt: skip


@pytest.fixture
def world(webhook_server):
    from tests.support.webhook import Scripted

    for path, value in {"/api/v1/incidents": [INCIDENT], "/api/v1/incidents/INC-1001": INCIDENT}.items():
        webhook_server.always(path, Scripted(body=json.dumps(value).encode(), headers=(("Content-Type", "application/json"),)))
    shop = Shop()
    made = World(shop, Devices(), None)
    made.quietshift = SimpleNamespace(url=webhook_server.url().rstrip("/"), token="t")
    stage = Stage(made)
    made.stage_url = stage.url
    yield made
    stage.close()
    shop.close()


def ask(world, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(urlsplit(world.stage_url).netloc, timeout=5)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), answer
    connection.close()
    return found


def test_the_switch_breaks_and_mends_the_shop_by_a_plain_form(world):
    assert "Every order succeeds" in ask(world, "GET", "/")[1]
    status, _, answer = ask(world, "POST", "/shop", "broken=1", {"Origin": world.stage_url})
    assert (status, answer.getheader("Location")) == (303, "/")
    assert world.shop.broken
    page = ask(world, "GET", "/")[1]
    assert "Orders fail" in page
    assert "The shop breaks" in page
    ask(world, "POST", "/shop", "broken=0")
    assert not world.shop.broken


def test_another_sites_form_does_not_reach_the_switch(world):
    assert ask(world, "POST", "/shop", "broken=1", {"Origin": "https://evil.example"})[0] == 404
    assert not world.shop.broken


def test_a_page_rings_a_phone_and_the_page_shows_it_with_its_answer(world):
    page = {
        "page_id": "p", "attempt": 1, "user": "ana", "incident": {"id": "INC-1001", "title": "Checkout <fails>"},
        "acknowledge_url": "http://127.0.0.1:1/p/abc",
    }  # fmt: skip
    assert ask(world, "POST", "/phone/ana", json.dumps(page))[0] == 200
    world.devices.deliver(Mail(datetime.now(UTC), "bo@example.org", "INC-1001 triggered", "Text", ""))
    shown = ask(world, "GET", "/")[1]
    assert "Ringing" in shown
    assert "Checkout &lt;fails&gt;" in shown
    assert 'href="http://127.0.0.1:1/p/abc"' in shown
    assert "INC-1001 triggered" in shown


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"page_id": 1}'])
def test_what_is_no_page_is_refused(world, body):
    assert ask(world, "POST", "/phone/ana", body)[0] == 400


def test_the_story_begins_with_the_break_and_goes_on_with_the_incidents_timeline(world):
    world.break_shop()
    shown = ask(world, "GET", "/")[1]
    assert shown.index("The shop breaks") < shown.index("Bo: acknowledged")
    assert "of an earlier story" not in shown


def test_static_files_are_served_and_nothing_beside_them(world):
    status, text, answer = ask(world, "GET", "/static/app.css?v=1")
    assert (status, answer.getheader("Content-Type")) == (200, "text/css")
    assert text
    for path in ("/static/../demo/stage.py", "/static/%2e%2e/x", "/static/", "/etc/passwd"):
        assert ask(world, "GET", path)[0] == 404
    assert "default-src 'none'" in answer.getheader("Content-Security-Policy")
