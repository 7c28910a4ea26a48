"""The frame of every page: templates, who looks, messages that outlive a redirect, addresses of static files."""

from __future__ import annotations

import hashlib
import mimetypes
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from quietshift.app.web import wording
from quietshift.app.web.names import known_name
from quietshift.app.wire import App

HERE = Path(__file__).resolve().parent.parent
STATIC = HERE / "static"
FLASH = "qs_flash"
FLASH_SECONDS = 120
NAV = (
    {"href": "/", "label": "Home"},
    {"href": "/incidents", "label": "Incidents"},
    {"href": "/schedules", "label": "Schedules"},
    {"href": "/alerts", "label": "Alerts"},
    {"href": "/silences", "label": "Silences"},
    {"href": "/pages", "label": "Pages"},
    {"href": "/journal", "label": "Journal"},
)
mimetypes.add_type("application/manifest+json", ".webmanifest")
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("image/svg+xml", ".svg")


class Files:
    """Static files with the digest of what is in them: their address changes when they do."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._known: dict[str, tuple[int, bytes, str]] = {}

    def get(self, name: str) -> tuple[bytes, str] | None:
        """Content and digest; None where there is no such file."""
        path = (self.root / name).resolve()  # an absolute name, or one with "..", leads out of the root
        if not path.is_relative_to(self.root) or not path.is_file():
            return None
        changed = path.stat().st_mtime_ns
        with self._lock:
            known = self._known.get(name)
            if known is None or known[0] != changed:
                content = path.read_bytes()
                known = self._known[name] = (changed, content, hashlib.sha256(content).hexdigest()[:16])
        return known[1], known[2]

    def address(self, name: str) -> str:
        found = self.get(name)
        return f"/static/{name}" + (f"?v={found[1]}" if found else "")


class Frame:
    """Draws pages."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.files = Files(STATIC)
        self.secure = app.settings.base_url.startswith("https:")
        self._signer = URLSafeTimedSerializer(app.key_for("flash"), salt="flash")
        self.env = wording.environment(self.files.address, lambda ref: known_name(app.ops.current, ref))

    def page(
        self,
        request: Request,
        template: str,
        status: int = 200,
        *,
        topics: Sequence[str] = (),
        flash: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """Draw a template. flash: messages for this answer, besides those that came over a redirect."""
        live = "quietshift-live" in request.headers
        brought = [] if live else self._brought(request)
        viewer = getattr(request.state, "viewer", None)
        context.setdefault("now", self.app.clock.now())
        html = self.env.get_template(template).render(
            **context, viewer=viewer, nav=NAV, path=request.url.path, topics=list(topics), flash=[*brought, *flash], status=status
        )
        answer = HTMLResponse(html, status, headers=dict(headers or {}))
        answer.headers["Vary"] = "Cookie"
        if brought:
            answer.delete_cookie(FLASH, path="/", secure=self.secure, httponly=True, samesite="lax")
        return answer

    def redirect(self, address: str, done: str = "", kind: str = "done") -> Response:
        """Go and see (303), with a message there. Say "done" only after the commit."""
        answer = RedirectResponse(address, 303)
        if done:
            value = self._signer.dumps([{"kind": kind, "text": done[:500]}])
            answer.set_cookie(
                FLASH, str(value), max_age=FLASH_SECONDS, path="/", secure=self.secure, httponly=True, samesite="lax"
            )
        return answer

    def _brought(self, request: Request) -> list[dict[str, str]]:
        try:
            found = self._signer.loads(request.cookies.get(FLASH, ""), max_age=FLASH_SECONDS)
        except BadData:
            return []
        return list(found)

    @staticmethod
    def sign_in_address(request: Request) -> str:
        """Where to sign in, and to come back from."""
        if request.method in ("GET", "HEAD"):
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        else:  # a form whose session ended meanwhile: back to the page that held it
            here = urlsplit(request.headers.get("referer", "")).path or "/"
        here = safe_next(here)
        return "/sign-in" if here == "/" else f"/sign-in?next={quote(here, safe='/')}"


def safe_next(path: str) -> str:
    """A path of ours to go to; `/` for anything that could lead elsewhere."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\", "/sign-in", "/sign-out"))
    return path if ours and path.isprintable() and "\\" not in path and len(path) < 2000 else "/"
