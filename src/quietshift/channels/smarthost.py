"""The mail server that takes our mail: where it is, and how we introduce ourselves. Costs nothing to import."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import ssl

Tls = Literal["none", "starttls", "tls"]


@dataclass(frozen=True)
class Smarthost:
    """tls: none, starttls, or tls from the first octet. hello: the name we give ourselves (default: this machine's).

    secret: for CRAM-MD5, where it is not the password. identity: on whose behalf (PLAIN). server_name: whom the certificate has
    to name, where not the host."""

    host: str
    port: int
    tls: Tls = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    hello: str = ""
    context: ssl.SSLContext | None = None  # default: certificates that the system trusts
    secret: str = field(default="", repr=False)
    identity: str = ""
    server_name: str = ""

    @classmethod
    def at(cls, place: str, *, tls: Tls = "starttls", username: str = "", password: str = "", hello: str = "") -> Smarthost:
        """From `host:port`, `[::1]:25` or `host` (port 25). Raises ValueError."""
        host, colon, port = place.rpartition(":")
        if not colon or "]" in port:
            host, port = place, "25"
        host = host.strip("[]")
        if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
            raise ValueError(f"not a mail server: {place!r} (write it as host:port)")
        return cls(host, int(port), tls, username, password, hello)
