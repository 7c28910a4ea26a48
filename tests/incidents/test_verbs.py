"""The verbs on a real database of each kind: what is saved, told, journaled and announced, and what is undone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from quietshift.incidents import store, usecases
from quietshift.incidents.model import Incident, Severity, State, Verdict
from quietshift.incidents.timeline import entry_as_json, timeline
from quietshift.kernel import timers
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.db import Database
from quietshift.kernel.errors import Conflict, Invalid, NotFound
from quietshift.kernel.live import Committed
from quietshift.kernel.ops import Loaded
from quietshift.kernel.settings import Settings
from quietshift.kernel.timers import Timer
from quietshift.paging import store as paging

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


def snapshot(*alerts: tuple[str, bool], service: str = "gitaly", policy: str = "storage", key: str = "{}:{a}") -> dict[str, Any]:
    labels = {"alertname": "DiskFull", "service": service}
    items = [
        {
            "fingerprint": name, "status": "firing" if firing else "resolved", "labels": {**labels, "instance": name},
            "annotations": {"summary": "Disks fill up", "runbook_url": "https://wiki/disk"}, "generatorURL": "http://prom/g",
            "starts_at": rfc3339(NOW), "ends_at": None if firing else rfc3339(NOW),
        }
        for name, firing in alerts
    ]  # fmt: skip
    status = "firing" if any(firing for _, firing in alerts) else "resolved"
    return {
        "group_id": 1, "group_key": key, "receiver": "storage", "escalation_policy": policy, "status": status,
        "reason": "first notification", "group_labels": {"alertname": "DiskFull"}, "common_labels": labels, "alerts": items,
    }  # fmt: skip


@pytest.fixture
def desk(db: Database, ops: Loaded, options: Settings) -> "Desk":
    return Desk(db, ops, options)


class Desk:
    def __init__(self, db: Database, ops: Loaded, settings: Settings) -> None:
        self.db, self.ops, self.settings = db, ops, settings

    def report(self, *alerts: tuple[str, bool], now: datetime = NOW, **options: str) -> Incident | None:
        timer = Timer("t", "incidents.group", "g", now, snapshot(*alerts, **options))
        with self.db.write() as tx:
            usecases.on_group(tx, timer, now, ops=self.ops, settings=self.settings)
            return next(iter(store.find(tx, limit=1)), None)

    def opened(self, *names: str) -> Incident:
        incident = self.report(*((name, True) for name in names or ("n1",)))
        assert incident is not None
        return incident


def test_an_incident_is_opened_whole(desk: Desk) -> None:
    incident = desk.opened("n1", "n2")
    assert (incident.ref, incident.title, incident.state) == ("INC-1001", "Disks fill up", State.TRIGGERED)
    assert (incident.service, incident.owner, incident.severity) == ("gitaly", "group:default/web", Severity.CRITICAL)
    assert (incident.alertname, incident.runbook_url) == ("DiskFull", "https://wiki/disk")
    with desk.db.read() as tx:
        assert store.get(tx, incident.id) == incident
        assert store.firing_counts(tx, [incident.id, 7]) == {incident.id: 2, 7: 0}
        assert [page.user for page in paging.pages(tx, incident.id)] == ["ana"]
        told = [entry_as_json(entry) for entry in timeline(tx, incident.id)]
    assert told[0]["kind"] == "alert_firing"
    assert told[0]["data"]["labels"]["instance"] == "n1"
    assert told[0]["data"]["group_labels"] == {"alertname": "DiskFull"}


def test_a_service_that_the_catalog_does_not_know_is_none_and_the_policys_owner_answers(desk: Desk) -> None:
    incident = desk.report(("n1", True), service="unheard-of")
    assert incident is not None
    assert (incident.service, incident.owner) == (None, "group:default/storage")


def test_the_database_itself_refuses_a_second_open_incident_of_a_group(desk: Desk) -> None:
    from dataclasses import replace

    incident = desk.opened()
    with pytest.raises(IntegrityError), desk.db.write() as tx:
        store.add(tx, replace(incident, id=7))


def test_each_verb_announces_the_incident_and_the_list(desk: Desk) -> None:
    incident = desk.opened()
    heard: list[Committed] = []
    desk.db.live.subscribe(heard.append)
    with desk.db.write() as tx:
        usecases.acknowledge(tx, incident.id, "user:ana", NOW)
    assert {"incidents", f"incident:{incident.id}", "journal"} <= heard[0].topics


def test_what_fails_leaves_nothing_behind(desk: Desk) -> None:
    incident = desk.opened()
    with pytest.raises(Invalid), desk.db.write() as tx:
        usecases.snooze(tx, incident.id, "user:ana", NOW - timedelta(hours=1), NOW)
    with pytest.raises(Invalid, match="nobody-here"), desk.db.write() as tx:
        usecases.reassign(tx, incident.id, "user:ana", ["user:nobody-here"], NOW, ops=desk.ops, settings=desk.settings)
    with desk.db.read() as tx:
        assert store.get(tx, incident.id) == incident
        assert timers.get(tx, usecases.SNOOZE_END, str(incident.id)) is None
        assert paging.next_step(tx, incident.id) is not None


def test_a_snooze_is_a_timer_and_acknowledging_takes_it_back(desk: Desk) -> None:
    incident = desk.opened()
    until = NOW + timedelta(hours=1)
    with desk.db.write() as tx:
        usecases.snooze(tx, incident.id, "user:ana", until, NOW, why="deploy runs")
        timer = timers.get(tx, usecases.SNOOZE_END, str(incident.id))
        assert timer is not None
        assert timer.due_at == until
        assert usecases.acknowledge(tx, incident.id, "user:ana", NOW).snoozed_until is None
        assert timers.get(tx, usecases.SNOOZE_END, str(incident.id)) is None


def test_a_snooze_timer_that_comes_late_wakes_nobody_about_what_is_resolved(desk: Desk) -> None:
    incident = desk.opened()
    with desk.db.write() as tx:
        usecases.resolve(tx, incident.id, "user:ana", NOW, verdict="noise")
        late = Timer("t", usecases.SNOOZE_END, str(incident.id), NOW, {})
        usecases.snooze_end(tx, late, NOW, ops=desk.ops, settings=desk.settings)
        assert store.get(tx, incident.id).state is State.RESOLVED
        assert store.get(tx, incident.id).verdict is Verdict.NOISE


def test_a_policy_that_was_taken_out_of_the_ops_directory_meanwhile_silences_nobody(desk: Desk) -> None:
    incident = desk.report(("n1", True), policy="long-gone")
    assert incident is not None
    with desk.db.read() as tx:
        assert [page.user for page in paging.pages(tx, incident.id)] == ["bo"]  # group:web owns gitaly


def test_reassign_takes_a_bare_name_as_a_user(desk: Desk) -> None:
    incident = desk.opened()
    with desk.db.write() as tx:
        after = usecases.reassign(tx, incident.id, "user:ana", ["bo"], NOW, ops=desk.ops, settings=desk.settings)
        assert after.assignees == ("user:bo",)
        assert [page.user for page in paging.open_pages(tx, incident.id)] == ["bo"]


def test_a_group_that_is_made_anew_under_the_same_key_is_the_same_group(desk: Desk) -> None:
    first = desk.opened("n1")
    again = desk.report(("n1", True), ("n2", True))
    assert again is not None
    assert again.id == first.id


def test_annotations_that_change_are_kept(desk: Desk) -> None:
    incident = desk.opened("n1")
    changed = snapshot(("n1", True))
    changed["alerts"][0]["annotations"] = {"summary": "Disks fill up", "value": "99 %"}
    with desk.db.write() as tx:
        timer = Timer("t", "incidents.group", "g", NOW, changed)
        usecases.on_group(tx, timer, NOW, ops=desk.ops, settings=desk.settings)
        assert store.alerts(tx, incident.id)[0].alert.annotations["value"] == "99 %"


def test_incidents_are_found_by_state_service_and_page(desk: Desk) -> None:
    for number in range(5):
        desk.report(("n1", True), key=f"{{}}:{{{number}}}", service="gitaly" if number else "else")
    with desk.db.write() as tx:
        usecases.resolve(tx, 1003, "user:ana", NOW)
    with desk.db.read() as tx:
        assert [one.id for one in store.find(tx, limit=2)] == [1005, 1004]
        assert [one.id for one in store.find(tx, limit=2, before=1004)] == [1003, 1002]
        assert [one.id for one in store.find(tx, states=["resolved"])] == [1003]
        assert [one.id for one in store.find(tx, service="gitaly", states=[State.TRIGGERED])] == [1005, 1004, 1002]
        assert [one.id for one in store.find(tx, owner="group:default/storage")] == [1001]
        assert store.count_by_state(tx) == {State.TRIGGERED: 4, State.ACKNOWLEDGED: 0, State.RESOLVED: 1}


def test_what_is_not_there_is_named(desk: Desk) -> None:
    with pytest.raises(NotFound, match="INC-4711"), desk.db.write() as tx:
        usecases.acknowledge(tx, 4711, "user:ana", NOW)


@pytest.mark.parametrize("words", ["", "  \n", "x" * 10_001])
def test_a_note_has_words_and_not_too_many(desk: Desk, words: str) -> None:
    incident = desk.opened()
    with pytest.raises(Invalid), desk.db.write() as tx:
        usecases.note(tx, incident.id, "user:ana", words, NOW)


def test_a_runbook_step_is_told_with_its_outcome_and_note(desk: Desk) -> None:
    incident = desk.opened()
    with desk.db.write() as tx:
        later = NOW + timedelta(minutes=1)
        usecases.record_step(tx, incident.id, "user:ana", "DiskFull", 2, "Drain the node", "failed", "no quorum", later)
        told = timeline(tx, incident.id)[-1]
    assert (told.kind, told.text, told.why) == ("step", "failed: step 2 of DiskFull, Drain the node", "no quorum")


def test_reopening_beside_an_open_one_is_refused(desk: Desk) -> None:
    incident = desk.opened()
    with desk.db.write() as tx:
        usecases.resolve(tx, incident.id, "user:ana", NOW)
    later = NOW + timedelta(hours=2)
    second = desk.report(("n1", True), ("n2", True), now=later)
    assert second is not None
    assert second.id != incident.id
    with pytest.raises(Conflict, match=second.ref), desk.db.write() as tx:
        usecases.reopen(tx, incident.id, "user:ana", later, ops=desk.ops, settings=desk.settings)
