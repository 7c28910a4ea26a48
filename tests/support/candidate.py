"""`quietshift alertmanager`, and Debian's Alertmanager beside it, as processes with the same flags."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.ports import free_port

QUIETSHIFT = (Path(sys.prefix) / "bin/quietshift", "alertmanager")


class Candidate:
    """One process on a free port, from `config`; `flags` come after those that every test needs."""

    def __init__(
        self, folder: Path, config: str, *flags: str, command: tuple[Path | str, ...] = QUIETSHIFT,
        env: Mapping[str, str] | None = None,
        cluster: str = "", wait: bool = True,
    ) -> None:
        self.folder, self.config = folder, folder / "alertmanager.yml"
        self.config.write_text(config)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._command, self._env = command, env or {}
        self._flags = (f"--cluster.listen-address={cluster}", "--log.level=debug", *flags)
        self.start(wait=wait)

    def start(self, *, wait: bool = True) -> None:
        """Start it; with `wait`, until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *self._command, f"--config.file={self.config}", "--storage.path", self.folder / "data",
                    "--web.listen-address", f"127.0.0.1:{self.port}", *self._flags,
                ],
                stdout=log, stderr=log,
                env={**{k: v for k, v in os.environ.items() if not k.startswith("QUIETSHIFT_")}, **self._env},
            )  # fmt: skip
        if wait:
            self.wait()

    def wait(self) -> None:
        """Until it answers. AssertionError with its log where it ends before."""
        assert self.process is not None
        deadline = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, self.log()
            try:
                self.get("status")
                return
            except OSError:
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.02)  # waits for another process

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v2/{path}", timeout=30) as answer:
            return json.load(answer)

    def post(self, alerts: list[dict[str, Any]]) -> int:
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts", json.dumps(alerts).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(20)
