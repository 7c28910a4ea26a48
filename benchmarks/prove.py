"""How long `quietshift prove` takes at its size: 1,000 services, 200 schedules, 4 weeks; it has to be under 5 s.

    .venv/bin/python benchmarks/prove.py

Seconds of processor time, and beside them those of reading the files alone (`quietshift check`), which no proof can do without.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

START = datetime(2026, 11, 22, tzinfo=UTC)
ZONES = ("Europe/Berlin", "America/Chicago", "Asia/Singapore", "Australia/Lord_Howe")
BAR = 5.0  # seconds


def write(folder: Path, services: int, schedules: int) -> Path:
    """An ops directory of that size: daily rotations, nights and days by other people, each policy with two schedules."""
    teams = max(1, schedules // 2)
    catalog: list[dict[str, Any]] = []
    oncall: list[dict[str, Any]] = []
    for number in range(teams):
        team, people = f"team-{number}", [f"u{number}-{i}" for i in range(6)]
        catalog.append(_entity("Group", team, {"type": "team", "children": []}))
        for person in people:
            catalog.append(_entity("User", person, {"memberOf": [team]}))
            oncall.append(_own("Contacts", person, {"rules": [{"after": "0s", "via": f"mailto:{person}@example.org"}]}))
        for kind in ("first", "second"):
            layers = [
                {"name": "night", "rotation": _daily("21:00"), "users": people[:3]},
                {
                    "name": "day", "rotation": _daily("09:00"), "users": people[3:],
                    "only": [{"days": ["Mon", "Tue", "Wed", "Thu", "Fri"], "from": "09:00", "until": "21:00"}],
                },
            ]  # fmt: skip
            spec = {"owner": f"group:{team}", "timeZone": ZONES[number % len(ZONES)], "layers": layers}
            oncall.append(_own("Schedule", f"{team}-{kind}", spec))
        steps = [{"after": "0s", "targets": [f"schedule:{team}-first"]}, {"after": "5m", "targets": [f"schedule:{team}-second"]}]
        oncall.append(_own("EscalationPolicy", team, {"owner": f"group:{team}", "repeat": 3, "steps": steps}))
    for number in range(services):
        spec = {"type": "service", "lifecycle": "production", "owner": f"group:team-{number % teams}"}
        catalog.append(_entity("Component", f"service-{number}", spec))
    routes = [
        {"receiver": f"team-{n}", "matchers": [f'service=~"{"|".join(f"service-{i}" for i in range(n, services, teams))}"']}
        for n in range(teams)
        if n < services
    ]
    names = [f"team-{n}" for n in range(teams)]
    for path, documents in {
        "catalog/all.yaml": catalog, "oncall/all.yaml": oncall,
        "alertmanager.yml": [{"route": {"receiver": names[0], "routes": routes}, "receivers": [{"name": n} for n in names]}],
        "quietshift.yaml": [{"receivers": {name: {"escalation_policy": name} for name in names}}],
    }.items():  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=False))
    return folder


def _daily(handoff: str) -> dict[str, Any]:
    return {"unit": "day", "every": 1, "handoff": handoff, "start": "2026-01-05"}


def _entity(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _own(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "quietshift.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def measure(folder: Path) -> tuple[float, float]:
    """Processor seconds of reading the directory, and of proving it."""
    from quietshift.app.parts import read_ops
    from quietshift.app.prove import prove

    began = time.process_time()
    loaded, problems = read_ops(folder)
    problems.raise_errors()
    read = time.process_time()
    prove(loaded, START, START + timedelta(weeks=4))
    return read - began, time.process_time() - read


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 1 where the whole command takes longer than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--schedules", type=int, default=200)
    wanted = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = write(Path(temporary), wanted.services, wanted.schedules)
        reading, proving = min(measure(folder) for _ in range(3))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-c", "from quietshift.app.cli import main; main()", "prove", str(folder), "-o", "json"]
        subprocess.run([*command, "--from", "2026-11-22"], stdout=subprocess.DEVNULL, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"reading {reading:.2f} s, proving {proving:.2f} s ({proving / reading:.2f} times reading), "
          f"the whole command {whole:.2f} s (bar {BAR:g} s)")  # fmt: skip
    return 1 if whole > BAR else 0


if __name__ == "__main__":
    sys.exit(main())
