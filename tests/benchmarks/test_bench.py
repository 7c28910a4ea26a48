"""`./run bench` measures every work of its table, and judges as it says. Figures themselves are not tested."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def report() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_report", BENCHMARKS / "report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.needs("alertmanager")
def test_every_work_is_measured_and_a_storm_loses_nobody(report: ModuleType, tmp_path: Path) -> None:
    told, page = tmp_path / "table.json", tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}old\n{report.END}\nafter\n")
    command = [sys.executable, BENCHMARKS / "run.py", "--size", "tiny", "--json", told, "--markdown", page]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=85, check=False)
    assert done.returncode == 0, done.stderr
    rows = {row["key"]: row for row in json.loads(told.read_text())["rows"]}
    assert list(rows) == [work.key for work in report.WORKS]
    assert rows["storm-lost"]["ours"] == 0
    assert 1 < rows["storm-messages"]["ours"] < 15  # of 30 incidents
    for key in ("repeats", "new", "webhook", "groups", "get-alerts", "get-groups", "memory"):
        assert rows[key]["ratio"] > 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "| GET /api/v2/alerts/groups, 300 active |" in text
    assert "old" not in text.splitlines()


def table_of(report: ModuleType, key: str, ours: list[float], theirs: list[float]) -> object:
    table = report.Table()
    for mine, other in zip(ours, theirs, strict=True):
        table.add(key, report.THEIRS, other)
        table.add(key, report.OURS, mine)
    return table.rows()[0]


@pytest.mark.parametrize(
    ("key", "ours", "theirs", "verdict"),
    [
        ("repeats", [800, 810, 820], [100, 100, 100], "goal"),
        ("repeats", [500, 510, 520], [100, 100, 100], "bar"),
        ("repeats", [480, 490, 510], [100, 100, 100], "within noise"),  # 3 % of noise, 2 % below
        ("repeats", [400, 405, 410], [100, 100, 100], "BELOW"),
        ("memory", [20, 21, 22], [100, 100, 100], "goal"),
        ("memory", [90, 95, 99], [100, 100, 100], "bar"),
        ("memory", [100, 102, 106], [100, 100, 100], "within noise"),
        ("memory", [150, 151, 152], [100, 100, 100], "BELOW"),
        ("webhook-p99", [900, 900, 900], [1, 1, 1], ""),
    ],
)
def test_a_work_is_judged_by_its_ratio_and_the_noise_of_its_rounds(
    report: ModuleType, key: str, ours: list[float], theirs: list[float], verdict: str
) -> None:
    assert table_of(report, key, ours, theirs).verdict() == verdict  # type: ignore[attr-defined]  # a module loaded by path


def test_what_stands_alone_is_judged_by_its_limit(report: ModuleType) -> None:
    table = report.Table()
    table.add("pages-late", report.OURS, 999.0)
    table.add("storm-lost", report.OURS, 1.0)
    assert [row.verdict() for row in table.rows()] == ["bar", "BELOW"]
    assert [row.work.key for row in table.below()] == ["storm-lost"]
