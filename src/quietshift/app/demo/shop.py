"""A small shop to look after: real HTTP, real orders, and a payment gateway that can be switched off."""

from __future__ import annotations

import contextlib
import http.client
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, Counter, generate_latest

ORDERS_PER_SECOND = 10
GATEWAY_SECONDS = 1.0  # the shop waits no longer for its gateway

Answer = tuple[int, str, bytes]


class Threads(ThreadingHTTPServer):
    """A thread for each connection; one that its peer breaks off is no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class HttpServer:
    """A threaded HTTP server on loopback. respond(method, path) gives status, content type and body."""

    def __init__(self, respond: Callable[[str, str], Answer], port: int = 0) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, kind, body = respond(self.command, self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Its metrics tell."""

        self._http = Threads(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._http.server_port

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class Gateway:
    """The payment gateway: answers every payment while it is on; refuses connections while it is off."""

    def __init__(self) -> None:
        self._server: HttpServer | None = HttpServer(lambda _method, _path: (200, "text/plain", b"paid\n"))
        self.port = self._server.port

    @property
    def on(self) -> bool:
        return self._server is not None

    def switch(self, on: bool) -> None:
        if on and self._server is None:
            self._server = HttpServer(lambda _method, _path: (200, "text/plain", b"paid\n"), self.port)
        elif not on and self._server is not None:
            self._server.close()
            self._server = None


class Shop:
    """`/` a page, `POST /checkout` an order paid at the gateway, `/metrics` what became of the orders."""

    def __init__(self) -> None:
        self.gateway = Gateway()
        self._registry = CollectorRegistry()
        told = "Orders by the status they were answered with"
        self._orders = Counter("checkout_requests", told, ["code"], registry=self._registry)
        for code in ("200", "502"):
            self._orders.labels(code)  # from the start, so that rates are known from the first order on
        self._lock = threading.Lock()
        self._server = HttpServer(self._respond)
        self.url = f"http://127.0.0.1:{self._server.port}"

    @property
    def broken(self) -> bool:
        return not self.gateway.on

    def break_it(self) -> None:
        """Orders fail from now on: the gateway refuses connections."""
        with self._lock:
            self.gateway.switch(False)

    def mend(self) -> None:
        """The gateway answers again."""
        with self._lock:
            self.gateway.switch(True)

    def close(self) -> None:
        self._server.close()
        self.gateway.switch(False)

    def _respond(self, method: str, path: str) -> Answer:
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", generate_latest(self._registry)
        if path == "/checkout" and method == "POST":
            code = 200 if self._pay() else 502
            self._orders.labels(str(code)).inc()
            return code, "text/plain", b"thank you\n" if code == 200 else b"the payment gateway does not answer\n"
        if path == "/":
            return 200, "text/html; charset=utf-8", _FRONT
        return 404, "text/plain", b"not here\n"

    def _pay(self) -> bool:
        payment = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=GATEWAY_SECONDS)
        try:
            payment.request("POST", "/payments")
            return payment.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            payment.close()


_FRONT = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>The shop</title>
<h1>The shop</h1><form method="post" action="/checkout"><button>Buy</button></form>
<p><a href="/metrics">Metrics</a></p></html>"""


class Customers:
    """Somebody always buys: ORDERS_PER_SECOND real requests, one after the other."""

    def __init__(self, shop: Shop) -> None:
        self._port = int(shop.url.rpartition(":")[2])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._buy, name="customers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(GATEWAY_SECONDS + 1)

    def _buy(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / ORDERS_PER_SECOND, time.monotonic() - 1)
            try:
                connection.request("POST", "/checkout")
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                connection.close()  # the next order opens another one
        with contextlib.suppress(OSError):
            connection.close()
