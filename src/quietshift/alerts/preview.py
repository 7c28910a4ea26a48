"""What a silence would mute: asked of the same decision by which it mutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from quietshift.alerts import decide, queries, silences
from quietshift.alerts.labels import Labels
from quietshift.alerts.matchers import Matchers
from quietshift.alerts.model import Silence
from quietshift.alerts.usecases import Alerting
from quietshift.kernel.db import Tx


@dataclass(frozen=True)
class Muted:
    """An alert that fires. already: it is silenced or inhibited without this silence too. receivers: who hears of it."""

    fingerprint: str
    labels: Labels
    summary: str
    receivers: tuple[str, ...]
    already: bool


@dataclass(frozen=True)
class Preview:
    """What would be muted at one instant. firing: how many alerts fire at all; boundless: no condition asks for a value."""

    matchers: Matchers
    muted: tuple[Muted, ...]
    firing: int
    boundless: bool

    @property
    def everything(self) -> bool:
        """Whether nothing would be heard any more, now or whatever comes."""
        return self.boundless or (self.firing > 1 and len(self.muted) == self.firing)


def fits(matchers: Matchers, labels: Labels, now: datetime) -> bool:
    """Whether a silence with these conditions mutes an alert with these labels while it is active."""
    return bool(decide.silenced_by([Silence("preview", matchers, now, now + timedelta(hours=1), "", "", now)], labels, now))


def preview(use: Alerting, tx: Tx, matchers: Matchers, now: datetime) -> Preview:
    """What a silence with these conditions would mute now."""
    firing = queries.alerts(use, tx, queries.Wanted(), now)
    found = tuple(
        Muted(
            alert["fingerprint"], alert["labels"], alert["annotations"].get("summary", ""),
            tuple(receiver["name"] for receiver in alert["receivers"]), alert["status"]["state"] != "active",
        )
        for alert in firing
        if fits(matchers, alert["labels"], now)
    )  # fmt: skip
    return Preview(matchers, found, len(firing), silences.names_nothing(matchers))


def muted_by_each(use: Alerting, tx: Tx, now: datetime) -> Mapping[str, int]:
    """How many firing alerts each silence mutes now."""
    firing = queries.alerts(use, tx, queries.Wanted(), now)
    return Counter(silence_id for alert in firing for silence_id in alert["status"]["silencedBy"])
