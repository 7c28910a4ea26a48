"""Watching the symptom: which part of all orders fails. By Debian's Prometheus where it is installed, else by ourselves.

Ours does what Prometheus does with such a rule, and posts what Prometheus posts: alerts with `endsAt` ahead, sent again and again
while the rule fires, and once more with `endsAt` now when it does not.
"""

from __future__ import annotations

import http.client
import json
import logging
import shutil
import subprocess
import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from quietshift.kernel.clock import rfc3339

log = logging.getLogger("quietshift.demo")
SCRAPE = 0.5  # seconds
WINDOW = 4.0  # seconds over which the part is computed
HOLD = 1.0  # seconds that it has to be above the threshold: the rule's `for`
THRESHOLD = 0.05  # of all orders
ENOUGH = 8  # orders in the window; of fewer nothing is concluded
RESEND = 5.0  # seconds between two posts of an alert that fires
LABELS = {"alertname": "CheckoutFailing", "service": "checkout", "severity": "critical"}
SUMMARY = "Checkout fails for {part} % of users"


class Symptom:
    """The rule over time: samples in, "does it fire" out. Times in seconds of one clock."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float, float]] = deque()
        self._above_since: float | None = None
        self.firing = False
        self.part: float | None = None  # of the orders in the window that failed, 0 to 1; None: too few to tell

    def sample(self, at: float, good: float, bad: float) -> bool:
        """Counters as scraped; returns whether the symptom is there. Too few orders to tell: it stays as it was."""
        self._samples.append((at, good, bad))
        while len(self._samples) > 2 and at - self._samples[1][0] >= WINDOW:
            self._samples.popleft()
        first = self._samples[0]
        failed, all_orders = bad - first[2], bad - first[2] + good - first[1]
        self.part = failed / all_orders if all_orders >= ENOUGH else None
        if self.part is None:
            return self.firing
        if self.part <= THRESHOLD:
            self._above_since, self.firing = None, False
        else:
            self._above_since = at if self._above_since is None else self._above_since
            self.firing = self.firing or at - self._above_since >= HOLD
        return self.firing


class Watcher:
    """Scrapes the shop, and posts its alert to Quietshift as Prometheus would."""

    name = "the demo's own watcher"

    def __init__(self, shop_url: str, quietshift_url: str) -> None:
        self._shop, self._quietshift = urlsplit(shop_url).netloc, urlsplit(quietshift_url).netloc
        self._url = f"{shop_url}/metrics"
        self._stop = threading.Event()
        self._starts_at: datetime | None = None
        self._unsaid_end: dict[str, Any] | None = None  # an end that no server has taken yet
        self._sent = 0.0
        self._last: dict[str, Any] = {}
        self.symptom = Symptom()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def _watch(self) -> None:
        while not self._stop.wait(SCRAPE):
            try:
                firing = self.symptom.sample(time.monotonic(), *self._scrape())
                self._tell(firing)
            except (OSError, http.client.HTTPException, ValueError) as error:
                log.warning("the watcher could not do its round, it goes on: %s", error)

    def _scrape(self) -> tuple[float, float]:
        status, body = _request("GET", self._shop, "/metrics")
        if status != 200:
            raise ValueError(f"the shop's metrics were answered with {status}")
        counts = {"200": 0.0, "502": 0.0}
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                if sample.name == "checkout_requests_total":
                    counts[sample.labels["code"]] = sample.value
        return counts["200"], sum(counts.values()) - counts["200"]

    def _tell(self, firing: bool) -> None:
        now = datetime.now(UTC)
        if firing:
            started = self._starts_at is None
            self._starts_at = self._starts_at or now
            if not started and time.monotonic() - self._sent < RESEND:
                return
            part = round((self.symptom.part or 0) * 100)
            annotations = {"summary": SUMMARY.format(part=part), "runbook_url": "runbooks/CheckoutFailing.md"}
            self._last = self._alert(now + timedelta(seconds=4 * RESEND), annotations)
            self._unsaid_end = None
            self._post(self._last)
        elif self._starts_at is not None:
            self._unsaid_end = self._alert(now, self._last.get("annotations", {}))
            self._starts_at = None
        if self._unsaid_end is not None:
            self._post(self._unsaid_end)
            self._unsaid_end = None

    def _alert(self, ends_at: datetime, annotations: dict[str, str]) -> dict[str, Any]:
        assert self._starts_at is not None
        return {
            "labels": LABELS, "annotations": annotations, "generatorURL": self._url,
            "startsAt": rfc3339(self._starts_at), "endsAt": rfc3339(ends_at),
        }  # fmt: skip

    def _post(self, alert: dict[str, Any]) -> None:
        """Raises ValueError where it is not taken: the next round sends it again."""
        status, body = _request("POST", self._quietshift, "/api/v2/alerts", json.dumps([alert]).encode())
        if status != 200:
            raise ValueError(f"Quietshift answered the alert with {status}: {body[:200].decode(errors='replace')}")
        self._sent = time.monotonic()


class Prometheus:
    """Debian's Prometheus with one rule, in a directory of its own."""

    name = "Prometheus"

    def __init__(self, binary: str, directory: Path, port: int, shop_url: str, quietshift_url: str) -> None:
        directory.mkdir()
        (directory / "rules.yml").write_text(_RULES)
        config = _CONFIG.format(shop=urlsplit(shop_url).netloc, quietshift=urlsplit(quietshift_url).netloc)
        (directory / "prometheus.yml").write_text(config)
        with (directory / "prometheus.log").open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - a binary from PATH with our own files
                [
                    binary, f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
                    f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=5s", "--log.level=warn",
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    @staticmethod
    def binary() -> str | None:
        return shutil.which("prometheus")

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["{shop}"]}}]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["{quietshift}"]}}]
"""
_RULES = """\
groups:
  - name: shop
    rules:
      - alert: CheckoutFailing
        expr: |
          100 * sum(rate(checkout_requests_total{code!="200"}[5s])) / sum(rate(checkout_requests_total[5s])) > 5
        for: 1s
        labels: {service: checkout, severity: critical}
        annotations:
          summary: 'Checkout fails for {{ $value | printf "%.0f" }} % of users'
          runbook_url: runbooks/CheckoutFailing.md
"""


def _request(method: str, netloc: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(netloc, timeout=5)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
