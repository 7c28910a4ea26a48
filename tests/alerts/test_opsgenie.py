"""Opsgenie's door: open, acknowledge, close by alias; what is refused, and how."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quietshift.alerts.events_api import EventsApi
from quietshift.alerts.inbound import hash_line
from quietshift.alerts.sources import Heartbeat, Heartbeats, Inbound, Inbounds
from quietshift.kernel import timers
from tests.alerts.conftest import DEFAULT, World
from tests.support.door import ask

KEY = "eb243592-faa2-4ba2-a551-1afdf565c889"
INBOUNDS = Inbounds({hash_line(KEY).removeprefix("sha256:"): Inbound("tool", "opsgenie", "gitaly", "")})
ALERT = {"message": "Disk is full", "alias": "disk", "priority": "P1"}


class Door:
    """Asks the ASGI application as a server would."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.api = EventsApi(lambda: INBOUNDS, Heartbeats, world.clock, self.ready)

    async def ready(self) -> Any:
        return self.world.room.opened

    def __call__(self, path: str, body: Any = None, *, key: str = f"GenieKey {KEY}", method: str = "POST") -> tuple[int, Any]:
        return ask(self.api, path, body if isinstance(body, bytes) else body or {}, method, authorization=key)[:2]

    def listed(self) -> list[dict[str, Any]]:
        self.world.run(until=self.world.seconds + 1)
        return self.world.listed()


@pytest.fixture
def door(make_world):
    return Door(make_world())


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    made = World(f"sqlite:///{tmp_path_factory.mktemp('opsgenie')}/quietshift.db", DEFAULT)
    yield Door(made)
    made.close()


def test_an_alert_is_opened_repeated_and_closed_by_its_alias(door):
    status, answer = door("/v2/alerts", {**ALERT, "entity": "db-1", "details": {"free": "0"}, "tags": ["disk", "prod"]})
    assert (status, answer["result"]) == (202, "Request will be processed")
    assert door("/v2/alerts", {**ALERT, "message": "Disk is still full", "priority": "P2"})[0] == 202
    (alert,) = door.listed()
    assert alert["labels"] == {
        "alertname": "Disk is full", "dedup_key": "disk", "entity": "db-1", "integration": "tool",
        "service": "gitaly", "severity": "critical",
    }  # fmt: skip
    assert (alert["annotations"]["summary"], alert["annotations"]["priority"]) == ("Disk is still full", "P2")
    assert door("/v2/alerts/disk/close?identifierType=alias")[0] == 202
    assert door.listed() == []
    assert door("/v2/alerts/disk/close?identifierType=alias")[0] == 202, "nothing is open: dropped"


def test_an_acknowledgement_is_handed_to_the_incidents(door):
    door("/v2/alerts", ALERT)
    (alert,) = door.listed()
    assert door("/v2/alerts/disk/acknowledge?identifierType=alias", {"user": "ana"})[0] == 202
    with door.world.db.read() as tx:
        waiting = timers.get(tx, "incidents.event_acknowledged", alert["fingerprint"])
    assert waiting is not None
    assert waiting.payload["by"] == "integration:tool"


def test_an_alias_may_hold_anything(door):
    door("/v2/alerts", {**ALERT, "alias": "a/b c"})
    assert door("/v2/alerts/a/b c/close?identifierType=alias")[0] == 202
    assert door.listed() == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "'message' is missing or blank"),
        ({"message": "x" * 131}, "'message' has 131 characters: at most 130 are allowed"),
        ({**ALERT, "alias": "x" * 513}, "'alias' has 513 characters: at most 512 are allowed"),
        ({**ALERT, "priority": "P6"}, "'priority' has to be one of P1, P2, P3, P4, P5"),
        ({**ALERT, "tags": "x"}, "'tags' has to be a list of texts"),
        ({**ALERT, "details": []}, "'details' has to be an object"),
        (b"{", "the body is not JSON: Input data was truncated"),
    ],
)
def test_a_bad_alert_is_refused_by_the_name_of_its_place(shared, body, error):
    status, answer = shared("/v2/alerts", body)
    assert (status, list(answer["errors"].values())) == (422, [error])


def test_what_is_refused(shared):
    assert shared("/v2/alerts", ALERT, key="GenieKey wrong")[0] == 401
    assert shared("/v2/alerts", ALERT, key=f"Bearer {KEY}")[0] == 401
    assert shared("/v2/alerts/disk/close?identifierType=name")[0] == 422
    assert shared("/v2/alerts/disk/snooze")[0] == 404
    assert shared("/v2/alerts", method="GET")[0] == 405


def data(answer: tuple[int, Any]) -> dict[str, Any]:
    assert answer[0] == 200, answer
    assert set(answer[1]) == {"data", "took", "requestId"}
    found: dict[str, Any] = answer[1]["data"]
    return found


def test_a_request_can_be_asked_for_and_leads_to_the_alert_by_each_of_its_names(door):
    _, answer = door("/v2/alerts", {**ALERT, "tags": ["disk", "prod"], "details": {"free": "0"}})
    done = data(door(f"/v2/alerts/requests/{answer['requestId']}", method="GET"))
    assert (done["success"], done["action"], done["alias"], done["status"]) == (True, "Create", "disk", "Created alert")
    door.listed()
    shown = data(door(f"/v2/alerts/{done['alertId']}", method="GET"))
    assert (shown["alias"], shown["message"], shown["tags"], shown["details"], shown["priority"], shown["status"]) == (
        "disk", "Disk is full", ["disk", "prod"], {"free": "0"}, "P1", "open",
    )  # fmt: skip
    for name, kind in ((shown["tinyId"], "tiny"), ("disk", "alias"), (shown["id"], "id")):
        assert data(door(f"/v2/alerts/{name}?identifierType={kind}", method="GET"))["id"] == done["alertId"]
    door("/v2/alerts", {**ALERT, "priority": "P3"})
    assert data(door(f"/v2/alerts/{done['alertId']}", method="GET"))["priority"] == "P3", "it is the same, whatever its priority"
    assert door(f"/v2/alerts/{done['alertId']}/close")[0] == 202, "by id, as where no identifierType is given"
    assert door.listed() == []
    assert door(f"/v2/alerts/{done['alertId']}", method="GET")[0] == 404


def test_after_a_close_the_alias_is_another_alert(door):
    ids = []
    for _ in range(2):
        door("/v2/alerts", ALERT)
        ids.append(data(door("/v2/alerts/disk?identifierType=alias", method="GET")))
        door(f"/v2/alerts/{ids[-1]['tinyId']}/close?identifierType=tiny")
        door.listed()
    assert ids[0]["id"] != ids[1]["id"]
    assert ids[0]["tinyId"] != ids[1]["tinyId"]


def test_a_request_about_nothing_is_taken_and_says_so_when_asked(door):
    status, answer = door("/v2/alerts/nothing/close?identifierType=alias")
    done = data(door(f"/v2/alerts/requests/{answer['requestId']}", method="GET"))
    assert (status, done["success"], done["isSuccess"], done["alertId"]) == (202, False, False, "")
    assert "does not exist" in done["status"]


def test_what_became_of_requests_is_forgotten_after_a_day(door):
    _, answer = door("/v2/alerts", ALERT)
    door.world.run(until=23 * 3600)
    assert door(f"/v2/alerts/requests/{answer['requestId']}", method="GET")[0] == 200
    door.world.run(until=26 * 3600)
    assert door(f"/v2/alerts/requests/{answer['requestId']}", method="GET")[0] == 404


def test_errors_are_in_opsgenies_shape(shared):
    for status, answer in (shared("/v2/alerts", {}), shared("/v2/alerts", ALERT, key=""), shared("/v2/alerts/x", method="GET")):
        assert status in (422, 401, 404)
        assert {"message", "took", "requestId"} <= set(answer)
    assert set(shared("/v2/alerts", {"priority": "P9"})[1]["errors"]) == {"message", "priority"}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH"])
def test_a_ping_is_heard_for_the_heartbeat_of_that_name(door, method):
    mine = Heartbeat("backup", "gitaly", timedelta(), "critical", "", period=timedelta(hours=1))
    other = Heartbeat("other", "web", timedelta(), "critical", "", period=timedelta(hours=1))
    door.api = EventsApi(lambda: INBOUNDS, lambda: Heartbeats({"backup": mine, "other": other}), door.world.clock, door.ready)
    status, answer = door("/v2/heartbeats/backup/ping", method=method)
    assert (status, answer["result"]) == (202, "PONG - Heartbeat received")
    with door.world.db.read() as tx:
        timer = timers.get(tx, "alerts.heartbeat", "backup")
    assert timer is not None
    assert timer.due_at == door.world.clock.now() + timedelta(hours=1)
    assert door("/v2/heartbeats/other/ping", method=method)[0] == 404, "of another service"
    assert door("/v2/heartbeats/backup/ping", method=method, key="GenieKey x")[0] == 401


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("alias", "priority", "tags", "details", "entity", "source", "description", "user")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({"message": st.text(max_size=9) | JSON}, optional=dict.fromkeys(FIELDS, JSON)) | JSON)
def test_no_alert_is_answered_500(shared, body):
    assert shared("/v2/alerts", json.dumps(body).encode())[0] in (202, 422)
