"""A scripted list of requests is played against Debian's Alertmanager and against `quietshift alertmanager`: what they answer has
the same status, content type and shape."""

import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.needs import program
from tests.support.ports import free_port
from tests.support.talk import Reply, ask, eventually
from tests.wire.test_amtool import Candidate

CONFIG = """\
global: {resolve_timeout: 1h}
route:
  receiver: everybody
  group_by: [alertname]
  group_wait: 0s
  routes:
    - {receiver: storage, matchers: [team="storage"], continue: true}
    - {receiver: storage-too, matchers: [team="storage"], group_by: [alertname, host]}
receivers: [{name: everybody}, {name: storage}, {name: storage-too}]
inhibit_rules: [{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [alertname]}]
"""
NOW = datetime.now(UTC).replace(microsecond=0)
UNKNOWN = "a4d4f5b2-0000-4000-8000-000000000000"
# What Alertmanager has had since 0.27, and tools of that time look for; Debian's 0.25 does not have it.
NEWER = {"mutedBy"}
WORDS = {  # whose values differ by their nature
    "id", "silenceID", "silencedBy", "updatedAt", "uptime", "original", "branch", "buildDate", "buildUser", "goVersion",
    "revision", "version",
}  # fmt: skip


def at(hours: float) -> str:
    return f"{NOW + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S.000Z}"


class Two:
    """Theirs and ours. Silences are named in a script, for each server gives ids of its own."""

    def __init__(self, theirs: str, ours: str) -> None:
        self.urls = (theirs, ours)
        self.ids: tuple[dict[str, str], dict[str, str]] = ({}, {})

    def ask(self, method: str, path: str, body: Any = None, raw: bytes | None = None, **headers: str) -> tuple[Reply, Reply]:
        """The two answers; `{name}` in path or id stands for the silence of that name."""
        found = []
        for url, ids in zip(self.urls, self.ids, strict=True):
            named = isinstance(body, dict) and str(body.get("id")).startswith("{")
            sent = body | {"id": body["id"].format(**ids)} if named else body
            kind = {"Content-Type": "application/json"} if raw is not None else {}
            more = {name.replace("_", "-"): value for name, value in headers.items()}
            found.append(ask(f"{url}/api/v2/{path.format(**ids)}", method, raw, kind | more, json_body=sent))
        return found[0], found[1]

    def keep(self, name: str, answers: tuple[Reply, Reply]) -> None:
        for ids, answer in zip(self.ids, answers, strict=True):
            ids[name] = answer.json["silenceID"]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    binary, folder = program("alertmanager"), tmp_path_factory.mktemp("two")
    ours = Candidate(folder, CONFIG)
    port = free_port()
    with (folder / "theirs.log").open("wb") as log:
        command = [
            binary, f"--config.file={ours.config}", f"--storage.path={folder / 'theirs'}", "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        theirs = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"

    def up() -> bool:
        try:
            return ask(f"{url}/-/ready").status == 200
        except OSError:
            return False

    eventually(up, bool, what="Debian's Alertmanager")
    made = Two(url, ours.url)
    alerts = [
        {"labels": {"alertname": name, "host": host, "severity": severity, "team": team}, "annotations": {"summary": name}}
        for name, host, severity, team in (
            ("Disk", "a", "critical", "storage"), ("Disk", "b", "warning", "storage"), ("Web", "a", "warning", "web"),
        )
    ]  # fmt: skip
    alerts[2] |= {"startsAt": at(-1), "endsAt": at(5), "generatorURL": "http://prometheus.example.org/graph"}
    assert [answer.status for answer in made.ask("POST", "alerts", alerts)] == [200, 200]
    time.sleep(0.3)  # their dispatcher groups in its own time
    yield made
    theirs.kill()
    theirs.wait()
    ours.end(signal.SIGKILL)


def shape(value: Any, key: str = "") -> Any:
    """What is compared: every key, value, order and kind; of ids and times only that they are there."""
    if isinstance(value, dict):
        return {k: shape(v, k) for k, v in sorted(value.items()) if k not in NEWER}
    if isinstance(value, list):
        return [shape(one, key) for one in value]
    if key in WORDS or (key in ("startsAt", "endsAt") and value not in (at(-1), at(5))):
        return type(value).__name__
    return value


def alike(answers: tuple[Reply, Reply]) -> tuple[Reply, Reply]:
    theirs, ours = answers
    assert (theirs.status, bool(theirs.body)) == (ours.status, bool(ours.body)), f"{theirs.text!r}\n{ours.text!r}"
    if theirs.body:
        assert theirs.headers.get("content-type") == ours.headers.get("content-type")
    if theirs.status == 200 and theirs.body:
        assert shape(theirs.json) == shape(ours.json)
    elif theirs.body:
        assert type(theirs.json) is type(ours.json), f"{theirs.text!r}\n{ours.text!r}"
    return answers


ASKED = (
    "alerts", "alerts/", "alerts/groups", "alerts/groups/", "silences", "receivers", "receivers/", "status", "status/", "nothing",
    "silence", "silence/", "silence/x", f"silence/{UNKNOWN}",
    "alerts?filter=host%3Da", "alerts?filter=host%3D~a&filter=team%21%3Dweb", "alerts?filter=x", "alerts?filter=",
    "alerts?filter=%7Bhost%3Da%7D", "alerts?filter=host%3D%22%22", "alerts?filter=host%21%3D%22%22", "alerts?filter=a-b",
    "alerts?receiver=storage", "alerts?receiver=stor", "alerts?receiver=stor.*", "alerts?receiver=(", "alerts?receiver=",
    "alerts?active=false", "alerts?inhibited=false", "alerts?silenced=false&inhibited=false", "alerts?unprocessed=false",
    "alerts?active=maybe", "alerts?active=", "alerts?active=0", "alerts?active=TRUE", "alerts?active=true&active=false",
    "alerts?nothing=1",
    "alerts/groups?receiver=storage.*", "alerts/groups?receiver=(", "alerts/groups?filter=host%3Db", "alerts/groups?filter=x",
    "alerts/groups?active=false", "alerts/groups?inhibited=false",
    "silences?filter=x", "silences?filter=host%3Da",
)  # fmt: skip


@pytest.mark.parametrize("path", ASKED)
def test_what_is_asked_is_answered_alike(two: Two, path: str) -> None:
    alike(two.ask("GET", path))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "alerts"), ("DELETE", "silences"), ("POST", "status"), ("HEAD", "alerts"), ("OPTIONS", "alerts"),
        ("PATCH", f"silence/{UNKNOWN}"),
    ],
)  # fmt: skip
def test_methods_that_are_not_there_are_refused_alike(two: Two, method: str, path: str) -> None:
    theirs, ours = alike(two.ask(method, path))
    assert set(theirs.headers.get("allow", "").split(",")) == set(ours.headers.get("allow", "").split(","))


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"null", b"[]", b"[{}]", b'[{"labels":{}}]', b'[{"labels":{"a":""}}]', b'[{"labels":{"a":"b"},"annotations":null}]',
        b'[{"labels":{"a":"b"},"x":1}]',
        b'[{"labels":{"a":"b"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]',
    ],
)  # fmt: skip
def test_alerts_are_taken_and_refused_alike(two: Two, raw: bytes) -> None:
    alike(two.ask("POST", "alerts", raw=raw))


# Where ours differs on purpose: (body, their status, ours). A body that is no JSON of the right kind is told as every other 400
# is, by a JSON string; an alert is not lost because its link is none, nor the others of a batch because one has no labels.
ON_PURPOSE = (
    (b"{}", 400, 400), (b"{", 400, 400), (b"[1]", 400, 400), (b'[{"labels":{"a":1}}]', 400, 400),
    (b'[{"labels":{"a":"b"},"startsAt":"x"}]', 400, 400), (b'[{"labels":null}]', 422, 400),
    (b'[{"labels":{"odd":"b"},"generatorURL":"::","endsAt":"2026-01-01T00:00:00Z"}]', 422, 200),
)  # fmt: skip


@pytest.mark.parametrize(("raw", "status", "own"), ON_PURPOSE)
def test_what_differs_on_purpose_differs_as_it_is_written(two: Two, raw: bytes, status: int, own: int) -> None:
    theirs, ours = two.ask("POST", "alerts", raw=raw)
    assert (theirs.status, ours.status) == (status, own)
    assert own == 200 or isinstance(ours.json, str)


# -- silences ------------------------------------------------------------------------------------------------------------

SILENCE: dict[str, Any] = {
    "matchers": [{"name": "host", "value": "a", "isRegex": False}], "startsAt": at(-1), "endsAt": at(2), "createdBy": "ana",
    "comment": "known",
}  # fmt: skip


def one(name: str | None = "a", value: str | None = "x", *, regex: bool | None = False, equal: bool = True) -> dict[str, Any]:
    return {"matchers": [{"name": name, "value": value, "isRegex": regex, "isEqual": equal}]}


REFUSED = (
    {"matchers": []}, {"matchers": None}, {"matchers": [{"name": "a", "value": "x"}]},
    {"matchers": [{"value": "x", "isRegex": False}]}, one(None), one(regex=None), one(value="(", regex=True), one(value=""),
    one(value=".*", regex=True), {"endsAt": at(-2)}, {"endsAt": SILENCE["startsAt"]}, {"startsAt": at(-5), "endsAt": at(-4)},
    {"endsAt": "0001-01-01T00:00:00Z"}, {"startsAt": None}, {"createdBy": None}, {"comment": None}, {"id": UNKNOWN}, {"id": "x"},
)  # fmt: skip


@pytest.mark.parametrize("change", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_silence_is_refused_alike(two: Two, change: dict[str, Any]) -> None:
    theirs, _ = alike(two.ask("POST", "silences", SILENCE | change))
    assert theirs.status in (400, 404, 422)


@pytest.mark.parametrize("raw", [b"", b"null", b"{}"])
def test_what_lacks_everything_is_refused_alike(two: Two, raw: bytes) -> None:
    assert alike(two.ask("POST", "silences", raw=raw))[0].status == 422


def test_the_life_of_silences_is_alike(two: Two) -> None:
    def made(name: str, **change: Any) -> None:
        two.keep(name, alike(two.ask("POST", "silences", SILENCE | change)))

    def listed(*asked: str) -> None:
        for path in ("silences", "alerts", "alerts?silenced=false", "alerts/groups", *asked):
            alike(two.ask("GET", path))

    made("first")
    listed("silence/{first}", "silences?filter=host%3Da", "silences?filter=host%3D~a", "alerts?active=false")
    listed("alerts/groups?silenced=false", "alerts/groups?active=false")
    made("negative", **one("host", "zzz", equal=False), endsAt=at(3))  # no value is needed: it silences everything
    listed()
    alike(two.ask("DELETE", "silence/{negative}"))
    made("later", startsAt=at(4), endsAt=at(9), **one("team", "st.*", regex=True))
    made("soon", startsAt=at(3), endsAt=at(9), **one("team", "web|x", regex=True, equal=False))
    made("odd", id=None, comment="", createdBy="", endsAt=at(2.5), startsAt="0001-01-01T00:00:00Z", **one("host", "nobody"))
    listed()
    for name, same, change in (
        ("first", False, {"endsAt": at(4)}),  # another start: the one in force began when it was made
        ("first", False, one("host", "b")),
        ("soon", True, {"startsAt": at(2.8), "endsAt": at(8), **one("team", "web|x", regex=True, equal=False)}),
    ):
        known = two.ids[0][name], two.ids[1][name]
        made(name, **{"id": f"{{{name}}}"} | change)
        for ids, old in zip(two.ids, known, strict=True):
            assert (ids[name] == old) is same, (name, change)
        listed()
    for path in ("silence/{soon}", "silence/{soon}"):  # once more changes nothing
        alike(two.ask("DELETE", path))
    alike(two.ask("DELETE", "silence/x"))
    for name in ("first", "later", "odd"):
        alike(two.ask("DELETE", f"silence/{{{name}}}"))
    states = [[s["status"]["state"] for s in answer.json] for answer in two.ask("GET", "silences")]
    assert states[0] == states[1] == ["expired"] * len(states[0])


def test_a_silence_that_is_not_there_has_no_body(two: Two) -> None:
    _, ours = two.ask("DELETE", f"silence/{UNKNOWN}")
    assert (ours.status, ours.body) == (404, b""), "0.25 answers 500 here, 0.27 and later 404"


@pytest.mark.parametrize("path", ["alerts", "alerts/groups", "status", "receivers", "silences", "silence/1", "else"])
def test_the_first_api_is_gone_as_it_is_since_alertmanager_0_27(two: Two, path: str) -> None:
    for method in ("GET", "POST"):
        answer = ask(f"{two.urls[1]}/api/v1/{path}", method)
        assert (answer.status, answer.json["status"]) == (410, "deprecated")
        assert "use /api/v2/" in answer.json["error"]


def test_fingerprints_of_any_labels_are_the_same(two: Two) -> None:
    texts = ("x", "ünï", "🚨", '"quoted"', "a=b,c", " ", "\\", "line\nline", "x" * 3000, "\u00ff", "0")
    sets = [{"alertname": "Any", f"l{i}": text, "_": str(i), **({"host": text} if i % 2 else {})} for i, text in enumerate(texts)]
    assert [answer.status for answer in two.ask("POST", "alerts", [{"labels": one} for one in sets])] == [200, 200]
    theirs, ours = ({str(sorted(a["labels"].items())): a["fingerprint"] for a in found.json}
                    for found in two.ask("GET", "alerts?filter=alertname%3DAny"))  # fmt: skip
    assert len(theirs) == len(texts)
    assert theirs == ours
