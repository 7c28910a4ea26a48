"""The values of who reports besides Prometheus: other tools' events and changes, and what has to be heard of again and again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from quietshift.alerts.labels import Labels
from quietshift.alerts.matchers import Matchers
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.durations import format_duration

EVENTS_PER_MINUTE = 1200  # of one integration; PagerDuty takes 120 of one key


class Act(StrEnum):
    """What another tool's event asks for."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class Event(msgspec.Struct, frozen=True):
    """What another tool says of a problem of its own. key: its name for the problem.

    A trigger's labels tell what it is: its own `service` or `dedup_key` stands in place of the integration's and of the key, an
    empty one in place of both. starts_at None: now. ended_at: of a resolve, when the tool saw the end; what began later is not
    meant.
    """

    act: Act
    key: str
    labels: Labels = {}
    annotations: Labels = {}
    starts_at: datetime | None = None
    url: str = ""
    ended_at: datetime | None = None


def complete(event: Event, source: str, service: str) -> Labels:
    """The labels of a trigger with those of the integration that it came by."""
    return {"service": service, "dedup_key": event.key, **event.labels, "integration": source}


class Change(msgspec.Struct, frozen=True):
    """Something that was changed on purpose, as a deploy. It wakes nobody. at: when, by the tool. links: address and text."""

    id: str
    at: datetime
    service: str
    integration: str
    summary: str
    source: str = ""
    details: Mapping[str, Any] = {}
    links: tuple[tuple[str, str], ...] = ()


def change_as_json(change: Change) -> dict[str, Any]:
    """A change as the API shows it beside an incident."""
    return {
        "at": rfc3339(change.at), "summary": change.summary, "source": change.source, "integration": change.integration,
        "details": change.details, "links": [{"href": address, "text": text} for address, text in change.links],
    }  # fmt: skip


class Field(msgspec.Struct, frozen=True):
    """Where in a body something stands (JMESPath), what the words there mean, and what holds where nothing stands."""

    path: str
    values: Mapping[str, str] = {}
    default: str = ""


class BodyMapping(msgspec.Struct, frozen=True):
    """What of any JSON body is what of an event. events: where its objects stand (empty: the body is one); others: in each."""

    summary: str
    key: str = ""
    events: str = ""
    action: Field | None = None
    severity: Field | None = None
    alertname: str = ""
    time: str = ""
    url: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}


class Inbound(msgspec.Struct, frozen=True):
    """A way in for another tool's events (`kind: Integration`), bound to a service. type: whose API it speaks. key_hash: SHA-256
    of its key, hexadecimal. per_minute: how many requests it may make."""

    name: str
    type: str
    service: str
    key_hash: str
    file: str = ""
    line: int = 0
    per_minute: int = EVENTS_PER_MINUTE
    mapping: BodyMapping | None = None


class Inbounds(msgspec.Struct, frozen=True):
    """Every integration, by the hash of its key."""

    by_hash: Mapping[str, Inbound] = {}

    def of_key(self, key: str, *types: str) -> Inbound | None:
        """The integration of one of these types that has this key."""
        found = self.by_hash.get(_digest(key))
        return found if found is not None and found.type in types else None


class Heartbeat(msgspec.Struct, frozen=True):
    """Something that has to be heard of again and again (`kind: Heartbeat`), at the latest `grace` after it is expected.

    Expected is it by one of: period, since it was heard last; cron, in a zone: at the next of its times; matchers: as long as an
    alert fires that fulfils them. token_hash: SHA-256 of its address's token; empty where it is heard by alerts alone.
    """

    name: str
    service: str
    grace: timedelta
    severity: str
    token_hash: str
    period: timedelta = timedelta()
    cron: str = ""
    zone: str = "UTC"
    matchers: Matchers = ()
    file: str = ""
    line: int = 0

    def due(self, heard: datetime, lease: timedelta = timedelta()) -> datetime:
        """When it has to be heard again at the latest. lease: how long an alert fires on by itself, where alerts give it."""
        if self.cron:
            return next_time(self.cron, self.zone, heard) + self.grace
        return heard + (lease if self.matchers else self.period) + self.grace

    @property
    def rhythm(self) -> str:
        """When it is expected, in words; what it was expected by before is told from it."""
        grace = f"with {format_duration(self.grace)} of grace"
        if self.cron:
            return f"it is expected by the schedule {self.cron!r} in {self.zone}, {grace}"
        if self.matchers:
            return f"an alert with {', '.join(map(str, self.matchers))} is expected to fire all the time, {grace}"
        return f"it is expected every {format_duration(self.period)}, {grace}"


class Heartbeats(msgspec.Struct, frozen=True):
    """Every heartbeat, by its name."""

    by_name: Mapping[str, Heartbeat] = {}

    def of_token(self, token: str) -> Heartbeat | None:
        """The heartbeat whose address has this token."""
        wanted = _digest(token)
        return next((one for one in self.by_name.values() if one.token_hash == wanted), None)


def next_time(cron: str, zone: str, after: datetime) -> datetime:
    """The first time of a cron expression (five fields, as Debian's cron reads them) after an instant, by the clock of a zone.

    What stands in an hour that is skipped is due right after it; what stands in one that comes twice, the first time. Raises
    ValueError for an expression that is none, or that never comes.
    """
    from cronsim import CronSim, CronSimError

    if len(cron.split()) != 5:
        raise ValueError("a cron expression has five fields: minute, hour, day of month, month, day of week")
    try:
        times = CronSim(cron, after.astimezone(ZoneInfo(zone)))
        return next(at for at in (moment.astimezone(UTC) for moment in times) if at > after)
    except CronSimError as error:
        raise ValueError(f"not a cron expression: {str(error)[:1].lower()}{str(error)[1:]}") from None
    except (StopIteration, OverflowError):
        raise ValueError("this time never comes") from None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
