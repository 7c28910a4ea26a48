"""With the real engine: a page that is due is attempted within a second, and acknowledging races nobody."""

import threading
from datetime import timedelta
from functools import partial

import pytest

from quietshift.kernel.clock import SystemClock
from quietshift.kernel.registries import Registry
from quietshift.kernel.worker import Worker
from quietshift.paging import senders, store, usecases
from quietshift.paging.model import EscalationState, PageState
from tests.paging.conftest import KEY


@pytest.fixture
def engine(room):
    registry = Registry()
    for kind in room.kinds.values():
        registry.sender(kind)
    registry.timer(usecases.ESCALATE, partial(usecases.escalate, ops=room.ops))
    registry.timer(usecases.FAILED, partial(usecases.failed, ops=room.ops))
    worker = Worker(room.db, SystemClock(), registry, KEY)
    room.clock = SystemClock()

    def begin():
        worker.start()
        return worker

    yield begin
    worker.stop()


@pytest.fixture
def called(room):
    """ana at once, louder after 300 ms; bo after 600 ms."""
    room.person("ana", ("0s", "/ana"), ("300ms", "/ana-loud")).person("bo", ("0s", "/bo"))
    return room.policy(("0s", "user:ana"), ("600ms", "user:bo"))


def test_pages_and_rungs_are_attempted_within_a_second_of_their_time(called, engine):
    engine()
    with called.db.write() as tx:
        usecases.start(tx, called.facts(), "storage", called.now, ops=called.ops)
    called.phone.wait_for(1, path="/bo")
    with called.db.write() as tx:
        usecases.stop(tx, 1042, called.now, "acknowledged by bo", by="user:bo")
    ana, bo = called.pages()
    assert [p.state for p in (ana, bo)] == [PageState.WITHDRAWN, PageState.ACKNOWLEDGED]
    dues = {"/ana": ana.due_at, "/ana-loud": ana.due_at + timedelta(milliseconds=300), "/bo": bo.due_at}
    for path, due in dues.items():
        [post] = called.phone.posts(path)
        assert timedelta() <= post.received_at - due < timedelta(seconds=1), path


def test_acknowledging_while_the_next_step_is_due_leaves_nothing_running(room, engine):
    """Twenty incidents whose steps come due while each is acknowledged from another thread."""
    room.person("ana", ("0s", "/ana")).person("bo", ("0s", "/bo"))
    room.policy(("0s", "user:ana"), ("50ms", "user:bo"), ("50ms", "user:ana"), ("50ms", "user:bo"), repeat=3)
    engine()
    numbers = range(3000, 3020)
    for number in numbers:
        with room.db.write() as tx:
            usecases.start(tx, room.facts(number), "storage", room.now, ops=room.ops)
    barrier = threading.Barrier(len(numbers))
    errors = []

    def acknowledge(number):
        barrier.wait()
        try:
            with room.db.write() as tx:
                usecases.stop(tx, number, room.now, "acknowledged", by="user:ana")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=acknowledge, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert room.next_due() is None or room.next_due() > room.now
    with room.db.read() as tx:
        assert {store.escalation(tx, number).state for number in numbers} == {EscalationState.STOPPED}
        assert not [p for number in numbers for p in store.open_pages(tx, number)]


def test_a_provider_is_asked_outside_any_transaction(called, engine):
    """While a slow provider thinks, the database takes other work."""
    from tests.support.webhook import Scripted

    called.phone.answer("/ana", Scripted(hold=3))
    engine()
    with called.db.write() as tx:
        usecases.start(tx, called.facts(), "storage", called.now, ops=called.ops)
    called.phone.wait_for(1, path="/ana")
    before = SystemClock().now()
    with called.db.write() as tx:
        usecases.stop(tx, 1042, called.now, "acknowledged by bo")
    assert (SystemClock().now() - before).total_seconds() < 1


def test_delays_between_attempts_grow_from_a_second_to_a_minute():
    assert [senders.delay(n).total_seconds() for n in (1, 2, 3, 6, 7, 100)] == [1, 2, 4, 32, 60, 60]
