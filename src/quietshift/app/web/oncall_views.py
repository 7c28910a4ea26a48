"""Schedules as templates show them: who is on, bars of fourteen days, gaps, hand-offs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from quietshift.app.web.names import display_name, owner_name, person
from quietshift.app.wire import App
from quietshift.catalog.model import Catalog
from quietshift.kernel.clock import aware
from quietshift.kernel.ops import Loaded
from quietshift.oncall import decide
from quietshift.oncall.localtime import instant
from quietshift.oncall.model import OVERRIDE, Layer, Oncall, Schedule
from quietshift.oncall.usecases import current
from quietshift.paging.decide import resolve
from quietshift.paging.model import PagingConfig, Policy, TargetKind

DAYS = 14


def with_overrides(app: App) -> Loaded:
    """The ops directory with the overrides of schedules that were made at run time."""
    ops = app.ops.current
    with app.db.read() as tx:
        return ops.having(current(tx, ops.get(Oncall)))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day in a zone, on that zone's clock."""
    return instant(zone, datetime(day.year, day.month, day.day)).astimezone(zone)  # noqa: DTZ001 - local time is what is meant


def span(now: datetime, zone: ZoneInfo, days: int = DAYS) -> tuple[datetime, datetime, list[dict[str, Any]]]:
    """From today's midnight, so many days: start, end, and the days as templates mark them."""
    today = now.astimezone(zone).date()
    start, end = midnight(today, zone), midnight(today + timedelta(days=days), zone)
    return start, end, days_of(start, days, today, zone)


def days_of(start: datetime, days: int, today: date, zone: ZoneInfo) -> list[dict[str, Any]]:
    found = []
    for n in range(days):
        day = start.date() + timedelta(days=n)
        found.append(
            {
                "at": midnight(day, zone), "label": f"{day:%a} {day.day}", "name": "", "weekend": day.weekday() >= 5,
                "today": day == today,
            }
        )  # fmt: skip
    return found


def shifts(ops: Loaded, schedule: Schedule, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Every shift and gap between two instants, in order."""
    start, end = aware(start), aware(end)
    found: list[dict[str, Any]] = [
        {
            "person": person(ops, s.user), "start": s.start, "end": s.end, "layer": s.layer,
            "kind": "override" if s.layer == OVERRIDE else "shift",
        }
        for s in decide.shifts(schedule, start, end)
    ]  # fmt: skip
    found += [
        {"person": None, "start": g.start, "end": g.end, "kind": "gap", "layer": ""} for g in decide.gaps(schedule, start, end)
    ]
    return sorted(found, key=lambda s: s["start"])


def takes_over(ops: Loaded, schedule: Schedule, at: datetime | None) -> dict[str, str] | None:
    """Who is on from an instant; None in a gap, or where there is no end."""
    users = decide.who(schedule, at).users if at is not None else ()
    return person(ops, users[0]) if users else None


def following(ops: Loaded, schedule: Schedule, at: datetime | None) -> dict[str, Any] | None:
    """The next hand-off."""
    return None if at is None else {"person": takes_over(ops, schedule, at), "at": at}


# -- the viewer's own shifts ---------------------------------------------------------------------------------------------


def mine_now(ops: Loaded, user: str | None, now: datetime) -> list[dict[str, Any]]:
    """The viewer's shifts that run."""
    found = []
    for name, schedule in sorted(ops.get(Oncall).schedules.items()):
        on = decide.who(schedule, now)
        if user in on.users and on.end is not None:
            found.append(
                {
                    "schedule": label(schedule), "href": f"/schedules/{name}", "until": on.end, "zone": schedule.zone,
                    "takes_over": takes_over(ops, schedule, on.end),
                }
            )  # fmt: skip
    return found


def mine_later(ops: Loaded, user: str | None, now: datetime, days: int = DAYS) -> list[dict[str, Any]]:
    """The viewer's shifts that begin within so many days, the next first."""
    found = [
        {
            "schedule": label(schedule), "href": f"/schedules/{name}", "start": s.start, "zone": schedule.zone,
            "end": decide.who(schedule, s.start).end or s.end,  # s ends with the days that were asked for
        }
        for name, schedule in ops.get(Oncall).schedules.items()
        for s in decide.shifts(schedule, now, now + timedelta(days=days))
        if s.user == user and s.start > now
    ]  # fmt: skip
    return sorted(found, key=lambda s: (s["start"], s["schedule"]))


def label(schedule: Schedule) -> str:
    """What people call a schedule."""
    return schedule.name.replace("-", " ").replace("_", " ").capitalize()


# -- teams ---------------------------------------------------------------------------------------------------------------


def teams(ops: Loaded, now: datetime, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """One row for each schedule that a policy calls first, with whom that policy calls in which order (of several, that of the
    schedule's own owner); and the schedules that no policy calls first, where their owner has no row yet."""
    schedules = ops.get(Oncall).schedules
    policies = ops.get(PagingConfig).policies
    first: dict[str, Policy] = {}
    for _, policy in sorted(policies.items()):
        for target in policy.steps[0].targets:
            if target.kind is TargetKind.SCHEDULE and target.name in schedules:
                known = first.setdefault(target.name, policy)
                if policy.owner == schedules[target.name].owner != known.owner:
                    first[target.name] = policy
    owners = {schedules[name].owner for name in first}
    rest = {name for name, schedule in schedules.items() if name not in first and schedule.owner not in owners}
    return [_team(ops, schedules[name], first.get(name), now, start, end) for name in sorted({*first, *rest})]


def _team(
    ops: Loaded, schedule: Schedule, policy: Policy | None, now: datetime, start: datetime, end: datetime
) -> dict[str, Any]:
    on = decide.who(schedule, now)
    chain, rest = list(on.users), ""
    for step in policy.steps if policy else ():
        singles = [t for t in step.targets if t.kind is not TargetKind.GROUP]
        groups = [t for t in step.targets if t.kind is TargetKind.GROUP]
        found = resolve(singles, now, ops.get(Oncall), ops.get(Catalog))
        chain += [candidate.user for candidate in found.people if candidate.user not in chain]
        if groups and not rest:
            rest = "then everybody in " + ", ".join(owner_name(ops, str(group)) or group.name for group in groups)
    return {
        "label": owner_name(ops, str(schedule.owner)) or label(schedule), "href": f"/schedules/{schedule.name}",
        "zone": schedule.zone, "chain": [person(ops, user) for user in chain], "rest": rest,
        "next": following(ops, schedule, on.end), "shifts": shifts(ops, schedule, start, end),
    }  # fmt: skip


# -- pages ---------------------------------------------------------------------------------------------------------------


def overview(ops: Loaded, schedule: Schedule, now: datetime, start: datetime, end: datetime) -> dict[str, Any]:
    """A row of the list of schedules."""
    on = decide.who(schedule, now)
    shown = shifts(ops, schedule, start, end)
    return {
        "label": label(schedule), "href": f"/schedules/{schedule.name}", "zone": schedule.zone,
        "owner": owner_name(ops, str(schedule.owner)), "now": [person(ops, user) for user in on.users],
        "until": on.end if on.users else None, "next": following(ops, schedule, on.end),
        "gaps": sum(s["kind"] == "gap" for s in shown), "shifts": shown,
    }  # fmt: skip


def detail(ops: Loaded, schedule: Schedule, now: datetime) -> dict[str, Any]:
    """The context of schedule.html."""
    zone = schedule.zone
    today = now.astimezone(zone).date()
    start, end, _ = span(now, zone)
    shown = shifts(ops, schedule, start, end)
    on = decide.who(schedule, now)
    policies = sorted(
        name
        for name, policy in ops.get(PagingConfig).policies.items()
        if any(t.kind is TargetKind.SCHEDULE and t.name == schedule.name for step in policy.steps for t in step.targets)
    )
    head = {
        "name": schedule.name, "title": label(schedule), "owner": owner_name(ops, str(schedule.owner)), "zone": zone,
        "policies": policies,
    }  # fmt: skip
    return {
        "schedule": head,
        "now_on": [{"person": person(ops, user), "until": on.end or end, "layer": on.layer} for user in on.users],
        "handoffs": handoffs(shown, now),
        "layers": [{"name": layer.name, "about": about(ops, layer)} for layer in schedule.layers],
        "gaps": [{"start": s["start"], "end": s["end"]} for s in shown if s["kind"] == "gap"],
        "weeks": [_week(ops, schedule, monday, today) for monday in _mondays(today)],
        "agenda": _agenda(shown, start, zone, today),
    }


def handoffs(shown: Sequence[dict[str, Any]], now: datetime, count: int = 3) -> list[dict[str, Any]]:
    """The next changes of who is on."""
    found = []
    for before, after in itertools.pairwise(shown):
        if after["start"] > now and (before["person"] or {}).get("user") != (after["person"] or {}).get("user"):
            found.append({"at": after["start"], "before": before["person"], "after": after["person"]})
    return found[:count]


def about(ops: Loaded, layer: Layer) -> str:
    """`hand-off Mon 09:00: Ana, Bo, Chen`."""
    names = ", ".join(display_name(ops, user) for user in layer.users)
    only = f", only {' and '.join(map(str, layer.only))}" if layer.only else ""
    return f"{layer.rotation}{only}: {names}"


def _mondays(today: date) -> list[date]:
    monday = today - timedelta(days=today.weekday())
    return [monday + timedelta(weeks=n) for n in range(3)]


def _week(ops: Loaded, schedule: Schedule, monday: date, today: date) -> dict[str, Any]:
    zone = schedule.zone
    start, end = midnight(monday, zone), midnight(monday + timedelta(days=7), zone)
    lanes = [{"label": "On call", "href": None, "zone": zone, "shifts": shifts(ops, schedule, start, end)}]
    for layer in schedule.layers if len(schedule.layers) > 1 else ():
        alone = Schedule(schedule.name, schedule.owner, zone, (layer,))
        only = [s for s in shifts(ops, alone, start, end) if s["kind"] != "gap"]
        lanes.append({"label": layer.name, "href": None, "zone": zone, "shifts": only})
    return {
        "label": f"Week {monday.isocalendar().week}", "start": start, "end": end, "days": days_of(start, 7, today, zone),
        "lanes": lanes,
    }  # fmt: skip


def _agenda(shown: Sequence[dict[str, Any]], start: datetime, zone: ZoneInfo, today: date) -> list[dict[str, Any]]:
    """Day by day, with what is on during it."""
    found = []
    for n in range(DAYS):
        day = start.date() + timedelta(days=n)
        begins, ends = midnight(day, zone), midnight(day + timedelta(days=1), zone)
        on = [s for s in shown if s["start"] < ends and s["end"] > begins]
        found.append({"at": begins, "today": day == today, "name": "", "shifts": on})
    return found
