"""A real HTTP server that keeps what is posted to it, and answers as scripted."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass(frozen=True)
class Post:
    """One request. `received_at`: aware UTC, when its last byte had come; `answered`: the status it got."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    received_at: datetime
    answered: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Scripted:
    """An answer: status, body, headers; sent after `hold` seconds, as a slow provider would."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    hold: float = 0


class WebhookServer:
    """Listens on a free loopback port; 200 to everything that is not scripted, or what `judge` makes of path and body."""

    def __init__(self, judge: Callable[[str, bytes], int] = lambda _path, _body: 200) -> None:
        self._judge = judge
        self._changed = threading.Condition()
        self._posts: list[Post] = []
        self._script: dict[str, list[Scripted]] = {}
        self._always: dict[str, Scripted] = {}
        self._closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="webhook-server")
        self._thread.start()

    @property
    def port(self) -> int:
        return self._http.server_port

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, path: str, *answers: int | Scripted) -> None:
        """The next requests to `path` get these answers, one each; after them 200 again (or what `always` says)."""
        with self._changed:
            self._script.setdefault(path, []).extend(_scripted(answer) for answer in answers)

    def always(self, path: str, answer: int | Scripted) -> None:
        with self._changed:
            self._always[path] = _scripted(answer)

    def posts(self, path: str | None = None) -> list[Post]:
        """What has come so far, oldest first; `path`: to this path only."""
        with self._changed:
            return [post for post in self._posts if path is None or post.path == path]

    def wait_for(
        self, count: int = 1, *, path: str | None = None, within: float = 10, where: Callable[[Post], bool] | None = None
    ) -> list[Post]:
        """The posts that match, once there are `count`; AssertionError after `within` seconds says what came instead."""

        def matching() -> list[Post]:
            return [post for post in self.posts(path) if where is None or where(post)]

        with self._changed:
            self._changed.wait_for(lambda: len(matching()) >= count, within)
            found, everything = matching(), [(post.path, post.answered) for post in self._posts]
        assert len(found) >= count, f"{len(found)} of {count} posts to {path or 'any path'} in {within} s; all: {everything}"
        return found

    def close(self) -> None:
        self._closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _take(self, path: str, body: bytes) -> Scripted:
        with self._changed:
            if script := self._script.get(path):
                return script.pop(0)
            return self._always.get(path) or Scripted(self._judge(path, body))

    def _keep(self, post: Post) -> None:
        with self._changed:
            self._posts.append(post)
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each answer with a body waits 40 ms for the peer's ACK

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                if len(body) < length:  # its sender was killed while it sent: that is no request
                    self.close_connection = True
                    return
                received_at = datetime.now(UTC)
                path, _, query = self.path.partition("?")
                answer = server._take(path, body)
                headers = dict(self.headers.items())
                server._keep(Post(self.command, path, query, headers, body, received_at, answer.status))
                if answer.hold:
                    server._closing.wait(answer.hold)
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_PUT = do_GET = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                """The posts are the log."""

        return Handler


def _scripted(answer: int | Scripted) -> Scripted:
    return answer if isinstance(answer, Scripted) else Scripted(status=answer)


@pytest.fixture
def webhook_server() -> Iterator[WebhookServer]:
    server = WebhookServer()
    yield server
    server.close()
