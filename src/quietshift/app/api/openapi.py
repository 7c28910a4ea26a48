"""The description of the API, /api/v1/openapi.json. Nothing of it is loaded from a foreign host."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse

from quietshift.app.api.problems import MEDIA_TYPE

PREFIX = "/api/v1"
TAGS = [
    {"name": "incidents", "description": "What we do about it: lifecycle, timeline, pages, runbook steps."},
    {"name": "alerts", "description": "Why an alert is where it is."},
    {"name": "silences", "description": "What is not told of, why and until when; Alertmanager's API v2 has them too."},
    {"name": "on call", "description": "Who is on shift, now and later."},
    {"name": "people", "description": "How people are reached, and test pages."},
    {"name": "learning", "description": "What repeats."},
    {"name": "catalog", "description": "Who owns what."},
    {"name": "journal", "description": "Who did what, when and why."},
    {"name": "access", "description": "Accounts and API tokens."},
    {"name": "system", "description": "The server itself, and work that does not advance."},
]
DESCRIPTION = """\
Every answer is JSON; what fails is a problem (RFC 9457). Instants are RFC 3339 in UTC. Send `Authorization: Bearer qs_...`.
Lists give the newest first; where there is more, the header `Link` holds the address of the next part (`rel="next"`).
Alerts are sent to `/api/v2/alerts`, which is Alertmanager's own API."""


def operation_id(route: APIRoute) -> str:
    """The function's name is the operation's: unique by a check at the start."""
    return route.name


def attach(web: FastAPI) -> None:
    """Serve the description, made with the first request for it."""

    def describe() -> dict[str, Any]:
        if web.openapi_schema is None:
            web.openapi_schema = _make(web)
        return web.openapi_schema

    web.openapi = describe  # type: ignore[method-assign]  # FastAPI's documented way to extend it

    async def openapi_json(_request: Request) -> JSONResponse:
        return JSONResponse(describe())

    for path in (f"{PREFIX}/openapi.json", "/openapi.json"):  # the second is where tools look first
        web.add_route(path, openapi_json, methods=["GET"], include_in_schema=False)


def _make(web: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=web.title, version=web.version, summary=web.summary, description=DESCRIPTION, routes=web.routes, tags=TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )  # fmt: skip
    seen: dict[str, str] = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            name = operation["operationId"]
            if name in seen:
                raise ValueError(f"operation id {name} is used by {seen[name]} and {method} {path}")
            seen[name] = f"{method} {path}"
            for status, response in operation["responses"].items():
                if status >= "400" and "application/json" in response.get("content", {}):
                    response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
    return schema
