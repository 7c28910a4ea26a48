"""The catalog, the journal, and the server itself: its state, and work that does not advance."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from quietshift import __version__
from quietshift.app.api.links import next_page
from quietshift.app.api.problems import documented
from quietshift.app.api.security import Admin, AppDep, Reader
from quietshift.app.api.shapes import InstantOut, Limit, Word
from quietshift.catalog import answers
from quietshift.catalog.model import Catalog
from quietshift.incidents import store as incidents
from quietshift.kernel import journal, queue
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.queue import Waiting

router = APIRouter(prefix="/api/v1", responses=documented(404, 409))
Key = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[0-9a-z-]+$")]
EntityKind = Literal["Component", "System", "Domain", "Resource", "API", "Group", "User"]


class EntityOut(BaseModel):
    """Something that the catalog knows, as Backstage describes it. What is of its kind alone stands beside these."""

    model_config = {"extra": "allow"}
    ref: str = Field(examples=["component:default/checkout"])
    kind: str
    name: str
    namespace: str
    title: str
    description: str
    file: str
    line: int


class OwnerOut(BaseModel):
    """Something that can be owned, and who answers for it; owner null: nobody."""

    ref: str
    owner: str | None
    people: list[str]
    file: str
    line: int


class ActOut(BaseModel):
    """An act on record. why and data are null where the payload was erased; seq is its place in the sealed chain."""

    id: str
    at: InstantOut
    actor: str
    act: str
    subject: str
    why: str | None
    data: dict[str, Any] | None
    seq: int | None


class WaitingOut(BaseModel):
    """A timer or an outgoing message that is not done."""

    id: str
    queue: Literal["timers", "outbox"]
    kind: str
    subject: str
    due_at: InstantOut
    state: Literal["waiting", "failing", "parked"]
    attempts: int
    error: str


class StatusOut(BaseModel):
    """How the server is."""

    version: str
    database: Literal["sqlite", "postgresql"]
    ailments: list[str] = Field(description="What is wrong with the engine; empty where it turns and nothing is overdue.")
    parked: int = Field(description="Rows that were given up and wait for a person.")
    incidents: dict[str, int] = Field(description="How many there are in each state.")
    journal_head: str = Field(description="SEQ:HEX of the newest seal; keep it elsewhere to find a cut-off tail.")
    config_problems: list[str] = Field(description="Why the last reload was refused; empty where it was not.")
    config_warnings: list[str]


@router.get("/catalog", response_model=list[EntityOut], tags=["catalog"], summary="Everything in the catalog")
def list_entities(
    app: AppDep, _who: Reader, kind: Annotated[EntityKind | None, Query(description="Of this kind alone.")] = None
) -> list[dict[str, Any]]:
    found = answers.entities(app.ops.current.get(Catalog))
    return [entity for entity in found if kind is None or entity["kind"] == kind]


@router.get("/catalog/owners", response_model=list[OwnerOut], tags=["catalog"], summary="Who owns what, the unowned first")
def list_owners(app: AppDep, _who: Reader) -> list[dict[str, Any]]:
    return answers.owners(app.ops.current.get(Catalog))


@router.get("/journal", response_model=list[ActOut], tags=["journal"], summary="Who did what, newest first")
def list_acts(
    request: Request,
    response: Response,
    app: AppDep,
    _who: Admin,
    subject: Annotated[Word | None, Query(description="Acts on this alone, like incident:INC-1042 or account:ana.")] = None,
    limit: Limit = 100,
    cursor: Annotated[str | None, Query(max_length=64, pattern=r"^[0-9a-z]+$", description="Older than this act.")] = None,
) -> list[dict[str, Any]]:
    with app.db.read() as tx:
        found = journal.entries(tx, subject=subject, before=cursor, limit=limit + 1)
    next_page(request, response, found, limit, lambda entry: entry.id)
    return [
        {
            "id": e.id, "at": rfc3339(e.at), "actor": e.actor, "act": e.act, "subject": e.subject, "why": e.why,
            "data": e.data, "seq": e.seq,
        }
        for e in found[:limit]
    ]  # fmt: skip


@router.get("/queue", response_model=list[WaitingOut], tags=["system"], summary="Work that waits, what is parked first")
def list_queue(
    app: AppDep, _who: Admin, parked: Annotated[bool, Query(description="Parked rows alone.")] = False, limit: Limit = 100
) -> list[dict[str, Any]]:
    with app.db.read() as tx:
        return [_waiting(row) for row in queue.waiting(tx, parked=parked, limit=limit)]


@router.post("/queue/{row}/retry", response_model=WaitingOut, tags=["system"], summary="Try a parked row again, now")
def retry_queue_row(app: AppDep, who: Admin, row: Key) -> dict[str, Any]:
    with app.db.write() as tx:
        return _waiting(queue.retry(tx, row, who.actor, app.clock.now()))


def _waiting(row: Waiting) -> dict[str, Any]:
    return {
        "id": row.id, "queue": row.queue, "kind": row.kind, "subject": row.subject, "due_at": rfc3339(row.due_at),
        "state": row.state, "attempts": row.attempts, "error": row.error,
    }  # fmt: skip


@router.get("/status", response_model=StatusOut, tags=["system"], summary="How the server is")
def get_status(app: AppDep, _who: Reader) -> dict[str, Any]:
    ailments = app.ailments()
    with app.db.read() as tx:
        counts = incidents.count_by_state(tx)
        return {
            "version": __version__, "database": app.db.dialect, "ailments": ailments,
            "parked": len(queue.waiting(tx, parked=True, limit=1000)), "incidents": {str(s): n for s, n in counts.items()},
            "journal_head": journal.head(tx), "config_problems": [str(p) for p in app.ops.problems],
            "config_warnings": [str(p) for p in app.ops.warnings],
        }  # fmt: skip
