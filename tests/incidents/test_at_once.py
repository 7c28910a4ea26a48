"""PostgreSQL: what people and alerts do to one incident at the same moment waits for each other, and never in a circle."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from quietshift.app.wire import load_tables
from quietshift.incidents import store, usecases
from quietshift.kernel import timers
from quietshift.kernel.db import Database, Tx
from quietshift.kernel.errors import Conflict
from quietshift.kernel.ops import Loaded
from quietshift.kernel.schema import metadata
from quietshift.kernel.settings import Settings
from quietshift.kernel.timers import Timer
from tests.incidents.test_verbs import NOW, snapshot

pytestmark = pytest.mark.needs("postgresql")
ROUNDS = 12


def test_people_alerts_and_timers_at_once(postgres_url: str, ops: Loaded, options: Settings) -> None:
    load_tables()
    db = Database.open(postgres_url)
    metadata.create_all(db.raw_engine())

    def group(number: int, firing: bool) -> Timer:
        return Timer("t", "incidents.group", "g", NOW, snapshot(("n1", firing), key=f"g{number}"))

    def desk(number: int, firing: bool) -> Callable[[Tx], object]:
        return lambda tx: usecases.on_group(tx, group(number, firing), NOW, ops=ops, settings=options)

    later = NOW + timedelta(minutes=6)
    for number in range(ROUNDS):
        with db.write() as tx:
            desk(number, True)(tx)
            [incident] = store.find(tx, limit=1)
        acts: list[Callable[[Tx], object]] = [
            desk(number, False),
            lambda tx, n=incident.id: usecases.acknowledge(tx, n, "user:ana", NOW),
            lambda tx, n=incident.id: usecases.snooze(tx, n, "user:bo", later, NOW),
            lambda tx, n=incident.id: usecases.escalate_now(tx, n, "user:bo", NOW, ops=ops, settings=options),
            lambda tx, n=incident.id: usecases.reassign(tx, n, "user:ana", ["bo"], NOW, ops=ops, settings=options),
            lambda tx, n=incident.id: usecases.resolve(tx, n, "user:ana", NOW),
        ]
        begin = threading.Barrier(len(acts) + 1, timeout=20)
        handlers = {
            "paging.escalate": lambda tx, timer, now: usecases.paging.escalate(tx, timer, now, ops=ops),
            "incidents.snooze_end": lambda tx, timer, now: usecases.snooze_end(tx, timer, now, ops=ops, settings=options),
        }

        def do(act: Callable[[Tx], object], begin: threading.Barrier = begin) -> None:
            begin.wait()
            try:
                with db.write() as tx:
                    act(tx)
            except Conflict:
                pass  # it is over meanwhile: IllegalTransition

        def engine(begin: threading.Barrier = begin, handlers: dict[str, timers.TimerHandler] = handlers) -> None:
            begin.wait()
            timers.run_due(db, handlers, later)

        with ThreadPoolExecutor(len(acts) + 1) as pool:
            done = [pool.submit(do, act) for act in acts] + [pool.submit(engine)]
            for one in done:
                one.result(30)
    db.close()
