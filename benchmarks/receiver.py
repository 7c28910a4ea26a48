"""A webhook that notes when the notification of each alert came."""

from __future__ import annotations

import json
import re
import socketserver
import threading
import time

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Receiver:
    """Listens on a free loopback port while it is entered."""

    clock = staticmethod(time.perf_counter)

    def __init__(self) -> None:
        self._events: dict[str, threading.Event] = {}
        self._times: dict[str, float] = {}
        receiver = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                pending = b""
                while True:
                    while b"\r\n\r\n" not in pending:
                        try:
                            got = self.request.recv(65536)
                        except ConnectionResetError:  # the peer was killed
                            return
                        if not got:
                            return
                        pending += got
                    head, _, body = pending.partition(b"\r\n\r\n")
                    found = _LENGTH.search(head)
                    length = int(found[1]) if found else 0
                    while len(body) < length:
                        body += self.request.recv(65536)
                    arrived = receiver.clock()
                    pending = body[length:]
                    self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    receiver._note(body[:length], arrived)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def expect(self, name: str) -> threading.Event:
        """Set when the alert with this `id` label was notified."""
        event = self._events[name] = threading.Event()
        return event

    def arrived(self, name: str) -> float:
        """When its first notification was here."""
        return self._times[name]

    def _note(self, body: bytes, arrived: float) -> None:
        for alert in json.loads(body)["alerts"]:
            name = alert["labels"]["id"]
            self._times.setdefault(name, arrived)
            if name in self._events:
                self._events[name].set()
