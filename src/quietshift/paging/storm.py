"""When pages of one person become one message: pure. A storm rings a phone once, and says how many more there are.

The first page of a policy goes out at once and opens a window: what follows to the same contact waits until it ends, and is told
in one message then, which opens the next window, twice as long. A page worse than all that was told goes out at once, and so
does the first of another policy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from quietshift.kernel.clock import from_micros, to_micros
from quietshift.kernel.durations import format_duration

HOUR = timedelta(hours=1)
STALE = timedelta(minutes=1)  # a window that ended so long ago and still holds pages was not seen to: nobody waits for it
RANKS = ("info", "warning", "critical")
NOTHING = -1  # below every rank


def rank(severity: str) -> int:
    """How bad, from 0. A word that is unknown here is as bad as the worst."""
    return RANKS.index(severity) if severity in RANKS else len(RANKS) - 1


@dataclass(frozen=True)
class Bundling:
    """`bundle:` of quietshift.yaml. window: how long the first one is, 0: each page goes out by itself; longest: none is longer;
    per_hour: messages to one contact in an hour, after which only what is urgent goes out at once; named: how many incidents a
    message lists."""

    window: timedelta = timedelta(seconds=10)
    longest: timedelta = timedelta(minutes=10)
    per_hour: int = 60
    named: int = 10


@dataclass(frozen=True)
class Window:
    """What follows waits until `until`. worst: rank of the most severe that was told in it; waiting: whether pages do."""

    until: datetime
    length: timedelta
    worst: int
    waiting: bool = False


@dataclass(frozen=True)
class Told:
    """What one contact of one person was told: when, in the last hour, oldest first; and its windows by policy."""

    at: tuple[datetime, ...] = ()
    windows: Mapping[str, Window] = field(default_factory=dict, hash=False)

    def kept(self) -> dict[str, Any]:
        """As JSON, to be read by `from_kept`."""
        windows = {
            policy: [to_micros(w.until), w.length // timedelta(microseconds=1), w.worst, w.waiting]
            for policy, w in self.windows.items()
        }
        return {"at": [to_micros(at) for at in self.at], "windows": windows}

    @classmethod
    def from_kept(cls, kept: Mapping[str, Any]) -> Told:
        windows = {
            policy: Window(from_micros(until), timedelta(microseconds=length), worst, waiting)
            for policy, (until, length, worst, waiting) in kept["windows"].items()
        }
        return cls(tuple(map(from_micros, kept["at"])), windows)


@dataclass(frozen=True)
class Admission:
    """told: what the contact was told after this; until None: the page goes out at once, else it waits until then, and why."""

    told: Told
    until: datetime | None = None
    why: str = ""


def admit(told: Told, policy: str, severity: str, now: datetime, rules: Bundling, *, asked: bool = False) -> Admission:
    """Whether a page goes out at once. asked: a person called this one by name, and waits for them."""
    if not rules.window:
        return Admission(told)
    told = _current(told, now)
    how_bad = rank(severity)
    window = told.windows.get(policy)
    if asked or (window is not None and how_bad > window.worst):
        after = replace(window, worst=max(how_bad, window.worst)) if window else _opened(now, rules.window, how_bad)
        return Admission(_sent(told, policy, after, now))
    if window is not None:
        why = f"told of policy {policy} less than {format_duration(window.length)} before"
        if window.worst == NOTHING:
            why = _limit_words(rules)
        return Admission(_with(told, policy, replace(window, waiting=True)), window.until, why)
    if len(told.at) >= rules.per_hour and how_bad < len(RANKS) - 1:
        waits = replace(_opened(now, rules.longest, NOTHING), waiting=True)
        return Admission(_with(told, policy, waits), waits.until, _limit_words(rules))
    return Admission(_sent(told, policy, _opened(now, rules.window, how_bad), now))


def end_window(told: Told, policy: str, worst: int, now: datetime, rules: Bundling) -> Told:
    """After a window's end. worst: rank of the most severe page that is told now; NOTHING where none waits any more.

    What was told opens the next window, twice as long, and the longest at once where the contact is at its limit.
    """
    told = replace(told, at=_last_hour(told, now))
    window = told.windows.get(policy)
    if worst == NOTHING:
        return replace(told, windows={name: w for name, w in told.windows.items() if name != policy})
    if window is None:
        return _sent(told, policy, _opened(now, rules.window, worst), now)
    full = len(told.at) + 1 >= rules.per_hour
    length = rules.longest if full else min(window.length * 2, rules.longest)
    return _sent(told, policy, Window(now + length, length, max(worst, window.worst)), now)


def _current(told: Told, now: datetime) -> Told:
    """Without what is over. A window whose pages nobody has seen to by now is over too: then no page waits for it."""
    windows = {
        policy: window
        for policy, window in told.windows.items()
        if window.until > now or (window.waiting and window.until + STALE > now)
    }
    return Told(_last_hour(told, now), windows)


def _last_hour(told: Told, now: datetime) -> tuple[datetime, ...]:
    return tuple(at for at in told.at if at > now - HOUR)


def _opened(now: datetime, length: timedelta, worst: int) -> Window:
    return Window(now + length, length, worst)


def _with(told: Told, policy: str, window: Window) -> Told:
    return replace(told, windows={**told.windows, policy: window})


def _sent(told: Told, policy: str, window: Window, now: datetime) -> Told:
    return replace(_with(told, policy, window), at=(*told.at, now))


def _limit_words(rules: Bundling) -> str:
    return f"{rules.per_hour} messages in an hour are the limit, except for what is worse"


# -- words ---------------------------------------------------------------------------------------------------------------


def counted(ranks: Iterable[int]) -> dict[str, int]:
    """How many there are of each severity, the worst first."""
    counts = Counter(ranks)
    return {RANKS[number]: counts[number] for number in sorted(counts, reverse=True)}


def in_words(severities: Mapping[str, int]) -> str:
    """`4,980 critical, 7 warning`."""
    return ", ".join(f"{number:,} {severity}" for severity, number in severities.items())
