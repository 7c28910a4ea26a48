"""What a receiver is told: Alertmanager's webhook (version 4), plain text for mail, the snapshot for the incident desk. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from quietshift.alerts import labels
from quietshift.alerts.labels import Labels
from quietshift.alerts.model import Alert
from quietshift.kernel.clock import rfc3339

if TYPE_CHECKING:
    from quietshift.channels.gotemplate import Data

NO_TIME = "0001-01-01T00:00:00Z"
_GO_META = re.compile(r"([\\.+*?()|\[\]{}^$])")


@dataclass(frozen=True)
class Notice:
    """A group as it is told at one instant. alerts: in notification order, each with whether it is over."""

    receiver: str
    group_key: str
    group_labels: Labels
    alerts: Sequence[tuple[Alert, bool]]
    external_url: str = ""

    @property
    def status(self) -> str:
        return "resolved" if all(over for _, over in self.alerts) else "firing"


def webhook(notice: Notice, max_alerts: int = 0) -> dict[str, Any]:
    """The body of a webhook, as Alertmanager's version 4 has it; max_alerts: 0 for all."""
    shown = notice.alerts[:max_alerts] if max_alerts else notice.alerts
    return {
        "receiver": _GO_META.sub(r"\\\1", notice.receiver),
        "status": "resolved" if all(over for _, over in shown) else "firing",
        "alerts": [_alert(alert, over) for alert, over in shown],
        "groupLabels": notice.group_labels,
        "commonLabels": labels.common([alert.labels for alert, _ in shown]),
        "commonAnnotations": labels.common([alert.annotations for alert, _ in shown]),
        "externalURL": notice.external_url,
        "version": "4",
        "groupKey": notice.group_key,
        "truncatedAlerts": len(notice.alerts) - len(shown),
    }


def template_data(notice: Notice, now: datetime | None = None) -> Data:
    """What templates see of a group. now: what `since` and `now` in them go by."""
    from quietshift.channels.gotemplate import Data

    return Data.from_json(webhook(notice), now)


def _alert(alert: Alert, over: bool) -> dict[str, Any]:
    return {
        "status": "resolved" if over else "firing",
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": rfc3339(alert.starts_at),
        "endsAt": rfc3339(alert.ends_at) if over else NO_TIME,
        "generatorURL": alert.generator_url,
        "fingerprint": labels.fingerprint(alert.labels),
    }


def snapshot(notice: Notice, group_id: int, escalation_policy: str, reason: str, now: datetime) -> dict[str, Any]:
    """What the incident desk is handed."""
    return {
        "group_id": group_id,
        "group_key": notice.group_key,
        "receiver": notice.receiver,
        "escalation_policy": escalation_policy,
        "status": notice.status,
        "reason": reason,
        "at": rfc3339(now),
        "group_labels": notice.group_labels,
        "common_labels": labels.common([alert.labels for alert, _ in notice.alerts]),
        "alerts": [
            {
                "status": "resolved" if over else "firing",
                "labels": alert.labels,
                "annotations": alert.annotations,
                "starts_at": rfc3339(alert.starts_at),
                "ends_at": rfc3339(alert.ends_at) if over else None,
                "generatorURL": alert.generator_url,
                "fingerprint": labels.fingerprint(alert.labels),
            }
            for alert, over in notice.alerts
        ],
    }
