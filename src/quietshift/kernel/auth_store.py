"""Accounts, sessions, set-up links and API tokens: their tables. Of what is a secret only a digest is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Index, Integer, Table, Text, delete, func, insert, select, update

from quietshift.kernel.db import Tx
from quietshift.kernel.schema import Instant, Json, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),  # the catalog's User
    Column("password_hash", Text, nullable=False),  # argon2id
    Column("role", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", Text, primary_key=True),  # SHA-256 of the cookie
    Column("account", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index("ix_sessions_account", "account"),
)

setup_links = Table(
    "setup_links",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("account", Text),  # null: the first administrator chooses
    Column("role", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Instant),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
    Index("uq_api_tokens_name", "name", unique=True),
    Index("uq_api_tokens_digest", "digest", unique=True),
)

# How often somebody tried to sign in, by whom and from where.
sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("since", Instant, nullable=False),
)


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in; name is that of the catalog's User."""

    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None
    password_hash: str = ""

    def __repr__(self) -> str:
        return f"Account({self.name!r}, {self.role!r})"


@dataclass(frozen=True)
class Session:
    """A signed-in browser, with its account."""

    digest: str
    account: Account
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class SetupLink:
    """An invitation. account None: whoever opens it first becomes the first administrator."""

    digest: str
    account: str | None
    role: str
    expires_at: datetime


@dataclass(frozen=True)
class ApiToken:
    """A token as it may be shown: without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def account(tx: Tx, name: str) -> Account | None:
    row = tx.execute(select(accounts).where(accounts.c.name == name)).one_or_none()
    return None if row is None else _account(row)


def all_accounts(tx: Tx) -> list[Account]:
    """Everybody, by name."""
    return [_account(row) for row in tx.execute(select(accounts).order_by(accounts.c.name))]


def count_accounts(tx: Tx) -> int:
    return int(tx.execute(select(func.count()).select_from(accounts)).scalar_one())


def admins(tx: Tx) -> list[str]:
    """The names of the administrators who can sign in."""
    statement = select(accounts.c.name).where(accounts.c.role == "admin", accounts.c.disabled_at.is_(None))
    return list(tx.execute(statement.order_by(accounts.c.name)).scalars())


def put_account(tx: Tx, name: str, role: str, password_hash: str, now: datetime) -> None:
    """Make the account, or set the password and role of the one there is and enable it."""
    values = {"name": name, "role": role, "password_hash": password_hash, "created_at": now, "disabled_at": None}
    tx.upsert(accounts, values, key=["name"], change=["role", "password_hash", "disabled_at"])


def change_account(tx: Tx, name: str, values: Mapping[str, Any]) -> bool:
    """Set columns of an account; tells whether there is one."""
    return tx.execute(update(accounts).where(accounts.c.name == name).values(**values)).rowcount > 0


def add_session(tx: Tx, digest: str, name: str, now: datetime, expires_at: datetime) -> None:
    tx.execute(
        insert(sessions),
        {"digest": digest, "account": name, "created_at": now, "seen_at": now, "expires_at": expires_at},
    )


def session(tx: Tx, digest: str) -> Session | None:
    row = tx.execute(
        select(
            accounts, sessions.c.created_at.label("opened_at"), sessions.c.seen_at, sessions.c.expires_at, sessions.c.digest
        )
        .join(accounts, accounts.c.name == sessions.c.account)
        .where(sessions.c.digest == digest)
    ).one_or_none()
    return None if row is None else Session(row.digest, _account(row), row.opened_at, row.seen_at, row.expires_at)


def touch_session(tx: Tx, digest: str, now: datetime) -> None:
    tx.execute(update(sessions).where(sessions.c.digest == digest).values(seen_at=now))


def end_session(tx: Tx, digest: str) -> str | None:
    """Remove it; returns whose it was."""
    return tx.execute(delete(sessions).where(sessions.c.digest == digest).returning(sessions.c.account)).scalar_one_or_none()


def end_sessions(tx: Tx, name: str, keep: str = "") -> int:
    """Remove all sessions of an account but the one with the digest `keep`; returns how many."""
    return tx.execute(delete(sessions).where(sessions.c.account == name, sessions.c.digest != keep)).rowcount


def sweep(tx: Tx, now: datetime, idle: timedelta, window: timedelta) -> None:
    """Remove what is over: sessions, links, counts of attempts."""
    tx.execute(delete(sessions).where((sessions.c.expires_at <= now) | (sessions.c.seen_at <= now - idle)))
    tx.execute(delete(setup_links).where(setup_links.c.expires_at <= now))
    tx.execute(delete(sign_in_attempts).where(sign_in_attempts.c.since <= now - window))


def add_setup_link(
    tx: Tx, digest: str, name: str | None, role: str, by: str, now: datetime, expires_at: datetime
) -> None:
    """Add it; earlier links for the same account (or for the first administrator) are void."""
    same = setup_links.c.account.is_(None) if name is None else setup_links.c.account == name
    tx.execute(delete(setup_links).where(same))
    values = {"digest": digest, "account": name, "role": role, "created_at": now, "created_by": by, "expires_at": expires_at}
    tx.execute(insert(setup_links), values)


def setup_link(tx: Tx, digest: str) -> SetupLink | None:
    row = tx.execute(select(setup_links).where(setup_links.c.digest == digest)).one_or_none()
    return None if row is None else SetupLink(row.digest, row.account, row.role, row.expires_at)


def take_setup_link(tx: Tx, digest: str) -> bool:
    """Use it up; False where somebody else was faster."""
    return tx.execute(delete(setup_links).where(setup_links.c.digest == digest)).rowcount > 0


def drop_setup_links(tx: Tx, name: str) -> None:
    tx.execute(delete(setup_links).where(setup_links.c.account == name))


def add_token(tx: Tx, token: ApiToken, digest: str) -> None:
    tx.execute(
        insert(api_tokens),
        {
            "id": token.id, "name": token.name, "digest": digest, "scopes": list(token.scopes), "created_at": token.created_at,
            "created_by": token.created_by, "expires_at": token.expires_at, "last_used_at": None, "revoked_at": None,
        },
    )


def token(tx: Tx, *, digest: str = "", name: str = "", id: str = "") -> ApiToken | None:
    """The token with this digest, this name or this id."""
    column, value = (
        (api_tokens.c.digest, digest) if digest else (api_tokens.c.name, name) if name else (api_tokens.c.id, id)
    )
    row = tx.execute(select(api_tokens).where(column == value)).one_or_none()
    return None if row is None else _token(row)


def tokens(tx: Tx) -> list[ApiToken]:
    """Every token, the newest first."""
    return [_token(row) for row in tx.execute(select(api_tokens).order_by(api_tokens.c.id.desc()))]


def change_token(tx: Tx, id: str, values: Mapping[str, Any]) -> None:
    tx.execute(update(api_tokens).where(api_tokens.c.id == id).values(**values))


def bump_attempts(tx: Tx, key: str, now: datetime, window: timedelta) -> tuple[int, datetime]:
    """Count one more attempt; returns how many there are in the running window, and when that began."""
    tx.upsert(sign_in_attempts, {"key": key, "count": 0, "since": now}, key=["key"], change=[])
    mine = sign_in_attempts.c.key == key
    tx.execute(
        update(sign_in_attempts).where(mine, sign_in_attempts.c.since <= now - window).values(count=0, since=now)
    )
    bump = update(sign_in_attempts).where(mine).values(count=sign_in_attempts.c.count + 1)
    row = tx.execute(bump.returning(sign_in_attempts.c.count.label("tries"), sign_in_attempts.c.since)).one()
    return row.tries, row.since


def clear_attempts(tx: Tx, keys: list[str]) -> None:
    tx.execute(delete(sign_in_attempts).where(sign_in_attempts.c.key.in_(keys)))


def _account(row: Any) -> Account:
    return Account(row.name, row.role, row.created_at, row.disabled_at, row.password_hash)


def _token(row: Any) -> ApiToken:
    return ApiToken(
        row.id, row.name, tuple(row.scopes), row.created_at, row.created_by, row.expires_at, row.last_used_at, row.revoked_at
    )
