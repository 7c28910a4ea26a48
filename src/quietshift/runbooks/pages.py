"""The runbook as the incident's page shows it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from quietshift.incidents.model import Incident
from quietshift.kernel.db import Tx
from quietshift.runbooks import render
from quietshift.runbooks.model import Runbook, Runbooks, Step, Tick
from quietshift.runbooks.usecases import worked


def context(tx: Tx, incident: Incident, *, runbooks: Runbooks) -> dict[str, Any] | None:
    """`runbook` of incident.html: {title, href, name, outside, steps: [{n, title, html, outcome, by, at, note}]}, or None.

    A page outside has its address as title and no steps; `outside` is its address beside a runbook of ours.
    """
    found = worked(tx, incident, runbooks=runbooks)
    if found is None:
        return None
    book = found.named.runbook
    if book is None:
        return {"title": found.named.url, "href": found.named.url, "name": "", "outside": "", "steps": []}
    bodies = render.step_bodies(book)
    steps = [_step(step, tick, body) for (step, tick), body in zip(found.steps, bodies, strict=True)]
    return {"title": book.title, "href": book.href, "name": book.name, "steps": steps, "outside": found.named.url}


def _step(step: Step, tick: Tick | None, body: str) -> dict[str, Any]:
    said: dict[str, Any] = {"outcome": "", "by": "", "at": None, "note": ""}
    if tick is not None:
        said = {"outcome": tick.outcome.value, "by": tick.actor.partition(":")[2], "at": tick.at, "note": tick.note}
    return {"n": step.number, "title": step.title, "html": Markup(body), **said}  # noqa: S704 - cleaned by nh3


def body(runbook: Runbook) -> Markup:
    """The whole runbook below its title, safe to show."""
    return Markup(render.body(runbook))  # noqa: S704 - cleaned by nh3
