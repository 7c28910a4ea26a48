"""Who asks: a bearer token, or the session of somebody who is signed in. What it needs is a scope."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer, SecurityScopes
from fastapi.security.http import HTTPAuthorizationCredentials

from quietshift.app.wire import App
from quietshift.catalog.model import Catalog
from quietshift.kernel import auth
from quietshift.kernel import auth_store as store
from quietshift.kernel.auth import Principal
from quietshift.kernel.errors import Forbidden, Unauthenticated

COOKIE = "qs_session"
SAFE = ("GET", "HEAD", "OPTIONS")
_bearer = HTTPBearer(
    auto_error=False, scheme_name="token",
    description="An API token (qs_...), or the admin token of the settings. Scopes: ingest (send alerts), read, respond "
    "(acknowledge, resolve; brings read), admin (everything).",
)  # fmt: skip
_cookie = APIKeyCookie(
    name=COOKIE, auto_error=False, scheme_name="session",
    description="The cookie of somebody who is signed in: a viewer may read, a responder respond, an admin everything. "
    "What changes something has to come from Quietshift's own pages (Sec-Fetch-Site, Origin).",
)  # fmt: skip


async def the_app(request: Request) -> App:
    """The open Quietshift behind this web application."""
    app = request.app.state.quietshift
    assert isinstance(app, App)
    return app


AppDep = Annotated[App, Depends(the_app)]


def session_of(app: App, request: Request) -> Principal | None:
    """Who is signed in with this request's cookie; None where nobody is, or the catalog knows them no longer."""
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    now = app.clock.now()
    with app.db.read() as tx:
        found = auth.session_principal(tx, cookie, now)
    if found is None:
        return None
    principal, stale = found
    if principal.user is None or app.ops.current.get(Catalog).user(principal.user) is None:
        return None
    if stale:
        with app.db.write() as tx:
            store.touch_session(tx, principal.session, now)
    return principal


def check_origin(app: App, request: Request) -> None:
    """Raises Forbidden where a request that changes something comes from another site's page."""
    if request.method not in SAFE and not auth.same_origin(request.headers, app.settings.base_url):
        raise Forbidden(
            "this request does not come from Quietshift's own pages; open the page there and try again (programs send a "
            "bearer token instead of a cookie; behind a proxy, external_url has to be set)"
        )


def current(
    request: Request,
    app: AppDep,
    needed: SecurityScopes,
    token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    _session: Annotated[str | None, Depends(_cookie)],
) -> Principal:
    """The principal, with the scopes that the operation needs. Raises Unauthenticated, Forbidden."""
    if token is not None:
        principal = auth.bearer(app.db, token.credentials, app.settings.admin_token, app.clock.now())
    else:
        found = session_of(app, request)
        if found is None:
            raise Unauthenticated("sign in, or send a token: 'Authorization: Bearer qs_...'")
        check_origin(app, request)
        principal = found
    for scope in needed.scopes:
        principal.require(scope)
    return principal


Reader = Annotated[Principal, Security(current, scopes=["read"])]
Responder = Annotated[Principal, Security(current, scopes=["respond"])]
Admin = Annotated[Principal, Security(current, scopes=["admin"])]
