"""What the link in a page opens: `/p/<token>`. A capability, so there is no sign-in; GET changes nothing, for mail scanners
follow links. A webhook's `acknowledge_url` is the same address, and answers a POST with JSON.

The link of a message that told of many incidents shows them, and acknowledges all that nobody has yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from quietshift.app.api.security import AppDep
from quietshift.app.web import incident_views as views
from quietshift.app.web.frame import Frame
from quietshift.app.web.names import actor, owner_zone, person
from quietshift.app.web.visitor import FormWord, FrameDep
from quietshift.app.wire import App
from quietshift.catalog.model import Catalog
from quietshift.incidents import bundles, store, usecases
from quietshift.incidents.model import Incident, as_json
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import Forbidden, IllegalTransition, Invalid
from quietshift.oncall.people import zone_of
from quietshift.paging import links
from quietshift.paging import store as paging
from quietshift.paging.links import AckLink, Expired
from quietshift.runbooks import pages as runbook_pages
from quietshift.runbooks.model import Runbooks

router = APIRouter(include_in_schema=False)
SHOWN = 50  # incidents of a bundle that its page lists


def _read(app: App, token: str) -> AckLink:
    link = links.read(app.key_for("ack-link"), token, app.clock.now())
    if app.ops.current.get(Catalog).user(link.user) is None:
        raise Forbidden(f"{link.user} is no longer in the catalog: the link is void")
    return link


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


@router.get("/p/{token}")
def link_page(request: Request, app: AppDep, frame: FrameDep, token: str) -> Response:
    try:
        link = _read(app, token)
    except Expired as error:
        return _expired(request, frame, error)
    ops = app.ops.current
    if link.incident_id is None:
        return _bundle_page(request, app, frame, link, token)
    with app.db.read() as tx:
        incident = store.get(tx, link.incident_id)
        upcoming = views.next_page(ops, paging.next_step(tx, incident.id))
        facts = [f"Also: {one['text']}" for one in views.near(tx, incident)]
        runbook = runbook_pages.context(tx, incident, runbooks=ops.get(Runbooks))
    zone = owner_zone(ops, incident.owner, zone_of(link.user, ops))
    return frame.page(
        request, "ack.html", link=_link(app, incident, link, token), incident=views.head(ops, incident, zone), next=upcoming,
        reader_zone=zone_of(link.user, ops), facts=facts, steps=[step["title"] for step in runbook["steps"]] if runbook else [],
    )  # fmt: skip


def _bundle_page(request: Request, app: App, frame: Frame, link: AckLink, token: str) -> Response:
    """All that one message told of: those that nobody has, the first of them by name."""
    ops = app.ops.current
    with app.db.read() as tx:
        found = bundles.progress(tx, link.page_id)
        shown = [store.get(tx, number) for number in found.left[:SHOWN]]
        rows = [views.row(tx, ops, incident) for incident in views.loudest_first(shown)]
        upcoming = views.next_page(ops, paging.next_step(tx, found.left[0])) if found.left else None
    bundle = {
        "action": links.PATH + token, "person": person(ops, link.user), "policy": found.bundle.policy, "at": found.bundle.due_at,
        "pages": found.bundle.pages, "left": len(found.left), "by": actor(ops, found.by) if found.by else None,
        "list": f"/incidents?{urlencode({'policy': found.bundle.policy})}",
    }  # fmt: skip
    zone = zone_of(link.user, ops)
    return frame.page(request, "ack_bundle.html", bundle=bundle, incidents=rows, next=upcoming, zone=zone, reader_zone=zone)


def _link(app: App, incident: Incident, link: AckLink, token: str) -> dict[str, Any]:
    ops = app.ops.current
    state, by, at = "open", "", None
    if not incident.is_open:
        state, by, at = "resolved", incident.resolved_by, incident.resolved_at
    elif incident.acknowledged_at is not None:
        state, by, at = "acknowledged", incident.acknowledged_by, incident.acknowledged_at
    who = actor(ops, by) if by else None
    return {"state": state, "action": links.PATH + token, "person": person(ops, link.user), "by": who, "at": at}


def _expired(request: Request, frame: Frame, error: Expired) -> Response:
    """What stands in the incident by now is for those who are signed in."""
    bundled = error.link.incident_id is None
    ref = "the open incidents" if bundled else f"INC-{error.link.incident_id}"
    detail = f"It was good until {error.link.expires_at:%a %-d %b %H:%M} UTC."
    return frame.page(
        request, "error.html", 410, title="This link has expired", detail=detail,
        todo="Sign in to act on the incident; the next page carries a new link.",
        back={"href": "/incidents" if bundled else f"/incidents/{ref}", "label": f"Sign in and open {ref}"},
    )  # fmt: skip


def _act(request: Request, app: App, frame: Frame, token: str, act: Callable[[Tx, AckLink], dict[str, Any]]) -> Response:
    try:
        link = _read(app, token)
        with app.db.write() as tx:
            after = act(tx, link)
    except Expired as error:
        if not _is_browser(request):
            raise
        return _expired(request, frame, error)
    except IllegalTransition:  # it is over meanwhile: the page says so
        if not _is_browser(request):
            raise
        return frame.redirect(links.PATH + token)
    if not _is_browser(request):
        return JSONResponse(after)
    return frame.redirect(links.PATH + token)


@router.post("/p/{token}")
@router.post("/p/{token}/acknowledge")
def acknowledge_by_link(request: Request, app: AppDep, frame: FrameDep, token: str) -> Response:
    now = app.clock.now()

    def act(tx: Tx, link: AckLink) -> dict[str, Any]:
        by = f"link:{link.user}"
        if link.incident_id is None:
            return bundles.as_json(bundles.acknowledge(tx, link.page_id, by, now))
        return as_json(usecases.acknowledge(tx, link.incident_id, by, now, why="by the link in the page"))

    return _act(request, app, frame, token, act)


@router.post("/p/{token}/escalate")
def escalate_by_link(request: Request, app: AppDep, frame: FrameDep, token: str, because: FormWord = "") -> Response:
    now, ops, settings = app.clock.now(), app.ops.current, app.settings
    why = "cannot take it" if because == "cannot" else ""

    def act(tx: Tx, link: AckLink) -> dict[str, Any]:
        if link.incident_id is None:
            raise Invalid("this link is for many incidents: open one of them to escalate it")
        by = f"link:{link.user}"
        return as_json(usecases.escalate_now(tx, link.incident_id, by, now, ops=ops, settings=settings, why=why))

    return _act(request, app, frame, token, act)
