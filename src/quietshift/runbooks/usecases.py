"""Working through a runbook for an incident: each tick is an action of the shift."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime

from quietshift.catalog.model import Ref
from quietshift.incidents import store as incidents_store
from quietshift.incidents import usecases as incidents
from quietshift.incidents.model import Incident
from quietshift.kernel import journal
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import Invalid
from quietshift.kernel.ids import new_id
from quietshift.kernel.redact import redact_text
from quietshift.runbooks import decide, store
from quietshift.runbooks.decide import Named
from quietshift.runbooks.model import Outcome, Runbooks, Step, Tick

LONGEST_NOTE = 2000


@dataclass(frozen=True)
class Worked:
    """The runbook of an incident, and the latest tick of each of its steps; None where the step is open."""

    named: Named
    steps: tuple[tuple[Step, Tick | None], ...]


def tick(
    tx: Tx, incident_id: int, runbook: str, step: int, outcome: str, note: str, actor: str, now: datetime, *, runbooks: Runbooks
) -> Tick:
    """Say that a step is done, skipped or failed; saying otherwise later adds a row, and the latest counts.

    Raises NotFound for an incident, runbook or step that is not there, Invalid for another outcome or a note too long.
    """
    try:
        said = Outcome(outcome)
    except ValueError:
        raise Invalid(f"outcome has to be one of {', '.join(Outcome)}, not {outcome!r:.80}") from None
    if len(note) > LONGEST_NOTE:
        raise Invalid(f"the note has {len(note)} characters; {LONGEST_NOTE} at most")
    incident = incidents_store.get(tx, incident_id)
    title = runbooks.get(runbook).step(step).title
    note = redact_text(note.strip())
    made = Tick(new_id(now), incident_id, runbook, step, title, said, note, actor, now)
    store.add(tx, made)
    incidents.record_step(tx, incident_id, actor, runbook, step, title, said.value, note, now)
    journal.append(
        tx, now, actor, f"runbook.step_{said.value}", incident.subject, note, {"runbook": runbook, "step": step, "title": title}
    )
    return made


def worked(tx: Tx, incident: Incident, *, runbooks: Runbooks) -> Worked | None:
    """The runbook that the incident's alerts lead to, with how far it was worked through; None where there is none yet."""
    named = named_for(incident, runbooks)
    if named is None:
        return None
    steps = named.runbook.steps if named.runbook else ()
    ticks = decide.progress(steps, store.ticks(tx, incident.id, named.runbook.name)) if named.runbook else {}
    return Worked(named, tuple((step, ticks.get(step.number)) for step in steps))


def named_for(incident: Incident, runbooks: Runbooks) -> Named | None:
    """The runbook that the incident's alerts lead to."""
    return named_of(incident.alertname, incident.runbook_url, incident.service, runbooks)


def named_of(alertname: str, runbook_url: str, service: str | None, runbooks: Runbooks) -> Named | None:
    """The runbook of an alert. service: a Component's name or reference; any other text leads to no Component."""
    component = ""
    if service:
        with contextlib.suppress(ValueError):
            component = str(Ref.parse(service, "component"))
    return decide.runbook_for(runbooks, alertname=alertname, runbook_url=runbook_url, component=component)
