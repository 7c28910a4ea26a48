"""A server that stands for a whole file of tests which only talk to it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ops import write_ops
from tests.support.server import Server
from tests.support.talk import ask

NOWHERE = "http://127.0.0.1:9/"  # the discard port: nobody listens, nobody is paged


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`quietshift serve` on SQLite with one team; afterwards it still has to be healthy, and its log without a traceback."""
    folder: Path = tmp_path_factory.mktemp("standing")
    ops = write_ops(folder / "ops", {"ana": [("0s", NOWHERE)]}, [("0s", ["schedule:ana"])])
    server = Server(folder, ops).start()
    yield server
    log = server.log.read_text(errors="replace")
    running = server.running
    server.kill9()
    assert running, f"the server is gone:\n{log[-4000:]}"
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:6000]


@pytest.fixture
def still_well(standing: Server) -> Iterator[None]:
    """Whatever a test sends, the next good alert is taken, at once."""
    yield
    began = time.monotonic()
    good = [{"labels": {"alertname": "StillWell", "service": "gitaly"}}]
    assert ask(f"{standing.url}/api/v2/alerts", "POST", json_body=good, timeout=5).status == 200
    assert ask(f"{standing.url}/-/healthy", timeout=5).status == 200
    assert time.monotonic() - began < 2
