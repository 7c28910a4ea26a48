"""Carrying out a call: its pages, the rungs of each ladder, who is called next; for the verbs in `usecases`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from quietshift.catalog.model import Catalog, Ref
from quietshift.kernel import outbox
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import Invalid
from quietshift.kernel.ids import new_id
from quietshift.kernel.ops import Loaded
from quietshift.oncall.model import Oncall
from quietshift.oncall.usecases import current
from quietshift.paging import bundle_store, bundles, config, contacts, decide, store
from quietshift.paging.bundles import KINDS
from quietshift.paging.decide import Call, Found
from quietshift.paging.model import (
    Escalation,
    EscalationEvent,
    EscalationState,
    IncidentFacts,
    Ladder,
    NextStep,
    Page,
    PageEvent,
    PageState,
    Policy,
    Position,
    Stage,
    Step,
    Target,
)
from quietshift.paging.store import Rung

log = logging.getLogger("quietshift.paging")


def advance(
    tx: Tx, escalation: Escalation, due_at: datetime, now: datetime, ops: Loaded, why: str = "", *, at_once: bool = False,
    asked: bool = False,
) -> Escalation:  # fmt: skip
    """Call whoever is next. at_once: somebody, or a failure, asks for it: the last call is no reason to wait. asked: a person
    does: its pages are told by themselves."""
    steps, last_resort = people(tx, escalation.policy, now, ops)
    since = now - escalation.called_at if escalation.called_at is not None and not at_once else None
    call = decide.call(escalation.policy, escalation.position, steps, last_resort, since)
    if why:
        call = replace(call, reason=f"{why}: {call.reason}")
    return carry_out(tx, escalation, call, due_at, now, ops, asked=asked)


def carry_out(
    tx: Tx, escalation: Escalation, call: Call, due_at: datetime, now: datetime, ops: Loaded, *, asked: bool = False
) -> Escalation:
    """Open the pages of a call, send what is due of them, and say what follows."""
    state = escalation.state
    if call.event is not None:
        state = decide.escalation_after(state, call.event, what(escalation))
    _note_missed(tx, escalation, call, now)
    following = preview(tx, escalation.policy, call.next, now + call.wait, ops)
    after = replace(escalation, state=state, position=call.next, next=following)
    if not call.people:
        if call.event is None:
            note(tx, escalation, now, "waiting", "nobody is called just now", call.reason)
        elif escalation.state is not EscalationState.NOBODY:
            nobody(tx, escalation, call.reason, now)
        return after
    after = replace(after, turn=escalation.turn + 1, called_at=now)
    if state is EscalationState.EXHAUSTED and escalation.state is EscalationState.RUNNING:
        note(tx, escalation, now, "exhausted", "nobody has acknowledged in all rounds", call.reason)
        store.put_on_record(tx, now, escalation.facts, "paging.exhausted", call.reason, {"policy": escalation.policy.name})
        log.error("escalation exhausted", extra={"incident": escalation.facts.ref, "why": call.reason})
    names = ", ".join(c.user for c in call.people)
    note(tx, after, now, "paged", f"{names} called", call.reason, {"users": [c.user for c in call.people], "stage": call.stage})
    told = {"users": [c.user for c in call.people], "stage": call.stage, "turn": after.turn}
    store.put_on_record(tx, now, escalation.facts, "paging.paged", call.reason, told)
    _open_pages(tx, after, call, due_at, now, ops, asked)
    return after


def _open_pages(
    tx: Tx, escalation: Escalation, call: Call, due_at: datetime, now: datetime, ops: Loaded, asked: bool
) -> None:
    users = {candidate.user for candidate in call.people}
    for old in store.open_pages(tx, escalation.incident_id) if escalation.turn > 1 else ():
        if old.user in users:
            close(tx, old, PageEvent.SUPERSEDE, now)
    ladders = contacts.ladders(tx, users, ops=ops)
    in_policy = call.stage is Stage.STEP
    pages: list[tuple[Page, Ladder]] = []
    for candidate in call.people:
        page = Page(
            new_id(now), escalation.incident_id, candidate.user, escalation.turn, call.stage,
            call.position.step + 1 if in_policy else None, call.position.round + 1, due_at,
            f"{call.reason}: {candidate.reason}", PageState.OPEN, len(ladders[candidate.user]),
        )  # fmt: skip
        pages.append((page, ladders[candidate.user]))
    store.add_pages(tx, [page for page, _ in pages])
    for page, ladder in sorted(pages, key=lambda one: one[0].user):  # contacts are locked in one order
        rungs = [Rung(page.id, number, rule.via, due_at + rule.after) for number, rule in enumerate(ladder)]
        store.add_rungs(tx, escalation.incident_id, [rung for rung in rungs if rung.due_at > now])
        for rung in rungs:
            if rung.due_at <= now:
                bundles.offer(tx, page, rung, escalation, now, ops, asked=asked)


def close(tx: Tx, page: Page, event: PageEvent, now: datetime) -> None:
    state = decide.page_after(page.state, event, f"page {page.id}")
    if event is not PageEvent.FAIL:  # what failed has nothing left to take back
        for kind in KINDS.values():
            outbox.cancel(tx, kind, page.id)
    store.close_page(tx, page.id, state, now)
    for bundle_id in bundle_store.unsent_of(tx, page.id, list(KINDS.values())):
        for kind in KINDS.values():
            outbox.cancel(tx, kind, bundle_id)


def people(tx: Tx, policy: Policy, at: datetime, ops: Loaded) -> tuple[list[Found], Found]:
    """Whom each step, and the last resort, reaches at an instant."""
    oncall, catalog = on_call(tx, ops, at), ops.get(Catalog)
    found = [decide.resolve(step.targets, at, oncall, catalog) for step in policy.steps]
    found.append(decide.resolve(policy.last_resort, at, oncall, catalog))
    ladders = contacts.ladders(tx, (c.user for one in found for c in one.people), ops=ops)
    *steps, last_resort = [decide.reachable(one, ladders) for one in found]
    return steps, last_resort


def on_call(tx: Tx, ops: Loaded, at: datetime) -> Oncall:
    """The schedules as they stand at an instant, with the overrides that were made at run time."""
    return current(tx, ops.get(Oncall), at)


def reach(tx: Tx, found: Found, ops: Loaded) -> Found:
    return decide.reachable(found, contacts.ladders(tx, (c.user for c in found.people), ops=ops))


def preview(tx: Tx, policy: Policy, position: Position, at: datetime, ops: Loaded) -> NextStep:
    targets = decide.targets_at(policy, position)
    found = decide.resolve(targets, at, on_call(tx, ops, at), ops.get(Catalog))
    return decide.preview(targets, at, reach(tx, found, ops))


def save(tx: Tx, escalation: Escalation, now: datetime) -> None:
    store.save(tx, escalation, now)
    tx.publish(f"incident:{escalation.incident_id}")


def fresh(incident: IncidentFacts, policy: Policy, now: datetime, why: str) -> Escalation:
    return Escalation(
        incident.id, policy, incident, EscalationState.RUNNING, 0, Position(0, 0), None, None, now, None, why
    )  # fmt: skip


def resumed(escalation: Escalation, now: datetime) -> Escalation:
    """Running again, where it was stopped."""
    if escalation.running:
        return escalation
    state = decide.escalation_after(escalation.state, EscalationEvent.START, what(escalation))
    return replace(escalation, state=state, stopped_at=None, started_at=now, called_at=None)


def makeshift(incident: IncidentFacts, ops: Loaded, name: str) -> Policy:
    """A policy where there is none: everybody of the incident's owner."""
    of = owner(incident, ops)
    return Policy(name or "none", of, (Step(timedelta(), (Target.of(of),)),), repeat=3)


def owner(incident: IncidentFacts, ops: Loaded) -> Ref:
    catalog = ops.get(Catalog)
    found = catalog.find(incident.owner, "group") if incident.owner else None
    if found is not None and found.ref.kind in ("group", "user"):
        return found.ref
    return Ref("group", "default", "nobody")


def targets_of(texts: Sequence[str], ops: Loaded) -> tuple[Target, ...]:
    catalog, oncall = ops.get(Catalog), ops.get(Oncall)
    found: list[Target] = []
    for text in texts:
        try:
            target = Target.parse(text if ":" in text else f"user:{text}")
        except ValueError as error:
            raise Invalid(str(error)) from None
        known = config.find(target, catalog, oncall)
        if known is None:
            raise Invalid(config.missing(target, oncall))
        found.append(known)
    if not found:
        raise Invalid("name at least one target: user:NAME, schedule:NAME or group:NAME")
    return tuple(dict.fromkeys(found))


def _note_missed(tx: Tx, escalation: Escalation, call: Call, now: datetime) -> None:
    """What led to nobody. While nobody at all can be called, which is tried each minute, only what was not written yet."""
    written: set[tuple[str, str, str]] = set()
    if escalation.state is EscalationState.NOBODY and not call.people:
        written = {(entry.kind, entry.text, entry.why) for entry in store.log(tx, escalation.incident_id)}
    for place, missed in call.passed:
        line = (missed.kind, f"{missed.target} at {place}: nobody is called", missed.why)
        if line not in written:
            note(tx, escalation, now, *line)


def nobody(tx: Tx, escalation: Escalation, why: str, now: datetime) -> None:
    """The loudest thing this room can say."""
    note(tx, escalation, now, "nobody", "NOBODY COULD BE CALLED", why)
    store.put_on_record(tx, now, escalation.facts, "paging.nobody", why, {"policy": escalation.policy.name})
    log.critical("nobody could be called", extra={"incident": escalation.facts.ref, "why": why})


def note(
    tx: Tx, escalation: Escalation, now: datetime, kind: str, text: str, why: str, data: dict[str, object] | None = None
) -> None:
    store.note(tx, now, escalation.incident_id, kind, text, why, data)


def what(escalation: Escalation) -> str:
    return f"the escalation of {escalation.facts.ref}"

