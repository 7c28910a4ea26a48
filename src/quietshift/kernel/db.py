"""The database: one writer at a time on SQLite, many processes on PostgreSQL, the same verbs on both.

SQLite gets two engines. The writer has one connection, opens with BEGIN IMMEDIATE, WAL and `synchronous=FULL`: what was
committed is on disk. The reader has `query_only`. SQLAlchemy's default on SQLite loses concurrent updates (416 of 480 when
measured), so nothing else opens a connection.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, Table, create_engine, event, make_url, select, update
from sqlalchemy import exc as sa_exc

from quietshift.kernel import plain
from quietshift.kernel.errors import Invalid, Unavailable
from quietshift.kernel.live import NOTIFY, WIRE, Committed, Live
from quietshift.kernel.schema import counters
from quietshift.kernel.turn import Turn

if TYPE_CHECKING:
    from quietshift.kernel.outbox import Delivery

Dialect = Literal["sqlite", "postgresql"]
FIRST_NUMBER = 1000
BUSY_SECONDS = 5.0  # how long a command waits for the server's writer
LOCKED_SECONDS = 0.5  # and a server for anybody else: senders are to hear at once, and nobody should hold its file for longer
# PostgreSQL: a process that stands still in the middle of a transaction, or a machine that is cut off, holds up all others with
# the locks it has. Its transaction is undone after IDLE_SECONDS; nobody waits for a lock longer than LOCK_SECONDS.
IDLE_SECONDS = 15.0
LOCK_SECONDS = 20.0
CHECKPOINT = 4000  # pages (16 MB) in the log when they are brought into the file: what changes often, is so less often
_AWAY = (sa_exc.OperationalError, sa_exc.InterfaceError, sa_exc.InternalError, sa_exc.TimeoutError)  # Internal: session ended


class Tx:
    """A transaction. What it tells the outside world, it tells after the commit, or not at all."""

    def __init__(self, db: Database, conn: Connection) -> None:
        self.db, self.conn = db, conn
        self.dialect: Dialect = db.dialect
        self._after: list[Callable[[], None]] = []
        self._undo: list[Callable[[], None]] = []
        self._topics: list[str] = []
        self._dues: list[datetime] = []
        self.born_leased: list[Delivery] = []

    def execute(
        self, statement: Executable, params: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run a Core statement; with a list of parameter sets it is an executemany."""
        return cast("CursorResult[Any]", self.conn.execute(statement, params))

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a plain statement, `?` for each value, as they are stored (instants in microseconds, JSON as text); `AMONG ?`
        for one of `these`. It costs a twentieth of a Core statement: for what is done with every alert, timer and delivery."""
        with self._plain(sql) as (driver, statement):
            cursor = driver.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """A plain statement for each of these rows of values; nothing where there is none. See `run`."""
        if rows:
            with self._plain(sql) as (driver, statement):
                driver.cursor().executemany(statement, rows)

    def insert(self, into: str, rows: Sequence[Sequence[Any]], conflict: str = "") -> None:
        """Rows of plain values into `table (column, ...)`; conflict: the clause for those that are there. See `run`.

        On SQLite many rows are one statement: each step of one lets go of Python's lock, and may wait for it afterwards.
        """
        if self.dialect == "postgresql":
            self.run_many(plain.insertion(into, 1) + conflict, rows)
            return
        begin = 0
        for size in plain.AT_ONCE:
            while len(rows) - begin >= size:
                self.run(plain.insertion(into, size) + conflict, list(chain.from_iterable(rows[begin : begin + size])))
                begin += size

    def these(self, values: Collection[int] | Collection[str]) -> Any:
        """The value for `AMONG ?`: any number of them in one statement, whose text is always the same."""
        return list(values) if self.dialect == "postgresql" else json.dumps(list(values))

    @contextlib.contextmanager
    def _plain(self, sql: str) -> Iterator[tuple[Any, str]]:
        driver: Any = self.conn.connection.driver_connection
        errors = self.conn.dialect.loaded_dbapi.Error
        try:
            yield driver, plain.translated(sql, self.dialect)
        except errors as error:  # as one of a Core statement
            raise sa_exc.DBAPIError.instance(sql, None, error, errors, dialect=self.conn.dialect) from error

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this once the transaction is on disk; never if it is rolled back."""
        self._after.append(call)

    def after_undo(self, call: Callable[[], None]) -> None:
        """Call this if the transaction, or the savepoint that this is said in, is undone; before anybody else writes."""
        self._undo.append(call)

    def undone(self, since: int = 0) -> None:
        """What was done from there on is undone: tell who wants to know."""
        calls, self._undo = self._undo[since:], self._undo[:since]
        for call in calls:
            call()

    def publish(self, topic: str) -> None:
        """Tell open pages and other processes, after the commit, that this changed: "incidents", "incident:1042"."""
        self._topics.append(topic)

    def due(self, instant: datetime) -> None:
        """Tell workers, after the commit, that a row is due at this instant."""
        self._dues.append(instant)

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that can fail alone: on an exception its rows and its announcements are undone, and it is raised again.

        Raises Unavailable where the whole transaction is gone: SQLite undoes it when the disk is full.
        """
        lists: tuple[list[Any], ...] = (self._after, self._topics, self._dues, self.born_leased)
        marks = [len(part) for part in lists]
        undo = len(self._undo)
        self.run("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self.undone(undo)
            try:
                self.run("ROLLBACK TO SAVEPOINT part")
                self.run("RELEASE SAVEPOINT part")
            except sa_exc.DBAPIError as gone:
                raise Unavailable(f"the database has given the transaction up: {_first_line(gone)}") from gone
            for part, mark in zip(lists, marks, strict=True):
                del part[mark:]
            raise
        self.run("RELEASE SAVEPOINT part")

    def upsert(
        self,
        table: Table,
        values: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        key: Sequence[str],
        change: Sequence[str] | None = None,
    ) -> None:
        """Insert rows; where one with the same key (columns of a unique index) exists, change the named columns (default:
        all that are given and not in the key; an empty list leaves the row as it is)."""
        self._put(table, values, tuple(key), None if change is None else tuple(change))

    def add(self, table: Table, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, each with the columns of the first, at the cost of `run`; nothing where there is none."""
        self._put(table, values, (), None)

    def _put(
        self, table: Table, values: Mapping[str, Any] | Sequence[Mapping[str, Any]], key: tuple[str, ...],
        change: tuple[str, ...] | None,
    ) -> None:  # fmt: skip
        rows = [values] if isinstance(values, Mapping) else list(values)
        if rows:
            columns = tuple(rows[0])
            sql, stored = plain.putting(table, columns, key, change, self.conn.dialect)
            self.run_many(sql, [[kept(row[name]) for name, kept in zip(columns, stored, strict=True)] for row in rows])

    def next_number(self, name: str) -> int:
        """The next number of this counter, from 1001 up, without a gap unless the transaction is rolled back."""
        bump = update(counters).where(counters.c.name == name).values(value=counters.c.value + 1).returning(counters.c.value)
        value = self.execute(bump).scalar_one_or_none()
        if value is None:
            self.upsert(counters, {"name": name, "value": FIRST_NUMBER}, key=["name"], change=[])
            value = self.execute(bump).scalar_one()
        return int(value)

    @property
    def announcement(self) -> Committed:
        return Committed(frozenset(self._topics), min(self._dues, default=None))


class Database:
    """An open database. `write()` and `read()` give transactions; `live` tells what was committed."""

    def __init__(self, url: URL, writer: Engine, reader: Engine, lock: int | None) -> None:
        self.url, self._writer, self._reader, self._lock = url, writer, reader, lock
        self.dialect: Dialect = "postgresql" if url.get_backend_name() == "postgresql" else "sqlite"
        self.live = Live()
        self.process = secrets.token_hex(6)  # owner of leases; a new one each start
        self.take_born_leased: Callable[[list[Delivery]], None] | None = None  # set by the outbox's worker
        self.doubtful: set[str] = set()  # deliveries born in a transaction of which nobody told us whether it was committed
        self._write_turn = Turn()  # one writer on SQLite: threads wait here, not in SQLite's busy loop

    @classmethod
    def open(cls, url: str, *, exclusive: bool = False, pool_size: int = 12) -> Database:
        """Open `sqlite:///PATH` (or a plain path) or `postgresql://...`.

        exclusive: on SQLite, be the one server of this file; another one is refused (Invalid). Raises Invalid for a URL of
        another kind, Unavailable where the server does not answer.
        """
        parsed = normalise_url(url)
        if parsed.get_backend_name() == "postgresql":
            return cls(parsed, *_postgres(parsed, pool_size), None)
        path = Path(parsed.database or "")
        if not path.parent.is_dir():
            raise Invalid(f"--db {path}: the directory {path.parent} does not exist")
        _be_sqlite(path)
        lock = _lock_file(path) if exclusive else None
        return cls(parsed, *_sqlite(parsed, path, LOCKED_SECONDS if exclusive else BUSY_SECONDS), lock)

    @property
    def path(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        return Path(self.url.database or "") if self.dialect == "sqlite" else None

    @contextlib.contextmanager
    def write(self, *, ahead: bool = False) -> Iterator[Tx]:
        """A transaction that may change rows. Committed when the block ends, rolled back when it raises.

        ahead: before the others that wait for their turn on SQLite; for what is short and must not wait.

        Raises Unavailable where the store cannot be reached, is locked or full: nothing was changed.
        """
        with self._write_turn.held(ahead=ahead) if self.dialect == "sqlite" else contextlib.nullcontext():
            tx = None
            try:
                with self._writer.connect() as conn, conn.begin():
                    tx = Tx(self, conn)
                    yield tx
                    message = tx.announcement
                    if message and self.dialect == "postgresql":
                        conn.exec_driver_sql(NOTIFY, (message.encode(self.process),))
            except BaseException as error:
                if tx is not None:
                    tx.undone()
                if isinstance(error, _AWAY):
                    if tx is not None:
                        self.doubtful.update(delivery.id for delivery in tx.born_leased)
                    raise Unavailable(f"the database cannot take it now: {_first_line(error)}") from error
                raise
        for call in tx._after:
            call()
        if tx.born_leased and self.take_born_leased is not None:
            self.take_born_leased(tx.born_leased)
        if message:
            self.live.publish(message)

    @contextlib.contextmanager
    def read(self) -> Iterator[Tx]:
        """A transaction that only reads, one consistent snapshot. Raises Unavailable where the store cannot be reached."""
        try:
            with self._reader.connect() as conn, conn.begin():
                yield Tx(self, conn)
        except _AWAY as error:
            raise Unavailable(f"the database cannot be read now: {_first_line(error)}") from error

    def close(self) -> None:
        """Give back every connection and the file's lock."""
        self._writer.dispose()
        self._reader.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def raw_engine(self) -> Engine:
        """The writing engine, for migrations alone."""
        return self._writer


def normalise_url(url: str) -> URL:
    """A path becomes sqlite:///, postgres:// and postgresql:// get psycopg 3. Raises Invalid for others."""
    if "://" not in url:
        url = f"sqlite:///{url}"
    try:
        parsed = make_url(url)
    except sa_exc.ArgumentError:
        raise Invalid("--db: not a database URL; write sqlite:///path/to/file.db or postgresql://user@host/name") from None
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        try:
            import psycopg  # noqa: F401 - is it there?
        except ImportError:
            raise Invalid("--db postgresql://: install the extra: pipx install 'quietshift[postgres]'") from None
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        if not parsed.database or parsed.database == ":memory:":
            raise Invalid("--db sqlite: name a file; memory keeps no promise across a restart")
        return parsed.set(drivername="sqlite")
    raise Invalid(f"--db {parsed.drivername}: only sqlite and postgresql are supported")


def _sqlite(url: URL, path: Path, patience: float) -> tuple[Engine, Engine]:
    from sqlalchemy.pool import QueuePool

    def engine(size: int, read_only: bool) -> Engine:
        made = create_engine(
            url, poolclass=QueuePool, pool_size=size, max_overflow=0, pool_timeout=BUSY_SECONDS,
            connect_args={"timeout": BUSY_SECONDS if read_only else patience, "check_same_thread": False},
        )

        @event.listens_for(made, "connect")
        def _connect(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # transactions are ours to begin
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT}")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute(f"PRAGMA query_only={int(read_only)}")
            cursor.close()

        @event.listens_for(made, "begin")
        def _begin(conn: Connection) -> None:
            conn.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

        return made

    if not path.exists():  # the file holds people's contacts: its owner's alone
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    return engine(1, read_only=False), engine(4, read_only=True)


def _postgres(url: URL, pool_size: int) -> tuple[Engine, Engine]:
    def engine(read_only: bool) -> Engine:
        made = create_engine(
            url, pool_size=pool_size, max_overflow=pool_size, pool_timeout=BUSY_SECONDS, pool_pre_ping=True,
            connect_args={"connect_timeout": 5, "application_name": "quietshift", **WIRE},
        )

        @event.listens_for(made, "connect")
        def _connect(connection: Any, _record: Any) -> None:
            limits = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
            if not read_only:
                limits["idle_in_transaction_session_timeout"] = int(IDLE_SECONDS * 1000)
                limits["lock_timeout"] = int(LOCK_SECONDS * 1000)
            before, connection.autocommit = connection.autocommit, True
            connection.execute("; ".join(f"SET {name} = {value}" for name, value in limits.items()))
            connection.autocommit = before

        if read_only:

            @event.listens_for(made, "begin")
            def _begin(conn: Connection) -> None:
                conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

        return made

    return engine(read_only=False), engine(read_only=True)


def _be_sqlite(path: Path) -> None:
    """Raises Invalid where there is something that is no database of SQLite; nothing, or an empty file, becomes one."""
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Invalid(f"--db {path}: {error.strerror}") from None
    if start not in (b"", b"SQLite format 3\0"):
        raise Invalid(f"--db {path}: the file is not a database; nothing in it was changed")


def _lock_file(path: Path) -> int:
    handle = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Invalid(f"{path} is in use by another server; many processes share one database on PostgreSQL only") from None
    return handle


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__


def get_meta(tx: Tx, key: str) -> str | None:
    """A fact about the database itself; None where it was never set."""
    from quietshift.kernel.schema import meta

    return tx.execute(select(meta.c.value).where(meta.c.key == key)).scalar_one_or_none()


def set_meta(tx: Tx, key: str, value: str) -> None:
    """Set a fact about the database itself."""
    from quietshift.kernel.schema import meta

    tx.upsert(meta, {"key": key, "value": value}, key=["key"])


__all__ = ["Database", "Tx", "get_meta", "normalise_url", "set_meta"]
