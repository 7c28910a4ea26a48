"""What the one process of a SQLite file keeps in memory, and what of it is on disk."""

import contextlib
import json
import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from quietshift.alerts import store
from quietshift.alerts.intake import MOST, Intake
from quietshift.alerts.wires.alertmanager import decode
from quietshift.kernel.db import Tx
from quietshift.kernel.errors import Unavailable
from tests.alerts.conftest import World, posted


@pytest.fixture
def world(tmp_path):
    made = World(f"sqlite:///{tmp_path}/quietshift.db", """
global: {resolve_timeout: 5m}
route: {receiver: hook, group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 10h}
receivers: [{name: hook, webhook_configs: [{url: 'http://receiver.invalid/'}]}]
""")
    yield made
    made.close()


def on_disk(world: World) -> dict[str, float]:
    """Ends of the rows, in seconds, by host."""
    zero = world.clock.now() - timedelta(seconds=world.seconds)
    with world.db.read() as tx:
        return {a.labels["host"]: (a.ends_at - zero).total_seconds() for a in store.all_alerts(tx)}


def ends(world: World) -> list[str]:
    return [alert["endsAt"] for alert in world.listed()]


def test_a_repeat_that_moves_the_end_a_little_is_not_written(world):
    world.post({"host": "a", "start": 0, "end": 240})
    world.run(20)
    world.post({"host": "a", "start": 0, "end": 260})
    assert on_disk(world) == {"a": 240}
    assert ends(world) == ["2026-11-21T03:04:20.000Z"]  # but known


def test_the_lease_on_disk_is_renewed_before_it_lags(world):
    for second in range(0, 600, 15):
        world.run(second)
        world.post({"host": "lease", "start": 0, "end": second + 240}, {"host": "timeout", "start": 0})
        lag = {"lease": second + 240, "timeout": second + 300}
        for host, stored in on_disk(world).items():
            assert lag[host] - stored < 75  # a quarter of resolve_timeout
            assert stored - second > 100  # and never near to running out
    assert world.told() == [(10, "firing", ["lease", "timeout"], [])]


@pytest.mark.parametrize(
    "repeat",
    [
        {"host": "a", "start": 0, "end": 241, "annotations": {"summary": "worse"}},
        {"host": "a", "start": -5, "end": 241},
        {"host": "a", "start": 0, "end": 21},
        {"host": "a", "start": 0, "end": 10},
        {"host": "a", "start": 0},
        {"host": "b", "start": 0, "end": 241},
    ],
    ids=["annotation", "earlier start", "shorter", "over", "time-out", "another"],
)
def test_a_repeat_that_changes_anything_else_is_written(world, repeat):
    world.post({"host": "a", "start": 0, "end": 240})
    world.run(20)
    world.post({"host": "a", "start": 0, "end": 241})
    reports, _ = absorb(world, repeat)
    assert len(reports) == 1


def absorb(world: World, *alerts):
    body = json.dumps([posted(alert) for alert in alerts]).encode()
    return world.room.use.hot.absorb(decode(body), world.clock.now(), world.config.resolve_timeout)


def test_one_label_set_in_two_spellings_is_one_alert(world):
    hot, now = world.room.use.hot, world.clock.now()
    one, other = b'[{"labels":{"host":"a","alertname":"X"}}]', b'[{"labels": {"alertname":"X", "host":"a", "empty":""}}]'
    for body in (one, other, one, other):
        reports, errors = hot.absorb(decode(body), now, timedelta(minutes=5))
        assert not errors
        if reports:
            with world.db.write() as tx:
                world.room.use.receive(tx, reports, now)
    assert len(world.listed()) == 1
    assert hot.absorb(decode(one + b" "), now, timedelta(minutes=5)) == ([], [])


def test_a_repeat_behind_a_change_that_waits_for_the_writer_waits_too(world):
    world.post({"host": "a", "start": 0, "end": 240})
    world.run(20)
    over, _ = absorb(world, {"host": "a", "start": 0, "end": 15})
    again, _ = absorb(world, {"host": "a", "start": 0, "end": 250})
    assert len(over) == len(again) == 1  # in this order they are merged
    with world.db.write() as tx:
        world.room.use.receive(tx, [*over, *again], world.clock.now())
    world.run(100)
    assert world.told()[-1][1] == "firing"


def test_a_repeat_is_not_taken_before_the_first_report_is_on_disk(world):
    """Two Prometheus send the same alert: the second must not hear 200 while the commit of the first is under way."""
    first, _ = absorb(world, {"host": "a", "start": 0, "end": 240})
    with world.db.write() as tx:
        world.room.use.receive(tx, first, world.clock.now())
        assert len(absorb(world, {"host": "a", "start": 0, "end": 240})[0]) == 1
    world.post({"host": "b", "start": 0, "end": 240})
    assert absorb(world, {"host": "b", "start": 0, "end": 240}) == ([], []), "but it is afterwards"


def test_a_change_that_comes_during_a_commit_is_not_overtaken_by_a_repeat(world):
    first, _ = absorb(world, {"host": "a", "start": 0, "end": 240})
    with world.db.write() as tx:
        world.room.use.receive(tx, first, world.clock.now())
        over, _ = absorb(world, {"host": "a", "start": 0, "end": 0})
    again, _ = absorb(world, {"host": "a", "start": 0, "end": 240})
    assert (len(over), len(again)) == (1, 1)


def test_a_repeat_after_the_flush_that_resolved_it_opens_it_again(world):
    """The end passes, the flush tells so, and then a late repeat comes: it must not be taken for a renewal."""
    world.post({"host": "a", "start": 0, "end": 40})
    world.run(39)
    world.post({"host": "a", "start": 0, "end": 60})
    world.run(75)
    assert world.told()[-1] == (70, "resolved", [], ["a"])
    world.post({"host": "a", "start": 0, "end": 400})
    world.run(140)
    assert world.told()[-1][1:] == ("firing", ["a"], [])


def test_the_last_end_heard_is_on_disk_once_it_was_told(world):
    world.post({"host": "a", "start": 0, "end": 100})
    world.run(30)
    world.post({"host": "a", "start": 0, "end": 120})
    assert on_disk(world) == {"a": 100}
    world.run(140)
    assert world.told()[-1] == (130, "resolved", [], ["a"])
    assert on_disk(world) == {"a": 120}


def test_memory_forgets_what_the_rows_forget(world):
    hot = world.room.use.hot
    world.post({"host": "a", "start": 0, "end": 20})
    world.post({"host": "a", "start": 0, "end": 21})
    world.run(4000)
    assert (hot._by_digest, hot._by_id, hot._by_spelling) == ({}, {}, {})


# -- the writer ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def intake(world):
    made = Intake(world.db, world.room.use, world.clock)
    made.start()
    yield made
    made.stop()


def submit(intake: Intake, reports) -> list:
    answers: list = []
    done = threading.Event()

    def answered(problem):
        answers.append(problem)
        done.set()

    intake.submit(reports, answered)
    assert done.wait(5)
    return answers


def test_an_asker_who_cannot_be_answered_keeps_the_writer_from_nobody_else(world, intake):
    def gone(_problem):
        raise RuntimeError("its event loop is closed")

    intake.submit(absorb(world, {"host": "a"})[0], gone)
    assert submit(intake, absorb(world, {"host": "b"})[0]) == [None]
    assert set(on_disk(world)) == {"a", "b"}


def test_what_cannot_be_stored_is_answered_503_and_taken_when_it_is_sent_again(world, intake):
    world.post({"host": "old", "start": 0, "end": 40})
    with world.db.write() as tx:
        tx.conn.exec_driver_sql("PRAGMA max_page_count = 1")  # as on a disk that is full
    big = {"summary": "x" * 200_000}
    reports, _ = absorb(world, {"host": "new", "annotations": big})
    (problem,) = submit(intake, reports)
    assert isinstance(problem, Unavailable)
    assert "full" in str(problem)
    with world.db.write() as tx:
        tx.conn.exec_driver_sql("PRAGMA max_page_count = 1000000")
    world.clock.advance(timedelta(seconds=60))
    reports, _ = absorb(world, {"host": "new", "annotations": big})
    assert submit(intake, reports) == [None]
    assert set(on_disk(world)) == {"old", "new"}
    # while nothing could be stored nobody could be heard: silence until then means nothing
    assert {a["labels"]["host"] for a in world.listed()} == {"old", "new"}


def test_after_an_outage_of_the_store_nothing_resolves_before_its_sender_can_be_heard(world, intake):
    """The timers have the store back before any sender repeats what it was not answered."""
    world.post({"host": "a", "start": 0, "end": 240})
    world.run(20)
    with world.db.write() as tx:
        tx.conn.exec_driver_sql("PRAGMA max_page_count = 1")
    world.clock.advance(timedelta(seconds=600))
    reports, _ = absorb(world, {"host": "a", "start": 0, "end": 860, "annotations": {"summary": "x" * 200_000}})
    (problem,) = submit(intake, reports)
    assert isinstance(problem, Unavailable)
    with world.db.write() as tx:
        tx.conn.exec_driver_sql("PRAGMA max_page_count = 1000000")
    world.run(700)
    assert [status for _, status, _, _ in world.told()] == ["firing"]
    world.run(1100)
    assert [status for _, status, _, _ in world.told()] == ["firing", "resolved"]  # it was not repeated in all that time


def test_a_request_that_cannot_be_stored_stands_alone(world, intake, monkeypatch):
    entered, gate = threading.Event(), threading.Event()
    receive = world.room.use.receive

    def held(tx: Tx, reports, now):
        receive(tx, reports, now)
        entered.set()
        assert gate.wait(5)

    monkeypatch.setattr(world.room.use, "receive", held)
    answers: dict[str, object] = {}
    finished = threading.Semaphore(0)

    def send(host: str, annotation: str = "") -> None:
        reports, _ = absorb(world, {"host": host})
        reports = [structs.replace(r, alert=structs.replace(r.alert, annotations={"a": annotation})) for r in reports]

        def done(problem):
            answers[host] = problem
            finished.release()

        intake.submit(reports, done)

    send("first")
    assert entered.wait(5)
    for host, annotation in (("b", ""), ("bad", chr(0xD800)), ("c", "")):  # half a character
        send(host, annotation)
    gate.set()
    for _ in range(4):
        assert finished.acquire(timeout=10)
    assert {host: problem is None for host, problem in answers.items()} == {"first": True, "b": True, "bad": False, "c": True}
    assert set(on_disk(world)) == {"first", "b", "c"}


def test_requests_that_come_during_a_commit_are_committed_together(world, intake, monkeypatch):
    entered, gate = threading.Event(), threading.Event()
    commits: list[int] = []
    receive = world.room.use.receive

    def counted(tx: Tx, reports, now):
        commits.append(len(reports))
        receive(tx, reports, now)
        if len(commits) == 1:
            entered.set()
            assert gate.wait(5)

    monkeypatch.setattr(world.room.use, "receive", counted)
    answers: list = []
    finished = threading.Semaphore(0)

    def done(problem):
        answers.append(problem)
        finished.release()

    intake.submit(absorb(world, {"host": "0"})[0], done)
    assert entered.wait(5)
    for i in range(1, 6):
        intake.submit(absorb(world, {"host": str(i)})[0], done)
    gate.set()
    for _ in range(6):
        assert finished.acquire(timeout=5)
    assert commits == [1, 5]
    assert answers == [None] * 6
    assert len(on_disk(world)) == 6


def test_what_was_handed_over_is_stored_before_the_end(world, intake):
    answers: list = []
    intake.submit(absorb(world, {"host": "a"})[0], answers.append)
    intake.stop()
    assert answers == [None]
    intake.submit(absorb(world, {"host": "b"})[0], answers.append)
    assert isinstance(answers[1], Unavailable)


def test_what_a_savepoint_undid_is_not_known(world):
    """Timers of one batch share a transaction; one of them fails, and what the others had reported is undone with it."""
    reports, _ = absorb(world, {"host": "a", "start": 0, "end": 240})
    with world.db.write() as tx:
        with contextlib.suppress(RuntimeError), tx.savepoint():
            world.room.use.receive(tx, reports, world.clock.now())
            raise RuntimeError("another timer of the batch")
        world.room.use.receive(tx, reports, world.clock.now())
    assert on_disk(world) == {"a": 240}
    world.run(20)
    assert world.told() == [(10, "firing", ["a"], [])]


def test_what_a_failed_commit_undid_is_not_known(world):
    reports, _ = absorb(world, {"host": "a", "start": 0, "end": 240})
    with contextlib.suppress(RuntimeError), world.db.write() as tx:
        world.room.use.receive(tx, reports, world.clock.now())
        raise RuntimeError("no commit")
    assert len(absorb(world, {"host": "a", "start": 0, "end": 240})[0]) == 1
    world.post({"host": "a", "start": 0, "end": 240})
    assert on_disk(world) == {"a": 240}


def test_a_long_request_is_stored_in_parts_and_answered_once(world, intake, monkeypatch):
    commits: list[int] = []
    receive = world.room.use.receive

    def counted(tx: Tx, reports, now):
        commits.append(len(reports))
        receive(tx, reports, now)

    monkeypatch.setattr(world.room.use, "receive", counted)
    reports, _ = absorb(world, *({"host": str(i)} for i in range(MOST + 500)))
    assert submit(intake, reports) == [None]
    assert sum(commits) == MOST + 500
    assert max(commits) == MOST
    assert len(on_disk(world)) == MOST + 500


def test_a_long_request_of_which_a_part_cannot_be_stored_is_refused_once(world, intake):
    reports, _ = absorb(world, *({"host": str(i)} for i in range(MOST + 500)))
    reports[-1] = structs.replace(reports[-1], alert=structs.replace(reports[-1].alert, annotations={"a": chr(0xD800)}))
    (problem,) = submit(intake, reports)
    assert problem is not None
    assert len(on_disk(world)) == MOST


_hosts = st.sampled_from("abc")
_reports = st.fixed_dictionaries(
    {"host": _hosts, "start": st.integers(-50, 50), "end": st.integers(51, 400)},
    optional={"annotations": st.sampled_from([{}, {"summary": "worse"}])},
)
_acts = st.one_of(
    st.tuples(st.just("post"), st.lists(_reports, min_size=1, max_size=3)),
    st.tuples(st.just("undo"), st.lists(_reports, min_size=1, max_size=3)),
    st.tuples(st.just("over"), _hosts),
    st.tuples(st.just("run"), st.integers(1, 200)),
    st.tuples(st.just("restart"), st.none()),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_acts, max_size=12))
def test_memory_knows_what_the_rows_know_and_later_ends_alone(world, acts):
    """In whatever order alerts are reported, end, are undone by a failed commit, are told and forgotten."""
    for act, what in acts:
        if act == "post":
            world.post(*what)
        elif act == "over":
            world.post({"host": what, "start": 0, "end": world.seconds})
        elif act == "run":
            world.run(world.seconds + what)
        elif act == "restart":
            world.restart()
        else:
            reports, _ = absorb(world, *what)
            with contextlib.suppress(RuntimeError), world.db.write() as tx:
                world.room.use.receive(tx, reports, world.clock.now())
                raise RuntimeError("no commit")
        with world.db.read() as tx:
            rows = {alert.id: alert for alert in store.all_alerts(tx)}
            known = {alert.id: alert for alert, _ in world.room.use.all_alerts(tx)}
        same = {i: structs.replace(a, ends_at=rows[i].ends_at, updated_at=rows[i].updated_at) for i, a in known.items()}
        assert same == rows
        assert all(known[i].ends_at >= rows[i].ends_at for i in rows)
