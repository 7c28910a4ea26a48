"""What the alerts room hands over, read and kept: the group's report, a new incident made of it, its alerts in the story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from quietshift.catalog.model import Catalog
from quietshift.incidents import decide, store
from quietshift.incidents.model import GroupAlert, GroupReport, Incident, IncidentAlert, TimelineEntry
from quietshift.kernel.clock import parse_rfc3339, rfc3339
from quietshift.kernel.db import Tx
from quietshift.kernel.ops import Loaded
from quietshift.paging.model import PagingConfig


def report(snapshot: Mapping[str, Any]) -> GroupReport:
    """The payload of an `incidents.group` timer, as alerts.notification.snapshot writes it. The group's key is its name: it
    stays the same when the group is empty for a while and is made anew."""
    alerts = tuple(_alert(raw) for raw in snapshot["alerts"])
    shared = [alert.annotations for alert in alerts]
    common = {k: v for k, v in (shared[0] if shared else {}).items() if all(other.get(k) == v for other in shared)}
    return GroupReport(
        group=snapshot["group_key"],
        receiver=snapshot["receiver"],
        escalation_policy=snapshot["escalation_policy"],
        firing=snapshot["status"] == "firing",
        alerts=alerts,
        group_labels=snapshot["group_labels"],
        common_labels=snapshot["common_labels"],
        common_annotations=common,
        reason=snapshot["reason"],
    )


def _alert(raw: Mapping[str, Any]) -> GroupAlert:
    return GroupAlert(
        raw["fingerprint"], raw["status"] == "firing", raw["labels"], raw["annotations"], parse_rfc3339(raw["starts_at"]),
        parse_rfc3339(raw["ends_at"]) if raw["ends_at"] else None, raw["generatorURL"],
    )  # fmt: skip


def opened(number: int, report: GroupReport, ops: Loaded, now: datetime) -> Incident:
    """A new incident: named by the alerts' summary, owned by who owns the service, else by who owns the policy."""
    catalog = ops.get(Catalog)
    candidates = decide.first_of(report, "service")
    service = next((name for name in candidates if catalog.component(name)), None)
    component = catalog.component(service) if service else None
    policy = ops.get(PagingConfig).policies.get(report.escalation_policy)
    owner = (component.owner if component else None) or (policy.owner if policy else None)
    links = decide.first_of(report, "runbook_url", annotation=True) or decide.first_of(report, "runbook_url")
    return Incident(
        id=number, group=report.group, receiver=report.receiver, title=decide.title(report),
        escalation_policy=report.escalation_policy, opened_at=now, updated_at=now, severity=decide.worst(report.alerts),
        alertname=decide.alertname(report), service=service, owner=str(owner) if owner else None,
        runbook_url=links[0] if links else "",
    )  # fmt: skip


def record_alerts(
    tx: Tx, incident_id: int, report: GroupReport, decision: decide.Decision, known: Sequence[IncidentAlert], now: datetime
) -> None:
    """Keep who joined and who ended, each with its labels and its group's in the timeline, and what firing ones say anew."""
    members = {one.alert.fingerprint: one for one in known}
    changed = {alert.fingerprint: IncidentAlert(alert, now) for alert in decision.joined}
    for alert in decision.ended:
        changed[alert.fingerprint] = IncidentAlert(alert, members[alert.fingerprint].joined_at, now)
    for alert in report.alerts:
        one = members.get(alert.fingerprint)
        if alert.firing and one is not None and alert.fingerprint not in changed and one.ended_at is None and one.alert != alert:
            changed[alert.fingerprint] = IncidentAlert(alert, one.joined_at)
    store.put_alerts(tx, incident_id, list(changed.values()))
    told = [_entry(now, "alert_firing", "fires", alert, report) for alert in decision.joined]
    told += [_entry(now, "alert_resolved", "has ended", alert, report) for alert in decision.ended]
    store.add_entries(tx, incident_id, told)


def _entry(now: datetime, kind: str, verb: str, alert: GroupAlert, report: GroupReport) -> TimelineEntry:
    data = {
        "fingerprint": alert.fingerprint, "labels": dict(alert.labels), "annotations": dict(alert.annotations),
        "group_labels": dict(report.group_labels), "generator_url": alert.generator_url,
        "starts_at": rfc3339(alert.starts_at) if alert.starts_at else None,
    }  # fmt: skip
    return TimelineEntry(now, kind, "alerts", f"{alert.name} {verb}", report.reason, data)
