"""The doors of other tools' events: `POST /v2/enqueue` as PagerDuty has it, and of heartbeats. A key says who asks.

A plain ASGI application, as AlertsApi. An event that was answered 202 is on disk.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from quietshift.alerts.api import Opened, Receive, Refused, Scope, Send, read_body, respond
from quietshift.alerts.model import Event, Heartbeat, Heartbeats, Inbound, Inbounds
from quietshift.alerts.wires import opsgenie, pagerduty
from quietshift.kernel.clock import Clock, rfc3339
from quietshift.kernel.errors import QuietshiftError

log = logging.getLogger("quietshift.events")
T = TypeVar("T")
PREFIX = "/v2/"
ROUTES: dict[str, dict[str, str]] = {
    "enqueue": {"POST": "Trigger, acknowledge or resolve a problem: PagerDuty's Events API v2."},
    "alerts": {"POST": "Open a problem: Opsgenie's Alert API."},
    "alerts/{alias}/acknowledge": {"POST": "Acknowledge it; with `identifierType=alias`."},
    "alerts/{alias}/close": {"POST": "Resolve it; with `identifierType=alias`."},
}
ALERTS = "alerts"
HEARTBEAT = "/heartbeat/"
BEATS = {"GET": "The heartbeat with this token is heard.", "POST": "The same, whatever is posted."}
AT_ONCE = 64  # events of one integration that may wait to be stored; the next is asked to come again
RETRY_SECONDS = "5"


class EventsApi:
    """The ASGI application. inbounds, heartbeats: those in force; ready: waits for the database."""

    def __init__(
        self, inbounds: Callable[[], Inbounds], heartbeats: Callable[[], Heartbeats], clock: Clock,
        ready: Callable[[], Awaitable[Opened]],
    ) -> None:  # fmt: skip
        self._inbounds, self._heartbeats, self._clock, self._ready = inbounds, heartbeats, clock, ready
        self._waiting: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Mapping[str, str] = {}
        try:
            status, body = await self._answer(scope, receive)
        except Refused as refused:
            status, body, headers = refused.status, _refusal(refused), refused.headers
        except pagerduty.Wrong as wrong:
            status, body = 400, pagerduty.refusal(wrong)
        except QuietshiftError as error:
            status, body, headers = 503, _told(str(error)), {"retry-after": RETRY_SECONDS}
            log.error("an event could not be stored, its sender is asked to repeat it: %s", error)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            status, body = 500, _told("internal error; the log has it")
        await respond(send, status, json.dumps(body).encode(), headers)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, Mapping[str, Any]]:
        if scope["path"].startswith(HEARTBEAT):
            return await self._beat(scope, receive)
        path = scope["path"].removeprefix(PREFIX)
        if path.rstrip("/") == ALERTS or path.startswith(f"{ALERTS}/"):
            return await self._opsgenie(scope, receive, path.removeprefix(ALERTS).removeprefix("/"))
        known = ROUTES.get(path.rstrip("/"))
        if known is None:
            raise Refused(404, f"there is no {scope['path']}")
        if scope["method"] not in known:
            raise Refused(405, f"{scope['method']} is not for {scope['path']}", allow=", ".join(known))
        too_large = Refused(413, f"an event has at most {pagerduty.MAX_BODY >> 10} KB", connection="close")
        raw = pagerduty.decode(await read_body(receive, pagerduty.MAX_BODY, too_large))
        inbound = self._inbounds().of_key(pagerduty.routing_key(raw), "pagerduty")
        if inbound is None:
            raise pagerduty.Wrong("'routing_key' is the key of no integration of type pagerduty here")
        event = pagerduty.event(raw, self._clock.now())
        await self._in_turn(inbound.name, self._take, inbound, event)
        return 202, pagerduty.answer(event.key)

    async def _opsgenie(self, scope: Scope, receive: Receive, path: str) -> tuple[int, Mapping[str, Any]]:
        if scope["method"] != "POST":
            raise Refused(405, opsgenie.refusal(f"{scope['method']} is not for {scope['path']}"), allow="POST")
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        inbound = self._inbounds().of_key(opsgenie.key_of(header.decode("latin-1")), "opsgenie")
        if inbound is None:
            told = "send the key of an integration of type opsgenie as 'Authorization: GenieKey KEY'"
            raise Refused(401, opsgenie.refusal(told))
        most = pagerduty.MAX_BODY
        too_large = Refused(413, opsgenie.refusal(f"a request has at most {most >> 10} KB"), connection="close")
        body = await read_body(receive, most, too_large)
        try:
            event = opsgenie.acted(path, scope.get("query_string", b"")) if path else opsgenie.created(body)
            if event is None:
                raise Refused(404, opsgenie.refusal(f"there is no {scope['path']}"))
            await self._in_turn(inbound.name, self._take, inbound, event)
        except pagerduty.Wrong as wrong:
            errors = {str(number): error for number, error in enumerate(wrong.errors)}
            told = "Request body is not processable. Please check the errors."
            raise Refused(422, opsgenie.refusal(told, errors)) from None
        return 202, opsgenie.answer()

    async def _beat(self, scope: Scope, receive: Receive) -> tuple[int, Mapping[str, Any]]:
        if scope["method"] not in (*BEATS, "HEAD"):
            raise Refused(405, f"{scope['method']} is not for a heartbeat", allow=", ".join(BEATS))
        heartbeat = self._heartbeats().of_token(scope["path"].removeprefix(HEARTBEAT).rstrip("/"))
        if heartbeat is None:
            raise Refused(404, "no heartbeat has this token")
        await read_body(receive, pagerduty.MAX_BODY, Refused(413, "a heartbeat needs no body", connection="close"))
        due = await self._in_turn(f"heartbeat:{heartbeat.name}", self._hear, heartbeat)
        return 200, {"status": "success", "heartbeat": heartbeat.name, "expected_by": rfc3339(due)}

    async def _in_turn(self, who: str, store: Callable[..., T], *args: Any) -> T:
        """Store what this integration or heartbeat has sent, in a thread. Raises Refused (429) where too much of it waits."""
        if self._waiting[who] >= AT_ONCE:
            busy = "too many events of this integration wait to be stored: send it again"
            raise Refused(429, busy, **{"retry-after": RETRY_SECONDS})
        self._waiting[who] += 1
        try:
            return await asyncio.to_thread(store, await self._ready(), *args)
        finally:
            self._waiting[who] -= 1

    def _hear(self, opened: Opened, heartbeat: Heartbeat) -> datetime:
        from quietshift.alerts import heartbeats

        try:
            with opened.db.write() as tx:
                return heartbeats.beat(opened.use, tx, heartbeat, self._clock.now())
        except Exception:
            opened.use.hot.invalidate()
            raise

    def _take(self, opened: Opened, inbound: Inbound, event: Event) -> None:
        from quietshift.alerts import events

        try:
            with opened.db.write() as tx:
                events.take(opened.use, tx, inbound.name, inbound.service, event, self._clock.now())
        except ValueError as error:
            raise pagerduty.Wrong(str(error)) from None
        except Exception:
            opened.use.hot.invalidate()  # what was taken over may not be on disk
            raise


def _refusal(refused: Refused) -> Mapping[str, Any]:
    return refused.body if isinstance(refused.body, Mapping) else _told(refused.body)


def _told(message: str) -> Mapping[str, Any]:
    return {"status": "error", "message": message, "errors": [message]}
