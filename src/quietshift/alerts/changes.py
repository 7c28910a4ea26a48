"""What was changed about a service before something happened to it: told beside its incidents, never by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from quietshift.alerts import event_store
from quietshift.alerts.sources import Change
from quietshift.alerts.wires.reading import as_text
from quietshift.kernel.db import Tx

BEFORE = timedelta(hours=24)
MOST = 20  # of one service in that time: the newest


def before(tx: Tx, service: str | None, opened_at: datetime) -> list[Change]:
    """The changes of a service in the day before this instant, newest first."""
    return event_store.changes(tx, service, opened_at - BEFORE, opened_at, MOST) if service else []


def panel(tx: Tx, service: str | None, opened_at: datetime) -> Mapping[str, Any] | None:
    """What `changes.html` shows of them; None where there are none."""
    found = [
        {
            "summary": change.summary, "at": change.at, "by": change.source or change.integration,
            "details": [(name, as_text(value)) for name, value in change.details.items() if as_text(value)],
            "links": [{"href": address, "text": text} for address, text in change.links],
        }
        for change in before(tx, service, opened_at)
    ]  # fmt: skip
    return {"changes": found} if found else None
