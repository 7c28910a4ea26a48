"""Asks an ASGI application as a server would, in this process."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What was answered; json is None where the body is empty."""

    status: int
    json: Any
    headers: Mapping[str, str]


async def asked(app: Callable[..., Awaitable[None]], path: str, body: bytes, method: str, headers: Mapping[str, str]) -> Answer:
    """Ask within a loop."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    path, _, query = path.partition("?")
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await app({"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": pairs}, receive, send)
    given = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], json.loads(sent[1]["body"]) if sent[1]["body"] else None, given)


def ask(
    app: Callable[..., Awaitable[None]], path: str, body: Any = b"", method: str = "POST", **headers: str
) -> Answer:
    """Ask once. body: octets, or what is sent as JSON; a header's `_` stands for `-`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asyncio.run(asked(app, path, content, method, {name.replace("_", "-"): value for name, value in headers.items()}))
