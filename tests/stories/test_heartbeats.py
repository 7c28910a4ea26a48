"""Heartbeats: what is not heard in time wakes somebody, and is over when it is heard again."""

import json
from datetime import timedelta
from typing import Any

import pytest

from quietshift.alerts.events_api import EventsApi
from quietshift.alerts.inbound import hash_line
from quietshift.alerts.sources import Heartbeats, Inbounds
from quietshift.incidents import store as incidents
from quietshift.incidents.model import State
from tests.stories.world import World
from tests.support.door import ask

TOKEN = "0123456789abcdef0123456789abcdef"
DOCUMENT = f"""
apiVersion: quietshift.dev/v1
kind: Heartbeat
metadata: {{name: backup}}
spec: {{service: gitaly, period: 1h, grace: 10m, severity: warning, tokenHash: "{hash_line(TOKEN)}"}}
"""


class Job:
    """A job that calls its address when it is done."""

    def __init__(self, world: World, document: str = DOCUMENT) -> None:
        self.world, self.file = world, world.folder / "integrations/backup.yaml"
        self.file.parent.mkdir(parents=True)
        self.file.write_text(document)

    def ask(self, method: str = "POST", token: str = TOKEN, body: bytes = b"whatever") -> tuple[int, dict[str, Any]]:
        app = self.world.app

        async def ready() -> Any:
            return app.alerts.opened

        ops = app.ops
        api = EventsApi(lambda: ops.current.get(Inbounds), lambda: ops.current.get(Heartbeats), app.clock, ready)
        return ask(api, f"/heartbeat/{token}", body, method)[:2]

    def reload(self, document: str) -> None:
        self.file.write_text(document)
        self.world.app.ops.on_change(self.world.app.alerts.reload)
        self.world.app.ops.reload()
        self.world.until(self.world.now)

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


def test_a_webhook_in_which_nothing_fires_is_no_sign_of_life(world: World, job: Job) -> None:
    """The Watchdog of an Alertmanager that sends here: that it is over is what this heartbeat is for."""
    world.at("01:00")
    fires = {"version": "4", "status": "firing", "alerts": [{"status": "resolved"}, {"status": "firing"}]}
    over = {"version": "4", "status": "resolved", "alerts": [{"status": "resolved", "labels": {"alertname": "Watchdog"}}]}
    assert job.ask(body=json.dumps(fires).encode())[1]["status"] == "success"
    world.at("02:00")
    status, answer = job.ask(body=json.dumps(over).encode())
    assert (status, answer["status"]) == (200, "ignored")
    world.at("02:10").expect_page("ana")


def test_another_rhythm_begins_anew(world: World, job: Job) -> None:
    world.at("00:30")
    job.reload(DOCUMENT.replace("period: 1h", "period: 5m"))
    world.at("00:44").expect_no_more_pages()
    world.at("00:45").expect_page("ana")


# -- by cron -------------------------------------------------------------------------------------------------------------

NIGHTLY = DOCUMENT.replace("period: 1h", 'schedule: "30 2 * * *", timeZone: Europe/Berlin')


@pytest.fixture
def nightly(world: World) -> Job:
    world.on_shift("storage", primary="ana")
    made = Job(world, NIGHTLY)
    assert world.app is not None
    return made


def test_what_runs_by_cron_is_missed_after_its_time_and_grace(world: World, nightly: Job) -> None:
    """02:30 in Berlin is 01:30 UTC in November."""
    world.at("01:39").expect_no_more_pages()
    world.at("01:40").expect_page("ana")
    assert world.incident.title == "No heartbeat of backup: never heard of"
    world.at("01:50")
    nightly.beat()
    assert world.state is State.RESOLVED
    world.at("01:20")
    world.at("01:29")
    nightly.beat()  # early: the time that comes is still expected
    world.at("01:40").expect_page("ana")


def test_what_was_heard_after_its_time_is_expected_at_the_next(world: World, nightly: Job) -> None:
    world.at("01:35")
    assert nightly.ask()[1]["expected_by"] == "2026-11-22T01:40:00Z"
    world.at("01:34").expect_no_more_pages()


# -- by an alert ---------------------------------------------------------------------------------------------------------

WATCHDOG = """
apiVersion: quietshift.dev/v1
kind: Heartbeat
metadata: {name: prometheus}
spec: {service: gitaly, alerts: ['alertname="Watchdog"', 'cluster=~"eu|us"'], grace: 2m}
"""


@pytest.fixture
def watched(world: World) -> World:
    """Watchdog itself goes to a team that has nobody to call at night."""
    world.on_shift("storage", primary="ana")
    world.on_shift("web", primary="wen")
    Job(world, WATCHDOG)
    assert world.app is not None
    return world


def fires(world: World) -> None:
    world.alert("Watchdog", service="web-service", cluster="eu", severity="info").expect_page("wen").ack("wen")


def test_an_alert_that_fires_all_the_time_is_a_heartbeat(watched: World) -> None:
    watched.at("00:01")
    fires(watched)
    watched.at("03:00").expect_no_more_pages()
    watched.resolve_alerts()
    watched.at("03:01").expect_no_more_pages()
    watched.at("03:02").expect_page("ana")
    assert "last heard of at" in watched.incident.title


def test_when_its_sender_falls_silent_it_is_missed_and_heard_again_with_it(watched: World) -> None:
    watched.at("00:01")
    fires(watched)
    watched.at("02:00")
    watched.firing.clear()  # the last repeat was at 01:59 and lasts for a resolve_timeout
    watched.at("02:05:59").expect_no_more_pages()
    watched.at("02:06").expect_page("ana").ack("ana")
    missed = watched.incident
    watched.at("02:20")
    watched.alert("Watchdog", service="web-service", cluster="us", severity="info").expect_page("wen")
    with watched.app.db.read() as tx:
        assert incidents.get(tx, missed.id).state is State.RESOLVED


def test_one_that_never_fired_is_missed_too(watched: World) -> None:
    watched.at("00:06").expect_no_more_pages()
    watched.alert("Watchdog", service="web-service", cluster="asia", severity="info").expect_page("wen")
    watched.at("00:07").expect_page("ana")
    assert watched.incident.title == "No heartbeat of prometheus: never heard of"


def test_after_a_downtime_the_alert_has_its_time_to_be_heard_again(watched: World) -> None:
    watched.at("00:01")
    fires(watched)
    watched.at("01:00")
    watched.firing.clear()
    watched.close()
    watched.clock.advance(timedelta(hours=3))
    watched.restart().at("04:06").expect_no_more_pages()
    watched.at("04:07:01").expect_page("ana")
