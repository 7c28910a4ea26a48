"""The outbox kinds of pages: mail, webhook, ntfy, chats. A link is signed when it is sent: no token lies in the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from urllib.parse import urlencode, urlsplit

from quietshift.channels.parse import Channel, mask, parse_via
from quietshift.channels.smarthost import Smarthost
from quietshift.kernel import timers
from quietshift.kernel.db import Tx
from quietshift.kernel.outbox import Answer, Delivery, OutboxKind
from quietshift.kernel.timers import backoff
from quietshift.paging import links, store
from quietshift.paging.bundles import KINDS
from quietshift.paging.model import Attempt
from quietshift.paging.render import Message
from quietshift.paging.usecases import FAILED

ATTEMPTS = 1_000_000  # an acknowledgement ends the attempts, not a number
MOST_DELAY = timedelta(minutes=1)
Observe = Callable[[str, str, timedelta], None]  # channel, outcome, how late the attempt was


def _unobserved(_channel: str, _outcome: str, _late: timedelta) -> None:
    """Nobody counts."""


@dataclass(frozen=True)
class Way:
    """What sending needs. base_url: links begin with it; key: signs them; smarthost None: no mail can be sent."""

    base_url: str
    key: bytes = field(repr=False)
    ack_link_ttl: timedelta
    smarthost: Smarthost | None
    sender: str
    observe: Observe = _unobserved
    zone_of: Callable[[str], tzinfo] = lambda _user: UTC  # in which somebody reads times

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or "quietshift"


def kinds(way: Way) -> list[OutboxKind]:
    """What the outbox has to know to send pages."""
    own = {Channel.MAIL: (send_mail, 8), Channel.WEBHOOK: (send_webhook, 16), Channel.NTFY: (send_ntfy, 4)}
    ways = {channel: own.get(channel, (send_chat, 4)) for channel in Channel}
    return [
        OutboxKind(
            KINDS[channel], partial(send, way), partial(record, way.observe, channel), delay, ATTEMPTS, threads=threads
        )
        for channel, (send, threads) in ways.items()
    ]


def delay(attempts: int) -> timedelta:
    """Before the next attempt: 1 s, 2 s, 4 s ... 60 s."""
    return backoff(attempts, timedelta(seconds=1), MOST_DELAY)


# -- sending: outside any transaction ------------------------------------------------------------------------------------


def message(way: Way, delivery: Delivery) -> tuple[Message, datetime]:
    """What this attempt says, and when it is made."""
    now = delivery.attempted_at or delivery.claimed_at
    said = Message.from_payload(delivery.payload)
    said = replace(said, zone=way.zone_of(said.user))

    def link(incident_id: int | None, page_id: str) -> str:
        return f"{way.base_url}{links.PATH}{links.make(way.key, incident_id, said.user, page_id, now, way.ack_link_ttl)}"

    if said.facts is not None:
        said = replace(said, acknowledge_url=link(said.facts.id, said.page_id))
    elif said.bundle is not None:
        named = tuple(replace(one, acknowledge_url=link(one.facts.id, one.page_id)) for one in said.bundle.named)
        every = f"{way.base_url}/incidents?{urlencode({'policy': said.bundle.policy})}"
        said = replace(
            said, acknowledge_url=link(None, said.page_id), bundle=replace(said.bundle, named=named, list_url=every)
        )
    return said, now


def send_mail(way: Way, delivery: Delivery) -> Answer:
    """A mail, in the incident's thread where it tells of one. Its Message-ID is the same in every attempt."""
    from quietshift.channels import mail
    from quietshift.paging import render

    if way.smarthost is None:
        return Answer("permanent", "no mail server is set up (smtp_smarthost)")
    said, now = message(way, delivery)
    thread = [f"{said.facts.ref.lower()}@{way.host}"] if said.facts else []
    try:
        composed = mail.compose(
            sender=way.sender, to=parse_via(delivery.destination).address, subject=said.subject, text=render.text(said, now),
            html=render.html(said, now), message_id=f"page-{said.page_id}-{said.rung}@{way.host}", at=now, references=thread,
        )  # fmt: skip
    except ValueError as error:
        return Answer("permanent", f"cannot be written: {error}")
    return mail.send(way.smarthost, composed)


def send_webhook(way: Way, delivery: Delivery) -> Answer:
    """JSON by POST; the Idempotency-Key is the same in every attempt."""
    from quietshift.channels import webhook
    from quietshift.paging import render

    said, _ = message(way, delivery)
    headers = {"Idempotency-Key": f"{said.page_id}-{said.rung}"}
    return webhook.post_json(parse_via(delivery.destination).address, render.webhook(said, delivery.attempt), headers)


def send_ntfy(way: Way, delivery: Delivery) -> Answer:
    """A push, with a button that acknowledges."""
    from quietshift.channels import ntfy
    from quietshift.paging import render

    said, _ = message(way, delivery)
    return ntfy.publish(parse_via(delivery.destination).address, **render.push(said))


def send_chat(way: Way, delivery: Delivery) -> Answer:
    """A message by a chat or push service, with links."""
    from quietshift.channels import chat
    from quietshift.paging import render

    said, _ = message(way, delivery)
    return chat.tell(parse_via(delivery.destination), render.chat(said))


# -- recording: in the transaction that marks the row --------------------------------------------------------------------


def record(observe: Observe, channel: str, tx: Tx, delivery: Delivery, answer: Answer, now: datetime) -> None:
    """Keep the attempt and its answer. It inserts rows and waits for no other: what follows a refusal is a timer's work."""
    page_id = delivery.payload["page"]["id"]
    attempted_at = delivery.attempted_at or delivery.claimed_at
    attempt = Attempt(
        channel, mask(delivery.destination), delivery.attempt, delivery.due_at, attempted_at, now, answer.outcome, answer.code,
        answer.text, delivery.final,
    )  # fmt: skip
    store.add_attempt(tx, page_id, delivery.id, delivery.payload["rung"], attempt)
    facts, bundle = delivery.payload["facts"], delivery.payload.get("bundle")
    if (facts or bundle) and delivery.final and answer.outcome != "accepted":
        timers.schedule(tx, FAILED, delivery.id, now, now, {"bundle_id" if bundle else "page_id": page_id})
    if facts:
        tx.publish(f"incident:{facts['id']}")
    elif bundle:
        tx.publish("incidents")
    else:
        tx.publish(f"user:{delivery.payload['page']['user']}")
    tx.after_commit(lambda: observe(channel, answer.outcome, attempted_at - delivery.due_at))
