"""Alertmanager's own acceptance tests, from Debian's package of its sources, against `quietshift alertmanager`."""

import sys
from pathlib import Path

import pytest

from tests.support.acceptance import AlertmanagerAcceptance
from tests.support.postgres import Postgres

CANDIDATE = (Path(sys.prefix) / "bin/quietshift", "alertmanager")

CLUSTER_ATTEMPTS = 5
ATTEMPTS = 3  # they allow 150 ms in real time: whatever else the machine does may cost one of them that


@pytest.mark.quiet
@pytest.mark.parametrize(
    "tests",
    [
        ("TestResolved", "TestResolvedFilter"),
        ("TestRepeat", "TestBatching", "TestMergeAlerts", "TestMergeAlertsWithEndsAt"),
        ("TestRetry", "TestReload", "TestSilencing", "TestSilenceDelete"),
        ("TestInhibiting", "TestAlwaysInhibiting", "TestAlertGetReturnsCurrentAlertStatus", "TestFilterAlertRequest",
         "TestWebWithPrefix"),
    ],
    ids="+".join,
)  # fmt: skip
def test_alertmanagers_own_tests_pass(
    alertmanager_acceptance: AlertmanagerAcceptance, tests: tuple[str, ...], tmp_path: Path
) -> None:
    """Two at once, for they mostly wait; what then fails, alone."""
    left, at_once = list(tests), 2
    for attempt in range(ATTEMPTS):
        (tmp_path / str(attempt)).mkdir()
        verdict = alertmanager_acceptance(CANDIDATE, *left, folder=tmp_path / str(attempt), at_once=at_once)
        left, at_once = [test for test in left if verdict.outcomes.get(test) != "PASS"], 1
        if not left:
            return
    raise AssertionError(verdict.log[-6000:])


@pytest.mark.quiet
@pytest.mark.parametrize("test", ["TestClusterDeduplication", "TestClusterVSInstance"])
def test_alertmanagers_own_tests_of_a_cluster_pass_on_postgresql(
    alertmanager_acceptance: AlertmanagerAcceptance, postgres: Postgres, tmp_path: Path, test: str
) -> None:
    """Three members begin at once, and the clock with them: on two cores it takes a machine that does little else."""
    for attempt in range(CLUSTER_ATTEMPTS):
        (tmp_path / str(attempt)).mkdir()
        url = postgres.create()
        try:
            verdict = alertmanager_acceptance(CANDIDATE, test, folder=tmp_path / str(attempt), env={"QUIETSHIFT_DB": url})
        finally:
            postgres.drop(url)
        if verdict.outcomes == {test: "PASS"}:
            return
    raise AssertionError(verdict.log[-6000:])
