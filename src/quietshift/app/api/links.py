"""Where a list goes on: the header Link (RFC 8288), so that the body stays a plain list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from fastapi import Request, Response

T = TypeVar("T")


def next_page(request: Request, response: Response, found: Sequence[T], limit: int, key: Callable[[T], str]) -> None:
    """Point to the next part where more than `limit` were found; its cursor is the key of the last one shown."""
    if len(found) > limit:
        query = request.url.remove_query_params("cursor").include_query_params(cursor=key(found[limit - 1])).query
        response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
