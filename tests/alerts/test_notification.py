"""Shapes that others read: compared with what Debian's Alertmanager 0.25 posts (its webhook, version 4)."""

from datetime import UTC, datetime

from quietshift.alerts import notification
from quietshift.alerts.model import Alert
from quietshift.alerts.notification import Notice

T = datetime(2026, 11, 22, 0, 10, 5, 483000, tzinfo=UTC)
DISK = Alert(
    {"alertname": "DiskFull", "host": "a", "team": "storage"}, {"summary": "full"}, T, T.replace(hour=1), T,
    generator_url="http://p/g",
)
OTHER = Alert(
    {"alertname": "DiskFull", "host": "b", "team": "storage"}, {"summary": "nearly"}, T, T.replace(minute=12), T, lease=False
)
NOTICE = Notice("team.storage", '{}:{alertname="DiskFull"}', {"alertname": "DiskFull"}, [(DISK, False), (OTHER, True)], "http://qs")


def test_the_webhook_is_version_4():
    assert notification.webhook(NOTICE) == {
        "receiver": "team\\.storage",  # Alertmanager escapes it for use in patterns
        "status": "firing",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "DiskFull", "host": "a", "team": "storage"},
                "annotations": {"summary": "full"},
                "startsAt": "2026-11-22T00:10:05.483Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://p/g",
                "fingerprint": "1996ae6e0ab1f495",
            },
            {
                "status": "resolved",
                "labels": {"alertname": "DiskFull", "host": "b", "team": "storage"},
                "annotations": {"summary": "nearly"},
                "startsAt": "2026-11-22T00:10:05.483Z",
                "endsAt": "2026-11-22T00:12:05.483Z",
                "generatorURL": "",
                "fingerprint": notification.labels.fingerprint(OTHER.labels),
            },
        ],
        "groupLabels": {"alertname": "DiskFull"},
        "commonLabels": {"alertname": "DiskFull", "team": "storage"},
        "commonAnnotations": {},
        "externalURL": "http://qs",
        "version": "4",
        "groupKey": '{}:{alertname="DiskFull"}',
        "truncatedAlerts": 0,
    }


def test_truncated_alerts_are_counted_and_what_is_common_is_of_those_shown():
    body = notification.webhook(NOTICE, max_alerts=1)
    assert [a["labels"]["host"] for a in body["alerts"]] == ["a"]
    assert body["truncatedAlerts"] == 1
    assert body["commonLabels"]["host"] == "a"


def test_the_desk_gets_everything_it_needs_to_open_an_incident():
    told = notification.snapshot(NOTICE, 7, "storage", "first notification", T)
    shown = (told["group_id"], told["escalation_policy"], told["status"], told["receiver"])
    assert shown == (7, "storage", "firing", "team.storage")
    assert [a["ends_at"] for a in told["alerts"]] == [None, "2026-11-22T00:12:05.483Z"]
    assert told["common_labels"] == {"alertname": "DiskFull", "team": "storage"}
    nothing = notification.snapshot(Notice("r", "k", {}, []), 0, "", "gone", T)
    assert (nothing["status"], nothing["alerts"]) == ("resolved", [])
