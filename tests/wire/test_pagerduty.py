"""PagerDuty's own Python client with its base URL changed, against a server on each database."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pagerduty
import pytest

from quietshift.alerts.inbound import hash_line
from tests.support.ops import write_ops
from tests.support.server import Server
from tests.support.talk import ask, eventually
from tests.support.webhook import WebhookServer

KEY = "0123456789abcdef0123456789abcdef"


class Front(httpx2.HTTPTransport):
    """The proxy that ends TLS, for the client takes no other address: https to it is http to the server."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(scheme="http")
        return super().handle_request(request)


def client_of(server: Server, key: str = KEY) -> pagerduty.EventsApiV2Client:
    return pagerduty.EventsApiV2Client(key, base_url=server.url.replace("http:", "https:"), transport=Front())


@pytest.fixture
def server(serve: Callable[..., Server], webhook_server: WebhookServer, database_url: str, tmp_path: Path) -> Server:
    ops = write_ops(tmp_path / "ops", {"ana": [("0s", webhook_server.url("/ana"))]}, [("0s", ["schedule:ana"])])
    (ops / "integrations").mkdir()
    (ops / "integrations/ci.yaml").write_text(
        "apiVersion: quietshift.dev/v1\nkind: Integration\nmetadata: {name: ci}\n"
        f"spec: {{type: pagerduty, service: gitaly, keyHash: '{hash_line(KEY)}'}}\n"
    )
    return serve(ops, database_url)


def test_the_client_triggers_acknowledges_and_resolves(server: Server, webhook_server: WebhookServer) -> None:
    client = client_of(server)

    def incidents() -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = ask(f"{server.url}/api/v1/incidents", token=server.token).json
        return listed

    def state(wanted: str) -> dict[str, Any]:
        return eventually(incidents, lambda found: bool(found) and found[0]["state"] == wanted, within=20)[0]

    key = client.trigger("Pushes fail", "git-1", severity="error", custom_details={"failed": 12})
    assert key
    (post,) = webhook_server.wait_for(1, path="/ana", within=20)
    assert post.json["incident"]["title"] == "Pushes fail"
    opened = state("triggered")
    assert (opened["service"], opened["severity"]) == ("gitaly", "critical")
    assert client.acknowledge(key) == key
    assert state("acknowledged")["acknowledged_by"] == "integration:ci"
    assert client.resolve(key) == key
    state("resolved")
    assert client.resolve(key) == key, "a stray resolve is taken"


def test_the_client_is_told_what_is_wrong(server: Server) -> None:
    stranger = client_of(server, "z" * 32)
    with pytest.raises(pagerduty.HttpError, match="400"):
        stranger.trigger("Pushes fail", "git-1")
    client = client_of(server)
    with pytest.raises(pagerduty.HttpError) as refused:
        client.trigger("Pushes fail", "git-1", severity="page")
    errors = refused.value.response.json()["errors"]
    assert errors == ["'payload.severity' has to be one of critical, error, warning, info"]


def test_what_the_client_tells_of_a_change_stands_beside_the_incident(server: Server, webhook_server: WebhookServer) -> None:
    client = client_of(server)
    secret = "hunter2hunter2"
    client.submit(
        "gitaly 17.2 is out", "deploy pipeline", {"commit": "5ac1e0", "password": secret},
        [{"href": "https://ci.example.org/builds/812", "text": "Build 812"}],
        f"{datetime.now(UTC).isoformat()}Z",  # as 7.2 means to write it by itself, but cannot
    )  # fmt: skip
    client.send_change_event({"summary": "Two days ago", "timestamp": "2026-01-01T00:00:00Z"})
    client.trigger("Pushes fail", "git-1")
    webhook_server.wait_for(1, path="/ana", within=20)
    (listed,) = eventually(
        lambda: ask(f"{server.url}/api/v1/incidents", token=server.token).json, lambda found: bool(found), within=20
    )
    shown = ask(f"{server.url}/api/v1/incidents/{listed['id']}", token=server.token).json
    (change,) = shown["changes"]
    assert (change["summary"], change["source"], change["integration"]) == ("gitaly 17.2 is out", "deploy pipeline", "ci")
    assert change["details"] == {"commit": "5ac1e0", "password": "[redacted]"}
    assert change["links"] == [{"href": "https://ci.example.org/builds/812", "text": "Build 812"}]
    assert len(webhook_server.posts("/ana")) == 1, "a change wakes nobody"
    with pytest.raises(pagerduty.HttpError, match="400"):
        client.send_change_event({"source": "no summary"})
