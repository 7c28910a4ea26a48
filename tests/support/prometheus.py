"""Debian's Prometheus with one rule on one metric, which a test switches; its Alertmanager is whatever the test names."""

import http.server
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.talk import ask

_CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: gitaly
    static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]
alerting:
  alertmanagers:
    - api_version: v2
      static_configs: [{{targets: ["{alertmanager}"]}}]
"""
_RULES = """\
groups:
  - name: gitaly
    rules:
      - alert: GitErrors
        expr: git_errors_per_second > 0
        labels: {service: gitaly, severity: critical}
        annotations: {summary: "Git fails {{ $value }} times a second on {{ $labels.instance }}"}
"""


class Exporter:
    """A real exporter of one gauge, `git_errors_per_second`; `value` is the switch."""

    def __init__(self) -> None:
        self.value = 0.0
        exporter = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = f"# TYPE git_errors_per_second gauge\ngit_errors_per_second {exporter.value}\n"
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Prometheus asks each second."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="exporter")
        self._thread.start()

    @property
    def port(self) -> int:
        return self._http.server_port

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class Prometheus:
    """The running program. `exporter.value` > 0 makes the alert GitErrors of the service gitaly fire."""

    def __init__(self, binary: Path, folder: Path, alertmanager: str) -> None:
        """alertmanager: HOST:PORT that alerts are sent to."""
        self.exporter = Exporter()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir()
        self._log = folder / "log"
        (folder / "prometheus.yml").write_text(_CONFIG.format(exporter=self.exporter.port, alertmanager=alertmanager))
        (folder / "rules.yml").write_text(_RULES)
        flags = {
            "config.file": folder / "prometheus.yml", "storage.tsdb.path": folder / "data",
            "web.listen-address": f"127.0.0.1:{self.port}", "rules.alert.resend-delay": "1s", "log.level": "warn",
        }  # fmt: skip
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [binary, *(f"--{flag}={value}" for flag, value in flags.items())],
                env={**os.environ, "GOMAXPROCS": "1"}, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        self._wait_ready()

    def _wait_ready(self, within: float = 30) -> None:
        deadline = time.monotonic() + within
        while not self._answers():
            assert self._process.poll() is None, f"Prometheus ended:\n{self.log_text()}"
            assert time.monotonic() < deadline, f"Prometheus was not ready after {within} s:\n{self.log_text()}"
            time.sleep(0.05)  # waits for another process

    def _answers(self) -> bool:
        try:
            return ask(f"{self.url}/-/ready").status == 200
        except OSError:
            return False

    def log_text(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.exporter.close()


@pytest.fixture
def prometheus(prometheus_binary: Path, tmp_path: Path) -> Iterator[Callable[[str], Prometheus]]:
    """`prometheus("127.0.0.1:8080")` starts one that sends its alerts there."""
    started: list[Prometheus] = []

    def start(alertmanager: str) -> Prometheus:
        started.append(Prometheus(prometheus_binary, tmp_path / f"prometheus-{len(started)}", alertmanager))
        return started[-1]

    yield start
    for one in started:
        one.stop()
        print(f"--- Prometheus\n{one.log_text()}")  # pytest shows it where the test failed
