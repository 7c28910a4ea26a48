"""Who wants to know that something was committed: the worker (a row is due) and open pages (a topic changed).

In one process it is a call; between processes on PostgreSQL the same message travels by NOTIFY.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quietshift.kernel.clock import from_micros, to_micros

NOTIFY = "SELECT pg_notify('quietshift.' || current_schema(), %s)"  # several installations may share one database
# a network that swallows everything is noticed before a sender gives up (milliseconds and seconds, of libpq)
WIRE: dict[str, Any] = {"tcp_user_timeout": 8000, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2}
SETTLE_SECONDS = 5.0  # others try each half second to record
DEAF = "deaf"  # topic, within one process: its connection to the database was lost


@dataclass(frozen=True)
class Committed:
    """What a transaction that has just been committed asks others to look at.

    topics: names of what changed, as "incident:1042". due_at: the earliest instant at which a row written is due.
    """

    topics: frozenset[str]
    due_at: datetime | None

    def __bool__(self) -> bool:
        return bool(self.topics) or self.due_at is not None

    def encode(self, process: str) -> str:
        """As a NOTIFY payload (8,000 bytes at most): too many topics become `*`."""
        topics = sorted(self.topics) if sum(map(len, self.topics)) < 6000 else ["*"]
        due = None if self.due_at is None else to_micros(self.due_at)
        return json.dumps({"p": process, "t": topics, "d": due}, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> tuple[str, Committed]:
        """Sender's process id, and the message."""
        raw = json.loads(text)
        due = None if raw["d"] is None else from_micros(raw["d"])
        return str(raw["p"]), cls(frozenset(raw["t"]), due)


class Live:
    """Subscribers of committed changes. Callbacks are quick and never raise: they set an event or put into a queue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: list[Callable[[Committed], None]] = []
        self._back_at = float("-inf")

    def subscribe(self, callback: Callable[[Committed], None]) -> Callable[[], None]:
        """Call back after each commit; returns how to end it."""
        with self._lock:
            self._subscribers = [*self._subscribers, callback]

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = [s for s in self._subscribers if s is not callback]

        return unsubscribe

    def publish(self, message: Committed) -> None:
        """Tell every subscriber of this process."""
        for subscriber in self._subscribers:
            subscriber(message)

    def lost(self) -> None:
        """The connection that hears of others is gone; until `back`, and a little longer, nothing is `settled`."""
        self._back_at = float("inf")

    def back(self) -> None:
        """It stands again."""
        self._back_at = time.monotonic()

    def settled(self) -> bool:
        """Whether others have had the time to record, after an outage, what they sent before it: until then their leases count
        even where they have run out."""
        return time.monotonic() - self._back_at > SETTLE_SECONDS
