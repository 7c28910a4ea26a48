"""Heartbeats: a timer for each, put off whenever it is heard. When the timer comes, there is an alert until it is heard again."""

from __future__ import annotations

from datetime import datetime, timedelta

from quietshift.alerts import event_store, events, store
from quietshift.alerts.event_store import OpenEvent
from quietshift.alerts.labels import one_line
from quietshift.alerts.model import Act, Event, Heartbeat, Heartbeats
from quietshift.alerts.usecases import Alerting
from quietshift.kernel import timers
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.durations import format_duration
from quietshift.kernel.timers import Timer

TIMER = "alerts.heartbeat"
SOURCE = "heartbeat:"  # no integration's name has a colon
KEY = "missed"
AGAIN = timedelta(minutes=5)  # within which those that beat often are heard again after a downtime


def beat(use: Alerting, tx: Tx, heartbeat: Heartbeat, now: datetime) -> datetime:
    """It was heard: what was missed is over. Returns when it has to be heard again at the latest."""
    store.take_turn(tx)
    known = _missed(tx, heartbeat)
    if known is not None:
        events.end(use, tx, [known], now)
    due = now + heartbeat.patience
    timers.schedule(tx, TIMER, heartbeat.name, due, now, {"heard": rfc3339(now)})
    return due


def missed(use: Alerting, tx: Tx, timer: Timer, now: datetime, *, heartbeats: Heartbeats) -> None:
    """Handler of `alerts.heartbeat`: it was not heard in time. One that is not configured any more is not missed."""
    store.take_turn(tx)
    heartbeat = heartbeats.by_name.get(timer.subject)
    if heartbeat is None:
        return
    if timer.due_at <= use.heard_since:  # nobody could be heard when it was due
        timers.schedule(tx, TIMER, heartbeat.name, use.heard_since + heartbeat.patience, now, timer.payload)
        return
    heard = timer.payload.get("heard")
    last = f"last heard of at {heard}" if heard else "never heard of"
    given = {
        "alertname": "HeartbeatMissed", "heartbeat": heartbeat.name, "service": heartbeat.service,
        "severity": one_line(heartbeat.severity),
    }  # fmt: skip
    rhythm = f"it is expected every {format_duration(heartbeat.period)}, with {format_duration(heartbeat.grace)} of grace"
    summary = f"No heartbeat of {heartbeat.name}: {last}"
    annotations = {"description": f"{heartbeat.name} was {last}; {rhythm}.", "summary": summary}
    event = Event(Act.TRIGGER, KEY, given, annotations)
    events.trigger(use, tx, SOURCE + heartbeat.name, given, event, _missed(tx, heartbeat), now)


def follow(use: Alerting, tx: Tx, heartbeats: Heartbeats, now: datetime, *, deaf: bool) -> None:
    """Expect those that are configured, from now on where they are new; no more those that are not.

    deaf: nobody could be heard until now. What was to be heard meanwhile has its whole time again; what is due soon, a little.
    """
    store.take_turn(tx)
    gone = [one for one in event_store.of_sources(tx, SOURCE) if one.source.removeprefix(SOURCE) not in heartbeats.by_name]
    if gone:
        events.end(use, tx, gone, now)
    for heartbeat in heartbeats.by_name.values():
        timer = timers.get(tx, TIMER, heartbeat.name)
        if timer is None:
            if _missed(tx, heartbeat) is None:
                timers.schedule(tx, TIMER, heartbeat.name, now + heartbeat.patience, now)
        elif deaf:
            least = heartbeat.patience if timer.due_at <= now else min(heartbeat.period, AGAIN) + heartbeat.grace
            timers.schedule(tx, TIMER, heartbeat.name, max(timer.due_at, now + least), now, timer.payload)


def _missed(tx: Tx, heartbeat: Heartbeat) -> OpenEvent | None:
    return event_store.get(tx, SOURCE + heartbeat.name, KEY)
