"""Several processes on one PostgreSQL: the rows are the truth, and everybody may do the next thing that is due."""

import json
import threading
from datetime import timedelta

import pytest

from quietshift.alerts import store
from quietshift.alerts.wires.alertmanager import decode
from quietshift.kernel.live import DEAF, Committed
from tests.alerts.conftest import DEFAULT, World
from tests.support.talk import eventually

pytestmark = pytest.mark.needs("postgresql")


@pytest.fixture
def two(postgres_url):
    worlds = [World(postgres_url, DEFAULT), World(postgres_url, DEFAULT)]
    yield worlds
    for world in worlds:
        world.close()


def run(worlds: list[World], until: float, step: float = 1.0) -> None:
    """Time passes for both at the same pace; each takes the first turn in every other step."""
    while worlds[0].seconds < until:
        target = min(until, worlds[0].seconds + step)
        for world in worlds:
            world.run(target)
        worlds.reverse()


def told(worlds: list[World]) -> list:
    return sorted(told for world in worlds for told in world.told())


def test_an_alert_sent_to_both_is_one_and_told_once(two):
    one, other = two
    one.post({"host": "a", "start": 0, "end": 500})
    other.post({"host": "a", "start": 0, "end": 500}, {"host": "b", "start": 0, "end": 500})
    run(two, 100)
    assert told(two) == [(10, "firing", ["a", "b"], [])]
    other.post({"host": "a", "start": 0, "end": 90})
    run(two, 200)
    assert told(two)[1:] == [(130, "firing", ["b"], ["a"])]


def test_what_one_hears_the_other_does_not_resolve(two):
    one, other = two
    for second in range(0, 400, 20):
        run(two, second)
        (one if second % 40 else other).post({"host": "a", "start": 0, "end": second + 50})
    run(two, 410)
    assert told(two) == [(10, "firing", ["a"], [])]
    run(two, 500)
    assert told(two)[1:] == [(430, "resolved", [], ["a"])]


def test_a_process_that_starts_beside_another_is_no_downtime(two, postgres_url):
    one, _ = two
    one.post({"host": "a", "start": 0, "end": 100})
    run(two, 50)
    third = World(postgres_url, DEFAULT)
    third.clock.advance(timedelta(seconds=50))
    try:
        assert third.room.use.heard_since == one.room.use.heard_since
    finally:
        third.close()
    run(two, 140)
    assert told(two)[-1] == (130, "resolved", [], ["a"])


def test_who_starts_after_an_outage_knows_of_it_from_those_who_were_there(two, postgres_url):
    """Nobody could be heard while PostgreSQL was gone; a start right after it must not take that for silence."""
    one, _ = two
    one.post({"host": "a", "start": 0, "end": 100})
    run(two, 50)
    known = one.room.use.heard_since
    one.db.live.publish(Committed(frozenset({DEAF}), None))
    run(two, 90)
    one.db.live.publish(Committed(frozenset({"*"}), None))
    eventually(lambda: one.room.use.heard_since, lambda since: since == known + timedelta(seconds=90), what="the break on record")
    third = World(postgres_url, DEFAULT)
    third.clock.advance(timedelta(seconds=91))
    try:
        assert third.room.use.heard_since == known + timedelta(seconds=90)
    finally:
        third.close()


def test_when_all_were_down_it_is_a_downtime(postgres_url):
    world = World(postgres_url, DEFAULT)
    world.post({"host": "a", "start": 0, "end": 100})
    world.run(20)
    world.restart(after=1000)
    assert len(world.listed()) == 1
    world.run(1330)
    assert world.told()[-1][1] == "resolved"
    world.close()


def test_both_taking_in_the_same_alerts_at_once_lose_and_double_nothing(two):
    errors: list[BaseException] = []

    def send(world: World, order: int) -> None:
        try:
            names = [f"h{i}" for i in range(40)][::order]
            for start in range(0, 40, 8):
                body = json.dumps([{"labels": {"alertname": "X", "host": name}} for name in names[start : start + 8]]).encode()
                reports, _ = world.room.use.hot.absorb(decode(body), world.clock.now(), timedelta(minutes=5))
                with world.db.write() as tx:
                    world.room.use.receive(tx, reports, world.clock.now())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=send, args=(world, order)) for world, order in zip(two, (1, -1), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    with two[0].db.read() as tx:
        assert sorted(a.labels["host"] for a in store.all_alerts(tx)) == sorted(f"h{i}" for i in range(40))
        assert [len(members) for members in store.all_members(tx).values()] == [40]
