"""Heartbeats: what is not heard in time wakes somebody, and is over when it is heard again."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from quietshift.alerts.events_api import EventsApi
from quietshift.alerts.inbound import hash_line
from quietshift.alerts.sources import Heartbeats, Inbounds
from quietshift.incidents.model import State
from tests.stories.world import World

TOKEN = "0123456789abcdef0123456789abcdef"
DOCUMENT = f"""
apiVersion: quietshift.dev/v1
kind: Heartbeat
metadata: {{name: backup}}
spec: {{service: gitaly, period: 1h, grace: 10m, severity: warning, tokenHash: "{hash_line(TOKEN)}"}}
"""


class Job:
    """A job that calls its address when it is done."""

    def __init__(self, world: World) -> None:
        self.world, self.file = world, world.folder / "integrations/backup.yaml"
        self.file.parent.mkdir(parents=True)
        self.file.write_text(DOCUMENT)

    def ask(self, method: str = "POST", token: str = TOKEN) -> tuple[int, dict[str, Any]]:
        app = self.world.app

        async def ready() -> Any:
            return app.alerts.opened

        ops = app.ops
        api = EventsApi(lambda: ops.current.get(Inbounds), lambda: ops.current.get(Heartbeats), app.clock, ready)
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"whatever"}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(api({"method": method, "path": f"/heartbeat/{token}", "headers": []}, receive, send))
        return sent[0]["status"], json.loads(sent[1]["body"])

    def beat(self) -> None:
        assert self.ask()[0] == 200
        self.world.until(self.world.now)


@pytest.fixture
def job(world: World) -> Job:
    world.on_shift("storage", primary="ana")
    made = Job(world)
    assert world.app is not None  # the server starts at midnight
    return made


def test_what_is_heard_in_time_wakes_nobody(world: World, job: Job) -> None:
    for when in ("01:05", "02:14", "03:20"):
        world.at(when)
        job.beat()
    world.at("04:29").expect_no_more_pages()


def test_what_is_missed_wakes_somebody_until_it_is_heard_again(world: World, job: Job) -> None:
    world.at("01:00")
    job.beat()
    world.at("02:09").expect_no_more_pages()
    world.at("02:10").expect_page("ana")
    incident = world.incident
    assert (incident.alertname, incident.service, str(incident.severity)) == ("HeartbeatMissed", "gitaly", "warning")
    assert incident.title == "No heartbeat of backup: last heard of at 2026-11-21T01:00:00Z"
    world.ack("ana").at("05:00").expect_no_more_pages()
    job.beat()
    assert world.state is State.RESOLVED
    world.at("06:09").expect_no_more_pages()
    world.at("06:10").expect_page("ana")


def test_what_was_never_heard_of_is_missed_too(world: World, job: Job) -> None:
    world.at("01:10").expect_page("ana")
    assert world.incident.title == "No heartbeat of backup: never heard of"


def test_get_is_heard_and_told_until_when(world: World, job: Job) -> None:
    world.at("01:00")
    assert job.ask("GET") == (200, {"status": "success", "heartbeat": "backup", "expected_by": "2026-11-21T02:10:00Z"})
    assert job.ask("GET", "0" * 32)[0] == 404
    assert job.ask("DELETE")[0] == 405
    world.at("02:10").expect_page("ana")


def test_what_could_not_be_heard_during_a_downtime_has_its_time_again(world: World, job: Job) -> None:
    world.at("01:00")
    job.beat()
    world.close()
    world.clock.advance(timedelta(hours=3))
    world.restart().at("05:09").expect_no_more_pages()
    world.at("05:10").expect_page("ana")


def test_what_was_due_while_the_store_was_away_has_its_time_again(world: World, job: Job) -> None:
    world.at("01:00")
    job.beat()
    world.at("02:09")
    world.app.alerts.use.heard_since = world.now + timedelta(minutes=3)  # as it is set when the store is back
    world.at("03:21").expect_no_more_pages()
    world.at("03:22").expect_page("ana")


def test_a_restart_does_not_put_off_what_is_due_later(world: World, job: Job) -> None:
    world.at("01:00")
    job.beat()
    world.at("01:40").restart().at("02:10").expect_page("ana")


def test_what_is_missed_is_told_once_through_a_restart(world: World, job: Job) -> None:
    world.at("01:10").expect_page("ana").ack("ana")
    world.restart().at("05:00").expect_no_more_pages()
    assert world.state is State.ACKNOWLEDGED


def test_one_that_is_taken_out_of_the_directory_is_not_missed_any_more(world: World, job: Job) -> None:
    world.at("01:10").expect_page("ana")
    job.file.unlink()
    world.app.ops.on_change(world.app.alerts.reload)
    world.app.ops.reload()
    world.until(world.now)
    assert world.state is State.RESOLVED
    world.at("06:00").expect_no_more_pages()
