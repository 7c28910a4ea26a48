"""In which zone a person reads times."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from quietshift.catalog.model import Catalog
from quietshift.kernel.ops import Loaded
from quietshift.oncall.model import Oncall

ZONE_ANNOTATION = "quietshift.dev/time-zone"  # of a User
UTC_ZONE = ZoneInfo("UTC")


def zone_of(user: str | None, ops: Loaded) -> ZoneInfo:
    """The zone in which somebody reads times: their annotation in the catalog, else that of the first schedule they are in."""
    found = ops.get(Catalog).user(user) if user else None
    if found is None:
        return UTC_ZONE
    try:
        written = found.annotations.get(ZONE_ANNOTATION)
        if written:
            return ZoneInfo(written)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError, a path that is no zone a ValueError
        return UTC_ZONE
    for schedule in sorted(ops.get(Oncall).schedules.values(), key=lambda s: s.name):
        if any(found.id in layer.users for layer in schedule.layers):
            return schedule.zone
    return UTC_ZONE
