"""Giving and taking access: set-up links, accounts, API tokens. Every act is journaled, no secret is.

An account is the catalog's User of the same name; who asks here gives the names that the catalog knows.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from quietshift.kernel import auth, journal
from quietshift.kernel import auth_store as store
from quietshift.kernel.auth_store import Account, ApiToken, SetupLink
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.errors import Conflict, Invalid, NotFound
from quietshift.kernel.ids import new_id

if TYPE_CHECKING:
    from quietshift.kernel.db import Database, Tx

LINK_TTL = timedelta(days=3)
FIRST_LINK_TTL = timedelta(hours=24)
_TOKEN_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")


# -- set-up links --------------------------------------------------------------------------------------------------------


def first_link(tx: Tx, now: datetime) -> str | None:
    """The secret of a link that makes the first administrator; None once there is an account. The one before it is void."""
    if store.count_accounts(tx):
        return None
    secret = auth.new_secret()
    store.add_setup_link(tx, auth.digest(secret), None, "admin", "system", now, now + FIRST_LINK_TTL)
    journal.append(tx, now, "system", "auth.first_link_made", "account:first")
    return secret


def link_path(secret: str) -> str:
    """Where a set-up link leads, below the external address."""
    return f"/setup/{secret}"


def invite(tx: Tx, name: str, role: str, actor: str, now: datetime, known: Collection[str]) -> tuple[str, datetime]:
    """A link by which this person sets a password: for a new account, or for one whose password is lost. Gives its secret and
    when it ends; an earlier link for the same name is void. Raises Invalid for an unknown role or name."""
    _check_role(role)
    check_known(name, known)
    secret, expires_at = auth.new_secret(), now + LINK_TTL
    store.add_setup_link(tx, auth.digest(secret), name, role, actor, now, expires_at)
    journal.append(tx, now, actor, "account.invited", f"account:{name}", "", {"role": role, "until": rfc3339(expires_at)})
    return secret, expires_at


def check_known(name: str, known: Collection[str]) -> None:
    """Raises Invalid where the catalog has no such User: accounts are people that the ops directory knows."""
    if name not in known:
        raise Invalid(
            f"the catalog has no User {name!r}: add it to the ops directory's catalog/ (kind: User) and reload, then try again"
        )


def open_link(tx: Tx, secret: str, now: datetime) -> SetupLink:
    """The link, if it is still good. Raises NotFound where it is unknown, used or over, or no longer the first."""
    link = store.setup_link(tx, auth.digest(secret))
    if link is None or link.expires_at <= now or (link.account is None and store.count_accounts(tx)):
        raise NotFound("this set-up link is used or has expired; ask an administrator for another (quietshift user invite NAME)")
    return link


def complete(db: Database, secret: str, name: str, password: str, now: datetime, known: Collection[str]) -> str:
    """Use a set-up link: make (or reset) the account and sign in; returns the cookie's value.

    name is taken from the link where that names one. Raises NotFound for a link that is not good, Invalid for an unknown name
    or a weak password.
    """
    with db.read() as tx:
        link = open_link(tx, secret, now)
    name = link.account or name
    check_known(name, known)
    auth.check_password_rules(password, name)
    hashed = auth.hash_password(password)
    cookie = auth.new_secret()
    with db.write() as tx:
        open_link(tx, secret, now)
        store.take_setup_link(tx, link.digest)
        before = store.account(tx, name)
        store.put_account(tx, name, link.role, hashed, now)
        store.end_sessions(tx, name)
        act = "account.reset" if before else "account.created"
        journal.append(tx, now, f"user:{name}", act, f"account:{name}", "by a set-up link", {"role": link.role})
        auth.open_session(tx, name, cookie, now)
    return cookie


# -- accounts ------------------------------------------------------------------------------------------------------------


def change_password(db: Database, name: str, old: str, new: str, keep: str, now: datetime) -> None:
    """Set a new password; every other session of the account ends (keep: digest of the one that asks).

    Raises Invalid where the old one is wrong or the new one weak, TooMany where the old one was guessed at too often.
    """
    with db.read() as tx:
        account = get_account(tx, name)
    auth.guard(db, name, now)
    if not auth.password_matches(account.password_hash, old):
        raise Invalid("the present password is not right")
    auth.check_password_rules(new, name)
    hashed = auth.hash_password(new)
    with db.write() as tx:
        store.change_account(tx, name, {"password_hash": hashed})
        ended = store.end_sessions(tx, name, keep)
        journal.append(tx, now, f"user:{name}", "account.password_changed", f"account:{name}", "", {"sessions_ended": ended})


def change_role(tx: Tx, name: str, role: str, actor: str, now: datetime) -> Account:
    """Give another role. Raises Conflict where it is the last administrator's."""
    _check_role(role)
    account = get_account(tx, name)
    if role != "admin":
        _not_the_last(tx, account)
    store.change_account(tx, name, {"role": role})
    journal.append(tx, now, actor, "account.role_changed", f"account:{name}", "", {"from": account.role, "to": role})
    return replace(account, role=role)


def disable(tx: Tx, name: str, actor: str, now: datetime) -> Account:
    """Lock somebody out: sessions and open links end at once. Raises Conflict for the last administrator."""
    account = get_account(tx, name)
    _not_the_last(tx, account)
    store.change_account(tx, name, {"disabled_at": now})
    store.end_sessions(tx, name)
    store.drop_setup_links(tx, name)
    journal.append(tx, now, actor, "account.disabled", f"account:{name}")
    return replace(account, disabled_at=now)


def enable(tx: Tx, name: str, actor: str, now: datetime) -> Account:
    """Let somebody in again, with the password they had."""
    account = get_account(tx, name)
    store.change_account(tx, name, {"disabled_at": None})
    journal.append(tx, now, actor, "account.enabled", f"account:{name}")
    return replace(account, disabled_at=None)


def get_account(tx: Tx, name: str) -> Account:
    """The account. Raises NotFound."""
    found = store.account(tx, name)
    if found is None:
        raise NotFound(f"there is no account {name!r}")
    return found


def _not_the_last(tx: Tx, account: Account) -> None:
    if store.admins(tx) == [account.name]:
        raise Conflict(f"{account.name} is the last administrator: make somebody else one first")


def _check_role(role: str) -> None:
    if role not in auth.ROLES:
        raise Invalid(f"unknown role {role!r}: one of {', '.join(auth.ROLES)}")


# -- API tokens ----------------------------------------------------------------------------------------------------------


def create_token(
    tx: Tx, name: str, scopes: Collection[str], expires_at: datetime | None, actor: str, now: datetime
) -> tuple[ApiToken, str]:
    """Make a token; its secret is given here and never again. Raises Invalid, or Conflict where the name is taken."""
    if not _TOKEN_NAME.fullmatch(name):
        raise Invalid("name: small letters, digits and '-_.' between them, at most 63 characters")
    if name == "admin":
        raise Conflict("the name 'admin' is that of QUIETSHIFT_ADMIN_TOKEN in the journal")
    unknown = sorted(set(scopes) - set(auth.SCOPES))
    if unknown or not scopes:
        raise Invalid(f"scopes: one or more of {', '.join(auth.SCOPES)}" + (f", not {', '.join(unknown)}" if unknown else ""))
    if expires_at is not None and expires_at <= now:
        raise Invalid("expires_at: lies in the past")
    if store.token(tx, name=name) is not None:
        raise Conflict(f"there is a token {name!r} already, or was: names stay in the journal, so take another")
    ordered = tuple(scope for scope in auth.SCOPES if scope in scopes)
    made = ApiToken(new_id(now), name, ordered, now, actor, expires_at, None, None)
    secret = auth.PREFIX + auth.new_secret()
    store.add_token(tx, made, auth.digest(secret))
    data = {"scopes": list(ordered), "expires_at": rfc3339(expires_at) if expires_at else None}
    journal.append(tx, now, actor, "token.created", f"token:{name}", "", data)
    return made, secret


def revoke_token(tx: Tx, id: str, actor: str, now: datetime) -> ApiToken:
    """End a token, named by its id or name, at once; revoking it twice changes nothing. Raises NotFound."""
    found = store.token(tx, id=id) or store.token(tx, name=id)
    if found is None:
        raise NotFound(f"there is no token {id!r}")
    if found.revoked_at is not None:
        return found
    store.change_token(tx, found.id, {"revoked_at": now})
    journal.append(tx, now, actor, "token.revoked", f"token:{found.name}")
    return replace(found, revoked_at=now)
