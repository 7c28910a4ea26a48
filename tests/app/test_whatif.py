"""`quietshift whatif`: the course of one alert in virtual time; and that nothing leaves while it is simulated."""

import json
import logging
import shutil
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quietshift.alerts.matchers import matcher
from quietshift.alerts.model import Silence
from quietshift.app.cli import main
from quietshift.app.parts import read_ops
from quietshift.app.simulation import Known, Question, simulated, whatif
from quietshift.kernel.settings import load_settings
from quietshift.paging.model import Rule
from tests.support.web import EXAMPLE
from tests.support.webhook import WebhookServer

AT = datetime(2026, 11, 23, 13, 57, tzinfo=UTC)
CHECKOUT = {"alertname": "X", "service": "checkout", "severity": "critical"}
LABELS = ("--labels", "alertname=X,service=checkout,severity=critical")


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["whatif", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def asked(capsys: pytest.CaptureFixture[str], ops: Path, *arguments: str) -> dict[str, Any]:
    code, out, err = call(capsys, str(ops), *arguments, "-o", "json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.fixture
def ops(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "ops"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new, 1))


def test_each_page_with_its_time_and_contact_until_the_last_round(capsys: pytest.CaptureFixture[str]) -> None:
    """An incident of 13:57Z; at 14:00Z first and second change places, so that bo is called twice before ana is."""
    found = asked(capsys, EXAMPLE, *LABELS, "--at", "2026-11-23T13:57:00Z")
    (incident,) = found["incidents"]
    pages = [(page["due_at"], page["user"], page["stage"], page["step"], page["round"]) for page in incident["pages"]]
    assert pages[:3] == [
        ("2026-11-23T13:57:10Z", "bo", "step", 1, 1), ("2026-11-23T14:02:10Z", "bo", "step", 2, 1),
        ("2026-11-23T14:12:10Z", "ana", "step", 3, 1),
    ]  # fmt: skip
    assert {page[4] for page in pages if page[2] == "step"} == {1, 2, 3, 4}, "all rounds"
    assert pages[-1][2] == "last_resort"
    hers = [page for page in incident["pages"] if page["user"] == "ana"]
    attempts = [(one["attempted_at"], one["channel"]) for page in hers for one in page["attempts"]]
    assert attempts[:2] == [("2026-11-23T14:12:10Z", "mail"), ("2026-11-23T14:13:10Z", "ntfy")], "her ladder"
    assert "all steps and rounds are over" in found["ended"]


def test_a_time_that_the_clocks_skip_is_the_first_that_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, str(EXAMPLE), *LABELS, "--at", "2027-03-28T02:30 Europe/Berlin")
    assert code == 0
    for said in (
        "Times in Europe/Berlin.", "+0s        Sun 2027-03-28 03:00:00  Alert received",
        "Route taken: {}/{service=~\"checkout|ledger\"} to receiver payments (alertmanager.yml:10)",
        "+10s       Sun 2027-03-28 03:00:10  mail to bo", "not acknowledged in 5m: step 2 of 3, round 1 of 4",
    ):  # fmt: skip
        assert said in out, said


def test_an_alert_that_ends_resolves_its_incident(capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, EXAMPLE, *LABELS, "--at", "2026-11-23T13:00:00Z", "--lasts", "7m")
    (incident,) = found["incidents"]
    assert incident["state"] == "resolved"
    assert {page["user"] for page in incident["pages"]} == {"bo", "ana"}
    assert max(page["due_at"] for page in incident["pages"]) < "2026-11-23T13:08"
    assert found["ended"] == "its incident is resolved"


def test_what_keeps_it_from_people_is_told(capsys: pytest.CaptureFixture[str], ops: Path) -> None:
    edit(ops / "alertmanager.yml", "- receiver: web\n", "- receiver: web\n      mute_time_intervals: [night]\n")
    with (ops / "alertmanager.yml").open("a") as file:
        file.write("\ntime_intervals: [{name: night, time_intervals: [{times: [{start_time: '00:00', end_time: '06:00'}]}]}]\n")
        file.write("inhibit_rules: [{source_matchers: ['alertname=\"Down\"'], target_matchers: ['service=\"media\"']}]\n")
    muted = asked(capsys, ops, "--labels", "service=storefront", "--at", "2026-11-23T05:50:00Z")
    steps = {step["title"]: step for step in muted["routes"][0]["steps"]}
    assert steps["Muted?"]["state"] == "stopped"
    (page, *_) = muted["incidents"][0]["pages"]
    assert "2026-11-23T06:00" <= page["due_at"] < "2026-11-23T06:02", "as soon as the mute is over"
    inhibited = asked(capsys, ops, "--labels", "service=media", "--beside", "alertname=Down", "--at", "2026-11-23T12:00:00Z")
    assert inhibited["incidents"] == []
    assert "nobody is paged for it until 2026-11-24T12:00:00Z" in inhibited["ended"]
    assert "Inhibited" in inhibited["routes"][0]["answer"]


def test_silences_and_contacts_of_ones_own_count(ops: Path) -> None:
    loaded, _ = read_ops(ops)
    settings = load_settings({"ops": str(ops)}, {})
    matchers = (matcher("service", "=", "checkout"),)
    silence = Silence("s1", matchers, AT - timedelta(hours=1), AT + timedelta(minutes=30), "ana", "deploy", AT)
    course = whatif(loaded, settings, Question(CHECKOUT, AT, timedelta(hours=1)), Known([silence]))
    first = min(page.due_at for _, _, pages in course.incidents for page in pages)
    assert AT + timedelta(minutes=30) <= first < AT + timedelta(minutes=32)
    own = {"ana": (Rule(timedelta(minutes=1), "https://phone.example.org/ana"),)}
    course = whatif(loaded, settings, Question(CHECKOUT, AT, timedelta(minutes=30)), Known(ladders=own))
    attempts = {(page.user, one.channel) for _, _, pages in course.incidents for page in pages for one in page.attempts}
    assert attempts == {("ana", "webhook")}, "bo has no contact here"


def test_no_message_leaves(
    ops: Path, webhook_server: WebhookServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a page nor a notification, by no channel; no thread is started, nothing is logged as if it were true."""
    hook = f"- name: payments\n    webhook_configs: [{{url: '{webhook_server.url('/n')}'}}]\n"
    edit(ops / "alertmanager.yml", "- name: payments\n", hook)
    for name in ("ana", "bo"):
        rules = f"[{{after: 0s, via: '{webhook_server.url(f'/{name}')}'}}, {{after: 1s, via: 'mailto:{name}@example.org'}}]"
        for path in (ops / "oncall").glob("*.yaml"):
            documents = [one for one in path.read_text().split("\n---\n") if f"metadata: {{name: {name}}}" not in one]
            path.write_text("\n---\n".join(documents))
        contacts = f"apiVersion: quietshift.dev/v1\nkind: Contacts\nmetadata: {{name: {name}}}\nspec: {{rules: {rules}}}\n"
        (ops / f"oncall/own-{name}.yaml").write_text(contacts)
    loaded, problems = read_ops(ops)
    problems.raise_errors()
    asked: list[object] = []

    def refuse(_self: socket.socket, address: object) -> None:
        asked.append(address)
        raise OSError("nothing may leave")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    threads = set(threading.enumerate())
    with caplog.at_level(logging.INFO):
        course = whatif(loaded, load_settings({"ops": str(ops)}, {}), Question(CHECKOUT, AT))
    assert {one.kind for one in course.told} == {"page.webhook", "page.mail", "notify.webhook"}, "these would have left"
    assert asked == []
    assert webhook_server.posts() == []
    assert set(threading.enumerate()) <= threads
    assert not [record for record in caplog.records if record.name == "quietshift.paging"]


def test_every_outbox_kind_is_answered_by_the_recorder(ops: Path) -> None:
    loaded, _ = read_ops(ops)
    with simulated(loaded, load_settings({"ops": str(ops)}, {}), AT) as (driver, recorder):
        kinds = driver.app.registry.outbox
        assert len(kinds) > 10
        assert all(kind.send == recorder.send for kind in kinds.values())
        path = driver.app.db.path
        assert path is not None
        assert path.exists()
    assert not path.parent.exists(), "the database is thrown away"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--labels", "a=~b"), "write a=VALUE"), (("--labels", "a=b", "--at", "soon"), "--at"),
        (("--labels", "a=b", "--lasts", "0s"), "longer than 0s"), ((), "--labels"),
    ],
)  # fmt: skip
def test_who_asks_wrongly_is_told(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str) -> None:
    code, out, err = call(capsys, str(EXAMPLE), *arguments)
    assert (code, out) == (2, "")
    assert told in err
