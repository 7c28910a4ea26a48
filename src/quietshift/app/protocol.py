"""HTTP/1.1 as uvicorn reads it, with an end to what a peer may send before its request is one.

uvicorn bounds neither the length of a request's head nor the time that head and body take: one peer could fill the memory, and
many that say nothing, or an octet now and then, could hold every connection.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 << 10
HEAD_SECONDS = 30.0
BODY_SECONDS = 30.0  # Prometheus gives up after 10
_TOO_SLOW = b"the body of the request did not come within 30 seconds\n"
_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
_TOO_LARGE = b"the head of the request is larger than 64 KiB\n"
_ANSWER = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
)


class BoundedHttp(HttpToolsProtocol):
    """A connection whose request heads end within MAX_HEAD octets and, from the first octet or the connect on, HEAD_SECONDS; its
    bodies within BODY_SECONDS."""

    _head = 0  # octets of the head that is being read
    _in_head = False
    _in_body = False
    _deadline: asyncio.TimerHandle | None = None
    _body_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        self._in_body = False
        self._watch_body()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self.transport.write(_ANSWER % len(_TOO_LARGE) + _TOO_LARGE)
                self.transport.close()
                return
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_body or self._body_deadline is not None:  # most bodies come with their head
            self._watch_body()

    def _watch_body(self) -> None:
        if self._in_body:
            self._body_deadline = self._body_deadline or self.loop.call_later(BODY_SECONDS, self._too_slow)
        elif self._body_deadline is not None:
            self._body_deadline.cancel()
            self._body_deadline = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head = True, 0
        if self._deadline is None:
            self._wait()

    def on_headers_complete(self) -> Any:
        self._in_head, self._in_body = False, True
        self._done()
        return super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _done(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._body_deadline = None
        if not self.transport.is_closing():
            if not self.cycle.response_started:
                self.transport.write(_TIMEOUT % len(_TOO_SLOW) + _TOO_SLOW)
            self.transport.close()

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()
