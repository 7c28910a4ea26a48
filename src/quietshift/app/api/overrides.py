"""Overrides made while the server runs: somebody else is on for a while, above what the ops directory says."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from quietshift.app.api.problems import documented
from quietshift.app.api.security import AppDep, Reader, Responder
from quietshift.app.api.shapes import Body, InstantIn, InstantOut, Word
from quietshift.kernel.auth import Principal
from quietshift.oncall import answers, store, usecases

router = APIRouter(prefix="/api/v1/oncall/overrides", tags=["on call"], responses=documented(404, 409))
OverrideId = Annotated[str, Path(max_length=100, description="As it was answered when it was made.")]


class OverrideOut(BaseModel):
    """One person is on from start until end: above everybody else, or in the place of one."""

    id: str
    schedule: str
    user: str
    instead_of: str = Field(description="Whose place is taken; empty: everybody's.")
    start: InstantOut
    end: InstantOut
    why: str
    created_by: str
    created_at: InstantOut


class Overriding(Body):
    schedule: Word
    user: Word = Field(description="Who is on.")
    start: InstantIn
    end: InstantIn
    instead_of: str = Field("", max_length=300, pattern=r"^[^\x00]*$", description="Take this person's place alone.")
    why: str = Field("", max_length=300, pattern=r"^[^\x00]*$")


def may_all(who: Principal) -> bool:
    """Administrators and programs change any schedule; people those that they belong to."""
    return who.user is None or who.allows("admin")


@router.get("", response_model=list[OverrideOut], summary="Overrides made at run time that are not over")
def list_overrides(
    app: AppDep, _who: Reader, schedule: Annotated[Word | None, Query(description="Of this schedule. Default: of all.")] = None,
    since: Annotated[InstantIn | None, Query(description="Also those that end after this instant. Default: now.")] = None,
) -> list[dict[str, Any]]:  # fmt: skip
    when: datetime = since or app.clock.now()
    with app.db.read() as tx:
        return [answers.change(one) for one in store.changes(tx, when, schedule)]


@router.post("", response_model=OverrideOut, status_code=201, summary="Put somebody on call for a while")
def create_override(app: AppDep, who: Responder, asked: Overriding) -> dict[str, Any]:
    with app.db.write() as tx:
        made = usecases.override(
            tx, asked.schedule, asked.user, asked.start, asked.end, who.actor, app.clock.now(), ops=app.ops.current,
            asks=who.user, anyone=may_all(who), instead=asked.instead_of, why=asked.why,
        )  # fmt: skip
    return answers.change(made)


@router.post("/{override_id}/end", response_model=OverrideOut, summary="Take an override back: it ends now, or never begins")
def end_override(app: AppDep, who: Responder, override_id: OverrideId) -> dict[str, Any]:
    with app.db.write() as tx:
        found = usecases.end_override(
            tx, override_id, who.actor, app.clock.now(), ops=app.ops.current, asks=who.user, anyone=may_all(who)
        )
    return answers.change(found)
