"""Ports for servers that are stopped and started again on the same address."""

import random
import socket
from collections.abc import Callable

import pytest

_given: set[int] = set()


def free_port() -> int:
    """A TCP port free on loopback now, given once per run.

    Below the kernel's ephemeral range (32768 and up), so that no outgoing connection takes it while its server is down.
    """
    for port in random.sample(range(20000, 32000), k=2000):
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
    raise OSError("no free port between 20000 and 32000 on 127.0.0.1")


@pytest.fixture(name="free_port")
def free_port_fixture() -> int:
    return free_port()


@pytest.fixture
def free_ports() -> Callable[[], int]:
    """For a test that needs several: each call gives another port."""
    return free_port
