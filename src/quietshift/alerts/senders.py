"""The outbox kinds of this room, one for each kind of integration. How to reach one is looked up when it is sent, so that no
secret is written to the outbox and a reload takes effect at once."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from quietshift.alerts import decide, flush, store
from quietshift.alerts.model import NOTIFIED_KINDS
from quietshift.alerts.usecases import Alerting
from quietshift.kernel.db import Tx
from quietshift.kernel.outbox import Answer, Delivery, OutboxKind, Result

log = logging.getLogger("quietshift.alerts")
ATTEMPTS = 10_000  # the time limit of a notification ends it, not a number
THREADS = {"webhook": 16}  # of one kind, so that a provider that hangs holds up nobody else
OTHERS = 4
LINGER = 0.005  # seconds: answers that come so close together are recorded in one commit
GONE = Answer("permanent", "this integration is no longer in the configuration")
WAS = Answer("permanent", "written by an earlier version; the group is told again with its next flush")


def kinds(use: Alerting) -> list[OutboxKind]:
    """What the outbox has to know to send notifications."""

    def record_all(tx: Tx, results: Sequence[Result], now: datetime) -> None:
        flush.record(use, tx, results, now)
        tx.after_commit(partial(_say_what_failed, results))

    def record(tx: Tx, delivery: Delivery, answer: Answer, now: datetime) -> None:
        record_all(tx, [(delivery, answer)], now)

    return [
        OutboxKind(
            f"notify.{name}", partial(send, use, name), record, _delay, ATTEMPTS, threads=THREADS.get(name, OTHERS),
            turn=store.take_turn, record_all=record_all, linger=LINGER,
        )
        for name in NOTIFIED_KINDS
    ]


def _say_what_failed(results: Sequence[Result]) -> None:
    """To the log, once when it begins and once when it is given up: not each server has pages that show it."""
    for delivery, answer in results:
        if answer.outcome != "accepted" and (delivery.attempt == 1 or delivery.final):
            outcome = "was given up" if delivery.final else "failed and is tried again"
            log.warning("a notification to %s %s: %s", delivery.destination, outcome, answer.text)


def warm_up(use: Alerting) -> None:
    """Load now what the first notification needs: it costs a quarter of a second, with templates half a second."""
    from quietshift.channels import webhook

    webhook.warm_up()
    used = {one.kind for receiver in use.config().receivers.values() for one in receiver.integrations.values()}
    if used & set(NOTIFIED_KINDS) - {"webhook"}:
        from quietshift.alerts.integrations.saying import builtin
        from quietshift.channels import http

        builtin()
        http.warm_up()


def _delay(attempt: int) -> timedelta:
    return decide.retry_delay(attempt, random.random())  # noqa: S311 - spreads retries, guards nothing


def send(use: Alerting, name: str, delivery: Delivery) -> Answer:
    """Tell it. What its provider will never take is permanent; an unreachable provider or an unreadable secret is not."""
    from quietshift.alerts.integrations.kinds import kind
    from quietshift.alerts.integrations.saying import Saying

    config = use.config()
    receiver = config.receivers.get(delivery.payload["receiver"])
    to = None if receiver is None else receiver.integrations.get(delivery.payload["integration"])
    made_of = kind(name)
    if not isinstance(to, made_of.config):
        return GONE
    if "body" not in delivery.payload:
        return WAS
    saying = Saying(
        delivery.id, delivery.payload["body"], delivery.attempted_at or delivery.claimed_at,
        f"{delivery.destination}", config.templates,
    )  # fmt: skip
    try:
        answer = made_of.send(to, saying)
    except OSError as error:
        return Answer("temporary", f"{error.filename}: {error.strerror}")
    except ValueError as error:
        return Answer("permanent", f"cannot be sent: {error}")
    if saying.failures:
        told = f"{answer.text} (plain text in place of {len(saying.failures)} templates that failed: {saying.failures[0]})"
        answer = replace(answer, text=told[:1000])
    return answer
