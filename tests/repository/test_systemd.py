"""The unit in packaging/ is one that systemd takes, and that systemd's own audit calls safe."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.needs import program

ROOT = Path(__file__).resolve().parents[2]
EXPOSURE = 20  # systemd-analyze's score times ten; below 2.0 it says OK


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as installed, its program being this environment's."""
    text = (ROOT / "packaging/quietshift.service").read_text()
    installed = "/usr/local/bin/quietshift"
    assert installed in text
    unit = tmp_path / "quietshift.service"
    unit.write_text(text.replace(installed, str(Path(sys.executable).with_name("quietshift"))))
    return unit


def analyze(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([program("systemd"), *arguments], capture_output=True, text=True, check=False)


def test_systemd_takes_the_unit(unit: Path) -> None:
    done = analyze("verify", "--man=no", "--recursive-errors=no", unit)
    assert done.returncode == 0, done.stderr
    assert "quietshift" not in done.stderr, "a warning"


def test_systemd_takes_the_unit_with_its_secrets(unit: Path) -> None:
    shutil.copytree(ROOT / "packaging/quietshift.service.d", unit.with_name("quietshift.service.d"))
    done = analyze("verify", "--man=no", "--recursive-errors=no", unit)
    assert done.returncode == 0, done.stderr
    assert "quietshift" not in done.stderr, "a warning"


def test_systemd_calls_the_unit_safe(unit: Path) -> None:
    done = analyze("security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE}", unit)
    assert done.returncode == 0, done.stdout + done.stderr
