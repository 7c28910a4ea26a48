"""Who may use `/api/v2` of `quietshift serve`: as open as the settings say for sending and reading, never for silencing."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from quietshift.kernel.clock import Clock
from quietshift.kernel.errors import Forbidden, Unauthenticated, Unavailable
from quietshift.kernel.settings import Settings

if TYPE_CHECKING:
    from quietshift.kernel.db import Database

OPEN = ("ingest", "read")  # what an open intake allows to anybody; a silence keeps people asleep, so it needs a name


class Gate:
    """Tells who asks, given what is needed: "ingest", "read" or "respond"."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._db: Database | None = None

    def open(self, db: Database) -> None:
        """Tokens can be looked up from now on."""
        self._db = db

    async def __call__(self, scope: MutableMapping[str, Any], needed: str) -> str:
        """The actor for the journal. Raises Unauthenticated, Forbidden."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if "authorization" in headers:
            return await asyncio.to_thread(self._token, headers["authorization"], needed)
        if not (self._settings.intake_open and needed in OPEN):
            raise Unauthenticated(f"this needs a bearer token of scope '{needed}'; an administrator makes one")
        if self._settings.loopback and not self._ours(headers.get("host", "")):
            raise Forbidden("this server is open to its own machine alone, and that name is not one of its own")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") or headers.get("origin"):
            raise Forbidden("a page of another site may not send this without a token")
        return "anonymous"

    def _ours(self, host: str) -> bool:
        """Whether a Host header names this machine: a page of another site can have its own name lead here (DNS rebinding)."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        known = {"localhost", "::1", self._settings.listen_host.lower(), urlsplit(self._settings.base_url).hostname}
        return name in known or name.startswith("127.")

    def _token(self, authorization: str, needed: str) -> str:
        from quietshift.kernel import auth

        presented = auth.bearer_of(authorization)
        if presented is None:
            raise Unauthenticated("send the token as 'Authorization: Bearer TOKEN'")
        if self._db is None:
            raise Unavailable("the server is starting")
        principal = auth.bearer(self._db, presented, self._settings.admin_token, self._clock.now())
        principal.require(needed)
        return principal.actor
