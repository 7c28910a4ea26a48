"""Between processes on PostgreSQL: what others committed (LISTEN), who is up, and whose leases are orphaned.

Each process holds a session advisory lock for as long as it lives; the server gives it back when the connection dies. A
lease whose owner's lock can be taken, twice in a row, belongs to a dead process and is freed instead of running out. Once
might be one that is just connecting anew: what it is sending would be sent twice.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from quietshift.kernel.errors import Unavailable
from quietshift.kernel.live import DEAF, NOTIFY, WIRE, Committed

if TYPE_CHECKING:
    import psycopg

    from quietshift.kernel.db import Database

log = logging.getLogger("quietshift.listen")
RETRY = 1.0
REAP = 2.0
BREATH = 0.25  # seconds after which it looks whether it is to stop
HELLO = "members"  # topic: a process has come or is going
_NAME = "quietshift"  # application_name of this connection: this word, the process, its address
_JOIN = "SELECT pg_advisory_lock_shared(%s, hashtext(current_schema()))"
_MEMBERS = 0x71_73_6D_62  # "qsmb"
_UP = """SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND a.datname = current_database()
    AND l.classid = %s AND l.objid = (hashtext(current_schema())::bigint & 4294967295)::oid AND l.objsubid = 2"""


class Listener:
    """One connection that hears of other processes' commits and passes them to this process's subscribers.

    It can be started before the database is open, which takes half a second of imports: others know then that this process
    is up. url: of PostgreSQL. process, address: what others are told of this one, see `members`.
    """

    def __init__(self, url: str, process: str, address: str = "") -> None:
        self._url, self.process, self.address = url, process, address
        self._db: Database | None = None
        self.members: list[tuple[str, str]] = []  # process and address of each that is up on this schema; empty while unknown
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._missed: set[str] = set()  # owners whose lock could be taken at the last look
        self._thread = threading.Thread(target=self._run, name="qs-listen", daemon=True)

    @classmethod
    def of(cls, db: Database, address: str = "") -> Listener:
        """The listener of an open database."""
        listener = cls(db.url.set(drivername="postgresql").render_as_string(hide_password=False), db.process, address)
        listener.attach(db)
        return listener

    def attach(self, db: Database) -> None:
        """The database is open: pass on to its subscribers what is heard, from now on."""
        self._db = db
        db.live.back()
        db.live.publish(Committed(frozenset({"*"}), None))

    def start(self) -> None:
        """Begin; returns when it listens, or after five seconds of trying."""
        if not self._thread.is_alive():
            self._thread.start()
        self._ready.wait(5)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(REAP + 3)

    def _run(self) -> None:
        import psycopg

        while not self._stop.is_set():
            try:
                name = f"{_NAME} {self.process} {self.address}"[:63]
                with psycopg.connect(self._url, autocommit=True, connect_timeout=5, application_name=name, **WIRE) as conn:
                    conn.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (self.process,))
                    conn.execute("DO $$ BEGIN EXECUTE format('LISTEN %I', 'quietshift.' || current_schema()); END $$")
                    conn.execute(_JOIN, (_MEMBERS,))
                    self._look_around(conn)
                    self._tell(conn)
                    self._ready.set()
                    if self._db is not None:
                        self._db.live.back()
                    self._publish(Committed(frozenset({"*"}), None))  # what was missed while not listening
                    self._listen(conn)
            except (psycopg.Error, OSError) as error:
                log.error("not listening: %s", str(error).splitlines()[0] if str(error) else type(error).__name__)
            except Exception:
                log.exception("not listening")
            else:
                continue
            self._missed.clear()
            self.members = []
            if self._db is not None:
                self._db.live.lost()
            self._publish(Committed(frozenset({DEAF}), None))
            self._stop.wait(RETRY)

    def _listen(self, conn: psycopg.Connection) -> None:
        looked = time.monotonic()
        while not self._stop.is_set():
            greeted = False
            # stop_after: the connection cannot be asked anything before the loop has ended
            for notification in conn.notifies(timeout=BREATH, stop_after=1):
                try:
                    sender, message = Committed.decode(notification.payload)
                except (ValueError, TypeError, KeyError):
                    log.warning("somebody notifies on our channel what is none of ours")
                    continue
                greeted = greeted or HELLO in message.topics
                if sender != self.process:
                    self._publish(message)
            if greeted:
                self._look_around(conn)
            if time.monotonic() - looked >= REAP:
                looked = time.monotonic()
                self._look_around(conn)
                if self._db is not None:
                    self._reap(conn, self._db)

    def _publish(self, message: Committed) -> None:
        if self._db is not None:
            self._db.live.publish(message)

    def _tell(self, conn: psycopg.Connection) -> None:
        conn.execute(NOTIFY, (Committed(frozenset({HELLO}), None).encode(self.process),))

    def _look_around(self, conn: psycopg.Connection) -> None:
        names = [str(row[0]).split(" ", 2) for row in conn.execute(_UP, (_MEMBERS,)).fetchall()]
        self.members = sorted((process, address) for word, process, address in names if word == _NAME)

    def _reap(self, conn: psycopg.Connection, db: Database) -> None:
        from quietshift.kernel import outbox

        try:
            self._free_doubtful(db)
            with db.read() as tx:
                others = [owner for owner in outbox.lease_owners(tx) if owner != self.process]
            gone: set[str] = set()
            for owner in others:
                row = conn.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (owner,)).fetchone()
                if row is None or not row[0]:
                    continue
                gone.add(owner)
                try:
                    if owner not in self._missed:
                        continue
                    with db.write() as tx:
                        freed = outbox.release(tx, owner)
                    log.warning("took over from a process that is gone", extra={"owner": owner, "count": freed})
                    db.live.publish(Committed(frozenset({"*"}), None))
                finally:
                    conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (owner,))
            self._missed = gone
        except Unavailable as error:
            log.error("cannot look for orphaned leases: %s", error)

    def _free_doubtful(self, db: Database) -> None:
        from quietshift.kernel import outbox

        if ids := list(db.doubtful):
            with db.write() as tx:
                freed = outbox.free(tx, ids)
            db.doubtful.difference_update(ids)
            if freed:
                log.warning("committed after all, and sent now", extra={"count": freed})
                db.live.publish(Committed(frozenset({"*"}), None))
