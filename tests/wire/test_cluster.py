"""Three `quietshift alertmanager` on one PostgreSQL, with the flags that three Alertmanagers had."""

import itertools
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.candidate import Candidate
from tests.support.ports import free_port
from tests.support.talk import eventually
from tests.support.webhook import WebhookServer

CONFIG = """\
route: {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: 'HOOK'}]}]
"""
pytestmark = pytest.mark.needs("postgresql")


@pytest.fixture
def members(tmp_path: Path, postgres_url: str, webhook_server: WebhookServer) -> Iterator[list[Candidate]]:
    """Started at the same moment; each names the other two."""
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(3)]
    made = []
    for number, address in enumerate(addresses):
        folder = tmp_path / str(number)
        folder.mkdir()
        peers = [f"--cluster.peer={other}" for other in addresses if other != address]
        config = CONFIG.replace("HOOK", webhook_server.url("/hook"))
        env = {"QUIETSHIFT_DB": postgres_url}
        made.append(Candidate(folder, config, *peers, cluster=address, env=env, wait=False))
    yield made
    for member in made:
        if member.process is not None and member.process.poll() is None:
            member.end(signal.SIGKILL)
        print(member.log())


def up(member: Candidate) -> int:
    return len(member.get("status")["cluster"]["peers"])


def test_a_notification_comes_once_whoever_hears_of_the_alert_and_goes_on_without_a_member(
    members: list[Candidate], webhook_server: WebhookServer
) -> None:
    for member in members:
        member.wait()
    for member in members:
        eventually(lambda: up(member), lambda count: count == 3, within=30, what="members")  # noqa: B023 - called at once
    assert members[0].get("status")["cluster"]["status"] == "ready"
    assert len({tuple(sorted(p["name"] for p in m.get("status")["cluster"]["peers"])) for m in members}) == 1

    for number, member in itertools.product(range(10), members):
        assert member.post([{"labels": {"alertname": f"A{number}"}}]) == 200
    posts = webhook_server.wait_for(10, within=30)
    assert sorted(p.json["groupLabels"]["alertname"] for p in posts) == sorted(f"A{n}" for n in range(10))
    assert {a["labels"]["alertname"] for a in members[2].get("alerts")} == {f"A{n}" for n in range(10)}

    members[0].end(signal.SIGKILL)
    for member in members[1:]:
        eventually(lambda: up(member), lambda count: count == 2, within=30, what="members")  # noqa: B023 - called at once
        assert member.post([{"labels": {"alertname": "Late"}}]) == 200
    webhook_server.wait_for(11, within=30)

    members[0].start()
    eventually(lambda: up(members[0]), lambda count: count == 3, within=30, what="members")
    assert {a["labels"]["alertname"] for a in members[0].get("alerts")} == {"Late", *(f"A{n}" for n in range(10))}
    assert len(webhook_server.posts()) == 11, "none twice: not by another member, and not after a start"
