"""`quietshift prove`: what it prints, where it points, and with what it ends."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from quietshift.app.cli import main
from tests.support.web import EXAMPLE

START = ("--from", "2026-11-23T00:00:00Z")
LIBRARY = """---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: orphan}
spec: {type: service, lifecycle: production}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: helpers}
spec: {type: library, lifecycle: production, owner: group:web}
"""


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["prove", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = call(capsys, *arguments, "-o", "json")
    found: dict[str, Any] = json.loads(out)
    return code, found


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), start=1) if text in line)


@pytest.fixture
def ops(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "ops"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new, 1))


def test_the_example_pages_a_human_at_once_at_any_minute(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = asked(capsys, str(EXAMPLE), *START)
    assert (code, found["errors"], found["to"]) == (0, 0, "2026-12-21T00:00:00Z")
    reached = {one["service"]: one["reached_within_seconds"] for one in found["services"]}
    assert reached == dict.fromkeys(("checkout", "ledger", "media", "storefront"), 0)
    for policy in found["policies"]:
        stretches = policy["stretches"]
        assert (stretches[0]["from"], stretches[-1]["to"]) == ("2026-11-23T00:00:00Z", "2026-12-21T00:00:00Z")
    assert {one["kind"] for one in found["findings"]} == {"same_person"}, "just before each swap of first and second"


def test_a_gap_is_an_error_with_file_line_and_both_zones(capsys: pytest.CaptureFixture[str], ops: Path) -> None:
    only = "\n      only: [{days: [Mon], from: '09:00', until: '17:00'}]"
    edit(ops / "oncall/web.yaml", "users: [chen, dee]", f"users: [chen, dee]{only}")
    code, out, err = call(capsys, str(ops), *START)
    assert code == 1
    assert "1 error" in err
    line = line_of(ops / "oncall/web.yaml", "apiVersion")
    assert f"oncall/web.yaml:{line}: error: gap: schedule:web: nobody is on for step 1 of escalation policy web\n" in out
    assert "services: storefront\n" in out
    assert "Mon 2026-11-23 17:00 to Mon 2026-11-30 09:00 Asia/Singapore" in out
    assert "(2026-11-23T09:00Z to 2026-11-30T01:00Z), 9,600 minutes" in out
    code, found = asked(capsys, str(ops), *START)
    (gap,) = [one for one in found["findings"] if one["kind"] == "gap"]
    assert gap["times"][1]["local_from"] == "2026-11-23T17:00:00+08:00"
    assert gap["times"][1]["from"] == "2026-11-23T09:00:00Z"
    assert gap["minutes"] == 28 * 24 * 60 - 4 * 8 * 60
    code, _ = asked(capsys, str(ops), *START, "--service", "checkout")
    assert code == 0, "of another service"


def test_no_policy_no_owner_no_contact(capsys: pytest.CaptureFixture[str], ops: Path) -> None:
    edit(ops / "alertmanager.yml", "receiver: unrouted ", "receiver: archive ")
    edit(ops / "alertmanager.yml", "receivers:\n", "receivers:\n  - name: archive\n")
    (ops / "catalog/more.yaml").write_text(LIBRARY)
    code, found = asked(capsys, str(ops), *START)
    errors = {(one["kind"], one["file"], one["line"]): one for one in found["findings"] if one["kind"] != "same_person"}
    assert code == 1
    root = line_of(ops / "alertmanager.yml", "receiver: archive") - 1
    kinds = {kind for kind, _, _ in errors}
    assert kinds == {"no_policy", "no_owner"}
    (place,) = [key for key in errors if key[0] == "no_policy"]
    assert place[1] == "alertmanager.yml"
    assert place[2] in (root, root + 1)
    assert errors[place]["services"] == ["orphan"], "a library runs nowhere"
    assert ("no_owner", "catalog/more.yaml", 2) in errors
    assert errors["no_owner", "catalog/more.yaml", 2]["severity"] == "warning"


def test_labels_say_which_alerts_are_meant(capsys: pytest.CaptureFixture[str], ops: Path) -> None:
    edit(ops / "alertmanager.yml", "  routes:\n", "  routes:\n    - receiver: mail\n      matchers: ['severity=\"info\"']\n")
    edit(ops / "alertmanager.yml", "receivers:\n", "receivers:\n  - name: mail\n")
    assert asked(capsys, str(ops), *START, "--service", "media")[0] == 0
    both = ("--labels", "severity=critical", "--labels", "severity=info")
    code, found = asked(capsys, str(ops), *START, "--service", "media", *both)
    (missing,) = [one for one in found["findings"] if one["kind"] == "no_policy"]
    assert code == 1
    assert "severity=info" in missing["text"]
    assert [way["policy"] for way in found["services"][0]["routes"]] == ["storage", None]


def test_a_muted_route_is_told_with_its_times(capsys: pytest.CaptureFixture[str], ops: Path) -> None:
    edit(ops / "alertmanager.yml", "- receiver: web\n", "- receiver: web\n      mute_time_intervals: [weekend]\n")
    with (ops / "alertmanager.yml").open("a") as file:
        file.write("\ntime_intervals: [{name: weekend, time_intervals: [{weekdays: ['saturday', 'sunday']}]}]\n")
    code, found = asked(capsys, str(ops), *START, "--weeks", "1")
    (muted,) = [one for one in found["findings"] if one["kind"] == "muted"]
    assert (code, muted["severity"], muted["services"]) == (0, "warning", ["storefront"])
    assert [(one["from"], one["to"]) for one in muted["times"]] == [("2026-11-28T00:00:00Z", "2026-11-30T00:00:00Z")]


def test_every_hand_over_of_one_service(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, str(EXAMPLE), *START, "--weeks", "2", "--service", "storefront")
    assert code == 0
    assert "1 service" in err
    assert "escalation policy web" in out
    assert "2026-11-23T01:00Z" in out
    assert "2026-11-30T00:55Z" in out
    assert "payments" not in out


def test_who_asks_wrongly_is_told(capsys: pytest.CaptureFixture[str], ops: Path) -> None:
    code, _, err = call(capsys, str(ops), "--service", "nothing")
    assert code == 1
    assert "component:default/nothing" in err
    code, _, err = call(capsys, str(ops), "--from", "9998-12-01", "--weeks", "52")
    assert code in (1, 2)
    assert "Traceback" not in err
    assert err
    edit(ops / "oncall/web.yaml", "owner: group:web", "owner: group:nobody")
    code, out, err = call(capsys, str(ops))
    assert (code, out) == (1, ""), "what is wrong with the files comes first"
    assert "oncall/web.yaml:" in err
