"""Senders and receivers in a process of their own: one thread, epoll, plain sockets, requests put together by `bytes.join`.

The peer is what is measured, and it shares the machine with this. So nothing is encoded while time runs: a request is a template
cut where its one changing word stands, and joined by that word. Each work says which share of a core its sender took.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

clock = time.perf_counter
WORD = "@@@@@@@@@@@@@@@@@@@@@@@@"  # 24 characters, as long as what takes its place
PATIENCE = 60.0  # seconds without any answer, after which the peer is taken for dead
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"transfer-encoding: *chunked", re.IGNORECASE)
_ID = re.compile(rb'"id": ?"([^"]+)"')
Template = tuple[bytes, ...]


# -- requests --------------------------------------------------------------------------------------------------------------


def alert(name: str, instance: str, cluster: str, ends_at: str, **labels: str) -> dict[str, object]:
    """As Prometheus sends them: 5 labels, 2 annotations."""
    return {
        "labels": {"alertname": name, "cluster": cluster, "instance": instance, "job": "node", "severity": "warning", **labels},
        "annotations": {"summary": f"{name} is not well", "runbook_url": f"https://runbooks.example.org/{name}"},
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": ends_at,
        "generatorURL": f"http://prometheus.example.org/graph?g0.expr={name}",
    }  # fmt: skip


def post(alerts: list[dict[str, object]]) -> bytes:
    """A whole request."""
    body = json.dumps(alerts, separators=(",", ":")).encode()
    head = "POST /api/v2/alerts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    return head.encode() + b"%d\r\n\r\n" % len(body) + body


def cut(request: bytes) -> Template:
    """The request where its changing word stands; `word.join` puts it together again."""
    return tuple(request.split(WORD.encode()))


def until(seconds: float) -> str:
    """That instant, in 24 characters."""
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    return end.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fresh(batch: int, requests: int, connections: int, prefix: str) -> list[Iterator[bytes]]:
    """Alerts that were never seen before, so many requests over all connections; the number of a request is its word."""
    end = until(600)

    def source(connection: int) -> Iterator[bytes]:
        template = cut(post([alert(f"Fresh{i}", f"{prefix}-{WORD}", f"eu-{connection}", end) for i in range(batch)]))
        for number in range(connection, requests, connections):
            yield (b"%024d" % number).join(template)

    return [source(connection) for connection in range(connections)]


def repeats(batch: int, distinct: int, connections: int) -> list[Iterator[bytes]]:
    """The same alerts again and again with a later end each time, as Prometheus sends them; the end is the word."""

    def source(connection: int) -> Iterator[bytes]:
        templates = [
            cut(post([alert(f"Repeat{i}", f"node-{n}:9100", f"eu-{connection}", WORD) for i in range(batch)]))
            for n in range(distinct)
        ]
        while True:
            end = until(600).encode()
            for template in templates:
                yield end.join(template)

    return [source(connection) for connection in range(connections)]


# -- a process of one's own ------------------------------------------------------------------------------------------------


class Aside:
    """A function that runs in a forked process; `result` waits for what it returns. told: it is also given the pipe by which
    `stop` tells it to end."""

    def __init__(self, work: Callable[..., Any], *args: Any, told: bool = False) -> None:
        context = multiprocessing.get_context("fork")
        self._mine, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs, work, (*args, theirs) if told else args), daemon=True)
        self._process.start()
        theirs.close()

    def result(self) -> Any:
        try:
            done, value = self._mine.recv()
        except EOFError:
            raise SystemExit("a sender or receiver of the benchmark died") from None
        self._process.join()
        if not done:
            raise SystemExit(value)
        return value

    def stop(self) -> Any:
        """Tell it to come to an end, and wait for its result."""
        self._mine.send(None)
        return self.result()


def _run(pipe: Any, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        pipe.send((True, work(*args)))
    except BaseException as error:
        pipe.send((False, f"{type(error).__name__}: {error}"))


def aside(work: Callable[..., Any], *args: Any) -> Any:
    """What a function returns that runs in a process of its own."""
    return Aside(work, *args).result()


class Connection:
    """A connection to the peer. Requests fit into the socket's buffer, so that sending waits for nobody."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._pending = b""

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def answered(self) -> bool:
        """Read what is there; tells whether the answer is whole. Anything but 200 ends the benchmark."""
        got = self.socket.recv(65536)
        if not got:
            raise SystemExit("the peer closed the connection")
        self._pending += got
        head, found, body = self._pending.partition(b"\r\n\r\n")
        if not found:
            return False
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"not accepted: {self._pending[:500]!r}")
        length = _LENGTH.search(head)
        if len(body) < (int(length[1]) if length else 0):
            return False
        self._pending = b""
        return True


@dataclass
class Flood:
    """What came of it. share: of one core, taken by the sender itself; slowest: seconds until an answer, at most."""

    requests: int
    seconds: float
    share: float
    slowest: float


def flood(port: int, make: Callable[[], list[Iterator[bytes]]], first: int = 0, seconds: float | None = None) -> Flood:
    """Keep each connection busy with one request after the other, until its source ends or the time is over. first: requests
    of each connection that are answered before time is taken."""
    connections = {}
    poll = select.epoll()
    for source in make():
        connection = Connection(port)
        connections[connection.socket.fileno()] = (connection, source)
        poll.register(connection.socket, select.EPOLLIN)
    for connection, source in connections.values():
        for _ in range(first):
            connection.send(next(source))
            while not connection.answered():
                pass
    done, slowest, sent_at = 0, 0.0, {}
    began, cpu = clock(), time.process_time()
    busy = set()
    for fd, (connection, source) in connections.items():
        request = next(source, None)
        if request is not None:
            busy.add(fd)
            sent_at[fd] = clock()
            connection.send(request)
    while busy:
        events = poll.poll(PATIENCE)
        if not events:
            raise SystemExit(f"the peer has answered nothing for {PATIENCE:.0f} s")
        for fd, _ in events:
            connection, source = connections[fd]
            if not connection.answered():
                continue
            now = clock()
            done += 1
            slowest = max(slowest, now - sent_at[fd])
            request = next(source, None) if seconds is None or now - began < seconds else None
            if request is None:
                busy.discard(fd)
            else:
                sent_at[fd] = now
                connection.send(request)
    took = clock() - began
    return Flood(done, took, (time.process_time() - cpu) / took, slowest)


# -- webhooks --------------------------------------------------------------------------------------------------------------


def listener() -> socket.socket:
    """A free loopback port that listens."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", 0))
    made.listen(1024)
    return made


class Incoming:
    """Requests that come in on connections of the peer; each is answered 200 as soon as it is whole."""

    def __init__(self, server: socket.socket, poll: select.epoll) -> None:
        self.server, self._poll = server, poll
        self._pending: dict[int, tuple[socket.socket, bytes]] = {}
        poll.register(server, select.EPOLLIN)

    def take(self, fd: int) -> list[tuple[bytes, bytes]]:
        """What is whole now, as head and body; the event was for this descriptor."""
        if fd == self.server.fileno():
            accepted, _ = self.server.accept()
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pending[accepted.fileno()] = (accepted, b"")
            self._poll.register(accepted, select.EPOLLIN)
            return []
        connection, pending = self._pending[fd]
        try:
            got = connection.recv(1 << 18)
        except ConnectionResetError:  # the peer was killed
            got = b""
        if not got:
            self._poll.unregister(fd)
            del self._pending[fd]
            connection.close()
            return []
        pending += got
        found = []
        while True:
            head, end, body = pending.partition(b"\r\n\r\n")
            if not end:
                break
            length = _LENGTH.search(head)
            if length is None and _CHUNKED.search(head):
                whole, closed, rest = body.partition(b"0\r\n\r\n")
                if not closed:
                    break
                body, pending = whole, rest
            else:
                size = int(length[1]) if length else 0
                if len(body) < size:
                    break
                body, pending = body[:size], body[size:]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            found.append((head, body))
        self._pending[fd] = (connection, pending)
        return found


@dataclass
class Told:
    """Seconds from before a POST until its webhook is here, of each alert; share: of a core, taken by sender and receiver."""

    took: list[float]
    seconds: float
    share: float


def to_webhook(port: int, server: socket.socket, connections: int, count: int, prefix: str) -> Told:
    """Alerts, each a group of its own: every connection sends one, waits for the answer and for its webhook, sends the next."""
    poll = select.epoll()
    incoming = Incoming(server, poll)
    senders = [Connection(port) for _ in range(connections)]
    by_fd = {sender.socket.fileno(): number for number, sender in enumerate(senders)}
    for sender in senders:
        poll.register(sender.socket, select.EPOLLIN)
    requests = [
        (f"{prefix}-{i}".encode(), post([{"labels": {"alertname": "Bench", "id": f"{prefix}-{i}"}}])) for i in range(count)
    ]
    waiting = iter(requests)
    sent: dict[bytes, tuple[int, float]] = {}
    open_of = [0] * connections  # the answer and the webhook that a connection waits for
    took: list[float] = []
    began, cpu = clock(), time.process_time()

    def go_on(number: int) -> None:
        following = next(waiting, None)
        if following is not None:
            name, request = following
            open_of[number] = 2
            sent[name] = (number, clock())
            senders[number].send(request)

    for number in range(connections):
        go_on(number)
    while len(took) < count:
        events = poll.poll(PATIENCE)
        if not events:
            raise SystemExit(f"{count - len(took)} of {count} webhooks did not come in {PATIENCE:.0f} s")
        for fd, _ in events:
            number = by_fd.get(fd)
            if number is not None:
                if senders[number].answered():
                    open_of[number] -= 1
                    if not open_of[number]:
                        go_on(number)
                continue
            for _, body in incoming.take(fd):
                now = clock()
                for name in set(_ID.findall(body)):
                    if name not in sent:
                        continue  # told again
                    number, at = sent.pop(name)
                    took.append(now - at)
                    open_of[number] -= 1
                    if not open_of[number]:
                        go_on(number)
    seconds = clock() - began
    return Told(took, seconds, (time.process_time() - cpu) / seconds)


# -- pages -----------------------------------------------------------------------------------------------------------------


@dataclass
class Page:
    """A page that came to a phone, at this instant of `clock`. policy: of its incident; incidents: how many it tells of."""

    user: str
    at: float
    policy: str
    incidents: int


def phones(server: socket.socket, pipe: Any) -> list[Page]:
    """Take pages until told to stop."""
    poll = select.epoll()
    incoming = Incoming(server, poll)
    poll.register(pipe.fileno(), select.EPOLLIN)
    found: list[Page] = []
    while True:
        for fd, _ in poll.poll(1):
            if fd == pipe.fileno():
                return found
            for _, body in incoming.take(fd):
                now, page = clock(), json.loads(body)
                bundle, incident = page["bundle"], page["incident"]
                policy = bundle["policy"] if bundle else incident["escalation_policy"]
                found.append(Page(page["user"], now, policy, bundle["count"] if bundle else 1))


@dataclass
class Probe:
    """An alert that was sent at this instant of `clock`, and answered so many seconds later."""

    at: float
    took: float


def probe(port: int, requests: list[bytes], every: float, pipe: Any) -> list[Probe]:
    """Send alerts that page somebody while something else goes on, one `every` so many seconds, until told to stop."""
    connection, sent = Connection(port), []
    following = clock()
    for request in requests:
        if pipe.poll(max(0.0, following - clock())):
            break
        following += every
        at = clock()
        connection.send(request)
        while not connection.answered():
            pass
        sent.append(Probe(at, clock() - at))
    else:
        pipe.recv()
    return sent

