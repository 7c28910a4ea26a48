"""`quietshift serve` as a process of its own: started, killed and started again on the same address."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.ports import free_port

QUIETSHIFT = Path(sys.executable).with_name("quietshift")
READY_SECONDS = 60.0
ADMIN_TOKEN = "admin-token-of-the-tests"


class Server:
    """One server on a free loopback port. `url`, `port`, `log` (a file), `token` (admin)."""

    def __init__(
        self, folder: Path, ops: Path, db: str | None = None, *flags: str, env: Mapping[str, str] | None = None
    ) -> None:
        self.ops = ops
        self.db = db or f"sqlite:///{folder}/quietshift.db"
        self.flags = flags
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = ADMIN_TOKEN
        self.log = folder / f"server-{self.port}.log"
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("QUIETSHIFT_")},
            "QUIETSHIFT_ADMIN_TOKEN": ADMIN_TOKEN,
            "QUIETSHIFT_SECRET_KEY": "0123456789abcdef" * 4,  # on PostgreSQL it has to be given
            **(env or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait: bool = True) -> "Server":
        """Start the process and, with `wait`, poll /-/ready until it answers 200."""
        if self.running:
            raise RuntimeError("the server is running already")
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    QUIETSHIFT,
                    "serve",
                    *("--ops", str(self.ops), "--db", self.db, "--listen", f"127.0.0.1:{self.port}"),
                    *self.flags,
                ],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, within: float = READY_SECONDS) -> None:
        """AssertionError with the log's end where the server ends first, or is not ready after `within` seconds."""
        deadline = time.monotonic() + within
        while not self.ready():
            code = self._process.poll() if self._process else None
            assert code is None, f"the server ended with {code}:\n{self.log_text()}"
            assert time.monotonic() < deadline, f"not ready after {within} s:\n{self.log_text()}"
            time.sleep(0.02)  # waits for another process

    def ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def terminate(self, within: float = 20) -> int:
        """SIGTERM, as systemd stops it; the exit code. AssertionError where it is still there after `within` seconds."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        self._process.terminate()
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"SIGTERM did not end the server in {within} s:\n{self.log_text()}") from None

    def kill9(self) -> None:
        """Power is gone: the process and whatever it started are killed at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._process:
            self._process.wait()

    def restart(self) -> "Server":
        """Stopped as by systemd, then started on the same address and database."""
        if self.running:
            self.terminate()
        return self.start()

    def cli(self, *arguments: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """The command line, as an admin of this server; never raises for an exit code."""
        return subprocess.run(
            [QUIETSHIFT, *arguments],
            env={**self._env, "QUIETSHIFT_URL": self.url, "QUIETSHIFT_TOKEN": self.token},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def log_text(self, last: int = 8000) -> str:
        """The end of what the server wrote, in characters."""
        return self.log.read_text(errors="replace")[-last:] if self.log.exists() else ""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """`serve(ops, db=None, *flags, env={}, wait=True)` starts a server. All are killed afterwards; of a failed test the
    log is shown."""
    servers: list[Server] = []

    def start(
        ops: Path, db: str | None = None, *flags: str, env: Mapping[str, str] | None = None, wait: bool = True
    ) -> Server:
        server = Server(tmp_path, ops, db, *flags, env=env)
        servers.append(server)
        return server.start(wait=wait)

    yield start
    for server in servers:
        if server.running:
            server.kill9()
        print(f"--- {server.url}: {server.log}\n{server.log_text()}")  # pytest shows it where the test failed
