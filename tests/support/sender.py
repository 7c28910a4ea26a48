"""A sender of alerts like Prometheus, under control: it repeats what was not answered 200, and remembers what was."""

import http.client
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.talk import Reply, ask, rfc3339

LEASE = timedelta(minutes=4)  # Prometheus ends a firing alert four resend delays ahead, and moves that with every repeat


@dataclass
class Alert:
    """What the sender knows of one alert. answered: the server has said 200 to this very state at least once."""

    labels: Mapping[str, str]
    starts_at: datetime
    ended_at: datetime | None = None
    answered: bool = False
    ever_answered: bool = False
    resolve_answered: bool = False

    @property
    def name(self) -> str:
        return self.labels["alertname"]

    def wire(self, lease: timedelta) -> dict[str, Any]:
        ends_at = self.ended_at or datetime.now(UTC) + lease
        return {
            "labels": dict(self.labels), "annotations": {"summary": f"{self.name} of {self.labels.get('service', 'nobody')}"},
            "startsAt": rfc3339(self.starts_at), "endsAt": rfc3339(ends_at), "generatorURL": "http://prometheus.example/graph",
        }  # fmt: skip


@dataclass
class Sender:
    """Posts to `url` (of the server). `lease`: how far ahead a firing alert's end is."""

    url: str
    lease: timedelta = LEASE
    alerts: dict[str, Alert] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def fire(self, name: str, **labels: str) -> Alert:
        """An alert begins to fire; sent with the next `send`."""
        started = Alert({"alertname": name, "service": "gitaly", **labels}, datetime.now(UTC))
        self.alerts[name] = started
        return started

    def end(self, name: str) -> None:
        """It stops firing; told with the next `send`."""
        self.alerts[name].ended_at = datetime.now(UTC)
        self.alerts[name].answered = False

    def send(self, *names: str, timeout: float = 15) -> Reply | None:
        """Post these alerts (none: all) once; None where there was no answer."""
        chosen = [self.alerts[name] for name in names] or list(self.alerts.values())
        try:
            reply = ask(
                f"{self.url}/api/v2/alerts", "POST", json_body=[alert.wire(self.lease) for alert in chosen], headers=self.headers,
                timeout=timeout,
            )  # fmt: skip
        except (OSError, http.client.HTTPException):
            return None
        if reply.status == 200:
            self._answered(chosen)
        return reply

    def _answered(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            alert.answered = alert.ever_answered = True
            alert.resolve_answered = alert.resolve_answered or alert.ended_at is not None

    def insist(self, *names: str, within: float = 30) -> None:
        """Post until it is answered 200, as a sender does whose alert still fires."""
        deadline = time.monotonic() + within
        reply = self.send(*names)
        while reply is None or reply.status != 200:
            assert time.monotonic() < deadline, f"no 200 in {within} s; last: {reply}"
            time.sleep(0.1)  # waits for another process
            reply = self.send(*names)
