"""Integrations in the ops directory, and the keys that are made for them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from quietshift.alerts.inbound import hash_line
from quietshift.alerts.sources import Heartbeats, Inbounds
from quietshift.app.cli import main
from quietshift.app.init_command import write_example
from quietshift.app.parts import read_ops

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def ops(tmp_path: Path) -> Path:
    write_example(tmp_path / "ops")
    (tmp_path / "ops/integrations").mkdir()
    return tmp_path / "ops"


def write(ops: Path, *specs: dict[str, str], name: str = "pingdom") -> list[str]:
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


def write_beats(ops: Path, *specs: dict[str, str]) -> list[str]:
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
