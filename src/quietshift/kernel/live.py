"""Who wants to know that something was committed: the worker (a row is due) and open pages (a topic changed).

In one process it is a call; between processes on PostgreSQL the same message travels by NOTIFY.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from quietshift.kernel.clock import from_micros, to_micros

NOTIFY = "SELECT pg_notify('quietshift.' || current_schema(), %s)"  # several installations may share one database
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
