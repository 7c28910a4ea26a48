"""Who is on, changed while the server runs: overrides that stand above those of the ops directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from quietshift.catalog.model import Catalog
from quietshift.kernel import journal
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from quietshift.kernel.ids import new_id
from quietshift.kernel.ops import Loaded
from quietshift.kernel.redact import redact_text
from quietshift.oncall import decide, store
from quietshift.oncall.localtime import FIRST
from quietshift.oncall.model import Change, Oncall, Override, Schedule

LONGEST = timedelta(days=366)
LONGEST_WHY = 300
TOPIC = "oncall"


def current(tx: Tx, oncall: Oncall, since: datetime = FIRST) -> Oncall:
    """The schedules with the overrides made at run time, which count more than those of the files.

    since: those that ended before are left out, where only later instants are asked for.
    """
    found: dict[str, list[Override]] = {}
    for name, override in store.overrides(tx, since):
        found.setdefault(name, []).append(override)
    known: Mapping[str, Schedule] = oncall.schedules
    changed = {
        name: replace(known[name], overrides=(*known[name].overrides, *more)) for name, more in found.items() if name in known
    }
    return replace(oncall, schedules=MappingProxyType({**known, **changed})) if changed else oncall


def override(
    tx: Tx, schedule: str, user: str, start: datetime, end: datetime, actor: str, now: datetime, *, ops: Loaded,
    asks: str | None = None, anyone: bool = False, instead: str = "", why: str = "",
) -> Change:  # fmt: skip
    """Put one person on call from `start` until `end`: above everybody else, or in the place of one (`instead`).

    asks: the person who asks, who has to belong to the schedule unless `anyone` (an administrator, or a program) may.
    Raises NotFound, Forbidden, and Invalid or Conflict where it would change nothing.
    """
    known = current(tx, ops.get(Oncall)).get(schedule)
    allowed(known, asks, anyone, ops.get(Catalog))
    over = _checked(known, user, start, end, instead, now, ops.get(Catalog))
    if len(why) > LONGEST_WHY:
        raise Invalid(f"the reason has {len(why)} characters; {LONGEST_WHY} at most")
    made = Change(new_id(now), schedule, over, redact_text(why.strip()), actor, now)
    store.add(tx, made)
    journal.append(tx, now, actor, "oncall.override_added", f"schedule:{schedule}", made.why, _data(made))
    tx.publish(TOPIC)
    return made


def end_override(
    tx: Tx, change_id: str, actor: str, now: datetime, *, ops: Loaded, asks: str | None = None, anyone: bool = False
) -> Change:
    """Take an override back: what has begun ends now, what has not never begins.

    Raises NotFound, Forbidden, and Conflict where it is over.
    """
    found = store.get(tx, change_id)
    schedule = ops.get(Oncall).schedules.get(found.schedule)
    if schedule is not None:
        allowed(schedule, asks, anyone, ops.get(Catalog))
    elif not anyone:
        raise Forbidden(f"there is no schedule {found.schedule!r} any more; an administrator can end its overrides")
    if found.override.end <= now:
        raise Conflict(f"override {change_id} is over")
    if found.override.start < now:
        store.end(tx, change_id, now)
    else:
        store.cancel(tx, change_id, now)
    journal.append(tx, now, actor, "oncall.override_ended", f"schedule:{found.schedule}", "", _data(found))
    tx.publish(TOPIC)
    return found


def allowed(schedule: Schedule, asks: str | None, anyone: bool, catalog: Catalog) -> None:
    """Who may change who is on: those who take turns in it, and the members of the group that owns it. Raises Forbidden."""
    if anyone or asks in {user for layer in schedule.layers for user in layer.users}:
        return
    group = catalog.group(schedule.owner)
    if group is None or asks not in {member.id for member in catalog.members(group)}:
        raise Forbidden(f"who is on in {schedule.name} is changed by its people, members of {schedule.owner} and administrators")


def _checked(
    schedule: Schedule, user: str, start: datetime, end: datetime, instead: str, now: datetime, catalog: Catalog
) -> Override:
    for name in filter(None, (user, instead)):
        if catalog.user(name) is None:
            raise NotFound(f"the catalog has no User {name!r}")
    if not timedelta() < end - start <= LONGEST:
        raise Invalid(f"an override ends after its start, and at most {LONGEST.days} days later")
    if end <= now:
        raise Conflict("an override changes what is to come: its end has passed")
    if user == instead:
        raise Invalid(f"{user} cannot stand in for themselves")
    if instead and not any(shift.user == instead for shift in decide.shifts(schedule, start, end)):
        raise Conflict(f"{instead} is not on in {schedule.name} in that time")
    return Override(user, start, end, instead)


def _data(change: Change) -> dict[str, str]:
    over = change.override
    return {
        "override": change.id, "user": over.user, "instead_of": over.instead, "start": over.start.isoformat(),
        "end": over.end.isoformat(),
    }  # fmt: skip
