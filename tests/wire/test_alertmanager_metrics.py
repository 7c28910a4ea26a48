"""/metrics of `quietshift alertmanager` under Alertmanager's names: each documented one is there, and true."""

import re
import signal
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from quietshift.app.alertmanager_metrics import METRICS
from tests.support.candidate import Candidate
from tests.support.needs import program
from tests.support.talk import eventually
from tests.support.webhook import WebhookServer

CONFIG = """\
route: {receiver: hook, group_by: [alertname], group_wait: 0s}
receivers: [{name: hook, webhook_configs: [{url: 'HOOK'}]}]
inhibit_rules: [{source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: [alertname]}]
"""
DOC = Path(__file__).parents[2] / "docs/reference/alertmanager.md"


def scrape(candidate: Candidate) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"{candidate.url}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    families = text_string_to_metric_families(text)
    return {(s.name, *s.labels.values()): s.value for f in families for s in f.samples if s.name.startswith("alertmanager_")}


def test_figures_are_true(tmp_path: Path, webhook_server: WebhookServer) -> None:
    candidate = Candidate(tmp_path, CONFIG.replace("HOOK", webhook_server.url("/hook")), cluster="127.0.0.1:9094")
    try:
        candidate.post(
            [{"labels": {"alertname": "A", "severity": severity}} for severity in ("critical", "warning")]
            + [{"labels": {"alertname": "B", "severity": "info"}}]
        )
        webhook_server.wait_for(2)
        counted = ("alertmanager_notifications_total", "webhook")
        eventually(lambda: scrape(candidate)[counted], lambda n: n == 2, within=20, what="notifications")
        found = scrape(candidate)
        assert found["alertmanager_alerts", "active"] == 2
        assert found["alertmanager_alerts", "suppressed"] == 1
        assert found["alertmanager_notifications_failed_total", "webhook"] == 0
        assert found["alertmanager_notification_latency_seconds_count", "webhook"] == 2
        assert found["alertmanager_cluster_enabled",] == found["alertmanager_cluster_members",] == 1
        assert found["alertmanager_config_last_reload_successful",] == 1
        before = found["alertmanager_config_hash",]

        candidate.config.write_text("route: {receiver: nobody}\n")
        assert candidate.process is not None
        candidate.process.send_signal(signal.SIGHUP)
        reloaded = ("alertmanager_config_last_reload_successful",)
        eventually(lambda: scrape(candidate)[reloaded], lambda value: value == 0, within=20, what="the refusal")
        assert scrape(candidate)["alertmanager_config_hash",] == before, "the old one is in force"
        assert {name for name, *_ in found} >= {n for n, (kind, _, _) in METRICS.items() if kind == "gauge"}
    finally:
        candidate.end(signal.SIGKILL)


def test_names_and_labels_are_those_of_debians_alertmanager(tmp_path: Path) -> None:
    theirs = Candidate(tmp_path, CONFIG.replace("HOOK", "http://127.0.0.1:9/"), command=(program("alertmanager"),))
    try:
        with urllib.request.urlopen(f"{theirs.url}/metrics", timeout=30) as answer:
            families = {f.name: f for f in text_string_to_metric_families(answer.read().decode())}
    finally:
        theirs.end(signal.SIGKILL)
    for name, (kind, labels, _) in METRICS.items():
        if name == "alertmanager_cluster_members":  # only where there is a cluster
            continue
        assert families[name].type == kind, name
        for sample in families[name].samples:
            assert set(labels) <= set(sample.labels), name


def test_the_reference_names_each() -> None:
    documented = re.findall(r"^\| `(alertmanager_\w+)` \|", DOC.read_text(), re.MULTILINE)
    assert documented == [name + "_total" * (kind == "counter") for name, (kind, _, _) in METRICS.items()]
