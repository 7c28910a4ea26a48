"""Requests for cover: somebody asks that another takes their place; offered, then taken, declined or withdrawn."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from quietshift.app.api.overrides import may_all
from quietshift.app.api.problems import documented
from quietshift.app.api.security import AppDep, Reader, Responder
from quietshift.app.api.shapes import Body, InstantIn, InstantOut, Word
from quietshift.kernel.auth import Principal
from quietshift.kernel.errors import Forbidden, Invalid
from quietshift.oncall import answers, cover_store, covers
from quietshift.oncall.model import CoverState

router = APIRouter(prefix="/api/v1/oncall/covers", tags=["on call"], responses=documented(404, 409))
CoverId = Annotated[str, Path(max_length=100, description="As it was answered when it was asked for.")]
ForWhom = Field("", max_length=300, pattern=r"^[^\x00]*$", description="Who; a program and an administrator may say so.")


class SpanOut(BaseModel):
    start: InstantOut
    end: InstantOut


class CoverOut(BaseModel):
    """A person asks that somebody takes their place for a while."""

    id: str
    schedule: str
    user: str = Field(description="Who asks.")
    start: InstantOut
    end: InstantOut
    back: SpanOut | None = Field(description="A swap: the time that they take in return.")
    asked: list[str] = Field(description="Who may take it; empty: everybody of the schedule.")
    declined: list[str]
    state: CoverState
    taken_by: str
    why: str
    created_at: InstantOut
    updated_at: InstantOut
    warnings: list[str] = Field(description="The rest rules that taking it breaks.")


class Span(Body):
    start: InstantIn
    end: InstantIn


class Asking(Body):
    schedule: Word
    user: str = ForWhom
    start: InstantIn
    end: InstantIn
    back: Span | None = Field(None, description="A swap: take this time of whoever takes it.")
    asked: list[Word] = Field(default=[], max_length=100, description="Who may take it. Default: everybody of the schedule.")
    why: str = Field("", max_length=300, pattern=r"^[^\x00]*$")


class Answering(Body):
    user: str = ForWhom


def _who(who: Principal, named: str) -> str:
    """For whom it is said: a person speaks for themselves, a program or an administrator for whom they name."""
    if named and named != who.user and not may_all(who):
        raise Forbidden("people answer for themselves; an administrator may for others")
    if not named and who.user is None:
        raise Invalid("say who: a program has no shifts of its own (`user`)")
    return named or who.user or ""


@router.get("", response_model=list[CoverOut], summary="Requests for cover, the newest first")
def list_covers(
    app: AppDep, _who: Reader, schedule: Annotated[Word | None, Query(description="Of this schedule. Default: of all.")] = None,
    state: Annotated[list[CoverState] | None, Query(description="Default: offered.")] = None,
) -> list[dict[str, Any]]:  # fmt: skip
    with app.db.read() as tx:
        return [answers.cover(one) for one in cover_store.covers(tx, state or [CoverState.OFFERED], schedule)]


@router.post("", response_model=CoverOut, status_code=201, summary="Ask that somebody takes your place")
def ask_for_cover(app: AppDep, who: Responder, asked: Asking) -> dict[str, Any]:
    back = (asked.back.start, asked.back.end) if asked.back else None
    with app.db.write() as tx:
        made = covers.ask(
            tx, asked.schedule, _who(who, asked.user), asked.start, asked.end, who.actor, app.clock.now(),
            ops=app.ops.current, back=back, asked=asked.asked, why=asked.why,
        )  # fmt: skip
    return answers.cover(made)


@router.post("/{cover_id}/take", response_model=CoverOut, summary="Take it; the answer warns of rest rules that this breaks")
def take_cover(app: AppDep, who: Responder, cover_id: CoverId, said: Answering) -> dict[str, Any]:
    with app.db.write() as tx:
        return answers.cover(
            *covers.take(tx, cover_id, _who(who, said.user), who.actor, app.clock.now(), ops=app.ops.current)
        )


@router.post("/{cover_id}/decline", response_model=CoverOut, summary="Say no; declined once everybody has who was asked by name")
def decline_cover(app: AppDep, who: Responder, cover_id: CoverId, said: Answering) -> dict[str, Any]:
    with app.db.write() as tx:
        found = covers.decline(tx, cover_id, _who(who, said.user), who.actor, app.clock.now(), ops=app.ops.current)
        return answers.cover(found)


@router.post("/{cover_id}/withdraw", response_model=CoverOut, summary="Take one's request back")
def withdraw_cover(app: AppDep, who: Responder, cover_id: CoverId) -> dict[str, Any]:
    with app.db.write() as tx:
        found = covers.withdraw(tx, cover_id, who.user or "", who.actor, app.clock.now(), anyone=may_all(who))
        return answers.cover(found)
