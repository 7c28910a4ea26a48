"""One clock, read at the door and passed in. Everything else takes `now` as an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the present instant, aware and in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved: for stories, simulations and proofs."""

    def __init__(self, start: datetime) -> None:
        self._now = aware(start)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move by a span (seconds or more exact); returns the new instant."""
        self._now += by
        return self._now

    def set(self, instant: datetime) -> datetime:
        """Stand at this instant, which has to be aware."""
        self._now = aware(instant)
        return self._now


def aware(instant: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError for a naive datetime: local time without a zone is a guess."""
    if instant.tzinfo is None:
        raise ValueError(f"a naive datetime is no instant: {instant.isoformat()}")
    return instant.astimezone(UTC)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z, exact (no floats)."""
    return (aware(instant) - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The instant that many microseconds after 1970-01-01T00:00:00Z."""
    return EPOCH + timedelta(microseconds=micros)


def rfc3339(instant: datetime) -> str:
    """`2026-03-29T01:00:00Z`, with a fraction (milliseconds or finer) only where there is one."""
    text = aware(instant).isoformat()
    if instant.microsecond and instant.microsecond % 1000 == 0:
        text = aware(instant).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """The instant of an RFC 3339 timestamp; nanoseconds are cut to microseconds.

    Raises ValueError where the text is none, or has no offset.
    """
    head, dot, tail = text.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        tail = "." + tail[: min(digits, 6)].ljust(6, "0") + tail[digits:]
    return aware(datetime.fromisoformat(head + (tail if dot else "")))
