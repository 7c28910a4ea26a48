"""A store that cannot take an alert answers 503, so that the sender repeats it; afterwards it is taken, and pages."""

import resource
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.support.ops import write_ops
from tests.support.postgres import Postgres
from tests.support.sender import Sender
from tests.support.server import Server
from tests.support.talk import ask, eventually
from tests.support.webhook import WebhookServer

AT_ONCE = 2.0  # seconds, on a machine that does other things too; a time-out of a connection would be 5


def start(serve: Callable[..., Server], folder: Path, phone: WebhookServer, db: str) -> tuple[Server, Sender]:
    ops = write_ops(folder / "ops", {"ana": [("0s", phone.url("/ana"))]}, [("0s", ["schedule:ana"])])
    server = serve(ops, db)
    return server, Sender(server.url)


def stored(server: Server) -> set[str]:
    return {item["labels"]["alertname"] for item in ask(f"{server.url}/api/v2/alerts", timeout=5).json}


def pages_of(phone: WebhookServer, alertname: str) -> list[str]:
    return [post.json["page_id"] for post in phone.posts("/ana") if post.json["incident"]["alertname"] == alertname]


def test_a_locked_sqlite_file_is_503_and_then_takes_the_alert(
    serve: Callable[..., Server], tmp_path: Path, webhook_server: WebhookServer
) -> None:
    """Another process holds the write lock: a curious person with sqlite3."""
    server, sender = start(serve, tmp_path, webhook_server, f"sqlite:///{tmp_path}/quietshift.db")
    sender.fire("Before")
    sender.insist("Before")
    sender.fire("During")
    with closing(sqlite3.connect(tmp_path / "quietshift.db", timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        reply = sender.send("During", timeout=60)
        assert time.monotonic() - began < AT_ONCE
        assert reply is not None
        assert reply.status == 503
        assert "locked" in reply.text
        assert ask(f"{server.url}/-/ready", timeout=5).status == 200, "it still answers"
        assert stored(server) == {"Before"}, "and reads; what it could not store it does not show"
        other.execute("ROLLBACK")

    sender.insist("During", within=20)

    assert stored(server) == {"Before", "During"}
    webhook_server.wait_for(1, where=lambda post: post.json["incident"]["alertname"] == "During", within=15)
    assert ask(f"{server.url}/-/healthy").status == 200


def test_a_stopped_postgresql_is_503_and_then_takes_the_alert(
    serve: Callable[..., Server], tmp_path: Path, webhook_server: WebhookServer, postgres: Postgres, postgres_url: str
) -> None:
    """Nothing is restarted but PostgreSQL."""
    server, sender = start(serve, tmp_path, webhook_server, postgres_url)
    sender.fire("Before")
    sender.insist("Before")
    webhook_server.wait_for(1, where=lambda post: post.json["incident"]["alertname"] == "Before")
    sender.fire("During")
    try:
        postgres.stop()
        reply = sender.send("During")
        assert reply is not None
        assert reply.status == 503
        for path in ("/api/v2/alerts", "/api/v1/incidents", "/-/healthy", "/"):
            answer = ask(server.url + path, token=server.token)
            assert answer.status in (303, 503), (path, answer)
        assert ask(f"{server.url}/api/v2/status").status == 200
    finally:
        postgres.start()

    sender.insist("During", within=20)

    assert stored(server) == {"Before", "During"}
    webhook_server.wait_for(1, where=lambda post: post.json["incident"]["alertname"] == "During", within=15)
    eventually(lambda: ask(f"{server.url}/-/healthy").status, lambda status: status == 200, within=15, what="health")
    assert len(set(pages_of(webhook_server, "Before"))) == 1, "an outage of the store pages nobody anew"


def test_while_postgresql_is_gone_senders_hear_so_at_once_and_nothing_answered_200_is_lost(
    serve: Callable[..., Server], tmp_path: Path, webhook_server: WebhookServer, postgres: Postgres, postgres_url: str
) -> None:
    """A sender a second, before, during and after: refused within a second each time, and what was taken is there and told."""
    server, sender = start(serve, tmp_path, webhook_server, postgres_url)
    taken: set[str] = set()
    refused = 0

    def post(number: int) -> None:
        nonlocal refused
        sender.fire(name := f"A{number}")
        began = time.monotonic()
        reply = sender.send(name, timeout=30)
        assert reply is not None
        if reply.status == 200:
            taken.add(name)
        else:
            assert reply.status == 503, reply
            assert time.monotonic() - began < AT_ONCE
            refused += 1

    for number in range(3):
        post(number)
    try:
        postgres.stop()
        for number in range(3, 10):
            post(number)
            time.sleep(0.5)  # the outage lasts
    finally:
        postgres.start()
    assert refused == 7
    eventually(lambda: ask(f"{server.url}/-/healthy").status, lambda status: status == 200, within=20, what="health")
    sender.insist("A9", within=20)
    taken.add("A9")
    assert stored(server) == taken
    eventually(
        lambda: {i["alertname"] for i in ask(f"{server.url}/api/v1/incidents", token=server.token).json},
        lambda open_ones: open_ones == taken, within=20, what="incidents",
    )  # fmt: skip


def test_a_postgresql_that_hangs_is_503_within_seconds_and_nothing_answered_200_is_lost(
    serve: Callable[..., Server], tmp_path: Path, webhook_server: WebhookServer, postgres: Postgres, postgres_url: str
) -> None:
    """Its connections stay, and nothing comes of them: a disk that does not answer, a machine that is frozen."""
    server, sender = start(serve, tmp_path, webhook_server, postgres_url)
    sender.fire("Before")
    sender.insist("Before")
    sender.fire("During")
    with postgres.frozen():
        began = time.monotonic()
        first, at_once = sender.send("During", timeout=30), time.monotonic()
        second = sender.send("During", timeout=30)
        assert (first and first.status, second and second.status) == (503, 503)
        assert at_once - began < 5 + AT_ONCE, "as long as a sender may be kept waiting"
        assert time.monotonic() - at_once < AT_ONCE, "and nobody after it"
        for _ in range(2):
            health = ask(f"{server.url}/-/healthy", timeout=10)
            assert (health.status, "the database" in health.text) == (503, True), health

    sender.insist("During", within=20)

    assert stored(server) == {"Before", "During"}
    webhook_server.wait_for(1, where=lambda post: post.json["incident"]["alertname"] == "During", within=15)
    eventually(lambda: ask(f"{server.url}/-/healthy").status, lambda status: status == 200, within=20, what="health")


def test_a_full_disk_is_503_and_then_takes_the_alert(
    serve: Callable[..., Server], tmp_path: Path, webhook_server: WebhookServer
) -> None:
    """The file cannot grow: for SQLite the same as no space left on the device."""
    server, sender = start(serve, tmp_path, webhook_server, f"sqlite:///{tmp_path}/quietshift.db")
    sender.fire("Before")
    sender.insist("Before")
    webhook_server.wait_for(1, where=lambda post: post.json["incident"]["alertname"] == "Before", within=15)
    fill_up(server, tmp_path / "quietshift.db-wal", sender)


def fill_up(server: Server, log: Path, sender: Sender) -> None:
    """Send large alerts while no file of the server may grow, until one is refused; let it grow, and see that all is there."""
    taken = {"Before"}
    unlimited = resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, resource.RLIM_INFINITY))
    for number in range(50):
        sender.fire(name := f"Large{number}", blob="x" * 60_000)
        reply = sender.send(name, timeout=30)
        assert reply is not None
        if reply.status != 200:
            break
        taken.add(name)
    assert reply.status == 503, reply
    assert "full" in reply.text or "I/O" in reply.text
    assert stored(server) == taken, "it answers, reads, and shows nothing that it could not store"
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited)
    sender.insist(name, within=20)
    assert stored(server) == {*taken, name}
    server.kill9()
    server.start()
    assert stored(server) == {*taken, name}, "what was answered 200 is on disk"
    eventually(lambda: ask(f"{server.url}/-/healthy").status, lambda status: status == 200, within=20, what="health")


def test_a_page_that_is_due_while_postgresql_is_down_is_sent_when_it_is_back(
    serve: Callable[..., Server], tmp_path: Path, webhook_server: WebhookServer, postgres: Postgres, postgres_url: str
) -> None:
    """The second step falls into the outage."""
    contacts = {"ana": [("0s", webhook_server.url("/ana"))], "bo": [("0s", webhook_server.url("/bo"))]}
    ops = write_ops(tmp_path / "ops", contacts, [("0s", ["schedule:ana"]), ("4s", ["schedule:bo"])], repeat=0)
    server = serve(ops, postgres_url)
    sender = Sender(server.url)
    sender.fire("Outage")
    sender.insist()
    webhook_server.wait_for(1, path="/ana")
    try:
        postgres.stop()
        assert not webhook_server.posts("/bo")
        eventually(
            lambda: ask(f"{server.url}/-/healthy").status, lambda status: status == 503, within=10, what="health names the outage"
        )
    finally:
        postgres.start()
    webhook_server.wait_for(1, path="/bo", within=15)
