"""Opsgenie's door: its Alert API, with what becomes of a request, and its heartbeats' ping."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar

from quietshift.alerts.api import Opened, Refused
from quietshift.alerts.sources import Event, Heartbeats, Inbound, Inbounds
from quietshift.alerts.turns import Request, Turns
from quietshift.alerts.wires import opsgenie as wire
from quietshift.alerts.wires.opsgenie import Named, Processed
from quietshift.alerts.wires.reading import Wrong

if TYPE_CHECKING:
    from quietshift.kernel.db import Tx

MAX_BODY = 512 << 10
ALERTS, HEARTBEATS, REQUESTS = "/v2/alerts", "/v2/heartbeats/", "requests/"
PINGS = ("GET", "POST", "PUT", "PATCH")
UNPROCESSABLE = "Request body is not processable. Please check the errors."
_began: ContextVar[tuple[str, float]] = ContextVar("quietshift_opsgenie", default=("", 0.0))


class OpsgenieDoor:
    """Answers what stands below `/v2/alerts` and `/v2/heartbeats`."""

    ROUTES: ClassVar[dict[str, dict[str, str]]] = {
        "/v2/alerts": {"POST": "Open a problem: Opsgenie's Alert API."},
        "/v2/alerts/{identifier}": {"GET": "An open problem; `identifierType` is `id`, `tiny` or `alias`."},
        "/v2/alerts/{identifier}/acknowledge": {"POST": "Acknowledge it."},
        "/v2/alerts/{identifier}/close": {"POST": "Resolve it."},
        "/v2/alerts/requests/{requestId}": {"GET": "What became of a request."},
        "/v2/heartbeats/{name}/ping": {
            method: f"{'The heartbeat of this name is heard' if method == 'GET' else 'The same'}: Opsgenie's Heartbeat API."
            for method in PINGS
        },
    }

    def __init__(self, inbounds: Callable[[], Inbounds], heartbeats: Callable[[], Heartbeats], turns: Turns) -> None:
        self._inbounds, self._heartbeats, self._turns = inbounds, heartbeats, turns

    @staticmethod
    def knows(path: str) -> bool:
        """Whether this door answers it."""
        return path == ALERTS or path.startswith((f"{ALERTS}/", HEARTBEATS))

    async def answer(self, request: Request) -> tuple[int, Mapping[str, Any]]:
        """Status and body. Raises Refused."""
        _began.set((str(uuid.uuid4()), time.monotonic()))
        inbound = self._inbounds().of_key(wire.key_of(request.header(b"authorization")), "opsgenie")
        if inbound is None:
            raise Refused(401, "send the key of an integration of type opsgenie as 'Authorization: GenieKey KEY'")
        self._turns.count(inbound)
        try:
            if request.path.startswith(HEARTBEATS):
                return await self._ping(inbound, request)
            return await self._alerts(inbound, request, request.path.removeprefix(ALERTS).strip("/"))
        except Wrong as wrong:
            errors = {fault.place or "body": str(fault) for fault in wrong.faults}
            raise Refused(422, self._told({"message": UNPROCESSABLE, "errors": errors})) from None

    def refuse(self, _status: int, message: str) -> Mapping[str, Any]:
        """The body of what is not done."""
        return self._told({"message": message})

    @staticmethod
    def _told(said: Mapping[str, Any]) -> dict[str, Any]:
        request_id, began = _began.get()
        return {**said, "took": round(time.monotonic() - began, 3), "requestId": request_id}

    async def _alerts(self, inbound: Inbound, request: Request, path: str) -> tuple[int, Mapping[str, Any]]:
        if not path:
            request.allow("POST")
            return await self._do(inbound, wire.created(await request.body(MAX_BODY)), None)
        if path.startswith(REQUESTS):
            request.allow("GET")
            return await self._request(inbound, path.removeprefix(REQUESTS))
        name, _, verb = path.rpartition("/")
        if name and verb in wire.ACTS:
            request.allow("POST")
            await request.body(MAX_BODY)  # who asks and a note: the timeline has the integration's name
            return await self._do(inbound, Event(wire.ACTS[verb], ""), wire.named(name, request.query))
        if request.method != "GET":
            raise Refused(404, f"there is no {request.method} of this address here")
        return await self._alert(inbound, wire.named(path, request.query))

    async def _do(self, inbound: Inbound, event: Event, named: Named | None) -> tuple[int, Mapping[str, Any]]:
        """named: the alert meant; None: the event opens one by its key."""
        request_id, _ = _began.get()

        def work(opened: Opened, tx: Tx) -> None:
            from quietshift.alerts import opsgenie_desk

            try:
                opsgenie_desk.do(opened.use, tx, inbound, event, named, request_id, self._turns.clock.now())
            except ValueError as error:
                raise Wrong(str(error)) from None

        await self._turns.write(inbound.name, work)
        return 202, self._told({"result": wire.TAKEN})

    async def _request(self, inbound: Inbound, request_id: str) -> tuple[int, Mapping[str, Any]]:
        def work(_opened: Opened, tx: Tx) -> Processed | None:
            from quietshift.alerts import event_store

            return event_store.request(tx, inbound.name, request_id)

        found = await self._turns.read(inbound.name, work)
        if found is None:
            raise Refused(404, "no request of this integration has this requestId, or it is older than a day")
        return 200, self._told({"data": wire.processed(found)})

    async def _alert(self, inbound: Inbound, named: Named) -> tuple[int, Mapping[str, Any]]:
        def work(opened: Opened, tx: Tx) -> dict[str, Any] | None:
            from quietshift.alerts import opsgenie_desk

            return opsgenie_desk.shown(opened.use, tx, inbound.name, named)

        shown = await self._turns.read(inbound.name, work)
        if shown is None:
            raise Refused(404, f"no open alert of this integration has this {named.kind}")
        return 200, self._told({"data": shown})

    async def _ping(self, inbound: Inbound, request: Request) -> tuple[int, Mapping[str, Any]]:
        name, _, verb = request.path.removeprefix(HEARTBEATS).rstrip("/").rpartition("/")
        if verb != "ping":
            raise Refused(404, f"there is no {request.path}")
        request.allow(*PINGS)
        heartbeat = self._heartbeats().by_name.get(name)
        if heartbeat is None or heartbeat.service != inbound.service:
            raise Refused(404, f"no heartbeat of service {inbound.service} has this name")
        await request.body(MAX_BODY)

        def hear(opened: Opened, tx: Tx) -> None:
            from quietshift.alerts import heartbeats

            heartbeats.beat(opened.use, tx, heartbeat, self._turns.clock.now())

        await self._turns.write(f"heartbeat:{name}", hear)
        return 202, self._told({"result": wire.HEARD})
