"""Requests that make no sense, at every door: never a 500, never a hang, and the next peer is served as before."""

import http.client
import socket
import time

import pytest

from tests.support.server import Server
from tests.support.talk import Reply, ask

ALERTS = "/api/v2/alerts"
pytestmark = pytest.mark.usefixtures("still_well")

# -- doors ---------------------------------------------------------------------------------------------------------------

DOORS = [
    "/", "/incidents", "/incidents/INC-1001", "/incidents/INC-999999999999999999999", "/incidents/INC-%00", "/alerts", "/why",
    "/incidents/x/why", "/schedules", "/schedules/none", "/pages", "/journal", "/me", "/sign-in", "/sign-out", "/setup/none",
    "/p/", "/p/none", "/p/%00", "/p/" + "A" * 5000, "/p/none/acknowledge", "/p/%F0%9F%98%80", "/static/../../etc/passwd",
    "/static/%2e%2e%2f%2e%2e%2fapp.py", "/static/none.css", "/favicon.ico", "/runbooks/none", "/runbooks/../quietshift.yaml",
    "/runbooks/%2e%2e%2fquietshift.yaml", "/none", "//", "/%", "/%ZZ", "/%FF%FE", "/..%2f..%2f", "/metrics", "/metrics/none",
    "/-/", "/-/none", "/-/healthy", "/-/ready", "/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/none", "/api/v1/incidents",
    "/api/v1/incidents/", "/api/v1/incidents/none", "/api/v1/incidents/INC-999999999999999999999999",
    "/api/v1/incidents/-1", "/api/v1/incidents/%00", "/api/v1/incidents/INC-1001/none", "/api/v1/incidents?limit=-1",
    "/api/v1/incidents?limit=99999999999999999999", "/api/v1/incidents?state=none", "/api/v1/incidents?cursor=%FF",
    "/api/v1/incidents?service=%00", "/api/v1/incidents?service=%ED%A0%80", "/api/v1/oncall", "/api/v1/oncall?at=never",
    "/api/v1/oncall?at=9999-12-31T23:59:59Z", "/api/v1/oncall?at=0001-01-01T00:00:00Z", "/api/v1/oncall?schedule=none",
    "/api/v1/oncall/shifts?schedule=ana&from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z", "/api/v1/oncall/shifts",
    "/api/v1/catalog", "/api/v1/journal", "/api/v1/journal?limit=0", "/api/v1/queue", "/api/v1/queue/none/retry",
    "/api/v1/pages/top?weeks=-1", "/api/v1/pages/top?weeks=999999999999", "/api/v1/users/none/contacts", "/api/v1/tokens/none",
    "/api/v1/accounts/none", "/api/v1/whoami", "/api/v1/status", "/api/v1/openapi.json", "/api/v2", "/api/v2/", "/api/v2/none",
    "/api/v2/alerts", "/api/v2/alerts/", "/api/v2/alerts/none", "/api/v2/alerts/groups", "/api/v2/status", "/api/v2/receivers",
    "/api/v2/silences", "/api/v2/silence/", "/api/v2/silence/none", "/api/v2/silence/%00", "/api/v2/silence/a/b",
    "/api/v3/alerts", "/events/none", "/docs", "/redoc", "/openapi.json", "/.env", "/.git/config",
]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW"]
BODIES = [None, b"", b"{", b"[1]", b"null", b"\xff\xfe", b"a=b&c=%00&text=%ED%A0%80", b'{"text": "\\ud800"}']


def sound(reply: Reply, what: str) -> None:
    """An answer that says what is wrong and is no accident of ours."""
    assert reply.status < 500, f"{what}: {reply}"
    if reply.status >= 400 and not what.startswith("HEAD"):
        assert reply.body, f"{what}: {reply.status} without a word"
        assert "Traceback" not in reply.body.decode("utf-8", "replace")


@pytest.mark.parametrize("path", DOORS)
def test_every_method_at_every_door_is_answered(standing: Server, path: str) -> None:
    for method in METHODS:
        for token in (standing.token, None):
            if method == "GET" and path == "/events":
                continue
            sound(ask(standing.url + path, method, token=token, timeout=10), f"{method} {path}")


@pytest.mark.parametrize("path", [door for door in DOORS if "?" not in door])
def test_any_body_at_every_door_is_answered(standing: Server, path: str) -> None:
    for body in BODIES:
        for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"):
            headers = {"Content-Type": kind, "Origin": standing.url}
            reply = ask(standing.url + path, "POST", body, headers, token=standing.token, timeout=10)
            sound(reply, f"POST {path} {body!r} {kind}")


@pytest.mark.parametrize("path", ["/none", "/api/v1/none", "/api/v2/none", "/-/none", "/incidents/INC-999999"])
def test_what_is_not_there_is_404_and_named(standing: Server, path: str) -> None:
    reply = ask(standing.url + path, headers={"Accept": "application/json"}, token=standing.token)

    assert reply.status == 404
    assert path.rpartition("/")[2] in reply.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/v2/alerts"), ("POST", "/api/v2/status"), ("PUT", "/api/v1/incidents"), ("GET", "/-/reload"),
        ("POST", "/-/ready"),
    ],
)  # fmt: skip
def test_a_method_that_a_door_does_not_take_is_405(standing: Server, method: str, path: str) -> None:
    reply = ask(standing.url + path, method, token=standing.token)

    assert reply.status == 405
    assert method in reply.text


# -- the wire itself -----------------------------------------------------------------------------------------------------


def raw(server: Server, *parts: bytes, timeout: float = 10) -> bytes:
    """What comes back for these bytes until the server closes or is silent: the first line and a little more."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as peer:
        try:
            for part in parts:
                peer.sendall(part)
            return peer.recv(4000)
        except ConnectionError:
            return b""


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,  # TLS where there is none
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBroken\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
        b"POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
        b"POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n[]",
        b"POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n[]\r\n0\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=lambda request: str(request[:40]),
)
def test_what_is_no_http_is_refused(standing: Server, request_bytes: bytes) -> None:
    answer = raw(standing, request_bytes, b"\r\n\r\n")

    assert not answer or answer.split(b" ")[1][:1] == b"4", answer


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer"}, {"Authorization": "Bearer " + "x" * 10_000}, {"Authorization": "Basic \xff\xfe"},
        {"Authorization": "Bearer \x80\x81"}, {"Cookie": "a=b; " * 2000}, {"Cookie": "\xff=\xfe; ;=;;"}, {"Host": "a\xffb"},
        {"Accept": "*/*;q=" + "9" * 5000}, {"Accept-Language": "xx" * 5000}, {"Origin": "null"}, {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"}, {"Content-Length": "0"}, {"Expect": "100-continue"}, {"Range": "bytes=0-,0-,0-"},
        {"If-None-Match": "\xff" * 100}, {"X-Forwarded-For": "a" * 5000}, {"X-Forwarded-Proto": "gopher"},
        {"Upgrade": "websocket", "Connection": "Upgrade"}, {"Last-Event-ID": "\xff"},
        {f"X-{n}": "y" for n in range(90)},
    ],
    ids=lambda headers: str(headers)[:40],
)  # fmt: skip
def test_abused_headers_are_answered(standing: Server, headers: dict[str, str]) -> None:
    for path in ("/", "/sign-in", "/api/v1/incidents", "/api/v2/alerts", "/api/v2/silences", "/-/ready", "/metrics"):
        sound(ask(standing.url + path, headers=headers, timeout=10), f"GET {path} {headers!r:.80}")
    for path in ("/api/v2/alerts", "/p/none", "/sign-in", "/-/reload"):
        sound(ask(standing.url + path, "POST", b"[]", headers=headers, timeout=10), f"POST {path} {headers!r:.80}")


def test_a_page_of_another_site_cannot_reload(standing: Server) -> None:
    assert ask(f"{standing.url}/-/reload", "POST").status == 200
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert ask(f"{standing.url}/-/reload", "POST", headers=headers).status == 401
        allowed = {**headers, "Authorization": f"Bearer {standing.token}"}
        assert ask(f"{standing.url}/-/reload", "POST", headers=allowed).status == 200


def test_headers_without_end_are_cut_off(standing: Server) -> None:
    """50 MB of one header: the server stops reading, and does not keep them."""
    with socket.create_connection(("127.0.0.1", standing.port), timeout=20) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        sent = 0
        try:
            while sent < 50_000_000:
                peer.sendall(b"y" * 1_000_000)
                sent += 1_000_000
        except OSError:
            pass
    assert sent < 20_000_000, "the server took a header of 50 MB"


def test_a_hundred_peers_that_say_nothing_hold_up_nobody(standing: Server) -> None:
    silent = [socket.create_connection(("127.0.0.1", standing.port), timeout=5) for _ in range(100)]
    try:
        for number, peer in enumerate(silent):
            peer.sendall(b"POST /api/v2/alerts HTTP/1.1\r\nContent-Length: 100\r\n"[: number % 60])
        began = time.monotonic()
        assert ask(standing.url + ALERTS, "POST", json_body=[{"labels": {"alertname": "Among"}}], timeout=5).status == 200
        assert time.monotonic() - began < 2
    finally:
        for peer in silent:
            peer.close()


def test_requests_that_are_pipelined_are_all_answered(standing: Server) -> None:
    one = b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answers = b""
    with socket.create_connection(("127.0.0.1", standing.port), timeout=10) as peer:
        peer.sendall(one * 49 + last)
        while part := peer.recv(65536):
            answers += part

    assert answers.count(b"HTTP/1.1 200 OK") == 50


def test_a_broken_request_costs_its_connection_alone(standing: Server) -> None:
    other = http.client.HTTPConnection("127.0.0.1", standing.port, timeout=10)
    other.request("GET", "/-/ready")
    assert other.getresponse().read() == b"ready\n"
    raw(standing, b"nonsense\r\n\r\n")
    other.request("GET", "/-/ready")
    assert other.getresponse().read() == b"ready\n"
    other.close()
