"""How to reach a server by HTTP: who we are, whom we trust, by which proxy. Values only; costs nothing to import.

Secrets are read when something is sent, and show neither in logs nor in tracebacks.
"""

from __future__ import annotations

from pathlib import Path

import msgspec


class Secret(msgspec.Struct, frozen=True):
    """A value that is not shown: written in the configuration, or in a file that is read each time."""

    value: str = ""
    file: str = ""

    def __bool__(self) -> bool:
        return bool(self.value or self.file)

    def __repr__(self) -> str:
        return f"Secret(file={self.file!r})" if self.file else "Secret(***)" if self.value else "Secret()"

    def read(self) -> str:
        """The value. Raises OSError where its file cannot be read."""
        return Path(self.file).read_text(encoding="utf-8").strip() if self.file else self.value


NONE = Secret()


class Tls(msgspec.Struct, frozen=True):
    """Certificates. ca: trusted in place of the system's, PEM. cert, key: ours. server_name: whom the certificate has to name."""

    ca: Secret = NONE
    cert: Secret = NONE
    key: Secret = NONE
    server_name: str = ""
    insecure_skip_verify: bool = False
    min_version: str = ""
    max_version: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(one.file for one in (self.ca, self.cert, self.key) if one.file)


class Proxy(msgspec.Struct, frozen=True):
    """url: of the proxy, empty for none. exceptions: hosts reached without it. connect_header: what the proxy itself is told."""

    url: Secret = NONE
    from_environment: bool = False
    exceptions: str = ""
    connect_header: tuple[tuple[str, Secret], ...] = ()


class OAuth2(msgspec.Struct, frozen=True):
    """Client credentials (RFC 6749, 4.4), by which a bearer token is had."""

    client_id: str
    token_url: str
    client_secret: Secret = NONE
    scopes: tuple[str, ...] = ()
    endpoint_params: tuple[tuple[str, Secret], ...] = ()
    tls: Tls = Tls()
    proxy: Proxy = Proxy()


class HttpAccess(msgspec.Struct, frozen=True):
    """At most one of basic auth (username, password), authorization (scheme, credentials) and oauth2. headers: added to ours."""

    username: Secret = NONE
    password: Secret = NONE
    scheme: str = ""
    credentials: Secret = NONE
    oauth2: OAuth2 | None = None
    tls: Tls = Tls()
    proxy: Proxy = Proxy()
    headers: tuple[tuple[str, Secret], ...] = ()
    follow_redirects: bool = True

    @property
    def plain(self) -> bool:
        """Neither certificates nor proxies nor tokens to be had first: a POST with headers is all it takes."""
        return self.oauth2 is None and self.tls == Tls() and self.proxy == Proxy()


OPEN = HttpAccess()
