"""What people install: the wheel has everything, and runs in an environment that knows nothing of this tree."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import quietshift

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, cwd: Path) -> str:
    env = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(UV, "build", "--wheel", "--python", sys.executable, "--out-dir", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Templates, style sheets, migrations, examples: whatever git has below src/quietshift."""
    tracked = run("git", "ls-files", "src/quietshift", cwd=ROOT).split("\n")
    ours = {name.removeprefix("src/") for name in tracked if name and (ROOT / name).exists()}
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    assert len(ours) > 20
    assert ours <= packed


def test_the_wheel_installs_and_runs_outside_the_tree(wheel: Path, tmp_path: Path) -> None:
    """As pipx does it: an environment of its own; here with the locked versions of the dependencies."""
    locked = run(UV, "export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--project", ROOT, cwd=tmp_path)
    (tmp_path / "locked.txt").write_text(locked)
    run(UV, "venv", "--python", sys.executable, "venv", cwd=tmp_path)
    python = tmp_path / "venv/bin/python"
    run(UV, "pip", "install", "--python", python, "--constraints", "locked.txt", wheel, cwd=tmp_path)
    for name in ("quietshift", "qs"):
        program = tmp_path / "venv/bin" / name
        assert "Usage: " in run(program, "--help", cwd=tmp_path)
        assert quietshift.__version__ in run(program, "--version", cwd=tmp_path)
    where = run(python, "-c", "import quietshift; print(quietshift.__file__)", cwd=tmp_path)
    assert where.startswith(str(tmp_path))
