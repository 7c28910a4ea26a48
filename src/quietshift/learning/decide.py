"""What repeats, by alert and owner, by owner, or by hour of day; nights marked.

Night is from 22:00 until 07:00 in the zone of the owning group's schedule (its first by name), UTC where it has none: the
zone in which that group's people live. A night belongs to the day on which it began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo

from quietshift.learning.model import UNSAID, By, Paged, Ranking, Row, Week

NIGHT_BEGINS, NIGHT_ENDS = 22, 7  # local hours
Zones = Mapping[str, tzinfo]  # zone by full reference of the owning group


def local(page: Paged, zones: Zones) -> datetime:
    """When the page was due, on the clock of the owning group."""
    return page.due_at.astimezone(zones.get(page.owner, UTC))


def night_of(at: datetime) -> date | None:
    """The day on which the night of this local time began; None where it is no night."""
    if NIGHT_ENDS <= at.hour < NIGHT_BEGINS:
        return None
    return at.date() if at.hour >= NIGHT_BEGINS else at.date() - timedelta(days=1)


def rank(
    pages: Iterable[Paged],
    *,
    start: datetime,
    end: datetime,
    zones: Zones,
    by: By = By.ALERT,
    has_runbook: Callable[[Paged], bool],
) -> Ranking:
    """Pages due from `start` until before `end`, counted and ranked: most pages first, of equals more nights, then by name.

    By alert, rows are of one alert of one owner. Hours are in order of pages too.
    """
    counted = [page for page in pages if start <= page.due_at < end]
    groups: dict[tuple[str, str], list[Paged]] = {}
    for page in counted:
        groups.setdefault(_key(page, by, zones), []).append(page)
    rows = [_row(by, key, group, len(counted), zones, has_runbook) for key, group in groups.items()]
    rows.sort(key=lambda row: (-row.pages, -row.nights, row.key, row.owner))
    nights = [(page.user, night) for page in counted if (night := night_of(local(page, zones)))]
    return Ranking(start, end, len(counted), len(nights), len(set(nights)), tuple(rows))


def weeks(pages: Iterable[Paged], *, now: datetime, since: datetime | None, zones: Zones, count: int = 12) -> list[Week]:
    """Pages of the last `count` weeks, this one included, oldest first.

    since: when counting began. Weeks before it are left out, for nobody counted them; None: nothing was ever counted.
    """
    if since is None:
        return []
    this = _monday(now.date())
    first = max(this - timedelta(weeks=count - 1), _monday(since.date()))
    total: Counter[date] = Counter()
    nights: Counter[date] = Counter()
    for page in pages:
        at = local(page, zones)
        monday = _monday(at.date())
        total[monday] += 1
        nights[monday] += night_of(at) is not None
    days = [first + timedelta(weeks=n) for n in range((this - first).days // 7 + 1)]
    return [Week(day, total[day], nights[day]) for day in days]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _key(page: Paged, by: By, zones: Zones) -> tuple[str, str]:
    if by is By.ALERT:
        return page.alertname, page.owner
    if by is By.OWNER:
        return page.owner, page.owner
    return f"{local(page, zones).hour:02}:00", ""


def _row(
    by: By, key: tuple[str, str], pages: list[Paged], total: int, zones: Zones, has_runbook: Callable[[Paged], bool]
) -> Row:
    hours = [0] * 24
    nights: list[tuple[str, date]] = []
    for page in pages:
        at = local(page, zones)
        hours[at.hour] += 1
        if night := night_of(at):
            nights.append((page.user, night))
    verdicts = Counter({page.incident_id: page.verdict or UNSAID for page in pages}.values())
    latest = max(pages, key=lambda page: page.due_at)
    return Row(
        key=key[0],
        alertname=key[0] if by is By.ALERT else "",
        owner=key[1],
        pages=len(pages),
        incidents=len({page.incident_id for page in pages}),
        share=len(pages) / total,
        people=len({page.user for page in pages}),
        nights=len(nights),
        sleeps=len(set(nights)),
        hours=tuple(hours),
        verdicts=dict(sorted(verdicts.items())),
        runbook=has_runbook(latest) if by is By.ALERT else None,
        last_at=latest.due_at,
    )
