"""A word before a silence ends, to whom it belongs: by mail if they have it, else by the first contact of their ladder, softly.

A timer of the room below comes due; the message is a row of the outbox, in the same transaction.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial

from quietshift.alerts import matchers, store
from quietshift.alerts.decide import silence_state
from quietshift.alerts.model import Silence, SilenceState
from quietshift.alerts.preview import Muted, preview
from quietshift.alerts.usecases import Alerting
from quietshift.catalog.model import Catalog
from quietshift.channels.parse import Channel, parse_via
from quietshift.channels.smarthost import Smarthost
from quietshift.kernel import journal, outbox
from quietshift.kernel.clock import parse_rfc3339, rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.durations import format_duration
from quietshift.kernel.ops import Loaded
from quietshift.kernel.outbox import Answer, Delivery, OutboxKind
from quietshift.kernel.timers import Timer, backoff
from quietshift.oncall.people import zone_of
from quietshift.paging import contacts
from quietshift.paging.model import Ladder

log = logging.getLogger("quietshift.paging")
NOTICE = "silence.notice"  # outbox kind
NAMED = 5  # alerts that the message names
PATH = "/silences/"
SOFT = 2  # ntfy's priority: no sound


def ends(tx: Tx, timer: Timer, now: datetime, *, ops: Loaded, alerting: Alerting, base_url: str) -> None:
    """Handler of `alerts.silence_ends`."""
    silence = store.silence(tx, timer.subject)
    if silence is None or silence_state(silence, now) is SilenceState.EXPIRED:
        return
    owner = ops.get(Catalog).user(silence.created_by)
    via = quiet(contacts.ladders(tx, [owner.id], ops=ops)[owner.id]) if owner else ""
    if not owner or not via:
        log.info("nobody is told that a silence ends", extra={"silence": silence.id, "owner": silence.created_by})
        return
    words = _words(silence, preview(alerting, tx, silence.matchers, now).muted)
    url = f"{base_url}{PATH}{silence.id}"
    payload = {
        "silence": silence.id, "subject": f"Your silence ends in {_left(silence, now)}: {silence.comment}"[:200], "text": words,
        "ends_at": rfc3339(silence.ends_at), "zone": str(zone_of(owner.id, ops)), "extend_url": f"{url}/extend", "url": url,
    }  # fmt: skip
    outbox.cancel(tx, NOTICE, silence.id)  # one that was not sent tells of an earlier end
    outbox.enqueue(tx, NOTICE, via, payload, now, subject=silence.id, give_up_at=silence.ends_at)
    journal.append(tx, now, "system", "silence.notice", f"silence:{silence.id}", f"{owner.id} is told that it ends")


def quiet(ladder: Ladder) -> str:
    """The contact that disturbs least: the first mail address, else the first rung; empty where there is none."""
    mails = (rule.via for rule in ladder if parse_via(rule.via).channel is Channel.MAIL)
    return next(mails, ladder[0].via if ladder else "")


def _left(silence: Silence, now: datetime) -> str:
    whole = timedelta(minutes=max(1, round((silence.ends_at - now) / timedelta(minutes=1))))
    return format_duration(whole)


def _words(silence: Silence, muted: tuple[Muted, ...]) -> str:
    names = [one.labels.get("alertname", "an alert without a name") for one in muted]
    told = "It mutes nothing at present." if not names else f"It mutes {len(names)} at present: {', '.join(names[:NAMED])}"
    told += f" and {len(names) - NAMED} more." if len(names) > NAMED else "." if names else ""
    return f"{matchers.text(silence.matchers)}\n{silence.comment}\n\n{told} They are told of again when it has ended."


# -- sending -------------------------------------------------------------------------------------------------------------


def kind(smarthost: Smarthost | None, sender: str, host: str) -> OutboxKind:
    """How such a message is sent; it is tried until the silence has ended."""
    return OutboxKind(NOTICE, partial(_send, smarthost, sender, host), _record, partial(backoff, most=timedelta(minutes=1)), 20)


def _send(smarthost: Smarthost | None, sender: str, host: str, delivery: Delivery) -> Answer:
    said, via = delivery.payload, parse_via(delivery.destination)
    links = f"One hour more:\n{said['extend_url']}\n\nThe silence:\n{said['url']}\n"
    text = f"{said['text']}\n\nIt ends at {_local(said['ends_at'], said['zone'])}.\n\n{links}"
    if via.channel is Channel.MAIL:
        from quietshift.channels import mail

        if smarthost is None:
            return Answer("permanent", "no mail server is set up (smtp_smarthost)")
        try:
            composed = mail.compose(
                sender=sender, to=via.address, subject=said["subject"], text=text,
                at=delivery.attempted_at or delivery.claimed_at, message_id=f"silence-{delivery.id}@{host}",
            )  # fmt: skip
        except ValueError as error:
            return Answer("permanent", f"cannot be written: {error}")
        return mail.send(smarthost, composed)
    if via.channel is Channel.NTFY:
        from quietshift.channels import ntfy

        button = ntfy.Button("1 h more", said["extend_url"])
        return ntfy.publish(
            via.address, title=said["subject"], message=text, click=said["url"], buttons=[button], priority=SOFT
        )
    if via.channel is not Channel.WEBHOOK:
        from quietshift.channels import chat

        told = f"{said['text']}\n\nIt ends at {_local(said['ends_at'], said['zone'])}."
        ways = [("1 h more", said["extend_url"]), ("The silence", said["url"])]
        return chat.tell(via, chat.Said(said["subject"], told, ways, SOFT))
    from quietshift.channels import webhook

    body = {"type": "silence_ends", **{key: said[key] for key in ("silence", "subject", "text", "ends_at", "extend_url", "url")}}
    return webhook.post_json(via.address, body, {"Idempotency-Key": delivery.id})


def _local(instant: str, zone: str) -> str:
    from zoneinfo import ZoneInfo

    return f"{parse_rfc3339(instant).astimezone(ZoneInfo(zone)):%a %H:%M} {zone}"


def _record(_tx: Tx, delivery: Delivery, answer: Answer, _now: datetime) -> None:
    if answer.outcome != "accepted" and delivery.final:
        log.warning("an owner could not be told that a silence ends", extra={"silence": delivery.subject, "answer": answer.text})
