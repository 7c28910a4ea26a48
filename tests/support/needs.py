"""Tests name the programs they need: `@pytest.mark.needs("postgresql")`, or a fixture calls `program("postgresql")`.

Where one is missing, the test is skipped by name and the run ends with the list. With CI set nothing may be skipped.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.system_packages import NEEDS, packages_of

CORPORA = Path(os.environ.get("QUIETSHIFT_CORPORA", Path(__file__).resolve().parents[3] / "shared/corpora"))
LACKS = "needs "
IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")


def program(name: str) -> Path:
    """The executable behind a need; the test that asks is skipped where it is missing (with CI set: fails)."""
    if name not in NEEDS:
        raise KeyError(f"{name} is not in tests/support/system_packages.py: {', '.join(NEEDS)}")
    found = NEEDS[name].find()
    if found is not None:
        return found
    if IN_CI:
        pytest.fail(f"{LACKS}{name}, which is missing, and CI skips nothing", pytrace=False)
    pytest.skip(f"{LACKS}{name}")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(*names): programs outside Python, of tests/support/system_packages.py; skipped without"
    )
    config.addinivalue_line(
        "markers", "corpus(name): public documents beside the repository (QUIETSHIFT_CORPORA); deselected where they are not"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Documents that are no part of a clone are no package that CI could install: their tests are deselected, and counted."""
    absent = [item for item in items if any(not (CORPORA / mark.args[0]).is_dir() for mark in item.iter_markers("corpus"))]
    if absent:
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            program(name)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and session.exitstatus == pytest.ExitCode.OK and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = {how: terminalreporter.stats.get(how, []) for how in ("skipped", "failed", "error")}  # of all workers
    skipped = len(reports["skipped"])
    texts = (str(report.longrepr) for kind in reports.values() for report in kind)
    named = (re.search(rf"\b{LACKS}([\w-]+)(?:'\)|, which is missing)", text) for text in texts)
    lacking = {found[1] for found in named if found} & set(NEEDS)
    if lacking:
        terminalreporter.section("NOT TESTED HERE", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"missing: {', '.join(sorted(lacking))}")
        terminalreporter.write_line(f"Debian:  sudo apt-get install {' '.join(packages_of(lacking))}")
    if IN_CI and skipped:
        terminalreporter.write_line(f"CI skips nothing, and {skipped} were skipped: the run has failed", red=True, bold=True)


@pytest.fixture(scope="session")
def prometheus_binary() -> Path:
    return program("prometheus")


@pytest.fixture(scope="session")
def alertmanager_binary() -> Path:
    return program("alertmanager")


@pytest.fixture(scope="session")
def amtool_binary() -> Path:
    return program("amtool")
