"""`quietshift incidents` against a real server."""

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.server import Server


@pytest.fixture
def server(serve: Callable[..., Server], root: Path) -> Server:
    """With one incident, INC-1001."""
    rules = root / "alertmanager.yml"
    rules.write_text(rules.read_text().replace("group_by:", "group_wait: 0s, group_by:"))
    running = serve(root)
    alert = {"labels": {"alertname": "DiskFull", "service": "gitaly"}, "annotations": {"summary": "Disks [bold]fill[/] up"}}
    body = json.dumps([alert]).encode()
    request = urllib.request.Request(f"{running.url}/api/v2/alerts", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()
    deadline = time.monotonic() + 20
    while not json.loads(running.cli("incidents", "list", "-o", "json").stdout or "[]"):
        assert time.monotonic() < deadline, running.log_text()
        time.sleep(0.05)  # waits for another process
    return running


def test_a_night_from_the_terminal(server: Server) -> None:
    listed = server.cli("incidents", "list")
    assert "INC-1001" in listed.stdout
    assert "Disks [bold]fill[/] up" in listed.stdout
    said = server.cli("incidents", "ack", "INC-1001", "--why", "on it")
    assert said.stdout == "INC-1001 is acknowledged: Disks [bold]fill[/] up\n"
    assert server.cli("incidents", "note", "1001", "n1 is full").returncode == 0
    snoozed = json.loads(server.cli("incidents", "snooze", "inc-1001", "1h", "-o", "json").stdout)
    assert (snoozed["state"], snoozed["snoozed_until"] is None) == ("acknowledged", False)
    assert server.cli("incidents", "escalate", "INC-1001").stdout.startswith("INC-1001 is triggered")
    assert (
        json.loads(server.cli("incidents", "resolve", "INC-1001", "--verdict", "noise", "-o", "json").stdout)["verdict"]
        == "noise"
    )
    shown = server.cli("incidents", "show", "INC-1001")
    for word in ("n1 is full", "on it", "DiskFull fires", "group:default/web"):
        assert word in shown.stdout
    kinds = [entry["kind"] for entry in json.loads(server.cli("incidents", "show", "INC-1001", "-o", "json").stdout)["timeline"]]
    assert [kind for kind in kinds if kind in ("opened", "acknowledged", "note", "snoozed", "escalated", "resolved")] == [
        "opened", "acknowledged", "note", "snoozed", "escalated", "resolved",
    ]  # fmt: skip
    assert server.cli("incidents", "list").stderr == "no incident: nothing is on fire\n"
    assert [one["id"] for one in json.loads(server.cli("incidents", "list", "--all", "-o", "json").stdout)] == ["INC-1001"]
    again = server.cli("incidents", "ack", "INC-1001")
    assert again.returncode == 1
    assert again.stderr == "quietshift: INC-1001 is resolved: it cannot take 'acknowledge'\n"
    wrong = [
        (("ack", "INC-4711"), 1, "there is no incident INC-4711"),
        (("ack", "banana"), 1, "write it like INC-1042"),
        (("snooze", "INC-1001", "soon"), 2, "not a duration"),
        (("resolve", "INC-1001", "--verdict", "dunno"), 2, "'actionable', 'noise', 'duplicate', 'known'"),
    ]
    for arguments, code, words in wrong:
        done = server.cli("incidents", *arguments)
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr


def test_the_alert_behind_an_incident_tells_its_way(server: Server) -> None:
    (alert,) = json.loads(server.cli("alerts", "list", "-o", "json").stdout)
    told = server.cli("alerts", "why", alert["fingerprint"]).stdout
    for said in ("Route taken", "alertmanager.yml:", "first notification", "Incidents: INC-1001"):
        assert said in told, told
    found = json.loads(server.cli("alerts", "why", alert["fingerprint"], "-o", "json").stdout)
    assert found["incidents"] == ["INC-1001"]
    unknown = server.cli("alerts", "why", "0" * 16)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "no alert 0000000000000000 is known" in unknown.stderr
