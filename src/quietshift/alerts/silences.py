"""Decisions about silences: what is valid, what may be changed in place, what becomes a new one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from quietshift.alerts.decide import silence_state
from quietshift.alerts.matchers import Matcher, Matchers
from quietshift.alerts.model import Silence, SilenceState
from quietshift.alerts.syntax import is_name, name_rule

ANY = "\x1f a value that no label has"


def check(silence: Silence) -> None:
    """Raises ValueError that says why this cannot be a silence."""
    if not silence.matchers:
        raise ValueError("at least one matcher is required")
    for m in silence.matchers:
        if not is_name(m.name):
            raise ValueError(f"{m.name!r} is not a label name ({name_rule()})")
    if all(m.is_equal and m.matches("") for m in silence.matchers):
        raise ValueError("at least one matcher has to need a value: these would silence every alert that lacks the labels")
    if silence.starts_at >= silence.ends_at:
        raise ValueError("start time must be before end time")


def change_in_place(old: Silence, new: Silence, now: datetime) -> bool:
    """Whether `new` can take the place of `old` without rewriting history: the same matchers, and nothing moved into the
    past. Otherwise `old` is expired and `new` gets an id of its own. Source: Alertmanager, silence.canUpdate."""
    if old.matchers != new.matchers:
        return False
    match silence_state(old, now):
        case SilenceState.ACTIVE:
            return int(old.starts_at.timestamp()) == int(new.starts_at.timestamp()) and new.ends_at >= now
        case SilenceState.PENDING:
            return new.starts_at >= now
        case _:
            return False


def expire(silence: Silence, now: datetime) -> Silence:
    """The silence ended now; one that is over stays as it is."""
    match silence_state(silence, now):
        case SilenceState.ACTIVE:
            return msgspec.structs.replace(silence, ends_at=now, updated_at=now)
        case SilenceState.PENDING:
            return msgspec.structs.replace(silence, starts_at=now, ends_at=now, updated_at=now)
        case _:
            return silence


def listing_order(silence: Silence, now: datetime) -> tuple[int, float]:
    """Sort key: active ones by their end, pending ones by their start, expired ones by their end, latest first."""
    match silence_state(silence, now):
        case SilenceState.ACTIVE:
            return 1, silence.ends_at.timestamp()
        case SilenceState.PENDING:
            return 2, silence.starts_at.timestamp()
        case _:
            return 3, -silence.ends_at.timestamp()


def notice_at(silence: Silence, notice: timedelta, now: datetime) -> datetime | None:
    """When its owner is told that it ends; None where it is over, as short as the notice itself, or so near its end already."""
    if not notice or silence.ends_at - silence.starts_at <= notice or silence.ends_at - notice <= now:
        return None
    return silence.ends_at - notice


def names_nothing(matchers: Matchers) -> bool:
    """Whether no condition asks for a value: whatever is reported fits, but for what is left out by name."""
    return all(m.matches(ANY) for m in matchers)


def of_labels(labels: Iterable[tuple[str, str]]) -> Matchers:
    """What silences alerts with these labels, and no others of other values."""
    return tuple(Matcher(name, value) for name, value in sorted(labels))
