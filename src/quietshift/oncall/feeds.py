"""Calendar feeds: the shifts of a person or a schedule for calendar programs, by an unguessable link that can be revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Index, Table, Text, insert, select, update

from quietshift.catalog.model import Catalog
from quietshift.kernel import auth, journal
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import Forbidden, Invalid, NotFound
from quietshift.kernel.ids import new_id
from quietshift.kernel.ops import Loaded
from quietshift.kernel.schema import Instant, metadata
from quietshift.oncall import decide
from quietshift.oncall.model import Oncall, Schedule, Shift
from quietshift.oncall.usecases import current

BEHIND, AHEAD = timedelta(weeks=4), timedelta(weeks=26)
PATH = "/feeds/"

oncall_feeds = Table(
    "oncall_feeds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subject", Text, nullable=False),  # user:NAME | schedule:NAME
    Column("digest", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Index("uq_oncall_feeds_digest", "digest", unique=True),
)


@dataclass(frozen=True)
class Feed:
    """A link to a calendar; the link itself is known to whoever has it alone."""

    id: str
    subject: str
    created_by: str
    created_at: datetime


def make(tx: Tx, subject: str, actor: str, now: datetime, *, ops: Loaded, asks: str | None, anyone: bool) -> tuple[Feed, str]:
    """A feed of `user:NAME` or `schedule:NAME`, and the secret of its link, which is told this once.

    asks: the person who asks; of another person, only `anyone` (an administrator, a program) makes one.
    Raises NotFound, Forbidden, Invalid.
    """
    _check(subject, ops)
    kind, _, name = subject.partition(":")
    if kind == "user" and name != asks and not anyone:
        raise Forbidden(f"a feed of {name}'s shifts is made by {name} or an administrator")
    made, secret = Feed(new_id(now), subject, actor, now), auth.new_secret()
    tx.execute(
        insert(oncall_feeds),
        {
            "id": made.id, "subject": subject, "digest": auth.digest(secret), "created_by": actor, "created_at": now,
            "revoked_at": None,
        },
    )  # fmt: skip
    journal.append(tx, now, actor, "oncall.feed_made", subject, "", {"feed": made.id})
    return made, secret


def revoke(tx: Tx, feed_id: str, actor: str, now: datetime, *, asks: str | None, anyone: bool) -> Feed:
    """Its link leads nowhere from now on. Raises NotFound, and Forbidden for who neither made it nor is its subject."""
    found = next((one for one in feeds(tx) if one.id == feed_id), None)
    if found is None:
        raise NotFound(f"there is no feed {feed_id} (any more)")
    if not anyone and f"user:{asks}" not in (found.subject, found.created_by):
        raise Forbidden(f"a feed of {found.created_by} is revoked by who made it, whose shifts it shows, or an administrator")
    tx.execute(update(oncall_feeds).where(oncall_feeds.c.id == feed_id).values(revoked_at=now))
    journal.append(tx, now, actor, "oncall.feed_revoked", found.subject, "", {"feed": found.id})
    return found


def feeds(tx: Tx) -> list[Feed]:
    """Those that are not revoked, the newest first."""
    statement = select(oncall_feeds).where(oncall_feeds.c.revoked_at.is_(None)).order_by(oncall_feeds.c.id.desc())
    return [Feed(row.id, row.subject, row.created_by, row.created_at) for row in tx.execute(statement)]


def calendar(tx: Tx, secret: str, now: datetime, *, ops: Loaded) -> bytes:
    """The calendar behind a link, as iCalendar (RFC 5545). Raises NotFound where the link is none, or was revoked."""
    row = tx.execute(
        select(oncall_feeds.c.subject).where(oncall_feeds.c.digest == auth.digest(secret), oncall_feeds.c.revoked_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound("this link leads to no calendar: it is wrong, or it was revoked")
    _check(row.subject, ops)
    kind, _, name = row.subject.partition(":")
    oncall = current(tx, ops.get(Oncall))
    schedules = [oncall.get(name)] if kind == "schedule" else [oncall.schedules[each] for each in sorted(oncall.schedules)]
    found = [
        (schedule, shift)
        for schedule in schedules
        for shift in decide.shifts(schedule, now - BEHIND, now + AHEAD)
        if kind == "schedule" or shift.user == name
    ]
    return ical(f"On call: {name}", found, now, ops.get(Catalog))


def ical(title: str, shifts: list[tuple[Schedule, Shift]], now: datetime, catalog: Catalog) -> bytes:
    """An event for each shift, whole: one that was cut at the ends of what was asked for has its own bounds again."""
    from icalendar import Calendar, Event

    found = Calendar()
    for key, value in (("prodid", "-//Quietshift//on call//EN"), ("version", "2.0"), ("x-wr-calname", title)):
        found.add(key, value)
    found.add("refresh-interval", timedelta(hours=1), parameters={"value": "DURATION"})
    for schedule, shift in shifts:
        whole = decide.who(schedule, shift.start)
        start, end = whole.start or shift.start, whole.end or shift.end
        user = catalog.user(shift.user)
        name = (user.display_name if user else "") or shift.user
        event = Event()
        values: dict[str, Any] = {
            "uid": f"{schedule.name}.{shift.user}.{start:%Y%m%dT%H%M%SZ}@quietshift", "dtstamp": now, "dtstart": start,
            "dtend": end, "summary": f"{schedule.name}: {name}", "description": shift.reason, "transp": "TRANSPARENT",
        }  # fmt: skip
        for key, value in values.items():
            event.add(key, value)
        found.add_component(event)
    return bytes(found.to_ical())


def _check(subject: str, ops: Loaded) -> None:
    kind, _, name = subject.partition(":")
    if kind == "schedule":
        ops.get(Oncall).get(name)
    elif kind == "user":
        if ops.get(Catalog).user(name) is None:
            raise NotFound(f"the catalog has no User {name!r}")
    else:
        raise Invalid(f"a feed is of user:NAME or schedule:NAME, not {subject!r:.80}")
