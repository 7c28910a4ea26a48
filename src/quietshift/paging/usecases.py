"""The verbs of paging: each is part of one transaction. Load, decide, save; pages, their rungs and the next timer with it.

What is due at once is written to the outbox leased to this process: it is sent as soon as the transaction is on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from quietshift.catalog.model import Catalog
from quietshift.kernel import journal, timers
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import Conflict, NotFound
from quietshift.kernel.ids import new_id
from quietshift.kernel.ops import Loaded
from quietshift.kernel.timers import Timer
from quietshift.paging import bundle_store, bundles, calls, contacts, decide, store, storm
from quietshift.paging.decide import Call
from quietshift.paging.model import (
    Escalation,
    EscalationEvent,
    EscalationState,
    IncidentFacts,
    Page,
    PageEvent,
    PageState,
    PagingConfig,
    Policy,
    Position,
    Stage,
    Step,
)
from quietshift.paging.store import ESCALATE, Rung

__all__ = ["ESCALATE", "FAILED", "escalate", "escalate_now", "failed", "is_over", "reassign", "start", "stop", "test_page"]

FAILED = "paging.failed"  # timer kind; subject: the delivery that was refused for good
SLICE = 20  # pages of a refused message that share a transaction: others wait for it


def start(tx: Tx, incident: IncidentFacts, policy_name: str, now: datetime, *, ops: Loaded, why: str = "") -> None:
    """Call people for an incident, by this policy, which is frozen as it is now; one that is under way goes on as it is.

    Where the ops directory has no such policy (any more), the incident's owner is called: nothing is silent.
    """
    before = store.take(tx, incident.id)
    if before is not None and before.running:
        worse = storm.rank(incident.severity) > storm.rank(before.facts.severity)
        before = replace(before, facts=incident)
        if worse:
            bundles.offer_again(tx, before, now, ops)
        store.save(tx, before, now)
        return
    policy = ops.get(PagingConfig).policies.get(policy_name)
    if policy is None:
        policy = calls.makeshift(incident, ops, policy_name)
        why = f"{why}; there is no escalation policy {policy_name!r}: {policy.last_resort[0]} is called".removeprefix("; ")
    turn = before.turn if before else 0
    escalation = Escalation(
        incident.id, policy, incident, EscalationState.RUNNING, turn, Position(0, 0), None, None, now, None, why
    )
    store.note(tx, now, incident.id, "started", f"policy {policy.name} begins", why, {"policy": policy.name})
    if policy.steps[0].after > timedelta():
        at = now + policy.steps[0].after
        calls.save(tx, replace(escalation, next=calls.preview(tx, policy, Position(0, 0), at, ops)), now)
    else:
        calls.save(tx, calls.advance(tx, escalation, now, now, ops), now)


def stop(tx: Tx, incident_id: int, now: datetime, why: str, *, by: str = "") -> None:
    """Nobody is called any more; attempts that are being made at this moment are still recorded. by: the actor, whose own
    pages count as acknowledged. Nothing happens where nothing runs."""
    before = store.take(tx, incident_id)
    if before is None or not before.running:
        return
    state = decide.escalation_after(before.state, EscalationEvent.STOP, calls.what(before))
    user = by.partition(":")[2]
    for page in store.open_pages(tx, incident_id):
        event = PageEvent.ACKNOWLEDGE if user and page.user == user else PageEvent.WITHDRAW
        calls.close(tx, page, event, now)
    store.note(tx, now, incident_id, "stopped", "nobody is called any more", why)
    calls.save(tx, replace(before, state=state, next=None, stopped_at=now, why=why), now)


def escalate_now(tx: Tx, incident: IncidentFacts, actor: str, now: datetime, *, ops: Loaded) -> None:
    """Call the next step at once; it goes on from there. An escalation that was stopped goes on where it stood."""
    before = store.take(tx, incident.id)
    if before is None:
        before = calls.fresh(incident, calls.makeshift(incident, ops, ""), now, f"{actor} asked for it")
    before = replace(calls.resumed(before, now), facts=incident)
    store.note(tx, now, incident.id, "escalated", "the next step is called at once", f"{actor} asked for it")
    calls.save(tx, calls.advance(tx, before, now, now, ops, f"{actor} asked for it", at_once=True, asked=True), now)


def reassign(tx: Tx, incident: IncidentFacts, targets: Sequence[str], actor: str, now: datetime, *, ops: Loaded) -> None:
    """Call these at once in place of whoever was called: "user:bo", "bo", "schedule:storage", "group:storage". Unless
    somebody acknowledges, the policy goes on where it stood.

    Raises Invalid where a target does not exist, Conflict where nobody behind them can be called: nothing is changed then.
    """
    wanted = calls.targets_of(targets, ops)
    found = calls.reach(tx, decide.resolve(wanted, now, calls.on_call(tx, ops, now), ops.get(Catalog)), ops)
    if not found.people:
        missed = "; ".join(f"{m.target} {m.why}" for m in found.missed)
        raise Conflict(f"nobody behind {', '.join(map(str, wanted))} can be called: {missed}")
    before = store.take(tx, incident.id)
    if before is None:
        policy = Policy("reassigned", calls.owner(incident, ops), (Step(timedelta(), wanted),), repeat=3)
        before = calls.fresh(incident, policy, now, f"reassigned by {actor}")
    before = replace(calls.resumed(before, now), facts=incident)
    for page in store.open_pages(tx, incident.id):
        calls.close(tx, page, PageEvent.WITHDRAW, now)
    names = ", ".join(map(str, wanted))
    call = Call(
        Stage.REASSIGNED, EscalationEvent.PAGED, before.position, found.people, tuple((names, m) for m in found.missed),
        before.position, before.policy.round_wait, f"reassigned by {actor} to {names}",
    )  # fmt: skip
    calls.save(tx, calls.carry_out(tx, before, call, now, now, ops, asked=True), now)


def is_over(tx: Tx, incident_id: int) -> bool:
    """Whether nobody is going to be called for this incident: it never had an escalation, or that was stopped."""
    escalation = store.escalation(tx, incident_id)
    return escalation is None or not escalation.running


def test_page(tx: Tx, user: str, actor: str, now: datetime, *, ops: Loaded) -> Page:
    """Try every contact of a person at once, by a page that asks for nothing. Raises NotFound, and Conflict where the person
    has no contact."""
    known = ops.get(Catalog).user(user)
    if known is None:
        raise NotFound(f"the catalog has no User {user!r}")
    ladder = contacts.ladders(tx, [known.id], ops=ops)[known.id]
    if not ladder:
        raise Conflict(f"{known.id} has no contact: nothing in the ops directory's Contacts, nothing set in the web")
    page = Page(
        new_id(now), None, known.id, 0, Stage.TEST, None, 0, now, f"a test, asked for by {actor}", PageState.TEST, len(ladder)
    )  # fmt: skip
    store.add_pages(tx, [page])
    for number, rule in enumerate(ladder):
        bundles.send(tx, page, Rung(page.id, number, rule.via, now), None, None, now)
    journal.append(tx, now, actor, "page.tested", f"user:{known.id}", page.reason, {"page": page.id, "contacts": len(ladder)})
    return page


# -- handlers of timers --------------------------------------------------------------------------------------------------


def escalate(tx: Tx, timer: Timer, now: datetime, *, ops: Loaded) -> None:
    """Handler of `paging.escalate`: rungs of ladders whose time has come, and the next step where it is due."""
    before = store.take(tx, int(timer.subject))
    if before is None or not before.running:
        return
    pages = {page.id: page for page in store.open_pages(tx, before.incident_id)}
    for rung in store.take_due_rungs(tx, before.incident_id, now):
        if rung.page_id in pages:
            bundles.offer(tx, pages[rung.page_id], rung, before, now, ops)
    if before.next is not None and before.next.at <= now:
        before = calls.advance(tx, before, before.next.at, now, ops, decide.unanswered(before, now))
    calls.save(tx, before, now)


def failed(tx: Tx, timer: Timer, now: datetime, *, ops: Loaded) -> None:
    """Handler of `paging.failed`: a contact was refused for good. The next one is tried at once, else the next person; of a
    message that told of many pages for each of them, some at a time."""
    bundle_id = timer.payload.get("bundle_id")
    if bundle_id is None:
        _failed(tx, timer.payload["page_id"], now, ops)
        return
    page_ids = bundle_store.page_ids(tx, bundle_id, timer.payload.get("after", ""), SLICE)
    for page_id in page_ids:
        _failed(tx, page_id, now, ops)
    if len(page_ids) == SLICE:
        timers.schedule(tx, FAILED, timer.subject, now, now, {"bundle_id": bundle_id, "after": page_ids[-1]})


def _failed(tx: Tx, page_id: str, now: datetime, ops: Loaded) -> None:
    page = store.page(tx, page_id)
    if page is None or page.incident_id is None:
        return
    before = store.take(tx, page.incident_id)
    page = store.page(tx, page.id)  # again, under the lock
    if before is None or not before.running:
        return
    if page is None or page.state is not PageState.OPEN:
        store.save(tx, before, now)  # its timer was taken
        return
    attempt = next((a for a in reversed(page.attempts) if a.final and a.outcome != "accepted"), None)
    why = f"{attempt.channel} ({attempt.via}) refused it: {attempt.answer}" if attempt else "a contact refused it"
    rung = store.take_next_rung(tx, page.id)
    if rung is not None:
        calls.note(tx, before, now, "pulled_forward", f"the next contact of {page.user} is tried at once", why)
        bundles.offer(tx, page, replace(rung, due_at=now), before, now, ops)
    elif page.used_up:
        calls.note(tx, before, now, "page_failed", f"no contact of {page.user} is left", why)
        calls.close(tx, page, PageEvent.FAIL, now)
        before = _after_failure(tx, before, page, now, ops)
    calls.save(tx, before, now)


def _after_failure(tx: Tx, escalation: Escalation, page: Page, now: datetime, ops: Loaded) -> Escalation:
    called = store.pages_since(tx, escalation.incident_id, escalation.started_at)
    turn = [p for p in called if p.turn == page.turn]
    if page.turn != escalation.turn or any(p.state is not PageState.FAILED for p in turn):
        return escalation
    reached = any(p.state is not PageState.FAILED for p in called if p.round == page.round and p.stage is Stage.STEP)
    pull = decide.after_failure(escalation.policy, page.stage, page.round - 1, escalation.position, reached)
    if pull.what == "step":
        return calls.advance(tx, escalation, now, now, ops, pull.why, at_once=True)
    if pull.what == "fallback":
        last_resort = calls.people(tx, escalation.policy, now, ops)[1]
        call = decide.fallback(escalation.policy, escalation.position, last_resort)
        return calls.carry_out(tx, escalation, call, now, now, ops)
    if pull.what == "nobody" and escalation.next is not None:
        state = decide.escalation_after(escalation.state, EscalationEvent.NOBODY, calls.what(escalation))
        calls.nobody(tx, escalation, pull.why, now)
        return replace(escalation, state=state, next=decide.sooner(escalation.next, now))
    calls.note(tx, escalation, now, "waiting", "the next call stays at its time", pull.why)
    return escalation
