"""Alertmanager's own acceptance tests, from Debian's package of its sources, run against any program with its flags."""

import fcntl
import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.needs import program

SUITE = "github.com/prometheus/alertmanager/test/with_api_v2/acceptance"
# Debian's copy of the suite starts $GOPATH/bin/prometheus-alertmanager with two flags of Debian's own: they are dropped
WRAPPER = """#!/bin/sh
n=$#
while [ "$n" -gt 0 ]; do
  case $1 in
    --template.default | --web.ui-path) shift 2; n=$((n - 2)) ;;
    *) set -- "$@" "$1"; shift; n=$((n - 1)) ;;
  esac
done
exec {candidate} "$@"
"""


@dataclass(frozen=True)
class Verdict:
    """What the suite says: test name -> PASS, FAIL or SKIP; and everything it printed."""

    outcomes: Mapping[str, str]
    log: str


class AlertmanagerAcceptance:
    """The compiled suite. Its tests wait in real time and allow 150 ms: few should run at once."""

    def __init__(self, sources: Path, binary: Path) -> None:
        self._sources = sources
        self._binary = binary

    def __call__(
        self, candidate: Sequence[str | Path], *tests: str, folder: Path, env: Mapping[str, str] | None = None, at_once: int = 1
    ) -> Verdict:
        """Run `tests` by their names (none: all) against the command `candidate`, with `folder` for its wrapper."""
        wrapper = folder / "bin/prometheus-alertmanager"
        wrapper.parent.mkdir()
        wrapper.write_text(WRAPPER.replace("{candidate}", shlex.join(map(str, candidate))))
        wrapper.chmod(0o755)
        only = ["-test.run", f"^({'|'.join(tests)})$"] if tests else []
        done = subprocess.run(
            [self._binary, "-test.v", "-test.parallel", str(at_once), "-test.timeout", "280s", *only],
            cwd=self._sources,
            env={**os.environ, **(env or {}), "GOPATH": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        found = re.findall(r"^--- (PASS|FAIL|SKIP): (\w+)", done.stdout, re.MULTILINE)
        return Verdict({name: outcome for outcome, name in found}, done.stdout)


@pytest.fixture(scope="session")
def alertmanager_acceptance() -> AlertmanagerAcceptance:
    """Compiled once into the user's cache; the first time takes a minute or two."""
    go, tests = program("go"), program("alertmanager-sources")
    sources = next(parent for parent in tests.parents if parent.name == "src") / SUITE
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True)
    binary = cache / "v2.test"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            env = {
                **os.environ,
                "GO111MODULE": "off",
                "CGO_ENABLED": "0",  # no C compiler is needed
                "GOFLAGS": "",
                "GOPATH": str(sources.parents[5].parent),
                "GOCACHE": str(cache / "gocache"),
            }
            subprocess.run([go, "test", "-c", "-o", binary, "."], cwd=sources, env=env, check=True)
    return AlertmanagerAcceptance(sources, binary)


def _cache() -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return root / "quietshift-tests/alertmanager-acceptance"
