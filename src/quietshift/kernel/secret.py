"""The server's one secret key, and keys for single purposes derived from it."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from pathlib import Path

from quietshift.kernel.db import Database, Tx, get_meta
from quietshift.kernel.errors import Invalid

log = logging.getLogger("quietshift.secret")

_KEY, _FINGERPRINT = "secret_key", "key_fingerprint"


def obtain(db: Database, configured: str) -> bytes:
    """The key as configured, or the one made at the first start: kept in `<database>.key` beside a SQLite database, readable by
    its owner alone; within a PostgreSQL database, which several processes share, and a warning says so at each start.

    Once the key that is kept within the database is configured, it is deleted there.
    Raises Invalid where the database was sealed under another key.
    """
    if configured:
        key = configured.encode()
        _agree(db, key)
        _forget_within(db, key)
    elif db.path is not None:
        key = _kept_beside(db.path, known=_fingerprint(db) is not None)
        _agree(db, key)
    else:
        key = _kept_within(db)
        _agree(db, key)
        log.warning(
            "the secret key is kept in the database: whoever can write there can forge the journal and sign in people's name; "
            "copy it into a file and name that in QUIETSHIFT_SECRET_KEY_FILE (docs/how-to/postgresql.md)"
        )
    return key


def key_file(path: Path) -> Path:
    """Where the key of a SQLite database is kept."""
    return path.with_name(path.name + ".key")


def _agree(db: Database, key: bytes) -> None:
    """Raises Invalid where the database knows another key; from the first one on it knows one."""
    mark = hmac.new(key, b"quietshift key fingerprint", hashlib.sha256).hexdigest()[:32]
    with db.write() as tx:
        known = _first_of_all(tx, _FINGERPRINT, mark)
    if not hmac.compare_digest(known, mark):
        raise _sealed_under_another(db.path)


def _fingerprint(db: Database) -> str | None:
    with db.read() as tx:
        return get_meta(tx, _FINGERPRINT)


def _sealed_under_another(path: Path | None) -> Invalid:
    return Invalid(
        "this database was sealed under another secret key: give that one in QUIETSHIFT_SECRET_KEY_FILE"
        + (f" or put it back into {key_file(path)}" if path else "")
    )


def _kept_beside(database: Path, known: bool) -> bytes:
    """known: the database was sealed under some key before, so none is made."""
    path = key_file(database)
    if known and not path.exists():
        raise _sealed_under_another(database)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_bytes().strip()
    with os.fdopen(handle, "wb") as file:
        key = secrets.token_hex(32).encode()
        file.write(key + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def _kept_within(db: Database) -> bytes:
    with db.write() as tx:
        known = get_meta(tx, _FINGERPRINT)  # read first: another process that is starting writes it last
        key = get_meta(tx, _KEY)
        if key is None:
            if known is not None:
                raise _sealed_under_another(None)
            key = _first_of_all(tx, _KEY, secrets.token_hex(32))
    return key.encode()


def _first_of_all(tx: Tx, name: str, value: str) -> str:
    """What stands under that name: this value, unless another process was first."""
    from quietshift.kernel.schema import meta

    tx.upsert(meta, {"key": name, "value": value}, key=["key"], change=[])
    return get_meta(tx, name) or value


def _forget_within(db: Database, key: bytes) -> None:
    with db.read() as tx:
        kept = get_meta(tx, _KEY)
    if kept == key.decode():
        from quietshift.kernel.schema import meta

        with db.write() as tx:
            tx.execute(meta.delete().where(meta.c.key == _KEY))


def derive(key: bytes, purpose: str) -> bytes:
    """A key for one purpose ("journal", "ack-link"): 32 bytes that tell nothing about the others."""
    return hmac.new(key, f"quietshift:{purpose}".encode(), hashlib.sha256).digest()
