"""Rest rules: how long somebody is on in a row, and how long they rest between; pure. Who breaks them is told, never refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from quietshift.kernel.durations import format_duration
from quietshift.oncall import decide
from quietshift.oncall.localtime import local
from quietshift.oncall.model import Override, Schedule
from quietshift.oncall.turns import Interval, merged

AROUND = timedelta(days=14)  # how far around a change its consequences are looked for


@dataclass(frozen=True)
class Strain:
    """A rest rule is broken: by whom, within which time (too long in a row, or too short to rest), and in words."""

    user: str
    start: datetime
    end: datetime
    text: str


def strains(schedule: Schedule, start: datetime, end: datetime) -> list[Strain]:
    """Where a schedule's rest rules are broken within [start, end), by time. None where it has no rules.

    Shifts that touch, of whatever turn, are one stretch. Raises Invalid as `decide.shifts` does.
    """
    if schedule.rest is None:
        return []
    spans: dict[str, list[Interval]] = {}
    for shift in decide.shifts(schedule, start, end):
        spans.setdefault(shift.user, []).append((shift.start, shift.end))
    found = [strain for user, on in spans.items() for strain in _of(user, merged(on), schedule)]
    return sorted(found, key=lambda strain: (strain.start, strain.user, strain.text))


def made_by(schedule: Schedule, overrides: Sequence[Override]) -> list[str]:
    """What these overrides, which are not in the schedule yet, would break that is not broken without them; in words."""
    start = min(one.start for one in overrides) - AROUND
    end = max(one.end for one in overrides) + AROUND
    before = {strain.text for strain in strains(schedule, start, end)}
    after = strains(replace(schedule, overrides=(*schedule.overrides, *overrides)), start, end)
    return [strain.text for strain in after if strain.text not in before]


def _of(user: str, on: list[Interval], schedule: Schedule) -> list[Strain]:
    found: list[Strain] = []
    if schedule.rest is None:
        return found
    most, least = schedule.rest.most, schedule.rest.least
    for start, end in on:
        if most is not None and end - start > most:
            how_long = f"{user} is on for {_text(end - start)} in a row from {_at(start, schedule)}"
            text = f"{how_long}; by the rest rules {_text(most)} at most"
            found.append(Strain(user, start, end, text))
    for (_, end), (start, _) in pairwise(on):
        if least is not None and start - end < least:
            text = f"{user} rests {_text(start - end)} from {_at(end, schedule)}; by the rest rules {_text(least)} at least"
            found.append(Strain(user, end, start, text))
    return found


def _text(span: timedelta) -> str:
    """Whole hours as hours: `168h`, which `1w` is read as by nobody who is tired."""
    hours, rest = divmod(span, timedelta(hours=1))
    return f"{hours}h{format_duration(rest) if rest else ''}"


def _at(at: datetime, schedule: Schedule) -> str:
    return f"{local(schedule.zone, at):%a %Y-%m-%d %H:%M} {schedule.zone.key}"
