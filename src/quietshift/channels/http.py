"""HTTP as `http_config` has it: own certificates, proxies, tokens to be had first, redirects. For what `webhook.py` is too
plain for; each set of certificates and proxy keeps its own warm connections."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from quietshift.channels import proxies, tls
from quietshift.channels.access import NONE, OPEN, HttpAccess, Tls
from quietshift.channels.parse import mask
from quietshift.channels.words import answer_text
from quietshift.kernel.answer import Answer

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 20.0  # seconds for one exchange, redirects and all
LONGEST = 50.0  # less than an outbox lease
CONNECT_TIMEOUT = 5.0
READ = 64 << 10  # octets of an answer that are read
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 10
HIDDEN = "***"
MANY = 10  # characters of a part of a path from which on it may be a secret by itself
_PARTS = re.compile(r"[/?&=]")
_INTRODUCING = ("authorization", "cookie", "x-auth-token", "x-user-id")


@dataclass(frozen=True)
class Request:
    """secrets: what must not be repeated where the answer is shown, beside the URL and our credentials."""

    method: str
    url: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    @property
    def origin(self) -> tuple[str, str | None, int]:
        parts = urlsplit(self.url)
        return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


@dataclass(frozen=True)
class Reply:
    """What the server answered: status, its words, the first 64 KiB. note: what else there is to say of it."""

    status: int
    reason: str
    content_type: str = ""
    body: bytes = b""
    secrets: tuple[str, ...] = ()
    url: str = ""
    note: str = ""

    @property
    def json(self) -> Any:
        """The body read as JSON; None where it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def words(self, told: str | None = None) -> str:
        """The answer in one line, without secrets. told: in place of the body."""
        text = self.body[:4096].decode("utf-8", "replace") if told is None else told
        line = f"{self.status} {self.reason}" + (f": {text}" if text.strip() else "") + (f" ({self.note})" if self.note else "")
        return cleaned(line, self.url, self.secrets)


class Failed(Exception):
    """There was no reply; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


def post_json(url: str, body: Any, headers: Mapping[str, str] | None = None, secrets: tuple[str, ...] = ()) -> Request:
    """A request that posts this value as JSON."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Request("POST", url, content, {"Content-Type": "application/json", **(headers or {})}, secrets)


def send(
    request: Request, access: HttpAccess = OPEN, timeout: float = TIMEOUT, again: Collection[int] = ()
) -> Answer:
    """One exchange and what it means. again: statuses that are worth another try, beside 429 and 5xx. Raises nothing."""
    try:
        return judge(exchange(request, access, timeout), again)
    except Failed as failed:
        return failed.answer


def judge(reply: Reply, again: Collection[int] = (), told: str | None = None) -> Answer:
    """2xx: accepted; 429, 5xx and `again`: temporary; the rest: permanent. told: its words, in place of the body."""
    if 200 <= reply.status < 300:
        return Answer("accepted", reply.words(told), reply.status)
    temporary = reply.status >= 500 or reply.status == 429 or reply.status in again
    return Answer("temporary" if temporary else "permanent", reply.words(told), reply.status)


def exchange(request: Request, access: HttpAccess = OPEN, timeout: float = TIMEOUT) -> Reply:
    """The server's reply. Raises Failed where there is none: timeouts, broken connections, certificates; all are temporary
    but a URL that cannot be asked."""
    deadline = time.monotonic() + min(timeout, LONGEST)
    note = ""
    for _ in range(MOST_REDIRECTS):
        reply = _once(request, access, deadline)
        if reply.status not in REDIRECTS or not access.follow_redirects or not reply.note:
            return replace(reply, note=note)
        target = urljoin(request.url, reply.note)
        following, access = _redirected(request, reply.status, target, access)
        note = f"redirected with {reply.status} to {mask(target)}"
        if request.content and not following.content:
            note += ", by GET: the message did not reach it"
        request = following
    raise Failed(Answer("temporary", f"more than {MOST_REDIRECTS} redirects"))


def _redirected(request: Request, status: int, target: str, access: HttpAccess) -> tuple[Request, HttpAccess]:
    """307 and 308 repeat the request; the others ask by GET. Another origin hears nothing of who we are."""
    if urlsplit(target).scheme not in ("http", "https"):
        raise Failed(Answer("permanent", f"redirected to {mask(target)}, which is no web address"))
    if status in (307, 308):
        following = replace(request, url=target)
    else:
        kept = {k: v for k, v in request.headers.items() if k.lower() not in ("content-type", "content-length")}
        following = Request("HEAD" if request.method == "HEAD" else "GET", target, b"", kept, request.secrets)
    if following.origin == request.origin:
        return following, access
    headers = {k: v for k, v in following.headers.items() if k.lower() not in _INTRODUCING}
    stranger = HttpAccess(tls=msgspec.structs.replace(access.tls, cert=NONE, key=NONE, server_name=""), proxy=access.proxy)
    return replace(following, headers=headers), stranger


def _once(request: Request, access: HttpAccess, deadline: float) -> Reply:
    """One request and its reply; a redirect's target is in `note`."""
    import httpx2

    from quietshift.channels import tokens

    left = deadline - time.monotonic()
    if left <= 0:
        raise Failed(Answer("temporary", "no answer in time"))
    try:
        ours = tokens.authorization(access, deadline)
        extra = [(name, value.read()) for name, value in access.headers]
        by = proxies.proxy_for(request.url, access.proxy, os.environ)
        told = [(name, value.read()) for name, value in access.proxy.connect_header] if by else []
        client = _client(access.tls, tls.stamp(access.tls), by, tuple(told))
    except OSError as error:
        raise Failed(Answer("temporary", f"{error.filename}: {error.strerror}")) from None
    except ValueError as error:
        raise Failed(Answer("temporary", cleaned(str(error), request.url, request.secrets))) from None
    secrets = (*request.secrets, *ours[1], *(value for _, value in extra), *(value for _, value in told), *_password(by))
    headers = [*request.headers.items(), *ours[0].items(), *extra]
    extensions = {"sni_hostname": access.tls.server_name} if access.tls.server_name else {}
    limits = httpx2.Timeout(left, connect=min(CONNECT_TIMEOUT, left))
    url = request.url
    try:
        with client.stream(
            request.method, url, content=request.content, headers=headers, timeout=limits, extensions=extensions
        ) as response:
            if response.status_code == 401 and access.oauth2 is not None:
                tokens.forget(access.oauth2)
            target = response.headers.get("location", "") if response.status_code in REDIRECTS else ""
            kind = response.headers.get("content-type", "")
            body = _first(response, deadline)
            return Reply(response.status_code, response.reason_phrase, kind, body, secrets, url, target)
    except httpx2.TimeoutException as error:
        raise Failed(Answer("temporary", f"no answer within {left:.3g} s ({type(error).__name__})")) from None
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, UnicodeError) as error:
        raise Failed(Answer("permanent", cleaned(f"cannot be asked: {error}", url, secrets))) from None
    except httpx2.HTTPError as error:
        place = ":".join(map(str, request.origin[1:]))
        raise Failed(Answer("temporary", cleaned(f"{place}: {error or type(error).__name__}", url, secrets))) from None


def _first(response: httpx2.Response, deadline: float) -> bytes:
    """The beginning of the answer. What breaks off after the status takes nothing back from it."""
    import httpx2

    got = b""
    try:
        for chunk in response.iter_raw():
            got += chunk
            if len(got) >= READ or time.monotonic() > deadline:
                break
    except httpx2.HTTPError:
        pass
    return got[:READ]


def warm_up() -> None:
    """Make the pool of connections for plain settings now."""
    _client(Tls(), (), "", ())


@lru_cache(maxsize=64)
def _client(trust: Tls, _stamp: object, by: str, told: tuple[tuple[str, str], ...]) -> httpx2.Client:
    """A pool of connections, safe to use from many threads. Raises ValueError where the certificates are none."""
    import logging

    import httpx2

    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs whole URLs, and those of webhooks are secrets
    context = tls.context(trust)
    return httpx2.Client(
        headers={"User-Agent": "quietshift", "Accept-Encoding": "identity"},
        verify=context, proxy=httpx2.Proxy(by, headers=list(told)) if by else None, trust_env=False, follow_redirects=False,
        limits=httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30.0),
    )  # fmt: skip


def _password(url: str) -> tuple[str, ...]:
    password = urlsplit(url).password if url else None
    return (password,) if password else ()


def cleaned(text: str, url: str = "", secrets: Collection[str] = ()) -> str:
    """The text fit to be stored: what is secret of ours is not repeated, however it is quoted."""
    for secret in sorted((s for s in secrets if len(s) > 3), key=len, reverse=True):
        for written in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}:
            text = text.replace(written, HIDDEN)
    if url:
        text = text.replace(url, mask(url))
        _, _, beyond = url.partition("://")[2].partition("/")  # servers repeat the path, or a part, which may be what is secret
        parts = {beyond, beyond.partition("?")[0]} | {part for part in _PARTS.split(beyond) if len(part) >= MANY}
        for part in sorted(parts - {""}, key=len, reverse=True):
            text = text.replace(part if len(part) >= MANY else f"/{part}", HIDDEN if len(part) >= MANY else f"/{HIDDEN}")
    return answer_text(text)

