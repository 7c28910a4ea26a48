"""Quietshift's own dead man's switch: an address outside is called while timers and outbox advance, and only then.

The call goes the way of a page: a timer writes a row, the outbox sends it. Where timers or outbox stand still, none is made,
and whoever watches that address knows.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from quietshift.channels.parse import mask
from quietshift.kernel import outbox, timers
from quietshift.kernel.db import Tx
from quietshift.kernel.outbox import Answer, Delivery, OutboxKind
from quietshift.kernel.timers import Timer, backoff

log = logging.getLogger("quietshift.heartbeat")
BEAT = "paging.heartbeat"  # timer kind
PING = "heartbeat.ping"  # outbox kind
OVERDUE = timedelta(seconds=30)  # work that waits longer than this is not being done


def begin(tx: Tx, url: str, now: datetime) -> None:
    """At the start of a server: beat from now on, or no more where no address is set."""
    if url:
        timers.schedule(tx, BEAT, "server", now, now)
    else:
        timers.cancel(tx, BEAT, "server")


def beat(tx: Tx, timer: Timer, now: datetime, *, url: str, interval: timedelta, kinds: Sequence[str]) -> None:
    """Handler of `paging.heartbeat`. kinds: every outbox kind of the server; work overdue among them keeps the beat back."""
    if not url:
        return
    timers.schedule(tx, BEAT, timer.subject, now + interval, now)
    outbox.cancel(tx, PING, timer.subject)  # one that could not be made until now is stale
    others = [kind for kind in kinds if kind != PING]
    dues = [timers.next_due(tx), outbox.next_due(tx, others) if others else None]
    late = max((now - due for due in dues if due is not None), default=timedelta())
    if late > OVERDUE:
        log.error("no heartbeat: work is overdue", extra={"late_seconds": late.total_seconds()})
        return
    outbox.enqueue(tx, PING, mask(url), {}, now, subject=timer.subject, give_up_at=now + interval, leased=True)


def kind(url: str) -> OutboxKind:
    """How the address is called."""
    return OutboxKind(PING, partial(_send, url), _record, partial(backoff, most=timedelta(seconds=10)), 100, threads=1)


def _send(url: str, _delivery: Delivery) -> Answer:
    from quietshift.channels import webhook

    return webhook.request("GET", url)


def _record(_tx: Tx, delivery: Delivery, answer: Answer, _now: datetime) -> None:
    if answer.outcome != "accepted":
        log.warning("heartbeat not taken", extra={"address": delivery.destination, "answer": answer.text})
