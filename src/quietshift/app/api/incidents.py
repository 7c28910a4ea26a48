"""Incidents: what the desk from a terminal and other programs read and do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from quietshift.alerts import changes
from quietshift.alerts.sources import change_as_json
from quietshift.app.api.links import next_page
from quietshift.app.api.problems import documented
from quietshift.app.api.security import AppDep, Reader, Responder
from quietshift.app.api.shapes import Body, DurationText, IncidentId, InstantIn, InstantOut, Limit, Text, Word
from quietshift.app.wire import App
from quietshift.incidents import store, usecases
from quietshift.incidents.model import Incident, as_json, parse_ref
from quietshift.incidents.timeline import entry_as_json, timeline
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.durations import parse_duration
from quietshift.kernel.errors import Invalid
from quietshift.paging import store as paging
from quietshift.paging.model import page_as_json
from quietshift.runbooks import usecases as runbooks
from quietshift.runbooks.model import Runbooks

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"], responses=documented(404, 409))
State = Literal["triggered", "acknowledged", "resolved"]
Severity = Literal["critical", "warning", "info"]
Verdict = Literal["actionable", "noise", "duplicate", "known"]


class IncidentOut(BaseModel):
    """The unit of response."""

    id: str = Field(examples=["INC-1042"])
    title: str
    state: State
    severity: Severity
    service: str | None = Field(description="The catalog's Component, where the alert's service label names one.")
    owner: str | None = Field(description="Reference of the owning group.", examples=["group:default/storage"])
    opened_at: InstantOut
    acknowledged_at: InstantOut | None
    acknowledged_by: str | None
    resolved_at: InstantOut | None
    resolved_by: str | None
    snoozed_until: InstantOut | None
    verdict: Verdict | None = Field(description="What the page was, said by whom it woke.")
    assignees: list[str]
    alertname: str
    runbook_url: str | None
    escalation_policy: str
    receiver: str
    reopened: int
    updated_at: InstantOut


class EntryOut(BaseModel):
    """A line of the timeline."""

    at: InstantOut
    kind: str
    actor: str
    text: str
    why: str
    data: dict[str, Any]


class LinkOut(BaseModel):
    href: str
    text: str


class ChangeOut(BaseModel):
    """What another tool has told of a change of the service, as a deploy."""

    at: InstantOut
    summary: str
    source: str
    integration: str
    details: dict[str, Any]
    links: list[LinkOut]


class IncidentWithTimeline(IncidentOut):
    """An incident with its story, oldest first: alerts, pages and attempts, acknowledgements, notes, runbook steps."""

    timeline: list[EntryOut]
    changes: list[ChangeOut] = Field(description="What was changed about its service in the 24 hours before it, newest first.")


class AttemptOut(BaseModel):
    """One attempt to reach a person on one channel, with the provider's answer."""

    channel: str
    via: str = Field(description="Where to, with what could be a secret masked.")
    attempt: int = Field(description="Counts from 1.")
    due_at: InstantOut
    attempted_at: InstantOut
    answered_at: InstantOut
    outcome: Literal["accepted", "temporary", "permanent"] = Field(description="temporary: it is repeated.")
    code: int | None
    answer: str = Field(description="The provider's own words.")
    final: bool = Field(description="It is not repeated.")


class PageOut(BaseModel):
    """A demand on one person's attention. step and round count from 1; step is null outside the policy's steps."""

    id: str
    user: str
    stage: Literal["step", "fallback", "last_resort", "reassigned", "test"]
    step: int | None
    round: int
    due_at: InstantOut
    reason: str
    state: Literal["open", "failed", "acknowledged", "withdrawn", "superseded", "test"]
    done: bool = Field(description="Every contact of the ladder has taken it, or refused it for good.")
    attempts: list[AttemptOut]


class StepOut(BaseModel):
    """A step of the runbook and what became of it."""

    step: int
    title: str
    outcome: Literal["done", "skipped", "failed"] | None = Field(description="null: open. An unfinished step is not done.")
    note: str
    actor: str
    at: InstantOut | None


class RunbookOut(BaseModel):
    """The runbook that the incident's alerts lead to."""

    runbook: str | None = Field(description="Its name in the ops directory; null where it is a page outside alone.")
    title: str
    url: str | None
    reason: str
    steps: list[StepOut]


class Why(Body):
    why: Text = Field("", description="The reason, for the timeline and the journal.")


class Resolve(Why):
    verdict: Verdict | None = Field(None, description="What the page was.")
    note: Text = Field("", description="A note for the timeline.")


class Snooze(Why):
    for_: DurationText | None = Field(None, alias="for")
    until: InstantIn | None = Field(None, description="Instead of `for`: until this instant.")


class NoteIn(Body):
    text: Annotated[Text, Field(min_length=1)]


class Reassign(Why):
    targets: list[Word] = Field(
        min_length=1, max_length=20, examples=[["user:bo"]], description="Each user:, schedule: or group: and a name."
    )


class SeverityIn(Why):
    severity: Severity


class Classify(Body):
    verdict: Verdict


class Tick(Body):
    runbook: Word
    step: int = Field(ge=1, le=10_000)
    outcome: Literal["done", "skipped", "failed"]
    note: Annotated[Text, Field(max_length=2000)] = ""


def _act(app: App, incident: str, act: Callable[[Tx, int], Incident]) -> dict[str, Any]:
    number = parse_ref(incident)
    with app.db.write() as tx:
        return as_json(act(tx, number))


# -- reading -------------------------------------------------------------------------------------------------------------


@router.get("", response_model=list[IncidentOut], summary="List incidents, newest first")
def list_incidents(
    request: Request,
    response: Response,
    app: AppDep,
    _who: Reader,
    state: Annotated[list[State] | None, Query(description="In this state; may be repeated. Default: every state.")] = None,
    service: Annotated[Word | None, Query(description="Of this service.")] = None,
    owner: Annotated[Word | None, Query(description="Of this owner, like group:default/storage.")] = None,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(pattern=r"^(INC-)?[0-9]{1,15}$", description="Older than this incident.")] = None,
) -> list[dict[str, Any]]:
    before = parse_ref(cursor) if cursor else None
    with app.db.read() as tx:
        found = store.find(tx, states=state, service=service, owner=owner, limit=limit + 1, before=before)
    next_page(request, response, found, limit, lambda incident: incident.ref)
    return [as_json(incident) for incident in found[:limit]]


@router.get("/{incident}", response_model=IncidentWithTimeline, summary="An incident with its timeline")
def get_incident(app: AppDep, _who: Reader, incident: IncidentId) -> dict[str, Any]:
    number = parse_ref(incident)
    with app.db.read() as tx:
        found = store.get(tx, number)
        changed = [change_as_json(change) for change in changes.before(tx, found.service, found.opened_at)]
        return as_json(found) | {"timeline": [entry_as_json(entry) for entry in timeline(tx, number)], "changes": changed}


@router.get("/{incident}/pages", response_model=list[PageOut], summary="Who was paged, and each attempt with its answer")
def list_incident_pages(app: AppDep, _who: Reader, incident: IncidentId) -> list[dict[str, Any]]:
    number = parse_ref(incident)
    with app.db.read() as tx:
        store.get(tx, number)
        return [page_as_json(page) for page in paging.pages(tx, number)]


@router.get("/{incident}/runbook", response_model=RunbookOut | None, summary="Its runbook, and how far it was worked through")
def get_incident_runbook(app: AppDep, _who: Reader, incident: IncidentId) -> dict[str, Any] | None:
    with app.db.read() as tx:
        found = runbooks.worked(tx, store.get(tx, parse_ref(incident)), runbooks=app.ops.current.get(Runbooks))
    return runbook_json(found) if found else None


# -- acting --------------------------------------------------------------------------------------------------------------


@router.post("/{incident}/acknowledge", response_model=IncidentOut, summary="Acknowledge: somebody has it, paging stops")
def acknowledge_incident(app: AppDep, who: Responder, incident: IncidentId, body: Why | None = None) -> dict[str, Any]:
    why = body.why if body else ""
    return _act(app, incident, lambda tx, n: usecases.acknowledge(tx, n, who.actor, app.clock.now(), why=why))


@router.post("/{incident}/resolve", response_model=IncidentOut, summary="Resolve: it is over")
def resolve_incident(app: AppDep, who: Responder, incident: IncidentId, body: Resolve | None = None) -> dict[str, Any]:
    said, now = body or Resolve(), app.clock.now()  # type: ignore[call-arg]  # pydantic's own defaults

    def act(tx: Tx, number: int) -> Incident:
        if said.note.strip():
            usecases.note(tx, number, who.actor, said.note, now)
        return usecases.resolve(tx, number, who.actor, now, verdict=said.verdict, why=said.why)

    return _act(app, incident, act)


@router.post("/{incident}/snooze", response_model=IncidentOut, summary="Snooze: page nobody for a while, then again")
def snooze_incident(app: AppDep, who: Responder, incident: IncidentId, body: Snooze) -> dict[str, Any]:
    now = app.clock.now()
    if (body.for_ is None) == (body.until is None):
        raise Invalid("send one of `for` (a duration) and `until` (an instant)")
    until = body.until if body.until is not None else now + parse_duration(body.for_ or "0")
    return _act(app, incident, lambda tx, n: usecases.snooze(tx, n, who.actor, until, now, why=body.why))


@router.post("/{incident}/note", response_model=IncidentOut, summary="Put words into the timeline")
def note_incident(app: AppDep, who: Responder, incident: IncidentId, body: NoteIn) -> dict[str, Any]:
    return _act(app, incident, lambda tx, n: usecases.note(tx, n, who.actor, body.text, app.clock.now()))


@router.post("/{incident}/escalate", response_model=IncidentOut, summary="Escalate now: page the policy's next step")
def escalate_incident(app: AppDep, who: Responder, incident: IncidentId, body: Why | None = None) -> dict[str, Any]:
    why, ops, settings = body.why if body else "", app.ops.current, app.settings
    return _act(
        app, incident,
        lambda tx, n: usecases.escalate_now(tx, n, who.actor, app.clock.now(), ops=ops, settings=settings, why=why),
    )  # fmt: skip


@router.post("/{incident}/reassign", response_model=IncidentOut, summary="Reassign: page these instead, at once")
def reassign_incident(app: AppDep, who: Responder, incident: IncidentId, body: Reassign) -> dict[str, Any]:
    ops, settings = app.ops.current, app.settings
    return _act(
        app, incident,
        lambda tx, n: usecases.reassign(
            tx, n, who.actor, body.targets, app.clock.now(), ops=ops, settings=settings, why=body.why
        ),
    )  # fmt: skip


@router.post("/{incident}/severity", response_model=IncidentOut, summary="Say how bad it is; kept from then on")
def set_incident_severity(app: AppDep, who: Responder, incident: IncidentId, body: SeverityIn) -> dict[str, Any]:
    return _act(
        app, incident, lambda tx, n: usecases.set_severity(tx, n, who.actor, body.severity, app.clock.now(), why=body.why)
    )


@router.post("/{incident}/reopen", response_model=IncidentOut, summary="Reopen: it is not over after all")
def reopen_incident(app: AppDep, who: Responder, incident: IncidentId, body: Why | None = None) -> dict[str, Any]:
    why, ops, settings = body.why if body else "", app.ops.current, app.settings
    return _act(
        app, incident, lambda tx, n: usecases.reopen(tx, n, who.actor, app.clock.now(), ops=ops, settings=settings, why=why)
    )


@router.post("/{incident}/classify", response_model=IncidentOut, summary="Say what the page was")
def classify_incident(app: AppDep, who: Responder, incident: IncidentId, body: Classify) -> dict[str, Any]:
    return _act(app, incident, lambda tx, n: usecases.classify(tx, n, who.actor, body.verdict, app.clock.now()))


@router.post("/{incident}/steps", response_model=RunbookOut | None, summary="Tick a runbook's step: done, skipped, failed")
def tick_incident_step(app: AppDep, who: Responder, incident: IncidentId, body: Tick) -> dict[str, Any] | None:
    books, number = app.ops.current.get(Runbooks), parse_ref(incident)
    with app.db.write() as tx:
        runbooks.tick(
            tx, number, body.runbook, body.step, body.outcome, body.note, who.actor, app.clock.now(), runbooks=books
        )
        found = runbooks.worked(tx, store.get(tx, number), runbooks=books)
    return runbook_json(found) if found else None


# -- shapes --------------------------------------------------------------------------------------------------------------


def runbook_json(found: runbooks.Worked) -> dict[str, Any]:
    """A runbook with its ticks as the API shows it."""
    book = found.named.runbook
    steps = [
        {
            "step": step.number, "title": step.title, "outcome": tick.outcome.value if tick else None,
            "note": tick.note if tick else "", "actor": tick.actor if tick else "", "at": rfc3339(tick.at) if tick else None,
        }
        for step, tick in found.steps
    ]  # fmt: skip
    return {
        "runbook": book.name if book else None, "title": book.title if book else found.named.url,
        "url": found.named.url or None, "reason": found.named.reason, "steps": steps,
    }  # fmt: skip
