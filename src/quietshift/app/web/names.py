"""What people are called on pages, and in which zone they read times."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from quietshift.catalog.model import Catalog, Group
from quietshift.kernel.auth import Principal
from quietshift.kernel.ops import Loaded
from quietshift.oncall.model import Oncall
from quietshift.oncall.people import UTC_ZONE, zone_of

Person = dict[str, str]


def viewer(principal: Principal, ops: Loaded) -> dict[str, Any]:
    """Who looks at the page, as templates know it."""
    name = principal.user or principal.actor.removeprefix("token:")
    return {"user": name, "name": display_name(ops, name), "role": principal.role, "zone": zone_of(principal.user, ops)}


def display_name(ops: Loaded, user: str) -> str:
    """How people call the user: the catalog's display name, else the name itself."""
    found = ops.get(Catalog).user(user)
    return (found.display_name if found else "") or user


def known_name(ops: Loaded, ref: str) -> str:
    """How people call `user:ana` or `group:default/storage`; empty where the catalog has none of that name."""
    kind, _, name = ref.partition(":")
    catalog = ops.get(Catalog)
    if kind == "user":
        found = catalog.user(name)
        return (found.display_name or found.id) if found else ""
    group = catalog.group(name)
    return (group.display_name or group.title or group.name) if group else ""


def person(ops: Loaded, user: str) -> dict[str, str]:
    """A Person as templates know it."""
    return {"user": user, "name": display_name(ops, user)}


def actor(ops: Loaded, text: str) -> Person:
    """A Person of a journal's actor: "user:ana", "link:ana", "token:ci", "alerts", "system"."""
    kind, colon, name = text.partition(":")
    if kind in ("user", "link") and colon:
        return person(ops, name)
    if kind == "token" and colon:
        return {"user": text, "name": f"token {name}"}
    return {"user": text, "name": {"system": "Quietshift", "alerts": "Alerts"}.get(text, text)}


def owner_name(ops: Loaded, ref: str | None) -> str:
    """What people call an owner; empty where there is none."""
    found = ops.get(Catalog).find(ref) if ref else None
    if isinstance(found, Group):
        return found.display_name or found.title or found.name
    return (display_name(ops, found.id) if found else ref) or ""


def owner_zone(ops: Loaded, ref: str | None, otherwise: ZoneInfo = UTC_ZONE) -> ZoneInfo:
    """The zone of an owner's first schedule."""
    schedules = ops.get(Oncall).schedules
    mine = (schedules[name] for name in sorted(schedules) if str(schedules[name].owner) == ref)
    return next((schedule.zone for schedule in mine), otherwise)
