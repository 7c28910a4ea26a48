"""Another tool's events, as PagerDuty takes them: who is paged, and when it is over."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from quietshift.alerts import queries
from quietshift.alerts.events_api import EventsApi
from quietshift.alerts.inbound import hash_line
from quietshift.alerts.sources import Heartbeats, Inbounds
from quietshift.incidents import usecases
from quietshift.incidents.model import State
from tests.stories.world import World

KEY = "0123456789abcdef0123456789abcdef"
INTEGRATION = f"""
apiVersion: quietshift.dev/v1
kind: Integration
metadata: {{name: pingdom}}
spec: {{type: pagerduty, service: gitaly, keyHash: "{hash_line(KEY)}"}}
"""


class Tool:
    """A tool that knows PagerDuty, its address changed."""

    def __init__(self, world: World) -> None:
        self.world = world
        folder = world.folder / "integrations"
        folder.mkdir(parents=True)
        (folder / "pingdom.yaml").write_text(INTEGRATION)

    def post(self, action: str, key: str, **payload: str) -> dict[str, Any]:
        app = self.world.app

        async def ready() -> Any:
            return app.alerts.opened

        api = EventsApi(lambda: app.ops.current.get(Inbounds), lambda: app.ops.current.get(Heartbeats), app.clock, ready)
        event: dict[str, Any] = {"routing_key": KEY, "event_action": action, "dedup_key": key}
        if action == "trigger":
            event["payload"] = {"summary": "Pushes fail", "source": "git-1", "severity": "warning", **payload}
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": json.dumps(event).encode()}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(api({"method": "POST", "path": "/v2/enqueue", "headers": []}, receive, send))
        assert sent[0]["status"] == 202, sent
        answer: dict[str, Any] = json.loads(sent[1]["body"])
        return answer

    def trigger(self, key: str = "push", **payload: str) -> None:
        assert self.post("trigger", key, **payload)["dedup_key"] == key
        self.world.until(self.world.now)

    def acknowledge(self, key: str = "push") -> None:
        self.post("acknowledge", key)
        self.world.until(self.world.now)

    def resolve(self, key: str = "push") -> None:
        self.post("resolve", key)
        self.world.until(self.world.now)


@pytest.fixture
def tool(world: World) -> Tool:
    world.on_shift("storage", primary="ana", secondary="bo")
    return Tool(world)


def listed(world: World) -> list[dict[str, Any]]:
    with world.app.db.read() as tx:
        return queries.alerts(world.app.alerts.use, tx, queries.Wanted(), world.now + timedelta(seconds=1))


def test_a_trigger_pages_who_is_on_shift_for_the_service(world: World, tool: Tool) -> None:
    world.at("02:00")
    tool.trigger(**{"class": "ssh", "component": "git", "group": "eu"})
    world.expect_page("ana")
    assert (world.incident.title, world.incident.service, str(world.incident.severity)) == ("Pushes fail", "gitaly", "warning")
    (alert,) = listed(world)
    assert alert["labels"] == {
        "alertname": "ssh", "class": "ssh", "component": "git", "dedup_key": "push", "group": "eu", "integration": "pingdom",
        "service": "gitaly", "severity": "warning", "source": "git-1",
    }  # fmt: skip
    world.at("02:05").expect_page("bo", because="not acknowledged in 5m")


def test_it_stays_until_the_tool_resolves_it(world: World, tool: Tool) -> None:
    """Longer than resolve_timeout and repeat_interval, and although nobody was listening for a while."""
    world.at("02:00")
    tool.trigger()
    world.expect_page("ana").ack("ana")
    world.wait("5h").expect_no_more_pages()
    assert world.state is State.ACKNOWLEDGED
    world.restart().wait("30m")
    assert world.state is State.ACKNOWLEDGED
    tool.resolve()
    assert world.state is State.RESOLVED, "at once, not at the end of a group_interval"
    assert listed(world) == []


def test_a_repeated_trigger_is_the_same_problem_whatever_its_summary_counts(world: World, tool: Tool) -> None:
    world.at("02:00")
    tool.trigger()
    world.expect_page("ana").ack("ana")
    for minute in range(1, 4):
        world.at(f"02:0{minute}")
        tool.trigger(summary=f"Pushes fail for {minute} minutes", component="other")
    world.at("02:30").expect_no_more_pages()
    (alert,) = listed(world)
    assert alert["annotations"]["summary"] == "Pushes fail for 3 minutes"
    assert (alert["labels"]["alertname"], alert["startsAt"]) == ("Pushes fail", "2026-11-21T02:00:00.000Z")


def test_what_gets_worse_pages_again(world: World, tool: Tool) -> None:
    world.at("02:00")
    tool.trigger()
    world.expect_page("ana").ack("ana").at("02:10")
    tool.trigger(severity="error")
    world.at("02:12").expect_page("ana")
    assert str(world.incident.severity) == "critical"
    assert [one["labels"]["severity"] for one in listed(world)] == ["critical"]
    tool.resolve()
    assert world.state is State.RESOLVED


def test_after_a_resolve_a_new_one_opens(world: World, tool: Tool) -> None:
    world.at("02:00")
    tool.trigger()
    world.expect_page("ana")
    tool.resolve()
    world.at("03:00").expect_no_more_pages()
    tool.trigger()
    world.expect_page("ana")
    assert [one.state for one in world.incidents] == [State.RESOLVED, State.TRIGGERED]


def test_resolved_by_hand_the_next_trigger_is_a_new_problem(world: World, tool: Tool) -> None:
    """Many tools never say that it is over: as in PagerDuty, who resolves the incident resolves their problem."""
    world.at("02:00")
    tool.trigger()
    world.expect_page("ana").at("02:01")
    world.do(usecases.resolve, "ana")
    assert listed(world) == []
    tool.trigger()
    world.at("02:03").expect_page("ana")
    assert world.state is State.TRIGGERED


def test_an_acknowledgement_in_the_tool_stops_paging(world: World, tool: Tool) -> None:
    world.at("02:00")
    tool.trigger()
    world.expect_page("ana").at("02:01")
    tool.acknowledge()
    assert (world.state, world.incident.acknowledged_by) == (State.ACKNOWLEDGED, "integration:pingdom")
    world.at("04:00").expect_no_more_pages()


def test_an_acknowledgement_may_come_before_its_incident(world: World, tool: Tool) -> None:
    world.at("02:00")
    assert tool.post("trigger", "push")["status"] == "success"
    tool.post("acknowledge", "push")
    assert world.incidents == []
    world.at("02:01")
    assert world.state is State.ACKNOWLEDGED
    world.at("04:00").expect_no_more_pages()  # somebody had it before anybody was called


def test_two_keys_are_two_problems_of_one_incident(world: World, tool: Tool) -> None:
    world.at("02:00")
    tool.trigger("a")
    tool.trigger("b")
    world.expect_page("ana").ack("ana").at("02:05")
    tool.resolve("a")
    assert world.state is State.ACKNOWLEDGED
    tool.resolve("b")
    assert (len(world.incidents), world.state) == (1, State.RESOLVED)


def test_what_belongs_to_nothing_is_taken_and_dropped(world: World, tool: Tool) -> None:
    world.at("02:00")
    tool.acknowledge("unknown")
    tool.resolve("unknown")
    world.at("02:30").expect_no_more_pages()
    assert (listed(world), world.incidents) == ([], [])


def test_what_is_over_before_the_desk_hears_of_it_wakes_nobody(world: World, tool: Tool) -> None:
    """A server that comes up, or is busy: the trigger and its resolve are there before the desk is."""
    world.at("02:00")
    tool.post("trigger", "push")
    tool.resolve()
    world.at("02:30").expect_no_more_pages()
    assert (world.incidents, listed(world)) == ([], [])


def test_of_two_problems_one_is_over_before_the_desk_hears_of_them(world: World, tool: Tool) -> None:
    world.at("02:00")
    tool.post("trigger", "a")
    tool.post("trigger", "b", summary="Pulls fail")
    tool.resolve("a")
    world.expect_page("ana")
    assert [one["annotations"]["summary"] for one in listed(world)] == ["Pulls fail"]
    tool.resolve("b")
    assert world.state is State.RESOLVED
