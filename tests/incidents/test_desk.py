"""What a group's report asks for, what an incident is called and how loud it is: pure decisions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from quietshift.incidents import decide
from quietshift.incidents.decide import Verb
from quietshift.incidents.model import GroupAlert, GroupReport, Incident, IncidentAlert, Severity, State

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
WITHIN = timedelta(minutes=30)


def alert(fingerprint: str = "a", firing: bool = True, severity: str = "critical", starts_at: datetime = NOW) -> GroupAlert:
    labels = {"alertname": f"Alert-{fingerprint}", "severity": severity}
    return GroupAlert(fingerprint, firing, labels, {}, starts_at)


def report(*alerts: GroupAlert, **values: object) -> GroupReport:
    firing = any(one.firing for one in alerts)
    return replace(GroupReport("g", "storage", "storage", firing, alerts), **values)  # type: ignore[arg-type]  # typed by name


def known(one: GroupAlert, ended: bool = False) -> IncidentAlert:
    return IncidentAlert(one, NOW, NOW if ended else None)


def incident(state: State = State.TRIGGERED, **values: object) -> Incident:
    told: dict[str, object] = {
        "id": 1042, "group": "g", "receiver": "storage", "title": "t", "escalation_policy": "storage", "opened_at": NOW,
        "updated_at": NOW, "state": state,
    }  # fmt: skip
    if state is State.ACKNOWLEDGED:
        told |= {"acknowledged_at": NOW, "acknowledged_by": "user:ana"}
    if state is State.RESOLVED:
        told |= {"resolved_at": NOW, "resolved_by": "alerts"}
    return Incident(**{**told, **values})  # type: ignore[arg-type]  # the values are typed where they are written


def test_a_group_that_fires_for_the_first_time_opens_an_incident_of_its_firing_alerts() -> None:
    found = decide.on_group(None, [], report(alert("a"), alert("b", firing=False)), NOW, WITHIN)
    assert (found.verb, [one.fingerprint for one in found.joined]) == (Verb.OPEN, ["a"])


def test_a_group_at_rest_that_never_had_an_incident_is_left() -> None:
    assert decide.on_group(None, [], report(alert(firing=False)), NOW, WITHIN).verb is Verb.LEAVE


def test_the_same_group_does_not_open_two() -> None:
    found = decide.on_group(incident(), [known(alert("a"))], report(alert("a"), alert("b")), NOW, WITHIN)
    assert (found.verb, [one.fingerprint for one in found.joined]) == (Verb.UPDATE, ["b"])


def test_an_alert_that_ends_while_another_fires_is_noted_and_resolves_nothing() -> None:
    members = [known(alert("a")), known(alert("b"))]
    found = decide.on_group(incident(), members, report(alert("a", firing=False), alert("b")), NOW, WITHIN)
    assert (found.verb, [one.fingerprint for one in found.ended]) == (Verb.UPDATE, ["a"])


def test_an_alert_that_the_report_does_not_name_has_not_ended() -> None:
    members = [known(alert("a")), known(alert("b"))]
    assert decide.on_group(incident(), members, report(alert("b")), NOW, WITHIN).ended == ()


def test_it_resolves_when_the_whole_group_is_at_rest() -> None:
    members = [known(alert("a")), known(alert("b"))]
    found = decide.on_group(incident(), members, report(alert("b", firing=False)), NOW, WITHIN)
    assert (found.verb, [one.fingerprint for one in found.ended]) == (Verb.RESOLVE, ["a", "b"])


def test_a_group_that_is_not_told_of_any_more_resolves_with_that_reason() -> None:
    gone = report(reason="the configuration was changed: this group is not paged about any more")
    found = decide.on_group(incident(), [known(alert("a"))], gone, NOW, WITHIN)
    assert (found.verb, found.reason, len(found.ended)) == (Verb.RESOLVE, gone.reason, 1)


@pytest.mark.parametrize(("after", "verb"), [(WITHIN, Verb.REOPEN), (WITHIN + timedelta(seconds=1), Verb.OPEN)])
def test_fires_again_after_its_alerts_resolved_it(after: timedelta, verb: Verb) -> None:
    members = [known(alert("a"), ended=True)]
    found = decide.on_group(incident(State.RESOLVED), members, report(alert("a")), NOW + after, WITHIN)
    assert found.verb is verb
    assert "INC-1042 was resolved by its alerts at 2026-11-21T02:00:00Z" in found.reason


def by_hand() -> Incident:
    return incident(State.RESOLVED, resolved_by="user:ana")


@pytest.mark.parametrize("after", [timedelta(minutes=5), timedelta(days=3)])
def test_resolved_by_hand_the_mere_repetition_of_its_alerts_opens_nothing(after: timedelta) -> None:
    found = decide.on_group(by_hand(), [known(alert("a"))], report(alert("a")), NOW + after, WITHIN)
    assert found.verb is Verb.LEAVE
    assert "resolved by ana" in found.reason
    assert "same alerts" in found.reason


@pytest.mark.parametrize(("after", "verb"), [(timedelta(minutes=5), Verb.REOPEN), (timedelta(days=3), Verb.OPEN)])
@pytest.mark.parametrize(
    "fires",
    [
        report(alert("a"), alert("b")),
        report(alert("a", starts_at=NOW + timedelta(minutes=1))),  # it ended and began again between two reports
    ],
)
def test_resolved_by_hand_something_new_reopens_it_or_opens_another(fires: GroupReport, after: timedelta, verb: Verb) -> None:
    found = decide.on_group(by_hand(), [known(alert("a"))], fires, NOW + after, WITHIN)
    assert found.verb is verb
    if verb is Verb.OPEN:
        assert found.joined == fires.alerts


def test_a_sender_whose_clock_runs_wild_does_not_make_an_alert_new() -> None:
    far, back = datetime(9999, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)
    members = [known(alert("a", starts_at=far))]
    found = decide.on_group(by_hand(), members, report(alert("a", starts_at=back)), NOW + WITHIN, WITHIN)
    assert found.verb is Verb.LEAVE


def test_a_worse_alert_that_joins_raises_the_severity_a_milder_one_does_not() -> None:
    one = incident(severity=Severity.WARNING)
    members = [known(alert("a", severity="warning"))]
    worse = report(alert("a", severity="warning"), alert("b", severity="page"))
    milder = report(alert("a", severity="warning"), alert("b", severity="info"))
    assert decide.on_group(one, members, worse, NOW, WITHIN).rose is Severity.CRITICAL
    assert decide.on_group(one, members, milder, NOW, WITHIN).rose is None


def test_a_severity_set_by_hand_is_kept_over_alerts() -> None:
    one = incident(severity=Severity.INFO, severity_by="user:ana")
    assert decide.on_group(one, [], report(alert("b")), NOW, WITHIN).rose is None


@pytest.mark.parametrize(
    ("label", "severity"),
    [
        ("critical", "critical"), ("page", "critical"), ("Page ", "critical"), ("warning", "warning"), ("ticket", "warning"),
        ("info", "info"), ("", "critical"), ("p3-maybe", "critical"),
    ],
)  # fmt: skip
def test_severity_by_label_and_the_unknown_wakes_people(label: str, severity: str) -> None:
    assert decide.severity({"severity": label}) == severity
    assert decide.severity({}) == "critical"


def titled(common: dict[str, str], first: dict[str, str], **labels: str) -> str:
    one = GroupAlert("a", True, labels, first, NOW)
    return decide.title(report(one, common_annotations=common, common_labels=labels))


def test_the_title_is_the_symptom_in_users_words() -> None:
    assert titled({"summary": "Git push fails\n for 3 %"}, {"summary": "other"}, alertname="A") == "Git push fails for 3 %"
    assert titled({}, {"summary": "node-3: push fails"}, alertname="A") == "node-3: push fails"


def test_without_a_summary_the_title_is_the_name_and_what_tells_it_apart() -> None:
    assert titled({}, {}, alertname="DiskFull", service="gitaly", instance="n3") == "DiskFull (service=gitaly, instance=n3)"
    assert titled({}, {}, alertname="DiskFull") == "DiskFull"
    assert titled({}, {}, region="emea") == "Alert without a name (region=emea)"


def test_an_endless_summary_is_cut() -> None:
    assert len(titled({"summary": "x" * 5000}, {}, alertname="A")) == decide.TITLE_LENGTH
