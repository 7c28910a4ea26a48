"""Alertmanager's API v2: alerts in, and everything that is answered, in its own words and shapes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec

from quietshift.alerts import decide, labels
from quietshift.alerts.labels import Labels
from quietshift.alerts.matchers import Matcher, matcher
from quietshift.alerts.model import Alert, Silence
from quietshift.kernel.clock import EPOCH, aware, parse_rfc3339

NOTHING = msgspec.Raw(b"{}")
ZERO_YEAR = 1  # 0001-01-01T00:00:00Z is what Go sends for "no time"


class Item(
    msgspec.Struct, gc=False, rename={"starts_at": "startsAt", "ends_at": "endsAt", "generator_url": "generatorURL"}
):
    """An alert as it is posted, its label sets not decoded yet: a repeat is recognised by their text."""

    labels: msgspec.Raw
    annotations: msgspec.Raw = NOTHING
    starts_at: str | None = ""
    ends_at: str | None = ""
    generator_url: str | None = ""

    def end(self) -> datetime | None:
        """The end reported. Raises ValueError for a text that is no instant."""
        return instant(self.ends_at) if self.ends_at else None


class Reported(msgspec.Struct, frozen=True, gc=False):
    """An alert taken in, with the digest of its labels."""

    digest: int
    alert: Alert


class Unfit(ValueError):
    """A body that lacks what it has to have, as go-openapi tells it. code: its number for what is wrong."""

    def __init__(self, message: str, code: int = 602) -> None:
        super().__init__(message)
        self.code = code


def _lacks(body: bytes, error: Exception) -> bool:
    """Whether something required is not there, or null; not whether it is of the wrong kind."""
    said = str(error)
    return not body.strip() or said.startswith("Object missing required field") or "got `null`" in said


_items = msgspec.json.Decoder(list[Item] | None)
_sets = msgspec.json.Decoder(dict[str, str | None] | None)


def decode(body: bytes) -> list[Item]:
    """The alerts of a request's body. Raises ValueError that names the place of what is wrong."""
    try:
        return _items.decode(body) or []
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        words = f"alerts cannot be read: {_where(error)}"
        raise (Unfit(words) if _lacks(body, error) else ValueError(words)) from None
    except RecursionError:
        raise ValueError("alerts cannot be read: nested too deeply") from None


def parse(item: Item, now: datetime, resolve_timeout: timedelta, spelling: bytes = b"") -> Reported:
    """The alert that an item reports. spelling: its labels, where they are at hand. Raises ValueError that says what is wrong."""
    what = "labels"
    try:
        label_set = _label_set(spelling or bytes(item.labels))
        what = "annotations"
        annotations = _annotations(bytes(item.annotations))
        what = "startsAt"
        starts_at = instant(item.starts_at) if item.starts_at else None
        what = "endsAt"
        ends_at = instant(item.ends_at) if item.ends_at else None
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    alert = decide.accept(label_set, annotations, starts_at, ends_at, item.generator_url or "", now, resolve_timeout)
    return Reported(labels.identity(label_set), alert)


def _pairs(raw: bytes) -> dict[str, str | None]:
    try:
        return _sets.decode(raw) or {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(_where(error)) from None


def _label_set(raw: bytes) -> Labels:
    """What a sender writes of a label set, without what is empty."""
    return _sorted(_pairs(raw), raw)


def _sorted(pairs: Mapping[str, str | None], raw: bytes) -> Labels:
    """Nearly all senders write label sets as they are kept: then it is as it was decoded."""
    if all(pairs.values()) and _plain_in_order(tuple(pairs)) and raw.isascii() and b"\\u" not in raw:
        return cast("Labels", pairs)
    return labels.label_set({name: value for name, value in pairs.items() if value})


@functools.lru_cache(maxsize=4096)
def _plain_in_order(names: tuple[str, ...]) -> bool:
    """Whether these are label names whatever the syntax, and sorted."""
    return all(name.isascii() and name.isidentifier() for name in names) and list(names) == sorted(names)


@functools.lru_cache(maxsize=4096)  # alerts of one rule mostly share theirs
def _annotations(raw: bytes) -> Labels:
    """Annotations of an alert. Other than a label, one that is empty is kept, and told."""
    pairs = _pairs(raw)
    full = _sorted(pairs, raw)
    if len(full) == len(pairs):
        return full
    names = labels.label_set(dict.fromkeys(pairs, "x"))  # the empty ones have to have names as well
    return {name: full.get(name, "") for name in names}


def _where(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not valid UTF-8"
    return str(error).replace("$", "body", 1) if "$" in str(error) else str(error)


@functools.lru_cache(maxsize=4096)
def instant(text: str) -> datetime | None:
    """An RFC 3339 instant; None for Go's zero time. Raises ValueError otherwise."""
    try:
        moment = parse_rfc3339(text)
    except (ValueError, OverflowError):
        raise ValueError(f"not an RFC 3339 time with a zone: {text[:60]!r}") from None
    return None if moment.year == ZERO_YEAR else moment


@functools.lru_cache(maxsize=4096)
def millis(moment: datetime) -> str:
    """`2026-11-22T00:10:05.483Z`: always milliseconds, as Alertmanager writes it."""
    return aware(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# -- answers -------------------------------------------------------------------------------------------------------------


class Named(msgspec.Struct, frozen=True, gc=False):
    """A receiver."""

    name: str


class Status(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """An alertStatus."""

    inhibited_by: tuple[str, ...]
    muted_by: tuple[str, ...]
    silenced_by: tuple[str, ...]
    state: str


_RENAMED = {"ends_at": "endsAt", "starts_at": "startsAt", "updated_at": "updatedAt", "generator_url": "generatorURL"}


class AlertAnswer(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename=_RENAMED):
    """A gettableAlert. Python's garbage collector looks at none of its parts: else it takes most of the time of a long list."""

    annotations: Labels
    ends_at: str
    fingerprint: str
    receivers: tuple[Named, ...]
    starts_at: str
    status: Status
    updated_at: str
    labels: Labels
    generator_url: str = ""


class GroupAnswer(msgspec.Struct, frozen=True):
    """An alertGroup."""

    alerts: list[AlertAnswer]
    labels: Labels
    receiver: Named


@functools.lru_cache(maxsize=4096)
def status_answer(silenced_by: tuple[str, ...], inhibited_by: tuple[str, ...], muted_by: tuple[str, ...] = ()) -> Status:
    """muted_by: the time intervals that mute the alert's group, where it is shown in one."""
    return Status(inhibited_by, muted_by, silenced_by, "suppressed" if silenced_by or inhibited_by or muted_by else "active")


@functools.lru_cache(maxsize=4096)
def receivers_answer(names: tuple[str, ...]) -> tuple[Named, ...]:
    return tuple(map(Named, names))


def alert_answer(alert: Alert, fingerprint: str, ends_at: datetime, receivers: tuple[Named, ...], status: Status) -> AlertAnswer:
    """An alert as it is shown. ends_at: as far as silence can tell."""
    return AlertAnswer(
        alert.annotations, millis(ends_at), fingerprint, receivers, millis(alert.starts_at), status, millis(alert.updated_at),
        alert.labels, alert.generator_url,
    )  # fmt: skip


def silence_answer(silence: Silence, now: datetime) -> dict[str, Any]:
    """A gettableSilence."""
    return {
        "id": silence.id,
        "status": {"state": str(decide.silence_state(silence, now))},
        "updatedAt": millis(silence.updated_at),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": millis(silence.ends_at),
        "matchers": [
            {"isEqual": m.is_equal, "isRegex": m.is_regex, "name": m.name, "value": m.value} for m in silence.matchers
        ],
        "startsAt": millis(silence.starts_at),
    }


# -- silences in ---------------------------------------------------------------------------------------------------------


class PostedMatcher(msgspec.Struct, rename="camel"):
    name: str
    value: str
    is_regex: bool
    is_equal: bool | None = True


class PostedSilence(msgspec.Struct, rename="camel"):
    """A postableSilence. id: of the silence to change; empty for a new one."""

    matchers: list[PostedMatcher]
    starts_at: str
    ends_at: str
    created_by: str
    comment: str
    id: str | None = ""


_silence = msgspec.json.Decoder(PostedSilence)


def decode_silence(body: bytes) -> Silence:
    """The silence of a request's body. Raises ValueError that says what is wrong."""
    try:
        posted = _silence.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        words = f"the silence cannot be read: {_where(error)}"
        raise (Unfit(words) if _lacks(body, error) else ValueError(words)) from None
    if not posted.matchers:
        raise Unfit("matchers in body should have at least 1 items", 612)
    for text in (posted.created_by, posted.comment):
        text.encode()
    return Silence(
        posted.id or "",
        tuple(_matchers(posted.matchers)),
        instant(posted.starts_at) or EPOCH,
        instant(posted.ends_at) or EPOCH,
        posted.created_by,
        posted.comment,
        EPOCH,
    )


def _matchers(posted: Iterable[PostedMatcher]) -> Iterable[Matcher]:
    for m in posted:
        equal = m.is_equal is not False
        operator = ("=~" if equal else "!~") if m.is_regex else ("=" if equal else "!=")
        yield matcher(m.name, operator, m.value)


def encode(answer: Mapping[str, Any] | Sequence[Any] | str) -> bytes:
    """As JSON, with a line end, as Go's encoder writes it."""
    return msgspec.json.encode(answer) + b"\n"
