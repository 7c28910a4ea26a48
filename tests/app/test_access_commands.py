"""`quietshift user` and `quietshift token` against a server of its own process; and how that server stops."""

import http.client
import json
import re
import urllib.request
from collections.abc import Callable

import pytest

from tests.support.server import Server
from tests.support.web import EXAMPLE


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve(EXAMPLE)


def test_people_are_invited_and_tokens_made_from_the_command_line(server: Server) -> None:
    invited = server.cli("user", "invite", "ana", "--role", "admin")
    assert (invited.returncode, invited.stderr) == (0, "")
    path = "/setup/" + invited.stdout.strip().rsplit("/", 1)[1]
    with urllib.request.urlopen(server.url + path) as answer:
        assert b"Ana" in answer.read()
    unknown = server.cli("user", "invite", "eve")
    assert unknown.returncode == 1
    assert "no User 'eve'" in unknown.stderr
    made = server.cli("token", "create", "prometheus-fra", "--scope", "ingest", "-o", "json")
    secret = json.loads(made.stdout)["token"]
    listed = server.cli("token", "list").stdout
    assert "prometheus-fra" in listed
    assert secret not in listed
    assert server.cli("token", "revoke", "prometheus-fra").stdout == "prometheus-fra: revoked\n"
    assert "revoked" in server.cli("token", "list").stdout
    assert server.cli("user", "role", "ana", "viewer").returncode == 1


def test_the_first_start_prints_a_link_that_works_once(server: Server) -> None:
    link = re.search(r"http\S+(/setup/\S+)", server.log_text())
    assert link is not None
    body = b"user=ana&password=correct+horse+battery&again=correct+horse+battery"
    headers = {"Origin": server.url, "Content-Type": "application/x-www-form-urlencoded"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", link[1], body, headers)
    first = connection.getresponse()
    first.read()
    assert (first.status, first.headers["location"]) == (303, "/")
    connection.request("POST", link[1], body, headers)
    assert connection.getresponse().status == 404
    connection.close()
    assert link[1] not in server.cli("journal", "list", "--db", server.db).stdout


def test_an_open_stream_does_not_hold_up_the_servers_end(server: Server) -> None:
    secret = server.cli("token", "create", "watcher", "--scope", "read").stdout.strip()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/events?topic=incidents", headers={"Authorization": f"Bearer {secret}"})
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert b"retry" in answer.read1()
    server.terminate(within=20)
    assert answer.read() == b"", "the stream ended cleanly, between two events"
    assert "graceful shutdown exceeded" not in server.log_text()
    assert "Traceback" not in server.log_text()
    connection.close()
