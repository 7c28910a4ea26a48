"""`quietshift init` writes an ops directory that passes `check` without a word, and overwrites nothing."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from quietshift.app.cli import main
from quietshift.app.init_command import write_example
from quietshift.app.parts import read_ops
from quietshift.catalog.model import Catalog
from quietshift.kernel.errors import Invalid
from quietshift.runbooks import decide
from quietshift.runbooks.model import Runbooks

ROOT = Path(__file__).resolve().parents[2]


def test_what_init_writes_passes_check_without_a_warning(tmp_path):
    written = write_example(tmp_path / "a/ops")
    assert Path("alertmanager.yml") in written
    assert Path("catalog/teams.yaml") in written
    loaded, problems = read_ops(tmp_path / "a/ops")
    assert [str(p) for p in problems.found] == []
    assert {g.name for g in loaded.get(Catalog).groups} == {"engineering", "payments", "web", "storage"}


def test_the_example_leads_from_its_alerts_to_its_runbooks(tmp_path):
    write_example(tmp_path)
    loaded, _ = read_ops(tmp_path)
    books = loaded.get(Runbooks)
    by_name = decide.runbook_for(books, alertname="CheckoutFailing")
    by_component = decide.runbook_for(books, alertname="Other", component="component:default/ledger")
    assert by_name
    assert by_name.runbook
    assert len(by_name.runbook.steps) == 4
    assert by_component
    assert by_component.runbook
    assert by_component.runbook.name == "shared/roll-back"


def test_amtool_takes_the_examples_alertmanager_yml(tmp_path, amtool_binary):
    write_example(tmp_path)
    checked = subprocess.run(
        [amtool_binary, "check-config", tmp_path / "alertmanager.yml"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_init_tells_what_it_wrote_and_what_to_do_next(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["init", str(tmp_path / "ops")])
    assert not exit.value.code
    told = capsys.readouterr().out
    assert f"{tmp_path}/ops/quietshift.yaml" in told
    assert f"quietshift check {tmp_path}/ops" in told


def test_init_overwrites_nothing(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit) as exit:
        main(["init", str(tmp_path)])
    assert exit.value.code == 1
    assert "is not empty: nothing was written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(Invalid, match="is a file"):
        write_example(tmp_path / "mine.txt")


def test_an_unwritable_place_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(Invalid, match="cannot be written"):
        write_example(blocked / "ops")


def test_the_example_travels_with_the_wheel():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["src/quietshift"]  # data files below it included
    assert (ROOT / "src/quietshift/app/example/alertmanager.yml").is_file()
