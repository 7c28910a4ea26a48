"""Tests that allow little real time run alone: `@pytest.mark.quiet`. With xdist, all other workers wait at their next test."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

FOLDER = "PYTEST_QUIET_LOCKS"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "quiet: allows so little time that nothing else may run beside it")
    if not hasattr(config, "workerinput"):  # before any worker starts
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="quietshift-tests-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ[FOLDER], ignore_errors=True))


@contextmanager
def _held(file: Path, how: int) -> Iterator[IO[bytes]]:
    with file.open("ab") as lock:
        fcntl.flock(lock, how)
        yield lock  # closing it lets go


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if not hasattr(item.config, "workerinput"):  # one process, one test at a time
        return (yield)
    folder = Path(os.environ[FOLDER])
    quiet = item.get_closest_marker("quiet") is not None
    # a quiet test keeps the gate while it waits for the room to empty, so that nobody enters before it
    with _held(folder / "gate", fcntl.LOCK_EX) as waiting, _held(folder / "room", fcntl.LOCK_EX if quiet else fcntl.LOCK_SH):
        fcntl.flock(waiting, fcntl.LOCK_UN)
        return (yield)
