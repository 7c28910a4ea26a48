"""JSON by HTTP POST. Any 2xx is acceptance; redirects are not followed; the answer's first words are kept."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from quietshift.channels.words import answer_text
from quietshift.kernel.answer import Answer

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 10.0  # seconds for the whole exchange
CONNECT_TIMEOUT = 5.0
_READ = 64 << 10  # octets of an answer that are read, so that its connection can serve again
_TEMPORARY = {408, 421, 425, 429}  # and 5xx: the same request may be taken later


def post_json(
    url: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None, timeout: float = TIMEOUT
) -> Answer:
    """POST an object as JSON. headers: added to ours, `Idempotency-Key` for instance. Raises nothing."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return request("POST", url, content, {"Content-Type": "application/json", **(headers or {})}, timeout)


def request(
    method: str, url: str, content: bytes = b"", headers: Mapping[str, str] | None = None, timeout: float = TIMEOUT
) -> Answer:
    """One exchange. 2xx: accepted; 408, 425, 429, 5xx, timeouts and broken connections: temporary; the rest: permanent.

    The answer's text is `200 OK: its first words`, without the URL and what looks like a secret. Raises nothing.
    """
    import httpx2

    deadline = time.monotonic() + timeout
    limits = httpx2.Timeout(timeout, connect=min(CONNECT_TIMEOUT, timeout))
    try:
        with _client().stream(method, url, content=content, headers=dict(headers or {}), timeout=limits) as response:
            read = _first(response, deadline)
            words = f"{response.status_code} {response.reason_phrase}"
            text = answer_text(f"{words}: {read}" if read.strip() else words, url)
            return Answer(_outcome(response.status_code), text, response.status_code)
    except httpx2.TimeoutException as error:
        return Answer("temporary", f"no answer within {timeout:g} s ({type(error).__name__})")
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, UnicodeError) as error:
        return Answer("permanent", answer_text(f"cannot be asked: {error}", url))
    except httpx2.HTTPError as error:
        return Answer("temporary", answer_text(str(error) or type(error).__name__, url))


def _outcome(status: int) -> Any:
    if 200 <= status < 300:
        return "accepted"
    return "temporary" if status >= 500 or status in _TEMPORARY else "permanent"


def _first(response: httpx2.Response, deadline: float) -> str:
    """The beginning of the answer. What breaks off after the status takes nothing back from it."""
    import httpx2

    got = b""
    try:
        for chunk in response.iter_raw():
            got += chunk
            if len(got) >= _READ or time.monotonic() > deadline:
                break
    except httpx2.HTTPError:
        pass
    return got[:4096].decode("utf-8", "replace")


def warm_up() -> None:
    """Make the pool of connections now: what has to be loaded for it costs the first page a quarter of a second."""
    _client()


@cache
def _client() -> httpx2.Client:
    """One pool of connections for the process; it is safe to use from many threads."""
    import httpx2

    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs whole URLs, and those of webhooks are secrets
    return httpx2.Client(
        headers={"User-Agent": "quietshift", "Accept-Encoding": "identity"},
        follow_redirects=False,
        limits=httpx2.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30.0),
    )
