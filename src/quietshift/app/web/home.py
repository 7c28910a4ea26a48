"""Home, the list of schedules, what repeats: pages that only read."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from quietshift.app.api.security import AppDep
from quietshift.app.web import incident_views, oncall_views
from quietshift.app.web.names import owner_name
from quietshift.app.web.visitor import FrameDep, Visitor
from quietshift.incidents import store
from quietshift.incidents.model import State
from quietshift.kernel.ops import Loaded
from quietshift.learning import usecases as learning
from quietshift.learning.model import By, Ranking, Row
from quietshift.oncall.model import Oncall
from quietshift.runbooks.model import Runbooks
from quietshift.runbooks.usecases import named_of

router = APIRouter(include_in_schema=False)
SHOWN = 50
TOP = 5
RANGES = (2, 4, 12)


@router.get("/")
def home(request: Request, app: AppDep, frame: FrameDep, who: Visitor) -> Response:
    ops, now = oncall_views.with_overrides(app), app.clock.now()
    start, end, days = oncall_views.span(now, request.state.viewer["zone"])
    later = oncall_views.mine_later(ops, who.user, now)
    with app.db.read() as tx:
        open_ = store.find(tx, states=(State.TRIGGERED, State.ACKNOWLEDGED), limit=500)
        fires = [incident_views.row(tx, ops, incident) for incident in incident_views.loudest_first(open_)[:SHOWN]]
        weeks = learning.pages_per_week(tx, now, ops=ops)
        ranking = learning.top(tx, now, ops=ops, weeks=4)
    states = [incident_views.shown_state(incident) for incident in open_]
    return frame.page(
        request, "home.html", topics=["incidents"], now=now, mine=oncall_views.mine_now(ops, who.user, now),
        mine_next=later[0] if later else None,
        numbers={state: states.count(state) for state in ("triggered", "acknowledged", "snoozed")}, fires=fires,
        teams=oncall_views.teams(ops, now, start, end), start=start, end=end, days=days,
        weeks=[{"label": week.label, "pages": week.pages, "nights": week.nights} for week in weeks],
        top=[_repeat(row) for row in ranking.rows if row.pages > 1][:TOP],
    )  # fmt: skip


def _repeat(row: Row) -> dict[str, Any]:
    return {
        "alert": row.alertname or "alert without a name", "href": f"/incidents?q={row.alertname}", "pages": row.pages,
        "nights": row.nights, "runbook": bool(row.runbook),
    }  # fmt: skip


# -- schedules -----------------------------------------------------------------------------------------------------------


@router.get("/schedules")
def schedules(request: Request, app: AppDep, frame: FrameDep, _who: Visitor) -> Response:
    ops, now = oncall_views.with_overrides(app), app.clock.now()
    start, end, days = oncall_views.span(now, request.state.viewer["zone"])
    found = ops.get(Oncall).schedules
    rows = [oncall_views.overview(ops, found[name], now, start, end) for name in sorted(found)]
    return frame.page(request, "schedules.html", now=now, rows=rows, start=start, end=end, days=days)


# -- what repeats --------------------------------------------------------------------------------------------------------


@router.get("/pages")
def pages_top(
    request: Request, app: AppDep, frame: FrameDep, _who: Visitor, weeks: Annotated[int, Query(ge=1, le=learning.MOST_WEEKS)] = 4
) -> Response:
    ops, now = app.ops.current, app.clock.now()
    with app.db.read() as tx:
        by_alert, by_owner, by_hour = (learning.top(tx, now, ops=ops, weeks=weeks, by=by) for by in By)
    hours = [0] * 24
    for row in by_hour.rows:
        hours[int(row.key[:2])] = row.pages
    ranges = [
        {"label": _weeks(n), "href": f"/pages?weeks={n}", "current": n == weeks, "number": None}
        for n in sorted({*RANGES, weeks})
    ]
    return frame.page(
        request, "pages_top.html", now=now, ranges=ranges, span_words=_weeks(weeks), pages=by_alert.pages,
        nights=by_alert.nights, hours=hours, groups=_groups(ops, by_owner), rows=_rows(ops, by_alert),
    )  # fmt: skip


def _weeks(count: int) -> str:
    return f"{count} week{'' if count == 1 else 's'}"


def _groups(ops: Loaded, ranking: Ranking) -> list[dict[str, Any]]:
    return [
        {
            "name": owner_name(ops, row.owner) or "no owner", "href": f"/incidents?q={row.owner}", "pages": row.pages,
            "nights": row.nights,
        }
        for row in ranking.rows
    ]  # fmt: skip


def _rows(ops: Loaded, ranking: Ranking) -> list[dict[str, Any]]:
    books = ops.get(Runbooks)
    found = []
    for row in ranking.rows:
        named = named_of(row.alertname, "", None, books)
        href = named.runbook.href if named and named.runbook else ""
        found.append(
            {
                "alert": row.alertname or "alert without a name", "href": f"/incidents?q={row.alertname}",
                "owner": owner_name(ops, row.owner), "pages": row.pages, "nights": row.nights, "hours": list(row.hours),
                "verdicts": sorted(row.verdicts.items()), "runbook": href, "last_at": row.last_at,
            }
        )  # fmt: skip
    return found
