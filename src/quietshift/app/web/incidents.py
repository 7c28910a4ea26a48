"""The pages of incidents, and what is done on them. Every form works without a script: it answers 303, back to its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from markupsafe import Markup
from starlette.responses import Response

from quietshift.app.api.security import AppDep
from quietshift.app.web import incident_views as views
from quietshift.app.web.frame import Frame
from quietshift.app.web.names import person
from quietshift.app.web.visitor import FormText, FormWord, FrameDep, QueryText, Visitor
from quietshift.app.wire import App
from quietshift.catalog.model import Catalog
from quietshift.incidents import store, usecases
from quietshift.incidents.model import Incident, State, parse_ref
from quietshift.incidents.timeline import timeline
from quietshift.kernel.auth import Principal
from quietshift.kernel.db import Tx
from quietshift.kernel.durations import parse_duration
from quietshift.kernel.errors import Conflict, Invalid, NotFound
from quietshift.paging import store as paging
from quietshift.runbooks import pages as runbook_pages
from quietshift.runbooks import usecases as runbooks
from quietshift.runbooks.model import Runbooks

router = APIRouter(include_in_schema=False)
PAGE = 50
SEARCHED = 2000  # newest incidents that a search looks through
OPEN = (State.TRIGGERED, State.ACKNOWLEDGED)
FILTERS: tuple[tuple[str, str, tuple[State, ...]], ...] = (
    ("open", "Open", OPEN), ("triggered", "Triggered", (State.TRIGGERED,)),
    ("acknowledged", "Acknowledged", (State.ACKNOWLEDGED,)), ("resolved", "Resolved", (State.RESOLVED,)),
)  # fmt: skip


def responder(who: Visitor) -> Principal:
    """Somebody who may act."""
    who.require("respond")
    return who


Acting = Annotated[Principal, Depends(responder)]
Ref = Annotated[str, Path(max_length=40)]


# -- the list ------------------------------------------------------------------------------------------------------------


@router.get("/incidents")
def list_page(
    request: Request, app: AppDep, frame: FrameDep, _who: Visitor, state: QueryText = "open", q: QueryText = "",
    policy: QueryText = "", alert: QueryText = "", page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    before: Annotated[str, Query(max_length=40)] = "",
) -> Response:  # fmt: skip
    """Open ones are shown the loudest first, page by page, and above them by policy and alert where there are many."""
    ops = app.ops.current
    states = next((states for key, _, states in FILTERS if key == state), OPEN)
    edge = parse_ref(before) if before else None
    kept = {"policy": policy, "alert": alert}

    def href(**changes: object) -> str:
        return list_href({"state": state, **kept, **changes})

    only = {"policy": policy or None, "alertname": alert or None}
    with app.db.read() as tx:
        counts = store.count_by_state(tx, **only)
        more = None
        if q.strip():
            every = store.find(tx, limit=SEARCHED, before=edge)
            found = views.loudest_first([incident for incident in every if _matches(incident, q)][:PAGE])
        elif State.RESOLVED in states:
            found = store.find(tx, states=states, limit=PAGE + 1, before=edge, **only)
            more = href(before=found[PAGE - 1].ref) if len(found) > PAGE else None
            found = views.loudest_first(found[:PAGE])
        else:
            found = store.loudest(tx, states, skip=(page - 1) * PAGE, limit=PAGE + 1, **only)
            more = href(page=page + 1) if len(found) > PAGE else None
        rows = [views.row(tx, ops, incident) for incident in found[:PAGE]]
        number = sum(counts[s] for s in states)
        many = number > PAGE and not q.strip() and State.RESOLVED not in states and not alert
        alike = store.alike(tx, states, policy=policy or None) if many else []
    filters = [
        {
            "label": label, "href": list_href({**kept, "state": key}), "current": key == state and not q,
            "number": sum(counts[s] for s in states) if key != "resolved" else None,
        }
        for key, label, states in FILTERS
    ]  # fmt: skip
    groups = [
        {
            "alert": one.alertname, "href": href(policy=one.policy, alert=one.alertname), "policy": one.policy,
            "number": one.number, "triggered": one.triggered,
        }
        for one in alike
    ]
    found_policies = dict.fromkeys(one.policy for one in alike)
    policies = [{"label": f"policy {name}", "href": href(policy=name)} for name in found_policies if len(found_policies) > 1]
    narrowed = [{"label": f"{name} {value}", "href": href(**{name: ""})} for name, value in kept.items() if value]
    shown = {"first": (page - 1) * PAGE + 1, "last": (page - 1) * PAGE + len(rows), "number": number} if number > PAGE else None
    return frame.page(
        request, "incidents.html", topics=["incidents"], filters=filters, q=q, incidents=rows, more=more, groups=groups,
        narrowed=narrowed, policies=policies, shown=None if q.strip() or State.RESOLVED in states else shown,
        newer=href(page=page - 1) if page > 1 and not q.strip() else None,
    )  # fmt: skip


def list_href(query: Mapping[str, object]) -> str:
    """The list of incidents with these filters; those that say nothing are left out."""
    said = {key: value for key, value in query.items() if value and (key, value) not in (("state", "open"), ("page", 1))}
    return f"/incidents?{urlencode(said)}" if said else "/incidents"


def _matches(incident: Incident, q: str) -> bool:
    words = q.casefold().split()
    text = f"{incident.ref} {incident.title} {incident.service or ''} {incident.alertname} {incident.owner or ''}".casefold()
    return all(word in text for word in words)


# -- one incident --------------------------------------------------------------------------------------------------------


@router.get("/incidents/{ref}")
def incident_page(request: Request, app: AppDep, frame: FrameDep, who: Visitor, ref: Ref) -> Response:
    return show(request, app, frame, who, parse_ref(ref))


def show(
    request: Request, app: App, frame: Frame, who: Principal, number: int, *, wrong: str = "", status: int = 200
) -> Response:
    """The page of one incident. wrong: what could not be done, and why."""
    ops, now, zone = app.ops.current, app.clock.now(), request.state.viewer["zone"]
    with app.db.read() as tx:
        incident = store.get(tx, number)
        pages = paging.pages(tx, number)
        context: dict[str, Any] = {
            "incident": views.head(ops, incident, zone), "can": views.may(who, incident),
            "paged": views.paged_viewer(pages, who.user), "next": views.next_page(ops, paging.next_step(tx, number)),
            "responders": views.people(ops, incident, pages), "also": views.near(tx, incident),
            "runbook": runbook_pages.context(tx, incident, runbooks=ops.get(Runbooks)),
            "timeline": views.timeline(ops, timeline(tx, number), pages), "alertname": incident.alertname,
            "panels": _panels(app, frame, request, tx, incident),
        }  # fmt: skip
    people = sorted(((user.id, person(ops, user.id)["name"]) for user in ops.get(Catalog).users), key=lambda pair: pair[1])
    flash = [{"kind": "wrong", "text": wrong}] if wrong else []
    return frame.page(
        request, "incident.html", status, topics=[f"incident:{number}"], flash=flash, now=now, budget=None,
        people=people, severities=views.SEVERITIES, **context,
    )  # fmt: skip


def _panels(app: App, frame: Frame, request: Request, tx: Tx, incident: Incident) -> list[dict[str, Any]]:
    shown = []
    for panel in app.registry.incident_panels:
        context = panel.context(tx, incident, app.clock.now())
        if context is not None:
            html = frame.env.get_template(panel.template).render(viewer=request.state.viewer, now=app.clock.now(), **context)
            shown.append({"title": panel.name, "html": Markup(html)})  # noqa: S704 - made by an autoescaping template
    return shown


# -- acting --------------------------------------------------------------------------------------------------------------


def _act(
    request: Request, app: App, frame: Frame, who: Principal, ref: str, done: str, act: Callable[[Tx, int], object]
) -> Response:
    """Do it and go back to the page; what cannot be done is told there."""
    number = parse_ref(ref)
    try:
        with app.db.write() as tx:
            act(tx, number)
    except (Conflict, Invalid) as error:
        said = str(error)
        return show(request, app, frame, who, number, wrong=said[:1].upper() + said[1:] + ".", status=error.status)
    return frame.redirect(f"/incidents/INC-{number}", done)


@router.post("/incidents/{ref}/acknowledge")
def acknowledge(request: Request, app: AppDep, frame: FrameDep, who: Acting, ref: Ref) -> Response:
    now = app.clock.now()
    return _act(request, app, frame, who, ref, "You have it. Paging has stopped.",
                lambda tx, n: usecases.acknowledge(tx, n, who.actor, now))  # fmt: skip


@router.post("/incidents/{ref}/resolve")
def resolve(
    request: Request, app: AppDep, frame: FrameDep, who: Acting, ref: Ref, verdict: FormWord = "", why: FormText = ""
) -> Response:
    now = app.clock.now()
    return _act(request, app, frame, who, ref, "Resolved.",
                lambda tx, n: usecases.resolve(tx, n, who.actor, now, verdict=verdict or None, why=why))  # fmt: skip


@router.post("/incidents/{ref}/classify")
def classify(request: Request, app: AppDep, frame: FrameDep, who: Acting, ref: Ref, verdict: FormWord = "") -> Response:
    now = app.clock.now()
    return _act(request, app, frame, who, ref, "Noted: that is what the page was.",
                lambda tx, n: usecases.classify(tx, n, who.actor, verdict, now))  # fmt: skip


@router.post("/incidents/{ref}/snooze")
def snooze(
    request: Request, app: AppDep, frame: FrameDep, who: Acting, ref: Ref,
    span: Annotated[str, Form(alias="for", max_length=20)] = "1h",
) -> Response:  # fmt: skip
    now = app.clock.now()

    def act(tx: Tx, number: int) -> object:
        try:
            until = now + parse_duration(span)
        except ValueError as error:
            raise Invalid(str(error)) from None
        return usecases.snooze(tx, number, who.actor, until, now)

    return _act(request, app, frame, who, ref, f"Snoozed for {span}: then it pages again, unless it is resolved.", act)


@router.post("/incidents/{ref}/escalate")
def escalate(request: Request, app: AppDep, frame: FrameDep, who: Acting, ref: Ref, because: FormWord = "") -> Response:
    now, ops, settings = app.clock.now(), app.ops.current, app.settings
    why = "cannot take it" if because == "cannot" else ""
    return _act(request, app, frame, who, ref, "The next step is being paged.",
                lambda tx, n: usecases.escalate_now(tx, n, who.actor, now, ops=ops, settings=settings, why=why))  # fmt: skip


@router.post("/incidents/{ref}/reassign")
def reassign(request: Request, app: AppDep, frame: FrameDep, who: Acting, ref: Ref, user: FormWord = "") -> Response:
    now, ops, settings = app.clock.now(), app.ops.current, app.settings
    target = user if ":" in user else f"user:{user}"
    done = f"{person(ops, user)['name']} is being paged."
    return _act(request, app, frame, who, ref, done,
                lambda tx, n: usecases.reassign(tx, n, who.actor, [target], now, ops=ops, settings=settings))  # fmt: skip


@router.post("/incidents/{ref}/note")
def note(request: Request, app: AppDep, frame: FrameDep, who: Acting, ref: Ref, text: FormText = "") -> Response:
    now = app.clock.now()
    return _act(request, app, frame, who, ref, "", lambda tx, n: usecases.note(tx, n, who.actor, text, now))


@router.post("/incidents/{ref}/severity")
def severity(request: Request, app: AppDep, frame: FrameDep, who: Acting, ref: Ref, severity: FormWord = "") -> Response:
    now = app.clock.now()
    return _act(request, app, frame, who, ref, f"Its severity is {severity} now, whatever alerts say.",
                lambda tx, n: usecases.set_severity(tx, n, who.actor, severity, now))  # fmt: skip


@router.post("/incidents/{ref}/reopen")
def reopen(request: Request, app: AppDep, frame: FrameDep, who: Acting, ref: Ref) -> Response:
    now, ops, settings = app.clock.now(), app.ops.current, app.settings
    return _act(request, app, frame, who, ref, "Reopened: it pages again, from the first step.",
                lambda tx, n: usecases.reopen(tx, n, who.actor, now, ops=ops, settings=settings))  # fmt: skip


@router.post("/incidents/{ref}/steps/{step}")
def tick(
    request: Request, app: AppDep, frame: FrameDep, who: Acting, ref: Ref, step: Annotated[int, Path(ge=1, le=10_000)],
    runbook: FormWord = "", outcome: FormWord = "", note: FormText = "",
) -> Response:  # fmt: skip
    books, now = app.ops.current.get(Runbooks), app.clock.now()
    return _act(request, app, frame, who, ref, "",
                lambda tx, n: runbooks.tick(tx, n, runbook, step, outcome, note, who.actor, now, runbooks=books))  # fmt: skip


# -- runbooks ------------------------------------------------------------------------------------------------------------


@router.get("/runbooks/{name:path}")
def runbook_page(request: Request, app: AppDep, frame: FrameDep, _who: Visitor, name: str) -> Response:
    books = app.ops.current.get(Runbooks)
    if name not in books.by_name and name.removesuffix(".md") in books.by_name:
        return frame.redirect(f"/runbooks/{name.removesuffix('.md')}")
    book = books.get(name)
    if not book.text.strip():
        raise NotFound(f"runbook {name!r} is empty: write it in {book.file}")
    return frame.page(request, "runbook.html", title=book.title, file=book.file, body=runbook_pages.body(book))
