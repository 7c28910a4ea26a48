"""What was measured, round by round: the table, its bars, and how much of a difference is noise."""

from __future__ import annotations

import os
import platform
import re
import statistics
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->"
OURS, THEIRS = "quietshift", "alertmanager"


@dataclass(frozen=True)
class Work:
    """A row. bar, goal: ours to theirs, at least where `more` is better, else at most; None: told, not judged. limit: ours alone,
    at most, in the row's unit."""

    key: str
    title: str
    unit: str
    more: bool = False
    bar: float | None = None
    goal: float | None = None
    limit: float | None = None


WORKS = (
    Work("repeats", "repeats of firing alerts", "alerts/s", more=True, bar=5, goal=8),
    Work("new", "new alerts, answered", "alerts/s", more=True, bar=1.5, goal=4),
    Work("new-listed", "new alerts, until a GET lists the last one", "alerts/s", more=True),
    Work("webhook", "POST to webhook, one at a time: median", "ms", bar=5, goal=2),
    Work("webhook-p99", "POST to webhook, one at a time: p99", "ms"),
    Work("groups", "POST to webhook, groups over 64 connections: median", "ms", bar=5, goal=1),
    Work("groups-p99", "POST to webhook, groups over 64 connections: p99", "ms", bar=5, goal=1),
    Work("get-alerts", "GET /api/v2/alerts", "ms", bar=0.5, goal=0.1),
    Work("get-groups", "GET /api/v2/alerts/groups", "ms", bar=0.5, goal=0.1),
    Work("memory", "resident memory, listed once", "MB", bar=1, goal=0.3),
    Work("pages-late", "a page due during repeats and new alerts, attempted late by: p99.9", "ms", limit=1000),
    Work("storm-late", "a page due during a storm, attempted late by: p99.9", "ms", limit=1000),
    Work("storm-answer", "another alert during a storm, answered: p99", "ms"),
    Work("storm-elsewhere", "another alert during a storm, POST to its first page: p99", "ms"),
    Work("storm-incidents", "storm: until every group has its incident", "s"),
    Work("storm-messages", "storm: messages to the person on call", "messages"),
    Work("storm-lost", "storm: incidents that nobody was told of", "incidents", limit=0),
)
BY_KEY = {work.key: work for work in WORKS}


@dataclass
class Row:
    """The medians of a work's rounds. noise: half of the spread of ratios (of ours, where it stands alone) to their median."""

    work: Work
    ours: float
    theirs: float | None
    ratio: float | None
    noise: float
    scale: str
    rounds: int

    def verdict(self) -> str:
        """goal, bar, "within noise" of the bar, or BELOW; empty where nothing is asked."""
        work = self.work
        if work.limit is not None:
            return "bar" if self.ours <= work.limit else "BELOW"
        if work.bar is None or self.ratio is None:
            return ""
        if work.goal is not None and self._reaches(work.goal):
            return "goal"
        if self._reaches(work.bar):
            return "bar"
        return "within noise" if self._reaches(work.bar, self.noise) else "BELOW"

    def _reaches(self, wanted: float, noise: float = 0.0) -> bool:
        assert self.ratio is not None
        return self.ratio * (1 + noise) >= wanted if self.work.more else self.ratio <= wanted * (1 + noise)

    def as_json(self) -> dict[str, object]:
        return {
            "key": self.work.key, "work": self.work.title, "scale": self.scale, "unit": self.work.unit, "ours": self.ours,
            "theirs": self.theirs, "ratio": self.ratio, "noise": self.noise, "rounds": self.rounds, "bar": self.work.bar,
            "goal": self.work.goal, "limit": self.work.limit, "verdict": self.verdict(),
        }  # fmt: skip


@dataclass
class Table:
    """Measurements by work, peer and round."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)
    shares: dict[str, list[float]] = field(default_factory=dict)

    def note_share(self, work: str, share: float) -> None:
        """Which share of a core the sender itself took: where it is near 1, it is the sender that was measured."""
        self.shares.setdefault(work, []).append(share)
        print(f"  {'':<12} (the sender took {share:.0%} of a core)", file=sys.stderr, flush=True)

    def add(self, key: str, peer: str, value: float, scale: str = "") -> None:
        """One round's value. scale: how many of what, as it stands beside the work."""
        work = BY_KEY[key]
        self.values.setdefault(key, {}).setdefault(peer, []).append(value)
        self.scales[key] = scale
        title = f"{work.title}{', ' + scale if scale else ''}"
        print(f"  {peer:<12} {title}: {number(value)} {work.unit}", file=sys.stderr, flush=True)

    def rows(self) -> list[Row]:
        found = []
        for work in WORKS:
            peers = self.values.get(work.key)
            if not peers or OURS not in peers:
                continue
            ours, theirs = peers[OURS], peers.get(THEIRS)
            ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)] if theirs else []
            found.append(
                Row(
                    work, statistics.median(ours), statistics.median(theirs) if theirs else None,
                    statistics.median(ratios) if ratios else None, _noise(ratios or ours), self.scales[work.key], len(ours),
                )
            )  # fmt: skip
        return found

    def text(self) -> str:
        """For a terminal."""
        lines = [f"{'work':<88} {'theirs':>10} {'ours':>10} {'ratio':>7} {'noise':>6} {'bar':>6} {'goal':>6}"]
        for row in self.rows():
            work, title = row.work, f"{row.work.title}{', ' + row.scale if row.scale else ''} ({row.work.unit})"
            cells = [_cell(row.theirs), number(row.ours), _cell(row.ratio), f"{row.noise:.0%}", *_wanted(work)]
            widths = (10, 10, 7, 6, 6, 6)
            shown = " ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
            lines.append(f"{title:<88} {shown}  {row.verdict()}".rstrip())
        return "\n".join(lines) + "\n"

    def markdown(self) -> str:
        """For docs/reference/benchmarks.md."""
        lines = ["| work | Alertmanager | Quietshift | ratio | noise | bar | goal |", "|---|--:|--:|--:|--:|--:|--:|"]
        for row in self.rows():
            title = f"{row.work.title}{', ' + row.scale if row.scale else ''}"
            ratio = f"**{number(row.ratio)}×**" if row.ratio is not None else ""
            theirs = f"{number(row.theirs)} {row.work.unit}" if row.theirs is not None else ""
            bar, goal = (f"{cell}×" if cell and row.work.limit is None else cell for cell in _wanted(row.work))
            ours = f"{number(row.ours)} {row.work.unit}"
            lines.append(f"| {title} | {theirs} | {ours} | {ratio} | {row.noise:.0%} | {bar} | {goal} |")
        return "\n".join(lines) + "\n"

    def as_json(self) -> dict[str, object]:
        """Every figure."""
        return {
            "machine": machine(), "rows": [row.as_json() for row in self.rows()], "rounds": self.values,
            "sender_share": self.shares,
        }  # fmt: skip

    def put_into(self, page: Path) -> None:
        """The table, the day and the machine, between the markers of a page."""
        text = page.read_text()
        before, begin, rest = text.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise SystemExit(f"{page} has no {BEGIN.strip()} ... {END.strip()}")
        shares = max((max(found) for found in self.shares.values()), default=0.0)
        told = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; the sender took {shares:.0%} of a core at most.\n\n"
        page.write_text(before + begin + told + self.markdown() + end + after)

    def below(self) -> list[Row]:
        """What is worse than its bar by more than the noise."""
        return [row for row in self.rows() if row.verdict() == "BELOW"]


def machine() -> str:
    """Cores, processor, kernel, Python."""
    cores = len(os.sched_getaffinity(0))
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    name = found[1] if found else platform.machine()
    return f"{cores} cores of {name}, Linux {platform.release()}, Python {platform.python_version()}"


def _noise(values: list[float]) -> float:
    middle = statistics.median(values)
    return (max(values) - min(values)) / 2 / middle if middle else 0.0


def _wanted(work: Work) -> tuple[str, str]:
    if work.limit is not None:
        return f"<= {work.limit:g}", ""
    return tuple(f"{value:g}" if value is not None else "" for value in (work.bar, work.goal))  # type: ignore[return-value]  # two


def _cell(value: float | None) -> str:
    return "" if value is None else number(value)


def number(value: float) -> str:
    """Three figures, or all of them before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def percentile(values: list[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
