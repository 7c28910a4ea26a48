"""The one secret key: given, or made at the first start; never a second one for the same database."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from quietshift.kernel import secret
from quietshift.kernel.db import Database, get_meta
from quietshift.kernel.errors import Invalid

GIVEN = "0123456789abcdef" * 4


def within(db: Database) -> str | None:
    with db.read() as tx:
        return get_meta(tx, "secret_key")


def test_without_a_given_key_one_is_made_and_found_again_by_every_process(db: Database, database_url: str) -> None:
    key = secret.obtain(db, "")
    assert len(key) == 64
    other = Database.open(database_url)
    try:
        assert secret.obtain(other, "") == key
    finally:
        other.close()


def test_a_key_within_the_database_is_warned_of_and_one_beside_it_is_its_owners_alone(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "quietshift.secret"):
        key = secret.obtain(db, "")
    if db.path is None:
        assert within(db) == key.decode()
        assert "QUIETSHIFT_SECRET_KEY_FILE" in caplog.text
        assert key.decode() not in caplog.text
    else:
        assert within(db) is None
        assert secret.key_file(db.path).stat().st_mode & 0o077 == 0
        assert not caplog.records


def test_a_key_that_is_given_is_kept_nowhere(db: Database) -> None:
    assert secret.obtain(db, GIVEN) == GIVEN.encode()
    assert within(db) is None
    assert db.path is None or not secret.key_file(db.path).exists()


def test_a_key_copied_out_of_the_database_and_given_is_deleted_there(db: Database) -> None:
    key = secret.obtain(db, "").decode()
    assert secret.obtain(db, key) == key.encode()
    assert within(db) is None


def test_another_key_is_refused_and_changes_nothing(db: Database) -> None:
    key = secret.obtain(db, "")
    with pytest.raises(Invalid, match="sealed under another secret key"):
        secret.obtain(db, GIVEN)
    assert secret.obtain(db, "") == key


def test_a_lost_key_is_missed_not_made_anew(db: Database) -> None:
    secret.obtain(db, GIVEN)
    with pytest.raises(Invalid, match="sealed under another secret key"):
        secret.obtain(db, "")
    assert within(db) is None
    assert db.path is None or not secret.key_file(Path(db.path)).exists()
