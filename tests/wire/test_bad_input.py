"""Alerts and silences that are none: never a 500, never a hang, a clear error that names the place, and nothing is stored."""

import contextlib
import json
import socket
from typing import Any

import pytest

from tests.support.server import Server
from tests.support.talk import Reply, ask, eventually

ALERTS = "/api/v2/alerts"
JSON = {"Content-Type": "application/json"}
pytestmark = pytest.mark.usefixtures("still_well")
DEEP = b"[" * 100_000 + b"]" * 100_000


def alert(name: str, **fields: Any) -> dict[str, Any]:
    return {"labels": {"alertname": name, "service": "gitaly"}, **fields}


def known(server: Server) -> set[str]:
    """The names of the alerts that the server answers with."""
    return {item["labels"].get("alertname", "") for item in ask(server.url + ALERTS).json}


# -- alerts --------------------------------------------------------------------------------------------------------------

LACKING = ("nothing", "null inside", "no labels")  # what go-openapi, before Alertmanager itself, answers with 422
WRONG: dict[str, tuple[bytes, str]] = {  # what is sent, and what the answer has to name
    "nothing": (b"", "alerts cannot be read"),
    "not JSON": (b"hello", "alerts cannot be read"),
    "cut off": (b'[{"labels": {"alertname": "x"', "alerts cannot be read"),
    "two values": (b"[] []", "alerts cannot be read"),
    "an object": (b'{"labels": {"alertname": "x"}}', "alerts cannot be read"),
    "a number": (b"17", "alerts cannot be read"),
    "a text": (b'"alerts"', "alerts cannot be read"),
    "numbers inside": (b"[1, 2]", "body[0]"),
    "null inside": (b"[null]", "body[0]"),
    "no labels": (b'[{"annotations": {"a": "b"}}]', "labels"),
    "empty labels": (b'[{"labels": {}}]', "alerts[0]"),
    "labels null": (b'[{"labels": null}]', "alerts[0]"),
    "labels a list": (b'[{"labels": ["alertname", "x"]}]', "alerts[0]: labels"),
    "labels a text": (b'[{"labels": "alertname=x"}]', "alerts[0]: labels"),
    "a label a number": (b'[{"labels": {"alertname": 1}}]', "alerts[0]: labels"),
    "a label an object": (b'[{"labels": {"alertname": {"a": "b"}}}]', "alerts[0]: labels"),
    "only empty values": (b'[{"labels": {"alertname": ""}}]', "alerts[0]"),
    "label without a name": (b'[{"labels": {"": "x", "alertname": "y"}}]', "alerts[0]: labels"),
    "annotation name with a space": (b'[{"labels": {"alertname": "x"}, "annotations": {"a b": 1}}]', "alerts[0]: annotations"),
    "annotations a list": (b'[{"labels": {"alertname": "x"}, "annotations": [1]}]', "alerts[0]: annotations"),
    "startsAt a number": (b'[{"labels": {"alertname": "x"}, "startsAt": 1700000000}]', "startsAt"),
    "startsAt no time": (b'[{"labels": {"alertname": "x"}, "startsAt": "yesterday"}]', "alerts[0]: startsAt"),
    "startsAt without a zone": (b'[{"labels": {"alertname": "x"}, "startsAt": "2026-01-01T00:00:00"}]', "alerts[0]: startsAt"),
    "month 13": (b'[{"labels": {"alertname": "x"}, "endsAt": "2026-13-01T00:00:00Z"}]', "alerts[0]: endsAt"),
    "year 10000": (b'[{"labels": {"alertname": "x"}, "endsAt": "10000-01-01T00:00:00Z"}]', "alerts[0]: endsAt"),
    "year -1": (b'[{"labels": {"alertname": "x"}, "startsAt": "-0001-01-01T00:00:00Z"}]', "alerts[0]: startsAt"),
    "a zone beyond the calendar": (
        b'[{"labels": {"alertname": "x"}, "endsAt": "9999-12-31T23:59:59-12:00"}]', "alerts[0]: endsAt"
    ),
    "over before it starts": (
        b'[{"labels": {"alertname": "x"}, "startsAt": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z"}]', "alerts[0]"
    ),
    "generatorURL a list": (b'[{"labels": {"alertname": "x"}, "generatorURL": ["a"]}]', "generatorURL"),
    "invalid UTF-8 in a value": (b'[{"labels": {"alertname": "\xff\xfe"}}]', "UTF-8"),
    "invalid UTF-8 in a name": (b'[{"labels": {"\xc3\x28": "x"}}]', ""),
    "invalid UTF-8 in an annotation": (b'[{"labels": {"alertname": "x"}, "annotations": {"a": "\x80"}}]', ""),
    "UTF-16": ('[{"labels": {"alertname": "x"}}]'.encode("utf-16"), "alerts cannot be read"),
    "half of a surrogate pair": (b'[{"labels": {"alertname": "\\ud800"}}]', "alerts cannot be read"),
    "deep nesting": (DEEP, "alerts cannot be read"),
    "deep nesting in labels": (b'[{"labels": ' + DEEP + b"}]", ""),
    "deep nesting in an unknown field": (b'[{"labels": {"alertname": "x"}, "else": ' + DEEP + b"}]", ""),
    "huge number": (b'[{"labels": {"alertname": ' + b"9" * 100_000 + b"}}]", "alerts[0]: labels"),
    "huge exponent": (b'[{"labels": {"alertname": 1e999999}}]', ""),
    "NaN": (b'[{"labels": {"alertname": NaN}}]', "alerts cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_alerts_that_are_none_are_refused_with_their_place(standing: Server, case: str) -> None:
    body, place = WRONG[case]
    before = known(standing)

    reply = ask(standing.url + ALERTS, "POST", body, JSON, timeout=5)

    assert (reply.status, place in reply.text) == (422 if case in LACKING else 400, True), reply
    assert len(reply.body) < 2000, "an answer quotes a little of what is wrong, not all of it"
    assert known(standing) == before


def test_the_good_alerts_of_a_request_are_taken_and_each_bad_one_is_named(standing: Server) -> None:
    batch = [alert("GoodA"), {"labels": {}}, alert("GoodB"), {"labels": {"alertname": "Bad"}, "endsAt": "soon"}]

    reply = ask(standing.url + ALERTS, "POST", json_body=batch)

    assert reply.status == 400
    assert "alerts[1]" in reply.text
    assert "alerts[3]: endsAt" in reply.text
    assert {"GoodA", "GoodB"} <= known(standing)
    assert "Bad" not in known(standing)


def test_ten_thousand_bad_alerts_get_a_short_answer(standing: Server) -> None:
    reply = ask(standing.url + ALERTS, "POST", json_body=[{"labels": {}}] * 10_000)

    assert reply.status == 400
    assert len(reply.body) < 4000


@pytest.mark.parametrize(
    "fields",
    [
        {"startsAt": "1970-01-01T00:00:00Z"},
        {"startsAt": "1970-01-01T00:00:00Z", "endsAt": "9999-12-31T23:59:59.999999999Z"},
        {"startsAt": "9999-12-31T23:59:59Z", "endsAt": "9999-12-31T23:59:59.999999999Z"},
        {"endsAt": "9999-12-31T23:59:59Z"},
        {"startsAt": "9999-12-31T23:59:59Z"},  # without an end: it would end before it starts
        {"startsAt": "0001-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z"},  # Go's way to say "no time"
        {"startsAt": "1969-12-31T23:59:59.999999Z"},
        {"startsAt": "0002-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_strange_clocks_still_page(standing: Server, fields: dict[str, str]) -> None:
    """A sender's clock is its own matter: what fires is shown, and opens an incident."""
    name = "Clock" + "".join(c for c in str(fields) if c.isalnum())

    reply = ask(standing.url + ALERTS, "POST", json_body=[alert(name, **fields)])

    assert reply.status == 200, reply
    assert name in known(standing)

    def incidents() -> list[str]:
        listed: Reply = ask(f"{standing.url}/api/v1/incidents", token=standing.token)
        return [incident["alertname"] for incident in listed.json]

    eventually(incidents, lambda names: name in names, within=5)


def test_what_was_over_in_1970_pages_nobody(standing: Server) -> None:
    name = "OverLongAgo"
    over = alert(name, startsAt="1970-01-01T00:00:00Z", endsAt="1970-01-01T00:00:01Z")

    assert ask(standing.url + ALERTS, "POST", json_body=[over]).status == 200

    listed = ask(f"{standing.url}/api/v1/incidents", token=standing.token).json
    assert name not in [incident["alertname"] for incident in listed]


@pytest.mark.parametrize(
    "text",
    ["a\x00b", "\u202e", "😀" * 500, "<script>alert(1)</script>", "x" * 100_000, "-a" * 50_000, "{{ 7*7 }}", "%s%n"],
    ids=lambda text: ascii(text[:20]),
)
def test_strange_texts_are_kept_as_they_are(standing: Server, text: str) -> None:
    """They are data: stored, answered and shown, harmless."""
    odd = {"labels": {"alertname": f"Odd{len(text)}", "odd": text}, "annotations": {"summary": text}}

    assert ask(standing.url + ALERTS, "POST", json_body=[odd]).status == 200

    found = [item for item in ask(standing.url + ALERTS).json if item["labels"].get("odd") == text]
    assert [item["annotations"]["summary"] for item in found] == [text]

    def incident() -> Any:
        listed = ask(f"{standing.url}/api/v1/incidents?limit=200", token=standing.token).json
        return [one for one in listed if one["alertname"] == f"Odd{len(text)}"]

    (opened,) = eventually(incident, bool, within=5)
    assert ask(f"{standing.url}/api/v1/incidents/{opened['id']}", token=standing.token).status == 200


def test_a_thousand_labels_of_a_thousand_alerts_are_taken(standing: Server) -> None:
    many = [{"labels": {"alertname": "Many", "n": str(n)}} for n in range(1000)]
    wide = {"labels": {"alertname": "Wide", **{f"label_{n}": "x" * 100 for n in range(1000)}}}

    assert ask(standing.url + ALERTS, "POST", json_body=[*many, wide]).status == 200

    assert {"Many", "Wide"} <= known(standing)


# -- size ----------------------------------------------------------------------------------------------------------------


def test_ten_megabytes_are_refused_and_name_the_limit(standing: Server) -> None:
    body = json.dumps([alert("Huge", annotations={"a": "x" * 10_000_000})]).encode()

    reply = ask(standing.url + ALERTS, "POST", body, JSON)

    assert reply.status == 413
    assert "MiB" in reply.text
    assert "Huge" not in known(standing)


@pytest.mark.parametrize("path", ["/api/v1/incidents/INC-1001/note", "/p/none", "/sign-in", "/incidents/INC-1001/note", "/me"])
def test_ten_megabytes_are_refused_at_every_door(standing: Server, path: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": standing.url}

    reply = ask(standing.url + path, "POST", b"text=" + b"x" * 10_000_000, headers, token=standing.token)

    assert reply.status == 413, reply


def test_a_body_without_an_end_is_refused_where_the_limit_is(standing: Server) -> None:
    """Chunked, so no length announces it."""
    with socket.create_connection(("127.0.0.1", standing.port), timeout=20) as peer:
        peer.sendall(b"POST /api/v2/alerts HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        answer = b""
        try:
            for _ in range(400):  # 40 MB, were they all taken
                peer.sendall(b"186a0\r\n" + b" " * 100_000 + b"\r\n")
        except OSError:
            pass  # closed in our face, as it should be
        with contextlib.suppress(OSError):
            answer = peer.recv(1000)
    assert not answer or b" 413 " in answer.split(b"\r\n")[0]


def test_a_body_cut_off_stores_nothing(standing: Server) -> None:
    body = json.dumps([alert("CutOff")]).encode()
    with socket.create_connection(("127.0.0.1", standing.port), timeout=5) as peer:
        peer.sendall(b"POST /api/v2/alerts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + body)

    assert "CutOff" not in known(standing)


def test_compressed_bodies_are_refused_by_name(standing: Server) -> None:
    reply = ask(standing.url + ALERTS, "POST", b"\x1f\x8b\x08", {**JSON, "Content-Encoding": "gzip"})

    assert reply.status == 415
    assert "gzip" in reply.text


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data", "\xff", "application/json2"])
def test_other_content_types_are_refused_by_name(standing: Server, content_type: str) -> None:
    reply = ask(standing.url + ALERTS, "POST", b"[]", {"Content-Type": content_type})

    assert reply.status == 415
    assert "application/json" in reply.text


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", ""])
def test_json_by_any_of_its_names_is_taken(standing: Server, content_type: str) -> None:
    assert ask(standing.url + ALERTS, "POST", b"[]", {"Content-Type": content_type}).status == 200


# -- silences and queries ------------------------------------------------------------------------------------------------

SILENCE = {
    "matchers": [{"name": "alertname", "value": "x", "isRegex": False}], "startsAt": "2026-01-01T00:00:00Z",
    "endsAt": "2999-01-01T00:00:00Z", "createdBy": "ana", "comment": "maintenance",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"matchers": []}, "matcher"),
        ({"matchers": [{"name": "", "value": "x", "isRegex": False}]}, "invalid"),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, ""),
        ({"matchers": [{"name": "a", "value": "(?=x)", "isRegex": True}]}, ""),
        ({"matchers": [{"name": "a", "value": "", "isRegex": False}]}, ""),  # would silence everything
        ({"matchers": "alertname=x"}, "matchers"),
        ({"startsAt": "now"}, "now"),
        ({"endsAt": "2020-01-01T00:00:00Z"}, ""),
        ({"endsAt": 12}, "endsAt"),
        ({"createdBy": None}, "createdBy"),
        ({"comment": None}, "comment"),
        ({"comment": "\ud800"}, ""),
        ({"id": "no-such-silence"}, "no-such-silence"),
        ({"id": {"a": 1}}, "id"),
    ],
    ids=str,
)
def test_silences_that_are_none_are_refused(standing: Server, change: dict[str, Any], place: str) -> None:
    before = ask(f"{standing.url}/api/v2/silences").json

    reply = ask(f"{standing.url}/api/v2/silences", "POST", json_body={**SILENCE, **change}, token=standing.token)

    assert 400 <= reply.status < 500, reply
    assert place in reply.text
    assert ask(f"{standing.url}/api/v2/silences").json == before


@pytest.mark.parametrize(
    "query",
    [
        "filter=%7B", "filter=a%3D~%28", "filter=%FF%FE", "filter=", "filter=a%3Db%00", "receiver=%28", "receiver=%00",
        "active=maybe",
        "filter=" + "%7B" * 5000, "receiver=" + "%28" * 5000, "receiver=(a%2B)%2B%24", "filter=%ED%A0%80%3D1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["alerts", "alerts/groups", "silences"])
def test_queries_that_are_none_are_answered(standing: Server, path: str, query: str) -> None:
    reply = ask(f"{standing.url}/api/v2/{path}?{query}", timeout=5)

    assert reply.status in (200, 400), reply
    if reply.status == 400:
        assert reply.body
