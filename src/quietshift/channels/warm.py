"""HTTP/1.1 over connections that are kept warm: one request in one write, its answer, the connection back on the shelf.

A quarter of what a general client costs, for the plainest thing of all: a POST to a webhook. What needs proxies, redirects or
certificates of one's own goes by `http.py`.
"""

from __future__ import annotations

import base64
import contextlib
import re
import select
import socket
import time
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from quietshift.channels.access import Tls

CONNECT_TIMEOUT = 5.0
READ = 64 << 10  # octets of an answer that are read, so that its connection can serve again
IDLE = 30.0  # seconds that a connection is kept for; less than most servers do
SHELF = 32  # idle connections to one server
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00\r\n]*")
_SAFE = "/%:=&?~#+!$,;'@()*[]"

BROKEN = (OSError, HTTPException)  # what `exchange` raises where the request may be made again; TimeoutError is an OSError


class Reply(NamedTuple):
    """What the server answered: status, its words, the first octets."""

    status: int
    reason: str
    body: bytes


class Origin(NamedTuple):
    """Whom a connection leads to."""

    scheme: str
    host: str
    port: int


_idle: dict[Origin, list[tuple[socket.socket, float]]] = {}  # the one used last is last


def exchange(method: str, url: str, content: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
    """One request and its answer, within `timeout` seconds. Redirects are not followed.

    Raises ValueError for what cannot be asked, one of BROKEN where no answer came.
    """
    deadline = time.monotonic() + timeout
    parts = urlsplit(url)
    origin = _origin(parts)
    request = _request(method, parts, origin, content, headers)
    connection = _take(origin) or _connect(origin, min(CONNECT_TIMEOUT, timeout))
    kept = False
    try:
        connection.settimeout(_left(deadline))
        connection.sendall(request)
        response = HTTPResponse(connection, method=method)
        response.begin()
        body = _first(response, connection, deadline)
        kept = _whole(response) and not response.will_close
        response.close()
        return Reply(response.status, response.reason, body)
    finally:
        if kept:
            _put(origin, connection)
        else:
            connection.close()


def _origin(parts: SplitResult) -> Origin:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http:// or https:// address with a host")
    host = parts.hostname
    host = host if host.isascii() else host.encode("idna").decode()
    if re.search(r"[\s\x00-\x20\x7f/\\]", host):
        raise ValueError("the host's name has characters that none can have")
    return Origin(parts.scheme, host, parts.port or (443 if parts.scheme == "https" else 80))


def _request(method: str, parts: SplitResult, origin: Origin, content: bytes, headers: Mapping[str, str]) -> bytes:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    target = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    given = {
        "Host": host if parts.port is None else f"{host}:{origin.port}", "User-Agent": "quietshift",
        "Accept": "*/*", "Accept-Encoding": "identity", "Content-Length": str(len(content)),
    }  # fmt: skip
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        given["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    ours = {name.lower(): name for name in given}
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"header {name!r} has characters that none can have")
        given.pop(ours.get(name.lower(), ""), None)
        given[name] = value
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    try:
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + content
    except UnicodeEncodeError:
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + content


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left


def _first(response: HTTPResponse, connection: socket.socket, deadline: float) -> bytes:
    """The beginning of the answer. What breaks off after the status takes nothing back from it."""
    got = b""
    try:
        while len(got) < READ and not _whole(response):
            connection.settimeout(_left(deadline))
            chunk = response.read1(READ)
            if not chunk:
                break
            got += chunk
    except BROKEN:
        response.will_close = True
    return got


def _whole(response: HTTPResponse) -> bool:
    return response.isclosed() or response.length == 0


# -- connections ---------------------------------------------------------------------------------------------------------


def _take(origin: Origin) -> socket.socket | None:
    """A connection that nobody uses and that the server has not closed; None where there is none."""
    shelf = _idle.get(origin, [])
    while shelf:
        try:
            connection, since = shelf.pop()
        except IndexError:  # another thread was quicker
            return None
        if time.monotonic() - since < IDLE and not _readable(connection):
            return connection
        connection.close()
    return None


def _readable(connection: socket.socket) -> bool:
    """Whether there is something to read before anything was asked: that it was closed, as a rule."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _put(origin: Origin, connection: socket.socket) -> None:
    shelf = _idle.setdefault(origin, [])
    shelf.append((connection, time.monotonic()))
    with contextlib.suppress(IndexError):  # another thread has taken it
        if len(shelf) > SHELF or time.monotonic() - shelf[0][1] > IDLE:
            shelf.pop(0)[0].close()


def _connect(origin: Origin, timeout: float) -> socket.socket:
    connection = socket.create_connection((origin.host, origin.port), timeout)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.scheme == "http":
            return connection
        from quietshift.channels import tls

        return tls.context(Tls()).wrap_socket(connection, server_hostname=origin.host)
    except BaseException:
        connection.close()
        raise

