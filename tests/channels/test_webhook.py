"""JSON is posted to a real HTTP server, and what that server said is what is answered."""

import logging
import socket

import pytest

from quietshift.channels import ntfy, webhook
from tests.support.webhook import Scripted


def test_an_object_is_posted_once_and_the_answer_kept(webhook_server):
    webhook_server.answer("/page", Scripted(202, b'{"queued": true}\n'))
    answer = webhook.post_json(webhook_server.url("/page"), {"page_id": "p1", "who": "änne"}, {"Idempotency-Key": "k1"})
    assert (answer.outcome, answer.code, answer.text) == ("accepted", 202, '202 Accepted: {"queued": true}')
    [post] = webhook_server.posts("/page")
    assert post.json == {"page_id": "p1", "who": "änne"}
    assert post.headers["Idempotency-Key"] == "k1"
    assert post.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "accepted"), (204, "accepted"), (301, "permanent"), (400, "permanent"), (401, "permanent"), (404, "permanent"),
        (410, "permanent"), (408, "temporary"), (425, "temporary"), (429, "temporary"), (500, "temporary"), (503, "temporary"),
    ],
)  # fmt: skip
def test_the_status_decides_whether_it_is_worth_another_try(webhook_server, status, outcome):
    webhook_server.answer("/page", status)
    answer = webhook.post_json(webhook_server.url("/page"), {})
    assert (answer.outcome, answer.code) == (outcome, status)


def test_redirects_are_not_followed(webhook_server):
    webhook_server.answer("/page", Scripted(307, headers=(("Location", webhook_server.url("/elsewhere")),)))
    assert webhook.post_json(webhook_server.url("/page"), {}).outcome == "permanent"
    assert webhook_server.posts("/elsewhere") == []


def test_a_refused_connection_and_a_slow_answer_are_temporary(webhook_server, free_port):
    assert webhook.post_json(f"http://127.0.0.1:{free_port}/", {}).outcome == "temporary"
    webhook_server.answer("/slow", Scripted(hold=30))
    answer = webhook.post_json(webhook_server.url("/slow"), {}, timeout=0.2)
    assert (answer.outcome, answer.code) == ("temporary", None)
    assert "0.2 s" in answer.text


def test_a_connection_that_breaks_before_the_answer_is_temporary():
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def hang_up():
            connection, _ = server.accept()
            connection.recv(1)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        answer = webhook.post_json(f"http://127.0.0.1:{port}/", {}, timeout=5)
        thread.join()
    assert answer.outcome == "temporary"


def test_five_hundred_characters_of_the_answer_are_kept_and_no_control_character(webhook_server):
    webhook_server.answer("/page", Scripted(200, b"\x00\x1b[31m" + b"long " * 50_000))
    text = webhook.post_json(webhook_server.url("/page"), {}).text
    assert len(text) == 500
    assert text.startswith("200 OK: [31mlong long")
    assert text.isprintable()


def test_the_url_is_neither_in_the_answer_nor_in_the_log(webhook_server, caplog):
    url = webhook_server.url("/services/T0/hush-hush?token=abcdef")
    webhook_server.answer("/services/T0/hush-hush", Scripted(404, f"no such hook: {url}".encode()))
    with caplog.at_level(logging.DEBUG):
        answer = webhook.post_json(url, {})
    assert "hush-hush" not in answer.text
    assert answer.text.startswith("404 Not Found: no such hook: http://127.0.0.1")
    assert not [record for record in caplog.records if record.name == "httpx2" and "hush-hush" in record.getMessage()]


def test_connections_are_used_again(webhook_server):
    for _ in range(3):
        assert webhook.post_json(webhook_server.url("/page"), {}).outcome == "accepted"
    pool = webhook._client()._transport._pool
    assert len([c for c in pool.connections if c.info().startswith(webhook_server.url("").rstrip("/"))]) <= 1


@pytest.mark.parametrize("url", ["gopher://example.org/", "http://", "https://exa mple.org/\n"])
def test_what_cannot_be_asked_is_permanent(url):
    assert webhook.post_json(url, {}).outcome == "permanent"


def test_ntfy_gets_title_text_and_buttons(webhook_server):
    answer = ntfy.publish(
        webhook_server.url("/ana"), title="[INC-1042] Störung\r\nX-Evil: yes", message="Git push schlägt fehl",
        click="https://shift.example.org/incidents/INC-1042", priority=5,
        buttons=[
            ntfy.Button("Acknowledge", "https://shift.example.org/p/abc", post=True),
            ntfy.Button("Open", "https://shift.example.org/incidents/INC-1042"),
        ],
    )  # fmt: skip
    assert answer.outcome == "accepted"
    [post] = webhook_server.posts("/ana")
    from email.header import decode_header, make_header

    assert str(make_header(decode_header(post.headers["Title"]))) == "[INC-1042] Störung X-Evil: yes"
    assert "X-Evil" not in post.headers
    assert post.headers["Priority"] == "5"
    assert post.body.decode() == "Git push schlägt fehl"
    import json

    acknowledge, view = json.loads(post.headers["Actions"])
    assert (acknowledge["action"], acknowledge["method"], acknowledge["url"]) == ("http", "POST", "https://shift.example.org/p/abc")
    assert view["action"] == "view"
