"""The promise, held against kill -9 at random moments: nothing answered 200 is lost, every due page is attempted, and no page is
repeated more often than the server was killed.

KILL_SEED=N repeats the choices of a run (the moments of the processes are their own).
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.mail import MailServer
from tests.support.ops import write_ops
from tests.support.server import Server
from tests.support.talk import ask, eventually
from tests.support.traffic import Traffic
from tests.support.webhook import WebhookServer

KILLS = {"sqlite": 50, "postgresql": 10}


@pytest.mark.timeout(400)
def test_fifty_kills_lose_nothing_and_repeat_little(
    serve: Callable[..., Server], smtp_server: MailServer, webhook_server: WebhookServer, database_url: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(10**6))
    kills = KILLS[database_url.partition(":")[0]]
    print(f"KILL_SEED={seed}")
    chance = random.Random(seed)
    contacts = {
        "ana": [("0s", webhook_server.url("/ana")), ("500ms", "mailto:ana@example.org")],
        "bo": [("0s", webhook_server.url("/bo"))],
    }
    steps = [("0s", ["schedule:ana"]), ("1s", ["schedule:bo"])]
    ops = write_ops(tmp_path / "ops", contacts, steps, smtp_port=smtp_server.port, repeat=0)
    server = serve(ops, database_url)
    traffic = Traffic(server, webhook_server, smtp_server, random.Random(seed))

    for _ in range(kills):
        assert not traffic.failures, traffic.failures
        if chance.random() < 0.5:  # looked at after the restart, before anybody can send anything again
            time.sleep(chance.uniform(0.0, 1.5))  # the random moment
            server.kill9()
            traffic.pause()
            server.start()
            stored = {item["labels"]["alertname"] for item in ask(f"{server.url}/api/v2/alerts").json}
            assert traffic.must_be_stored() - traffic.ended() <= stored, "answered 200 and not there after the restart"
            traffic.resume()
        else:  # killed at any moment of its start or soon after it, with everybody at the door
            server.kill9()
            server.start(wait=False)
            time.sleep(chance.uniform(0.1, 2.5))  # the random moment
    server.kill9()
    server.start()
    traffic.finish(within=60)

    stories = traffic.stories
    assert len(stories) > kills
    # every due page was attempted: the first person of every alert, and of those nobody acknowledged the second, and the mail
    ignored = {story.name for story in stories if story.plan == "ignore"}
    by_ana, by_bo = traffic.pages("ana"), traffic.pages("bo")
    assert set(by_ana) == {story.name for story in stories}
    assert ignored <= set(by_bo)
    assert ignored <= traffic.mailed()
    # a page is one demand: a restart makes no new one of it
    assert [(name, ids) for by in (by_ana, by_bo) for name, ids in by.items() if len(ids) > 1] == []
    assert traffic.pages_after_acknowledgement() == []
    repeated = traffic.duplicates()
    print(f"{len(stories)} alerts, {len(webhook_server.posts())} posts, {len(smtp_server.mails())} mails, {kills + 1} kills")
    print(f"repeated {sum(repeated.values())} times: {repeated}")
    assert sum(repeated.values()) <= kills + 1

    # and in its own books: one incident each, all over, nothing given up, the journal's chain whole
    def open_incidents() -> object:
        return ask(f"{server.url}/api/v1/incidents?state=triggered&state=acknowledged", token=server.token).json

    eventually(open_incidents, lambda found: found == [], within=20, what="the end of every incident")
    assert count_incidents(server) == len(stories)
    assert [row for row in ask(f"{server.url}/api/v1/queue", token=server.token).json if row["state"] == "parked"] == []
    verified = server.cli("journal", "verify", "--db", database_url)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    log = server.log.read_text(errors="replace")
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:6000]


def count_incidents(server: Server) -> int:
    """All of them, page by page."""
    count, cursor = 0, ""
    while found := ask(f"{server.url}/api/v1/incidents?limit=100{cursor}", token=server.token).json:
        count += len(found)
        cursor = f"&cursor={found[-1]['id']}"
    return count
