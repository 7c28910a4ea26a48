"""WeChat Work: an app's message to people of a company, with a token that is had first. Source: developer.work.weixin.qq.com."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from quietshift.channels import http
from quietshift.channels.access import OPEN, HttpAccess
from quietshift.kernel.answer import Answer

LIFETIME = 2 * 3600.0  # seconds; the API says 7200, and refuses one that is over
EXPIRED = 42001

_Key = tuple[str, str, str]  # address, company, secret
_tokens: dict[_Key, tuple[str, float]] = {}  # a token, and until when it is good, monotonic seconds
_locks: dict[_Key, threading.Lock] = {}
_guard = threading.Lock()


def send(
    url: str, company: str, secret: str, message: Mapping[str, Any], access: HttpAccess = OPEN, timeout: float = http.TIMEOUT
) -> Answer:
    """Send a message. url: of the API, ends with `/`."""
    try:
        token = _token(url, company, secret, access, timeout)
        made = http.post_json(f"{url}message/send?{urlencode({'access_token': token})}", message, secrets=(token, secret))
        reply = http.exchange(made, access, timeout)
    except http.Failed as failed:
        return failed.answer
    said = reply.json
    if reply.status != 200 or not isinstance(said, dict):
        return Answer("temporary", reply.words(), reply.status)
    if said.get("errcode") == 0:
        return Answer("accepted", reply.words("ok"), reply.status)
    if said.get("errcode") == EXPIRED:
        _tokens.pop((url, company, secret), None)
    expired = said.get("errcode") == EXPIRED
    return Answer("temporary" if expired else "permanent", reply.words(str(said.get("errmsg"))), reply.status)


def _token(url: str, company: str, secret: str, access: HttpAccess, timeout: float) -> str:
    key = (url, company, secret)
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:  # who needs the same one meanwhile waits for it
        known, until = _tokens.get(key, ("", 0.0))
        if not known or time.monotonic() > until:
            known = _fetch(url, company, secret, access, timeout)
            _tokens[key] = known, time.monotonic() + LIFETIME
        return known


def _fetch(url: str, company: str, secret: str, access: HttpAccess, timeout: float) -> str:
    query = urlencode({"corpid": company, "corpsecret": secret})
    reply = http.exchange(http.Request("GET", f"{url}gettoken?{query}", secrets=(secret, query)), access, timeout)
    said = reply.json
    token = said.get("access_token") if isinstance(said, dict) else None
    if isinstance(token, str) and token:
        return token
    temporary = reply.status >= 500 or reply.status == 429
    words = f"no token for company {company}: {reply.words()}"
    raise http.Failed(Answer("temporary" if temporary else "permanent", words, reply.status))
