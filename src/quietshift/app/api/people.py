"""How people are reached, and whether it works; and what repeats."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from quietshift.app.api.incidents import PageOut
from quietshift.app.api.problems import documented
from quietshift.app.api.security import AppDep, Reader
from quietshift.app.api.shapes import Body, DurationText, InstantOut
from quietshift.app.wire import App
from quietshift.catalog.model import Catalog
from quietshift.kernel.auth import Principal
from quietshift.kernel.durations import format_duration, parse_duration
from quietshift.kernel.errors import Forbidden, NotFound
from quietshift.learning import answers, usecases
from quietshift.paging import contacts, store
from quietshift.paging import usecases as paging
from quietshift.paging.model import Ladder, Rule, page_as_json

router = APIRouter(prefix="/api/v1", responses=documented(404, 409))
User = Annotated[
    str,
    Path(min_length=1, max_length=128, pattern=r"^[^\x00]+$", description="A User of the catalog, or `me`.", examples=["ana"]),
]  # fmt: skip


class RuleOut(BaseModel):
    """A rung: via this channel, after that time since the page was due."""

    after: str = Field(examples=["0s"])
    via: str = Field(examples=["mailto:ana@example.org"])


class ContactsOut(BaseModel):
    """A person's contact ladder."""

    user: str
    own: bool = Field(description="Set by the person; false: the default of the ops directory.")
    rules: list[RuleOut]


class RuleIn(Body):
    after: DurationText = "0s"
    via: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$", examples=["mailto:ana@example.org"])]


class ContactsIn(Body):
    rules: list[RuleIn] = Field(max_length=20, description="Empty: back to the default of the ops directory.")


class RankRowOut(BaseModel):
    """What repeats. nights: pages that were due at night; sleeps: nights of one person that were broken."""

    key: str
    alertname: str | None
    owner: str | None
    pages: int
    incidents: int
    share: float = Field(description="Of all pages ranked, from 0 to 1.")
    people: int
    nights: int
    sleeps: int
    busiest_hour: int
    hours: list[int] = Field(description="Pages by local hour of day, 24 numbers.")
    verdicts: dict[str, int] = Field(description="Incidents by what was said of them; `unsaid` where nothing was.")
    runbook: bool | None
    last_at: InstantOut


class RankOut(BaseModel):
    """Pages of a span of time, ranked."""

    start: InstantOut
    end: InstantOut
    pages: int
    nights: int
    sleeps: int
    rows: list[RankRowOut]


# -- contacts ------------------------------------------------------------------------------------------------------------


@router.get("/users/{user}/contacts", response_model=ContactsOut, tags=["people"], summary="How a person is reached")
def get_contacts(app: AppDep, who: Reader, user: User) -> dict[str, Any]:
    name = _self_or_admin(app, who, user)
    with app.db.read() as tx:
        own = contacts.get_rules(tx, name)
        return _contacts(name, bool(own), contacts.ladders(tx, [name], ops=app.ops.current)[name])


@router.put("/users/{user}/contacts", response_model=ContactsOut, tags=["people"], summary="Set how a person is reached")
def set_contacts(app: AppDep, who: Reader, user: User, body: ContactsIn) -> dict[str, Any]:
    name = _self_or_admin(app, who, user)
    rules = [Rule(parse_duration(rule.after), rule.via) for rule in body.rules]
    with app.db.write() as tx:
        ladder = contacts.set_rules(tx, name, rules, who.actor, app.clock.now(), ops=app.ops.current)
        return _contacts(name, bool(rules), ladder)


@router.post(
    "/users/{user}/test-page", response_model=PageOut, status_code=202, tags=["people"],
    summary="Try every contact of a person at once, by a page that asks for nothing",
)  # fmt: skip
def test_page(app: AppDep, who: Reader, user: User) -> dict[str, Any]:
    name = known_user(app, who, user)
    if who.user != name:
        who.require("respond")
    with app.db.write() as tx:
        return page_as_json(paging.test_page(tx, name, who.actor, app.clock.now(), ops=app.ops.current))


@router.get("/users/{user}/test-page", response_model=list[PageOut], tags=["people"], summary="The last test pages, newest first")
def list_test_pages(app: AppDep, who: Reader, user: User, limit: Annotated[int, Query(ge=1, le=50)] = 1) -> list[dict[str, Any]]:
    name = known_user(app, who, user)
    if who.user != name:
        who.require("respond")
    with app.db.read() as tx:
        return [page_as_json(page) for page in store.tests_of(tx, name, limit)]


def known_user(app: App, who: Principal, name: str) -> str:
    """The catalog's User of that name; `me` is who asks. Raises NotFound."""
    if name == "me":
        if who.user is None:
            raise NotFound("`me` is a person; a token has no contacts: name a user")
        return who.user
    found = app.ops.current.get(Catalog).user(name)
    if found is None:
        raise NotFound(f"the catalog has no User {name!r}")
    return found.id


def _self_or_admin(app: App, who: Principal, name: str) -> str:
    user = known_user(app, who, name)
    if who.user != user and not who.allows("admin"):
        raise Forbidden("how somebody is reached is for them alone, and for administrators")
    return user


def _contacts(user: str, own: bool, ladder: Ladder) -> dict[str, Any]:
    rules = [{"after": format_duration(rule.after), "via": rule.via} for rule in ladder]
    return {"user": user, "own": own, "rules": rules}


# -- what repeats --------------------------------------------------------------------------------------------------------


@router.get("/pages/top", response_model=RankOut, tags=["learning"], summary="What paged people most")
def rank_pages(
    app: AppDep,
    _who: Reader,
    weeks: Annotated[int, Query(ge=1, le=usecases.MOST_WEEKS, description="Of the last so many weeks.")] = 4,
    by: Annotated[Literal["alert", "owner", "hour"], Query(description="What pages are ranked by.")] = "alert",
) -> dict[str, Any]:
    with app.db.read() as tx:
        return answers.ranking(usecases.top(tx, app.clock.now(), ops=app.ops.current, weeks=weeks, by=by))
