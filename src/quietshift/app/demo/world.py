"""The demo's world: the shop, its customers, the watcher, the devices, and a real Quietshift in a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quietshift.app.demo import ops
from quietshift.app.demo.inbox import Devices, MailServer
from quietshift.app.demo.shop import Customers, Shop
from quietshift.app.demo.watcher import Prometheus, Watcher
from quietshift.kernel.client import Client
from quietshift.kernel.clock import SystemClock
from quietshift.kernel.errors import Invalid, NotFound, QuietshiftError, Unavailable

READY_SECONDS = 30.0
_SETUP = re.compile(r"https?://\S+/setup/\S+")


@dataclass(frozen=True)
class Event:
    """Something that happened on the stage, outside Quietshift."""

    at: datetime
    title: str
    detail: str = ""


class Quietshift:
    """`quietshift serve` as a process; url, token (admin), and what it wrote."""

    def __init__(self, directory: Path, ops_directory: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.token = secrets.token_urlsafe(24)
        self.database = directory / "quietshift.db"
        self._log = directory / "quietshift.log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("QUIETSHIFT_")},
            "QUIETSHIFT_ADMIN_TOKEN": self.token, "QUIETSHIFT_DB": str(self.database), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [*_COMMAND, "serve", "--ops", str(ops_directory), "--listen", f"127.0.0.1:{port}"],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    def wait_ready(self) -> None:
        """Raises Unavailable with the end of its log where it ends or is not ready in time."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"Quietshift did not start:\n{self.log()[-3000:]}")
            time.sleep(0.05)  # waits for another process

    def _ready(self) -> bool:
        import http.client

        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=2)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def sign_in_link(self) -> str:
        """The one-time link that the server prints at its first start; empty where it has not yet."""
        found = _SETUP.search(self.log())
        return found[0] if found else ""

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line against this server or its database; never raises for an exit code."""
        return subprocess.run(  # noqa: S603 - our own program
            [*_COMMAND, *arguments], env={**self._environment, "QUIETSHIFT_URL": self.url, "QUIETSHIFT_TOKEN": self.token},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_COMMAND = (sys.executable, "-c", "from quietshift.app.cli import main; main()")


class World:
    """Everything of the demo, running. See `open_world`."""

    def __init__(self, shop: Shop, devices: Devices, directory: Path) -> None:
        self.shop, self.devices, self.directory = shop, devices, directory
        self.quietshift: Quietshift
        self.watcher: Watcher | Prometheus
        self.stage_url = ""
        self.events: list[Event] = []
        self._client: Client | None = None
        self._lock = threading.Lock()

    @property
    def api(self) -> Client:
        """Quietshift's API, as its administrator."""
        if self._client is None:
            self._client = Client(self.quietshift.url, self.quietshift.token)
        return self._client

    def break_shop(self) -> None:
        with self._lock:
            if not self.shop.broken:
                self.shop.break_it()
                self.events = [Event(datetime.now(UTC), "The shop breaks", "its payment gateway is switched off")]

    def mend_shop(self) -> None:
        with self._lock:
            if self.shop.broken:
                self.shop.mend()
                self.events = [*self.events, Event(datetime.now(UTC), "The shop is mended", "its payment gateway answers again")]

    def incident(self) -> dict[str, Any] | None:
        """The newest incident with its timeline; None where there is none yet, or Quietshift does not answer."""
        try:
            found = self.api.get("/api/v1/incidents", {"state": ["triggered", "acknowledged", "resolved"], "limit": 1})
            if not found:
                return None
            detail: dict[str, Any] = self.api.get(f"/api/v1/incidents/{found[0]['id']}")
        except (NotFound, QuietshiftError):
            return None
        return detail


@contextlib.contextmanager
def open_world(port: int, stage_port: int, *, watcher: str = "auto") -> Iterator[World]:
    """Start everything, and end it with the block. port, stage_port: 0 picks free ones; watcher: auto, builtin, prometheus.

    Raises Invalid where a port is taken, Unavailable where Quietshift does not start.
    """
    from quietshift.app.demo.stage import Stage

    binary = Prometheus.binary()
    if watcher == "prometheus" and binary is None:
        raise Invalid("--watcher prometheus: there is no program of that name on this machine (apt-get install prometheus)")
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quietshift-demo-")))
        port = port or free_port()
        _check_free(port)
        devices = Devices()
        mail = stack.enter_context(contextlib.closing(MailServer(devices)))
        shop = stack.enter_context(contextlib.closing(Shop()))
        world = World(shop, devices, directory)
        stage = stack.enter_context(contextlib.closing(Stage(world, stage_port)))
        world.stage_url = stage.url
        quietshift_url = f"http://127.0.0.1:{port}"
        ops.write(
            directory / "ops", SystemClock().now(), quietshift_url=quietshift_url, devices_url=stage.url, smtp_port=mail.port,
            shop_url=shop.url,
        )  # fmt: skip
        world.quietshift = stack.enter_context(contextlib.closing(Quietshift(directory, directory / "ops", port)))
        stack.enter_context(contextlib.closing(Customers(shop)))
        world.quietshift.wait_ready()
        if binary is not None and watcher != "builtin":
            world.watcher = Prometheus(binary, directory / "prometheus", free_port(), shop.url, quietshift_url)
        else:
            world.watcher = Watcher(shop.url, quietshift_url)
        stack.enter_context(contextlib.closing(world.watcher))
        yield world


def free_port() -> int:
    """A port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            advice = "--listen 127.0.0.1:9090 takes another"
            raise Invalid(f"cannot listen on 127.0.0.1:{port}: {error.strerror} ({advice})") from None
