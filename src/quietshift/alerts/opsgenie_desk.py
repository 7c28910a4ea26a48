"""What is done for Opsgenie's API: which alert is meant, do it, remember what became of the request."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from quietshift.alerts import event_store, events, store
from quietshift.alerts.event_store import OpenEvent
from quietshift.alerts.labels import identity
from quietshift.alerts.sources import Event, Inbound
from quietshift.alerts.usecases import Alerting
from quietshift.alerts.wires import opsgenie as wire
from quietshift.alerts.wires.opsgenie import Ids, Named, Processed
from quietshift.kernel.db import Tx


def do(
    use: Alerting, tx: Tx, inbound: Inbound, event: Event, named: Named | None, request_id: str, now: datetime
) -> None:
    """Do what a request asks for, and remember what became of it. named: the alert meant; None: the event has its key.

    Raises ValueError for labels that cannot be any.
    """
    store.take_turn(tx)
    problem = _problem(tx, inbound.name, named) if named is not None else None
    if named is not None:
        event = msgspec.structs.replace(event, key=problem.labels["dedup_key"] if problem is not None else named.name)
    status = "Alert does not exist: nothing was done"
    if named is None or problem is not None:
        (told,) = events.take(use, tx, inbound.name, inbound.service, [event], now)
        status = {"opened": "Created alert", "is open already": "Alert is open already"}.get(told, told.capitalize())
        problem = problem or event_store.get(tx, inbound.name, event.key)
    done = Processed(
        request_id, inbound.name, now, wire.WORDS[event.act], status, problem is not None,
        _ids(problem).long if problem is not None else "", event.key.replace("\0", ""),
    )  # fmt: skip
    event_store.add_request(tx, done)


def shown(use: Alerting, tx: Tx, source: str, named: Named) -> dict[str, Any] | None:
    """The open alert of this integration that a request means, as Opsgenie shows it."""
    problem = _problem(tx, source, named)
    if problem is None:
        return None
    of = identity(problem.labels)
    known = use.hot.known([of]) if use.hot.enabled and not use.hot.stale else store.alerts_by_digest(tx, {of})
    return wire.shown(known[of], _ids(problem), source, problem.opened_at) if of in known else None


def _ids(problem: OpenEvent) -> Ids:
    return wire.ids(problem.source, problem.digest, problem.opened_at)


def _problem(tx: Tx, source: str, named: Named) -> OpenEvent | None:
    if named.kind == "alias":
        return event_store.get(tx, source, named.name)
    for problem in event_store.of_source(tx, source):
        if named.name == (_ids(problem).tiny if named.kind == "tiny" else _ids(problem).long):
            return problem
    return None
