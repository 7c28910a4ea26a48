"""The demo's page: the shop and its switch, phones that ring, the inbox, the story so far. Phones are posted to here too."""

from __future__ import annotations

import json
import logging
import mimetypes
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from quietshift.app.demo import ops
from quietshift.app.demo.shop import Threads
from quietshift.app.edge import HEADERS
from quietshift.kernel.clock import parse_rfc3339

if TYPE_CHECKING:
    import jinja2

    from quietshift.app.demo.world import World

log = logging.getLogger("quietshift.demo")
HERE = Path(__file__).parent.parent
STATIC = HERE / "static"
POLL = 1000  # milliseconds between two looks of an open page
MAX_BODY = 1 << 20
SHOWN = 3  # calls of each phone
PEOPLE = {ops.FIRST: ("Ana", "on call"), ops.SECOND: ("Bo", "backup")}
_KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".webmanifest": "application/manifest+json"}


class Stage:
    """Serves the page on loopback. `/` the page, POST `/shop` the switch, POST `/phone/USER` a page, `/static/` files."""

    def __init__(self, world: World, port: int = 0) -> None:
        self._world = world
        self._env: jinja2.Environment | None = None
        self._lock = threading.Lock()
        stage = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                if path == "/":
                    self.answer(200, stage.page().encode(), "text/html; charset=utf-8")
                elif path.startswith("/static/"):
                    self.static(path.removeprefix("/static/"))
                else:
                    self.answer(404, b"not here\n")

            def do_POST(self) -> None:
                path, length = urlsplit(self.path).path, int(self.headers.get("Content-Length") or 0)
                if length > MAX_BODY:
                    self.close_connection = True
                    self.answer(413, b"too large\n")
                    return
                body = self.rfile.read(length)
                if path == "/shop" and self.headers.get("Origin") in (None, stage.url, f"http://{self.headers.get('Host')}"):
                    stage.flip(parse_qs(body.decode("utf-8", "replace")).get("broken", [""])[0] == "1")
                    self.answer(303, b"", headers={"Location": "/"})
                elif path.startswith("/phone/"):
                    try:
                        stage._world.devices.ring(path.removeprefix("/phone/"), json.loads(body))
                        self.answer(200, b"ringing\n")
                    except ValueError as error:
                        self.answer(400, f"{error}\n".encode())
                else:
                    self.answer(404, b"not here\n")

            def static(self, name: str) -> None:
                found = STATIC / name
                if ".." in Path(name).parts or not found.is_file():
                    self.answer(404, b"not here\n")
                    return
                kind = _KINDS.get(found.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
                self.answer(200, found.read_bytes(), kind)

            def answer(self, status: int, body: bytes, kind: str = "text/plain", headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {**{k.decode(): v.decode() for k, v in HEADERS.items()}, **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """The page tells."""

        try:
            self._http = Threads(("127.0.0.1", port), Handler)
        except OSError:
            self._http = Threads(("127.0.0.1", 0), Handler)  # taken: the address is printed anyway
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="stage", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def flip(self, broken: bool) -> None:
        if broken:
            self._world.break_shop()
        else:
            self._world.mend_shop()

    # -- the page --------------------------------------------------------------------------------------------------

    def page(self) -> str:
        """The page as it is now."""
        world = self._world
        incident = world.incident()
        return self._environment().get_template("phone.html").render(
            now=datetime.now(UTC), viewer=None, nav=(), path="/", topics=[], flash=[], status=200, poll=POLL, flip="/shop",
            quietshift=world.quietshift.url, shop=self._shop(), phones=self._phones(incident), mails=self._mails(),
            story=self._story(incident),
        )  # fmt: skip

    def _environment(self) -> jinja2.Environment:
        from quietshift.app.web import wording

        with self._lock:
            if self._env is None:
                self._env = wording.environment(lambda name: f"/static/{name}", lambda _ref: "")
            return self._env

    def _shop(self) -> dict[str, Any]:
        broken = self._world.shop.broken
        text = "Orders fail: the payment gateway does not answer" if broken else "Every order succeeds"
        return {"broken": broken, "text": text, "href": self._world.shop.url}

    def _phones(self, incident: dict[str, Any] | None) -> list[dict[str, Any]]:
        open_one = incident["id"] if incident is not None and incident["state"] == "triggered" else ""
        phones = []
        for user, (name, role) in PEOPLE.items():
            calls = list(reversed(self._world.devices.calls(user)))[:SHOWN]
            shown = [
                {
                    "at": call.at, "text": f"{call.incident} {call.title}", "href": call.acknowledge_url,
                    "ringing": number == 0 and call.incident == open_one,
                }
                for number, call in enumerate(calls)
            ]  # fmt: skip
            phones.append({"person": {"user": user, "name": name}, "role": role, "calls": shown})
        return phones

    def _mails(self) -> list[dict[str, Any]]:
        mails = reversed(self._world.devices.mails())
        return [{"at": m.at, "to": m.to, "subject": m.subject, "text": m.text, "href": m.link} for m in mails]

    def _story(self, incident: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Hops of what happened since the shop was broken last."""
        world = self._world
        told: list[tuple[datetime, str, str, str | None]] = [(e.at, e.title, e.detail, None) for e in world.events]
        if told and incident is not None:
            link = f"{world.quietshift.url}/incidents/{incident['id']}"
            for entry in incident["timeline"]:
                at = parse_rfc3339(entry["at"])
                if at >= told[0][0]:
                    told.append((at, _sentence(entry), entry.get("why") or "", link))
        told.sort(key=lambda one: one[0])
        hops: list[dict[str, Any]] = []
        before: datetime | None = None
        for at, title, detail, href in told:
            since = (at - before).total_seconds() if before else None
            hop = {"title": title, "detail": detail, "state": "passed", "at": at, "since": since, "source": "", "href": href}
            hops.append(hop)
            before = at
        return hops


def _sentence(entry: dict[str, Any]) -> str:
    actor, text = str(entry.get("actor") or "").partition(":"), str(entry["text"])
    name = PEOPLE.get(actor[2], (actor[2],))[0]
    said = f"{name}: {text}" if name and name not in text else text
    return said[:1].upper() + said[1:]
