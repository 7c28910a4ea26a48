"""The server: one socket, one event loop at the edge, threads behind it.

Start is a feature: it listens and answers `/api/v2/status` before the database is open. What needs the database waits until
it is, what needs the web stack (FastAPI, Jinja) is loaded with the first request for it, or right after the start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import uvicorn

from quietshift.alerts.events_api import is_ours
from quietshift.app import gone
from quietshift.app.protocol import BoundedHttp
from quietshift.kernel.clock import Clock
from quietshift.kernel.errors import ConfigError, Problem, QuietshiftError
from quietshift.kernel.ops import OpsHolder
from quietshift.kernel.settings import Settings

if TYPE_CHECKING:
    from types import FrameType

    from quietshift.app.wire import App

log = logging.getLogger("quietshift.server")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]
EXAMINED_WITHIN = 3.0  # seconds that a probe waits for a database that does not answer
SWITCH = 0.0005  # seconds (Python's own: 0.005): a thread that has an answer from disk or net waits so long for one that computes
ENGINE_FIRST = 5.0  # seconds at most that the web stack is not loaded, where nobody asks for it


class Server:
    """The outermost ASGI application: alerts, health and metrics itself, everything else by the web application.

    alerts: the ASGI application of `/api/v2`, which answers what it can before the database is open. open_app: opens
    and starts everything else; runs in a thread. eager: load the web stack right after the start. web: something in its place.
    events: the ASGI application of other tools' events.
    """

    def __init__(
        self, settings: Settings, holder: OpsHolder, alerts: ASGI, open_app: Callable[[], App], *,
        prefix: str = "", eager: bool = True, web: ASGI | None = None, events: ASGI | None = None,
    ) -> None:  # fmt: skip
        self.settings, self.holder, self.alerts, self.events, self._open_app = settings, holder, alerts, events, open_app
        self.prefix, self._eager = prefix.rstrip("/"), eager
        self.app: App | None = None
        self._web = web
        self._web_lock = threading.Lock()
        self._opened: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._without_web = False
        self._examining: asyncio.Task[list[str]] | None = None
        self.on_failure: Callable[[], None] = lambda: None

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the database and everything on it, in a thread; returns at once."""
        self._opened = asyncio.Event()
        loop = asyncio.get_running_loop()

        def work() -> None:
            try:
                self.app = self._open_app()
                log.info("ready", extra={"url": self.settings.base_url})
            except BaseException as error:
                self._failure = error
                loop.call_soon_threadsafe(self.on_failure)
                return
            loop.call_soon_threadsafe(self._opened.set)  # type: ignore[union-attr]  # set a few lines above
            if self._eager:
                self._engine_first()
                self._load_web()

        threading.Thread(target=work, name="qs-open", daemon=True).start()

    def close_streams(self) -> None:
        """End the open pages' live streams, which would else keep the server from ending. On the event loop's thread."""
        streams = getattr(getattr(self._web, "state", None), "streams", None)
        if streams is not None:
            streams.close()

    def _load_web(self) -> None:
        try:
            self.web()
        except Exception:  # alerts and pages go on without it; `/-/healthy` says so
            self._without_web = True
            log.exception("the web interface cannot be loaded")

    def _engine_first(self) -> None:
        """What was due while nobody ran is sent and recorded before the web stack takes the processor for a second. Whoever
        asks for a page in the meantime gets it: then it is loaded at once."""
        deadline = time.monotonic() + ENGINE_FIRST
        calm = 0
        while calm < 5 and time.monotonic() < deadline and self._web is None:
            calm = 0 if self.app is not None and self.app.worker.busy() else calm + 1
            time.sleep(0.1)

    def stop(self) -> None:
        """End the worker and close the database, whatever of it is open."""
        if self.app is not None:
            self.app.stop()

    def raise_failure(self) -> None:
        """Raises what kept the server from opening, if anything did."""
        if self._failure is not None:
            raise self._failure

    def web(self) -> ASGI:
        """Everything but alerts and health; loaded with the first call. The database has to be open."""
        with self._web_lock:
            if self._web is None:
                from quietshift.app.http_app import build

                assert self.app is not None
                self._web = build(self.app)
            return self._web

    def reload(self, actor: str) -> None:
        """Take the configuration anew; that it was, or why not, goes on record. Raises ConfigError, and keeps the old one,
        where it is broken. actor: who asked, for the journal."""
        try:
            self.holder.reload()
        except ConfigError as error:
            for problem in error.problems:
                log.error("reload refused, the old configuration stays in force: %s", problem)
            self._record(actor, error.problems)
            raise
        log.info("configuration reloaded")
        self._record(actor, [])

    def _record(self, actor: str, problems: Sequence[Problem]) -> None:
        from quietshift.kernel import journal

        if self.app is not None:
            why = "; ".join(map(str, problems[:20]))
            with self.app.db.write() as tx:
                act = "config.refused" if problems else "config.reloaded"
                journal.append(tx, self.app.clock.now(), actor, act, f"config:{self.holder.current.root}", why)

    # -- requests --------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if self.prefix:
            if path == self.prefix or path.startswith(self.prefix + "/"):
                path = path.removeprefix(self.prefix) or "/"
                scope = dict(scope) | {"path": path, "raw_path": path.encode(), "root_path": self.prefix}
            else:
                await answer(send, 404, {"title": "Not found", "status": 404, "detail": f"everything is below {self.prefix}/"})
                return
        if path.startswith("/api/v2/"):
            await self.alerts(scope, receive, send)
        elif self.events is not None and is_ours(path):
            await self.events(scope, receive, send)
        elif path.startswith("/-/"):
            await self._control(scope, path, send)
        elif gone.was_there(path):
            await answer(send, gone.STATUS, gone.BODY)
        elif not await self._wait_open():
            await answer(send, 503, {"title": "Not ready", "status": 503, "detail": "the server is starting"})
        elif path == "/metrics":
            from quietshift.app.metrics import render

            assert self.app is not None
            body, content_type = await asyncio.to_thread(render, self.app)
            await answer(send, 200, body, content_type)
        else:
            web = self._web if self._web is not None else await asyncio.to_thread(self.web)
            await web(scope, receive, send)

    async def _wait_open(self) -> bool:
        if self.app is not None:
            return True
        if self._opened is not None:
            try:
                await asyncio.wait_for(self._opened.wait(), 10)
            except TimeoutError:
                return False
        return self.app is not None

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await asyncio.to_thread(self.stop)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _control(self, scope: Scope, path: str, send: Send) -> None:
        method = scope["method"]
        if path == "/-/ready" and method in ("GET", "HEAD"):
            if self.app is None:
                await answer(send, 503, b"starting\n", "text/plain")
            else:
                await answer(send, 200, b"ready\n", "text/plain")
        elif path == "/-/healthy" and method in ("GET", "HEAD"):
            ailments = await self._ailments()
            body = "".join(f"{ailment}\n" for ailment in ailments) or "healthy\n"
            await answer(send, 503 if ailments else 200, body.encode(), "text/plain")
        elif path == "/-/reload" and method in ("POST", "PUT"):
            actor = await asyncio.to_thread(self._who_reloads, scope)
            if actor is None:
                detail = "send the admin token as a bearer token"
                await answer(send, 401, {"title": "Token needed", "status": 401, "detail": detail})
                return
            try:
                await asyncio.to_thread(self.reload, actor)
            except ConfigError as error:
                found = [{"file": p.file, "line": p.line, "message": p.message} for p in error.problems]
                detail = f"failed to reload config, the old one stays in force: {error}"
                await answer(send, 422, {"title": "Configuration refused", "status": 422, "detail": detail, "errors": found})
            else:
                await answer(send, 200, b"reloaded\n", "text/plain")
        elif path in ("/-/ready", "/-/healthy", "/-/reload"):
            await answer(send, 405, {"title": "Method not allowed", "status": 405, "detail": f"{method} {path}"})
        else:
            await answer(send, 404, {"title": "Not found", "status": 404, "detail": f"there is no {path}"})

    async def _ailments(self) -> list[str]:
        """What is wrong. A database that hangs is asked once, not again by each who wants to know."""
        if self.app is None:
            return []
        if self._examining is None:
            self._examining = asyncio.create_task(asyncio.to_thread(self.app.ailments))
            self._examining.add_done_callback(self._examined)
        task = self._examining
        await asyncio.wait({task}, timeout=EXAMINED_WITHIN)
        if not task.done():
            return [f"the database has not answered for {EXAMINED_WITHIN:.0f} seconds"]
        return [*task.result(), *(["the web interface cannot be loaded: see the log"] if self._without_web else [])]

    def _examined(self, _task: asyncio.Task[list[str]]) -> None:
        self._examining = None

    def _who_reloads(self, scope: Scope) -> str | None:
        """Whoever uses a server that only this machine reaches, except by a page of another site, or who has a token of scope
        admin; None for others."""
        headers = dict(scope["headers"])
        admin = self.app.admin(headers.get(b"authorization", b"").decode("latin-1")) if self.app is not None else None
        foreign = b"origin" in headers or headers.get(b"sec-fetch-site", b"none") not in (b"same-origin", b"none")
        return admin or ("anonymous" if self.settings.intake_open and not foreign else None)


async def answer(send: Send, status: int, body: bytes | dict[str, Any], content_type: str = "application/json") -> None:
    """Send a whole response; a dict is a problem (RFC 9457)."""
    if isinstance(body, dict):
        body, content_type = json.dumps(body, ensure_ascii=False).encode(), "application/problem+json"
    length = str(len(body)).encode()
    headers = [(b"content-type", content_type.encode()), (b"content-length", length), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def listen(settings: Settings) -> socket.socket:
    """The listening socket. Raises Invalid where the address is taken or not ours."""
    from quietshift.kernel.errors import Invalid

    host, port = settings.listen_host, settings.listen_port
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        sock = socket.socket(family, kind, proto)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(2048)
    except OSError as error:
        raise Invalid(f"cannot listen on {settings.listen}: {error.strerror or error}") from None
    return sock


def run(server: Server, *socks: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reloads. Raises what kept the server from opening."""
    sys.setswitchinterval(SWITCH)
    config = uvicorn.Config(
        server, http=BoundedHttp, log_config=None, access_log=False, server_header=False, date_header=True, lifespan="on",
        ws="none", timeout_graceful_shutdown=3, timeout_keep_alive=65,
    )

    class Edge(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # the loop hears them; uvicorn would raise SIGTERM again after a clean end, and the exit code be -15

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if loop is not None:
                loop.call_soon_threadsafe(server.close_streams)
            super().handle_exit(sig, frame)

    edge = Edge(config)
    loop: asyncio.AbstractEventLoop | None = None

    def give_up() -> None:
        edge.should_exit = True

    server.on_failure = give_up

    async def main() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, _reload_in_thread, server)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, edge.handle_exit, number, None)
        await edge.serve(sockets=list(socks))

    try:
        if config.loop == "auto" and config.get_loop_factory() is not None:
            with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
                runner.run(main())
        else:
            asyncio.run(main())
    except KeyboardInterrupt:
        log.info("stopped")
    server.raise_failure()


def _reload_in_thread(server: Server) -> None:
    def work() -> None:
        try:
            server.reload("signal:SIGHUP")
        except QuietshiftError:
            log.debug("told already")
        except Exception:
            log.exception("reload failed, the old configuration stays in force")

    threading.Thread(target=work, name="qs-reload", daemon=True).start()


def serve(settings: Settings, holder: OpsHolder, clock: Clock) -> None:
    """Run the whole of Quietshift until it is told to end."""
    from quietshift.alerts.api import AlertsApi
    from quietshift.alerts.events_api import EventsApi
    from quietshift.alerts.model import AlertsConfig
    from quietshift.alerts.sources import Heartbeats, Inbounds
    from quietshift.app.gate import Gate

    sock = listen(settings)
    gate = Gate(settings, clock)
    alerts = AlertsApi(lambda: holder.current.get(AlertsConfig), clock, gate)
    events = EventsApi(lambda: holder.current.get(Inbounds), lambda: holder.current.get(Heartbeats), clock, alerts.ready)

    def open_app() -> App:  # in a thread, while the door answers already
        from quietshift.app.wire import open_app

        app = open_app(settings, holder, clock)
        app.alerts.listening_since = alerts.started
        app.start()
        gate.open(app.db)
        alerts.open(app.alerts.opened)
        _first_link(app)
        return app

    run(Server(settings, holder, alerts, open_app, events=events), sock)


def _first_link(app: App) -> None:
    """While there is no account, each start prints a link that makes the first administrator, once."""
    from quietshift.kernel import access

    with app.db.write() as tx:
        secret = access.first_link(tx, app.clock.now())
    if secret:
        announce(f"No account yet: make the first one at {app.settings.base_url}{access.link_path(secret)}  (once, within a day)")


def announce(text: str) -> None:
    """One line for the person who started the server."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command's own output


__all__ = ["ASGI", "Server", "announce", "answer", "listen", "run", "serve"]
