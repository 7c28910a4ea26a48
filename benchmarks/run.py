"""`./run bench`: Quietshift and Debian's Alertmanager, alternately in the same run, with the same requests.

Alerts accepted per second (requests of 64 alerts, 5 labels, 2 annotations, 8 connections), and the time from a POST to its
webhook with `group_wait: 0s`. Every alert that Quietshift answered 200 is on disk (`synchronous=FULL`); the benchmark kills
it at the end and counts them. Alertmanager keeps alerts in memory.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from load import Sender, fresh, repeats, throughput
from peers import Peer, alertmanager, quietshift
from receiver import Receiver

CONNECTIONS = 8
BATCH = 64
CONFIG = """\
route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 5m}
receivers: [{name: hook, webhook_configs: [{url: 'HOOK'}]}]
"""
SILENT = """\
route: {receiver: nobody, group_by: [alertname], group_wait: 5m, group_interval: 5m}
receivers: [{name: nobody}]
"""


class Table:
    """Measurements by work and peer, and how they are shown."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, dict[str, list[float]]]] = {}

    def add(self, work: str, unit: str, peer: str, value: float) -> None:
        self.rows.setdefault(work, (unit, {}))[1].setdefault(peer, []).append(value)
        print(f"  {peer:<12} {work}: {value:,.2f} {unit}", file=sys.stderr, flush=True)

    def summary(self) -> list[dict[str, object]]:
        found = []
        for work, (unit, peers) in self.rows.items():
            theirs, ours = (statistics.median(peers[name]) for name in ("alertmanager", "quietshift"))
            noise = max((max(v) - min(v)) / statistics.median(v) for v in peers.values())
            found.append({"work": work, "unit": unit, "theirs": theirs, "ours": ours, "ratio": ours / theirs, "noise": noise})
        return found

    def show(self) -> None:
        print(f"{'work':<44} {'Alertmanager':>14} {'Quietshift':>14} {'ratio':>8} {'noise':>7}")
        for row in self.summary():
            print(
                f"{row['work']:<44} {row['theirs']:>14,.2f} {row['ours']:>14,.2f} {row['ratio']:>7.2f}x {row['noise']:>6.0%}"
                f"  {row['unit']}"
            )


def intake(peer: Peer, table: Table, seconds: float, number: int) -> int:
    """New alerts, then repeats of some of them. Returns how many new ones were answered 200."""
    with peer.running(SILENT):
        accepted, rate = throughput(peer.port, CONNECTIONS, seconds, fresh(number, BATCH), BATCH)
        table.add("new alerts", "alerts/s", peer.name, rate)
        _, rate = throughput(peer.port, CONNECTIONS, seconds, repeats(BATCH), BATCH, first=40)
        table.add("repeats of firing alerts", "alerts/s", peer.name, rate)
        if peer.durable:
            peer.kill9()
            peer.start(SILENT)
            kept = peer.count_alerts()
            if kept < accepted:
                raise SystemExit(f"{peer.name}: {accepted} new alerts were answered 200, {kept} are there after kill -9")
    return accepted


def to_webhook(peer: Peer, table: Table, count: int, number: int) -> None:
    """One alert at a time: from before its POST until its webhook is there."""
    with Receiver() as receiver, peer.running(CONFIG.replace("HOOK", receiver.url)):
        sender = Sender(peer.port)
        took = []
        for i in range(count + 20):
            name = f"n{number}-{i}"
            seen = receiver.expect(name)
            began = receiver.clock()
            sender.post(json.dumps([{"labels": {"alertname": "Bench", "id": name}}]).encode())
            if not seen.wait(10):
                raise SystemExit(f"{peer.name}: no webhook for {name} in 10 s")
            took.append((receiver.arrived(name) - began) * 1000)
        took = sorted(took[20:])  # the first ones make connections and warm up
        table.add("POST to webhook, one at a time, median", "ms", peer.name, statistics.median(took))
        table.add("POST to webhook, one at a time, p99", "ms", peer.name, took[int(len(took) * 0.99)])


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of both peers")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement of intake")
    parser.add_argument("--posts", type=int, default=300, help="of each measurement of POST to webhook")
    parser.add_argument("--json", type=Path, help="write the table there as well")
    options = parser.parse_args()
    if shutil.which("prometheus-alertmanager") is None:
        raise SystemExit("the peer is missing:  sudo apt-get install prometheus-alertmanager")
    table = Table()
    with tempfile.TemporaryDirectory(prefix="quietshift-bench-") as folder:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            for make in (alertmanager, quietshift) if number % 2 == 0 else (quietshift, alertmanager):
                intake(make(Path(folder) / f"intake{number}"), table, options.seconds, number)
            for make in (quietshift, alertmanager) if number % 2 == 0 else (alertmanager, quietshift):
                to_webhook(make(Path(folder) / f"hook{number}"), table, options.posts, number)
    table.show()
    if options.json:
        options.json.write_text(json.dumps(table.summary(), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
