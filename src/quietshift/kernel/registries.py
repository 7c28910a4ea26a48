"""What rooms offer and the ground joins: upwards only by registration. `app/wire.py` fills one Registry per server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quietshift.kernel.db import Tx
    from quietshift.kernel.outbox import OutboxKind
    from quietshift.kernel.timers import TimerHandler


@dataclass(frozen=True)
class Panel:
    """A piece of the incident page offered by a room: its template's name, and what to fill it with.

    context(tx, incident, now) gives the template's variables, or None where there is nothing to show.
    """

    name: str
    template: str
    context: Callable[[Tx, Any, datetime], Mapping[str, Any] | None]


class Lane(IntEnum):
    """Which due timers go first. Each lane has a share of every round, so that none waits until another is empty."""

    PAGES = 0  # somebody is called
    ROOMS = 1
    GROUPS = 2  # thousands at once


@dataclass
class Registry:
    """Handlers of due rows by kind, panels of the incident page in order."""

    timers: dict[str, TimerHandler] = field(default_factory=dict)
    outbox: dict[str, OutboxKind] = field(default_factory=dict)
    incident_panels: list[Panel] = field(default_factory=list)
    _lanes: dict[str, Lane] = field(default_factory=dict)

    def timer(self, kind: str, handler: TimerHandler, lane: Lane = Lane.ROOMS) -> None:
        """Serve due timers of this kind. A kind has one handler."""
        if kind in self.timers:
            raise ValueError(f"timer kind {kind!r} is registered twice")
        self.timers[kind] = handler
        self._lanes[kind] = lane

    def lanes(self, kinds: Collection[str]) -> dict[Lane, list[str]]:
        """These kinds of timers by their lanes, in the order of those."""
        found: dict[Lane, list[str]] = {}
        for kind in sorted(kinds, key=lambda kind: self._lanes.get(kind, Lane.ROOMS)):
            found.setdefault(self._lanes.get(kind, Lane.ROOMS), []).append(kind)
        return found

    def sender(self, kind: OutboxKind) -> None:
        """Serve due outbox rows of this kind."""
        if kind.kind in self.outbox:
            raise ValueError(f"outbox kind {kind.kind!r} is registered twice")
        self.outbox[kind.kind] = kind

    def panel(self, panel: Panel) -> None:
        """Show this on the incident page."""
        self.incident_panels.append(panel)
