"""Every template with sample content, behind the headers that the server sends.

python -m tests.browser.gallery [--out DIR] [NAME ...]     screenshots, light and dark, desktop and phone
python -m tests.browser.gallery --serve                    look at http://127.0.0.1:8081/
"""

import argparse
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment

from quietshift.app.web import wording
from tests.browser import sample_doors as doors
from tests.browser import sample_incidents as incidents
from tests.browser import sample_rooms as rooms
from tests.browser import samples

APP = Path(__file__).parents[2] / "src" / "quietshift" / "app"
STATIC = APP / "static"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'; font-src 'self'"
)
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".webmanifest": "application/manifest+json"}
DESKTOP, PHONE = (1440, 900), (375, 667)

#: page name -> (template, its context)
PAGES: dict[str, tuple[str, Callable[[], samples.Context]]] = {
    "home": ("home.html", samples.home),
    "home-quiet": ("home.html", samples.home_quiet),
    "incidents": ("incidents.html", incidents.incidents),
    "incidents-many": ("incidents.html", incidents.incidents_many),
    "incidents-none": ("incidents.html", incidents.incidents_none),
    "incident": ("incident.html", incidents.incident),
    "incident-acknowledged": ("incident.html", incidents.incident_acknowledged),
    "incident-resolved": ("incident.html", incidents.incident_resolved),
    "incident-viewer": ("incident.html", incidents.incident_viewer),
    "sign-in": ("sign_in.html", doors.sign_in),
    "sign-in-wrong": ("sign_in.html", doors.sign_in_wrong),
    "setup": ("setup.html", doors.setup),
    "setup-used": ("setup.html", doors.setup_used),
    "error": ("error.html", doors.error),
    "ack": ("ack.html", doors.ack),
    "ack-done": ("ack.html", doors.ack_done),
    "ack-over": ("ack.html", doors.ack_over),
    "ack-expired": ("ack.html", doors.ack_expired),
    "ack-bundle": ("ack_bundle.html", doors.ack_bundle),
    "ack-bundle-going-on": ("ack_bundle.html", doors.ack_bundle_going_on),
    "ack-bundle-done": ("ack_bundle.html", doors.ack_bundle_done),
    "why": ("why.html", doors.why),
    "why-not": ("why.html", doors.why_not),
    "why-nothing": ("why.html", doors.why_nothing),
    "schedules": ("schedules.html", rooms.schedules),
    "schedule": ("schedule.html", rooms.schedule),
    "alerts": ("alerts.html", rooms.alerts),
    "alerts-none": ("alerts.html", rooms.alerts_none),
    "silences": ("silences.html", rooms.silences),
    "silences-none": ("silences.html", rooms.silences_none),
    "silence": ("silence.html", rooms.silence),
    "silence-over": ("silence.html", rooms.silence_over),
    "silence-form": ("silence_form.html", rooms.silence_form),
    "silence-form-wrong": ("silence_form.html", rooms.silence_form_wrong),
    "pages-top": ("pages_top.html", rooms.pages_top),
    "pages-none": ("pages_top.html", rooms.pages_none),
    "journal": ("journal.html", rooms.journal),
    "journal-none": ("journal.html", rooms.journal_none),
    "runbook": ("runbook.html", rooms.runbook),
    "me": ("me.html", rooms.me),
    "demo": ("phone.html", doors.phone),
    "demo-quiet": ("phone.html", doors.phone_quiet),
}


def environment() -> Environment:
    names = {f"user:{who['user']}": who["name"] for who in (samples.ANA, samples.BO, samples.CHEN, samples.DEE, samples.ELI)}
    return wording.environment(lambda path: f"/static/{path}", lambda ref: names.get(ref, ""))


def render(name: str) -> str:
    template, context = PAGES[name]
    return environment().get_template(template).render(context())


closing = threading.Event()
changes: list[str] = []  # a test appends to it, and every open page hears of a change


class Door(BaseHTTPRequestHandler):
    """GET /NAME answers a sample page; GET /static/... a file; every POST goes back to the page it came from."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/static/"):
            file = STATIC / path.removeprefix("/static/")
            self.answer(
                200 if file.is_file() else 404, TYPES.get(file.suffix, "text/plain"), file.read_bytes() if file.is_file() else b""
            )
        elif path == "/events":
            self.stream()
        elif path.strip("/") in PAGES:
            self.answer(200, "text/html; charset=utf-8", render(path.strip("/")).encode())
        else:
            links = "".join(f"<li><a href='/{name}'>{name}</a>" for name in PAGES)
            self.answer(
                200 if path == "/" else 404,
                "text/html; charset=utf-8",
                f"<!doctype html><title>Gallery</title><ul>{links}</ul>".encode(),
            )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(303)
        self.send_header("Location", self.headers.get("Referer", "/"))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def stream(self) -> None:
        """An event stream that says "changed" when the test asks for it, until the server stops."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        heard = 0
        while not closing.wait(0.05):
            if heard < len(changes):
                heard = len(changes)
                self.wfile.write(b"data: changed\n\n")
                self.wfile.flush()

    def answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the tests report what matters."""


@contextmanager
def serving(port: int = 0) -> Iterator[str]:
    closing.clear()
    server = ThreadingHTTPServer(("127.0.0.1", port), Door)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        closing.set()
        server.shutdown()
        server.server_close()


CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def shoot(out: Path, names: list[str], *, whole: bool) -> None:
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    with serving() as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        for scheme in ("light", "dark"):
            for width, height in (DESKTOP, PHONE):
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                page.clock.set_fixed_time(samples.NOW)
                for name in names:
                    page.goto(f"{url}/{name}")
                    page.screenshot(path=out / f"{name}-{width}-{scheme}.png", full_page=whole)
                page.close()
        browser.close()


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("names", nargs="*")
    args.add_argument("--out", type=Path, default=Path("/tmp/gallery"))
    args.add_argument("--whole", action="store_true", help="the whole page, not the first screen")
    args.add_argument("--serve", action="store_true")
    given = args.parse_args()
    if given.serve:
        with serving(8081) as url:
            print(url)
            threading.Event().wait()
    shoot(given.out, given.names or list(PAGES), whole=given.whole)


if __name__ == "__main__":
    main()
