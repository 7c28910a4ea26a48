"""What learning's doors answer, as plain JSON values."""

from __future__ import annotations

from typing import Any

from quietshift.kernel.clock import rfc3339
from quietshift.learning.model import Ranking, Row, Week


def ranking(found: Ranking) -> dict[str, Any]:
    """`start`, `end`, `pages`, `nights`, `sleeps`, and `rows`, the most pages first."""
    return {
        "start": rfc3339(found.start),
        "end": rfc3339(found.end),
        "pages": found.pages,
        "nights": found.nights,
        "sleeps": found.sleeps,
        "rows": [row(one) for one in found.rows],
    }


def row(one: Row) -> dict[str, Any]:
    """See model.Row: `share` from 0 to 1, `hours` 24 numbers, `runbook` null where the row is not of one alert."""
    return {
        "key": one.key,
        "alertname": one.alertname or None,
        "owner": one.owner or None,
        "pages": one.pages,
        "incidents": one.incidents,
        "share": round(one.share, 4),
        "people": one.people,
        "nights": one.nights,
        "sleeps": one.sleeps,
        "busiest_hour": one.busiest_hour,
        "hours": list(one.hours),
        "verdicts": dict(one.verdicts),
        "runbook": one.runbook,
        "last_at": rfc3339(one.last_at),
    }


def week(one: Week) -> dict[str, Any]:
    """`label` (W47), `monday`, `pages`, `nights`."""
    return {"label": one.label, "monday": one.monday.isoformat(), "pages": one.pages, "nights": one.nights}
