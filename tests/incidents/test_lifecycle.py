"""The lifecycle against its table: whatever happens in whatever order."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from quietshift.incidents import decide, model
from quietshift.incidents.model import TRANSITIONS, Event, EventName, Incident, Severity, State, Verdict
from quietshift.kernel.errors import IllegalTransition, Invalid

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


def incident(**values: object) -> Incident:
    base: dict[str, object] = {
        "id": 1042, "group": "g", "receiver": "r", "title": "Git push fails", "escalation_policy": "storage", "opened_at": NOW,
        "updated_at": NOW,
    }  # fmt: skip
    return Incident(**{**base, **values})  # type: ignore[arg-type]  # the values are typed where they are written


def acknowledged(**values: object) -> Incident:
    return incident(state=State.ACKNOWLEDGED, acknowledged_at=NOW, acknowledged_by="user:ana", assignees=("user:ana",), **values)


def resolved(**values: object) -> Incident:
    return incident(**{"state": State.RESOLVED, "resolved_at": NOW, "resolved_by": "alerts", **values})


actors = st.sampled_from(["user:ana", "user:bo", "link:chen", "token:ci", "system"])
words = st.sampled_from(["", "deploy rolled back"])


def events(now: datetime) -> st.SearchStrategy[Event]:
    later = st.timedeltas(timedelta(seconds=1), timedelta(days=2)).map(lambda span: now + span)
    severities, verdicts = st.sampled_from(Severity), st.sampled_from(Verdict)
    built: list[st.SearchStrategy[Event]] = [
        st.builds(model.Acknowledge, actors, words),
        st.builds(model.Resolve, actors, words, st.none() | verdicts, st.integers(0, 3)),
        st.builds(model.AlertsResolved, st.just("alerts"), st.just("all its alerts have ended")),
        st.builds(model.Snooze, actors, words, until=later),
        st.builds(model.SnoozeEnd),
        st.builds(model.Escalate, actors, words),
        st.builds(model.Reassign, actors, words, targets=st.just(("user:dee",))),
        st.builds(model.SeverityRose, severity=severities),
        st.builds(model.Reopen, actors, words),
        st.builds(model.AlertsJoined, count=st.integers(1, 9)),
        st.builds(model.AlertsEnded, count=st.integers(1, 9)),
        st.builds(model.SetSeverity, actors, words, severity=severities),
        st.builds(model.Note, actors, words),
        st.builds(model.Step, actors, words),
        st.builds(model.Classify, actors, words, verdict=verdicts),
    ]
    return st.one_of(built)


class Lifecycle(RuleBasedStateMachine):
    """Any events in any order: the table alone says where they lead, and every value on the way is a valid one."""

    @initialize()
    def begin(self) -> None:
        self.now = NOW
        self.incident = incident()
        self.by_hand: Severity | None = None

    @rule(data=st.data(), wait=st.timedeltas(timedelta(0), timedelta(hours=6)))
    def take(self, data: st.DataObject, wait: timedelta) -> None:
        self.now += wait
        event = data.draw(events(self.now))
        before = self.incident
        expected = TRANSITIONS.get((before.state, event.name))
        not_snoozed = event.name is EventName.SNOOZE_END and before.snoozed_until is None
        if expected is None or not_snoozed:
            with pytest.raises(IllegalTransition) as refused:
                decide.transition(before, event, self.now)
            assert str(event.name) in str(refused.value)
            assert str(before.state) in str(refused.value) or not_snoozed
            return
        self.incident, reason = decide.transition(before, event, self.now)
        assert self.incident.state is expected
        assert reason or event.name in (EventName.NOTE, EventName.STEP)
        assert not event.why or event.why in reason
        assert (self.incident.id, self.incident.group, self.incident.opened_at) == (before.id, before.group, before.opened_at)
        assert self.incident.reopened - before.reopened == (event.name is EventName.REOPEN)

    @invariant()
    def what_is_triggered_waits_for_somebody(self) -> None:
        one = self.incident
        if one.state is State.TRIGGERED:
            assert one.acknowledged_at is None
            assert not one.acknowledged_by
            assert one.snoozed_until is None
        if one.state is State.ACKNOWLEDGED:
            assert one.acknowledged_by
            assert one.assignees
        assert one.is_open == (one.resolved_at is None)


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_every_state_can_be_left_for_rest_and_every_event_is_taken_somewhere() -> None:
    taken = {event for _, event in TRANSITIONS}
    assert taken == set(EventName)
    for state in (State.TRIGGERED, State.ACKNOWLEDGED):
        assert TRANSITIONS[state, EventName.RESOLVE] is State.RESOLVED
        assert TRANSITIONS[state, EventName.ALERTS_RESOLVED] is State.RESOLVED


@given(event=events(NOW))
def test_an_illegal_event_names_the_incident_its_state_and_the_event(event: Event) -> None:
    before = resolved()
    if (State.RESOLVED, event.name) in TRANSITIONS:
        return
    with pytest.raises(IllegalTransition, match=rf"INC-1042 is resolved: it cannot take '{event.name}'"):
        decide.transition(before, event, NOW)


def test_who_acknowledges_second_joins_and_the_first_instant_stands() -> None:
    after, reason = decide.transition(acknowledged(), model.Acknowledge("user:bo"), NOW + timedelta(minutes=4))
    assert (after.acknowledged_by, after.acknowledged_at) == ("user:ana", NOW)
    assert after.assignees == ("user:ana", "user:bo")
    assert reason == "bo joins: ana has had it since 2026-11-21T02:00:00Z"


def test_who_acknowledges_twice_changes_nothing() -> None:
    before = acknowledged()
    after, reason = decide.transition(before, model.Acknowledge("link:ana"), NOW + timedelta(minutes=4))
    assert after == before
    assert reason.startswith("nothing changes")


def test_a_snooze_acknowledges_and_its_end_triggers_again() -> None:
    until = NOW + timedelta(hours=1)
    snoozed, reason = decide.transition(incident(), model.Snooze("user:ana", until=until), NOW)
    assert (snoozed.state, snoozed.snoozed_until) == (State.ACKNOWLEDGED, until)
    assert "pages again" in reason
    again, _ = decide.transition(snoozed, model.SnoozeEnd(), until)
    assert (again.state, again.snoozed_until, again.acknowledged_at, again.assignees) == (State.TRIGGERED, None, None, ())


def test_an_acknowledgement_ends_the_snooze() -> None:
    snoozed = acknowledged(snoozed_until=NOW + timedelta(hours=1))
    after, reason = decide.transition(snoozed, model.Acknowledge("user:ana"), NOW)
    assert after.snoozed_until is None
    assert "the snooze ends" in reason


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(seconds=1), NOW + timedelta(days=31), datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_snooze_that_is_past_or_never_ends_is_refused(until: datetime) -> None:
    with pytest.raises(Invalid, match=r"INC-1042 can be snoozed until an instant within the next 30d"):
        decide.transition(incident(), model.Snooze("user:ana", until=until), NOW)


def test_resolved_by_hand_while_alerts_fire_says_so() -> None:
    event = model.Resolve("user:ana", "known load test", Verdict.KNOWN, 2)
    after, reason = decide.transition(incident(), event, NOW)
    assert (after.state, after.resolved_by, after.verdict) == (State.RESOLVED, "user:ana", Verdict.KNOWN)
    assert reason == "resolved by ana while 2 alerts still fire, as known: known load test"


def test_a_severity_set_by_hand_is_remembered_as_such() -> None:
    after, _ = decide.transition(incident(), model.SetSeverity("user:ana", severity=Severity.INFO), NOW)
    assert (after.severity, after.severity_by) == (Severity.INFO, "user:ana")


def test_an_incident_reopened_has_no_verdict_and_nobody_who_has_it() -> None:
    before = resolved(verdict=Verdict.NOISE, assignees=("user:ana",))
    after, reason = decide.transition(before, model.Reopen("user:bo", "it is back"), NOW)
    assert (after.state, after.verdict, after.assignees, after.reopened) == (State.TRIGGERED, None, (), 1)
    assert after.resolved_at is None
    assert reason == "reopened by bo: it is back"


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"title": "  "}, "no title"),
        ({"state": State.ACKNOWLEDGED}, "acknowledged without an instant"),
        ({"acknowledged_at": NOW}, "triggered with one"),
        ({"state": State.RESOLVED}, "resolved without an instant"),
        ({"resolved_at": NOW}, "open with one"),
        ({"snoozed_until": NOW}, "snoozed but not acknowledged"),
        ({"opened_at": datetime(2026, 1, 1)}, "naive"),  # noqa: DTZ001 - the naive one is the point
    ],
)
def test_an_incident_is_born_valid_or_not_at_all(values: dict[str, object], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        incident(**values)


def test_as_the_api_shows_it() -> None:
    shown = model.as_json(acknowledged(service="gitaly", owner="group:default/storage", severity=Severity.WARNING))
    expected = {
        "id": "INC-1042", "title": "Git push fails", "state": "acknowledged", "severity": "warning", "service": "gitaly",
        "owner": "group:default/storage", "opened_at": "2026-11-21T02:00:00Z", "acknowledged_at": "2026-11-21T02:00:00Z",
        "resolved_at": None, "acknowledged_by": "user:ana", "assignees": ["user:ana"],
    }  # fmt: skip
    assert {key: shown[key] for key in expected} == expected


@pytest.mark.parametrize(("text", "number"), [("INC-1042", 1042), ("1042", 1042), ("inc-7", 7)])
def test_an_incident_is_named_with_and_without_its_prefix(text: str, number: int) -> None:
    assert model.parse_ref(text) == number


@pytest.mark.parametrize("text", ["", "INC-", "INC-x", "1042; drop", "-1", "٤٢", "9" * 40])
def test_what_names_no_incident_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="write it like INC-1042"):
        model.parse_ref(text)
