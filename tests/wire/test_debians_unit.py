"""`quietshift alertmanager` in Debian's own unit file: its flags, its defaults, its signals."""

import os
import re
import shlex
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.candidate import QUIETSHIFT, Candidate
from tests.support.needs import program
from tests.support.talk import eventually

CONFIG = "route: {receiver: a}\nreceivers: [{name: a}]\n"
UNIT = Path("/lib/systemd/system/prometheus-alertmanager.service")
DEFAULTS = Path("/etc/default/prometheus-alertmanager")


def every_flag_with_its_default() -> list[str]:
    """As an administrator writes them into ARGS: each that Debian's binary has, with the value that it shows."""
    binary = program("alertmanager")
    done = subprocess.run([binary, "--help-long"], capture_output=True, text=True, check=False)
    found = re.findall(r"^ {2,6}--([a-z.-]+)=(\S+)", done.stdout + done.stderr, re.MULTILINE)
    ours = {"config.file", "storage.path", "web.listen-address", "cluster.listen-address"}  # set by the test
    return [f"--{name}={value}" for name, value in found if name not in ours and not value.isupper() and value != '""']


def test_the_units_line_runs_with_every_flag_and_hears_its_signals(tmp_path: Path) -> None:
    program("alertmanager")
    unit = UNIT.read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    binary, *rest = shlex.split(command)
    assert (binary, rest) == ("/usr/bin/prometheus-alertmanager", ["$ARGS"]), "what docs/how-to/alertmanager.md replaces"
    assert "ExecReload=/bin/kill -HUP $MAINPID" in unit
    flags = every_flag_with_its_default()
    assert "--data.retention=120h" in flags
    arguments = [a.replace('"', "") for a in flags]
    template = tmp_path / "default.tmpl"
    template.write_text("")
    candidate = Candidate(tmp_path, CONFIG, *arguments, f"--template.default={template}", cluster="0.0.0.0:9094")
    try:
        assert candidate.process is not None
        assert [r["name"] for r in candidate.get("receivers")] == ["a"]
        cluster = candidate.get("status")["cluster"]
        assert [peer["address"] for peer in cluster["peers"]] == ["0.0.0.0:9094"]
        for gone in ("alerts", "status"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{candidate.url}/api/v1/{gone}", timeout=10)
            assert refused.value.code == 410
        candidate.process.send_signal(signal.SIGHUP)
        eventually(candidate.log, lambda log: "configuration reloaded" in log, within=20, what="the reload")
        assert candidate.post([{"labels": {"alertname": "A"}}]) == 200
        with urllib.request.urlopen(f"{candidate.url}/-/healthy", timeout=10) as answer:
            assert answer.status == 200
    finally:
        code = candidate.end(signal.SIGTERM)
    assert code == 0, candidate.log()
    assert "without effect here: --web.ui-path" in candidate.log(), "what changes nothing is told"


def test_args_of_the_defaults_file_are_read_as_systemd_splits_them() -> None:
    program("alertmanager")
    (line,) = re.findall(r'^ARGS="(.*)"$', DEFAULTS.read_text(), re.MULTILINE)
    done = subprocess.run(
        [*QUIETSHIFT, *shlex.split(line), "--version"], capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout[:10]) == (0, "quietshift")


def test_an_unknown_flag_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [*QUIETSHIFT, f"--storage.path={tmp_path}", "--config.flie=x"], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode != 0
    assert "unknown flag '--config.flie', try --help" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_decision_about_an_alert_can_be_asked_for(tmp_path: Path) -> None:
    candidate = Candidate(tmp_path, CONFIG.replace("route: {", "route: {group_wait: 0s, "))
    try:
        candidate.post([{"labels": {"alertname": "A"}}])
        (alert,) = eventually(lambda: candidate.get("alerts"), bool, within=20, what="the alert")
        asked = [QUIETSHIFT[0], "alerts", "why", alert["fingerprint"]]
        env = {**os.environ, "QUIETSHIFT_URL": candidate.url}
        done = subprocess.run(asked, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "To receiver a: " in done.stdout
        unknown = subprocess.run([*asked[:3], "0" * 16], env=env, capture_output=True, text=True, check=False)
        assert (unknown.returncode, unknown.stdout) == (1, "")
        assert "no alert 0000000000000000 is known" in unknown.stderr
    finally:
        candidate.end(signal.SIGTERM)
