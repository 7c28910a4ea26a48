"""Hot state: the last known state of every alert, in the memory of the one process that owns a SQLite file.

Prometheus repeats every firing alert all day. A repeat that only moves the end is taken here, without a row: what a crash
may forget of it is what the sender sends again. Everything else goes to the writer, in the order in which it came.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from quietshift.alerts import decide
from quietshift.alerts.decide import Heard
from quietshift.alerts.labels import Labels, fingerprint, identity
from quietshift.alerts.matchers import Matchers, all_match
from quietshift.alerts.model import Alert, AlertsConfig
from quietshift.alerts.wires.alertmanager import Item, Reported, parse

MAX_SPELLINGS = 4  # of one label set: a key order for each kind of sender
HELD = sys.maxsize
SLICE = 256  # alerts of a long request that are looked at before others have their turn

Listed = tuple[Alert, str]  # an alert and its fingerprint


class Entry(msgspec.Struct, gc=False, eq=False):
    """An alert and the parts that move with every repeat.

    written: the number of the write that it comes from; repeats may be taken here once that is confirmed. HELD: something else
    is on its way to the writer, or was decided: repeats have to queue behind it. spellings: what senders write of its labels,
    by hash; starts_text, annotations_key: what they last wrote of its start, and the hash of its annotations.
    """

    alert: Alert
    ends_at: datetime
    updated_at: datetime
    written: int
    spellings: tuple[int, ...] = ()
    starts_text: str = ""
    annotations_key: int = 0
    fingerprint: str = ""  # once somebody has asked for it

    def now_known(self) -> Alert:
        """The alert with the last end heard."""
        if self.ends_at == self.alert.ends_at:
            return self.alert
        return msgspec.structs.replace(self.alert, ends_at=self.ends_at, updated_at=self.updated_at)


class Hot:
    """The entries, by what senders write and by digest. enabled: False on PostgreSQL, where the rows are the truth."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self.stale = True  # nothing is known yet, or a commit failed: read the rows again
        self._lock = threading.Lock()
        self._written = self._confirmed = 0  # the last write that was begun, and the last that is on disk
        self._by_spelling: dict[int, Entry] = {}
        self._by_digest: dict[int, Entry] = {}
        self._by_id: dict[int, Entry] = {}
        self._sources: dict[int, Entry] = {}
        self._last_end: tuple[str | None, datetime | None] = ("", None)  # as written, and as read
        self._watched: tuple[Matchers, ...] = ()

    # -- the door --------------------------------------------------------------------------------------------------

    def absorb(
        self, items: Sequence[Item], now: datetime, resolve_timeout: timedelta
    ) -> tuple[list[Reported], list[str]]:
        """Take the repeats that change nothing but the end. Returns what the writer has to see, and what is wrong, by place."""
        rest: list[Reported] = []
        errors: list[str] = []
        for begin in range(0, len(items), SLICE):
            with self._lock:
                self._absorb(items[begin : begin + SLICE], begin, now, resolve_timeout, rest, errors)
        return rest, errors

    def _absorb(
        self, items: Sequence[Item], first: int, now: datetime, resolve_timeout: timedelta,
        rest: list[Reported], errors: list[str],
    ) -> None:  # fmt: skip
        until = now + resolve_timeout
        for index, item in enumerate(items, first):
            written = bytes(item.labels)
            spelling = hash(written)
            entry = self._by_spelling.get(spelling)
            if entry is not None and self._same_text(entry, item, now, until, resolve_timeout):
                continue
            try:
                reported = parse(item, now, resolve_timeout, written)
            except ValueError as error:
                errors.append(f"alerts[{index}]: {error}")
                continue
            entry = self._by_digest.get(reported.digest)
            if entry is not None:
                if self._quiet(entry, reported.alert, now, resolve_timeout):
                    self._remember(entry, item, spelling)
                    continue
                entry.written = HELD
            rest.append(reported)

    def _same_text(self, entry: Entry, item: Item, now: datetime, until: datetime, resolve_timeout: timedelta) -> bool:
        if not (
            entry.written <= self._confirmed
            and (item.starts_at or "") == entry.starts_text
            and (item.generator_url or "") == entry.alert.generator_url
            and hash(bytes(item.annotations)) == entry.annotations_key
        ):
            return False
        if item.ends_at != self._last_end[0]:  # alerts that are sent together end together
            try:
                self._last_end = (item.ends_at, item.end())
            except ValueError:
                return False
        end = self._last_end[1]
        if (end is None) != entry.alert.timeout:
            return False
        return _renew(entry, end or until, now, resolve_timeout)

    def _quiet(self, entry: Entry, new: Alert, now: datetime, resolve_timeout: timedelta) -> bool:
        old = entry.alert
        if entry.written > self._confirmed or new.annotations != old.annotations or new.generator_url != old.generator_url:
            return False
        if new.ends_at <= now:  # told again that it is over
            return not old.lease and new.ends_at == old.ends_at and new.starts_at >= old.starts_at
        same = new.timeout == old.timeout and old.starts_at <= new.starts_at < entry.ends_at
        return same and _renew(entry, new.ends_at, now, resolve_timeout)

    def _remember(self, entry: Entry, item: Item, spelling: int) -> None:
        if spelling not in self._by_spelling and len(entry.spellings) < MAX_SPELLINGS:
            entry.spellings += (spelling,)
            self._by_spelling[spelling] = entry
        entry.starts_text = item.starts_at or ""
        entry.annotations_key = hash(bytes(item.annotations))

    # -- the writer, under the write lock --------------------------------------------------------------------------

    def known(self, digests: Iterable[int]) -> dict[int, Alert]:
        """What is known of these alerts, by digest."""
        with self._lock:
            get = self._by_digest.get
            return {digest: entry.now_known() for digest in digests if (entry := get(digest)) is not None}

    def apply(self, alerts: Mapping[int, Alert]) -> int:
        """Take over what a transaction is about to commit, by digest; returns the number of this write. Until that is confirmed
        a repeat goes to the writer: the answer 200 to it, too, has to wait for the disk."""
        with self._lock:
            self._written += 1
            for digest, alert in alerts.items():
                entry = self._by_digest.get(digest)
                if entry is None:
                    self._add(digest, alert)
                else:
                    entry.alert, entry.ends_at, entry.updated_at = alert, alert.ends_at, alert.updated_at
                    entry.written = self._written
                    entry.starts_text = ""  # to be compared anew
            return self._written

    def confirm(self, written: int) -> None:
        """This write is on disk, and all before it: they are made one after the other, and one that failed invalidates."""
        with self._lock:
            self._confirmed = max(self._confirmed, written)

    def _add(self, digest: int, alert: Alert) -> None:
        entry = Entry(alert, alert.ends_at, alert.updated_at, self._written)
        self._by_digest[digest] = self._by_id[alert.id] = entry
        if self._watched and any(all_match(source, alert.labels) for source in self._watched):
            self._sources[alert.id] = entry

    def load(self, alerts: Iterable[Alert]) -> int:
        """Know exactly these, which the transaction reads; returns the number to confirm when it is committed."""
        with self._lock:
            self._clear()
            self._written += 1
            for alert in alerts:
                self._add(identity(alert.labels), alert)
            self.stale = False
            return self._written

    def invalidate(self) -> None:
        """A transaction was undone: what was applied is not on disk. The rows are read before the next one."""
        with self._lock:
            self.stale = True
            self._clear()

    def _clear(self) -> None:
        for known in (self._by_spelling, self._by_digest, self._by_id, self._sources):
            known.clear()

    def ungroup(self, ids: Iterable[int]) -> None:
        """These alerts are leaving a group: they join it again when they are heard of."""
        with self._lock:
            for alert_id in ids:
                entry = self._by_id.get(alert_id)
                if entry is not None:
                    entry.alert = msgspec.structs.replace(entry.alert, grouped=False)
                    entry.written = HELD

    def forget(self, ids: Iterable[int]) -> None:
        """These alerts' rows are deleted."""
        with self._lock:
            for alert_id in ids:
                entry = self._by_id.pop(alert_id, None)
                self._sources.pop(alert_id, None)
                if entry is not None:
                    self._by_digest.pop(identity(entry.alert.labels), None)
                    for spelling in entry.spellings:
                        self._by_spelling.pop(spelling, None)

    # -- readers ---------------------------------------------------------------------------------------------------

    def _renewed(self, alert: Alert) -> Alert:
        entry = self._by_id.get(alert.id)
        if entry is None or entry.ends_at <= alert.ends_at or entry.updated_at <= alert.updated_at:
            return alert
        return msgspec.structs.replace(alert, ends_at=entry.ends_at, updated_at=entry.updated_at)

    def listed(self) -> Iterator[Listed] | None:
        """Every alert with the last end heard, and its fingerprint; None where the rows have to be asked."""
        with self._lock:
            if self.stale:
                return None
            entries = list(self._by_id.values())
        return map(_listed, entries)

    def settle(self, alerts: Iterable[Alert], now: datetime, heard: Heard) -> list[tuple[Alert, bool]]:
        """Rows as read, with the ends that were heard since, and whether each is over. From here on a repeat of one that is
        over goes to the writer, behind the flush that tells so."""
        settled: list[tuple[Alert, bool]] = []
        with self._lock:
            for row in alerts:
                alert = self._renewed(row)
                over = decide.resolved(alert, now, heard)
                entry = self._by_id.get(alert.id)
                if over and entry is not None:
                    entry.written = HELD
                settled.append((alert, over))
        return settled

    def watch(self, config: AlertsConfig) -> None:
        """Keep at hand the alerts that can inhibit others."""
        with self._lock:
            self._watched = tuple(rule.source for rule in config.inhibit_rules)
            self._sources = {
                entry.alert.id: entry
                for entry in self._by_id.values()
                if any(all_match(source, entry.alert.labels) for source in self._watched)
            }

    def sources(self, now: datetime, heard: Heard) -> Iterator[Labels]:
        """Labels of the firing alerts that can inhibit others."""
        with self._lock:
            entries = list(self._sources.values())
        return (e.alert.labels for e in entries if not decide.resolved(e.now_known(), now, heard))


def _listed(entry: Entry) -> Listed:
    if not entry.fingerprint:
        entry.fingerprint = fingerprint(entry.alert.labels)
    return entry.now_known(), entry.fingerprint


def _renew(entry: Entry, end: datetime, now: datetime, resolve_timeout: timedelta) -> bool:
    if not now < entry.ends_at <= end:
        return False
    if decide.worth_writing(entry.alert.ends_at, end, now, resolve_timeout):
        return False
    entry.ends_at, entry.updated_at = end, now
    return True
