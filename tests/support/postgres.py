"""A real PostgreSQL: one temporary cluster per run, one fresh database per test."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.support.needs import program
from tests.support.ports import free_port

# nothing here outlives the run, so nothing is flushed; the odd time zone finds code that trusts the server's
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "timezone": "Asia/Kathmandu",
    "unix_socket_directories": "",
}
START_SECONDS = 60.0


class Postgres:
    """A cluster on a free loopback port. It can be stopped, killed and started again, as in an outage."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.programs = programs
        self.port = free_port()
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root
        self._user: str | None = _unprivileged() if os.geteuid() == 0 else None
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        with self.connect_when_up() as connection:
            connection.execute("CREATE ROLE quietshift LOGIN")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.programs / name, *arguments],
            user=self._user,
            group=pwd.getpwnam(self._user).pw_gid if self._user else None,
            extra_groups=[] if self._user else None,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{name} failed: {done.stdout}{done.stderr}")

    def connect_when_up(self) -> "psycopg.Connection[tuple[object, ...]]":
        """Start the cluster if it is down; a superuser's connection in autocommit."""
        self.start()
        return psycopg.connect(self._conninfo("postgres"), autocommit=True)

    def _conninfo(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={database} connect_timeout=5"

    def start(self) -> None:
        if self._process and self._process.poll() is None:
            return
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    self.programs / "postgres",
                    "-D",
                    str(self.data),
                    "-p",
                    str(self.port),
                    *[argument for key, value in SETTINGS.items() for argument in ("-c", f"{key}={value}")],
                ],
                user=self._user,
                group=pwd.getpwnam(self._user).pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self._conninfo("postgres")).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start: {error}\n{log.read_text()[-2000:]}") from error
                time.sleep(0.02)  # waits for another process

    def stop(self) -> None:
        """A fast shutdown: sessions are ended, what is committed stays."""
        if self._process and self._process.poll() is None:
            self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-w", "-t", "30")
            self._process.wait(30)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """None of its processes runs: connections stay open, and nothing is answered."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        pids = [self._process.pid, *map(int, children.read_text().split())]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def create(self) -> str:
        """A new, empty database; its URL. Its owner is an ordinary role, as in production."""
        name = f"quietshift_{next(self._numbers)}"
        with self.connect_when_up() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER quietshift TEMPLATE template0").format(sql.Identifier(name))
            )
        return f"postgresql://quietshift@127.0.0.1:{self.port}/{name}"

    def drop(self, url: str) -> None:
        name = url.rsplit("/", 1)[-1]
        with self.connect_when_up() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _unprivileged() -> str:
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise RuntimeError("neither a user postgres nor a user nobody to run PostgreSQL as")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    initdb = program("postgresql").resolve()  # a link elsewhere still stands beside postgres and pg_ctl where it leads
    folder = Path(tempfile.mkdtemp(prefix="quietshift-postgres-"))  # not below pytest's own, which only root may enter
    cluster = None
    try:
        cluster = Postgres(folder, initdb.parent)
        yield cluster
    finally:
        if cluster:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """An empty database of its own, dropped afterwards: postgresql://quietshift@127.0.0.1:PORT/NAME."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The test runs twice: on an empty SQLite file and on an empty PostgreSQL database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/quietshift.db"
    url: str = request.getfixturevalue("postgres_url")
    return url
