"""Can somebody take Thursday? A request for cover: offered, then taken, declined or withdrawn; with a swap, if asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from quietshift.catalog.model import Catalog
from quietshift.kernel import journal
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import Conflict, Forbidden, IllegalTransition, Invalid, NotFound
from quietshift.kernel.ids import new_id
from quietshift.kernel.ops import Loaded
from quietshift.kernel.redact import redact_text
from quietshift.oncall import cover_store, decide, rest, store
from quietshift.oncall.model import Change, Cover, CoverState, Oncall, Override, Schedule
from quietshift.oncall.turns import Interval
from quietshift.oncall.usecases import LONGEST, LONGEST_WHY, TOPIC, allowed, current


def ask(
    tx: Tx, schedule: str, user: str, start: datetime, end: datetime, actor: str, now: datetime, *, ops: Loaded,
    back: Interval | None = None, asked: Sequence[str] = (), why: str = "",
) -> Cover:  # fmt: skip
    """Ask that somebody takes a person's place from `start` until `end`; nothing changes until somebody does.

    back: the time that the person takes in return. asked: who may take it; nobody named: everybody of the schedule.
    Raises NotFound, Forbidden, Invalid, and Conflict where the person is not on in that time.
    """
    known = current(tx, ops.get(Oncall)).get(schedule)
    catalog = ops.get(Catalog)
    for name in (user, *asked):
        if catalog.user(name) is None:
            raise NotFound(f"the catalog has no User {name!r}")
    if user in asked:
        raise Invalid(f"{user} cannot stand in for themselves")
    if len(why) > LONGEST_WHY:
        raise Invalid(f"the reason has {len(why)} characters; {LONGEST_WHY} at most")
    for begins, ends in filter(None, ((start, end), back)):
        if not timedelta() < ends - begins <= LONGEST or ends <= now:
            raise Invalid(f"the time has to end after its start, at most {LONGEST.days} days later, and in the future")
    _on(known, user, start, end)
    made = Cover(
        new_id(now), schedule, user, start, end, back, tuple(dict.fromkeys(asked)), (), CoverState.OFFERED, "",
        redact_text(why.strip()), now, now,
    )  # fmt: skip
    cover_store.add(tx, made)
    journal.append(tx, now, actor, "oncall.cover_asked", *_told(made))
    tx.publish(TOPIC)
    return made


def preview(tx: Tx, cover: Cover, user: str, *, ops: Loaded) -> list[str]:
    """Which rest rules it would break that this person takes it; in words."""
    known = current(tx, ops.get(Oncall)).get(cover.schedule)
    return rest.made_by(known, _overrides(cover, user))


def take(tx: Tx, cover_id: str, user: str, actor: str, now: datetime, *, ops: Loaded) -> tuple[Cover, list[str]]:
    """Take somebody's place as they asked. Answers with the rest rules that this breaks, which does not hinder it.

    Raises NotFound, IllegalTransition where it is not on offer any more, Forbidden for who was not asked, and Conflict where the
    time has passed or the one who asked, or for a swap the one who takes it, is no longer on in it.
    """
    cover = cover_store.take(tx, cover_id)
    known = current(tx, ops.get(Oncall)).get(cover.schedule)
    _open(cover, "take")
    _may_answer(cover, known, user, ops)
    if cover.end <= now:
        raise Conflict(f"the time of {cover_id} has passed")
    _on(known, cover.user, cover.start, cover.end)
    if cover.back:
        _on(known, user, *cover.back)
    overrides = _overrides(cover, user)
    warnings = rest.made_by(known, overrides)
    for override in overrides:
        store.add(tx, Change(new_id(now), cover.schedule, override, cover.why or f"cover {cover.id}", actor, now))
    after = replace(cover, state=CoverState.TAKEN, taken_by=user, updated_at=now)
    cover_store.save(tx, after)
    journal.append(tx, now, actor, "oncall.cover_taken", *_told(after, "; ".join(warnings)))
    tx.publish(TOPIC)
    return after, warnings


def decline(tx: Tx, cover_id: str, user: str, actor: str, now: datetime, *, ops: Loaded) -> Cover:
    """Say no. Once everybody has who was asked by name, it is declined. Raises as `take` does."""
    cover = cover_store.take(tx, cover_id)
    _open(cover, "decline")
    _may_answer(cover, ops.get(Oncall).get(cover.schedule), user, ops)
    declined = tuple(dict.fromkeys((*cover.declined, user)))
    state = CoverState.DECLINED if cover.asked and set(cover.asked) <= set(declined) else cover.state
    after = replace(cover, declined=declined, state=state, updated_at=now)
    cover_store.save(tx, after)
    journal.append(tx, now, actor, "oncall.cover_declined", *_told(after))
    tx.publish(TOPIC)
    return after


def withdraw(tx: Tx, cover_id: str, user: str, actor: str, now: datetime, *, anyone: bool = False) -> Cover:
    """Take a request back, which the one who asked may do (or `anyone`: an administrator or a program)."""
    cover = cover_store.take(tx, cover_id)
    _open(cover, "withdraw")
    if user != cover.user and not anyone:
        raise Forbidden(f"{cover.user} asked for it, and takes it back")
    after = replace(cover, state=CoverState.WITHDRAWN, updated_at=now)
    cover_store.save(tx, after)
    journal.append(tx, now, actor, "oncall.cover_withdrawn", *_told(after))
    tx.publish(TOPIC)
    return after


def _overrides(cover: Cover, user: str) -> list[Override]:
    found = [Override(user, cover.start, cover.end, cover.user)]
    return [*found, Override(cover.user, *cover.back, user)] if cover.back else found


def _open(cover: Cover, event: str) -> None:
    if cover.state is not CoverState.OFFERED:
        raise IllegalTransition(f"cover {cover.id}", str(cover.state), event)


def _may_answer(cover: Cover, known: Schedule, user: str, ops: Loaded) -> None:
    if ops.get(Catalog).user(user) is None:
        raise NotFound(f"the catalog has no User {user!r}")
    if user == cover.user:
        raise Forbidden(f"{user} asked for it: somebody else takes it, or {user} withdraws it")
    if cover.asked and user not in cover.asked:
        raise Forbidden(f"{', '.join(cover.asked)} were asked, {user} was not")
    if not cover.asked:
        allowed(known, user, False, ops.get(Catalog))


def _on(known: Schedule, user: str, start: datetime, end: datetime) -> None:
    if not any(shift.user == user for shift in decide.shifts(known, start, end)):
        raise Conflict(f"{user} is not on in {known.name} in that time")


def _told(cover: Cover, why: str = "") -> tuple[str, str, dict[str, Any]]:
    """Subject, reason and data of an act in the journal."""
    data = {
        "cover": cover.id, "user": cover.user, "start": cover.start.isoformat(), "end": cover.end.isoformat(),
        "state": str(cover.state), "taken_by": cover.taken_by, "declined": list(cover.declined),
    }  # fmt: skip
    return f"schedule:{cover.schedule}", why or cover.why, data
