"""Calendar feeds: links by which calendar programs read shifts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from quietshift.app.api.overrides import may_all
from quietshift.app.api.problems import documented
from quietshift.app.api.security import AppDep, Responder
from quietshift.app.api.shapes import Body, InstantOut, Word
from quietshift.kernel.clock import rfc3339
from quietshift.oncall import feeds

router = APIRouter(prefix="/api/v1/oncall/feeds", tags=["on call"], responses=documented(404))


class FeedOut(BaseModel):
    """A link to the shifts of a person or a schedule."""

    id: str
    subject: str = Field(examples=["user:ana", "schedule:storage"])
    created_by: str
    created_at: InstantOut


class MadeOut(FeedOut):
    """The same with the link, which is told this once."""

    url: str


class Making(Body):
    subject: Word = Field(description="`user:NAME` or `schedule:NAME`.")


def _out(feed: feeds.Feed) -> dict[str, Any]:
    return {
        "id": feed.id, "subject": feed.subject, "created_by": feed.created_by, "created_at": rfc3339(feed.created_at),
    }  # fmt: skip


@router.get("", response_model=list[FeedOut], summary="Calendar feeds: one's own and those of schedules; all to an administrator")
def list_feeds(app: AppDep, who: Responder) -> list[dict[str, Any]]:
    with app.db.read() as tx:
        found = feeds.feeds(tx)
    return [_out(one) for one in found if may_all(who) or f"user:{who.user}" in (one.subject, one.created_by)]


@router.post("", response_model=MadeOut, status_code=201, summary="Make a calendar feed; its link is told this once")
def make_feed(app: AppDep, who: Responder, asked: Making) -> dict[str, Any]:
    with app.db.write() as tx:
        made, secret = feeds.make(
            tx, asked.subject, who.actor, app.clock.now(), ops=app.ops.current, asks=who.user, anyone=may_all(who)
        )
    return {**_out(made), "url": f"{app.settings.base_url}{feeds.PATH}{secret}.ics"}


@router.post("/{feed_id}/revoke", response_model=FeedOut, summary="Its link leads nowhere from now on")
def revoke_feed(app: AppDep, who: Responder, feed_id: Annotated[str, Path(max_length=100)]) -> dict[str, Any]:
    with app.db.write() as tx:
        return _out(feeds.revoke(tx, feed_id, who.actor, app.clock.now(), asks=who.user, anyone=may_all(who)))
