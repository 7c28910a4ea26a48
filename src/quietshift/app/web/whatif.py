"""What if: the course of one alert that nobody acknowledges, as a form. It counts the silences and contacts of this server."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import Response

from quietshift.alerts import store as alerts_store
from quietshift.alerts.labels import Labels, label_set
from quietshift.alerts.matchers import parse_matchers
from quietshift.app.api.security import AppDep
from quietshift.app.simulation import Course, Known, Question, whatif
from quietshift.app.web.visitor import FrameDep, QueryText, Visitor
from quietshift.app.whatif import Event, events
from quietshift.app.wire import App
from quietshift.catalog.model import Catalog
from quietshift.kernel.durations import parse_duration
from quietshift.kernel.errors import Invalid, Unavailable
from quietshift.oncall.config import moment
from quietshift.paging import contacts

router = APIRouter(include_in_schema=False)
_one_at_a_time = threading.Lock()  # it takes processor time from those who page people
PATIENCE = 10.0  # seconds
MOST_TURNS = 1500  # of the engine: an answer within seconds


@router.get("/whatif")
def whatif_page(
    request: Request, app: AppDep, frame: FrameDep, _who: Visitor, labels: QueryText = "", at: QueryText = "",
    lasts: QueryText = "", beside: QueryText = "",
) -> Response:  # fmt: skip
    """The form; and, where it is filled in, what becomes of the alert."""
    now, zone = app.clock.now(), request.state.viewer["zone"]
    typed = {"labels": labels, "at": at or f"{now.astimezone(zone):%Y-%m-%dT%H:%M}", "lasts": lasts, "beside": beside}
    errors: dict[str, str] = {}
    found: list[Event] = []
    if labels.strip():
        question = _question(typed, zone, errors)
        if question is not None:
            try:
                found = events(_ask(app, question))
            except Invalid as error:
                errors["labels"] = str(error)
    return frame.page(request, "whatif.html", 422 if errors else 200, typed=typed, errors=errors, events=found, zone=zone)


def _question(typed: Mapping[str, str], zone: ZoneInfo, errors: dict[str, str]) -> Question | None:
    """What is asked; None, and why by field, where something cannot be read."""
    here = "labels"
    try:
        first = _labels(typed[here])
        here = "at"
        when = moment(typed[here], zone)
        here = "lasts"
        span = parse_duration(typed[here]) if typed[here].strip() else None
        if span is not None and span <= timedelta():
            raise ValueError("has to be longer than 0s")
        here = "beside"
        others = [_labels(line) for line in typed[here].splitlines() if line.strip()]
    except ValueError as error:
        errors[here] = str(error)
        return None
    return Question(first, when, span, beside=others)


def _labels(text: str) -> Labels:
    """The label set of `a=b, c="d, e"`. Raises ValueError for what is none."""
    pairs = parse_matchers(text)
    if any(pair.operator != "=" for pair in pairs) or len(pairs) > len({pair.name for pair in pairs}):
        raise ValueError("a label has one value: name=value, each once")
    found = label_set({pair.name: pair.value for pair in pairs})
    if not found:
        raise ValueError("name one label at least, like alertname=DiskFull")
    return found


def _ask(app: App, question: Question) -> Course:
    ops = app.ops.current
    with app.db.read() as tx:
        silences = alerts_store.all_silences(tx, ending_after=question.at)
        ladders = contacts.ladders(tx, [user.id for user in ops.get(Catalog).users], ops=ops)
    if not _one_at_a_time.acquire(timeout=PATIENCE):
        raise Unavailable("somebody else is asking at this moment; try again")
    try:
        return whatif(ops, app.settings, question, Known(silences, ladders), most_turns=MOST_TURNS)
    finally:
        _one_at_a_time.release()
