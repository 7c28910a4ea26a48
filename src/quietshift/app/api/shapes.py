"""Types at the API's edge: what is taken in, checked so that it fits every store, and how instants are written."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any, get_args, get_origin

from fastapi import Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema

from quietshift.kernel.clock import parse_rfc3339, rfc3339
from quietshift.kernel.durations import parse_duration
from quietshift.oncall.localtime import FIRST, LAST

NO_NUL = r"^[^\x00]*$"  # PostgreSQL stores no NUL in text
Text = Annotated[str, StringConstraints(max_length=10_000, pattern=NO_NUL)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=NO_NUL)]


def _instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("expected RFC 3339 text like 2026-11-21T03:00:00Z")
    try:
        found = parse_rfc3339(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{value!r:.60} is no RFC 3339 timestamp with an offset, like 2026-11-21T03:00:00Z") from None
    if not FIRST <= found < LAST:
        raise ValueError(f"{value!r:.60} is outside the years {FIRST.year} to {LAST.year - 1}")
    return found


def _duration(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a duration like 30m or 4h")
    parse_duration(value)
    return value


_DATE_TIME = {"type": "string", "format": "date-time", "examples": ["2026-11-21T03:00:00Z"]}
InstantIn = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema(_DATE_TIME)]
InstantOut = Annotated[str, WithJsonSchema(_DATE_TIME)]
DurationText = Annotated[
    str, BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "examples": ["30m", "4h"], "description": "A Prometheus duration: 30s, 5m, 1h30m, 7d."}),
]  # fmt: skip
Limit = Annotated[int, Query(ge=1, le=500, description="At most so many.")]
IncidentId = Annotated[
    str, Path(pattern=r"^([Ii][Nn][Cc]-)?[0-9]{1,15}$", description="INC-1042, or 1042.", examples=["INC-1042"])
]  # fmt: skip


async def known_query(request: Request) -> None:
    """Refuses query parameters that the operation does not have, and repeated ones where one is meant: they are mistakes, and
    a filter that is silently ignored shows what nobody asked for."""
    route = request.scope["route"]
    known = {field.alias: field.field_info.annotation for field in route.dependant.query_params}
    wrong = []
    for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            wrong.append((name, "no such parameter here" + (f" (known: {', '.join(sorted(known))})" if known else "")))
        elif count > 1 and not _many(known[name]):
            wrong.append((name, "is given more than once"))
    if wrong:
        raise RequestValidationError([{"loc": ("query", name), "msg": said, "type": "query"} for name, said in wrong])


def _many(annotation: Any) -> bool:
    return any(get_origin(part) is list for part in (annotation, *get_args(annotation)))


class Body(BaseModel):
    """What is sent: unknown fields are refused, for they are mistakes."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


def instant_out(at: datetime | None) -> str | None:
    return rfc3339(at) if at is not None else None
