"""The server's one secret key, and keys for single purposes derived from it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from quietshift.kernel.db import Database, get_meta, set_meta
from quietshift.kernel.errors import Invalid


def obtain(db: Database, configured: str) -> bytes:
    """The key as configured, or the one kept in `<database>.key` (made at the first start, readable by its owner alone).

    Raises Invalid where there is none on PostgreSQL, and where the database was sealed under another key.
    """
    key = configured.encode() if configured else _kept(db)
    mark = hmac.new(key, b"quietshift key fingerprint", hashlib.sha256).hexdigest()[:32]
    with db.write() as tx:
        known = get_meta(tx, "key_fingerprint")
        if known is None:
            set_meta(tx, "key_fingerprint", mark)
        elif not hmac.compare_digest(known, mark):
            raise Invalid(
                "this database was sealed under another secret key: give that one in QUIETSHIFT_SECRET_KEY_FILE"
                + (f" or put it back into {key_file(db.path)}" if db.path else "")
            )
    return key


def key_file(path: Path) -> Path:
    """Where the key of a SQLite database is kept."""
    return path.with_name(path.name + ".key")


def _kept(db: Database) -> bytes:
    if db.path is None:
        raise Invalid(
            "on PostgreSQL every process needs the same secret key: put one (openssl rand -hex 32) into a file and name it in "
            "QUIETSHIFT_SECRET_KEY_FILE"
        )
    path = key_file(db.path)
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


def derive(key: bytes, purpose: str) -> bytes:
    """A key for one purpose ("journal", "ack-link"): 32 bytes that tell nothing about the others."""
    return hmac.new(key, f"quietshift:{purpose}".encode(), hashlib.sha256).digest()
