"""Who is on, from when until when, and why: pure, on intervals. An instant belongs to the shift that begins at it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from quietshift.catalog.model import Catalog, Entity
from quietshift.kernel.errors import Invalid
from quietshift.oncall.localtime import FAR, LAST, local, within_range
from quietshift.oncall.model import OVERRIDE, Fairness, Gap, Layer, OnCall, Oncall, Override, Schedule, Shift
from quietshift.oncall.turns import boundary, place, restriction, turn_at, turns, windows

# How far windows of the week are looked for: each opens and closes weekly, unless a clock change swallows it that once.
_REACH = timedelta(days=16)


class _Piece(NamedTuple):
    """People who are on by one turn or one override, before higher layers cut it."""

    start: datetime
    end: datetime
    users: tuple[str, ...]
    layer: str
    reason: str
    places: tuple[tuple[str, ...], ...] = ()  # who stood in each place before; empty: who is on

    def holds(self, user: str) -> bool:
        return user in self.users or any(user in place for place in self.places)


class _Free(NamedTuple):
    """Nobody by this layer or override: since and until when (None: for ever)."""

    start: datetime | None
    end: datetime | None


def who(schedule: Schedule, at: datetime) -> OnCall:
    """Who is on at an instant, within which bounds, and why.

    The bounds are those of `Shift`, in UTC. In a gap nobody is named, and the bounds are the gap's.
    Raises Invalid outside the years 1970 to 9998.
    """
    at = within_range(at)
    start: datetime | None = None
    end: datetime | None = None
    in_place: list[Override] = []
    for found in _sources(schedule, at):
        if isinstance(found, Override):
            in_place.append(found)
            continue
        if isinstance(found, _Piece):
            on = found._replace(start=max(filter(None, (start, found.start))), end=min(filter(None, (end, found.end))))
            for override in reversed(in_place):
                on = _around(on, override, schedule.zone, at)
            return OnCall(on.users, on.start, None if on.end == FAR else on.end, on.layer, on.reason)
        start = max(filter(None, (start, found.start)), default=None)
        end = min(filter(None, (end, found.end)), default=None)
    return OnCall((), start, None if end == FAR else end, "", _why_nobody(schedule, at))


def shifts(schedule: Schedule, start: datetime, end: datetime) -> list[Shift]:
    """Every shift within [start, end), in order, cut at its edges. Between two shifts that do not touch nobody is on.

    Raises Invalid where end is before start, or outside the years 1970 to 9998.
    """
    start, end = within_range(start), within_range(end)
    if end < start:
        raise Invalid(f"the end {end.isoformat()} is before the start {start.isoformat()}")
    found: list[_Piece] = []
    for layer in schedule.layers:
        found = _over(found, list(_pieces(layer, schedule.zone, start, end)))
    above: list[_Piece] = []
    for override in schedule.overrides:
        if override.start >= end or override.end <= start:
            continue
        if override.instead:
            found, above = _replaced(_over(found, above), override, schedule.zone), []
        else:
            above = _over(above, [_override_piece(override, schedule.zone)])
    found = _over(found, above)
    return [
        Shift(user, max(piece.start, start), min(piece.end, end), piece.layer, piece.reason)
        for piece in found
        if piece.start < end and piece.end > start
        for user in piece.users
    ]


def gaps(schedule: Schedule, start: datetime, end: datetime) -> list[Gap]:
    """The times within [start, end) at which nobody is on, in order, with the reason. Raises as `shifts` does."""
    found = []
    here = within_range(start)
    for shift in shifts(schedule, start, end):
        if shift.start > here:
            found.append(Gap(here, shift.start, _why_nobody(schedule, here)))
        here = max(here, shift.end)
    if here < within_range(end):
        found.append(Gap(here, within_range(end), _why_nobody(schedule, here)))
    return found


def for_service(oncall: Oncall, catalog: Catalog, component: Entity) -> tuple[Schedule, ...]:
    """The schedules of the group that owns a component, by name; none where a single user owns it, or nobody."""
    group = catalog.owner_group(component)
    return oncall.owned_by([group.ref]) if group else ()


# -- one instant ---------------------------------------------------------------------------------------------------------


def _sources(schedule: Schedule, at: datetime) -> Iterator[_Piece | _Free | Override]:
    """What each override and layer says of an instant, the one that counts most first; an override of one person as it is."""
    for override in reversed(schedule.overrides):
        if override.instead:
            yield override
        elif override.start <= at < override.end:
            yield _override_piece(override, schedule.zone)
        elif override.end <= at:
            yield _Free(override.end, None)
        else:
            yield _Free(None, override.start)
    for layer in reversed(schedule.layers):
        yield _layer_at(layer, schedule.zone, at)


def _layer_at(layer: Layer, zone: ZoneInfo, at: datetime) -> _Piece | _Free:
    """The layer's piece that holds an instant, or how long it is free around it."""
    turn = turn_at(layer.rotation, zone, at)
    begins = boundary(layer.rotation, zone, turn or 0)
    if turn is None:
        opens = windows(restriction(layer), zone, begins, begins + _REACH) if begins < LAST else []
        return _Free(None, max(begins, opens[0][0]) if opens else begins)
    ends = boundary(layer.rotation, zone, turn + 1)
    only = restriction(layer)
    if only:
        near = windows(only, zone, at - _REACH, at + _REACH)
        run = next(((opens, closes) for opens, closes in near if opens <= at < closes), None)
        if run is None:
            first = boundary(layer.rotation, zone, 0)
            before = max((closes for _, closes in near if first < closes <= at), default=None)
            return _Free(before, min((opens for opens, _ in near if opens > at), default=None))
        begins, ends = max(begins, run[0]), min(ends, run[1])
    taker = place(layer, turn)
    return _Piece(begins, ends, layer.takers[taker], layer.name, _turn_reasons(layer, zone)[taker])


# -- a stretch of time ---------------------------------------------------------------------------------------------------


def _pieces(layer: Layer, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[_Piece]:
    """The layer's pieces that overlap [start, end), in order."""
    reasons, takers = _turn_reasons(layer, zone), layer.takers
    only = restriction(layer)
    opened = windows(only, zone, start, end) if only else [(start, end)]
    here = 0
    for turn, begins, ends in turns(layer.rotation, zone, start, end):
        while here < len(opened) and opened[here][1] <= begins:
            here += 1
        at = here
        taker = place(layer, turn) if at < len(opened) and opened[at][0] < ends else 0
        while at < len(opened) and opened[at][0] < ends:
            bounds = max(begins, opened[at][0]), min(ends, opened[at][1])
            yield _Piece(*bounds, takers[taker], layer.name, reasons[taker])
            at += 1


def _over(lower: list[_Piece], upper: list[_Piece]) -> list[_Piece]:
    """`upper`, and of `lower` what it leaves uncovered; both in order and without overlap, as is the answer."""
    if not upper or not lower:
        return upper or lower
    found = list(upper)
    here = 0
    for piece in lower:
        start = piece.start
        while here < len(upper) and upper[here].end <= start:
            here += 1
        above = here
        while above < len(upper) and upper[above].start < piece.end:
            if upper[above].start > start:
                found.append(piece._replace(start=start, end=upper[above].start))
            start = upper[above].end
            above += 1
        if start < piece.end:
            found.append(piece._replace(start=start))
    return sorted(found)


# -- one person in the place of another ----------------------------------------------------------------------------------


def _replaced(found: list[_Piece], override: Override, zone: ZoneInfo) -> list[_Piece]:
    """The same pieces, cut where an override of one person begins and ends, and with the other in that one's place."""
    after: list[_Piece] = []
    for piece in found:
        if not piece.holds(override.instead) or piece.end <= override.start or piece.start >= override.end:
            after.append(piece)
            continue
        if piece.start < override.start:
            after.append(piece._replace(end=override.start))
        begins, ends = max(piece.start, override.start), min(piece.end, override.end)
        after.append(_in_place(piece, override, zone)._replace(start=begins, end=ends))
        if piece.end > override.end:
            after.append(piece._replace(start=override.end))
    return after


def _around(piece: _Piece, override: Override, zone: ZoneInfo, at: datetime) -> _Piece:
    """What an override of one person leaves of a piece around an instant."""
    if not piece.holds(override.instead):
        return piece
    if override.end <= at:
        return piece._replace(start=max(filter(None, (piece.start, override.end))))
    if override.start > at:
        return piece._replace(end=min(filter(None, (piece.end, override.start))))
    begins, ends = max(filter(None, (piece.start, override.start))), min(filter(None, (piece.end, override.end)))
    return _in_place(piece, override, zone)._replace(start=begins, end=ends)


def _in_place(piece: _Piece, override: Override, zone: ZoneInfo) -> _Piece:
    """The piece with another person in the place of one who holds it, or held it before an earlier override."""
    users: list[str] = []
    places: list[tuple[str, ...]] = []
    for user, before in zip(piece.users, piece.places or ((),) * len(piece.users), strict=True):
        on = override.user if override.instead in (user, *before) else user
        past = (*before, user) if on != user else before
        if on in users:  # in two places at once: one person
            places[users.index(on)] += past
        else:
            users.append(on)
            places.append(past)
    reason = f"override: {override.user} instead of {override.instead} until {_local_text(override.end, zone)}; {piece.reason}"
    return piece._replace(users=tuple(users), places=tuple(places), layer=OVERRIDE, reason=reason)


# -- reasons -------------------------------------------------------------------------------------------------------------


def _turn_reasons(layer: Layer, zone: ZoneInfo) -> list[str]:
    """Why each of the layer's people is on when it is their turn, in the layer's order."""
    only = f", only {_only_text(layer)}" if layer.only else ""
    text = f"layer {layer.name}, {layer.rotation} {zone.key}{only}"
    takers = ", ".join("+".join(users) for users in layer.takers)
    counted = f" of those covered, [{takers}]" if layer.fairness is Fairness.COVERED else f" of [{takers}]"
    return [f"{text}, turn {number}{counted}" for number in range(1, len(layer.takers) + 1)]


def _override_piece(override: Override, zone: ZoneInfo) -> _Piece:
    reason = f"override until {_local_text(override.end, zone)}"
    return _Piece(override.start, override.end, (override.user,), OVERRIDE, reason)


def _why_nobody(schedule: Schedule, at: datetime) -> str:
    zone = schedule.zone
    texts = []
    for layer in schedule.layers:
        first = boundary(layer.rotation, zone, 0)
        if at < first:
            texts.append(f"layer {layer.name} begins {_local_text(first, zone)}")
        else:
            texts.append(f"layer {layer.name} is on only {_only_text(layer)} {zone.key}")
    return f"nobody: {'; '.join(texts) or 'the schedule has no layers'}; no override"


def _only_text(layer: Layer) -> str:
    return " and ".join(str(window) for window in layer.only)


def _local_text(at: datetime, zone: ZoneInfo) -> str:
    """`Fri 2026-12-25 09:00 Europe/Berlin`."""
    return f"{local(zone, at):%a %Y-%m-%d %H:%M} {zone.key}"
