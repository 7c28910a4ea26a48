"""One group, one incident: what joins it, what ends it, when it is the same one again."""

from datetime import timedelta

import pytest

from quietshift.alerts import usecases as alerts
from quietshift.alerts.matchers import parse_matchers
from quietshift.alerts.model import Silence
from quietshift.incidents import usecases
from quietshift.incidents.model import Severity, State, Verdict
from quietshift.kernel import journal, queue, timers
from quietshift.kernel.errors import Conflict, IllegalTransition
from tests.stories.world import World


@pytest.fixture
def paged(world: World) -> World:
    """02:00: it fires, ana was paged."""
    world.on_shift("storage", primary="ana", secondary="bo")
    return world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly", instance="n1").expect_page("ana")


def test_the_same_group_does_not_open_two_and_a_new_alert_joins(paged: World) -> None:
    paged.ack("ana").at("02:03").alert("GitErrorBudgetBurn", service="gitaly", instance="n2")
    paged.at("03:00").expect_no_more_pages()
    assert len(paged.incidents) == 1
    told = [entry for entry in paged.timeline() if entry.kind == "alert_firing"]
    assert [entry.data["labels"]["instance"] for entry in told] == ["n1", "n2"]
    assert told[0].data["group_labels"] == {"alertname": "GitErrorBudgetBurn", "service": "gitaly"}
    joined = next(entry for entry in paged.timeline() if entry.kind == "alerts_joined")
    assert joined.why == "1 new alert joined: nobody is paged again, for ana has it and none is worse than critical"


def test_another_group_is_another_incident(paged: World) -> None:
    paged.alert("DiskFull", service="gitaly").expect_page("ana", within="30s")
    assert [one.alertname for one in paged.incidents] == ["GitErrorBudgetBurn", "DiskFull"]


def test_it_resolves_when_all_its_alerts_have_ended_and_not_before(paged: World) -> None:
    paged.alert("GitErrorBudgetBurn", service="gitaly", instance="n2").ack("ana")
    paged.at("02:20").resolve_alerts(instance="n1").at("02:30")
    assert paged.state is State.ACKNOWLEDGED
    paged.resolve_alerts(instance="n2").at("02:40")
    assert (paged.state, paged.incident.resolved_by) == (State.RESOLVED, "alerts")
    assert paged.incident.acknowledged_at is not None


def test_alerts_that_end_before_anybody_answers_stop_the_calls(paged: World) -> None:
    paged.at("02:03").resolve_alerts().at("03:00").expect_no_more_pages()
    assert paged.state is State.RESOLVED


def test_fires_again_within_the_window_it_is_the_same_incident_and_pages_again(paged: World) -> None:
    paged.ack("ana").at("02:10").resolve_alerts().at("02:35").alert("GitErrorBudgetBurn", service="gitaly", instance="n1")
    paged.expect_page("ana", within="1m")
    assert [(one.state, one.reopened) for one in paged.incidents] == [(State.TRIGGERED, 1)]
    assert "was resolved by its alerts" in next(e for e in paged.timeline() if e.kind == "reopened").why


def test_fires_again_after_the_window_it_is_another_incident(paged: World) -> None:
    paged.ack("ana").at("02:10").resolve_alerts().at("03:10").alert("GitErrorBudgetBurn", service="gitaly", instance="n1")
    paged.expect_page("ana", within="1m")
    assert [one.state for one in paged.incidents] == [State.RESOLVED, State.TRIGGERED]


def test_the_window_is_a_setting(world: World) -> None:
    world.settings["reopen_within"] = "2h"
    world.on_shift("storage", primary="ana")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana").ack("ana")
    world.at("02:10").resolve_alerts().at("03:10").alert("GitErrorBudgetBurn", service="gitaly").expect_page("ana", within="1m")
    assert len(world.incidents) == 1


def test_resolved_by_hand_it_rests_while_the_same_alerts_fire_on(paged: World) -> None:
    paged.at("02:05").expect_page("bo").do(usecases.resolve, "bo", verdict="known", why="load test")
    paged.at("06:30").expect_no_more_pages()  # repeat_interval has passed
    assert len(paged.incidents) == 1
    assert (paged.state, paged.incident.verdict) == (State.RESOLVED, Verdict.KNOWN)
    left = [entry for entry in paged.timeline() if entry.kind == "left"]
    assert left
    assert "resolved by bo" in left[0].why


def test_resolved_by_hand_something_new_opens_it_again(paged: World) -> None:
    paged.at("02:02").do(usecases.resolve, "ana")
    paged.at("02:10").alert("GitErrorBudgetBurn", service="gitaly", instance="n2").expect_page("ana", within="1m")
    assert [(one.state, one.reopened) for one in paged.incidents] == [(State.TRIGGERED, 1)]


def test_reopened_by_hand_it_pages_from_the_first_step(paged: World) -> None:
    paged.do(usecases.resolve, "ana")
    paged.at("04:00").do(usecases.reopen, "bo", configured=True, why="users still report it")
    paged.expect_page("ana", because="users still report it")


def test_an_older_incident_is_not_reopened_beside_an_open_one(paged: World) -> None:
    first = paged.incident
    paged.ack("ana").at("02:10").resolve_alerts().at("03:10").alert("GitErrorBudgetBurn", service="gitaly", instance="n1")
    paged.wait("1m")
    with pytest.raises(Conflict, match=f"{paged.incident.ref} is open for the same alerts"), paged.app.db.write() as tx:
        usecases.reopen(tx, first.id, "user:bo", paged.now, ops=paged.app.ops.current, settings=paged.app.settings)


def test_a_worse_alert_pages_again_although_somebody_has_it(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly", severity="warning").expect_page("ana").ack("ana")
    world.at("02:05").alert("GitErrorBudgetBurn", service="gitaly", severity="critical")
    world.expect_page("ana", within="1m", because="worse than the warning before")
    assert (world.state, world.incident.severity) == (State.TRIGGERED, Severity.CRITICAL)


def test_a_severity_set_by_hand_stands(world: World) -> None:
    world.on_shift("storage", primary="ana", secondary="bo")
    world.at("02:00").alert("GitErrorBudgetBurn", service="gitaly", severity="warning").expect_page("ana").ack("ana")
    world.do(usecases.set_severity, "ana", "info")
    world.at("02:05").alert("GitErrorBudgetBurn", service="gitaly", severity="critical").at("03:00").expect_no_more_pages()
    assert (world.state, world.incident.severity) == (State.ACKNOWLEDGED, Severity.INFO)


def test_an_illegal_verb_changes_nothing_and_paging_goes_on_as_it_was(paged: World) -> None:
    with pytest.raises(IllegalTransition, match="triggered: it cannot take 'classify'"):
        paged.do(usecases.classify, "ana", "noise")
    paged.at("02:05").expect_page("bo")
    paged.do(usecases.resolve, "bo")
    with pytest.raises(IllegalTransition, match="resolved: it cannot take 'acknowledge'"):
        paged.ack("ana")
    with pytest.raises(IllegalTransition, match="resolved: it cannot take 'snooze'"):
        paged.do(usecases.snooze, "ana", paged.now + timedelta(hours=1))
    paged.at("03:00").expect_no_more_pages()


def test_service_and_owner_come_from_the_catalog(world: World) -> None:
    world.on_shift("storage", primary="ana")
    world.on_shift("web", primary="dee")
    world.at("02:00").alert("A", service="gitaly").alert("B", service="unheard-of", summary="Something odd")
    known, odd = world.incidents
    assert (known.service, known.owner) == ("gitaly", "group:default/storage")
    assert (odd.service, odd.owner, odd.title) == (None, "group:default/storage", "Something odd")


def test_the_timeline_tells_alert_page_attempt_note_and_ack_in_order_with_who_and_why(paged: World) -> None:
    paged.at("02:01").do(usecases.note, "ana", "looks like n1; password=hunter22 was in the log")
    paged.at("02:02").ack("ana").at("02:10").resolve_alerts().at("02:12")
    entries = paged.timeline()
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    kinds = [
        entry.kind
        for entry in entries
        if entry.kind in ("alert_firing", "opened", "attempt", "note", "acknowledged", "alert_resolved", "resolved")
    ]
    assert kinds == ["alert_firing", "opened", "attempt", "note", "acknowledged", "alert_resolved", "resolved"]
    by_kind = {entry.kind: entry for entry in entries}
    assert (by_kind["attempt"].data["user"], by_kind["attempt"].data["outcome"]) == ("ana", "accepted")
    assert by_kind["acknowledged"].actor == "user:ana"
    assert by_kind["resolved"].why == "all its alerts have ended"
    assert "hunter22" not in by_kind["note"].text


def test_every_verb_is_on_record(paged: World) -> None:
    paged.ack("ana").do(usecases.resolve, "ana", verdict="noise")
    with paged.app.db.read() as tx:
        acts = [(one.act, one.actor) for one in journal.entries(tx, subject=paged.incident.subject)]
    assert [act for act in reversed(acts) if act[0].startswith("incident.")] == [
        ("incident.opened", "system"), ("incident.acknowledged", "user:ana"), ("incident.resolved", "user:ana"),
    ]  # fmt: skip


def test_what_ends_under_a_long_silence_resolves_its_incident_all_the_same(paged: World) -> None:
    """Longer than anything is remembered of what was told: else the next outage joins an incident that somebody has."""
    paged.ack("ana")
    matchers = parse_matchers('alertname="GitErrorBudgetBurn"')
    silence = Silence("", matchers, paged.now, paged.now + timedelta(days=7), "ana", "known", paged.now)
    with paged.app.db.write() as tx:
        alerts.set_silence(tx, silence, "user:ana", paged.now)
    paged.at("12:00").at("00:00")
    assert paged.state is State.ACKNOWLEDGED
    paged.resolve_alerts().at("00:10")
    assert (paged.state, paged.incident.resolved_by) == (State.RESOLVED, "alerts")


def test_an_older_incident_that_was_reopened_hears_of_its_group(paged: World) -> None:
    paged.resolve_alerts().at("03:10").alert("GitErrorBudgetBurn", service="gitaly", instance="n1")
    paged.expect_page("ana", within="1m").do(usecases.resolve, "ana")
    older, newer = paged.incidents
    options = {"ops": paged.app.ops.current, "settings": paged.app.settings}
    with paged.app.db.write() as tx:
        usecases.reopen(tx, older.id, "user:ana", paged.now, **options)
    paged.until(paged.now).expect_page("ana", within="10s")
    paged.at("03:14").alert("GitErrorBudgetBurn", service="gitaly", instance="n2").at("03:18").resolve_alerts().at("03:30")
    with paged.app.db.read() as tx:
        assert timers.parked(tx) == []
        assert [timer.error for timer in queue.waiting(tx) if timer.error] == []
    assert [(one.id, one.state) for one in paged.incidents] == [(older.id, State.RESOLVED), (newer.id, State.RESOLVED)]
    assert paged.incidents[0].resolved_by == "alerts"
