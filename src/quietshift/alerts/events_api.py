"""The doors of other tools' events: PagerDuty's, Opsgenie's, webhooks, and of heartbeats. A key says who asks.

A plain ASGI application, as AlertsApi. What was answered 2xx is on disk. Keys and tokens that stand in a path are never logged.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from quietshift.alerts.api import Opened, Receive, Refused, Scope, Send, respond
from quietshift.alerts.opsgenie_api import OpsgenieDoor
from quietshift.alerts.sources import Event, Heartbeats, Inbound, Inbounds
from quietshift.alerts.turns import RETRY_SECONDS, Request, Turns
from quietshift.alerts.wires import grouped, pagerduty
from quietshift.alerts.wires.reading import Wrong, decode_object
from quietshift.kernel.clock import Clock, rfc3339
from quietshift.kernel.errors import QuietshiftError

if TYPE_CHECKING:
    from quietshift.kernel.db import Tx

log = logging.getLogger("quietshift.events")
MAX_EVENT = 512 << 10
MAX_WEBHOOK = 4 << 20  # a group of some thousand alerts
PAGERDUTY, HEARTBEAT, WEBHOOK = "/v2/", "/heartbeat/", "/in"
WEBHOOKS = ("alertmanager", "grafana", "json")
ROUTES: dict[str, dict[str, str]] = {
    "/v2/enqueue": {"POST": "Trigger, acknowledge or resolve a problem: PagerDuty's Events API v2."},
    "/v2/change/enqueue": {"POST": "Tell of a change; it wakes nobody: PagerDuty's change events."},
    **OpsgenieDoor.ROUTES,
    "/in": {"POST": "A webhook of Alertmanager or Grafana, or JSON by a mapping; the key as bearer token or as password."},
    "/in/{key}": {"POST": "The same, for tools that can send no header."},
    "/heartbeat/{token}": {
        "GET": "The heartbeat with this token is heard.",
        "POST": "The same, whatever is posted, but for a webhook of Alertmanager or Grafana in which nothing fires.",
    },
}


def is_ours(path: str) -> bool:
    """Whether a request for this path is answered here."""
    return path.startswith((PAGERDUTY, HEARTBEAT, f"{WEBHOOK}/")) or path == WEBHOOK


class EventsApi:
    """The ASGI application. inbounds, heartbeats: those in force; ready: waits for the database."""

    def __init__(
        self, inbounds: Callable[[], Inbounds], heartbeats: Callable[[], Heartbeats], clock: Clock,
        ready: Callable[[], Awaitable[Opened]],
    ) -> None:  # fmt: skip
        self._inbounds, self._heartbeats, self._turns = inbounds, heartbeats, Turns(clock, ready)
        self._opsgenie = OpsgenieDoor(inbounds, heartbeats, self._turns)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        opsgenie = self._opsgenie if self._opsgenie.knows(request.path) else None
        answer = opsgenie.answer if opsgenie else self._answer
        refuse: Callable[[int, str], Mapping[str, Any]] = opsgenie.refuse if opsgenie else _refuse
        headers: Mapping[str, str] = {}
        try:
            status, body = await answer(request)
        except Refused as refused:
            status, headers = refused.status, refused.headers
            body = refused.body if isinstance(refused.body, Mapping) else refuse(status, refused.body)
        except QuietshiftError as error:
            status, headers = 503, {"retry-after": RETRY_SECONDS}
            body = refuse(status, str(error))
            log.error("what a tool sent could not be stored, it is asked to repeat it: %s", error)
        except Exception:
            log.exception("%s below %s failed", request.method, request.path[: request.path.find("/", 1) + 1])
            status, body = 500, refuse(500, "internal error; the log has it")
        await respond(send, status, b"" if request.method == "HEAD" else json.dumps(body).encode(), headers)

    async def _answer(self, request: Request) -> tuple[int, Mapping[str, Any]]:
        path = request.path
        if path.startswith(HEARTBEAT):
            return await self._beat(request)
        try:
            if path == WEBHOOK or path.startswith(f"{WEBHOOK}/"):
                return await self._webhook(request)
            door = {"enqueue": self._enqueue, "change/enqueue": self._change}.get(path.removeprefix(PAGERDUTY).rstrip("/"))
            if door is None:
                raise Refused(404, f"there is no {path}")
            request.allow("POST")
            raw = decode_object(await request.body(MAX_EVENT))
            inbound = self._inbounds().of_key(pagerduty.routing_key(raw), "pagerduty")
            if inbound is None:
                raise Wrong("'routing_key' is the key of no integration of type pagerduty here")
            self._turns.count(inbound)
            return await door(inbound, raw)
        except Wrong as wrong:
            raise Refused(400, pagerduty.refusal(wrong)) from None

    async def _enqueue(self, inbound: Inbound, raw: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        event = pagerduty.event(raw, self._turns.clock.now())
        await self._take(inbound, [event])
        return 202, pagerduty.answer(event.key)

    async def _change(self, inbound: Inbound, raw: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        change = pagerduty.change(raw, inbound.service, inbound.name, self._turns.clock.now())

        def keep(_opened: Opened, tx: Tx) -> None:
            from quietshift.alerts import event_store

            event_store.add_change(tx, change)

        await self._turns.write(inbound.name, keep)
        return 202, pagerduty.change_answer()

    async def _webhook(self, request: Request) -> tuple[int, Mapping[str, Any]]:
        request.allow("POST")
        key = request.path.removeprefix(WEBHOOK).strip("/") or request.key()
        inbound = self._inbounds().of_key(key, *WEBHOOKS)
        if inbound is None:
            told = "send the key of an integration of type " + ", ".join(WEBHOOKS) + ": as /in/KEY, bearer token or password"
            raise Refused(401, told, **{"www-authenticate": "Bearer"})
        self._turns.count(inbound)
        events = read_webhook(inbound, await request.body(MAX_WEBHOOK), self._turns.clock)
        await self._take(inbound, events)
        return 202, {"status": "success", "message": f"{len(events)} events processed"}

    async def _take(self, inbound: Inbound, events: list[Event]) -> None:
        def take(opened: Opened, tx: Tx) -> None:
            from quietshift.alerts.events import take

            try:
                take(opened.use, tx, inbound.name, inbound.service, events, self._turns.clock.now())
            except ValueError as error:
                raise Wrong(str(error)) from None

        if events:
            await self._turns.write(inbound.name, take)

    async def _beat(self, request: Request) -> tuple[int, Mapping[str, Any]]:
        request.allow("GET", "POST", "HEAD")
        heartbeat = self._heartbeats().of_token(request.path.removeprefix(HEARTBEAT).rstrip("/"))
        if heartbeat is None:
            raise Refused(404, "no heartbeat has this token")
        if not grouped.beats(await request.body(MAX_WEBHOOK)):
            told = "nothing fires in this message: it is no sign of life"
            return 200, {"status": "ignored", "heartbeat": heartbeat.name, "message": told}

        def hear(opened: Opened, tx: Tx) -> str:
            from quietshift.alerts import heartbeats

            return rfc3339(heartbeats.beat(opened.use, tx, heartbeat, self._turns.clock.now()))

        due = await self._turns.write(f"heartbeat:{heartbeat.name}", hear)
        return 200, {"status": "success", "heartbeat": heartbeat.name, "expected_by": due}


def read_webhook(inbound: Inbound, body: bytes, clock: Clock) -> list[Event]:
    """What a webhook of this integration's type asks for. Raises Wrong."""
    now = clock.now()
    if inbound.type != "json":
        return grouped.events(body, now, version=grouped.VERSION if inbound.type == "alertmanager" else "")
    from quietshift.alerts.wires import mapped

    assert inbound.mapping is not None  # the directory is not taken without it
    return mapped.events(body, inbound.mapping, now)


def _refuse(status: int, message: str) -> Mapping[str, Any]:
    return {"status": "throttle exceeded" if status == 429 else "error", "message": message, "errors": [message]}
