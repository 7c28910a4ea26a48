"""The house keeps its shape: floors, pure decisions, small files."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/quietshift"
LINES = 400


def lint_imports(folder: Path) -> "subprocess.CompletedProcess[str]":
    """import-linter over `folder`/src with `folder`/.importlinter."""
    code = "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-logo", "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_every_room_imports_only_from_below() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("kernel/clock.py", "import quietshift.app", "A room imports only from the floors below it BROKEN"),
        ("newroom/__init__.py", "", "newroom"),
        ("catalog/decide.py", "import sqlalchemy", "Models and decisions know no database, no web, no outside BROKEN"),
        ("oncall/model.py", "from quietshift.kernel import db", "Models and decisions are given values"),
    ],
)
def test_the_floors_would_catch(file: str, line: str, broken: str, tmp_path: Path) -> None:
    shutil.copytree(SOURCE, tmp_path / "src/quietshift", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    path = tmp_path / "src/quietshift" / file
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as source:
        source.write(f"\n{line}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout
    assert broken in done.stdout


def test_rooms_say_what_they_are_for_and_import_nothing() -> None:
    """Importing a room's package is free: start-up time is a feature."""
    rooms = [path for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert rooms
    for room in rooms:
        text = (room / "__init__.py").read_text()
        assert text.startswith('"""'), f"{room.name}/__init__.py has no docstring"
        assert "import" not in text.split('"""')[2], f"{room.name}/__init__.py imports"


def test_no_source_file_is_too_long() -> None:
    """A file that passes 400 lines wants to be two."""
    long = {
        str(path.relative_to(ROOT)): count
        for path in SOURCE.rglob("*.py")
        if (count := len(path.read_text().splitlines())) > LINES
    }
    assert not long
