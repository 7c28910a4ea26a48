"""Heartbeats: a timer for each, put off whenever it is heard. When the timer comes, there is an alert until it is heard again.

One that an alert gives (`Watchdog`) is heard as long as the alert fires: whatever is received of it puts the timer off to its
end, and when the timer comes the alert is looked at, for repeats that change nothing are taken without being told here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from quietshift.alerts import decide, event_store, events, store
from quietshift.alerts.event_store import OpenEvent
from quietshift.alerts.labels import identity, one_line
from quietshift.alerts.matchers import all_match
from quietshift.alerts.model import Alert
from quietshift.alerts.sources import Act, Event, Heartbeat, Heartbeats
from quietshift.alerts.usecases import Alerting
from quietshift.kernel import timers
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.timers import Timer

TIMER = "alerts.heartbeat"
SOURCE = "heartbeat:"  # no integration's name has a colon
KEY = "missed"
AGAIN = timedelta(minutes=5)  # within which those that beat often are heard again after a downtime
MOST_ALERTS = 20  # of those that give one heartbeat, how many are remembered


def beat(use: Alerting, tx: Tx, heartbeat: Heartbeat, now: datetime) -> datetime:
    """It was heard: what was missed is over. Returns when it has to be heard again at the latest."""
    store.take_turn(tx)
    _end_missed(use, tx, heartbeat, now)
    due = heartbeat.due(now, use.config().resolve_timeout)
    _expect(tx, heartbeat, due, now, heard=rfc3339(now))
    return due


def told(use: Alerting, tx: Tx, heartbeats: Heartbeats, alerts: Iterable[Alert], now: datetime) -> None:
    """These alerts were received: what they give the heartbeat of is heard until they end."""
    listening = [one for one in heartbeats.by_name.values() if one.matchers]
    if not listening:
        return
    received = list(alerts)
    for heartbeat in listening:
        mine = [a for a in received if all_match(heartbeat.matchers, a.labels) and a.labels.get("heartbeat") != heartbeat.name]
        if mine:
            _follow_alerts(use, tx, heartbeat, mine, now)


def missed(use: Alerting, tx: Tx, timer: Timer, now: datetime, *, heartbeats: Heartbeats) -> None:
    """Handler of `alerts.heartbeat`: it was not heard in time. One that is not configured any more is not missed."""
    store.take_turn(tx)
    heartbeat = heartbeats.by_name.get(timer.subject)
    if heartbeat is None:
        return
    if timer.due_at <= use.heard_since:  # nobody could be heard when it was due
        due = heartbeat.due(use.heard_since, use.config().resolve_timeout)
        timers.schedule(tx, TIMER, heartbeat.name, due, now, timer.payload)
        return
    end = _last_end(use, tx, timer.payload.get("alerts", []))
    if heartbeat.matchers and end is not None and end + heartbeat.grace > now:
        timers.schedule(tx, TIMER, heartbeat.name, end + heartbeat.grace, now, timer.payload)
        return
    heard = timer.payload.get("heard")
    last = f"last heard of at {heard}" if heard else "never heard of"
    given = {
        "alertname": "HeartbeatMissed", "heartbeat": heartbeat.name, "service": heartbeat.service,
        "severity": one_line(heartbeat.severity),
    }  # fmt: skip
    summary = f"No heartbeat of {heartbeat.name}: {last}"
    annotations = {"description": f"{heartbeat.name} was {last}; {heartbeat.rhythm}.", "summary": summary}
    batch = events.Batch(use, tx, now)
    batch.trigger(SOURCE + heartbeat.name, given, Event(Act.TRIGGER, KEY, given, annotations), _missed(tx, heartbeat))
    batch.commit()


def follow(use: Alerting, tx: Tx, heartbeats: Heartbeats, now: datetime, *, deaf: bool) -> None:
    """Expect those that are configured, from now on where they are new or come in another rhythm; no more those that are not.

    deaf: nobody could be heard until now. What was to be heard meanwhile has its whole time again; what is due soon, a little.
    """
    store.take_turn(tx)
    gone = [one for one in event_store.of_sources(tx, SOURCE) if one.source.removeprefix(SOURCE) not in heartbeats.by_name]
    if gone:
        events.end(use, tx, gone, now)
    lease = use.config().resolve_timeout
    for heartbeat in heartbeats.by_name.values():
        timer = timers.get(tx, TIMER, heartbeat.name)
        if timer is None:
            if _missed(tx, heartbeat) is None:
                _expect(tx, heartbeat, heartbeat.due(now, lease), now)
            continue
        known = {key: value for key, value in timer.payload.items() if key in ("heard", "alerts")}
        if timer.payload.get("rhythm", heartbeat.rhythm) != heartbeat.rhythm:
            _expect(tx, heartbeat, heartbeat.due(now, lease), now, **known)
        elif deaf:
            soon = now + min(heartbeat.period or AGAIN, AGAIN) + heartbeat.grace
            least = heartbeat.due(now, lease) if timer.due_at <= now else soon
            _expect(tx, heartbeat, max(timer.due_at, least), now, **known)


def _follow_alerts(use: Alerting, tx: Tx, heartbeat: Heartbeat, received: list[Alert], now: datetime) -> None:
    """Alerts that give this heartbeat were received."""
    timer = timers.get(tx, TIMER, heartbeat.name)
    before = timer.payload if timer is not None else {}
    of = list(dict.fromkeys([*(identity(alert.labels) for alert in received), *before.get("alerts", [])]))[:MOST_ALERTS]
    fires = [alert for alert in received if alert.ends_at > now]
    heard = rfc3339(now) if fires else before.get("heard")
    if fires:
        _end_missed(use, tx, heartbeat, now)
    elif _missed(tx, heartbeat) is not None:
        return
    end = _last_end(use, tx, of) or now
    _expect(tx, heartbeat, max(end, now) + heartbeat.grace, now, **({"heard": heard} if heard else {}), alerts=of)


def _last_end(use: Alerting, tx: Tx, identities: list[int]) -> datetime | None:
    """When the last of these alerts ends, or has ended; None where none is known."""
    known = use.hot.known(identities) if use.hot.enabled else store.alerts_by_digest(tx, set(identities))
    return max((decide.end(alert, use.heard()) for alert in known.values()), default=None)


def _expect(tx: Tx, heartbeat: Heartbeat, due: datetime, now: datetime, **known: Any) -> None:
    timers.schedule(tx, TIMER, heartbeat.name, due, now, {**known, "rhythm": heartbeat.rhythm})


def _end_missed(use: Alerting, tx: Tx, heartbeat: Heartbeat, now: datetime) -> None:
    known = _missed(tx, heartbeat)
    if known is not None:
        events.end(use, tx, [known], now)


def _missed(tx: Tx, heartbeat: Heartbeat) -> OpenEvent | None:
    return event_store.get(tx, SOURCE + heartbeat.name, KEY)
