"""Runbooks as they are written, and their steps as they were ticked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from quietshift.kernel.errors import NotFound


class Outcome(StrEnum):
    """What became of a step. A step without one is open: an unfinished step is not done."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Command:
    """A fenced block of a step: `sh { name=restart interactive=false }` and the code below it; `line` counts from 1."""

    language: str
    attributes: Mapping[str, str] = field(hash=False)
    code: str
    line: int

    @property
    def name(self) -> str:
        """Its name as Runme knows it; empty where none is written."""
        return self.attributes.get("name", "")


@dataclass(frozen=True)
class Step:
    """One thing to do. `number` counts from 1 through the whole runbook; `title` is plain text on one line."""

    number: int
    title: str
    commands: tuple[Command, ...]
    line: int


@dataclass(frozen=True)
class Link:
    """Where a runbook points to, as written."""

    href: str
    line: int


@dataclass(frozen=True)
class Runbook:
    """One file. `name` is its path below runbooks/ without `.md`; `text` its Markdown."""

    name: str
    title: str
    text: str
    steps: tuple[Step, ...] = ()
    links: tuple[Link, ...] = ()
    faults: tuple[tuple[int, str], ...] = ()  # line, what cannot be read there
    file: str = ""

    @property
    def alertname(self) -> str:
        """The alert that it answers by its name alone: the file's."""
        return self.name.rpartition("/")[2]

    @property
    def href(self) -> str:
        """Where the web shows it."""
        return f"/runbooks/{self.name}"

    def step(self, number: int) -> Step:
        """Raises NotFound, which says how many there are."""
        if not 1 <= number <= len(self.steps):
            raise NotFound(f"runbook {self.name} has no step {number} (it has {len(self.steps)})")
        return self.steps[number - 1]


@dataclass(frozen=True)
class Runbooks:
    """Every runbook of an ops directory by name, and the ones that catalog Components name as theirs."""

    by_name: Mapping[str, Runbook] = field(default_factory=dict, hash=False)
    of_component: Mapping[str, str] = field(default_factory=dict, hash=False)  # "component:default/checkout" -> name

    def get(self, name: str) -> Runbook:
        """The runbook. Raises NotFound with what is near."""
        if name not in self.by_name:
            import difflib

            near = difflib.get_close_matches(name, self.by_name, 1)
            raise NotFound(f"there is no runbook {name!r}" + (f" (did you mean {near[0]}?)" if near else ""))
        return self.by_name[name]

    def for_alert(self, alertname: str) -> Runbook | None:
        """`runbooks/<alertname>.md`, else the file of that name that lies least deep; of equals the first by name."""
        same = [r for r in self.by_name.values() if r.alertname == alertname]
        return min(same, key=lambda r: (r.name.count("/"), r.name), default=None)


@dataclass(frozen=True)
class Tick:
    """A step was said to be done, skipped or failed. Rows are only added; the latest of a step counts."""

    id: str
    incident_id: int
    runbook: str
    step: int
    title: str
    outcome: Outcome
    note: str
    actor: str
    at: datetime
