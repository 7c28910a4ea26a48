"""Into the outbox: a page at once, or with others in one message when its window ends (`storm` decides). All of it is rows: what
waits is a rung with its window, and a timer for that; a crash in the middle forgets nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from quietshift.channels.parse import Channel, mask, parse_via
from quietshift.kernel import outbox, timers
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.ids import new_id
from quietshift.kernel.ops import Loaded
from quietshift.kernel.timers import Timer
from quietshift.paging import bundle_store, store, storm
from quietshift.paging.bundle_store import Bundle, Waiting
from quietshift.paging.model import Escalation, IncidentFacts, NextStep, Page, PagingConfig, Stage
from quietshift.paging.store import Rung

WINDOW = "paging.window"  # timer kind; subject: contact/policy
TEST_PATIENCE = timedelta(minutes=2)
KINDS = {channel: f"page.{channel}" for channel in Channel}  # outbox kinds


def offer(
    tx: Tx, page: Page, rung: Rung, escalation: Escalation, now: datetime, ops: Loaded, *, asked: bool = False
) -> None:
    """A rung of a page's ladder whose time has come: sent at once, or with others when its window ends.

    asked: a person called this one by name. The contact's row is locked after the window's timer, as the timer's handler does.
    """
    policy, severity = escalation.policy.name, escalation.facts.severity
    contact = bundle_store.contact_of(page.user, rung.via)
    window = f"{contact}/{policy}"
    timers.hold(tx, WINDOW, window)
    before = bundle_store.told(tx, contact, page.user)
    admission = storm.admit(before, policy, severity, now, ops.get(PagingConfig).bundling, asked=asked)
    if admission.told != before:
        bundle_store.save_told(tx, contact, page.user, admission.told)
    if admission.until is None:
        send(tx, page, rung, escalation.facts, escalation.next, now)
        return
    bundle_store.wait(tx, escalation.incident_id, rung, window, storm.rank(severity))
    known = before.windows.get(policy)
    if known is None or not known.waiting or known.until != admission.until:
        timers.schedule(tx, WINDOW, window, admission.until, now, {"person": page.user})
    text = f"{page.user} is told by {parse_via(rung.via).channel} with others at {admission.until:%H:%M:%S} UTC"
    store.note(tx, now, escalation.incident_id, "bundled", text, admission.why, {"page": page.id})


def offer_again(tx: Tx, escalation: Escalation, now: datetime, ops: Loaded) -> None:
    """An incident has become worse: what waits of it may have to go out at once."""
    waiting = store.take_waiting_rungs(tx, escalation.incident_id)
    pages = {page.id: page for page in store.open_pages(tx, escalation.incident_id)} if waiting else {}
    for rung in waiting:
        if rung.page_id in pages:
            offer(tx, pages[rung.page_id], rung, escalation, now, ops)


def window_ended(tx: Tx, timer: Timer, now: datetime, *, ops: Loaded) -> None:
    """Handler of `paging.window`: whatever waits is told in one message; a page that waits alone as any other."""
    contact, _, policy = timer.subject.partition("/")
    person = timer.payload["person"]
    rules = ops.get(PagingConfig).bundling
    before = bundle_store.told(tx, contact, person)
    taken = bundle_store.take_window(tx, timer.subject)
    after = storm.end_window(before, policy, max((w.rank for w in taken), default=storm.NOTHING), now, rules)
    if taken:
        _tell(tx, taken, person, policy, timer.due_at, now, rules.named)
    if bundle_store.waits(tx, timer.subject):  # somebody held it: it is told in the next window, unless they close it
        window = after.windows.get(policy) or storm.Window(now + rules.window, rules.window, storm.NOTHING)
        after = replace(after, windows={**after.windows, policy: replace(window, waiting=True)})
        timers.schedule(tx, WINDOW, timer.subject, window.until, now, timer.payload)
    bundle_store.save_told(tx, contact, person, after)


def _tell(
    tx: Tx, taken: list[Waiting], person: str, policy: str, due_at: datetime, now: datetime, named: int
) -> None:
    first = taken[0]
    pages: dict[str, Waiting] = {}
    for waiting in taken:
        pages.setdefault(waiting.rung.page_id, waiting)
    if len(taken) == 1:
        page, escalation = store.page(tx, first.rung.page_id), store.escalation(tx, first.incident_id)
        if page is not None and escalation is not None:
            send(tx, page, replace(first.rung, due_at=due_at), escalation.facts, escalation.next, now)
        return
    via = first.rung.via
    bundle = Bundle(new_id(now), person, policy, mask(via), due_at, len(pages))
    bundle_store.add(tx, bundle, [waiting.rung for waiting in taken])
    shown = list(pages.values())[:named]
    facts = bundle_store.facts(tx, [waiting.incident_id for waiting in shown])
    told = [
        {"page": waiting.rung.page_id, "facts": facts[waiting.incident_id].kept()}
        for waiting in shown
        if waiting.incident_id in facts
    ]
    severities = storm.counted(waiting.rank for waiting in pages.values())
    following = bundle_store.next_step(tx, bundle.id)
    reason = f"{bundle.pages:,} incidents of policy {policy} since the message before: {storm.in_words(severities)}"
    payload = {
        **_payload(bundle.id, person, due_at, reason, 0, None, following),
        "bundle": {"policy": policy, "pages": bundle.pages, "severities": severities, "named": told},
    }
    _enqueue(tx, via, payload, bundle.id, due_at, now, None)


def send(tx: Tx, page: Page, rung: Rung, facts: IncidentFacts | None, following: NextStep | None, now: datetime) -> None:
    """Into the outbox, for the instant after the commit."""
    payload = _payload(page.id, page.user, page.due_at, page.reason, rung.number, facts, following)
    give_up_at = now + TEST_PATIENCE if page.stage is Stage.TEST else None
    _enqueue(tx, rung.via, payload, page.id, rung.due_at, now, give_up_at)


def _payload(
    page_id: str, user: str, due_at: datetime, reason: str, rung: int, facts: IncidentFacts | None, following: NextStep | None
) -> dict[str, Any]:
    return {
        "page": {"id": page_id, "user": user, "due_at": rfc3339(due_at), "reason": reason},
        "rung": rung, "facts": facts.kept() if facts else None, "next": following.kept() if following else None,
    }  # fmt: skip


def _enqueue(
    tx: Tx, via: str, payload: dict[str, Any], subject: str, due_at: datetime, now: datetime, give_up_at: datetime | None
) -> None:
    kind = KINDS[parse_via(via).channel]
    outbox.enqueue(tx, kind, via, payload, now, due_at=due_at, subject=subject, give_up_at=give_up_at, leased=True)
