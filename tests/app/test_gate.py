"""Who may use /api/v2: open to this machine on loopback, never by another site's page, never to silence without a name."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from quietshift.app.gate import Gate
from quietshift.kernel.clock import ManualClock
from quietshift.kernel.errors import Forbidden, QuietshiftError, Unauthenticated
from quietshift.kernel.settings import load_settings

CLOCK = ManualClock(datetime(2026, 11, 21, 3, 0, tzinfo=UTC))


def ask(needed: str, *, listen: str = "127.0.0.1:8080", intake: str = "auto", **headers: str) -> str:
    gate = Gate(load_settings({"listen": listen, "intake": intake, "external_url": "https://qs.example.org"}, {}), CLOCK)
    scope = {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}
    return asyncio.run(gate(scope, needed))


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "LOCALHOST", "qs.example.org"])
@pytest.mark.parametrize("needed", ["ingest", "read"])
def test_this_machine_may_send_and_read_on_loopback(host: str, needed: str) -> None:
    assert ask(needed, host=host) == "anonymous"


@pytest.mark.parametrize(
    ("needed", "options", "error"),
    [
        ("respond", {"host": "localhost"}, Unauthenticated),
        ("ingest", {"host": "localhost", "intake": "token"}, Unauthenticated),
        ("ingest", {"host": "192.0.2.1", "listen": "0.0.0.0:8080"}, Unauthenticated),
        ("read", {"host": "evil.example"}, Forbidden),
        ("read", {"host": "["}, Forbidden),
        ("read", {}, Forbidden),
        ("ingest", {"host": "localhost", "sec_fetch_site": "cross-site"}, Forbidden),
        ("ingest", {"host": "localhost", "origin": "https://evil.example"}, Forbidden),
        ("ingest", {"host": "localhost", "authorization": "Basic eDp5"}, Unauthenticated),
    ],
)
def test_others_are_told_why_not(needed: str, options: dict[str, str], error: type[QuietshiftError]) -> None:
    with pytest.raises(error):
        ask(needed, **options)


def test_an_open_intake_beyond_loopback_is_the_operators_word() -> None:
    assert ask("ingest", listen="0.0.0.0:8080", intake="open", host="any.example") == "anonymous"
