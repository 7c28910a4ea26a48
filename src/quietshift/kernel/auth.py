"""Who is asking, and what they may do: sessions of people, bearer tokens of programs.

A principal's scopes say what it may do; a role is a set of scopes that a person has. Secrets are stored as digests: a session
or a token is 256 random bits, so SHA-256 is enough for it; a password is not, so it gets argon2id.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quietshift.kernel import auth_store as store
from quietshift.kernel import journal
from quietshift.kernel.errors import Forbidden, Invalid, TooMany, Unauthenticated

if TYPE_CHECKING:
    from argon2 import PasswordHasher

    from quietshift.kernel.db import Database, Tx

SCOPES = ("ingest", "read", "respond", "admin")
ROLES: Mapping[str, frozenset[str]] = {
    "viewer": frozenset({"read"}),
    "responder": frozenset({"read", "respond"}),
    "admin": frozenset(SCOPES),
}
# What a scope brings with it.
IMPLIED: Mapping[str, frozenset[str]] = {
    "ingest": frozenset({"ingest"}),
    "read": frozenset({"read"}),
    "respond": frozenset({"read", "respond"}),
    "admin": frozenset(SCOPES),
}
PREFIX = "qs_"  # how leak scanners and our own redaction know one
SESSION_TTL = timedelta(days=30)
SESSION_IDLE = timedelta(days=7)
TOUCH_EVERY = timedelta(minutes=5)  # a page view is no reason to write
PASSWORD_LENGTH = (12, 200)
WINDOW = timedelta(minutes=15)
# Attempts to sign in within WINDOW: of one account from one address, of one account, from one address. Who hammers an account
# from elsewhere must not lock its owner out, so the limit over all addresses is wide.
LIMITS = {"pair": 10, "account": 100, "address": 50}
HASH_COST = {"time_cost": 3, "memory_cost": 65536, "parallelism": 4}  # RFC 9106, second recommended option
_hashing = threading.BoundedSemaphore(2)  # argon2 takes 64 MiB each time


@dataclass(frozen=True)
class Principal:
    """Who asks. actor stands in the journal: "user:ana", "token:ci", "link:ana". user: the catalog User, if it is a person."""

    actor: str
    user: str | None
    role: str
    scopes: frozenset[str]
    session: str = ""  # digest of the session it came with

    def allows(self, scope: str) -> bool:
        return scope in self.scopes

    def require(self, scope: str) -> None:
        """Raises Forbidden, naming what is missing and who can give it."""
        if scope not in self.scopes:
            kind = "role" if self.user else "token"
            raise Forbidden(f"this needs the scope '{scope}', which your {kind} has not; an administrator can give it")


ADMIN_TOKEN_PRINCIPAL = Principal("token:admin", None, "admin", frozenset(SCOPES))


def digest(secret: str) -> str:
    """What is stored of a random secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_secret() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def scopes_of(names: tuple[str, ...] | list[str]) -> frozenset[str]:
    """The scopes with what they imply; unknown ones count for nothing."""
    return frozenset().union(*(IMPLIED.get(name, frozenset()) for name in names))


# -- passwords -----------------------------------------------------------------------------------------------------------


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    cost = HASH_COST
    return PasswordHasher(time_cost=cost["time_cost"], memory_cost=cost["memory_cost"], parallelism=cost["parallelism"])


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def check_password_rules(password: str, name: str) -> None:
    """Raises Invalid for a password that is too short, too long or the account's name. Length is what counts (NIST 800-63B)."""
    least, most = PASSWORD_LENGTH
    text = _normal(password)
    if len(text) < least:
        raise Invalid(f"the password needs {least} characters or more; a few words do well")
    if len(text) > most:
        raise Invalid(f"the password may have {most} characters at most")
    if len(set(text)) < 4 or text.casefold().replace(name.casefold(), "").strip() == "":
        raise Invalid("the password is too easy to guess: it repeats your name or a few characters")


def hash_password(password: str) -> str:
    """argon2id; takes a tenth of a second, so never inside a transaction."""
    with _hashing:
        return _hasher().hash(_normal(password).encode("utf-8", "surrogatepass"))


_dummy: list[str] = []


def password_matches(stored: str | None, password: str) -> bool:
    """Whether it is the password. For stored None (no such account) it takes as long and says no."""
    from argon2.exceptions import InvalidHashError, VerificationError

    if stored is None and not _dummy:
        _dummy.append(hash_password(new_secret()))
    with _hashing:
        try:
            _hasher().verify(stored or _dummy[0], _normal(password).encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


# -- sessions ------------------------------------------------------------------------------------------------------------


def sign_in(db: Database, name: str, password: str, address: str, now: datetime) -> str:
    """Check name and password and open a session; returns the cookie's value, which is stored nowhere.

    Raises TooMany after too many attempts, Unauthenticated where name or password is wrong (which of the two is not said).
    """
    name = name.strip()
    with db.write() as tx:
        account = store.account(tx, name) if name.isprintable() and len(name) <= 128 else None
        wait, keys = _count_attempt(tx, account.name if account else "", address, now)
    if wait:  # raised outside the transaction: the count has to stay
        raise TooMany("too many attempts to sign in; wait a little, then try again", wait)
    right = password_matches(account.password_hash if account else None, password[: PASSWORD_LENGTH[1] + 1])
    if not right or account is None or account.disabled_at is not None:
        with db.write() as tx:
            # what is no account's name may be a password typed into the wrong field: it is not written down
            subject = f"account:{account.name}" if account else "account:unknown"
            why = "disabled" if right else "wrong password" if account else "no such account"
            journal.append(tx, now, "anonymous", "auth.sign_in_failed", subject, why, {"address": address})
        raise Unauthenticated("name or password is wrong")
    cookie = new_secret()
    with db.write() as tx:
        store.sweep(tx, now, SESSION_IDLE, WINDOW)
        store.clear_attempts(tx, keys)
        open_session(tx, account.name, cookie, now)
        journal.append(tx, now, f"user:{account.name}", "auth.signed_in", f"account:{account.name}", "", {"address": address})
    return cookie


def guard(db: Database, name: str, now: datetime) -> None:
    """Count an attempt at the password of somebody who is signed in. Raises TooMany."""
    with db.write() as tx:
        wait, _ = _count_attempt(tx, name, f"session of {name}", now)
    if wait:
        raise TooMany("too many attempts; wait a little, then try again", wait)


def _count_attempt(tx: Tx, name: str, address: str, now: datetime) -> tuple[int, list[str]]:
    """Count this attempt. Gives the seconds to wait where it is one too many (else 0), and the counts to clear on success."""
    keys = {"address": f"address:{address}"}
    if name:
        keys |= {"pair": f"pair:{name}@{address}", "account": f"account:{name}"}
    wait = 0
    for kind, key in keys.items():
        count, since = store.bump_attempts(tx, key, now, WINDOW)
        if count > LIMITS[kind]:
            wait = max(wait, int((since + WINDOW - now).total_seconds()) + 1)
        if count == LIMITS[kind] + 1:
            subject = f"account:{name}" if name else "account:unknown"
            why = f"more than {LIMITS[kind]} attempts in {WINDOW}"
            journal.append(tx, now, "system", "auth.throttled", subject, why, {"address": address})
    return wait, [key for kind, key in keys.items() if kind != "address"]


def open_session(tx: Tx, name: str, cookie: str, now: datetime) -> None:
    """Store a session for this cookie."""
    store.add_session(tx, digest(cookie), name, now, now + SESSION_TTL)


def session_principal(tx: Tx, cookie: str, now: datetime) -> tuple[Principal, bool] | None:
    """Who this cookie is; None where its session is unknown, over, idle for too long, or its account disabled.

    The flag says that `store.touch_session` is due: the caller does it in a writing transaction.
    """
    found = store.session(tx, digest(cookie))
    if found is None or found.account.disabled_at is not None:
        return None
    if found.expires_at <= now or found.seen_at + SESSION_IDLE <= now:
        return None
    who = found.account
    principal = Principal(f"user:{who.name}", who.name, who.role, ROLES.get(who.role, frozenset()), found.digest)
    return principal, now - found.seen_at >= TOUCH_EVERY


def sign_out(tx: Tx, cookie: str, now: datetime) -> None:
    """End the session; a cookie of none is no error."""
    name = store.end_session(tx, digest(cookie))
    if name is not None:
        journal.append(tx, now, f"user:{name}", "auth.signed_out", f"account:{name}")


# -- bearer tokens -------------------------------------------------------------------------------------------------------


def is_admin_token(presented: str, configured: str) -> bool:
    """Whether it is QUIETSHIFT_ADMIN_TOKEN; compared in constant time. An empty setting is no token."""
    if not configured:
        return False
    return hmac.compare_digest(digest(presented), digest(configured))


def token_principal(tx: Tx, presented: str, now: datetime) -> tuple[Principal, str] | None:
    """Who this token is, and its id where `last_used_at` is to be written again (else ""). None: unknown, revoked or expired."""
    found = store.token(tx, digest=digest(presented))
    if found is None or found.revoked_at is not None or (found.expires_at is not None and found.expires_at <= now):
        return None
    scopes = scopes_of(found.scopes)
    role = "admin" if "admin" in scopes else "responder" if "respond" in scopes else "viewer"
    stale = found.last_used_at is None or now - found.last_used_at >= TOUCH_EVERY
    return Principal(f"token:{found.name}", None, role, scopes), found.id if stale else ""


def bearer(db: Database, presented: str, configured: str, now: datetime) -> Principal:
    """The principal of an Authorization: Bearer token. Raises Unauthenticated."""
    if is_admin_token(presented, configured):
        return ADMIN_TOKEN_PRINCIPAL
    with db.read() as tx:
        found = token_principal(tx, presented, now)
    if found is None:
        raise Unauthenticated("the token is not known, revoked or expired; an administrator can make another")
    if found[1]:
        with db.write() as tx:
            store.change_token(tx, found[1], {"last_used_at": now})
    return found[0]


def bearer_of(authorization: str) -> str | None:
    """The token of an Authorization header; None where it is empty or of another scheme."""
    scheme, _, rest = authorization.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" and rest.strip() else None


# -- requests from other sites -------------------------------------------------------------------------------------------


def same_origin(headers: Mapping[str, str], base_url: str) -> bool:
    """Whether a state-changing request with a cookie comes from our own pages. Header names are lower case.

    Browsers say so in Sec-Fetch-Site; where they do not (plain HTTP), Origin has to name this host or the configured
    address. A request with neither header is not from a browser of this decade, and is refused.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if not origin or origin == "null":
        return False
    if origin == "://".join(urlsplit(base_url)[:2]):
        return True
    return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
