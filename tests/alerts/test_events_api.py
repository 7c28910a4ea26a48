"""PagerDuty's door: what is answered to good events, bad ones, and too many."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quietshift.alerts.api import Refused
from quietshift.alerts.events_api import EventsApi
from quietshift.alerts.inbound import hash_line
from quietshift.alerts.sources import Heartbeats, Inbound, Inbounds
from quietshift.alerts.turns import AT_ONCE
from tests.alerts.conftest import DEFAULT, World
from tests.support.door import ask, asked

KEY = "k" * 32
INBOUNDS = Inbounds({hash_line(KEY).removeprefix("sha256:"): Inbound("tool", "pagerduty", "gitaly", "")})
PAYLOAD = {"summary": "Disk is full", "source": "db-1", "severity": "critical"}


class Door:
    """Asks the ASGI application as a server would."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.api = EventsApi(lambda: INBOUNDS, Heartbeats, world.clock, self.ready)

    async def ready(self) -> Any:
        return self.world.room.opened

    def raw(self, body: bytes, method: str = "POST", path: str = "/v2/enqueue", **headers: str) -> tuple[int, Any]:
        return ask(self.api, path, body, method, **headers)[:2]

    def __call__(self, payload: Any = PAYLOAD, **event: Any) -> tuple[int, Any]:
        given = {"routing_key": KEY, "event_action": "trigger", "payload": payload, **event}
        return self.raw(json.dumps({name: value for name, value in given.items() if value is not None}).encode())


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    made = World(f"sqlite:///{tmp_path_factory.mktemp('events')}/quietshift.db", DEFAULT)
    yield Door(made)
    made.close()


@pytest.fixture
def own(make_world):
    """A door of one's own, on both databases."""
    return Door(make_world())


def test_an_event_that_was_answered_202_is_on_disk(own):
    assert own(dedup_key="disk") == (202, {"status": "success", "message": "Event processed", "dedup_key": "disk"})
    own.world.restart(after=86400)
    (alert,) = own.world.listed()
    assert (alert["labels"]["alertname"], alert["labels"]["dedup_key"], alert["endsAt"]) == (
        "Disk is full", "disk", "9999-01-01T00:00:00.000Z",
    )  # fmt: skip


def test_a_trigger_without_a_key_is_given_one(door):
    keys = {door()[1]["dedup_key"] for _ in range(2)}
    assert len(keys) == 2
    assert all(len(key) == 32 for key in keys)


def test_what_else_is_told_is_kept(own):
    payload = PAYLOAD | {
        "severity": "error", "timestamp": "2026-11-21T02:00:00+00:00Z", "custom_details": {"free": "0 bytes"},
    }  # fmt: skip
    links = [{"href": "https://wiki.example.org/disk", "text": "Wiki"}]
    images = [{"src": "https://img.example.org/1.png", "alt": "Disk"}]
    status, _ = own(payload, links=links, images=images, client="Pingdom", client_url="https://pingdom.example.org/1")
    (alert,) = own.world.listed()
    assert status == 202
    assert alert["annotations"] == {
        "summary": "Disk is full", "details": '{"free":"0 bytes"}', "client": "Pingdom", "reported_severity": "error",
        "links": "https://wiki.example.org/disk Wiki", "images": "https://img.example.org/1.png Disk",
    }  # fmt: skip
    assert (alert["labels"]["severity"], alert["startsAt"]) == ("critical", "2026-11-21T02:00:00.000Z")
    assert alert["generatorURL"] == "https://pingdom.example.org/1"


def test_a_time_ahead_of_ours_is_now_and_an_address_that_is_none_leads_nowhere(own):
    own(PAYLOAD | {"timestamp": "2126-11-21T02:00:00Z"}, client_url="javascript:alert(1)")
    (alert,) = own.world.listed()
    assert alert["startsAt"] == "2026-11-21T03:00:00.000Z"
    assert "generatorURL" not in alert


def test_long_words_and_odd_characters_are_taken(own):
    assert own(PAYLOAD | {"class": "x" * 5000, "component": "a\0b\nc", "custom_details": "y" * 100_000}, dedup_key="\0")[0] == 202
    (alert,) = own.world.listed()
    assert (len(alert["labels"]["class"]), alert["labels"]["component"]) == (255, "a b c")
    assert len(alert["annotations"]["details"]) < 20_000


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"routing_key": None}, "'routing_key' is missing: the key of an integration"),
        ({"routing_key": "z" * 32}, "'routing_key' is the key of no integration of type pagerduty here"),
        ({"routing_key": 7}, "'routing_key' is missing: the key of an integration"),
        ({"event_action": None}, "'event_action' has to be one of trigger, acknowledge, resolve"),
        ({"event_action": "close"}, "'event_action' has to be one of trigger, acknowledge, resolve"),
        ({"event_action": "resolve"}, "'dedup_key' is missing: it says which problem is meant"),
        ({"dedup_key": "x" * 256}, "'dedup_key' has 256 characters: at most 255 are allowed"),
        ({"dedup_key": 12}, "'dedup_key' has to be text"),
        ({"payload": None}, "'payload' is missing: it has to be an object"),
        ({"payload": []}, "'payload' has to be an object"),
        ({"payload": PAYLOAD | {"summary": "x" * 1025}}, "'payload.summary' has 1025 characters: at most 1024 are allowed"),
        ({"payload": PAYLOAD | {"summary": " "}}, "'payload.summary' is missing or blank"),
        ({"payload": PAYLOAD | {"source": ""}}, "'payload.source' is missing or blank"),
        ({"payload": PAYLOAD | {"severity": "page"}}, "'payload.severity' has to be one of critical, error, warning, info"),
        ({"payload": PAYLOAD | {"timestamp": "today"}}, "'payload.timestamp' is no ISO 8601 time"),
        ({"payload": PAYLOAD | {"class": {}}}, "'payload.class' has to be text"),
        ({"links": {}}, "'links' has to be a list"),
        ({"links": ["x"]}, "'links[0]' has to be an object"),
        ({"images": [{"src": 1}]}, "'images[0].src' has to be text"),
    ],
)
def test_a_bad_event_is_refused_by_the_name_of_its_place(door, event, error):
    status, answer = door(**event)
    assert (status, answer["status"], answer["message"]) == (400, "invalid event", "Event object is invalid")
    assert error in answer["errors"]


def test_what_may_just_be_is_taken(door):
    assert door(PAYLOAD | {"summary": "x" * 1024}, dedup_key="x" * 255)[0] == 202


def test_everything_that_is_wrong_is_told_at_once(door):
    assert len(door({}, dedup_key=1)[1]["errors"]) == 4


def test_what_is_no_event(door):
    assert door.raw(b"{")[0] == 400
    assert door.raw(b"[]")[1]["errors"] == ["the body has to be a JSON object"]
    assert door.raw(b'{"a":' * 20_000)[0] == 400
    assert door.raw(b" " * ((512 << 10) + 1))[0] == 413
    assert door.raw(b"", "GET")[0] == 405
    assert door.raw(b"", "POST", "/v2/else")[0] == 404


def test_who_sends_faster_than_can_be_stored_is_asked_to_come_again(own):
    opened = asyncio.Event()

    async def later():
        await opened.wait()
        return own.world.room.opened

    own.api = EventsApi(lambda: INBOUNDS, Heartbeats, own.world.clock, later)

    async def flood():
        event = json.dumps({"routing_key": KEY, "event_action": "trigger", "payload": PAYLOAD}).encode()
        waiting = [asyncio.create_task(asked(own.api, "/v2/enqueue", event, "POST", {})) for _ in range(AT_ONCE)]
        for _ in range(5):
            await asyncio.sleep(0)
        refused = await asked(own.api, "/v2/enqueue", event, "POST", {})
        opened.set()
        return refused, await asyncio.gather(*waiting), await asked(own.api, "/v2/enqueue", event, "POST", {})

    refused, taken, after = asyncio.run(flood())
    assert (refused[0], refused[2]["retry-after"]) == (429, "5")
    assert {answer.status for answer in (*taken, after)} == {202}
    assert len(own.world.listed()) == AT_ONCE + 1


def test_before_the_database_is_open_the_sender_is_asked_to_come_again(own):
    async def never():
        raise Refused(503, "the database is not open yet: send it again")

    own.api = EventsApi(lambda: INBOUNDS, Heartbeats, own.world.clock, never)
    assert own()[0] == 503


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TEXT = st.text(min_size=1, max_size=20)
EVENTS = st.fixed_dictionaries(
    {"routing_key": st.just(KEY), "event_action": st.sampled_from(["trigger", "acknowledge", "resolve"]) | JSON},
    optional={
        "payload": JSON
        | st.fixed_dictionaries(
            {"summary": TEXT, "source": TEXT, "severity": st.just("info")},
            optional={
                "timestamp": TEXT | st.datetimes().map(str), "class": TEXT, "custom_details": JSON, "group": JSON,
            },
        ),
        "dedup_key": TEXT | JSON, "links": JSON, "images": st.lists(st.dictionaries(TEXT, TEXT)), "client_url": TEXT | JSON,
    },
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS | JSON)
def test_no_event_is_answered_500(door, event):
    status, answer = door.raw(json.dumps(event).encode())
    assert status in (202, 400)
    assert bool(answer.get("errors")) == (status == 400)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100))
def test_no_bytes_are_answered_500(door, body):
    assert door.raw(body)[0] == 400
