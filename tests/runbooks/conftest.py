"""A real database of each kind, an incident in it, and a runbook."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from quietshift.incidents import store as incidents
from quietshift.incidents.model import Incident
from quietshift.kernel.db import Database
from quietshift.kernel.schema import metadata
from quietshift.runbooks.config import parse
from quietshift.runbooks.model import Runbooks

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)


@pytest.fixture
def books() -> Runbooks:
    text = "# Checkout fails\n1. Look\n2. Act\n\n   [docs](https://example.org/d)\n3. Verify\n"
    return Runbooks({"CheckoutFailing": parse("CheckoutFailing", text)})


@pytest.fixture
def incident() -> Incident:
    return Incident(
        id=1042, group="g", receiver="payments", title="Checkout fails", escalation_policy="payments", opened_at=NOW,
        updated_at=NOW, alertname="CheckoutFailing",
    )  # fmt: skip


@pytest.fixture
def db(database_url: str, incident: Incident) -> Iterator[Database]:
    from quietshift.runbooks import store  # noqa: F401 - its table

    database = Database.open(database_url)
    metadata.create_all(database.raw_engine())
    with database.write() as tx:
        incidents.add(tx, incident)
    yield database
    database.close()
