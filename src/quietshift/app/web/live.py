"""Live updates: one stream of server-sent events for each open page, told after each commit which topic changed.

A stream carries no data but the topic's name; the page fetches itself again. A slow reader loses nothing but repetitions.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from quietshift.app.api.security import AppDep, session_of
from quietshift.app.web.visitor import Visitor
from quietshift.kernel.errors import Invalid, TooMany
from quietshift.kernel.live import Committed, Live

HEARTBEAT = 15.0
MAX_STREAMS = 12  # of one person: tabs and devices
MAX_TOPICS = 20
LOOK_AGAIN = 4  # heartbeats after which it is asked whether the session still holds
router = APIRouter(include_in_schema=False)


class Streams:
    """Every open stream of this process; they end with it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self._ends: set[asyncio.Event] = set()
        self._closed = False

    def close(self) -> None:
        """End every stream; call it on the event loop, when the server begins to stop."""
        self._closed = True
        for event in list(self._ends):
            event.set()

    def take(self, who: str) -> None:
        """One more stream of this person. Raises TooMany."""
        with self._lock:
            if self._open[who] >= MAX_STREAMS:
                raise TooMany(f"{MAX_STREAMS} pages are live already; close one", 60)
            self._open[who] += 1

    def leave(self, who: str) -> None:
        with self._lock:
            self._open[who] -= 1
            self._open += Counter()  # drop zeros

    async def events(self, topics: frozenset[str]) -> AsyncIterator[str | None]:
        """Names of topics as they change; None each HEARTBEAT without one. Ends when the server stops."""
        loop = asyncio.get_running_loop()
        waiting: set[str] = set()
        wake = asyncio.Event()

        def tell(changed: frozenset[str]) -> None:
            waiting.update(changed)
            wake.set()

        def committed(message: Committed) -> None:
            changed = topics if "*" in message.topics else topics & message.topics
            if changed and not loop.is_closed():
                loop.call_soon_threadsafe(tell, changed)

        unsubscribe = self._live.subscribe(committed)
        self._ends.add(wake)
        try:
            while not self._closed:
                try:
                    await asyncio.wait_for(wake.wait(), HEARTBEAT)
                except TimeoutError:
                    yield None
                    continue
                wake.clear()
                changed, waiting = sorted(waiting), set()
                for topic in changed:
                    yield topic
        finally:
            unsubscribe()
            self._ends.discard(wake)


@router.get("/events", response_class=StreamingResponse)
async def events(
    request: Request, app: AppDep, who: Visitor, topic: Annotated[list[str] | None, Query()] = None
) -> StreamingResponse:
    """Which of these topics changed, as it happens."""
    topics = frozenset(topic or ())
    if not topics or len(topics) > MAX_TOPICS or any(not t or not t.isprintable() or len(t) > 80 or t == "*" for t in topics):
        raise Invalid(f"topic: name one to {MAX_TOPICS} of them, like incidents or incident:1042")
    streams: Streams = request.app.state.streams
    streams.take(who.actor)

    async def body() -> AsyncIterator[str]:
        quiet = 0
        try:
            yield "retry: 3000\n: quietshift\n\n"
            async for changed in streams.events(topics):
                if changed is not None:
                    yield f"event: changed\ndata: {changed}\n\n"
                    continue
                quiet += 1
                if quiet % LOOK_AGAIN == 0 and who.session and await run_in_threadpool(session_of, app, request) is None:
                    return
                yield ": still here\n\n"
        finally:
            streams.leave(who.actor)

    return StreamingResponse(body(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
