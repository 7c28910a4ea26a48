"""Whatever is posted to whichever door of other tools, it is taken or refused with a reason; never 500, never a hang."""

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quietshift.alerts.events_api import EventsApi, is_ours
from quietshift.alerts.inbound import hash_line
from quietshift.alerts.sources import BodyMapping, Field, Heartbeat, Heartbeats, Inbound, Inbounds
from tests.alerts.conftest import DEFAULT, START, World
from tests.support.door import Answer, ask

KEYS = {name: f"{name:*<32}" for name in ("pagerduty", "opsgenie", "alertmanager", "grafana", "json")}
HASHES = {name: hash_line(key).removeprefix("sha256:") for name, key in KEYS.items()}
MAPPING = BodyMapping(
    "summary", key="id", events="alerts[]", action=Field("status", {"firing": "trigger", "resolved": "resolve"}, "trigger"),
    severity=Field("severity", {}, "warning"), time="time || startsAt", url="url",
    labels={"team": "labels.team", "first": "sort(keys(labels))[0]"}, annotations={"all": "@"},
)  # fmt: skip
INBOUNDS = Inbounds(
    {
        of: Inbound(name, name, "gitaly", of, per_minute=10**9, mapping=MAPPING if name == "json" else None)
        for name, of in HASHES.items()
    }
)
BEAT = Heartbeat("beat", "gitaly", START - START, "critical", HASHES["json"], cron="*/5 * * * *", zone="Europe/Berlin")
DOORS = (
    "/v2/enqueue", "/v2/change/enqueue", "/v2/alerts", "/v2/alerts/{}/close", "/v2/alerts/{}/acknowledge",
    "/v2/heartbeats/beat/ping", "/v2/heartbeats/{}/ping", "alertmanager", "grafana", "json", f"/heartbeat/{KEYS['json']}",
    "/heartbeat/{}", "/v2/{}", "/in/{}",
)  # fmt: skip
SLOWEST = 5.0  # seconds of a busy machine for one request


class House:
    def __init__(self, world: World) -> None:
        self.world = world
        self.api = EventsApi(lambda: INBOUNDS, lambda: Heartbeats({"beat": BEAT}), world.clock, self.ready)

    async def ready(self) -> Any:
        return self.world.room.opened

    def post(self, door: str, body: bytes, word: str = "x", method: str = "POST", **headers: str) -> Answer:
        path = f"/in/{KEYS[door]}" if door in KEYS else door.replace("{}", word)
        if not is_ours(path):
            return Answer(404, None, {})
        began = time.monotonic()
        answer = ask(self.api, path, body, method, **{"authorization": f"GenieKey {KEYS['opsgenie']}", **headers})
        assert time.monotonic() - began < SLOWEST
        assert 200 <= answer.status < 500, (door, body[:500], answer)
        if answer.status >= 400 and method != "HEAD":
            assert answer.json["message"], answer
            assert answer.json.get("errors") or "requestId" in answer.json, answer
        return answer


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    made = World(f"sqlite:///{tmp_path_factory.mktemp('fuzz')}/quietshift.db", DEFAULT)
    yield House(made)
    made.close()


TEXT = st.text(max_size=12) | st.sampled_from(["\0", "\ud7ff", "𝕏" * 20, "a" * 2000, "\u202e", "", " "])
LEAF = (
    st.none() | st.booleans() | st.integers() | st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)  # fmt: skip
JSON = st.recursive(LEAF, lambda one: st.lists(one, max_size=3) | st.dictionaries(TEXT, one, max_size=3), max_leaves=8)
TIME = st.sampled_from(
    ["2026-11-21T02:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00", "2026-W47-6", "x"]
) | st.datetimes().map(str) | JSON  # fmt: skip
NAMES = st.sampled_from(["alertname", "team", "service", "x y", "é", "9", "__name__"]) | TEXT
LABELS = st.dictionaries(NAMES, TEXT, max_size=4) | JSON
ALERT = st.fixed_dictionaries(
    {"status": st.sampled_from(["firing", "resolved"]) | JSON, "labels": LABELS},
    optional={
        "annotations": LABELS, "startsAt": TIME, "endsAt": TIME, "fingerprint": TEXT | JSON, "generatorURL": TEXT | JSON,
        "values": JSON, "valueString": TEXT, "silenceURL": TEXT | JSON, "summary": TEXT | JSON, "id": TEXT | JSON,
        "severity": JSON, "time": TIME, "url": JSON,
    },
)  # fmt: skip
GROUP = st.fixed_dictionaries(
    {"version": st.just("4") | JSON, "alerts": st.lists(ALERT, max_size=4) | JSON},
    optional={"truncatedAlerts": JSON, "status": JSON},
)
LINK = st.fixed_dictionaries({}, optional={"href": JSON, "src": JSON, "text": JSON, "alt": JSON})
LINKS = st.lists(LINK | JSON, max_size=3) | JSON
EVENT = st.fixed_dictionaries(
    {"routing_key": st.just(KEYS["pagerduty"])},
    optional={
        "event_action": st.sampled_from(["trigger", "acknowledge", "resolve"]) | JSON, "dedup_key": TEXT | JSON, "links": LINKS,
        "images": LINKS, "client": JSON, "client_url": JSON,
        "payload": JSON | st.fixed_dictionaries(
            {"summary": TEXT | JSON, "source": TEXT | JSON, "severity": st.sampled_from(["info", "error"]) | JSON},
            optional={"timestamp": TIME, "class": TEXT | JSON, "custom_details": JSON},
        ),
    },
)  # fmt: skip
OPSGENIE = st.fixed_dictionaries(
    {"message": TEXT | JSON},
    optional={
        "alias": TEXT | JSON, "priority": st.sampled_from(["P1", "P5"]) | JSON, "tags": st.lists(TEXT) | JSON, "details": JSON,
        "description": TEXT | JSON, "entity": TEXT | JSON, "source": JSON, "note": JSON, "user": JSON,
    },
)  # fmt: skip
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
SHAPES = settings(max_examples=120, deadline=None, suppress_health_check=CHECKS)


@SHAPES
@given(st.sampled_from(DOORS), EVENT | OPSGENIE | GROUP | JSON, TEXT)
def test_no_shape_is_answered_500(house, door, body, word):
    house.post(door, json.dumps(body).encode(), word)


@pytest.mark.parametrize("door", ["alertmanager", "grafana", "json"])
@SHAPES
@given(body=GROUP)
def test_no_group_is_answered_500(house, door, body):
    house.post(door, json.dumps(body).encode())


@SHAPES
@given(st.sampled_from(["/v2/enqueue", "/v2/change/enqueue"]), EVENT)
def test_no_event_is_answered_500(house, door, body):
    house.post(door, json.dumps(body).encode())


@SHAPES
@given(OPSGENIE, TEXT, st.sampled_from(["id", "tiny", "alias", "x"]))
def test_no_request_of_opsgenie_is_answered_500(house, body, word, kind):
    house.post("/v2/alerts", json.dumps(body).encode())
    for path in ("/v2/alerts/{}/close", "/v2/alerts/{}/acknowledge"):
        house.post(f"{path}?identifierType={kind}", b"", word)
    for path in ("/v2/alerts/{}", "/v2/alerts/requests/{}"):
        house.post(f"{path}?identifierType={kind}", b"", word, "GET")


@SHAPES
@given(
    st.sampled_from(DOORS), st.binary(max_size=60), TEXT, st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "PATCH", "POST", "X"]),
    st.binary(max_size=20), st.sampled_from(["", "gzip", "identity", "br", "\xff"]),
)  # fmt: skip
def test_no_bytes_are_answered_500(house, door, body, word, method, authorization, packed):
    answer = house.post(door, body, word, method, authorization=authorization.decode("latin-1"), content_encoding=packed)
    assert method != "HEAD" or answer.json is None


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000, b'{"a":' * 50_000, b'{"alerts":' + b"[" * 990 + b"]" * 990 + b"}", b"NaN", b'{"alerts": [NaN]}', b"1e999",
        b"9" * 5000, b'"\\ud800"', b'{"message": "\\udfff"}', b'"\xff\xfe"', b"\xef\xbb\xbf{}", b"", b"null", b"\x1f\x8b\x08\x00",
        b'{"routing_key": "a", "routing_key": "b"}', b"{" + b'"a": 1,' * 10_000 + b'"a": 1}', b" " * (5 << 20),
    ],
    ids=range(17),
)  # fmt: skip
def test_hard_bodies(house, door, body):
    house.post(door, body)


def test_of_two_values_of_one_name_the_last_counts(house):
    body = b'{"message": "first", "message": "second", "alias": "twice"}'
    assert house.post("/v2/alerts", body).status == 202
    shown = house.post("/v2/alerts/twice?identifierType=alias", b"", method="GET")
    assert shown.json["data"]["message"] == "second"


def test_deep_details_are_kept_or_refused_and_can_be_listed(house):
    deep: Any = 1
    for _ in range(200):
        deep = {"d": deep}
    event = {"routing_key": KEYS["pagerduty"], "event_action": "trigger", "dedup_key": "deep"}
    event["payload"] = {"summary": "deep", "source": "x", "severity": "info", "custom_details": deep}
    assert house.post("/v2/enqueue", msgspec.json.encode(event)).status == 202
    assert house.post("/v2/change/enqueue", msgspec.json.encode(event)).status == 202
    assert any(alert["labels"].get("dedup_key") == "deep" for alert in house.world.listed())


def test_a_nul_anywhere_is_no_trouble_on_either_database(make_world):
    """PostgreSQL has no text with one."""
    house = House(make_world())
    nul = {"message": "a\0", "alias": "\0", "details": {"\0": "\0"}, "entity": "\0x", "tags": ["\0"], "description": "\0"}
    assert house.post("/v2/alerts", msgspec.json.encode(nul)).status == 202
    assert house.post("/v2/alerts/{}?identifierType=alias", b"", "\0", "GET").status == 200
    assert house.post("/v2/alerts/requests/{}", b"", "\0", "GET").status == 404
    assert house.post("/v2/alerts/{}?identifierType=tiny", b"", "\0", "GET").status == 404
    payload = {"summary": "a\0", "source": "\0", "severity": "info", "custom_details": {"\0": "\0"}, "class": "\0"}
    event = {"routing_key": KEYS["pagerduty"], "event_action": "trigger", "dedup_key": "\0", "payload": payload}
    event["links"] = [{"href": "http://x/\0", "text": "\0"}]
    assert house.post("/v2/enqueue", msgspec.json.encode(event)).status in (202, 400)
    assert house.post("/v2/change/enqueue", msgspec.json.encode(event)).status == 202
    fires = {"status": "firing", "labels": {"alertname": "\0", "a": "b\0"}, "annotations": {"\0": "\0"}, "fingerprint": "\0"}
    assert house.post("alertmanager", msgspec.json.encode({"version": "4", "alerts": [fires]})).status in (202, 400)
    house.world.run(until=60)
    assert house.world.listed()
