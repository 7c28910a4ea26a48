"""A proxy that answers in place of whoever is asked by CONNECT: for providers whose address no configuration can change."""

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.support.webhook import WebhookServer

CERTIFICATE = Path(__file__).parents[1] / "channels/loopback.pem"


class Interceptor(WebhookServer):
    """Takes CONNECT, then speaks TLS with a certificate of its own. Paths of what came begin with the host: `/host/path`.

    `asked`: the headers of each CONNECT.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        super().__init__()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        plain: Any = super()._handler()
        server = self

        class Proxy(plain):  # type: ignore[misc]  # the class is made by a function
            def do_CONNECT(self) -> None:
                server.asked.append(dict(self.headers.items()))
                host = self.path.partition(":")[0]
                self.send_response(200, "Connection established")
                self.end_headers()
                self.wfile.flush()
                inside = context.wrap_socket(self.connection, server_side=True)

                class Inside(plain):  # type: ignore[misc]  # the same
                    path: str

                    def parse_request(self) -> bool:
                        good = bool(super().parse_request())
                        self.path = f"/{host}{self.path}" if good else ""
                        return good

                Inside(inside, self.client_address, self.server)
                self.close_connection = True

        return Proxy


@pytest.fixture
def interceptor() -> Iterator[Interceptor]:
    server = Interceptor()
    yield server
    server.close()
