"""JSON by HTTP POST. Any 2xx is acceptance; redirects are not followed; the answer's first words are kept."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from quietshift.channels.words import answer_text
from quietshift.kernel.answer import Answer

TIMEOUT = 10.0  # seconds for the whole exchange
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
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
    if any(map(os.environ.get, PROXIES)):
        from quietshift.channels import http
        from quietshift.channels.access import HttpAccess, Proxy

        access = HttpAccess(proxy=Proxy(from_environment=True), follow_redirects=False)
        return http.send(http.Request(method, url, content, dict(headers or {})), access, timeout, again=_TEMPORARY)
    from quietshift.channels import warm

    try:
        reply = warm.exchange(method, url, content, headers or {}, timeout)
    except TimeoutError:
        return Answer("temporary", f"no answer within {timeout:g} s")
    except warm.BROKEN as error:
        return Answer("temporary", answer_text(str(error) or type(error).__name__, url))
    except ValueError as error:  # that of a URL, or of a name that cannot be one
        return Answer("permanent", answer_text(f"cannot be asked: {error}", url))
    words = f"{reply.status} {reply.reason}"
    read = reply.body[:4096].decode("utf-8", "replace")
    return Answer(_outcome(reply.status), answer_text(f"{words}: {read}" if read.strip() else words, url), reply.status)


def _outcome(status: int) -> Any:
    if 200 <= status < 300:
        return "accepted"
    return "temporary" if status >= 500 or status in _TEMPORARY else "permanent"


def warm_up() -> None:
    """Load now what a request needs: the first page is to go without it."""
    from quietshift.channels import tls, warm
    from quietshift.channels.access import Tls

    assert warm
    tls.context(Tls())
