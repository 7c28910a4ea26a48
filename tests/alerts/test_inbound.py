"""Integrations in the ops directory, and the keys that are made for them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from quietshift.alerts.inbound import hash_line
from quietshift.alerts.sources import BodyMapping, Field, Heartbeats, Inbounds
from quietshift.app.cli import main
from quietshift.app.init_command import write_example
from quietshift.app.parts import read_ops

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def ops(tmp_path: Path) -> Path:
    write_example(tmp_path / "ops")
    (tmp_path / "ops/integrations").mkdir()
    return tmp_path / "ops"


def write(ops: Path, *specs: dict[str, Any], name: str = "pingdom") -> list[str]:
    documents = [
        {"apiVersion": "quietshift.dev/v1", "kind": "Integration", "metadata": {"name": name}, "spec": spec} for spec in specs
    ]
    (ops / "integrations/all.yaml").write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return [str(problem) for problem in read_ops(ops)[1].errors]


def spec(**changed: str) -> dict[str, str]:
    return {"type": "pagerduty", "service": "checkout", "keyHash": hash_line(KEY), **changed}


def test_an_integration_is_found_by_its_key_and_type(ops: Path) -> None:
    assert write(ops, spec()) == []
    inbounds = read_ops(ops)[0].get(Inbounds)
    found = inbounds.of_key(KEY, "pagerduty")
    assert found is not None
    assert (found.name, found.service) == ("pingdom", "checkout")
    assert inbounds.of_key(KEY, "opsgenie") is None
    assert inbounds.of_key(hash_line(KEY), "pagerduty") is None, "who reads the file has no key"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"service": "nothing"}, "all.yaml:7: spec.service: the catalog has no Component 'nothing'"),
        ({"type": "fax"}, "all.yaml:6: spec.type: has to be one of pagerduty"),
        ({"keyHash": ""}, "all.yaml:8: spec.keyHash: is required"),
        ({"key": "x"}, "all.yaml:9: spec.key: unknown key"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(ops: Path, wrong: dict[str, str], said: str) -> None:
    assert any(said in one for one in write(ops, spec(**wrong)))


def test_a_key_written_in_plain_is_refused_and_not_repeated(ops: Path) -> None:
    (error,) = write(ops, spec(keyHash=KEY))
    assert "all.yaml:8: spec.keyHash: expected 'sha256:'" in error
    assert KEY not in error


def test_one_name_and_one_key_are_of_one_integration(ops: Path) -> None:
    errors = write(ops, spec(), spec(type="pagerduty"))
    assert any("this name is there already" in one for one in errors)
    assert any("the same key is there already" in one for one in errors)


def test_the_command_makes_a_key_and_its_document(ops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["integration", "key", "pingdom", "--service", "checkout"])
    printed = capsys.readouterr()
    key = printed.err.split()[-1]
    assert (ended.value.code, len(key)) == (0, 32)
    assert key not in printed.out
    (ops / "integrations/pingdom.yaml").write_text(printed.out)
    loaded, problems = read_ops(ops)
    assert problems.errors == []
    assert loaded.get(Inbounds).of_key(key, "pagerduty") is not None


def test_a_key_too_short_to_be_hashed_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = tmp_path / "key"
    given.write_text("secret")
    with given.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(SystemExit) as ended:
            main(["integration", "key", "pingdom", "--service", "checkout", "--existing"])
    assert ended.value.code == 1
    assert "20 characters or more" in capsys.readouterr().err


BEAT = {"service": "checkout", "period": "1d", "grace": "1h", "tokenHash": hash_line(KEY)}


def write_beats(ops: Path, *specs: dict[str, Any]) -> list[str]:
    documents = [
        {"apiVersion": "quietshift.dev/v1", "kind": "Heartbeat", "metadata": {"name": "backup"}, "spec": spec} for spec in specs
    ]
    (ops / "integrations/beats.yaml").write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return [str(problem) for problem in read_ops(ops)[1].errors]


def test_a_heartbeat_is_found_by_its_token(ops: Path) -> None:
    assert write_beats(ops, BEAT) == []
    beats = read_ops(ops)[0].get(Heartbeats)
    found = beats.of_token(KEY)
    assert found is not None
    heard = datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert (found.name, found.severity, found.due(heard)) == ("backup", "critical", heard + timedelta(hours=25))
    assert beats.of_token(hash_line(KEY)) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"period": "0s"}, "beats.yaml:7: spec.period: has to be 1s or more"),
        ({"period": "daily"}, "beats.yaml:7: spec.period: not a duration"),
        ({"period": "10y"}, "beats.yaml:7: spec.period: has to be 1s or more, and 366d at most"),
        ({"grace": ""}, "beats.yaml:8: spec.grace: is required"),
        ({"tokenHash": KEY}, "beats.yaml:9: spec.tokenHash: expected 'sha256:'"),
        ({"service": "nothing"}, "beats.yaml:6: spec.service: the catalog has no Component 'nothing'"),
    ],
)
def test_what_is_wrong_with_a_heartbeat_is_told_with_its_place(ops: Path, wrong: dict[str, str], said: str) -> None:
    assert any(said in one for one in write_beats(ops, {**BEAT, **wrong}))


def test_one_token_is_of_one_heartbeat(ops: Path) -> None:
    assert any("the same token is there already" in one for one in write_beats(ops, BEAT, BEAT))


def test_the_command_makes_a_token_and_its_document(ops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["integration", "heartbeat", "backup", "--service", "checkout", "--period", "1d", "--grace", "1h"])
    printed = capsys.readouterr()
    token = printed.err.strip().rpartition("/heartbeat/")[2]
    assert (ended.value.code, len(token)) == (0, 32)
    assert token not in printed.out
    (ops / "integrations/backup.yaml").write_text(printed.out)
    loaded, problems = read_ops(ops)
    assert problems.errors == []
    assert loaded.get(Heartbeats).of_token(token) is not None


# -- mappings, and heartbeats by cron or by an alert ---------------------------------------------------------------------

MAPPED = {
    "type": "json", "service": "checkout", "keyHash": hash_line(KEY),
    "mapping": {"summary": "title", "action": {"path": "status", "values": {"up": "resolve"}}, "labels": {"team": "owner.team"}},
}  # fmt: skip


def test_a_mapping_is_read(ops: Path) -> None:
    assert write(ops, MAPPED) == []
    found = read_ops(ops)[0].get(Inbounds).of_key(KEY, "json")
    assert found is not None
    assert found.mapping == BodyMapping("title", action=Field("status", {"up": "resolve"}), labels={"team": "owner.team"})


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (None, "all.yaml:9: spec.mapping: is required"),
        ({"key": "id"}, "spec.mapping.summary: is required"),
        ({"summary": "a.["}, "all.yaml:10: spec.mapping.summary: not a JMESPath expression: Invalid jmespath expression"),
        ({"summary": "a", "labels": {"b": "nothing("}}, "all.yaml:12: spec.mapping.labels.b: not a JMESPath expression"),
        ({"summary": "a", "labels": {"severity": "b"}}, "all.yaml:12: spec.mapping.labels.severity: 'severity' is given by"),
        ({"summary": "a", "action": {"path": "b", "values": {"x": "close"}}}, "spec.mapping.action.values.x: has to be one of"),
        ({"summary": "a", "action": {"values": {"x": "resolve"}}}, "spec.mapping.action.path: is required"),
        ({"summary": "a", "titel": "b"}, "all.yaml:11: spec.mapping.titel: unknown key"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_told_with_its_place(ops: Path, mapping: Any, said: str) -> None:
    found = write(ops, {**MAPPED, "mapping": mapping})
    assert any(said in one for one in found), found


def test_a_mapping_is_for_json_alone(ops: Path) -> None:
    assert any("spec.mapping: is for type json" in one for one in write(ops, {**MAPPED, "type": "grafana"}))


@pytest.mark.parametrize(
    ("rhythm", "said"),
    [
        ({"schedule": "0 3 * *"}, "spec.schedule: a cron expression has five fields"),
        ({"schedule": "61 3 * * *"}, "spec.schedule: not a cron expression: bad minute"),
        ({"schedule": "0 3 * * *", "timeZone": "Europe/Berln"}, "spec.timeZone: unknown time zone 'Europe/Berln'"),
        ({"period": "1h", "timeZone": "Europe/Berlin"}, "spec.timeZone: is that of `schedule`"),
        ({"period": "1h", "schedule": "0 3 * * *"}, "spec.period: one of period, schedule is enough"),
        ({}, "spec.period: is required; or `schedule`, or `alerts`"),
        ({"alerts": ["alertname"]}, "spec.alerts[0]: "),
        ({"alerts": []}, "spec.alerts: has to name an alert"),
        ({"alerts": ['alertname!="X"']}, "spec.alerts: would be fulfilled by nearly every alert"),
    ],
)
def test_what_is_wrong_with_a_rhythm_is_told_with_its_place(ops: Path, rhythm: Any, said: str) -> None:
    given = {key: value for key, value in BEAT.items() if key != "period"} | rhythm
    found = write_beats(ops, given)
    assert any(said in one and "beats.yaml:" in one for one in found), found


def test_one_that_alerts_give_needs_no_token(ops: Path) -> None:
    given: Any = {"service": "checkout", "grace": "2m", "alerts": ['alertname="Watchdog"']}
    assert write_beats(ops, given) == []
    hourly = {"service": "checkout", "grace": "1m", "period": "1h"}
    assert any("spec.tokenHash: is required" in one for one in write_beats(ops, hourly))


# -- commands ------------------------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["integration", *arguments])
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def test_a_body_can_be_tried(ops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(ops, MAPPED, name="uptime")
    body = tmp_path / "body.json"
    body.write_text('{"title": "Shop is down", "owner": {"team": "web"}}')
    code, out, _ = run(capsys, "try", "uptime", str(body), "--ops", str(ops), "--output", "json")
    assert code == 0
    (found,) = json.loads(out)
    assert (found["action"], found["key"]) == ("trigger", "Shop is down")
    assert found["labels"] == {
        "alertname": "Shop is down", "dedup_key": "Shop is down", "integration": "uptime", "service": "checkout", "team": "web",
    }  # fmt: skip
    body.write_text('{"status": "odd"}')
    code, _, err = run(capsys, "try", "uptime", str(body), "--ops", str(ops))
    assert code == 1
    assert "'status' is 'odd', which the mapping does not know (it knows up)" in err
    assert run(capsys, "try", "nobody", str(body), "--ops", str(ops))[0] == 1


def test_the_list_has_addresses_to_paste(
    ops: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIETSHIFT_EXTERNAL_URL", "https://qs.example.org")
    write(ops, MAPPED, name="uptime")
    write_beats(ops, BEAT)
    code, out, _ = run(capsys, "list", "--ops", str(ops), "--output", "json")
    assert code == 0
    assert {one["name"]: one["address"] for one in json.loads(out)} == {
        "uptime": "https://qs.example.org/in", "backup": "https://qs.example.org/heartbeat/TOKEN",
    }  # fmt: skip
    assert KEY not in out
