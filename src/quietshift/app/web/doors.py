"""Coming in and going out: sign-in, sign-out, set-up links; and the static files that every page needs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from quietshift.app.api.security import COOKIE, AppDep, check_origin, session_of
from quietshift.app.web.frame import Frame, safe_next
from quietshift.app.web.names import display_name
from quietshift.app.web.visitor import FormWord, FrameDep, Visitor
from quietshift.app.wire import App
from quietshift.catalog.model import Catalog
from quietshift.kernel import access, auth
from quietshift.kernel import auth_store as store
from quietshift.kernel.errors import Forbidden, Invalid, NotFound, TooMany, Unauthenticated

router = APIRouter(include_in_schema=False)
YEAR = "public, max-age=31536000, immutable"


def known_users(app: App) -> set[str]:
    """The catalog's Users: who may have an account."""
    return {user.id for user in app.ops.current.get(Catalog).users}


def _set_cookie(frame: Frame, answer: Response, cookie: str) -> Response:
    seconds = int(auth.SESSION_TTL.total_seconds())
    answer.set_cookie(COOKIE, cookie, max_age=seconds, path="/", httponly=True, samesite="lax", secure=frame.secure)
    return answer


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


# -- sign-in -------------------------------------------------------------------------------------------------------------


@router.get("/sign-in")
def sign_in_page(request: Request, app: AppDep, frame: FrameDep, to: Annotated[str, Query(alias="next")] = "/") -> Response:
    if session_of(app, request) is not None:
        return frame.redirect(safe_next(to))
    with app.db.read() as tx:
        nobody = store.count_accounts(tx) == 0
    hint = "Nobody has an account yet: open the set-up link that the server printed when it started."
    flash = [{"kind": "note", "text": hint}] if nobody else []
    return frame.page(request, "sign_in.html", user="", next=safe_next(to), error="", flash=flash)


@router.post("/sign-in")
def sign_in(
    request: Request, app: AppDep, frame: FrameDep, user: FormWord = "", password: FormWord = "",
    to: Annotated[str, Form(alias="next", max_length=2000)] = "/",
) -> Response:  # fmt: skip
    check_origin(app, request)
    try:
        cookie = auth.sign_in(app.db, user, password, _address(request), app.clock.now())
        if user.strip() not in known_users(app):
            raise Unauthenticated("your name is no longer in the catalog; ask whoever keeps the ops directory")
    except (Unauthenticated, TooMany) as error:
        headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooMany) else None
        said = str(error)[:1].upper() + str(error)[1:] + "."
        return frame.page(request, "sign_in.html", error.status, user=user, next=safe_next(to), error=said, headers=headers)
    return _set_cookie(frame, frame.redirect(safe_next(to)), cookie)


@router.post("/sign-out")
def sign_out(request: Request, app: AppDep, frame: FrameDep) -> Response:
    check_origin(app, request)
    cookie = request.cookies.get(COOKIE)
    if cookie:
        with app.db.write() as tx:
            auth.sign_out(tx, cookie, app.clock.now())
    answer = frame.redirect("/sign-in", "You are signed out.")
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=frame.secure)
    return answer


@router.post("/me/password")
def change_password(
    app: AppDep, frame: FrameDep, who: Visitor, old: FormWord = "", new: FormWord = "", again: FormWord = ""
) -> Response:
    if who.user is None:
        raise Forbidden("a token has no password")
    try:
        if new != again:
            raise Invalid("the two new passwords differ")
        access.change_password(app.db, who.user, old, new, who.session, app.clock.now())
    except (Invalid, TooMany) as error:
        said = str(error)
        return frame.redirect("/me", f"The password was not changed: {said}.", "wrong")
    return frame.redirect("/me", "Your password is changed; wherever else you were signed in, you are not any more.")


# -- set-up links --------------------------------------------------------------------------------------------------------


@router.get("/setup/{token}")
def setup_page(request: Request, app: AppDep, frame: FrameDep, token: str) -> Response:
    return _setup(request, app, frame, token)


@router.post("/setup/{token}")
def set_up(
    request: Request, app: AppDep, frame: FrameDep, token: str, user: FormWord = "", password: FormWord = "", again: FormWord = ""
) -> Response:
    check_origin(app, request)
    try:
        if password != again:
            raise Invalid("the two passwords differ")
        cookie = access.complete(app.db, token, user, password, app.clock.now(), known_users(app))
    except (Invalid, NotFound) as error:
        return _setup(request, app, frame, token, user, str(error), error.status)
    return _set_cookie(frame, frame.redirect("/", "Your account is ready."), cookie)


def _setup(
    request: Request, app: AppDep, frame: Frame, token: str, user: str = "", error: str = "", status: int = 200
) -> Response:
    context: dict[str, Any] = {"action": access.link_path(token), "user": user, "error": error[:1].upper() + error[1:]}
    now, ops = app.clock.now(), app.ops.current
    try:
        with app.db.read() as tx:
            link = access.open_link(tx, token, now)
            taken = {account.name for account in store.all_accounts(tx)}
    except NotFound:
        return frame.page(request, "setup.html", 404, state="expired", users=[], expires_at=now, **context)
    free = sorted(name for name in known_users(app) if name not in taken)
    names = [link.account] if link.account else free
    users = [(name, display_name(ops, name)) for name in names]
    if not users:
        context["error"] = "The catalog has no User yet: add one to the ops directory's catalog/ (kind: User), reload, come back."
    return frame.page(request, "setup.html", status, state="valid", users=users, expires_at=link.expires_at, **context)


# -- static files --------------------------------------------------------------------------------------------------------


@router.get("/static/{name:path}")
def static(request: Request, frame: FrameDep, name: str, v: Annotated[str, Query(max_length=64)] = "") -> Response:
    import mimetypes

    found = frame.files.get(name)
    if found is None:
        raise NotFound(f"there is no {name}")
    content, digest = found
    etag = f'"{digest}"'
    headers = {"ETag": etag, "Cache-Control": YEAR if v == digest else "no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=mimetypes.guess_type(name)[0] or "application/octet-stream", headers=headers)


@router.get("/favicon.ico")
def favicon(request: Request, frame: FrameDep) -> Response:
    return static(request, frame, "icon.svg")
