"""The engine: runs timers when they are due, sends the outbox, seals the journal. Woken by commits, not by polling.

Every loop notes when it last went round. `overdue` tells whether work that is due is not being done: `/-/healthy` and the
outside dead man's switch hang on it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from quietshift.kernel import journal, outbox, timers
from quietshift.kernel.clock import Clock
from quietshift.kernel.db import Database, Tx
from quietshift.kernel.errors import Unavailable
from quietshift.kernel.live import Committed
from quietshift.kernel.outbox import Delivery, OutboxKind, Result
from quietshift.kernel.registries import Lane, Registry

log = logging.getLogger("quietshift.worker")
IDLE = 1.0  # seconds between two rounds in which nothing was asked for: a sign of life, no query
LOOK = 5.0  # seconds after which the tables are looked at even so: a notification may have been lost
STUCK = timedelta(seconds=30)  # a round that takes longer is stuck
RECORD_BATCH = 200
SEAL_ALL = 600.0  # seconds between two looks at the whole journal; in between, at what is younger than that
TIMER_BUDGET = 0.02  # seconds of one transaction of timers: alerts, and results of what was sent, wait for their turn meanwhile
RAMP = 0.25  # seconds: after a start, one more delivery of a kind may be under way after each, and after each that was recorded


class Alarm:
    """Wakes a loop at the earliest instant that anybody named."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._condition = threading.Condition()
        self._due: datetime | None = None

    def set(self, due: datetime) -> None:
        """Wake at this instant, or earlier if something earlier was set."""
        with self._condition:
            if self._due is None or due < self._due:
                self._due = due
                self._condition.notify()

    def wait(self, most: float) -> bool:
        """Sleep until the instant set has come (True, and it is forgotten) or `most` seconds have passed (False)."""
        deadline = time.monotonic() + most
        with self._condition:
            while True:
                left = deadline - time.monotonic()
                until = (self._due - self._clock.now()).total_seconds() if self._due is not None else left
                if self._due is not None and until <= 0:
                    self._due = None
                    return True
                if left <= 0:
                    return False
                self._condition.wait(min(left, until))


@dataclass
class Round:
    """When a loop last came round, on the monotonic clock (seconds)."""

    name: str
    at: float

    def stamp(self) -> None:
        self.at = time.monotonic()


class Worker:
    """The threads of one process: timers, one claimer with a pool for each outbox kind, a recorder, the sealer.

    What is sent and not recorded when the process dies is sent again. So a start is slow: a process that comes up with much to
    send, and perhaps dies of it, over and over, repeats a message or two each time and not all that its threads can hold.
    """

    def __init__(self, db: Database, clock: Clock, registry: Registry, seal_key: bytes) -> None:
        self.db, self.clock, self.registry, self._seal_key = db, clock, registry, seal_key
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._flying: dict[str, int] = {}
        self._flying_lock = threading.Lock()
        self._in_hand: set[str] = set()  # deliveries from the claim until they are recorded
        self._slots = threading.Condition()
        self._acting: dict[str, int] = {}  # being sent, or sent and not recorded yet
        self._recorded: dict[str, int] = {}
        self._began = 0.0
        self._full = False  # a kind had no thread left when rows were claimed last
        self._results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        self._timer_alarm, self._outbox_alarm, self._seal_alarm = Alarm(clock), Alarm(clock), Alarm(clock)
        self._alarms = (self._timer_alarm, self._outbox_alarm)
        self._rounds = {name: Round(name, time.monotonic()) for name in ("timers", "outbox", "record", "seal")}

    def start(self) -> None:
        """Free what the last process of this SQLite file left leased, and begin."""
        if self.db.dialect == "sqlite":
            with self.db.write() as tx:
                freed = outbox.release(tx, None)
            if freed:
                log.warning("deliveries of the last run are attempted again", extra={"count": freed})
        for kind in self.registry.outbox.values():
            self._pools[kind.kind] = ThreadPoolExecutor(kind.threads, thread_name_prefix=f"send-{kind.kind}")
            self._flying[kind.kind] = self._acting[kind.kind] = self._recorded[kind.kind] = 0
        self._began = time.monotonic()
        self.db.take_born_leased = self._take_born_leased
        self._unsubscribe = self.db.live.subscribe(self._committed)
        loops: dict[str, Callable[[], None]] = {
            "timers": self._timer_loop, "outbox": self._outbox_loop, "record": self._record_loop, "seal": self._seal_loop,
        }
        for name, loop in loops.items():
            thread = threading.Thread(target=loop, name=f"qs-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, patience: float = 10.0) -> None:
        """Finish what is being sent and recorded, for `patience` seconds at most, and end the threads."""
        self._stop.set()
        self.db.take_born_leased = None
        self._wake()
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and any(self._flying.values()):
            self._stop.wait(0)
            time.sleep(0.02)  # a shutdown, not a test: there is nothing to be woken by
        self._results.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()) + 0.5)
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        self._unsubscribe()

    def busy(self) -> bool:
        """Whether something is being sent, or was sent and is not recorded yet."""
        with self._flying_lock:
            return any(self._flying.values())

    # -- health ----------------------------------------------------------------------------------------------------

    def stuck(self) -> list[str]:
        """The loops that have not come round for longer than STUCK; empty where the engine turns."""
        now = time.monotonic()
        return [r.name for r in self._rounds.values() if now - r.at > STUCK.total_seconds()]

    def overdue(self, tx: Tx, now: datetime) -> timedelta:
        """How late the latest unparked work is; zero where nothing is late."""
        kinds = list(self.registry.outbox)
        dues = [timers.next_due(tx), outbox.next_due(tx, kinds) if kinds else None]
        return max((now - due for due in dues if due is not None and due < now), default=timedelta())

    # -- waking ----------------------------------------------------------------------------------------------------

    def _committed(self, message: Committed) -> None:
        everything = "*" in message.topics
        if message.due_at is not None or everything:
            for alarm in self._alarms:
                alarm.set(message.due_at if not everything and message.due_at else self.clock.now())
        if everything or "journal" in message.topics:
            self._seal_alarm.set(self.clock.now() + timedelta(milliseconds=250))

    def _wake(self) -> None:
        now = self.clock.now()
        for alarm in (*self._alarms, self._seal_alarm):
            alarm.set(now)

    # -- loops -----------------------------------------------------------------------------------------------------

    def _loop(self, name: str, alarm: Alarm, turn: Callable[[], datetime | None], look: float = LOOK) -> None:
        """Call `turn` when the alarm rings and each `look` seconds; it returns when it wants to be called again."""
        current, looked = self._rounds[name], -look
        while not self._stop.is_set():
            current.stamp()
            rung = alarm.wait(IDLE)
            current.stamp()
            if self._stop.is_set() or not (rung or time.monotonic() - looked > look):
                continue
            looked = time.monotonic()
            try:
                due = turn()
            except Unavailable as error:
                log.error("%s: %s", name, error)
                due = self.clock.now() + timedelta(seconds=1)
            except Exception:
                log.exception("%s loop failed; it goes on", name)
                due = self.clock.now() + timedelta(seconds=1)
            if due is not None:
                alarm.set(due)

    def _timer_loop(self) -> None:
        def turn() -> datetime | None:
            taken = 0
            while not self._stop.is_set():
                self._rounds["timers"].stamp()
                with self.db.read() as tx:
                    due = timers.due_kinds(tx, self.clock.now())
                lanes = self.registry.lanes(due)
                taken = 0
                for lane, kinds in lanes.items():
                    now, first = self.clock.now(), lane == Lane.PAGES
                    taken += timers.run_due(self.db, self.registry.timers, now, budget=TIMER_BUDGET, kinds=kinds, ahead=first)
                if not taken:
                    break
            with self.db.read() as tx:
                next_due = timers.next_due(tx)
            # what is due and was not to be had is being run by somebody else
            return next_due if next_due is None or taken else max(next_due, self.clock.now() + timedelta(milliseconds=50))

        self._loop("timers", self._timer_alarm, turn)

    def _outbox_loop(self) -> None:
        self._loop("outbox", self._outbox_alarm, self._claim_all)

    def _claim_all(self) -> datetime | None:
        free = [kind for kind in self.registry.outbox.values() if self._room(kind) > 0]
        now = self.clock.now()
        self._full = len(free) < len(self.registry.outbox)
        if not free:
            return None  # the recorder rings when there is room again
        with self.db.read() as tx:
            due = outbox.next_due(tx, [kind.kind for kind in free])
        if due is None or due > now:
            return due
        with self._flying_lock:
            in_hand = list(self._in_hand)
        with self.db.write() as tx:
            claimed = [d for kind in free for d in outbox.claim(tx, kind, now, self._room(kind), in_hand)]
        for delivery in claimed:
            self._submit(delivery)
        return now if claimed else now + timedelta(milliseconds=100)  # rows that somebody else has locked

    def _room(self, kind: OutboxKind) -> int:
        with self._flying_lock:
            return kind.threads - self._flying[kind.kind]

    def _take_born_leased(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._submit(delivery)

    def _submit(self, delivery: Delivery) -> None:
        with self._flying_lock:
            self._flying[delivery.kind] += 1
            self._in_hand.add(delivery.id)
        try:
            self._pools[delivery.kind].submit(self._send, delivery)
        except RuntimeError:  # shutting down: the row stays leased and is taken up at the next start
            with self._flying_lock:
                self._flying[delivery.kind] -= 1
                self._in_hand.discard(delivery.id)

    def _send(self, delivery: Delivery) -> None:
        kind = self.registry.outbox[delivery.kind]
        self._take_slot(delivery.kind)
        now = self.clock.now()
        if now - delivery.claimed_at > kind.lease / 2:
            # it waited so long for a thread that another process may take over: leave it to whoever claims it next
            self._let_go(delivery, now)
            self._give_back([delivery])
            return
        started = replace(delivery, attempted_at=now)
        self._results.put((started, outbox.act(kind, started)))

    def _let_go(self, delivery: Delivery, now: datetime) -> None:
        try:
            with self.db.write() as tx:
                outbox.let_go(tx, delivery, now)
        except Unavailable as error:
            log.error("a delivery waits until its lease ends: %s", error, extra={"delivery": delivery.id})

    def _take_slot(self, kind: str) -> None:
        """Wait until one more may be under way. Some time after the start it always may."""
        with self._slots:
            while not self._stop.is_set():
                opened = 1 + self._recorded[kind] + int((time.monotonic() - self._began) / RAMP)
                if self._acting[kind] < opened:
                    break
                self._slots.wait(RAMP)
            self._acting[kind] += 1

    def _give_back(self, deliveries: list[Delivery]) -> None:
        with self._slots:
            for delivery in deliveries:
                self._acting[delivery.kind] -= 1
                self._recorded[delivery.kind] += 1
            self._slots.notify_all()
        with self._flying_lock:
            for delivery in deliveries:
                self._flying[delivery.kind] -= 1
                self._in_hand.discard(delivery.id)

    def _record_loop(self) -> None:
        current = self._rounds["record"]
        pending: list[Result] = []
        ending = False
        while not ending:
            current.stamp()
            ending = self._gather(pending)
            if pending and self._record(pending):
                pending = []

    def _gather(self, pending: list[Result]) -> bool:
        """Wait for answers, and take those that are there. Returns whether none will come after them."""
        try:
            item = self._results.get(timeout=0.2 if pending else IDLE)
            if item is not None and (linger := self.registry.outbox[item[0].kind].linger):
                self._stop.wait(linger)  # others come in the meantime, and are recorded in the same commit
            while item is not None:
                pending.append(item)
                if len(pending) >= RECORD_BATCH:
                    return False
                item = self._results.get_nowait()
        except queue.Empty:
            return False
        return True

    def _record(self, results: list[Result]) -> bool:
        try:
            with self.db.write(ahead=True) as tx:  # until it is on disk that a page was sent, a crash sends it again
                outbox.record(tx, self.registry.outbox, results, self.clock.now())
        except Unavailable as error:
            log.error("results are kept until the database is back: %s", error)
            self._stop.wait(0.5)
            return False
        except Exception:
            log.exception("results could not be recorded; they are tried again")
            self._stop.wait(0.5)
            return False
        self._give_back([delivery for delivery, _ in results])
        if self._full:
            self._outbox_alarm.set(self.clock.now())  # there is room again
        return True

    def _seal_loop(self) -> None:
        whole = -SEAL_ALL  # when every entry was looked at: a clock that was set back may have hidden some

        def turn() -> datetime | None:
            nonlocal whole
            everything = time.monotonic() - whole > SEAL_ALL
            since = None if everything else self.clock.now() - timedelta(seconds=SEAL_ALL)
            newest = journal.seal(self.db, self._seal_key, since=since)
            whole = time.monotonic() if everything else whole
            if newest is None:
                return None
            log.info("journal sealed", extra={"head": newest})
            return self.clock.now() + timedelta(milliseconds=250)

        self._loop("seal", self._seal_alarm, turn)
