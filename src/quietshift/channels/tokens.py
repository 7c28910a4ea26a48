"""Who we say we are: basic auth, a credential as it is, or a bearer token had by OAuth 2 and kept until it runs out."""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, urlencode

from quietshift.channels.access import HttpAccess, OAuth2
from quietshift.channels.parse import mask
from quietshift.kernel.answer import Answer

EARLY = 10.0  # seconds before its end a token is not used any more


@dataclass(frozen=True)
class _Token:
    text: str
    good_until: float  # monotonic seconds


_tokens: dict[OAuth2, _Token] = {}
_locks: dict[OAuth2, threading.Lock] = {}
_guard = threading.Lock()


def authorization(access: HttpAccess, deadline: float) -> tuple[dict[str, str], tuple[str, ...]]:
    """The header that introduces us, and what of it is secret. deadline: monotonic seconds, by which a token has to be had.

    Raises OSError where a secret's file cannot be read, http.Failed where no token is to be had.
    """
    if access.oauth2 is not None:
        token = _token(access.oauth2, deadline)
        return {"Authorization": f"Bearer {token}"}, (token, access.oauth2.client_secret.read())
    if access.username or access.password:
        user, password = access.username.read(), access.password.read()
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}, (pair, password)
    credentials = access.credentials.read()
    return ({"Authorization": f"{access.scheme or 'Bearer'} {credentials}"}, (credentials,)) if credentials else ({}, ())


def forget(oauth2: OAuth2) -> None:
    """The token was refused: have another one next time."""
    _tokens.pop(oauth2, None)


def _token(oauth2: OAuth2, deadline: float) -> str:
    with _guard:
        lock = _locks.setdefault(oauth2, threading.Lock())
    with lock:  # many threads that need the same token ask for it once
        known = _tokens.get(oauth2)
        if known is None or known.good_until < time.monotonic():
            known = _tokens[oauth2] = _fetch(oauth2, deadline)
        return known.text


def _fetch(oauth2: OAuth2, deadline: float) -> _Token:
    from quietshift.channels import http

    secret = oauth2.client_secret.read()
    form = {"grant_type": "client_credentials"} | ({"scope": " ".join(oauth2.scopes)} if oauth2.scopes else {})
    form |= {name: value.read() for name, value in oauth2.endpoint_params}
    pair = base64.b64encode(f"{quote_plus(oauth2.client_id)}:{quote_plus(secret)}".encode()).decode()
    access = HttpAccess(tls=oauth2.tls, proxy=oauth2.proxy)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    hidden = (secret, pair, quote(secret), *(value.read() for _, value in oauth2.endpoint_params))
    ways = (  # RFC 6749 2.3.1: the header has to be understood by every server; some understand the form alone
        (form, {**headers, "Authorization": f"Basic {pair}"}),
        (form | {"client_id": oauth2.client_id, "client_secret": secret}, headers),
    )
    for fields, given in ways:
        request = http.Request("POST", oauth2.token_url, urlencode(fields).encode(), given, hidden)
        reply = http.exchange(request, access, max(0.1, deadline - time.monotonic()))
        made = reply.json
        if reply.status // 100 == 2 and isinstance(made, dict) and isinstance(made.get("access_token"), str):
            return _Token(made["access_token"], time.monotonic() + _lifetime(made.get("expires_in")))
        if reply.status not in (400, 401, 403):
            break
    why = "without an access_token" if reply.status // 100 == 2 else reply.words()
    raise http.Failed(Answer("temporary", f"no token from {mask(oauth2.token_url)}: {why}", reply.status))


def _lifetime(told: object) -> float:
    try:
        return max(0.0, float(told) - EARLY) if isinstance(told, int | float | str) else 3600.0
    except ValueError:
        return 3600.0
