"""`quietshift alerts route`: where an alert would go and who would be paged, by the files alone."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from quietshift.app.cli import main
from tests.support.web import EXAMPLE

TREE = """\
route:
  receiver: hook
  group_by: [alertname]
  routes:
    - matchers: ['service=~"a|b"']
      continue: true
      group_by: ['...']
      mute_time_intervals: [weekend]
    - matchers: ['service="a"']
      active_time_intervals: [weekend]
      repeat_interval: 1d
receivers: [{name: hook, webhook_configs: [{url: 'http://receiver.invalid/'}]}]
time_intervals: [{name: weekend, time_intervals: [{weekdays: ['saturday', 'sunday'], location: Europe/Berlin}]}]
"""


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["alerts", "route", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def routes(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    code, out, err = call(capsys, *arguments, "-o", "json")
    assert code == 0, err
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_who_would_be_paged_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--ops", str(EXAMPLE), "--labels", "alertname=X,service=checkout")
    (friday,) = routes(capsys, *asked, "--at", "2026-11-21T03:00:00Z")
    assert (friday["line"], friday["receiver"], friday["escalation_policy"]) == (10, "payments", "payments")
    assert friday["group_key"] == '{}/{service=~"checkout|ledger"}:{alertname="X", service="checkout"}'
    assert (friday["group_wait"], friday["group_interval"], friday["repeat_interval"]) == ("10s", "1m", "4h")
    assert [who["user"] for who in friday["first"]["people"]] == ["bo"]
    (monday,) = routes(capsys, *asked, "--at", "2026-11-23T15:00:00Z")
    assert [who["user"] for who in monday["first"]["people"]] == ["ana"]
    code, out, _ = call(capsys, *asked, "--at", "2026-11-21 Europe/Berlin")
    assert code == 0
    for said in ("alertmanager.yml:10", "payments (desk/0)", "muted at 2026-11-20T23:00:00Z", "bo: schedule:payments: bo is on"):
        assert said in out, said


def test_a_step_that_reaches_nobody_is_passed_over(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ops = tmp_path / "ops"
    shutil.copytree(EXAMPLE, ops)
    for file in (ops / "oncall").rglob("*.yaml"):
        parts = file.read_text().split("\n---\n")
        file.write_text("\n---\n".join(part for part in parts if "kind: Contacts" not in part or "name: bo" not in part))
    for file in (ops / "catalog").rglob("*.yaml"):
        file.write_text(file.read_text().replace(", email: bo@example.org", ""))
    (one,) = routes(capsys, "--ops", str(ops), "--labels", "service=checkout", "--at", "2026-11-21T03:00:00Z")
    assert "user:bo: has no contact" in one["first"]["passed_over"][0]
    assert "bo" not in [who["user"] for who in one["first"]["people"]]


def test_every_route_that_takes_it_and_what_mutes_each_until_when(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(TREE)
    asked = ("--config", str(file), "--labels", 'alertname="X, or Y",service=a')
    first, second = routes(capsys, *asked, "--at", "2026-11-21T03:00:00Z")
    assert (first["line"], first["group_labels"]) == (5, {"alertname": "X, or Y", "service": "a"})
    assert first["muted"] == {"kind": "muted", "intervals": ["weekend"], "until": "2026-11-22T23:00:00Z"}
    assert (second["line"], second["muted"], second["repeat_interval"], second["first"]) == (9, None, "1d", None)
    first, second = routes(capsys, *asked, "--at", "2026-11-23T03:00:00Z")
    assert first["muted"] is None
    assert second["muted"] == {"kind": "inactive", "intervals": ["weekend"], "until": "2026-11-27T23:00:00Z"}
    assert "outside of weekend, until 2026-11-27T23:00:00Z" in call(capsys, *asked, "--at", "2026-11-23T03:00:00Z")[1]


@pytest.mark.parametrize("labels", ["", "a=~b", "a=b,a=c", "a", "a=", "=b"])
def test_labels_that_are_none_are_refused(capsys: pytest.CaptureFixture[str], labels: str) -> None:
    code, out, err = call(capsys, "--ops", str(EXAMPLE), "--labels", labels)
    assert (code, out) == (2, "")
    assert "--labels" in err


def test_what_is_wrong_in_the_files_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text("route: {receiver: nobody}\n")
    code, _, err = call(capsys, "--config", str(tmp_path / "alertmanager.yml"), "--labels", "a=b")
    assert code == 1
    assert "alertmanager.yml:1: route: receiver 'nobody' is not defined" in err
    assert call(capsys, "--config", "x", "--ops", "y", "--labels", "a=b")[0] == 2
