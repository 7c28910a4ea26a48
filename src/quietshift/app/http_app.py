"""The web application: the JSON API and the pages, on an open Quietshift. Imported lazily: FastAPI alone costs 0.3 s."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from quietshift import __version__
from quietshift.app.api import openapi, problems
from quietshift.app.api.routers import api
from quietshift.app.edge import ASGI, Edge, Scope
from quietshift.app.web.frame import Frame
from quietshift.app.web.live import Streams
from quietshift.app.web.routers import pages
from quietshift.app.wire import App
from quietshift.kernel.errors import QuietshiftError, Unauthenticated

log = logging.getLogger("quietshift.web")
TODO = {
    400: "Go back and check what was sent.",
    401: "Sign in and try again.",
    403: "Ask an administrator, or open the page again and repeat it there.",
    404: "Check the address; what you look for may have ended.",
    405: "Go back and use the page's own buttons.",
    409: "Somebody may have been faster: open the page again and see how it stands.",
    413: "Send less.",
    422: "Go back and correct it.",
    429: "Wait a little.",
    503: "Try again in a few seconds. Alerts and pages are not lost: senders repeat what was not answered with 200.",
}


def build(app: App) -> FastAPI:
    """The web application of an open Quietshift."""
    web = FastAPI(
        title="Quietshift", version=__version__, summary="What pages people, who is on call, and what is done about it.",
        openapi_url=None, docs_url=None, redoc_url=None, generate_unique_id_function=openapi.operation_id,
        redirect_slashes=False,
    )  # fmt: skip
    web.state.quietshift = app
    web.state.frame = Frame(app)
    web.state.streams = Streams(app.db.live)
    openapi.attach(web)
    web.include_router(api)
    web.include_router(pages)
    web.add_exception_handler(QuietshiftError, _on_error)
    web.add_exception_handler(HTTPException, _on_http)
    web.add_exception_handler(RequestValidationError, _on_validation)
    web.add_exception_handler(DataError, _on_data)
    web.add_exception_handler(Exception, _on_exception)
    https = app.settings.base_url.startswith("https:")
    web.add_middleware(_EdgeOf, refuse=_refuse(web), https=https)
    return web


class _EdgeOf(Edge):
    """Edge, in the shape that add_middleware takes."""


# -- what went wrong -----------------------------------------------------------------------------------------------------


def wants_problem(scope: Scope) -> bool:
    """Whether the asker reads JSON rather than pages."""
    if scope["path"].startswith("/api/"):
        return True
    accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
    if scope["path"].startswith("/p/") and scope.get("method") == "POST":  # a page's `acknowledge_url`, called by a program
        return b"text/html" not in accept
    return b"json" in accept and b"text/html" not in accept


def answer(request: Request, status: int, detail: str, *, title: str = "", headers: dict[str, str] | None = None) -> Response:
    """A problem for programs, a page for people."""
    if wants_problem(request.scope):
        return problems.problem(status, detail, title=title, headers=headers)
    frame: Frame = request.app.state.frame
    back = {"href": "/", "label": "Home"}
    return frame.page(
        request, "error.html", status, headers=headers, title=title or problems.TITLES.get(status, "Error"), detail=detail,
        todo=TODO.get(status, "Try again; if it stays so, tell whoever runs this server."), back=back,
    )  # fmt: skip


def _refuse(web: FastAPI) -> Any:
    def refuse(scope: Scope, status: int, detail: str) -> ASGI:
        scope.setdefault("app", web)
        return answer(Request(scope), status, detail)

    return refuse


def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, QuietshiftError)
    if error.status >= 500:
        log.error("%s %s: %s", request.method, request.url.path, error)
    if isinstance(error, Unauthenticated) and not wants_problem(request.scope) and "authorization" not in request.headers:
        frame: Frame = request.app.state.frame
        return RedirectResponse(frame.sign_in_address(request), 303)
    return answer(request, error.status, str(error), title=error.title, headers=problems.headers_of(error))


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404 and detail == "Not Found":
        detail = f"there is no {request.url.path}"
    elif error.status_code == 405:
        detail = f"{request.method} is not for {request.url.path}"
    return answer(request, error.status_code, detail, headers=dict(error.headers or {}))


def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if wants_problem(request.scope):
        return problems.of_validation(error, _keys(request))
    said = "; ".join(f"{e['loc'][-1] if e['loc'] else 'it'}: {e['msg']}" for e in error.errors()[:5])
    return answer(request, 422, said)


def _keys(request: Request) -> list[str]:
    """What the body of this operation may hold."""
    route = request.scope.get("route")
    fields = route.dependant.body_params if isinstance(route, APIRoute) else []
    models = (field.field_info.annotation for field in fields)
    return sorted(
        field.alias or name
        for model in models
        if isinstance(model, type) and issubclass(model, BaseModel)
        for name, field in model.model_fields.items()
    )


def _on_data(request: Request, error: Exception) -> Response:
    log.warning("%s %s: a value does not fit the database: %s", request.method, request.url.path, type(error).__name__)
    return answer(request, 400, "a value is too large, or text that cannot be stored")


def _on_exception(request: Request, _error: Exception) -> Response:
    return answer(request, 500, "an error of Quietshift's own; its log has the details")
