"""A ladder of hops: the way of an alert or of a page, each hop with its reason, and the one that stopped it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

PASSED, STOPPED, WAITING, SKIPPED = "passed", "stopped", "waiting", "skipped"


@dataclass(frozen=True)
class Hop:
    """One hop of the way. state: passed, stopped (here it ended), waiting (not yet), skipped (does not apply).

    since: seconds since the hop before; None where either instant is unknown. source: "alertmanager.yml:12".
    """

    title: str
    detail: str
    state: str = PASSED
    at: datetime | None = None
    since: float | None = None
    source: str = ""
    href: str | None = None


@dataclass(frozen=True)
class Ladder:
    """The way of one alert, or of one page. answer: the whole in one sentence."""

    title: str
    answer: str
    hops: tuple[Hop, ...]


def ladder(title: str, hops: Sequence[Hop], answer: str = "") -> Ladder:
    """Hops with the time since the one before. Without an answer it is the hop that stopped it, else the one it waits for."""
    before: datetime | None = None
    timed = []
    for hop in hops:
        since = (hop.at - before).total_seconds() if hop.at and before and hop.at >= before else None
        timed.append(replace(hop, since=since))
        before = hop.at or before
    stop = next((hop for hop in reversed(timed) if hop.state == STOPPED), None)
    wait = next((hop for hop in reversed(timed) if hop.state == WAITING), None)
    if not answer and (end := stop or wait) is not None:
        answer = f"{end.title}: {end.detail}"
    return Ladder(title, f"{answer}.", tuple(timed))
