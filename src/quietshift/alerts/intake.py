"""The writer of intake: requests that arrive while a commit is under way are committed together in the next transaction.

So a single request costs one commit, and many cost little more. Each is answered after its own commit. A commit of one request
costs half as much as one of ten: where many senders wait, the next commit waits for as many as were in the last one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from quietshift.alerts.usecases import Alerting
from quietshift.alerts.wires.alertmanager import Reported
from quietshift.kernel.clock import Clock
from quietshift.kernel.db import Database
from quietshift.kernel.errors import QuietshiftError, Unavailable

log = logging.getLogger("quietshift.alerts")
MOST = 2_000  # alerts in one transaction: others wait for their turn to write meanwhile
LINGER = 0.003  # seconds that a transaction waits for as many requests as the last one had
WAITING = 200_000  # alerts that may wait for the writer

Done = Callable[[QuietshiftError | None], None]


class Intake:
    """Takes reports to the database, in order. `done` is called on the writer's thread: None for stored, else why not."""

    def __init__(self, db: Database, use: Alerting, clock: Clock) -> None:
        self._db, self._use, self._clock = db, use, clock
        self._condition = threading.Condition()
        self._queue: list[tuple[Sequence[Reported], Done]] = []
        self._waiting = 0
        self._burst = 1  # requests in the last transaction: as many are to be expected, for senders wait for their answers
        self._stopping = False
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="qs-intake", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Store what is waiting, and end."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(10)

    def submit(self, reports: Sequence[Reported], done: Done) -> None:
        """Hand over one request's alerts."""
        parts = [reports[i : i + MOST] for i in range(0, len(reports), MOST)] or [reports]
        told = _when_all(len(parts), done) if len(parts) > 1 else done
        with self._condition:
            full, ended = self._waiting + len(reports) > WAITING, self._stopping
            if not (full or ended):
                before = len(self._queue)
                self._queue += [(part, told) for part in parts]
                self._waiting += len(reports)
                if not before or before < self._burst <= len(self._queue):
                    self._condition.notify()
                return
        done(Unavailable("shutting down" if ended else "more alerts are waiting to be stored than can be; send them again"))

    def _take(self) -> list[tuple[Sequence[Reported], Done]]:
        with self._condition:
            while not self._queue and not self._stopping:
                self._condition.wait()
            self._condition.wait_for(lambda: len(self._queue) >= self._burst or self._stopping, LINGER)
            count = taken = 0
            while taken < len(self._queue) and (not taken or count + len(self._queue[taken][0]) <= MOST):
                count += len(self._queue[taken][0])
                taken += 1
            batch = self._queue[:taken]
            del self._queue[:taken]
            self._waiting -= count
            self._burst = len(batch)
            return batch

    def _run(self) -> None:
        while batch := self._take():
            problem = self._store([report for reports, _ in batch for report in reports])
            if len(batch) > 1 and problem is not None and not isinstance(problem, Unavailable):
                for reports, done in batch:  # one of them cannot be stored: the others can
                    _tell(done, self._store(reports))
                continue
            for _, done in batch:
                _tell(done, problem)

    def _store(self, reports: Sequence[Reported]) -> QuietshiftError | None:
        """None, or why not: Unavailable where it is the store's fault, else that of what is to be stored."""
        try:
            with self._db.write() as tx:
                now = self._clock.now()
                if self._broken:  # senders could not be heard until now: their silence means nothing
                    self._use.heard_since = now
                self._use.receive(tx, reports, now)
        except Unavailable as error:
            log.error("alerts could not be stored, senders are asked to repeat them: %s", error)
            self._use.heard_since = self._clock.now()  # timers may have the store back before any sender has
            self._broken = True
            problem: QuietshiftError = error
        except Exception as error:
            log.exception("alerts could not be stored, senders are asked to repeat them")
            problem = QuietshiftError(f"the alerts could not be stored ({type(error).__name__}); send them again")
        else:
            self._broken = False
            return None
        return problem


def _when_all(count: int, done: Done) -> Done:
    """To be called for each part of a request: tells once all are done, the first problem if there was any."""
    answers: list[QuietshiftError | None] = []

    def part(problem: QuietshiftError | None) -> None:
        answers.append(problem)
        if len(answers) == count:
            done(next((answer for answer in answers if answer is not None), None))

    return part


def _tell(done: Done, problem: QuietshiftError | None) -> None:
    """Answer one asker; whoever cannot be answered keeps the writer from nobody else."""
    try:
        done(problem)
    except Exception:
        log.exception("an answer could not be given")
