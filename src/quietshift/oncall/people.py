"""Where a person lives: the zone in which they read times, and their country's holidays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date
from zoneinfo import ZoneInfo

from quietshift.catalog.model import Catalog
from quietshift.kernel.errors import Invalid
from quietshift.kernel.ops import Loaded
from quietshift.oncall.ledger import WEEKEND, Person
from quietshift.oncall.model import Oncall

COUNTRY_ANNOTATION = "quietshift.dev/country"  # of a User: DE, or DE-BY with its part
ZONE_ANNOTATION = "quietshift.dev/time-zone"  # of a User
UTC_ZONE = ZoneInfo("UTC")


def zone_of(user: str | None, ops: Loaded) -> ZoneInfo:
    """The zone in which somebody reads times: their annotation in the catalog, else that of the first schedule they are in."""
    return zone_among(user, ops.get(Catalog), ops.get(Oncall))


def zone_among(user: str | None, catalog: Catalog, oncall: Oncall) -> ZoneInfo:
    """The same, of a catalog and schedules."""
    found = catalog.user(user) if user else None
    if found is None:
        return UTC_ZONE
    try:
        written = found.annotations.get(ZONE_ANNOTATION)
        if written:
            return ZoneInfo(written)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError, a path that is no zone a ValueError
        return UTC_ZONE
    for schedule in sorted(oncall.schedules.values(), key=lambda s: s.name):
        if any(found.id in layer.users for layer in schedule.layers):
            return schedule.zone
    return UTC_ZONE


def person_of(user: str, catalog: Catalog, oncall: Oncall) -> Person:
    """Somebody with their zone, and their country's weekend and holidays where their annotation names it.

    Raises Invalid, with file:line of the person, where it names none that is known.
    """
    zone = zone_among(user, catalog, oncall)
    found = catalog.user(user)
    country = found.annotations.get(COUNTRY_ANNOTATION, "") if found else ""
    if found is None or not country:
        return Person(user, zone)
    try:
        weekend, holidays = calendar_of(country)
    except ValueError as error:
        raise Invalid(f"{found.file}:{found.line}: {found.ref}: {COUNTRY_ANNOTATION}: {error}") from None
    return Person(user, zone, country, holidays, weekend)


def calendar_of(country: str) -> tuple[frozenset[int], Callable[[Iterable[int]], Collection[date]]]:
    """The weekend and the holidays, among years, of `DE` or `DE-BY`. Raises ValueError where there is no such country or part."""
    import holidays

    name, _, part = country.partition("-")
    try:
        known = holidays.country_holidays(name, subdiv=part or None)
    except NotImplementedError:
        raise ValueError(f"{country!r} is no country (or part of one) whose holidays are known: write DE, or DE-BY") from None
    return frozenset(known.weekend or WEEKEND), lambda years: holidays.country_holidays(name, subdiv=part or None, years=years)
