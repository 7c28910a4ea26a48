"""The servers, started on fresh directories."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

QUIETSHIFT = Path(sys.prefix) / "bin/quietshift"


class Peer:
    """A server that speaks Alertmanager's API. durable: what it answered 200 is on disk; settle: seconds after its start that it
    is left alone."""

    settle = 0.5

    def __init__(self, name: str, folder: Path, durable: bool) -> None:
        self.name, self.durable = name, durable
        self.folder = folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, config: str) -> list[str | Path]:
        """Alertmanager's flags."""
        path = self.folder / "alertmanager.yml"
        path.write_text(config)
        program: list[str | Path] = [QUIETSHIFT, "alertmanager"] if self.durable else ["prometheus-alertmanager"]
        return [
            *program, f"--config.file={path}", f"--storage.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=", "--log.level=error",
        ]  # fmt: skip

    def start(self, config: str) -> None:
        """Start it and wait until it stores."""
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        with (self.folder / "log").open("ab") as log:
            environment = {k: v for k, v in os.environ.items() if not k.startswith("QUIETSHIFT_")}
            self._process = subprocess.Popen(self.command(config), stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.get("/api/v2/alerts?filter=alertname%3Dnone")
                break
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{self.name} does not start:\n{(self.folder / 'log').read_text()[-2000:]}") from None
                time.sleep(0.02)  # until the peer answers, or its deadline
        time.sleep(self.settle)  # what it loads after its start is not what is measured

    def get(self, path: str) -> Any:
        """The JSON at this address."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=120) as answer:
            return json.load(answer)

    def time_get(self, path: str) -> tuple[float, int]:
        """Seconds until the whole answer is here, and its size; HTTP/1.0, so that nobody has to put chunks together."""
        began, size = time.perf_counter(), 0
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
            first = connection.recv(1 << 20)
            if b" 200 " not in first[:20]:
                raise SystemExit(f"{self.name}: GET {path} was answered {first[:200]!r}")
            buffer, got = bytearray(1 << 20), len(first)
            while got:
                size += got
                got = connection.recv_into(buffer)
        return time.perf_counter() - began, size

    def memory(self) -> int:
        """Resident octets of its processes; what these share counts once."""
        assert self._process is not None
        total, todo = 0, [self._process.pid]
        while todo:
            pid = todo.pop()
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
                total += int(found[1]) * 1024 if found else 0
                for task in Path(f"/proc/{pid}/task").iterdir():
                    todo += map(int, (task / "children").read_text().split())
        return total

    def kill9(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def running(self, config: str) -> Iterator[None]:
        self.start(config)
        try:
            yield
        finally:
            self.kill9()


class Desk(Peer):
    """Ours as `quietshift serve`, with people to page; its ops directory is there already."""

    def command(self, _config: str) -> list[str | Path]:
        return [
            QUIETSHIFT, "serve", "--ops", self.folder / "ops", "--db", self.folder / "quietshift.db",
            "--listen", f"127.0.0.1:{self.port}", "--log-level", "error",
        ]  # fmt: skip

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """What its tables say, read beside it."""
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/quietshift.db?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(sql).fetchall()


def alertmanager(folder: Path) -> Peer:
    """Debian's."""
    return Peer("alertmanager", folder, durable=False)


def quietshift(folder: Path) -> Peer:
    """Ours, on SQLite."""
    return Peer("quietshift", folder, durable=True)
