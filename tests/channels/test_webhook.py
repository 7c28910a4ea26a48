"""JSON is posted to a real HTTP server, and what that server said is what is answered."""

import base64
import contextlib
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from quietshift.channels import ntfy, warm, webhook
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


class Counting:
    """A server of one answer to every request, which counts connections; it closes each after `requests` of them."""

    def __init__(self, answer: bytes, requests: int = 1000) -> None:
        self.answer, self.requests = answer, requests
        self.connections = self.asked = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            for _ in range(self.requests):
                asked = b""
                while b"\r\n\r\n{}" not in asked:
                    got = connection.recv(65536)
                    if not got:
                        return
                    asked += got
                self.asked += 1
                connection.sendall(self.answer)

    def close(self) -> None:
        self._server.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (OK, 1),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 1),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 1),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 3),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 3),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, 3),  # not worth reading to its end
    ],
)
def test_connections_are_used_again_where_the_server_wants_it(answer, connections):
    server = Counting(answer)
    for _ in range(3):
        assert webhook.post_json(server.url, {}).outcome == "accepted"
    assert (server.asked, server.connections) == (3, connections)
    server.close()


def test_a_connection_that_the_server_has_closed_meanwhile_is_not_used():
    server = Counting(OK, requests=1)
    for _ in range(4):
        assert webhook.post_json(server.url, {}).outcome == "accepted"
        while not warm._readable(warm._idle[warm._origin(urlsplit(server.url))][0][0]):
            time.sleep(0.001)  # until the end of the connection has come
    assert server.connections == 4
    server.close()


def test_many_at_once_have_connections_of_their_own_and_none_gets_another_s_answer(webhook_server):
    for number in range(40):
        webhook_server.answer(f"/{number}", Scripted(200, f"for {number}".encode(), hold=0.01))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: webhook.post_json(webhook_server.url(f"/{n}"), {"n": n}).text, range(40)))
    assert answers == [f"200 OK: for {number}" for number in range(40)]
    assert sorted(post.json["n"] for post in webhook_server.posts()) == list(range(40))


def test_an_answer_that_trickles_does_not_last_for_ever():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    server = Counting(head + b"begun")
    began = time.monotonic()
    answer = webhook.post_json(server.url, {}, timeout=0.3)
    assert (answer.outcome, answer.text) == ("accepted", "200 OK: begun")
    assert time.monotonic() - began < 5
    server.close()


def test_who_is_named_in_the_url_is_told_as_credentials(webhook_server):
    url = webhook_server.url("/page?x=ä b").replace("http://", "http://ana:se%20cret@")
    assert webhook.post_json(url, {}, {"X-Who": "ana"}).outcome == "accepted"
    [post] = webhook_server.posts()
    assert post.headers["Authorization"] == "Basic " + base64.b64encode(b"ana:se cret").decode()
    assert post.headers["Host"] == f"127.0.0.1:{webhook_server.port}"
    assert (post.path, post.query, post.headers["X-Who"]) == ("/page", "x=%C3%A4%20b", "ana")


def test_a_header_cannot_smuggle_another(webhook_server):
    answer = webhook.post_json(webhook_server.url("/page"), {}, {"X-Who": "ana\r\nX-Evil: yes"})
    assert answer.outcome == "permanent"
    assert webhook_server.posts() == []


def test_the_environment_s_proxy_is_asked(webhook_server, monkeypatch):
    monkeypatch.setenv("http_proxy", webhook_server.url(""))
    assert webhook.post_json("http://hooks.example.org/page", {"n": 1}).outcome == "accepted"
    [post] = webhook_server.posts()
    assert post.headers["Host"] == "hooks.example.org"


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
