"""Pages as they are counted, and what the counting shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

UNSAID = "unsaid"  # nobody has said what the page was


class By(StrEnum):
    """What pages are ranked by."""

    ALERT = "alert"
    OWNER = "owner"
    HOUR = "hour"


@dataclass(frozen=True)
class Paged:
    """One demand on one person's attention, and the incident that made it.

    owner: full reference of the owning group, or empty. verdict: what the page was, or empty while nobody has said.
    """

    incident_id: int
    alertname: str
    owner: str
    user: str
    due_at: datetime
    verdict: str = ""
    runbook_url: str = ""
    service: str = ""


@dataclass(frozen=True)
class Row:
    """What repeats. share: of all pages ranked, from 0 to 1. hours: pages by local hour of day, 24 numbers.

    people: how many were paged. nights: pages that were due at night; sleeps: nights of one person that were broken, of which
    several pages make one. runbook: whether there is one, None where the row is not of one alert.
    """

    key: str
    alertname: str
    owner: str
    pages: int
    incidents: int
    share: float
    people: int
    nights: int
    sleeps: int
    hours: tuple[int, ...]
    verdicts: Mapping[str, int] = field(hash=False)
    runbook: bool | None
    last_at: datetime

    @property
    def busiest_hour(self) -> int:
        """The local hour (0 to 23) with the most pages; of equals the earliest."""
        return self.hours.index(max(self.hours))


@dataclass(frozen=True)
class Ranking:
    """Pages of a span of time, ranked: most of them first."""

    start: datetime
    end: datetime
    pages: int
    nights: int
    sleeps: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Week:
    """The pages of one week, beginning on Monday; `nights`: those of them that were due at night."""

    monday: date
    pages: int
    nights: int

    @property
    def label(self) -> str:
        """`W47`, as ISO 8601 numbers weeks."""
        return f"W{self.monday.isocalendar().week:02}"
