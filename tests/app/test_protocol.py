"""How long a peer may take to send a request."""

import socket
import threading

import pytest
import uvicorn

from quietshift.app import protocol


@pytest.fixture
def address(monkeypatch):
    """A server that answers how long the body was; bodies have to come within 0.4 seconds."""
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.4)

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        size, more = 0, True
        while more:
            part = await receive()
            if part["type"] != "http.request":
                return
            size += len(part.get("body", b""))
            more = part.get("more_body", False)
        body = str(size).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})

    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=protocol.BoundedHttp, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    yield sock.getsockname()
    server.should_exit = True
    thread.join(10)


def head(length):
    return f"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n".encode()


def test_a_body_that_comes_an_octet_at_a_time_is_ended_with_408(address):
    with socket.create_connection(address, timeout=10) as peer:
        peer.sendall(head(1000) + b"x")
        got = b""
        peer.settimeout(0.05)
        for _ in range(100):  # the peer's patience, not ours
            try:
                got += peer.recv(4096)
            except TimeoutError:
                peer.sendall(b"x")
            else:
                break
        assert got.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in got


def test_bodies_in_time_are_answered_one_after_the_other_and_leave_no_deadline_behind(address):
    with socket.create_connection(address, timeout=10) as peer:
        for _ in range(4):
            peer.sendall(head(4) + b"ab")
            peer.settimeout(0.15)
            with pytest.raises(TimeoutError):
                peer.recv(4096)
            peer.settimeout(10)
            peer.sendall(b"cd")
            assert peer.recv(4096).endswith(b"\r\n\r\n4")
