"""What is wrong, said the same way everywhere: RFC 9457 problem+json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from quietshift.kernel.errors import QuietshiftError, TooMany, Unauthenticated, Unavailable

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Invalid input", 401: "Sign-in or token needed", 403: "Not allowed", 404: "Not found", 405: "Method not allowed",
    408: "Too slow", 409: "Conflict", 413: "Too large", 415: "Unsupported media type", 422: "Invalid input",
    429: "Too many attempts", 500: "Internal error", 503: "Temporarily unavailable",
}  # fmt: skip


class Place(BaseModel):
    """One thing that is wrong, and where."""

    place: str = Field(description="Where in the request, like body.note or query.limit.")
    message: str = Field(description="What is wrong there.")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field("about:blank", description="A URI of the kind of problem; about:blank: the status says it all.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong with this very request, and what to do.")
    errors: list[Place] | None = Field(None, description="Each place that is wrong, where the request does not fit its schema.")


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE


def problem(
    status: int,
    detail: str,
    *,
    title: str = "",
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to a request that fails."""
    title = title or TITLES.get(status, "Error")
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if errors:
        body["errors"] = list(errors)
    return ProblemResponse(_clean(body), status, headers=dict(headers or {}))


def _clean(value: Any) -> Any:
    """Texts without lone surrogates, which UTF-8 has no bytes for."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


def headers_of(error: QuietshiftError) -> dict[str, str]:
    """What a client's machinery wants to know besides the status."""
    if isinstance(error, TooMany):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, Unavailable):
        return {"Retry-After": "5"}
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="quietshift"'}
    return {}


def of_error(error: QuietshiftError) -> Response:
    return problem(error.status, str(error), title=error.title, headers=headers_of(error))


def of_validation(error: RequestValidationError, known: Sequence[str] = ()) -> Response:
    """400 for a body that is no JSON at all, 422 for one that does not fit; never with the input itself, which may be secret.
    known: the keys that a body may have."""
    keys = f" (known: {', '.join(known)})" if known else ""
    found = [
        {
            "place": ".".join(map(str, e["loc"])),
            "message": f"no such key here{keys}" if e["type"] == "extra_forbidden" and len(e["loc"]) == 2 else str(e["msg"]),
        }
        for e in error.errors()
    ]
    broken = any(e["type"] == "json_invalid" for e in error.errors())
    detail = "; ".join(f"{e['place']}: {e['message']}" for e in found[:5])
    return problem(400 if broken else 422, detail or "the request does not fit", errors=found)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation that may fail in these ways, besides those of every operation."""
    every = {400, 401, 403, 413, 422, 503, *statuses}
    return {status: {"model": Problem, "description": TITLES[status]} for status in sorted(every)}
