"""Debian's Alertmanager as the sender: its webhooks to an integration, its Watchdog to a heartbeat, on each database."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quietshift.alerts.inbound import hash_line
from tests.support.ops import write_ops
from tests.support.ports import free_port
from tests.support.server import Server
from tests.support.talk import ask, eventually
from tests.support.webhook import WebhookServer

KEY, TOKEN = "a" * 32, "b" * 32
DOCUMENTS = f"""
apiVersion: quietshift.dev/v1
kind: Integration
metadata: {{name: eu}}
spec: {{type: alertmanager, service: gitaly, keyHash: '{hash_line(KEY)}'}}
---
apiVersion: quietshift.dev/v1
kind: Heartbeat
metadata: {{name: prometheus-eu}}
spec: {{service: gitaly, period: 1h, grace: 1m, tokenHash: '{hash_line(TOKEN)}'}}
"""
CONFIG = """
route:
  receiver: quietshift
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
  routes: [{{receiver: beat, matchers: [alertname="Watchdog"]}}]
receivers:
  - name: quietshift
    webhook_configs:
      - {{url: '{url}/in', send_resolved: true, max_alerts: 2, http_config: {{authorization: {{credentials: '{key}'}}}}}}
  - name: beat
    webhook_configs: [{{url: '{url}/heartbeat/{token}', send_resolved: true}}]
"""


class Alertmanager:
    """The real one. Its log is for who has to find out."""

    def __init__(self, binary: Path, folder: Path, quietshift: str) -> None:
        folder.mkdir()
        self.url = f"http://127.0.0.1:{free_port()}"
        (folder / "alertmanager.yml").write_text(CONFIG.format(url=quietshift, key=KEY, token=TOKEN))
        flags = {
            "config.file": folder / "alertmanager.yml", "storage.path": folder / "data", "cluster.listen-address": "",
            "web.listen-address": self.url.removeprefix("http://"),
        }  # fmt: skip
        self.log = folder / "log"
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [binary, *(f"--{flag}={value}" for flag, value in flags.items())],
                env={**os.environ, "GOMAXPROCS": "1"}, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while not self._answers():
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)  # waits for another process

    def _answers(self) -> bool:
        try:
            return ask(f"{self.url}/-/ready").status == 200
        except OSError:
            return False

    def post(self, name: str, *hosts: str, ends_at: str = "") -> None:
        end = {"endsAt": ends_at} if ends_at else {}
        body = [
            {
                "labels": {"alertname": name, "host": host, "severity": "warning"}, "annotations": {"summary": f"{host} is full"},
                "startsAt": "2026-01-01T00:00:00Z", **end,
            }
            for host in hosts
        ]  # fmt: skip
        assert ask(f"{self.url}/api/v2/alerts", "POST", json_body=body).status == 200

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture
def server(serve: Callable[..., Server], webhook_server: WebhookServer, database_url: str, tmp_path: Path) -> Server:
    ops = write_ops(tmp_path / "ops", {"ana": [("0s", webhook_server.url("/ana"))]}, [("0s", ["schedule:ana"])])
    (ops / "integrations").mkdir()
    (ops / "integrations/eu.yaml").write_text(DOCUMENTS)
    return serve(ops, database_url)


@pytest.fixture
def alertmanager(alertmanager_binary: Path, tmp_path: Path, server: Server) -> Iterator[Alertmanager]:
    made = Alertmanager(alertmanager_binary, tmp_path / "alertmanager", server.url)
    yield made
    made.stop()


def test_its_alerts_come_in_end_one_by_one_and_those_cut_off_stay(
    server: Server, alertmanager: Alertmanager, webhook_server: WebhookServer
) -> None:
    def hosts() -> dict[str, dict[str, Any]]:
        listed = ask(f"{server.url}/api/v2/alerts", token=server.token).json
        return {one["labels"].get("host", ""): one for one in listed}

    alertmanager.post("DiskFull", "a", "b")
    (post,) = webhook_server.wait_for(1, path="/ana", within=30)
    assert post.json["incident"]["service"] == "gitaly"
    found = eventually(hosts, lambda found: set(found) == {"a", "b"}, within=20)
    assert found["a"]["labels"] == {
        "alertname": "DiskFull", "host": "a", "integration": "eu", "service": "gitaly", "severity": "warning",
    }  # fmt: skip
    assert found["a"]["startsAt"] == "2026-01-01T00:00:00.000Z"
    alertmanager.post("DiskFull", "a", ends_at="2026-01-02T00:00:00Z")
    eventually(hosts, lambda found: set(found) == {"b"}, within=20)
    alertmanager.post("DiskFull", "c", "d", "e")
    told = eventually(hosts, lambda found: len(found) > 1, within=20)
    assert len(told) <= 4
    assert any("cut off by the sender" in one["annotations"].get("truncated_alerts", "") for one in told.values())
    incidents = ask(f"{server.url}/api/v1/incidents", token=server.token).json
    assert [one["state"] for one in incidents] == ["triggered"]


def test_its_watchdog_is_a_heartbeat_and_its_end_is_none(server: Server, alertmanager: Alertmanager) -> None:
    alertmanager.post("Watchdog", "x")
    metrics = f"{alertmanager.url}/metrics"

    def sent() -> int:
        lines = ask(metrics).body.decode().splitlines()
        return sum(
            int(float(line.split()[-1]))
            for line in lines
            if line.startswith('alertmanager_notification_requests_total{integration="webhook"')
        )

    eventually(sent, lambda count: count >= 1, within=20)
    alertmanager.post("Watchdog", "x", ends_at="2026-01-02T00:00:00Z")
    eventually(sent, lambda count: count >= 2, within=20)
    lines = ask(metrics).body.decode().splitlines()
    failed = [line for line in lines if line.startswith("alertmanager_notification_requests_failed")]
    assert all(line.endswith(" 0") for line in failed), "both were answered 2xx"
    assert TOKEN not in server.log.read_text()
