"""A real database of each kind with the ground's tables, and a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from quietshift.kernel.clock import ManualClock
from quietshift.kernel.db import Database
from quietshift.kernel.schema import metadata

START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database.open(database_url)
    metadata.create_all(database.raw_engine())
    yield database
    database.close()
