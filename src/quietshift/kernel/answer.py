"""What came of an attempt to bring something outside. Apart from the outbox, whose rows need SQLAlchemy: channels are loaded with
the configuration, before the door listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Answer:
    """What the provider said. temporary: worth another try; permanent: not. text: its own words; code: its status."""

    outcome: Literal["accepted", "temporary", "permanent"]
    text: str = ""
    code: int | None = None
