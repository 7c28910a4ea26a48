"""Acknowledging at once what one message told of: a row says who has it all, and the engine acknowledges each, some at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quietshift.incidents import store, usecases
from quietshift.kernel import journal, timers
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import NotFound
from quietshift.kernel.timers import Timer
from quietshift.paging import bundle_store
from quietshift.paging.bundle_store import Bundle

ACKNOWLEDGE = "incidents.acknowledge_bundle"  # timer kind; subject: the bundle's id
SLICE = 20  # acknowledged in one transaction: alerts and pages wait for it


@dataclass(frozen=True)
class Progress:
    """How far a bundle is. left: incidents of it that nobody has, oldest first; by: who is being given them all, or nothing."""

    bundle: Bundle
    left: tuple[int, ...]
    by: str = ""


def progress(tx: Tx, bundle_id: str) -> Progress:
    """How far a bundle is. Raises NotFound."""
    bundle = bundle_store.get(tx, bundle_id)
    if bundle is None:
        raise NotFound(f"there is no message {bundle_id!r} that told of many incidents")
    timer = timers.get(tx, ACKNOWLEDGE, bundle_id)
    left = store.triggered_in(tx, bundle_store.incident_ids(bundle_id))
    return Progress(bundle, tuple(left), timer.payload["by"] if timer else "")


def acknowledge(tx: Tx, bundle_id: str, actor: str, now: datetime) -> Progress:
    """Somebody has all that this message told of and nobody has yet: each is acknowledged as any other, and journaled, from
    the transaction's end on. Raises NotFound."""
    before = progress(tx, bundle_id)
    if not before.left or before.by:
        return before
    timers.schedule(tx, ACKNOWLEDGE, bundle_id, now, now, {"by": actor, "after": 0})
    told = {"incidents": len(before.left), "policy": before.bundle.policy}
    why = "all of them, by the link in the message"
    journal.append(tx, now, actor, "page.bundle_acknowledged", f"bundle:{bundle_id}", why, told)
    return Progress(before.bundle, before.left, actor)


def as_json(progress: Progress) -> dict[str, Any]:
    """How far a bundle is, as its acknowledge link answers."""
    b = progress.bundle
    return {"bundle": b.id, "policy": b.policy, "count": b.pages, "left": len(progress.left), "acknowledging": bool(progress.by)}


def go_on(tx: Tx, timer: Timer, now: datetime) -> None:
    """Handler of `incidents.acknowledge_bundle`: the next few. What somebody has taken or resolved meanwhile stays theirs."""
    wanted = bundle_store.incident_ids(timer.subject)
    some = store.triggered_in(tx, wanted, after=timer.payload["after"], limit=SLICE)
    for number in some:
        usecases.acknowledge(tx, number, timer.payload["by"], now, why="with all that the message told of")
    tx.publish(f"bundle:{timer.subject}")
    if len(some) == SLICE:
        timers.schedule(tx, ACKNOWLEDGE, timer.subject, now, now, {**timer.payload, "after": some[-1]})
