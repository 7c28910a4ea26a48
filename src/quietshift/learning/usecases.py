"""Looking back at what paged people."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from quietshift.kernel.db import Tx
from quietshift.kernel.errors import Invalid
from quietshift.kernel.ops import Loaded
from quietshift.learning import decide, store
from quietshift.learning.model import By, Paged, Ranking, Week
from quietshift.oncall.model import Oncall
from quietshift.runbooks.model import Runbooks
from quietshift.runbooks.usecases import named_of

MOST_WEEKS = 104


def top(tx: Tx, now: datetime, *, ops: Loaded, weeks: int = 4, by: By | str = By.ALERT) -> Ranking:
    """What paged people most in the last `weeks` weeks, by alert, owner or hour of day. Raises Invalid."""
    if not 1 <= weeks <= MOST_WEEKS:
        raise Invalid(f"weeks has to be from 1 to {MOST_WEEKS}, not {weeks}")
    try:
        by = By(by)
    except ValueError:
        raise Invalid(f"by has to be one of {', '.join(By)}, not {by!r:.80}") from None
    start, end = now - timedelta(weeks=weeks), now + timedelta(microseconds=1)  # a page that is due this instant counts
    books = ops.get(Runbooks)

    def has_runbook(page: Paged) -> bool:
        return named_of(page.alertname, page.runbook_url, page.service, books) is not None

    pages = store.paged(tx, start, end)
    return decide.rank(pages, start=start, end=end, zones=zones(ops), by=by, has_runbook=has_runbook)


def pages_per_week(tx: Tx, now: datetime, *, ops: Loaded, count: int = 12) -> list[Week]:
    """Pages and nights of the last `count` weeks, oldest first, this one included; none from before the first page."""
    start = now - timedelta(weeks=count, days=1)
    pages = store.paged(tx, start, now + timedelta(microseconds=1))
    return decide.weeks(pages, now=now, since=store.first_page_at(tx), zones=zones(ops), count=count)


def zones(ops: Loaded) -> decide.Zones:
    """The zone of each owner that has a schedule: that of its first by name."""
    found: dict[str, tzinfo] = {}
    for _, schedule in sorted(ops.get(Oncall).schedules.items()):
        found.setdefault(str(schedule.owner), schedule.zone)
    return found

