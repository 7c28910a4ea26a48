"""Ports for servers that are stopped and started again on the same address."""

import os
import random
import socket
from collections.abc import Callable

import pytest

_given: set[int] = set()
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8  # each has ports of its own


def free_port() -> int:
    """A TCP port free on loopback now, given once per run.

    Below the kernel's ephemeral range (32768 and up), so that no outgoing connection takes it while its server is down.
    """
    for port in random.sample(range(20000 + 1500 * _worker, 21500 + 1500 * _worker), k=1500):
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise OSError("no free port is left on 127.0.0.1")


@pytest.fixture(name="free_port")
def free_port_fixture() -> int:
    return free_port()


@pytest.fixture
def free_ports() -> Callable[[], int]:
    """For a test that needs several: each call gives another port."""
    return free_port
