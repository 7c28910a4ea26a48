"""A server that was down beyond the end of firing alerts: their silence means nothing until it has listened for as long as a
sender may be silent; then it does, and a sender that says it is over is believed at once."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.ops import write_ops
from tests.support.sender import Sender
from tests.support.server import Server
from tests.support.talk import ask, eventually
from tests.support.webhook import WebhookServer

RESOLVE_TIMEOUT = 6.0  # seconds
LEASE = timedelta(seconds=3)  # how far ahead the sender sets an alert's end, as a Prometheus with a short resend delay


class Scene:
    """One server, one sender, and what is seen of the incidents."""

    def __init__(self, serve: Callable[..., Server], folder: Path, phone: WebhookServer, db: str) -> None:
        contacts = {"ana": [("0s", phone.url("/ana"))]}
        ops = write_ops(folder / "ops", contacts, [("0s", ["schedule:ana"])], resolve_timeout=f"{RESOLVE_TIMEOUT:.0f}s")
        self.server: Server = serve(ops, db)
        self.sender = Sender(self.server.url, LEASE)
        self.phone = phone

    def fire(self, *names: str) -> None:
        for name in names:
            self.sender.fire(name)
        self.sender.insist(*names)
        for name in names:
            self.phone.wait_for(1, where=lambda post, name=name: post.json["incident"]["alertname"] == name)  # type: ignore[misc]

    def down_beyond_their_end(self) -> float:
        """Stop, wait until every end is past, start; when it was ready, on the monotonic clock."""
        self.server.terminate()
        over = datetime.now(UTC) + LEASE
        while datetime.now(UTC) < over:
            time.sleep(0.1)  # the downtime itself
        self.server.start()
        return time.monotonic()

    def states(self) -> dict[str, str]:
        listed: list[dict[str, Any]] = ask(f"{self.server.url}/api/v1/incidents", token=self.server.token).json
        return {incident["alertname"]: incident["state"] for incident in listed}

    def firing(self) -> set[str]:
        return {item["labels"]["alertname"] for item in ask(f"{self.server.url}/api/v2/alerts").json}


@pytest.fixture
def scene(serve: Callable[..., Server], tmp_path: Path, webhook_server: WebhookServer, database_url: str) -> Scene:
    return Scene(serve, tmp_path, webhook_server, database_url)


def test_a_downtime_resolves_nothing_and_silence_counts_from_the_start(scene: Scene) -> None:
    scene.fire("Silent", "Repeated", "Ended")

    ready = scene.down_beyond_their_end()

    # an explicit end is believed at once
    scene.sender.end("Ended")
    scene.sender.insist("Ended")
    eventually(scene.states, lambda states: states["Ended"] == "resolved", within=4, what="the explicit end")
    assert time.monotonic() - ready < RESOLVE_TIMEOUT
    # silence is not, for one full resolve_timeout
    while time.monotonic() < ready + RESOLVE_TIMEOUT - 1:
        seen = scene.states(), scene.firing()
        if time.monotonic() < ready + RESOLVE_TIMEOUT:  # else the answer came late, and may say what came after
            assert seen == ({"Silent": "triggered", "Repeated": "triggered", "Ended": "resolved"}, {"Silent", "Repeated"})
        time.sleep(0.25)  # sees every quarter of a second that nothing is resolved
    scene.sender.insist("Repeated")  # heard again, with an end beyond the grace
    # then it is, and what was heard again fires on
    eventually(scene.states, lambda states: states["Silent"] == "resolved", within=5, what="the end by silence")
    assert time.monotonic() - ready >= RESOLVE_TIMEOUT - 0.5
    assert scene.states()["Repeated"] == "triggered"
    assert len(scene.phone.posts()) == 3, "the downtime paged nobody anew"


def test_a_second_downtime_within_the_grace_begins_it_anew(scene: Scene) -> None:
    scene.fire("Silent")
    scene.down_beyond_their_end()
    scene.server.kill9()

    scene.server.start()
    ready = time.monotonic()

    while time.monotonic() < ready + RESOLVE_TIMEOUT - 1:
        seen = scene.states()
        if time.monotonic() < ready + RESOLVE_TIMEOUT:
            assert seen == {"Silent": "triggered"}
        time.sleep(0.25)  # sees every quarter of a second that nothing is resolved
    eventually(scene.states, lambda states: states == {"Silent": "resolved"}, within=8, what="the end by silence")


def test_without_a_downtime_silence_ends_an_alert_when_it_said(scene: Scene) -> None:
    scene.fire("Silent")
    began = time.monotonic()

    eventually(scene.states, lambda states: states == {"Silent": "resolved"}, within=8, what="the end that was announced")

    assert time.monotonic() - began > LEASE.total_seconds() - 1
