"""One's own page: the contact ladder, a test of it, the next shifts. And the journal."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from pydantic import StringConstraints
from starlette.responses import Response

from quietshift.app.api.security import AppDep
from quietshift.app.web import incident_views, oncall_views
from quietshift.app.web.frame import Frame
from quietshift.app.web.names import actor, person
from quietshift.app.web.visitor import FormWord, FrameDep, QueryText, Visitor
from quietshift.app.wire import App
from quietshift.channels.parse import parse_via
from quietshift.kernel import journal
from quietshift.kernel.auth import Principal
from quietshift.kernel.durations import format_duration, parse_duration
from quietshift.kernel.errors import Conflict, Forbidden, Invalid
from quietshift.paging import contacts, store
from quietshift.paging import usecases as paging
from quietshift.paging.model import Rule

router = APIRouter(include_in_schema=False)
Cell = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
KINDS = (
    {"scheme": "mailto:", "example": "mailto:ana@example.org", "about": "mail"},
    {"scheme": "ntfys:", "example": "ntfys://ntfy.example.org/topic", "about": "push to a phone, by an ntfy server"},
    {"scheme": "slack:", "example": "slack://hooks.slack.com/services/...", "about": "a message, by an incoming webhook"},
    {"scheme": "telegram:", "example": "telegram://123:TOKEN@api.telegram.org/CHAT", "about": "a bot's message to a chat"},
    {"scheme": "pushover:", "example": "pushover://USER:TOKEN@api.pushover.net", "about": "push to a phone, by Pushover"},
    {"scheme": "discord:", "example": "discord://discord.com/api/webhooks/...", "about": "a message, by a channel's webhook"},
    {"scheme": "msteams:", "example": "msteams://HOST/PATH", "about": "a card, by a workflow's webhook"},
    {"scheme": "https:", "example": "https://example.org/page-me", "about": "a POST of JSON; any 2xx counts as accepted"},
)
ACTS = 100


def _person(who: Principal) -> str:
    if who.user is None:
        raise Forbidden("this page is a person's: sign in")
    return who.user


@router.get("/me")
def me(request: Request, app: AppDep, frame: FrameDep, who: Visitor) -> Response:
    return _show(request, app, frame, who)


def _show(
    request: Request, app: App, frame: Frame, who: Principal, rules: list[dict[str, str]] | None = None, wrong: str = "",
    status: int = 200,
) -> Response:  # fmt: skip
    ops, now, user = app.ops.current, app.clock.now(), _person(who)
    with app.db.read() as tx:
        own = contacts.get_rules(tx, user)
        ladder = contacts.ladders(tx, [user], ops=ops)[user]
        tests = incident_views.alike(incident_views.attempt(a) for page in store.tests_of(tx, user, 1) for a in page.attempts)
    shown = rules if rules is not None else [
        {"after": format_duration(rule.after), "via": rule.via, "error": ""} for rule in ladder
    ]  # fmt: skip
    flash = [{"kind": "wrong", "text": wrong}] if wrong else []
    return frame.page(
        request, "me.html", status, topics=[f"user:{user}"], flash=flash, now=now, rules=shown, mine=bool(own),
        kinds=KINDS, shifts=oncall_views.mine_later(oncall_views.with_overrides(app), user, now), tests=tests,
    )  # fmt: skip


@router.post("/me")
def save(
    request: Request, app: AppDep, frame: FrameDep, who: Visitor,
    after: Annotated[list[Cell] | None, Form()] = None, via: Annotated[list[Cell] | None, Form()] = None, reset: FormWord = "",
) -> Response:  # fmt: skip
    now, user = app.clock.now(), _person(who)
    typed = [] if reset else [(a.strip(), v.strip()) for a, v in zip(after or [], via or [], strict=False) if v.strip()]
    checked = [_check(a, v) for a, v in typed]
    if any(row["error"] for row in checked):
        return _show(request, app, frame, who, checked, "Nothing was saved: see below.", 422)
    if not typed and not reset:
        wrong = "Nothing was saved: a ladder needs a rung. “Use the default” goes back to that of the ops directory."
        return _show(request, app, frame, who, None, wrong, 422)
    rules = [Rule(parse_duration(a or "0s"), v) for a, v in typed]
    try:
        with app.db.write() as tx:
            contacts.set_rules(tx, user, rules, who.actor, now, ops=app.ops.current)
    except Invalid as error:
        return _show(request, app, frame, who, checked, f"Nothing was saved: {error}.", 400)
    return frame.redirect("/me", "Back to the default." if reset else "Saved. Send a test page to see that it works.")


def _check(after: str, via: str) -> dict[str, str]:
    error = ""
    try:
        parse_duration(after or "0s")
        parse_via(via)
    except ValueError as wrong:
        error = str(wrong)
    return {"after": after, "via": via, "error": error}


@router.post("/me/test-page")
def test_page(request: Request, app: AppDep, frame: FrameDep, who: Visitor) -> Response:
    user = _person(who)
    try:
        with app.db.write() as tx:
            paging.test_page(tx, user, who.actor, app.clock.now(), ops=app.ops.current)
    except Conflict as error:
        return _show(request, app, frame, who, None, str(error), error.status)
    return frame.redirect("/me", "On its way. What the providers answer appears here; reload if it does not by itself.", "note")


# -- journal -------------------------------------------------------------------------------------------------------------


@router.get("/journal")
def journal_page(
    request: Request, app: AppDep, frame: FrameDep, who: Visitor, q: QueryText = "",
    before: Annotated[str, Query(max_length=64, pattern=r"^[0-9a-z]*$")] = "",
) -> Response:  # fmt: skip
    """Acts on incidents are for everybody who may read; those on access, contacts and the like for administrators."""
    ops, everything = app.ops.current, who.allows("admin")
    wanted = q.strip()
    subject = f"incident:{wanted.upper()}" if wanted.upper().startswith("INC-") else wanted if ":" in wanted else None
    shown: list[dict[str, Any]] = []
    edge, more = before or None, True
    with app.db.read() as tx:
        for _ in range(10):  # a page is filled from at most so many parts
            found = journal.entries(tx, subject=subject, before=edge, limit=ACTS)
            more = len(found) == ACTS
            for entry in found:
                edge = entry.id
                if (everything or _for_all(entry.subject)) and (subject or _matches(entry, wanted)):
                    shown.append(_act(ops, entry))
                if len(shown) == ACTS:
                    break
            if len(shown) == ACTS or not more:
                break
    older = f"/journal?before={edge}" + (f"&q={q}" if q else "") if edge and (more or len(shown) == ACTS) else None
    return frame.page(request, "journal.html", q=q, entries=shown, older=older)


def _for_all(subject: str) -> bool:
    return subject.startswith(("incident:", "silence:", "alert:"))


def _matches(entry: journal.Entry, wanted: str) -> bool:
    text = f"{entry.actor} {entry.act} {entry.subject} {entry.why or ''}".casefold()
    return all(word in text for word in wanted.casefold().split())


def _act(ops: Any, entry: journal.Entry) -> dict[str, Any]:
    kind, _, name = entry.subject.partition(":")
    why = "(erased)" if entry.why is None else entry.why
    if entry.act == "paging.paged" and entry.data:
        why = f"{', '.join(person(ops, user)['name'] for user in entry.data.get('users', ()))}: {why}"
    return {
        "at": entry.at, "actor": actor(ops, entry.actor)["name"], "act": entry.act, "subject": name or entry.subject,
        "href": f"/incidents/{name}" if kind == "incident" else "", "why": why,
    }  # fmt: skip


