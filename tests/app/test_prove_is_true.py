"""What `prove` says of an instant is what the engine does when an alert comes then: the same people at the same times."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quietshift.alerts.model import AlertsConfig
from quietshift.alerts.wires.alertmanager import decode
from quietshift.app.parts import read_ops
from quietshift.app.prove import prove
from quietshift.app.simulation import Driver, simulated
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.ops import Loaded
from quietshift.kernel.settings import load_settings
from quietshift.paging import store
from quietshift.paging.model import Page, PagingConfig
from quietshift.paging.proof import Called, Stretch

BEGIN = datetime(2027, 3, 26, tzinfo=UTC)  # the weekend in which Europe's clocks change
WEEK = timedelta(weeks=1)
PEOPLE = ("ana", "bo", "chen", "dee")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ALERT = b"""[{"labels": {"alertname": "X", "service": "gitaly", "severity": "critical"}, "startsAt": "%s", "endsAt": "%s"}]"""

clock_times = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
users = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3, unique=True)
durations = st.sampled_from(("0s", "1m", "5m", "30m", "2h"))
targets = st.sampled_from(("schedule:first", "schedule:second", "user:ana", "user:dee", "group:storage"))


@st.composite
def schedules(draw: st.DrawFn) -> dict[str, Any]:
    unit = draw(st.sampled_from(("hour", "day", "week")))
    handoff = draw(clock_times)
    rotation = {
        "unit": unit, "every": draw(st.integers(1, 13 if unit == "hour" else 2)), "start": "2027-01-04",
        "handoff": f"{draw(st.sampled_from(DAYS))} {handoff}" if unit == "week" else handoff,
    }  # fmt: skip
    layer: dict[str, Any] = {"name": "all", "rotation": rotation, "users": draw(users)}
    if draw(st.booleans()):
        days = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True))
        layer["only"] = [{"days": days, "from": draw(clock_times), "until": draw(clock_times)}]
    spec: dict[str, Any] = {
        "owner": "group:storage", "layers": [layer],
        "timeZone": draw(st.sampled_from(("Europe/Berlin", "America/Chicago", "Australia/Lord_Howe"))),
    }  # fmt: skip
    if draw(st.booleans()):
        since = BEGIN + timedelta(minutes=30 * draw(st.integers(0, 300)))
        until = since + timedelta(minutes=30 * draw(st.integers(1, 60)))
        override = {"user": draw(st.sampled_from(PEOPLE)), "start": rfc3339(since), "end": rfc3339(until)}
        spec["overrides"] = [override]
    return spec


@st.composite
def directories(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """A team with two schedules, a policy of any steps, and contacts for some of its people."""
    members = draw(users)
    catalog = [_entity("Group", "storage", {"type": "team", "children": [], "members": members})]
    catalog += [_entity("User", name, {"memberOf": []}) for name in PEOPLE]
    catalog.append(_entity("Component", "gitaly", {"type": "service", "lifecycle": "production", "owner": "group:storage"}))
    reachable = draw(st.lists(st.sampled_from(PEOPLE), max_size=4, unique=True))
    oncall = [
        _own("Contacts", name, {"rules": [{"after": draw(durations), "via": f"mailto:{name}@example.org"}]}) for name in reachable
    ]
    oncall += [_own("Schedule", name, draw(schedules())) for name in ("first", "second")]
    steps = [
        {"after": draw(durations), "targets": draw(st.lists(targets, min_size=1, max_size=2, unique=True))}
        for _ in range(draw(st.integers(1, 3)))
    ]
    policy: dict[str, Any] = {"owner": "group:storage", "repeat": draw(st.integers(0, 1)), "steps": steps}
    if draw(st.booleans()):
        policy["fallback"] = [draw(targets)]
    oncall.append(_own("EscalationPolicy", "storage", policy))
    route = {"receiver": "storage", "group_wait": "0s", "group_interval": "1h", "group_by": ["alertname"]}
    return {
        "catalog/all.yaml": catalog, "oncall/all.yaml": oncall,
        "alertmanager.yml": [{"route": route, "receivers": [{"name": "storage"}]}],
        "quietshift.yaml": [{"receivers": {"storage": {"escalation_policy": "storage"}}}],
    }  # fmt: skip


def _entity(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _own(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "quietshift.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def load(folder: Path, documents: dict[str, list[dict[str, Any]]]) -> Loaded:
    for path, listed in documents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(yaml.safe_dump_all(listed, sort_keys=False))
    loaded, problems = read_ops(folder)
    problems.raise_errors()
    return loaded


def lived(ops: Loaded, at: datetime, until: timedelta) -> list[Page]:
    """An alert comes at that instant; nobody acknowledges. The pages of the time after it, each with its attempts."""
    with simulated(ops, load_settings({"ops": str(ops.root)}, {}), at) as (driver, _):
        use = driver.app.alerts.use
        body = ALERT % (rfc3339(at).encode(), rfc3339(at + timedelta(days=30)).encode())
        reports, errors = use.hot.absorb(decode(body), at, ops.get(AlertsConfig).resolve_timeout)
        assert not errors
        with driver.app.db.write() as tx:
            use.receive(tx, reports, at)
        due = driver.next_due()
        while due is not None and due <= at + until:
            driver.go_to(due)
            due = driver.next_due()
        return _pages(driver)


def _pages(driver: Driver) -> list[Page]:
    with driver.app.db.read() as tx:
        return store.pages(tx, 1001)


def called(pages: list[Page], turn: int, at: datetime) -> Called | None:
    mine = [page for page in pages if page.turn == turn]
    return Called(mine[0].due_at - at, tuple(sorted(page.user for page in mine)), str(mine[0].stage)) if mine else None


def said(one: Called | None, until: timedelta) -> Called | None:
    return Called(one.after, tuple(sorted(one.users)), one.stage) if one and one.after <= until else None


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(directories(), st.lists(st.integers(0, 7 * 24 * 60 * 60 - 1), min_size=1, max_size=2), st.randoms(use_true_random=False))
def test_what_is_proved_of_an_instant_is_what_happens_then(
    documents: dict[str, list[dict[str, Any]]], seconds: list[int], chance: Any
) -> None:
    with TemporaryDirectory() as folder:
        ops = load(Path(folder), documents)
        found = prove(ops, BEGIN, BEGIN + WEEK)
        (made,) = found.stretches.values()
        edge = chance.choice(made).start  # a hand-over: where it is easiest to be wrong
        instants = [BEGIN + timedelta(seconds=n) for n in seconds] + [edge, max(BEGIN, edge - timedelta(seconds=1))]
        for at in instants:
            holds(ops, next(one for one in made if one.start <= at < one.end), at)


def holds(ops: Loaded, one: Stretch, at: datetime) -> None:
    if one.first is None:
        assert not lived(ops, at, first_wait(ops)), f"prove says nobody is called at {at}"
        return
    known = (one.first.after, one.next.after if one.next else None, one.reached_within)
    span = max(instant for instant in known if instant is not None)
    pages = lived(ops, at, span)
    assert called(pages, 1, at) == said(one.first, span), f"first, at {at}"
    if one.next is not None:  # else nobody can be called, which is tried again each minute until somebody can
        assert called(pages, 2, at) == said(one.next, span), f"next, at {at}"
    if one.reached_within is None:
        assert not any(page.attempts for page in pages), f"prove says that no contact is tried at {at}"
        return
    attempts = [attempt.attempted_at for page in pages for attempt in page.attempts]
    assert min(attempts) - at == one.reached_within, f"a human, at {at}"


def first_wait(ops: Loaded) -> timedelta:
    """How long the first step waits."""
    return ops.get(PagingConfig).policy("storage").steps[0].after


@pytest.mark.parametrize("hour", [0, 1, 2, 12])
def test_over_the_gap_in_berlins_clocks(hour: int, tmp_path: Path) -> None:
    """The first on is handed over at 02:30, which that night is not: at 03:00 summer time, 01:00Z."""
    layer = {
        "name": "all", "users": ["ana", "bo"],
        "rotation": {"unit": "day", "every": 1, "handoff": "02:30", "start": "2027-03-01"},
    }  # fmt: skip
    schedule = {"owner": "group:storage", "timeZone": "Europe/Berlin", "layers": [layer]}
    policy = {"owner": "group:storage", "steps": [{"after": "0s", "targets": ["schedule:first"]}]}
    rules = {"rules": [{"after": "0s", "via": "mailto:somebody@example.org"}]}
    group = {"type": "team", "children": [], "members": ["ana", "bo"]}
    component = {"type": "service", "lifecycle": "production", "owner": "group:storage"}
    documents = {
        "catalog/all.yaml": [
            _entity("Group", "storage", group), _entity("User", "ana", {"memberOf": []}), _entity("User", "bo", {"memberOf": []}),
            _entity("Component", "gitaly", component),
        ],
        "oncall/all.yaml": [
            _own("Schedule", "first", schedule), _own("EscalationPolicy", "storage", policy),
            _own("Contacts", "ana", rules), _own("Contacts", "bo", rules),
        ],
        "alertmanager.yml": [{"route": {"receiver": "storage", "group_wait": "0s"}, "receivers": [{"name": "storage"}]}],
        "quietshift.yaml": [{"receivers": {"storage": {"escalation_policy": "storage"}}}],
    }  # fmt: skip
    ops = load(tmp_path, documents)
    day = datetime(2027, 3, 28, tzinfo=UTC)
    (made,) = prove(ops, day, day + timedelta(days=1)).stretches.values()
    before, after = made[0].first, made[-1].first
    assert before is not None
    assert after is not None
    assert before.users != after.users
    at = day + timedelta(hours=hour)
    expected = before.users if hour < 1 else after.users
    (page,) = [page for page in lived(ops, at, timedelta()) if page.turn == 1]
    assert (page.user,) == expected
    holds(ops, next(one for one in made if one.start <= at < one.end), at)
