"""The address outside is called while timers and outbox advance, and only then."""

from datetime import timedelta
from functools import partial

import pytest

from quietshift.kernel import outbox, timers
from quietshift.kernel.clock import ManualClock
from quietshift.paging import heartbeat
from tests.paging.conftest import START


class Heart:
    def __init__(self, db, server):
        self.db, self.server, self.clock = db, server, ManualClock(START)
        self.url = server.url("/ping/hush-hush")
        self.kinds = {heartbeat.PING: heartbeat.kind(self.url)}
        beat = partial(heartbeat.beat, url=self.url, interval=timedelta(minutes=1), kinds=[heartbeat.PING, "page.mail"])
        self.handlers = {heartbeat.BEAT: beat, "other": lambda tx, timer, now: None}

    def minutes(self, count):
        for _ in range(count):
            timers.run_due(self.db, self.handlers, self.clock.now())
            outbox.run_due(self.db, self.kinds, self.clock.now())
            self.clock.advance(timedelta(minutes=1))

    @property
    def pings(self):
        return len(self.server.posts("/ping/hush-hush"))


@pytest.fixture
def heart(db, webhook_server):
    made = Heart(db, webhook_server)
    with db.write() as tx:
        heartbeat.begin(tx, made.url, START)
    return made


def test_it_beats_each_interval(heart):
    heart.minutes(5)
    assert heart.pings == 5
    assert heart.server.posts()[0].method == "GET"


def test_an_outbox_that_stands_still_holds_it_back(heart):
    with heart.db.write() as tx:
        outbox.enqueue(tx, "page.mail", "ana", {}, START, subject="p1")
    heart.minutes(1)  # due now: not late yet
    assert heart.pings == 1
    heart.minutes(5)
    assert heart.pings == 1
    with heart.db.write() as tx:
        outbox.cancel(tx, "page.mail", "p1")
    heart.minutes(2)
    assert heart.pings == 3


def test_timers_that_stand_still_hold_it_back(heart):
    with heart.db.write() as tx:
        timers.schedule(tx, "other", "1", START + timedelta(minutes=1), START)
    heart.minutes(1)
    beat = {heartbeat.BEAT: heart.handlers[heartbeat.BEAT]}
    heart.clock.advance(timedelta(seconds=45))
    with heart.db.write() as tx:  # the beat's own turn comes, the other timer's does not
        due = timers.get(tx, heartbeat.BEAT, "server")
        timers.cancel(tx, heartbeat.BEAT, "server")
        beat[heartbeat.BEAT](tx, due, heart.clock.now())
    outbox.run_due(heart.db, heart.kinds, heart.clock.now())
    assert heart.pings == 1
    heart.minutes(2)
    assert heart.pings >= 2


def test_pings_that_could_not_be_made_do_not_pile_up(heart):
    for _ in range(5):
        timers.run_due(heart.db, heart.handlers, heart.clock.now())
        heart.clock.advance(timedelta(minutes=1))
    outbox.run_due(heart.db, heart.kinds, heart.clock.now())
    assert heart.pings <= 1


def test_its_secret_path_is_not_in_the_database(heart):
    heart.minutes(1)
    timers.run_due(heart.db, heart.handlers, heart.clock.now())
    with heart.db.read() as tx:
        from sqlalchemy import select

        from quietshift.kernel.schema import outbox as rows

        [row] = tx.execute(select(rows)).all()
    assert row.destination.startswith("http://127.0.0.1")
    assert "hush" not in str(tuple(row))


def test_without_an_address_there_is_no_beat(heart):
    with heart.db.write() as tx:
        heartbeat.begin(tx, "", START)
    heart.minutes(3)
    assert heart.pings == 0
