"""What doors of other tools share: a request read within limits, who may send how much, and its storing in a thread."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from quietshift.alerts.api import HANGS, STORED_WITHIN, Opened, Receive, Refused, Scope, read_body
from quietshift.alerts.sources import Inbound
from quietshift.kernel.clock import Clock

if TYPE_CHECKING:
    from quietshift.kernel.db import Tx

log = logging.getLogger("quietshift.alerts")
T = TypeVar("T")
AT_ONCE = 64  # requests of one integration that may wait to be stored; the next is asked to come again
RETRY_SECONDS = "5"
BODY_SECONDS = 20.0  # within which a body has to be here


class Request:
    """A request as a door sees it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string", b"")
        self._headers, self._receive = scope["headers"], receive

    def header(self, wanted: bytes) -> str:
        return next((value.decode("latin-1") for name, value in self._headers if name == wanted), "")

    def allow(self, *methods: str) -> None:
        """Raises Refused (405) for any other method."""
        if self.method not in methods:
            raise Refused(405, f"{self.method} is not for this address: use {' or '.join(methods)}", allow=", ".join(methods))

    async def body(self, most: int) -> bytes:
        """The whole body. Raises Refused where it is packed, too large or does not come."""
        packed = self.header(b"content-encoding").strip().lower()
        if packed not in ("", "identity"):
            raise Refused(415, f"the body is packed ({packed[:20]}): send it as it is")
        too_large = Refused(413, f"the body has at most {most >> 10} KB", connection="close")
        length = self.header(b"content-length")
        if length.isdigit() and int(length[:20]) > most:
            raise too_large
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await read_body(self._receive, most, too_large)
        except TimeoutError:
            raise Refused(408, f"no whole body in {BODY_SECONDS:.0f} s", connection="close") from None

    def key(self) -> str:
        """The key that an Authorization header carries: a bearer token, or the password of basic auth, whatever its user."""
        scheme, _, rest = self.header(b"authorization").partition(" ")
        if scheme.lower() == "bearer":
            return rest.strip()
        if scheme.lower() != "basic":
            return ""
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""


class Limiter:
    """How many requests each may make: a minute's worth at once, and then as they come back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, datetime]] = {}

    def wait(self, who: str, per_minute: int) -> float:
        """Take one; 0, or in how many seconds there is one again."""
        now = self._clock.now()
        left, at = self._left.get(who, (float(per_minute), now))
        left = min(per_minute, left + max(0.0, (now - at).total_seconds()) * per_minute / 60)
        self._left[who] = (left - 1 if left >= 1 else left, now)
        return 0.0 if left >= 1 else (1 - left) * 60 / per_minute


class Turns:
    """Stores what integrations and heartbeats send, with an end to how much of each may wait."""

    def __init__(self, clock: Clock, ready: Callable[[], Awaitable[Opened]]) -> None:
        self.clock, self._ready = clock, ready
        self._limiter = Limiter(clock)
        self._waiting: Counter[str] = Counter()
        self._late: set[asyncio.Task[Any]] = set()  # what was answered 503: the database did not answer, and does not yet

    def count(self, inbound: Inbound) -> None:
        """A request of this integration. Raises Refused (429) where it makes more than it may."""
        seconds = self._limiter.wait(inbound.name, inbound.per_minute)
        if seconds:
            told = f"integration {inbound.name} may make {inbound.per_minute} requests a minute (requestsPerMinute)"
            raise Refused(429, f"{told}: send it again later", **{"retry-after": str(int(seconds) + 1)})

    async def write(self, who: str, work: Callable[[Opened, Tx], T]) -> T:
        """Do this in a transaction of its own. Raises Refused (429) where too much of it waits, (503) where the
        database hangs: it may be done all the same, once that answers."""
        return await self._run(who, lambda opened: _written(opened, work))

    async def read(self, who: str, work: Callable[[Opened, Tx], T]) -> T:
        """The same, and nothing is changed."""
        return await self._run(who, lambda opened: _read(opened, work))

    async def _run(self, who: str, work: Callable[[Opened], T]) -> T:
        if self._waiting[who] >= AT_ONCE:
            raise Refused(429, "too much of this sender waits to be stored: send it again", **{"retry-after": RETRY_SECONDS})
        self._waiting[who] += 1
        task = None
        try:
            opened = await self._ready()
            if self._late:
                raise self._unheard(opened)
            task = asyncio.create_task(asyncio.to_thread(work, opened))
        finally:
            if task is None:
                self._waiting[who] -= 1
        task.add_done_callback(lambda done: self._done(who, done, opened))
        await asyncio.wait({task}, timeout=STORED_WITHIN)
        if task.done():
            return task.result()
        self._late.add(task)
        raise self._unheard(opened)

    def _done(self, who: str, task: asyncio.Task[Any], opened: Opened) -> None:
        self._waiting[who] -= 1
        if task in self._late:
            self._late.discard(task)
            self._unheard(opened)
            if not task.cancelled() and task.exception() is not None:
                log.error("what was answered 503 has failed: %s", task.exception())

    def _unheard(self, opened: Opened) -> Refused:
        """Senders are sent away: until now the silence of heartbeats means nothing."""
        opened.use.heard_since = self.clock.now()
        return Refused(503, HANGS, **{"retry-after": RETRY_SECONDS})


def _written(opened: Opened, work: Callable[[Opened, Tx], Any]) -> Any:
    try:
        with opened.db.write() as tx:
            return work(opened, tx)
    except Exception:
        opened.use.hot.invalidate()  # what was taken over may not be on disk
        raise


def _read(opened: Opened, work: Callable[[Opened, Tx], Any]) -> Any:
    with opened.db.read() as tx:
        return work(opened, tx)
