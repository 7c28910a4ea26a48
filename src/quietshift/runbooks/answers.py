"""What the runbooks' doors answer, as plain JSON values."""

from __future__ import annotations

from typing import Any

from quietshift.kernel.clock import rfc3339
from quietshift.runbooks.model import Runbook, Step, Tick
from quietshift.runbooks.usecases import Worked


def runbook(one: Runbook) -> dict[str, Any]:
    """`name`, `title`, `steps`; its text is Markdown."""
    return {"name": one.name, "title": one.title, "text": one.text, "steps": [step(s) for s in one.steps]}


def step(one: Step) -> dict[str, Any]:
    """`step` (from 1), `title`, `commands` as they are written."""
    commands = [{"language": c.language, "attributes": dict(c.attributes), "code": c.code} for c in one.commands]
    return {"step": one.number, "title": one.title, "commands": commands}


def tick(one: Tick) -> dict[str, Any]:
    """`runbook`, `step`, `title`, `outcome` (done, skipped, failed), `note`, `actor`, `at`."""
    return {
        "runbook": one.runbook, "step": one.step, "title": one.title, "outcome": one.outcome.value, "note": one.note,
        "actor": one.actor, "at": rfc3339(one.at),
    }  # fmt: skip


def worked(one: Worked) -> dict[str, Any]:
    """The runbook of an incident: `runbook` (null where it is a page outside: `url`), `reason`, `steps` each with its latest
    `outcome`, `note`, `actor`, `at`, all null while it is open."""
    found = one.named.runbook
    steps = []
    for step_, ticked in one.steps:
        said = tick(ticked) if ticked else dict.fromkeys(("outcome", "note", "actor", "at"))
        steps.append({**step(step_), **{key: said[key] for key in ("outcome", "note", "actor", "at")}})
    return {
        "runbook": found.name if found else None,
        "title": found.title if found else None,
        "url": one.named.url or None,
        "reason": one.named.reason,
        "steps": steps,
    }
