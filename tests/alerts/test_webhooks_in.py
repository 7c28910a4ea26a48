"""Webhooks of Alertmanager and Grafana, and JSON by a mapping: what becomes of each alert in them, and what is refused."""

import base64
import logging
from typing import Any

import pytest

from quietshift.alerts.events_api import EventsApi
from quietshift.alerts.inbound import hash_line
from quietshift.alerts.sources import BodyMapping, Field, Heartbeats, Inbound, Inbounds
from tests.alerts.conftest import DEFAULT, World
from tests.support.door import Answer, ask

KEYS = {name: name[0] * 32 for name in ("alertmanager", "grafana", "json", "pagerduty", "list")}
STATE = Field("state", {"down": "trigger", "up": "resolve", "seen": "acknowledge", "paused": "ignore"})
ONE = BodyMapping(
    "join(': ', [monitor.name, reason])", key="monitor.id", action=STATE, time="since", url="monitor.url",
    severity=Field("monitor.priority", {"high": "critical", "low": "info"}, "warning"), labels={"region": "monitor.region"},
    annotations={"tries": "tries"},
)  # fmt: skip
MANY = BodyMapping("title", key="id", events="items", action=Field("state", STATE.values, "trigger"))


def hashed(name: str) -> str:
    return hash_line(KEYS[name]).removeprefix("sha256:")


INBOUNDS = Inbounds(
    {hashed(name): Inbound(name, name, "gitaly", hashed(name)) for name in ("alertmanager", "grafana", "pagerduty")}
    | {hashed("json"): Inbound("json", "json", "gitaly", hashed("json"), mapping=ONE)}
    | {hashed("list"): Inbound("list", "json", "gitaly", hashed("list"), mapping=MANY)}
)
SHOP = {"id": 7, "name": "shop", "priority": "high", "region": "eu"}
DOWN = {"monitor": SHOP, "state": "down", "reason": "502", "since": 1795230000}


class Door:
    def __init__(self, world: World) -> None:
        self.world = world
        self.api = EventsApi(lambda: INBOUNDS, Heartbeats, world.clock, self.ready)

    async def ready(self) -> Any:
        return self.world.room.opened

    def post(self, name: str, body: Any, **headers: str) -> Answer:
        return ask(self.api, "/in", body, authorization=f"Bearer {KEYS[name]}", **headers)

    def firing(self) -> dict[str, dict[str, Any]]:
        """The alerts that are listed, by their host, else by their name."""
        self.world.run(until=self.world.seconds + 1)
        return {alert["labels"].get("host") or alert["labels"]["alertname"]: alert for alert in self.world.listed()}


@pytest.fixture
def door(make_world):
    return Door(make_world())


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    made = World(f"sqlite:///{tmp_path_factory.mktemp('webhooks')}/quietshift.db", DEFAULT)
    yield Door(made)
    made.close()


def alert(host: str, status: str = "firing", **more: Any) -> dict[str, Any]:
    return {
        "status": status, "labels": {"alertname": "DiskFull", "host": host}, "annotations": {"summary": f"{host} is full"},
        "startsAt": "2026-11-21T02:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus/graph",
        "fingerprint": f"fp-{host}", **more,
    }  # fmt: skip


def message(*alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """As Alertmanager 0.25 posts it."""
    return {
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "quietshift",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am", "alerts": list(alerts),
        **more,
    }  # fmt: skip


# -- alertmanager --------------------------------------------------------------------------------------------------------


def test_each_alert_is_one_here_with_its_own_labels_and_link(door):
    other = alert("b", labels={"alertname": "X", "host": "b", "service": "web"})
    assert door.post("alertmanager", message(alert("a"), other)).status == 202
    found = door.firing()
    assert found["a"]["labels"] == {"alertname": "DiskFull", "host": "a", "integration": "alertmanager", "service": "gitaly"}
    assert found["b"]["labels"]["service"] == "web", "its own service stands in place of the integration's"
    assert (found["a"]["startsAt"], found["a"]["generatorURL"]) == ("2026-11-21T02:00:00.000Z", "http://prometheus/graph")
    assert found["a"]["annotations"] == {"summary": "a is full"}


def test_it_fires_until_it_is_told_to_be_over_whatever_the_group_says(door):
    door.post("alertmanager", message(alert("a"), alert("b"), status="resolved"))
    door.world.run(until=7200)
    assert set(door.firing()) == {"a", "b"}
    door.post("alertmanager", message(alert("a"), alert("b", "resolved"), status="resolved"))
    assert set(door.firing()) == {"a"}


def test_what_was_cut_off_does_not_end_and_the_others_say_so(door):
    door.post("alertmanager", message(alert("a"), alert("b"), alert("c")))
    door.post("alertmanager", message(alert("a", "resolved"), alert("b"), truncatedAlerts=1, status="resolved"))
    found = door.firing()
    assert set(found) == {"b", "c"}
    assert "1 more alerts of this group were cut off" in found["b"]["annotations"]["truncated_alerts"]


def test_a_late_end_does_not_end_what_began_after_it(door):
    door.post("alertmanager", message(alert("a", startsAt="2026-11-21T02:30:00Z")))
    door.post("alertmanager", message(alert("a", "resolved", endsAt="2026-11-21T02:20:00Z")))
    assert set(door.firing()) == {"a"}
    door.post("alertmanager", message(alert("a", "resolved", endsAt="2026-11-21T02:40:00Z")))
    assert door.firing() == {}


def test_without_a_fingerprint_its_labels_tell_it_apart(door):
    bare = {"status": "firing", "labels": {"alertname": "X", "host": "a"}}
    door.post("alertmanager", message(bare))
    door.post("alertmanager", message(bare | {"status": "resolved"}))
    assert door.firing() == {}


def test_all_of_a_message_or_none_of_it(door):
    status, answer, _ = door.post("alertmanager", message(alert("a"), alert("b", "odd"), alert("c", labels={})))
    assert status == 400
    assert answer["errors"] == [
        "'alerts[1].status' has to be one of firing, resolved", "'alerts[2].labels' says nothing: an alert is told apart by them",
    ]  # fmt: skip
    assert door.firing() == {}


def test_opened_and_ended_in_one_message(door):
    door.post("alertmanager", message(alert("a"), alert("a", "resolved")))
    assert door.firing() == {}
    door.post("alertmanager", message(alert("a")))
    assert set(door.firing()) == {"a"}


# -- grafana -------------------------------------------------------------------------------------------------------------

GRAFANA = {
    "receiver": "quietshift", "status": "firing", "orgId": 1, "version": "1", "truncatedAlerts": 0, "state": "alerting",
    "title": "[FIRING:1] High latency", "message": "**Firing**", "groupKey": '{}:{alertname="High latency"}',
    "groupLabels": {"alertname": "High latency"}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "https://grafana/",
    "alerts": [
        {
            "status": "firing", "labels": {"alertname": "High latency", "grafana_folder": "Web", "host": "web"},
            "annotations": {"summary": "p99 is 3 s"}, "startsAt": "2026-11-21T03:00:00+01:00", "endsAt": "0001-01-01T00:00:00Z",
            "values": {"B": 3.1, "C": 1}, "valueString": "[ var='B' value=3.1 ]", "fingerprint": "c6eadffa33fcdf37",
            "generatorURL": "https://grafana/alerting/1/edit", "silenceURL": "https://grafana/alerting/silence/new?x=1",
            "dashboardURL": "https://grafana/d/abc", "panelURL": "https://grafana/d/abc?viewPanel=2",
            "imageURL": "https://grafana/images/1.png",
        }
    ],
}  # fmt: skip


def test_grafana_tells_more_and_it_is_kept(door):
    assert door.post("grafana", GRAFANA).status == 202
    found = door.firing()["web"]
    assert found["annotations"] == {
        "summary": "p99 is 3 s", "values": '{"B":3.1,"C":1}', "silence_url": "https://grafana/alerting/silence/new?x=1",
        "dashboard_url": "https://grafana/d/abc", "panel_url": "https://grafana/d/abc?viewPanel=2",
        "image_url": "https://grafana/images/1.png",
    }  # fmt: skip
    assert (found["startsAt"], found["generatorURL"]) == ("2026-11-21T02:00:00.000Z", "https://grafana/alerting/1/edit")
    over = {**GRAFANA["alerts"][0], "status": "resolved", "endsAt": "2026-11-21T03:00:30Z", "values": None}
    assert door.post("grafana", GRAFANA | {"alerts": [over]}).status == 202
    assert door.firing() == {}


def test_grafana_without_values_tells_their_text(door):
    one = {**GRAFANA["alerts"][0], "values": None}
    door.post("grafana", GRAFANA | {"alerts": [one]})
    assert door.firing()["web"]["annotations"]["values"] == "[ var='B' value=3.1 ]"


# -- json ----------------------------------------------------------------------------------------------------------------


def test_a_mapping_says_what_is_what(door):
    assert door.post("json", DOWN | {"tries": [1, 2]}).status == 202
    found = door.firing()["shop: 502"]
    assert found["labels"] == {
        "alertname": "shop: 502", "dedup_key": "7", "integration": "json", "region": "eu", "service": "gitaly",
        "severity": "critical",
    }  # fmt: skip
    assert found["annotations"] == {"summary": "shop: 502", "tries": "[1,2]"}
    assert found["startsAt"] == "2026-11-21T03:00:00.000Z"
    assert door.post("json", DOWN | {"state": "paused"}).json["message"] == "0 events processed"
    assert "shop: 502" in door.firing()
    door.post("json", DOWN | {"state": "up", "reason": "200"})
    assert door.firing() == {}


def test_a_body_may_hold_many_events(door):
    items = [{"id": "1", "title": "one"}, {"id": "2", "title": "two"}, {"id": "1", "state": "up"}]
    assert door.post("list", {"items": items}).status == 202
    assert set(door.firing()) == {"two"}


@pytest.mark.parametrize(
    ("name", "body", "error"),
    [
        ("json", DOWN | {"state": "odd"}, "'state' is 'odd', which the mapping does not know (it knows down, up, seen, paused)"),
        ("json", DOWN | {"since": "noon"}, "'since' is no ISO 8601 time, and no number of seconds or milliseconds since 1970"),
        ("json", {**DOWN, "monitor": {"name": "shop"}}, "'monitor.id' says nothing: it tells which problem is meant"),
        ("json", {**DOWN, "monitor": {"id": 7}}, "'join(': ', [monitor.name, reason])' cannot be told from this body"),
        ("list", {}, "'items' is not in the body: it should lead to the events"),
        ("list", {"items": [{"id": "1", "title": "x"}, {"id": "2"}]}, "'event 1: title' says nothing: it is the alert's title"),
        ("list", {"items": [{"id": "x" * 256, "title": "x"}]}, "'event 0: id' has 256 characters: at most 255 are allowed"),
        ("alertmanager", {"version": "3", "alerts": []}, "'version' has to be '4': a webhook of Alertmanager"),
        ("alertmanager", message(alerts={}), "'alerts' has to be a list"),
        ("alertmanager", message(alerts=[1]), "'alerts[0]' has to be an object"),
        ("alertmanager", message(alert("a", labels={"x": 1})), "'alerts[0].labels.x' has to be text"),
        ("alertmanager", message(alert("a", startsAt="noon")), "'alerts[0].startsAt' is no ISO 8601 time"),
        ("grafana", b"{", "the body is not JSON: Input data was truncated"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_place(shared, name, body, error):
    status, answer, _ = shared.post(name, body)
    assert status == 400
    assert any(error in one for one in answer["errors"]), answer["errors"]


# -- keys ----------------------------------------------------------------------------------------------------------------


def test_the_key_comes_as_the_sender_can_send_it(shared):
    body, key = message(), KEYS["alertmanager"]
    basic = f"Basic {base64.b64encode(f'any:{key}'.encode()).decode()}"
    assert ask(shared.api, "/in", body, authorization=basic).status == 202
    assert ask(shared.api, f"/in/{key}", body).status == 202
    assert ask(shared.api, f"/in/{key}/", body).status == 202
    for wrong in ("", "Bearer", f"Bearer {KEYS['pagerduty']}", "Basic !", "Basic YQ==", f"Basic {key}"):
        answer = ask(shared.api, "/in", body, authorization=wrong)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_key_in_a_path_is_never_logged(shared, caplog):
    async def broken() -> Any:
        raise RuntimeError("out of order")

    api = EventsApi(lambda: INBOUNDS, Heartbeats, shared.world.clock, broken)
    with caplog.at_level(logging.DEBUG):
        assert ask(api, f"/in/{KEYS['alertmanager']}", message(alert("a"))).status == 500
    assert "failed" in caplog.text
    assert KEYS["alertmanager"] not in caplog.text


def test_who_makes_more_requests_than_agreed_is_told_when_to_come_again(door):
    few = Inbounds({hashed("json"): Inbound("few", "json", "gitaly", hashed("json"), per_minute=3, mapping=ONE)})
    door.api = EventsApi(lambda: few, Heartbeats, door.world.clock, door.ready)
    assert [door.post("json", DOWN).status for _ in range(4)] == [202, 202, 202, 429]
    refused = door.post("json", DOWN)
    assert (refused.json["status"], refused.headers["retry-after"]) == ("throttle exceeded", "21")
    door.world.run(until=door.world.seconds + 20)
    assert [door.post("json", DOWN).status for _ in range(2)] == [202, 429]


@pytest.mark.parametrize(
    ("status", "method", "headers", "size"),
    [
        (405, "GET", {}, 0), (415, "POST", {"content_encoding": "gzip"}, 2), (413, "POST", {}, (4 << 20) + 1),
        (413, "POST", {"content_length": "9" * 30}, 2),
    ],
)  # fmt: skip
def test_what_is_no_request_for_this_address(shared, status, method, headers, size):
    answer = ask(shared.api, f"/in/{KEYS['grafana']}", b" " * size, method, **headers)
    assert answer.status == status
    assert answer.json["errors"]
