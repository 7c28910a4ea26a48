"""`./run` on machines that have little: it is read by dash, and says in one line what is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def sh(script: Path, *arguments: str, cwd: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    shell = shutil.which("dash") or "/bin/sh"
    return subprocess.run(
        [shell, script, *arguments], cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("script", ["run", ".ci/run"])
def test_shell_scripts_pass_shellcheck(script: str) -> None:
    """`run` says #!/bin/sh: shellcheck names everything in it that only bash knows."""
    done = subprocess.run(
        [Path(sys.executable).with_name("shellcheck"), ROOT / script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_run_lists_its_jobs_from_any_directory(tmp_path: Path) -> None:
    done = sh(ROOT / "run", "help", cwd=tmp_path)
    assert done.returncode == 0
    for job in ("demo", "serve", "test", "check", "bench"):
        assert f"  {job} " in done.stdout


def test_run_refuses_an_unknown_job(tmp_path: Path) -> None:
    done = sh(ROOT / "run", "tset", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ./run JOB")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What `./run` reads, in a directory with a space in its name, not set up yet."""
    clone = tmp_path / "a clone"
    clone.mkdir()
    for name in ("run", "uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, clone)
    return clone


def test_one_line_says_what_to_install_where_pip_is_missing(clone: Path, tmp_path: Path) -> None:
    """As on a fresh Debian, where Python comes without ensurepip and pip, and its user is not root."""
    stripped, programs = tmp_path / "stripped", tmp_path / "bin"
    stripped.mkdir()
    for module in ("ensurepip.py", "pip.py"):
        (stripped / module).write_text("raise SystemExit(1)\n")
    programs.mkdir()
    for program in ("cat", "cksum", "dirname", "id", "rm", "sed"):  # no apt-get among them
        (programs / program).symlink_to(str(shutil.which(program)))
    done = sh(clone / "run", "check", cwd=tmp_path, PYTHONPATH=str(stripped), PATH=str(programs), PYTHON=sys.executable)
    assert done.returncode == 1
    assert done.stderr == "run: pip is missing; install it once, then repeat this:  sudo apt-get install python3-venv\n"


def test_one_line_says_that_python_is_too_old(clone: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2\nexit 1\n')
    old.chmod(0o755)
    done = sh(clone / "run", "demo", cwd=tmp_path, PYTHON=str(old))
    assert done.returncode == 1
    assert done.stderr.startswith("run: Python 3.11 or newer is needed, ")
    assert "is Python 3.9.2" in done.stderr
    assert done.stderr.count("\n") == 1


def pytest_run(test: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    """Pytest with the needs plugin alone, on one file outside the tree."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.needs", "--rootdir", test.parent, test],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p no:cacheprovider", **env},
        capture_output=True,
        text=True,
        check=False,
    )


MISSING = """
import pytest

@pytest.mark.needs("amtool")
def test_that_needs_amtool():
    pass

def test_that_needs_nothing():
    pass
"""


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("false", 0), ("true", 1), ("1", 1)])
def test_a_missing_program_is_loud_and_in_ci_a_failure(ci: str, code: int, tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text(MISSING)
    done = pytest_run(test, CI=ci, PATH=str(tmp_path))
    assert done.returncode == code, done.stdout
    assert "missing: amtool\nDebian:  sudo apt-get install prometheus-alertmanager" in done.stdout
    assert ("1 passed, 1 error" if code else "1 passed, 1 skipped") in done.stdout


def test_in_ci_no_test_is_skipped_for_any_reason(tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text("import pytest\n\ndef test_it():\n    pytest.skip('not today')\n")
    done = pytest_run(test, CI="true")
    assert done.returncode == 1, done.stdout
    assert "CI skips nothing, and 1 were skipped" in done.stdout


def test_documents_beside_the_repository_are_no_package_to_install(tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text("import pytest\n\n@pytest.mark.corpus('runbooks')\ndef test_it():\n    pass\n\ndef test_more():\n    pass\n")
    assert "1 passed, 1 deselected" in pytest_run(test, CI="true", QUIETSHIFT_CORPORA=str(tmp_path)).stdout
    (tmp_path / "runbooks").mkdir()
    assert "2 passed" in pytest_run(test, CI="true", QUIETSHIFT_CORPORA=str(tmp_path)).stdout
