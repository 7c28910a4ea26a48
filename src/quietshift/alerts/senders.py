"""The outbox kinds of this room: webhooks and mail of receivers. How to reach one is looked up when it is sent, so that no
secret is written to the outbox and a reload takes effect at once."""

from __future__ import annotations

import base64
import random
from datetime import timedelta
from email.message import EmailMessage
from email.utils import getaddresses
from functools import partial
from pathlib import Path

from quietshift.alerts import decide, flush, store
from quietshift.alerts.model import Email, HttpAccess, Integration, Webhook
from quietshift.alerts.usecases import Alerting
from quietshift.kernel.outbox import Answer, Delivery, OutboxKind

TIMEOUT = 20.0  # seconds for one attempt
ATTEMPTS = 10_000  # the time limit of a notification ends it, not a number


def kinds(use: Alerting) -> list[OutboxKind]:
    """What the outbox has to know to send notifications."""
    record = partial(flush.record, use)
    return [
        OutboxKind("notify.webhook", partial(send_webhook, use), record, _delay, ATTEMPTS, threads=16, turn=store.take_turn),
        OutboxKind("notify.email", partial(send_email, use), record, _delay, ATTEMPTS, threads=4, turn=store.take_turn),
    ]


def _delay(attempt: int) -> timedelta:
    return decide.retry_delay(attempt, random.random())  # noqa: S311 - spreads retries, guards nothing


def _integration(use: Alerting, delivery: Delivery) -> Integration | None:
    receiver = use.config().receivers.get(delivery.payload["receiver"])
    return None if receiver is None else receiver.integrations.get(delivery.payload["integration"])


GONE = Answer("permanent", "this integration is no longer in the configuration")


def send_webhook(use: Alerting, delivery: Delivery) -> Answer:
    """POST the notification; any 2xx is a success, 5xx, 429 and network errors are tried again."""
    from quietshift.channels.webhook import post_json

    to = _integration(use, delivery)
    if not isinstance(to, Webhook):
        return GONE
    try:
        url = Path(to.url_file).read_text().strip() if to.url_file else to.url
        headers = _headers(to.http)
    except OSError as error:
        return Answer("temporary", f"{error.filename}: {error.strerror}")
    return post_json(url, delivery.payload["body"], {**headers, "idempotency-key": delivery.id}, TIMEOUT)


def _headers(access: HttpAccess) -> dict[str, str]:
    if access.username:
        password = Path(access.password_file).read_text().strip() if access.password_file else access.password
        return {"authorization": "Basic " + base64.b64encode(f"{access.username}:{password}".encode()).decode()}
    credentials = Path(access.credentials_file).read_text().strip() if access.credentials_file else access.credentials
    return {"authorization": f"{access.scheme} {credentials}"} if credentials else {}


def send_email(use: Alerting, delivery: Delivery) -> Answer:
    """Send the notification by mail; the server's 5xx is final, everything else is tried again."""
    from quietshift.channels import mail

    to = _integration(use, delivery)
    if not isinstance(to, Email):
        return GONE
    try:
        password = Path(to.password_file).read_text().strip() if to.password_file else to.password
    except OSError as error:
        return Answer("temporary", f"{error.filename}: {error.strerror}")
    try:
        message = _compose(to, delivery)
        recipients = [address for _, address in getaddresses([to.to])]
        relay = mail.Smarthost.at(
            to.smarthost, tls="tls" if to.smarthost.endswith(":465") else "starttls" if to.require_tls else "none",
            username=to.username, password=password or to.secret, hello=to.hello,
        )  # fmt: skip
    except ValueError as error:
        return Answer("permanent", f"receiver {delivery.destination}: {error}")
    return mail.send(relay, message, recipients, TIMEOUT)


def _compose(to: Email, delivery: Delivery) -> EmailMessage:
    from quietshift.channels.mail import compose, one_line

    addresses = getaddresses([to.to])
    if not addresses:
        raise ValueError(f"no address in {to.to!r}")
    message = compose(
        sender=to.sender, to=addresses[0][1], subject=delivery.payload["subject"], text=to.text or delivery.payload["text"],
        html=to.html, message_id=f"{delivery.id}@quietshift", at=delivery.claimed_at,
    )  # fmt: skip
    for name, value in (("To", to.to), *to.headers):
        del message[name]
        message[name] = one_line(value)
    return message
