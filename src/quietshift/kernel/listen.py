"""Between processes on PostgreSQL: what others committed (LISTEN), and whose leases are orphaned.

Each process holds a session advisory lock for as long as it lives; the server gives it back when the connection dies. A
lease whose owner's lock can be taken, twice in a row, belongs to a dead process and is freed instead of running out. Once
might be one that is just connecting anew: what it is sending would be sent twice.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from quietshift.kernel import outbox
from quietshift.kernel.db import Database
from quietshift.kernel.errors import Unavailable
from quietshift.kernel.live import DEAF, Committed

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger("quietshift.listen")
RETRY = 1.0
REAP = 2.0


class Listener:
    """One connection that hears of other processes' commits and passes them to this process's subscribers."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._missed: set[str] = set()  # owners whose lock could be taken at the last look
        self._thread = threading.Thread(target=self._run, name="qs-listen", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait(5)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(REAP + 3)

    def _run(self) -> None:
        import psycopg

        dsn = self.db.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while not self._stop.is_set():
            try:
                with psycopg.connect(dsn, autocommit=True, connect_timeout=5, application_name="quietshift-listen") as conn:
                    conn.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (self.db.process,))
                    conn.execute("LISTEN quietshift")
                    self._ready.set()
                    self.db.live.publish(Committed(frozenset({"*"}), None))  # what was missed while not listening
                    self._listen(conn)
            except (psycopg.Error, OSError) as error:
                log.error("not listening: %s", str(error).splitlines()[0] if str(error) else type(error).__name__)
            except Exception:
                log.exception("not listening")
            else:
                continue
            self._missed.clear()
            self.db.live.publish(Committed(frozenset({DEAF}), None))
            self._stop.wait(RETRY)

    def _listen(self, conn: psycopg.Connection) -> None:
        while not self._stop.is_set():
            for notification in conn.notifies(timeout=REAP):
                try:
                    sender, message = Committed.decode(notification.payload)
                except (ValueError, TypeError, KeyError):
                    log.warning("somebody notifies on our channel what is none of ours")
                    continue
                if sender != self.db.process:
                    self.db.live.publish(message)
                if self._stop.is_set():
                    return
            self._reap(conn)

    def _reap(self, conn: psycopg.Connection) -> None:
        try:
            with self.db.read() as tx:
                others = [owner for owner in outbox.lease_owners(tx) if owner != self.db.process]
            gone: set[str] = set()
            for owner in others:
                row = conn.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (owner,)).fetchone()
                if row is None or not row[0]:
                    continue
                gone.add(owner)
                try:
                    if owner not in self._missed:
                        continue
                    with self.db.write() as tx:
                        freed = outbox.release(tx, owner)
                    log.warning("took over from a process that is gone", extra={"owner": owner, "count": freed})
                    self.db.live.publish(Committed(frozenset({"*"}), None))
                finally:
                    conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (owner,))
            self._missed = gone
        except Unavailable as error:
            log.error("cannot look for orphaned leases: %s", error)
