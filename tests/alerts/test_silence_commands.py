"""`quietshift silence` and `quietshift alerts silence` against a real server."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.server import Server
from tests.support.talk import ask
from tests.support.web import EXAMPLE


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    running = serve(EXAMPLE)
    alerts = [{"labels": {"alertname": "DiskFull", "host": host, "severity": "warning"}} for host in "ab"]
    other = {"labels": {"alertname": "Other", "severity": "warning"}}
    assert ask(f"{running.url}/api/v2/alerts", "POST", json_body=[*alerts, other]).status == 200
    return running


def test_silences_from_the_terminal(server: Server) -> None:
    def told(*words: str) -> Any:
        done = server.cli(*words, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    looked = server.cli("silence", "preview", "alertname=DiskFull", "host!=b")
    assert "1 of 3 alerts that fire" in looked.stdout
    assert server.cli("silence", "list").stderr == "nothing is silenced\n", "a preview changes nothing"

    made = told("silence", "add", "alertname=DiskFull", 'host=~"a|b"', "--for", "2h", "--why", "a new disk")
    assert (made["state"], made["mutes"], made["comment"]) == ("active", 2, "a new disk")
    assert made["matchers"] == ['alertname="DiskFull"', 'host=~"a|b"']
    assert [one["id"] for one in told("silence", "list")] == [made["id"]]
    assert "a new disk" in server.cli("silence", "show", made["id"]).stdout
    later = told("silence", "extend", made["id"], "--for", "30m", "--why", "late")
    assert (later["id"], later["ends_at"] > made["ends_at"]) == (made["id"], True)
    assert server.cli("silence", "expire", made["id"], "--why", "it came").stdout.startswith(f"{made['id']} is expired")
    assert told("silence", "list") == []
    assert [one["state"] for one in told("silence", "list", "--all")] == ["expired"]

    fingerprint = next(a["fingerprint"] for a in told("alerts", "list") if a["labels"].get("host") == "b")
    of_one = told("alerts", "silence", fingerprint, "--for", "1h", "--why", "this one")
    assert of_one["matchers"] == ['alertname="DiskFull"', 'host="b"', 'severity="warning"']
    acts = [entry["act"] for entry in told("journal", "list") if entry["subject"].startswith("silence:")]
    assert sorted(acts) == ["silence.changed", "silence.created", "silence.created", "silence.expired"]


def test_what_cannot_be_is_told_in_one_line(server: Server) -> None:
    wide = ("silence", "add", 'severity=~".+"', "--for", "1h", "--why", "quiet please")
    refused = server.cli(*wide)
    assert refused.returncode == 1
    assert "mutes whatever is reported" in refused.stderr
    assert "warning: No condition" in server.cli("silence", "preview", 'severity=~".+"').stderr
    assert server.cli(*wide, "--sure").returncode == 0
    for words, code, said in (
        (("silence", "add", "alertname", "--for", "1h", "--why", "x"), 2, "bad matcher format"),
        (("silence", "add", "a=b", "--why", "x"), 2, "say how long"),
        (("silence", "add", "a=b", "--for", "1h", "--until", "2036-01-01T00:00:00Z", "--why", "x"), 2, "say how long"),
        (("silence", "add", "a=b", "--for", "soon", "--why", "x"), 1, "not a duration"),
        (("silence", "add", "a=b", "--for", "1h"), 2, "--why"),
        (("silence", "show", "nothing"), 1, "there is no silence nothing"),
        (("silence", "extend", "nothing"), 1, "not found"),
        (("alerts", "silence", "0000000000000000", "--for", "1h", "--why", "x"), 1, "no alert 0000000000000000"),
        (("alerts", "silence", "DiskFull", "--for", "1h", "--why", "x"), 2, "not a fingerprint: 16 hexadecimal digits"),
        (("alerts", "why", "../incidents"), 2, "not a fingerprint: 16 hexadecimal digits"),
    ):
        done = server.cli(*words)
        assert (done.returncode, said in done.stderr) == (code, True), (words, done.stderr)
