"""What is said of a silence before it is made, at every door alike: what it would have muted, and what to think of twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from quietshift.alerts.model import AlertsConfig, Desk
from quietshift.alerts.preview import Muted, Preview, fits
from quietshift.catalog.model import Catalog, Group
from quietshift.incidents import decide as incidents
from quietshift.incidents import store
from quietshift.incidents.model import Severity
from quietshift.kernel.db import Tx
from quietshift.kernel.durations import format_duration
from quietshift.kernel.errors import Invalid
from quietshift.kernel.ops import Loaded

DAY = timedelta(hours=24)
LONGEST = timedelta(days=366)
NAMED = 3  # alerts that a warning names


@dataclass(frozen=True)
class LastDay:
    """Of the last 24 hours: how many alerts of incidents a silence would have muted, and the incidents, newest first."""

    alerts: int
    incidents: tuple[str, ...]


def last_day(tx: Tx, asked: Preview, now: datetime) -> LastDay:
    """What it would have muted of what incidents know; alerts that opened none are forgotten soon after their end."""
    found = [(number, one.alert.fingerprint) for number, one in store.alerts_since(tx, now - DAY)
             if fits(asked.matchers, dict(one.alert.labels), now)]  # fmt: skip
    return LastDay(len({fingerprint for _, fingerprint in found}), tuple(dict.fromkeys(f"INC-{number}" for number, _ in found)))


def warnings(asked: Preview, *, ops: Loaded, user: str | None) -> list[str]:
    """Why somebody should think twice: it mutes everything, or what wakes another team. user: whose silence it is; None: a
    program's, which is in no team."""
    found = []
    if asked.boundless:
        found.append("No condition names a value: it mutes whatever is reported, now and later.")
    elif asked.everything:
        found.append(f"It mutes all {asked.firing} alerts that fire at present.")
    pages = [(one, team) for one in asked.muted if not one.already for team in _wakes(one, ops, user)]
    for team in sorted({team for _, team in pages}):
        names = sorted({one.labels.get("alertname", "an alert without a name") for one, whose in pages if whose == team})
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        found.append(f"It mutes what wakes {team}: {', '.join(names[:NAMED])}{more}.")
    return found


def _wakes(one: Muted, ops: Loaded, user: str | None) -> Iterator[str]:
    """The other team that this alert wakes, if it is critical and its receiver pages people."""
    receivers = ops.get(AlertsConfig).receivers
    pages = any(isinstance(i, Desk) for name in one.receivers if name in receivers for i in receivers[name].integrations.values())
    if not pages or incidents.severity(one.labels) is not Severity.CRITICAL:
        return
    catalog = ops.get(Catalog)
    component = catalog.component(one.labels.get("service", ""))
    owner = catalog.owner(component) if component else None
    if isinstance(owner, Group):
        if user not in {member.id for member in catalog.members(owner)}:
            yield owner.display_name or owner.title or owner.name
    elif owner is not None and owner.id != user:
        yield owner.display_name or owner.id


def checked_span(span: timedelta) -> timedelta:
    """How long a silence may be, or may be extended by. Raises Invalid."""
    if not timedelta() < span <= LONGEST:
        raise Invalid(f"a silence lasts longer than 0s and at most {format_duration(LONGEST)}")
    return span
