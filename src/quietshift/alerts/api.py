"""The door of Alertmanager's API v2: `/api/v2/...` as a plain ASGI application.

It answers `/api/v2/status` and `/receivers` before the database is open; a request that needs it waits until it is.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from quietshift import __version__
from quietshift.alerts.matchers import Matchers, filter_matches, parse_matcher
from quietshift.alerts.model import AlertsConfig, SilenceState
from quietshift.alerts.wires import alertmanager as wire
from quietshift.kernel.clock import Clock
from quietshift.kernel.errors import NotFound, QuietshiftError, Unavailable

if TYPE_CHECKING:
    from quietshift.alerts.intake import Intake
    from quietshift.alerts.usecases import Alerting
    from quietshift.kernel.db import Database, Tx

log = logging.getLogger("quietshift.alerts")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Gate = Callable[[Scope, str], Awaitable[str]]
"""Tells who asks, for the journal ("token:ci"), given what is needed: ingest, read or respond. Raises QuietshiftError."""

PREFIX = "/api/v2/"
AS_ALERTMANAGER = "0.25.0"
MAX_BODY = 8 << 20
LONG_BODY = 256 << 10  # some 500 alerts: reading more than that keeps others waiting, and is done in a thread
LONG_SILENCE = 64 << 10  # octets of JSON: more than any list of conditions that a person means
PATIENCE = 30.0  # seconds that a request waits for the database to be opened
STORED_WITHIN = 5.0  # seconds that a sender waits for a database that does not answer; Prometheus gives up after 10
HANGS = f"the database has not answered for {STORED_WITHIN:.0f} seconds: send it again"
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_TRUE = {"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"}  # as Alertmanager reads booleans


class Refused(Exception):
    """A request that is answered with a status and a body (empty: none), and nothing done."""

    def __init__(self, status: int, body: str | Mapping[str, Any], **headers: str) -> None:
        self.status, self.body, self.headers = status, body, headers


@dataclass(frozen=True)
class Cluster:
    """What `/status` says of the members. name, address: ours; members: name and address of each that is up, ours among them;
    none while that is not known."""

    name: str
    address: str
    members: Callable[[], Sequence[tuple[str, str]]]


@dataclass(frozen=True)
class SilenceLimits:
    """How many silences there may be, and how many octets long each as JSON; 0 for any."""

    number: int = 0
    octets: int = 0


@dataclass(frozen=True)
class Opened:
    """What is there once the database is."""

    db: Database
    use: Alerting
    intake: Intake


async def anybody(_scope: Scope, _needed: str) -> str:
    """The gate of `quietshift alertmanager`: as open as Alertmanager."""
    return "anonymous"


class AlertsApi:
    """The ASGI application. config: the one in force; gate: who may do what."""

    def __init__(
        self, config: Callable[[], AlertsConfig], clock: Clock, gate: Gate = anybody, cluster: Cluster | None = None,
        limits: SilenceLimits = SilenceLimits(octets=LONG_SILENCE),
    ) -> None:  # fmt: skip
        self._config, self._clock, self._gate, self._cluster, self._limits = config, clock, gate, cluster, limits
        self.started = clock.now()
        self._opened: Opened | None = None
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._late: set[asyncio.Future[Any]] = set()  # requests answered 503: the database did not answer, and does not yet

    def open(self, opened: Opened) -> None:
        """The database is there; from any thread."""
        self._opened = opened
        waiters, self._waiters = self._waiters, []
        for loop, waiter in waiters:
            loop.call_soon_threadsafe(_resolve, waiter, None)

    async def ready(self) -> Opened:
        """What is there once the database is open; waits for it. Raises Refused (503) where that takes too long."""
        if self._opened is None:
            loop = asyncio.get_running_loop()
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.append((loop, waiter))
            if self._opened is None:  # it was not opened between the two lines
                try:
                    await asyncio.wait_for(waiter, PATIENCE)
                except TimeoutError:
                    raise Refused(503, "the database is not open yet: send it again") from None
        assert self._opened is not None
        return self._opened

    # -- requests --------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Mapping[str, str] = {}
        try:
            status, body = await self._answer(scope, receive)
        except Refused as refused:
            status, headers = refused.status, refused.headers
            body = wire.encode(refused.body) if refused.body else b""
        except NotFound as error:
            status, body = 404, wire.encode(str(error))
        except QuietshiftError as error:
            status, body = error.status, wire.encode(str(error))
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            status, body = 500, wire.encode("internal error; the log has it")
        await respond(send, status, body, headers)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        path: str = scope["path"].removeprefix(PREFIX)
        method: str = scope["method"]
        silence_id = path.removeprefix("silence/") if path.startswith("silence/") else ""
        known = ROUTES.get("silence/" if silence_id else path.rstrip("/"))
        if known is None or "/" in silence_id:
            raise Refused(404, {"code": 404, "message": f"path {scope['path']} was not found"})
        if method not in known:
            allowed = ",".join(known)
            message = f"method {method} is not allowed, but [{allowed}] are"
            raise Refused(405, {"code": 405, "message": message}, allow=allowed)
        name, needed = known[method]
        actor = await self._gate(scope, needed)
        if silence_id and not _UUID.fullmatch(silence_id):
            raise Refused(422, {"code": 601, "message": f'silenceID in path must be of type uuid: "{silence_id}"'})
        if name == "post_alerts":
            return await self._post_alerts(await _body(scope, receive))
        if name == "get_status":
            return 200, wire.encode(self._status())
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if name == "get_receivers":
            wanted = _labelled(query)
            return 200, wire.encode([{"name": receiver} for receiver in self._config().receivers if wanted])
        opened = await self.ready()
        now = self._clock.now()
        if name == "post_silences":
            body = await _body(scope, receive)
            posted, most = _asked(wire.decode_silence, body), self._limits
            if most.octets and len(body) > most.octets:
                raise Refused(400, f"the silence is {len(body)} octets long: at most {most.octets} are allowed")
            return await asyncio.to_thread(_set_silence, opened, posted, actor, now, most.number)
        if name == "delete_silence":
            return await asyncio.to_thread(_expire_silence, opened, silence_id, actor, now)
        return await asyncio.to_thread(_read, name, opened, query, silence_id, now)

    async def _post_alerts(self, body: bytes) -> tuple[int, bytes]:
        now = self._clock.now()  # when it was received, however long it has to wait
        opened = await self.ready()
        if len(body) <= LONG_BODY:
            reports, errors = self._absorb(opened, body, now)
        else:
            reports, errors = await asyncio.to_thread(self._absorb, opened, body, now)
        if reports:
            problem = await self._stored(opened, reports)
            if problem is not None:
                raise Refused(503, str(problem))
        if errors:
            return 400, wire.encode("; ".join(errors[:20]) + (f"; and {len(errors) - 20} more" if len(errors) > 20 else ""))
        return 200, b""

    async def _stored(self, opened: Opened, reports: Sequence[wire.Reported]) -> QuietshiftError | None:
        """None, or why they are not stored. A database that hangs keeps one sender waiting for a moment, and then none: who
        is sent away comes again. What it then stores after all was answered 503, and is reported twice at worst."""
        if self._late:
            return self._unheard(opened)
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[QuietshiftError | None] = loop.create_future()

        def answered(problem: QuietshiftError | None) -> None:
            if stored in self._late:
                self._late.discard(stored)
                self._unheard(opened)
            _resolve(stored, problem)

        def give_up() -> None:
            self._late.add(stored)
            _resolve(stored, self._unheard(opened))

        deadline = loop.call_later(STORED_WITHIN, give_up)
        opened.intake.submit(reports, lambda problem: _tell(loop, answered, problem))
        try:
            return await stored
        finally:
            deadline.cancel()

    def _unheard(self, opened: Opened) -> Unavailable:
        """Senders are sent away: until now their silence means nothing."""
        opened.use.heard_since = self._clock.now()
        return Unavailable(HANGS)

    def _absorb(self, opened: Opened, body: bytes, now: datetime) -> tuple[list[wire.Reported], list[str]]:
        return opened.use.hot.absorb(_asked(wire.decode, body), now, self._config().resolve_timeout)

    def _status(self) -> dict[str, Any]:
        cluster: dict[str, Any] = {"peers": [], "status": "disabled"}
        if self._cluster is not None:
            members = self._cluster.members()
            shown = sorted(members) or [(self._cluster.name, self._cluster.address)]
            peers = [{"address": address, "name": name} for name, address in shown]
            cluster = {"name": self._cluster.name, "peers": peers, "status": "ready" if members else "settling"}
        return {
            "cluster": cluster,
            "config": {"original": self._config().original},
            "uptime": wire.millis(self.started),
            "versionInfo": {  # version: of Alertmanager, whose API this is; tools compare and parse it
                "branch": "quietshift", "buildDate": "", "buildUser": "", "goVersion": "",
                "revision": f"quietshift {__version__}", "version": AS_ALERTMANAGER,
            },
        }  # fmt: skip


ROUTES: dict[str, dict[str, tuple[str, str]]] = {
    "alerts": {"GET": ("get_alerts", "read"), "POST": ("post_alerts", "ingest")},
    "alerts/groups": {"GET": ("get_groups", "read")},
    "status": {"GET": ("get_status", "read")},
    "receivers": {"GET": ("get_receivers", "read")},
    "silences": {"GET": ("get_silences", "read"), "POST": ("post_silences", "respond")},
    "silence/": {"GET": ("get_silence", "read"), "DELETE": ("delete_silence", "respond")},
}


# -- in a thread ---------------------------------------------------------------------------------------------------------


def _read(name: str, opened: Opened, query: Mapping[str, list[str]], silence_id: str, now: datetime) -> tuple[int, bytes]:
    from quietshift.alerts import queries

    use = opened.use
    conditions = _matchers(query.get("filter", []))
    with opened.db.read() as tx:
        if name == "get_silences":
            states = {state for state in SilenceState if _flag(query, state)}
            return 200, wire.encode(queries.listed_silences(tx, conditions, now, states))
        if name == "get_silence":
            silence = queries.silence(tx, silence_id)
            if silence is None:
                raise Refused(404, "")
            return 200, wire.encode(wire.silence_answer(silence, now))
        receiver = query.get("receiver", [""])[-1] or None
        flags = {flag: _flag(query, flag) for flag in ("active", "silenced", "inhibited", "muted")}
        wanted = queries.Wanted(conditions, receiver, **flags)
        if not _labelled(query):
            return 200, wire.encode([])
        try:
            wanted.receiver_fits()
        except ValueError as error:
            raise Refused(400, f"failed to parse receiver param: {error}") from None
        ask: Callable[[Alerting, Tx, queries.Wanted, datetime], Sequence[Any]]
        ask = queries.listed_alerts if name == "get_alerts" else queries.listed_groups
        return 200, wire.encode(ask(use, tx, wanted, now))


def _set_silence(opened: Opened, posted: Any, actor: str, now: datetime, most: int) -> tuple[int, bytes]:
    from quietshift.alerts.usecases import set_silence

    with opened.db.write() as tx:
        if most and not posted.id and tx.run("SELECT count(*) FROM silences") >= [(most,)]:
            raise Refused(400, f"there are {most} silences, expired ones among them, and no more are allowed")
        silence_id = set_silence(tx, posted, actor, now, notice=opened.use.silence_notice)
    return 200, wire.encode({"silenceID": silence_id})


def _expire_silence(opened: Opened, silence_id: str, actor: str, now: datetime) -> tuple[int, bytes]:
    from quietshift.alerts.usecases import expire_silence

    with opened.db.write() as tx:
        try:
            expire_silence(tx, silence_id, actor, now)
        except NotFound:
            raise Refused(404, "") from None
    return 200, b""


def _flag(query: Mapping[str, list[str]], name: str) -> bool:
    return (query.get(name, [""])[-1].lower() or "true") in _TRUE


def _labelled(query: Mapping[str, list[str]]) -> bool:
    """Whether receivers pass the `receiver_matchers` of newer tools: they have no labels here."""
    return filter_matches(_matchers(query.get("receiver_matchers", [])), {})


def _matchers(filters: Sequence[str]) -> Matchers:
    try:
        return tuple(map(parse_matcher, filters))
    except ValueError as error:
        raise Refused(400, str(error)) from None


# -- the wire ------------------------------------------------------------------------------------------------------------


def _asked(parse: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return parse(body)
    except wire.Unfit as error:
        raise Refused(422, {"code": error.code, "message": str(error)}) from None
    except ValueError as error:
        raise Refused(400, str(error)) from None


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Refuses what is no JSON, is packed, or is too large."""
    for name, value in scope["headers"]:
        if name == b"content-type" and value.split(b";")[0].strip().lower() not in (b"application/json", b""):
            message = f"unsupported media type {value.decode('latin-1')!r}, only [application/json] are allowed"
            raise Refused(415, {"code": 415, "message": message})
        if name == b"content-encoding" and value.lower() not in (b"identity", b""):
            raise Refused(415, {"code": 415, "message": f"unsupported content encoding {value.decode('latin-1')!r}"})
    too_large = Refused(413, f"the body is larger than {MAX_BODY >> 20} MiB: send fewer alerts at once", connection="close")
    return await read_body(receive, MAX_BODY, too_large)


async def read_body(receive: Receive, most: int, too_large: Refused) -> bytes:
    """The whole body; raises too_large where it has more than `most` octets."""
    chunks: list[bytes] = []
    size = 0
    while True:
        part = await receive()
        if part["type"] != "http.request":
            raise Refused(400, "the request was not sent to its end")
        chunks.append(part.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            raise too_large
        if not part.get("more_body"):
            return b"".join(chunks)


def _tell(loop: asyncio.AbstractEventLoop, answered: Callable[[Any], None], problem: QuietshiftError | None) -> None:
    try:
        loop.call_soon_threadsafe(answered, problem)
    except RuntimeError:
        log.debug("the loop is closed; nobody waits for this answer")


def _resolve(waiter: asyncio.Future[Any], value: Any) -> None:
    if not waiter.done():
        waiter.set_result(value)


async def respond(send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    """Send a whole answer, JSON where it has a body."""
    pairs = [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    if body:
        pairs.append((b"content-type", b"application/json"))
    pairs += [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
