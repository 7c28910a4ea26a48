"""The two servers, started on fresh directories."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path


class Peer:
    """A server with Alertmanager's flags. durable: what it answered 200 is on disk."""

    def __init__(self, name: str, command: list[str | Path], folder: Path, durable: bool) -> None:
        self.name, self.command, self.durable = name, command, durable
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, config: str) -> None:
        """Start it and wait until it stores."""
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        path = self.folder / "alertmanager.yml"
        path.write_text(config)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self.command, f"--config.file={path}", f"--storage.path={self.folder}/data",
                    f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=", "--log.level=error",
                ],
                stdout=log, stderr=log, env={k: v for k, v in os.environ.items() if not k.startswith("QUIETSHIFT_")},
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while True:
            try:
                self.get("/api/v2/alerts?filter=alertname%3Dnone")
                break
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{self.name} does not start:\n{(self.folder / 'log').read_text()[-2000:]}") from None
                time.sleep(0.02)  # until the peer answers, or its deadline
        time.sleep(0.5)  # what it loads after its start is not what is measured

    def get(self, path: str) -> object:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return json.load(answer)

    def count_alerts(self) -> int:
        """New alerts that it knows."""
        found = self.get("/api/v2/alerts?filter=alertname%3D~%22Fresh.*%22")
        assert isinstance(found, list)
        return len(found)

    def kill9(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    @contextlib.contextmanager
    def running(self, config: str) -> Iterator[None]:
        self.start(config)
        try:
            yield
        finally:
            self.kill9()


def alertmanager(folder: Path) -> Peer:
    """Debian's."""
    return Peer("alertmanager", ["prometheus-alertmanager"], folder, durable=False)


def quietshift(folder: Path) -> Peer:
    """Ours, on SQLite."""
    return Peer("quietshift", [Path(sys.prefix) / "bin/quietshift", "alertmanager"], folder, durable=True)
