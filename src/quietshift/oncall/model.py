"""Schedules as they are written, and shifts as they are worked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
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


class Fairness(StrEnum):
    """What a turn is counted by."""

    CALENDAR = "calendar"  # every turn counts, also one that lies outside `only` as a whole
    COVERED = "covered"  # only turns count in which the layer is on at all


def clock_text(minute: int) -> str:
    """`09:00` of a minute of the day; 1440 is `24:00`."""
    return f"{minute // 60:02}:{minute % 60:02}"


@dataclass(frozen=True)
class Rotation:
    """When turns change hands: every `every` units, at a local time of day (`minute`, from midnight).

    day: 0 (Mon) to 6 of a week; 1 to 31 of a month, where a shorter month takes its last day; None for hours and days.
    more: further hand-offs (day, minute) within the same unit, as Monday and Friday of each week; none for hours.
    The first turn begins at the first hand-off at or after midnight of `start`. Hours are elapsed hours from there.
    """

    unit: Unit
    every: int
    minute: int
    day: int | None
    start: date
    more: tuple[tuple[int | None, int], ...] = ()

    def __post_init__(self) -> None:
        ranges = {Unit.WEEK: range(7), Unit.MONTH: range(1, 32)}
        good_days = all(day in ranges[self.unit] if self.unit in ranges else day is None for day, _ in self.handoffs)
        good_times = all(0 <= minute < DAY for _, minute in self.handoffs) and len(set(self.handoffs)) == len(self.handoffs)
        # Two of the 28th to the 31st may be one day in February, and then come in the wrong order.
        clear = sum(day is not None and day >= 28 for day, _ in self.handoffs) <= 1 and not (self.more and self.unit is Unit.HOUR)
        if self.every < 1 or not good_days or not good_times or not clear or not 1970 <= self.start.year < 9999:
            raise ValueError(f"not a rotation: {self}")

    @property
    def handoffs(self) -> tuple[tuple[int | None, int], ...]:
        """Day and minute of each hand-off within a unit."""
        return ((self.day, self.minute), *self.more)

    @property
    def handoff(self) -> str:
        """As written: `09:00`, `Mon 09:00`, `1 09:00`, `Mon 09:00 and Fri 17:00`."""
        names = ["" if day is None else f"{DAYS[day] if self.unit is Unit.WEEK else day} " for day, _ in self.handoffs]
        return " and ".join(name + clock_text(minute) for name, (_, minute) in zip(names, self.handoffs, strict=True))

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
    """People who take turns, all the time or within `only`.

    users: everybody of the layer, in order. together: who takes each turn, where several are on at once; else each alone.
    """

    name: str
    rotation: Rotation
    users: tuple[str, ...]
    only: tuple[Window, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    fairness: Fairness = Fairness.CALENDAR

    def __post_init__(self) -> None:
        if not self.users or (self.together and {user for turn in self.together for user in turn} != set(self.users)):
            raise ValueError(f"layer {self.name} has nobody, or others in turns")
        if any(not turn or len(set(turn)) < len(turn) for turn in self.together):
            raise ValueError(f"a turn of layer {self.name} has nobody, or somebody twice")
        if self.fairness is Fairness.COVERED and self.rotation.unit is Unit.HOUR:
            raise ValueError(f"layer {self.name} counts elapsed hours, covered or not")

    @property
    def takers(self) -> tuple[tuple[str, ...], ...]:
        """Who takes each turn of a round."""
        return self.together or tuple((user,) for user in self.users)


@dataclass(frozen=True)
class Override:
    """One person is on from `start` until `end` (instants), whatever the layers say.

    instead: of this person only: whoever else is on stays, and where this person would not be on, nothing changes.
    """

    user: str
    start: datetime
    end: datetime
    instead: str = ""

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None or self.end <= self.start or self.user == self.instead:
            raise ValueError(f"not an override: {self}")


@dataclass(frozen=True)
class Change:
    """An override of a schedule that somebody made while the server ran, and why."""

    id: str
    schedule: str
    override: Override
    why: str
    created_by: str
    created_at: datetime


class CoverState(StrEnum):
    OFFERED = "offered"
    TAKEN = "taken"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Cover:
    """A person asks that somebody takes their place for a while. back: the time they take in return. asked: those who may take
    it, empty: everybody of the schedule."""

    id: str
    schedule: str
    user: str
    start: datetime
    end: datetime
    back: tuple[datetime, datetime] | None
    asked: tuple[str, ...]
    declined: tuple[str, ...]
    state: CoverState
    taken_by: str
    why: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Rest:
    """Rest rules. most: the longest time on call in a row; least: the shortest rest between two; None: no such rule."""

    most: timedelta | None = None
    least: timedelta | None = None


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
    rest: Rest | None = None


@dataclass(frozen=True)
class Shift:
    """One person is on from `start` until `end`, by one turn of one layer or by one override.

    It is the longest stretch without a break in which that turn is the one that counts: a hand-off, the edge of an `only`
    window, a higher layer and an override end it. Who hands over to themselves begins another shift. Where several are on at
    once, each has a shift with the same bounds.
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
