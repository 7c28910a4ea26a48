"""The door: what Alertmanager's API v2 answers, to good requests and to bad ones."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quietshift.alerts.api import MAX_BODY, AlertsApi, Cluster
from quietshift.kernel.errors import Forbidden
from tests.alerts.conftest import DEFAULT, World


class Door:
    """Asks the ASGI application as a server would."""

    def __init__(self, api: AlertsApi) -> None:
        self.api = api

    def __call__(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, query: str = "", **headers: str):
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        given_headers = {"content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        scope = {
            "type": "http", "method": method, "path": path, "query_string": query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in given_headers.items()],
        }
        chunks = [content[i : i + 65536] for i in range(0, len(content), 65536)] or [b""]
        sent: list[Any] = []

        async def receive():
            chunk = chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

        async def send(message):
            sent.append(message)

        asyncio.run(self.api(scope, receive, send))
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], json.loads(body) if body else None


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(f"sqlite:///{tmp_path_factory.mktemp('api')}/quietshift.db", DEFAULT)

    yield made
    made.close()


@pytest.fixture(scope="module")
def door(world):
    api = AlertsApi(lambda: world.config, world.clock)
    api.open(world.room.opened)
    return Door(api)


@pytest.fixture
def own(tmp_path):
    """A door of one's own, with its world."""
    made = World(f"sqlite:///{tmp_path}/quietshift.db", DEFAULT)
    api = AlertsApi(lambda: made.config, made.clock)
    api.open(made.room.opened)
    yield Door(api), made
    made.close()


def test_what_was_answered_200_is_on_disk_and_listed(own):
    door, world = own
    assert door("POST", "/api/v2/alerts", [{"labels": {"b": "2", "a": "1"}, "generatorURL": "http://g"}]) == (200, None)
    assert door("GET", "/api/v2/alerts") == (
        200,
        [
            {
                "annotations": {},
                "endsAt": "2026-11-21T03:05:00.000Z",
                "fingerprint": "1cc37fac8a64ae01",
                "receivers": [{"name": "hook"}],
                "startsAt": "2026-11-21T03:00:00.000Z",
                "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"},
                "updatedAt": "2026-11-21T03:00:00.000Z",
                "labels": {"a": "1", "b": "2"},
                "generatorURL": "http://g",
            }
        ],
    )
    world.restart()
    assert len(world.listed()) == 1


def test_of_labels_what_is_empty_is_dropped_and_of_annotations_kept(own):
    door, world = own
    posted = [{"labels": {"a": "1", "b": ""}, "annotations": {"z": "", "note": "x", "null": None}}]
    assert door("POST", "/api/v2/alerts", posted) == (200, None)
    world.restart()
    listed = door("GET", "/api/v2/alerts")[1]
    assert (listed[0]["labels"], listed[0]["annotations"]) == ({"a": "1"}, {"note": "x", "null": "", "z": ""})
    status, said = door("POST", "/api/v2/alerts", [{"labels": {"a": "1"}, "annotations": {"": ""}}])
    assert (status, "annotations" in said) == (400, True)


def test_what_is_empty_is_a_list(own):
    door, _ = own
    for path in ("alerts", "alerts/groups", "silences"):
        assert door("GET", f"/api/v2/{path}") == (200, [])
    assert door("GET", "/api/v2/receivers") == (200, [{"name": "hook"}])


def test_groups_have_their_labels_receiver_and_alerts(own):
    door, _ = own
    posted = [{"labels": {"alertname": name, "host": host}} for name in "YX" for host in "ba"]
    assert door("POST", "/api/v2/alerts", posted)[0] == 200
    status, groups = door("GET", "/api/v2/alerts/groups")
    assert status == 200
    assert [(g["labels"], g["receiver"], [a["labels"]["host"] for a in g["alerts"]]) for g in groups] == [
        ({"alertname": "X"}, {"name": "hook"}, ["a", "b"]), ({"alertname": "Y"}, {"name": "hook"}, ["a", "b"]),
    ]
    assert door("GET", "/api/v2/alerts/groups", query="filter=host%3Da&receiver=ho.k")[1][0]["alerts"][0]["labels"]["host"] == "a"
    assert door("GET", "/api/v2/alerts/groups", query="receiver=ho") == (200, [])


def test_alerts_are_filtered_and_sorted_by_fingerprint(own):
    door, _ = own
    door("POST", "/api/v2/alerts", [{"labels": {"host": host}} for host in "abcde"])
    silence = {
        "matchers": [{"name": "host", "value": "a|b", "isRegex": True}], "startsAt": "2026-11-21T03:00:00Z",
        "endsAt": "2026-11-21T05:00:00Z", "createdBy": "ana", "comment": "known",
    }  # fmt: skip
    status, made = door("POST", "/api/v2/silences", silence)
    assert status == 200

    def hosts(query: str) -> list[str]:
        found = door("GET", "/api/v2/alerts", query=query)[1]
        assert [a["fingerprint"] for a in found] == sorted(a["fingerprint"] for a in found)
        return sorted(a["labels"]["host"] for a in found)

    assert hosts("") == list("abcde")
    assert hosts("silenced=false") == list("cde")
    assert hosts("active=false") == list("ab")
    assert hosts("filter=host!%3Da&filter=host%3D~%22[a-c]%22") == ["b", "c"]
    assert hosts("receiver=nobody") == []
    (one,) = (a for a in door("GET", "/api/v2/alerts")[1] if a["labels"]["host"] == "a")
    assert one["status"] == {
        "inhibitedBy": [], "mutedBy": [], "silencedBy": [made["silenceID"]], "state": "suppressed",
    }  # fmt: skip


def test_the_valid_alerts_of_a_batch_with_bad_ones_are_stored(own):
    door, world = own
    bad = [{"labels": {"": "x"}}, {"labels": {"a": 1}}, {"labels": {"a": "b"}, "startsAt": "x"}]
    status, says = door("POST", "/api/v2/alerts", [{"labels": {"host": "good"}}, *bad])
    assert status == 400
    assert isinstance(says, str)
    assert [part[:10] for part in says.split("; ")] == ["alerts[1]:", "alerts[2]:", "alerts[3]:"]
    assert [a["labels"] for a in world.listed()] == [{"host": "good"}]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"[", "alerts cannot be read"),
        (b"{}", "alerts cannot be read: Expected `array | null`, got `object`"),
        (b"[1]", "body[0]"),
        (b'[{"labels":null}]', "alerts[0]: at least one label pair is required"),
        (b'[{"labels":{"":"x"}}]', "alerts[0]: labels: '' is not a label name"),
        (b'[{"labels":{"a":""}}]', "alerts[0]: at least one label pair is required"),
        (b'[{"labels":{"a":"\xff"}}]', "alerts[0]: labels: not valid UTF-8"),
        (b'[{"labels":{"a":"\\ud800"}}]', "alerts cannot be read"),
        (b'[{"labels":{"a":"b"},"annotations":{"x":{}}}]', "alerts[0]: annotations: "),
        (b'[{"labels":{"a":"b"},"startsAt":1}]', "body[0].startsAt"),
        (b'[{"labels":{"a":"b"},"startsAt":"yesterday"}]', "alerts[0]: startsAt: not an RFC 3339 time"),
        (b'[{"labels":{"a":"b"},"startsAt":"2026-11-21T03:00:00"}]', "alerts[0]: startsAt: not an RFC 3339 time with a zone"),
        (b'[{"labels":{"a":"b"},"endsAt":"9999-12-31T23:59:59-01:00"}]', "alerts[0]: endsAt: "),
        (b'[{"labels":{"a":"b"},"startsAt":"2026-11-21T03:00:01Z","endsAt":"2026-11-21T03:00:00Z"}]', "ends before it starts"),
        (b"[" * 100_000, "alerts cannot be read"),
        (b'[{"labels":' * 5000, "alerts cannot be read"),
    ],
    ids=range(16),
)
def test_bad_bodies_are_answered_400_with_the_place(door, raw, says):
    status, answer = door("POST", "/api/v2/alerts", raw=raw)
    assert status == 400
    assert isinstance(answer, str)
    assert says in answer


@pytest.mark.parametrize("raw", [b"", b" ", b"[{}]", b"[null]"])
def test_what_is_required_and_not_there_is_answered_422_with_a_code(door, raw):
    status, answer = door("POST", "/api/v2/alerts", raw=raw)
    assert (status, answer["code"]) == (422, 602)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"startsAt": "1970-01-01T00:00:00Z"}, 200),
        ({"startsAt": "1970-01-01T00:00:00Z", "endsAt": "1970-01-01T00:00:00Z"}, 200),
        ({"startsAt": "0001-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z"}, 200),  # what Go sends for none
        ({"startsAt": "9999-12-31T23:59:59.999999999Z"}, 200),  # Alertmanager refuses it; a fast clock is no reason not to page
        ({"endsAt": "9999-12-31T23:59:59Z"}, 200),
        ({"startsAt": "2026-11-21T05:00:00+02:00", "endsAt": None}, 200),
    ],
)
def test_clocks_of_any_year_are_answered(own, fields, status):
    door, world = own
    assert door("POST", "/api/v2/alerts", [{"labels": {"host": "a"}} | fields])[0] == status
    assert door("GET", "/api/v2/alerts")[0] == door("GET", "/api/v2/alerts/groups")[0] == 200
    world.run(700)
    assert door("GET", "/api/v2/alerts")[0] == 200


def test_a_body_that_is_too_large_is_answered_413(door):
    status, says = door("POST", "/api/v2/alerts", raw=b" " * (MAX_BODY + 1))
    assert status == 413
    assert says == "the body is larger than 8 MiB: send fewer alerts at once"


def test_what_is_not_json_is_answered_415_so_that_no_web_page_can_post_here(door):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert door("POST", "/api/v2/alerts", [], content_type=kind)[0] == 415
    assert door("POST", "/api/v2/alerts", [], content_type="application/json; charset=utf-8")[0] == 200
    assert door("POST", "/api/v2/alerts", [], content_encoding="gzip")[0] == 415


def test_unknown_paths_and_methods(door):
    assert door("GET", "/api/v2/nothing") == (404, {"code": 404, "message": "path /api/v2/nothing was not found"})
    assert door("PUT", "/api/v2/alerts")[0] == 405
    assert door("DELETE", "/api/v2/silences")[0] == 405
    assert door("GET", "/api/v2/silence/a/b")[0] == 404


def test_bad_queries_are_answered_400(door):
    assert door("GET", "/api/v2/alerts", query="filter=x") == (400, "bad matcher format: x")
    status, says = door("GET", "/api/v2/alerts", query="receiver=(")
    assert status == 400
    assert says.startswith("failed to parse receiver param: ")
    assert door("GET", "/api/v2/silences", query="filter=%22")[0] == 400


# -- silences ------------------------------------------------------------------------------------------------------------

SILENCE = {
    "matchers": [{"name": "host", "value": "a", "isRegex": False}],
    "startsAt": "2026-11-21T03:00:00.000Z", "endsAt": "2026-11-21T05:00:00.000Z", "createdBy": "ana", "comment": "known",
}  # fmt: skip


def test_a_silence_is_made_shown_listed_and_expired(own):
    door, world = own
    _, made = door("POST", "/api/v2/silences", SILENCE)
    path = f"/api/v2/silence/{made['silenceID']}"
    shown = {
        "id": made["silenceID"], "status": {"state": "active"}, "updatedAt": "2026-11-21T03:00:00.000Z",
        "matchers": [{"isEqual": True, "isRegex": False, "name": "host", "value": "a"}],
        **{key: SILENCE[key] for key in ("startsAt", "endsAt", "createdBy", "comment")},
    }  # fmt: skip
    assert door("GET", path) == (200, shown)
    assert door("GET", "/api/v2/silences") == (200, [shown])
    assert door("GET", "/api/v2/silences", query="filter=host%3Da") == (200, [shown])
    assert door("GET", "/api/v2/silences", query="filter=host%3Db") == (200, [])
    world.run(60)
    assert door("DELETE", path) == (200, None)
    assert door("DELETE", path) == (200, None)  # once more changes nothing
    assert door("GET", path)[1]["status"] == {"state": "expired"}
    assert door("GET", path)[1]["endsAt"] == "2026-11-21T03:01:00.000Z"


def test_what_is_no_silence_is_answered_400(door):
    def refused(**fields: Any) -> str:
        status, says = door("POST", "/api/v2/silences", SILENCE | fields)
        assert status == 400, says
        return str(says)

    assert "would silence every alert" in refused(matchers=[{"name": "a", "value": ".*", "isRegex": True}])
    assert "not a regular expression" in refused(matchers=[{"name": "a", "value": "(", "isRegex": True}])
    assert "not a label name" in refused(matchers=[{"name": "", "value": "x", "isRegex": False}])
    assert "start time must be before end time" in refused(endsAt=SILENCE["startsAt"])
    assert "in the past" in refused(startsAt="2020-01-01T00:00:00Z", endsAt="2021-01-01T00:00:00Z")
    assert "RFC 3339" in refused(startsAt="soon")
    assert "createdBy" in refused(createdBy=7)
    for lacking, code in (({"matchers": []}, 612), ({"comment": None}, 602)):
        status, says = door("POST", "/api/v2/silences", SILENCE | lacking)
        assert (status, says["code"]) == (422, code)
    assert door("POST", "/api/v2/silences", raw=b"{")[0] == 400


def test_a_silence_that_is_not_there_is_answered_404(door):
    unknown = "a4d4f5b2-0000-4000-8000-000000000000"
    assert door("GET", f"/api/v2/silence/{unknown}") == (404, None)
    assert door("DELETE", f"/api/v2/silence/{unknown}") == (404, None)
    for method in ("GET", "DELETE"):
        status, says = door(method, "/api/v2/silence/no-uuid")
        assert (status, says["code"]) == (422, 601)
    assert door("POST", "/api/v2/silences", SILENCE | {"id": unknown})[0] == 404


def test_silences_are_listed_active_then_pending_then_expired(own):
    door, world = own

    def make(start: str, end: str) -> str:
        times = {"startsAt": f"2026-11-21T{start}Z", "endsAt": f"2026-11-21T{end}Z"}
        return str(door("POST", "/api/v2/silences", SILENCE | times)[1]["silenceID"])

    late, early = make("03:00:00", "09:00:00"), make("03:00:00", "08:00:00")
    later, sooner = make("05:00:00", "09:00:00"), make("04:00:00", "09:00:00")
    first, last = make("03:00:00", "03:00:10"), make("03:00:00", "03:00:20")
    world.run(60)
    assert [s["id"] for s in door("GET", "/api/v2/silences")[1]] == [early, late, sooner, later, last, first]


def test_silences_of_a_state_can_be_left_out(own):
    door, world = own
    for start, end in (("03:00:00", "09:00:00"), ("05:00:00", "09:00:00"), ("03:00:00", "03:00:10")):
        door("POST", "/api/v2/silences", SILENCE | {"startsAt": f"2026-11-21T{start}Z", "endsAt": f"2026-11-21T{end}Z"})
    world.run(60)
    every = ("active", "pending", "expired")
    for left_out in every:
        found = door("GET", "/api/v2/silences", query=f"{left_out}=false")[1]
        assert [s["status"]["state"] for s in found] == [state for state in every if state != left_out]


def test_a_group_that_a_time_interval_mutes_says_so(own):
    door, world = own
    mutes = "time_intervals: [{name: always, time_intervals: [{}]}]"
    routes = "routes: [{matchers: [host=a], group_by: [host], mute_time_intervals: [always]}]}"
    world.reload(DEFAULT.replace("repeat_interval: 1h}", f"repeat_interval: 1h, {routes}") + mutes)
    door("POST", "/api/v2/alerts", [{"labels": {"host": host}} for host in "ab"])
    groups = door("GET", "/api/v2/alerts/groups")[1]
    shown = {g["alerts"][0]["labels"]["host"]: g["alerts"][0]["status"] for g in groups}
    assert (shown["a"]["state"], shown["a"]["mutedBy"]) == ("suppressed", ["always"])
    assert (shown["b"]["state"], shown["b"]["mutedBy"]) == ("active", [])
    (left,) = door("GET", "/api/v2/alerts/groups", query="muted=false")[1]
    assert left["alerts"][0]["labels"]["host"] == "b"
    assert door("GET", "/api/v2/alerts", query="receiver_matchers=team%3Da") == (200, [])
    assert len(door("GET", "/api/v2/alerts", query="receiver_matchers=team%3D%22%22")[1]) == 2
    assert door("GET", "/api/v2/receivers", query="receiver_matchers=x")[0] == 400


def test_silences_are_journaled_with_who_asked(own):
    door, world = own

    async def ana(_scope, needed):
        assert needed == "respond"
        return "user:ana"

    door.api._gate = ana
    door("POST", "/api/v2/silences", SILENCE)
    from quietshift.kernel import journal

    with world.db.read() as tx:
        (entry,) = journal.entries(tx)
    assert (entry.actor, entry.act, entry.why) == ("user:ana", "silence.created", "ana: known")


# -- before the database is open, and who may ask ------------------------------------------------------------------------


def test_status_is_answered_before_the_database_is_open_and_a_post_waits_for_it(own):
    _, world = own
    up = []
    api = AlertsApi(lambda: world.config, world.clock, cluster=Cluster("me", "1.2.3.4:9094", lambda: up))
    status, shown = Door(api)("GET", "/api/v2/status")
    assert status == 200
    assert shown["cluster"] == {"name": "me", "status": "settling", "peers": [{"name": "me", "address": "1.2.3.4:9094"}]}
    up += [("me", "1.2.3.4:9094"), ("b", "1.2.3.5:9094")]
    _, ready = Door(api)("GET", "/api/v2/status")
    assert ready["cluster"]["status"] == "ready"
    assert [peer["name"] for peer in ready["cluster"]["peers"]] == ["b", "me"]
    assert "receiver: hook" in shown["config"]["original"]
    assert shown["uptime"] == "2026-11-21T03:00:00.000Z"

    async def post_then_open():
        sent = []

        async def receive():
            return {"type": "http.request", "body": b'[{"labels":{"a":"b"}}]', "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/api/v2/alerts", "query_string": b"", "headers": []}
        asked = asyncio.create_task(api(scope, receive, send))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not asked.done()
        await asyncio.to_thread(api.open, world.room.opened)
        await asked
        return sent[0]["status"]

    assert asyncio.run(post_then_open()) == 200
    assert len(world.listed()) == 1


def test_whoever_may_not_ask_is_answered_so(own):
    door, world = own

    async def nobody(_scope, needed):
        raise Forbidden(f"needs {needed}")

    door.api._gate = nobody
    assert door("POST", "/api/v2/alerts", [{"labels": {"a": "b"}}]) == (403, "needs ingest")
    assert door("GET", "/api/v2/alerts") == (403, "needs read")
    assert world.listed() == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=3) | JSON,
        "annotations": st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=3) | JSON,
        "startsAt": st.datetimes().map(lambda d: d.isoformat() + "Z") | JSON,
        "endsAt": st.datetimes().map(lambda d: d.isoformat() + "+14:00") | JSON,
        "generatorURL": JSON,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FIELDS, max_size=3) | JSON)
def test_no_json_is_answered_500(door, body):
    status, answer = door("POST", "/api/v2/alerts", raw=json.dumps(body).encode())
    assert status in (200, 400, 422)
    assert (answer is None) == (status == 200)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_no_bytes_are_answered_500(door, body):
    assert door("POST", "/api/v2/alerts", raw=body)[0] in (200, 400, 422)
    assert door("POST", "/api/v2/silences", raw=body)[0] in (400, 422)


MATCHER = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "", "b c"]) | JSON, "value": st.sampled_from(["x", "(", ".*", "\ud7ff"]) | JSON},
    optional={"isRegex": st.booleans() | JSON, "isEqual": st.booleans() | JSON},
)
ANY_SILENCE = st.fixed_dictionaries(
    {"matchers": st.lists(MATCHER, max_size=2) | JSON},
    optional={
        "id": st.text(max_size=4) | JSON, "createdBy": JSON, "comment": JSON,
        "startsAt": st.datetimes().map(lambda d: d.isoformat() + "Z") | JSON,
        "endsAt": st.datetimes().map(lambda d: d.isoformat() + "-23:59") | JSON,
    },
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY_SILENCE, st.text(max_size=6))
def test_no_silence_is_answered_500(door, body, word):
    from urllib.parse import quote

    status, answer = door("POST", "/api/v2/silences", raw=json.dumps(body).encode())
    assert (status, bool(answer)) in ((200, True), (400, True), (404, True), (422, True))
    for method in ("GET", "DELETE"):
        assert door(method, f"/api/v2/silence/{quote(word, safe='')}")[0] in (200, 404, 405, 422)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=20))
def test_no_filter_is_answered_500(door, text):
    from urllib.parse import quote

    given_filter = quote(text.encode("utf-8", "surrogatepass"))
    for path in ("alerts", "alerts/groups", "silences"):
        assert door("GET", f"/api/v2/{path}", query=f"filter={given_filter}")[0] in (200, 400)
    assert door("GET", "/api/v2/alerts", query=f"receiver={given_filter}")[0] in (200, 400)
