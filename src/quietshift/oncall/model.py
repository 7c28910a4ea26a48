"""Schedules as they are written, and shifts as they are worked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from quietshift.catalog.model import Ref
from quietshift.kernel.errors import NotFound

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
OVERRIDE = "override"  # the `layer` of a shift that stands by an override
DAY = 24 * 60


class Unit(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def clock_text(minute: int) -> str:
    """`09:00` of a minute of the day; 1440 is `24:00`."""
    return f"{minute // 60:02}:{minute % 60:02}"


@dataclass(frozen=True)
class Rotation:
    """When turns change hands: every `every` units, at a local time of day (`minute`, from midnight).

    day: 0 (Mon) to 6 of a week; 1 to 31 of a month, where a shorter month takes its last day; None for hours and days.
    The first turn begins at the first hand-off at or after midnight of `start`. Hours are elapsed hours from there.
    """

    unit: Unit
    every: int
    minute: int
    day: int | None
    start: date

    def __post_init__(self) -> None:
        ranges = {Unit.WEEK: range(7), Unit.MONTH: range(1, 32)}
        good_day = self.day in ranges[self.unit] if self.unit in ranges else self.day is None
        if self.every < 1 or not 0 <= self.minute < DAY or not good_day or not 1970 <= self.start.year < 9999:
            raise ValueError(f"not a rotation: {self}")

    @property
    def handoff(self) -> str:
        """As written: `09:00`, `Mon 09:00`, `1 09:00`."""
        day = "" if self.day is None else f"{DAYS[self.day] if self.unit is Unit.WEEK else self.day} "
        return day + clock_text(self.minute)

    def __str__(self) -> str:
        every = f"every {self.every} {self.unit}s" if self.every > 1 else ""
        if self.unit is Unit.HOUR:
            return f"{every or 'every hour'} from {self.start} {self.handoff}"
        return f"{every + ', ' if every else ''}hand-off {self.handoff}"


@dataclass(frozen=True)
class Window:
    """A part of the week, local: on these days (0 is Mon) from a minute of the day until another, which may be 1440.

    Where `until` is not after `start`, it is that time of the next day: the days name the day on which the window begins.
    """

    days: frozenset[int]
    start: int
    until: int

    def __post_init__(self) -> None:
        if not self.days <= set(range(7)) or not self.days or not 0 <= self.start < DAY or not 0 <= self.until <= DAY:
            raise ValueError(f"not a window of the week: {self}")

    @property
    def length(self) -> int:
        """Minutes on a day without a clock change, 1 to 1440."""
        return self.until - self.start if self.until > self.start else self.until - self.start + DAY

    def __str__(self) -> str:
        days = " ".join(DAYS[day] for day in sorted(self.days))
        return f"{'daily' if len(self.days) == 7 else days} {clock_text(self.start)}-{clock_text(self.until)}"


@dataclass(frozen=True)
class Layer:
    """People who take turns, all the time or within `only`."""

    name: str
    rotation: Rotation
    users: tuple[str, ...]
    only: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        if not self.users:
            raise ValueError(f"layer {self.name} has nobody")


@dataclass(frozen=True)
class Override:
    """One person is on from `start` until `end` (instants), whatever the layers say."""

    user: str
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None or self.end <= self.start:
            raise ValueError(f"not an override: {self}")


@dataclass(frozen=True)
class Schedule:
    """Layers, each covering those before it, and overrides over all; of two overrides the later written counts."""

    name: str
    owner: Ref
    zone: ZoneInfo
    layers: tuple[Layer, ...] = ()
    overrides: tuple[Override, ...] = ()
    description: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class Shift:
    """One person is on from `start` until `end`, by one turn of one layer or by one override.

    It is the longest stretch without a break in which that turn is the one that counts: a hand-off, the edge of an `only`
    window, a higher layer and an override end it. Who hands over to themselves begins another shift.
    """

    user: str
    start: datetime
    end: datetime
    layer: str
    reason: str


@dataclass(frozen=True)
class OnCall:
    """Who is on at an instant, and the shift's bounds; in a gap `users` is empty and the bounds are those of the gap.

    start or end None: it has no such end (before the first turn ever, or after the last override of a schedule without layers).
    """

    users: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    layer: str
    reason: str


@dataclass(frozen=True)
class Gap:
    """Nobody is on from `start` until `end`, and why."""

    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True)
class Oncall:
    """Every schedule of an ops directory, by name. broken: names of those that could not be read, which was told."""

    schedules: Mapping[str, Schedule] = field(default_factory=dict, hash=False)
    broken: frozenset[str] = frozenset()

    def get(self, name: str) -> Schedule:
        """The schedule. Raises NotFound, which names those there are."""
        if name not in self.schedules:
            known = ", ".join(sorted(self.schedules)) or "none"
            raise NotFound(f"there is no schedule {name!r} (schedules: {known})")
        return self.schedules[name]

    def owned_by(self, owners: Iterable[Ref]) -> tuple[Schedule, ...]:
        """The schedules of these groups, by name."""
        wanted = set(owners)
        return tuple(self.schedules[name] for name in sorted(self.schedules) if self.schedules[name].owner in wanted)
