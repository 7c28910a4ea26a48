"""Talking to a server over a socket, as a peer does: any bytes go out, the whole answer comes back, nothing is followed."""

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """An answer. `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    json_body: Any = None,
    token: str | None = None,
    timeout: float = 20,
) -> Reply:
    """One request on a connection of its own. Raises OSError or HTTPException where there is no answer in time."""
    parts = urlsplit(url)
    given = dict(headers or {})
    if json_body is not None:
        body = json.dumps(json_body).encode()
        given.setdefault("Content-Type", "application/json")
    if token is not None:
        given["Authorization"] = f"Bearer {token}"
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request(method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, given)
        answer = connection.getresponse()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def eventually(look: Callable[[], T], wanted: Callable[[T], bool], *, within: float = 10, what: str = "") -> T:
    """What `look` sees once `wanted` holds of it. AssertionError with the last sight after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if wanted(seen):
            return seen
        assert time.monotonic() < deadline, f"{what or 'it'} did not come about in {within} s; last seen: {seen!r:.3000}"
        time.sleep(0.05)  # waits for another process


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
