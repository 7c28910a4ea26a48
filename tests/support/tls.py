"""An HTTPS server with a certificate for 127.0.0.1 of these tests."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.webhook import WebhookServer

PEM = Path(__file__).parents[1] / "channels/loopback.pem"


class TlsServer(WebhookServer):
    """clients: whether it wants a certificate of them, the same one. most: the newest TLS it speaks."""

    def __init__(self, *, clients: bool = False, most: ssl.TLSVersion | None = None) -> None:
        super().__init__()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(PEM)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(PEM)
        if most:
            context.maximum_version = most
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)

    def url(self, path: str = "/") -> str:
        return super().url(path).replace("http:", "https:")


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[TlsServer]:
    """A server whose certificate this process trusts, as if a public authority had signed it."""
    from quietshift.channels import http, tls

    def forget() -> None:
        tls._context.cache_clear()
        http._client.cache_clear()

    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    forget()
    server = TlsServer()
    yield server
    server.close()
    forget()
