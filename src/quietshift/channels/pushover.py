"""Pushover: a push to a phone. Source: pushover.net/api."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from quietshift.channels import http
from quietshift.channels.access import OPEN, HttpAccess
from quietshift.kernel.answer import Answer

URL = "https://api.pushover.net/1/messages.json"
MAX_TITLE, MAX_MESSAGE, MAX_URL = 250, 1024, 512  # characters


def push(parameters: Mapping[str, str], access: HttpAccess = OPEN, timeout: float = http.TIMEOUT, url: str = URL) -> Answer:
    """Send a message: `token`, `user`, `title`, `message`, `priority` ... as the API names them."""
    secrets = tuple(parameters[name] for name in ("token", "user") if parameters.get(name))
    query = urlencode(sorted(parameters.items()))
    request = http.Request("POST", f"{url}?{query}", b"", {"Content-Type": "text/plain"}, (*secrets, query))
    return http.send(request, access, timeout)
