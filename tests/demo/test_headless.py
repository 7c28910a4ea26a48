"""The demo's story, as `quietshift demo --headless` plays it: the whole way of one alert, on real protocols."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

QUIETSHIFT = Path(sys.executable).with_name("quietshift")
HOPS = [
    "ready", "shop healthy", "shop breaks", "alert accepted", "incident opened", "first page", "second page", "acknowledged",
    "runbook", "runbook step", "shop mended", "alert resolved", "incident resolved", "timeline", "journal verified", "done",
]  # fmt: skip


def play(*flags):
    started = time.monotonic()
    command = [QUIETSHIFT, "demo", "--headless", *flags]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    return done, time.monotonic() - started


def hops(text):
    return [(float(at), title) for at, title in re.findall(r"^ *([\d.]+) s  (.{20}) ", text, re.M)]


@pytest.mark.timeout(150)
def test_the_story_is_played_to_its_end_without_a_person():
    done, seconds = play("--watcher", "builtin")
    assert done.returncode == 0, done.stdout + done.stderr
    told = hops(done.stdout)
    assert [title.strip() for _, title in told] == HOPS
    assert [at for at, _ in told] == sorted(at for at, _ in told)
    assert seconds < 90


@pytest.mark.timeout(150)
def test_prometheus_watches_the_shop_where_it_is_installed(prometheus_binary):
    done, seconds = play("--watcher", "prometheus")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "watched by Prometheus" in done.stdout
    assert seconds < 90


def test_a_port_that_is_taken_is_named_with_what_to_do(webhook_server):
    done, _ = play("--listen", f"127.0.0.1:{webhook_server.port}")
    assert done.returncode == 1
    assert f"127.0.0.1:{webhook_server.port}" in done.stderr
    assert "--listen" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "8080", "127.0.0.1:http", "127.0.0.1:70000"])
def test_the_demo_listens_on_loopback_alone(listen):
    done, _ = play("--listen", listen)
    assert done.returncode == 1
    assert "loopback" in done.stderr
