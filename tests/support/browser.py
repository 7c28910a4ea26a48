"""Debian's chromium under pytest-playwright: nothing is downloaded, and the browser calls nobody on its own account."""

import os
from typing import Any

import pytest

from tests.support.needs import program

FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """What `browser`, `context` and `page` of pytest-playwright start: the system's chromium (as root without sandbox)."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {
        **browser_type_launch_args,
        "executable_path": str(program("chromium")),
        "args": [*browser_type_launch_args.get("args", []), *FLAGS, *sandbox],
    }


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests go last: from the first of them on, playwright keeps an event loop running in the main thread."""
    items.sort(key=lambda item: "playwright" in getattr(item, "fixturenames", ()))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What playwright itself and its browser need is asked for by name, before either is started."""
    if "playwright" in getattr(item, "fixturenames", ()):
        program("libatomic")
        program("chromium")
