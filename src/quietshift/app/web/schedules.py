"""One schedule: who is on, and the form that puts somebody else on for a while."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import Response

from quietshift.app.api.overrides import may_all
from quietshift.app.api.security import AppDep
from quietshift.app.web import oncall_views
from quietshift.app.web.frame import Frame
from quietshift.app.web.incidents import Acting, Ref
from quietshift.app.web.names import display_name, person
from quietshift.app.web.visitor import FormWord, FrameDep, Visitor
from quietshift.app.wire import App
from quietshift.catalog.model import Catalog
from quietshift.kernel.auth import Principal
from quietshift.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from quietshift.kernel.ops import Loaded
from quietshift.oncall import store, usecases
from quietshift.oncall.config import moment
from quietshift.oncall.model import Oncall, Schedule

router = APIRouter(include_in_schema=False)
TYPED = ("user", "start", "end", "instead", "why")


@router.get("/schedules/{name}")
def schedule(request: Request, app: AppDep, frame: FrameDep, who: Visitor, name: str) -> Response:
    return _show(request, app, frame, who, name)


@router.post("/schedules/{name}/overrides")
def override(
    request: Request, app: AppDep, frame: FrameDep, who: Acting, name: str, user: FormWord = "", start: FormWord = "",
    end: FormWord = "", instead: FormWord = "", why: FormWord = "",
) -> Response:  # fmt: skip
    ops, typed = app.ops.current, {"user": user, "start": start, "end": end, "instead": instead, "why": why}
    known = ops.get(Oncall).get(name)
    try:
        begins, ends = _time(start, known.zone), _time(end, known.zone)
        with app.db.write() as tx:
            made = usecases.override(
                tx, name, user, begins, ends, who.actor, app.clock.now(), ops=ops, asks=who.user, anyone=may_all(who),
                instead=instead, why=why,
            )  # fmt: skip
    except (Invalid, Conflict, NotFound, Forbidden) as error:
        return _show(request, app, frame, who, name, typed, str(error))
    return frame.redirect(f"/schedules/{name}", f"{display_name(ops, made.override.user)} is on from {start} to {end}.")


@router.post("/schedules/{name}/overrides/{override_id}/end")
def end_override(app: AppDep, frame: FrameDep, who: Acting, name: str, override_id: Ref) -> Response:
    with app.db.write() as tx:
        usecases.end_override(
            tx, override_id, who.actor, app.clock.now(), ops=app.ops.current, asks=who.user, anyone=may_all(who)
        )
    return frame.redirect(f"/schedules/{name}", "The override is taken back.")


def _time(text: str, zone: ZoneInfo) -> datetime:
    """Of a form's field: the schedule's local time."""
    try:
        return moment(text, zone)
    except ValueError as error:
        raise Invalid(str(error)) from None


def _show(
    request: Request, app: App, frame: Frame, who: Principal, name: str, typed: dict[str, str] | None = None, wrong: str = ""
) -> Response:
    ops, now = oncall_views.with_overrides(app), app.clock.now()
    known = ops.get(Oncall).get(name)
    with app.db.read() as tx:
        changes = store.changes(tx, now, name)
    return frame.page(
        request, "schedule.html", now=now, status=422 if wrong else 200, **oncall_views.detail(ops, known, now),
        topics=[usecases.TOPIC], changes=[_change(ops, one) for one in changes], can_override=_may(known, who, ops),
        people=[(user.id, display_name(ops, user.id)) for user in ops.get(Catalog).users],
        typed=typed or dict.fromkeys(TYPED, "") | {"user": who.user or ""}, wrong=wrong,
    )  # fmt: skip


def _may(known: Schedule, who: Principal, ops: Loaded) -> bool:
    try:
        usecases.allowed(known, who.user, may_all(who), ops.get(Catalog))
    except Forbidden:
        return False
    return who.allows("respond")


def _change(ops: Loaded, change: Any) -> dict[str, Any]:
    over = change.override
    return {
        "id": change.id, "person": person(ops, over.user), "instead": display_name(ops, over.instead) if over.instead else "",
        "start": over.start, "end": over.end, "why": change.why, "by": change.created_by,
    }  # fmt: skip
