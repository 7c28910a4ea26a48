"""Senders: bodies made beforehand, plain sockets, one thread a connection, so that the peer is what is measured."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

END = b"2000-01-01T00:00:00.000Z"  # replaced by the end of the moment

Bodies = Callable[[int], Iterator[bytes]]  # by the number of the connection


class Sender:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, body: bytes) -> None:
        """Send alerts and wait for the answer, which has to be 200."""
        head = (
            b"POST /api/v2/alerts HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % len(body)
        )
        self._socket.sendall(head + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            got = self._socket.recv(65536)
            if not got:
                raise SystemExit("the peer closed the connection")
            answer += got
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"not accepted: {answer[:500]!r}")

    def close(self) -> None:
        self._socket.close()


def _alert(name: str, instance: str, connection: int) -> dict[str, object]:
    labels = {
        "alertname": name, "cluster": f"eu-{connection}", "instance": instance, "job": "node", "severity": "warning",
    }  # fmt: skip
    annotations = {"summary": f"{name} is not well", "runbook_url": f"https://runbooks.example.org/{name}"}
    return {
        "labels": labels, "annotations": annotations, "startsAt": "2026-01-01T00:00:00Z", "endsAt": END.decode(),
        "generatorURL": f"http://prometheus.example.org/graph?g0.expr={name}",
    }  # fmt: skip


def _until(seconds: float) -> bytes:
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    return end.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()


def fresh(number: int, batch: int) -> Bodies:
    """Alerts that were never seen before; number: of the round."""

    def bodies(connection: int) -> Iterator[bytes]:
        instance = f"node-{number}-@@@@@@@@:9100"
        template = json.dumps([_alert(f"Fresh{i}", instance, connection) for i in range(batch)]).encode()
        request = 0
        while True:
            yield template.replace(b"@@@@@@@@", b"%08d" % request).replace(END, _until(240))
            request += 1

    return bodies


def repeats(batch: int, requests: int = 20) -> Bodies:
    """The same alerts again and again with a later end, as Prometheus sends them; new ones in the first `requests`."""

    def bodies(connection: int) -> Iterator[bytes]:
        templates = [
            json.dumps([_alert(f"Repeat{i}", f"node-{request}:9100", connection) for i in range(batch)]).encode()
            for request in range(requests)
        ]
        while True:
            for template in templates:
                yield template.replace(END, _until(240))

    return bodies


def throughput(port: int, connections: int, seconds: float, bodies: Bodies, batch: int, first: int = 1) -> tuple[int, float]:
    """Post from that many connections for so long: alerts accepted, and alerts per second. first: requests of each connection
    that are sent before the time is taken."""
    counts = [0] * connections
    ready = threading.Barrier(connections + 1)
    stop = threading.Event()
    failures: list[BaseException] = []

    def run(connection: int) -> None:
        sender = Sender(port)
        source = bodies(connection)
        try:
            for _ in range(first):
                sender.post(next(source))
                counts[connection] += batch
            ready.wait()
            while not stop.is_set():
                sender.post(next(source))
                counts[connection] += batch
        except BaseException as error:
            failures.append(error)
        finally:
            sender.close()

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(connections)]
    for thread in threads:
        thread.start()
    ready.wait()
    before, began = sum(counts), time.monotonic()
    time.sleep(seconds)  # the length of the measurement itself
    after, ended = sum(counts), time.monotonic()
    stop.set()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(counts), (after - before) / (ended - began)
