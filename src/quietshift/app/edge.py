"""What every request passes and every answer carries: a limit to its body, headers that keep pages safe, no traceback.

Plain ASGI, so that streams stay streams.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

log = logging.getLogger("quietshift.web")
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 1 << 20
BODY_SECONDS = 20.0
ENDLESS = ("/events",)
CSP = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
        "font-src 'self'", "manifest-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
    )
)  # fmt: skip
HEADERS = {
    b"content-security-policy": CSP.encode(),
    b"x-content-type-options": b"nosniff",
    # same-origin, not no-referrer: with that one, browsers send "Origin: null" with our own forms
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
    b"cache-control": b"no-store",
}
HSTS = (b"strict-transport-security", b"max-age=31536000")


class Edge:
    """Wraps the web application. refuse(scope, status, detail) makes the ASGI answer to what does not get in."""

    def __init__(self, app: ASGI, refuse: Callable[[Scope, int, str], ASGI], *, https: bool) -> None:
        self.app, self.refuse = app, refuse
        self.headers = [*HEADERS.items(), *([HSTS] if https else [])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, bare = False, scope["method"] == "HEAD" and scope["path"] not in ENDLESS
        if bare:  # whatever can be read can be asked about
            scope = {**scope, "method": "GET"}

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *((n, v) for n, v in self.headers if n not in given)]
            await send({**message, "body": b""} if bare and message["type"] == "http.response.body" else message)

        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            await self.refuse(scope, 400, "a NUL character is no part of any address here")(scope, receive, guarded)
            return
        body = await _body(scope, receive)
        if isinstance(body, int):
            detail = {413: f"the body is larger than {MAX_BODY >> 20} MiB", 408: f"no whole body in {BODY_SECONDS:.0f} s"}[body]
            await self.refuse(scope, body, detail)(scope, receive, guarded)
            return
        try:
            await self.app(scope, _replay(body, receive), guarded)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if not started:
                await self.refuse(scope, 500, "an error of Quietshift's own; its log has the details")(scope, receive, guarded)


async def _body(scope: Scope, receive: Receive) -> bytes | int | None:
    """The whole body; 413 where it is too large, 408 where it does not come; None where there is none."""
    headers = dict(scope["headers"])
    length = headers.get(b"content-length")
    if length is None and b"transfer-encoding" not in headers:
        return None
    if length is not None and length.isdigit() and int(length) > MAX_BODY:
        return 413
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return b"".join(parts)
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > MAX_BODY:
                    return 413
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        return 408


def _replay(body: bytes | None, receive: Receive) -> Receive:
    if body is None:
        return receive
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
