"""Pages under load and in a storm: ours alone, for Alertmanager pages nobody. Phones count; our tables say when each was due."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import wire
from peers import Desk
from report import OURS, Table, percentile
from wire import Aside, Flood, Page, Probe
from works import BATCH, CONNECTIONS, DISTINCT, Scale

POLICIES = 120  # one for each probe: what two incidents of one policy have for a person is told in one message
STEPS = 5  # of each: pages come due by timers, a second apart
EVERY = 0.25  # seconds between two probes
MEMBERS = 10  # alerts of a group in the storm
LATE_PAGES = """
    SELECT (a.attempted_at - a.due_at) / 1e6 FROM page_attempts a WHERE a.attempt = 1"""
UNTOLD = """
    SELECT count(*) FROM incidents i WHERE i.escalation_policy = 'storm' AND NOT EXISTS (
        SELECT 1 FROM pages p JOIN page_attempts a ON a.page_id = p.id WHERE p.incident_id = i.id AND a.outcome = 'accepted')
    AND NOT EXISTS (
        SELECT 1 FROM pages p JOIN bundled_pages b ON b.page_id = p.id JOIN page_attempts a ON a.page_id = b.bundle_id
        WHERE p.incident_id = i.id AND a.outcome = 'accepted')"""


def ops_directory(root: Path, phone: int) -> None:
    """People, a policy for the storm, one for each probe; webhooks as their contacts."""
    people = ["ana", "bo", *(f"probe{step}" for step in range(STEPS))]
    catalog = [
        "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: storage}\n"
        f"spec: {{type: team, children: [], members: [{', '.join(people)}]}}\n"
    ]
    oncall = []
    for person in people:
        user = f"kind: User\nmetadata: {{name: {person}}}\nspec: {{memberOf: [storage]}}\n"
        catalog.append(f"apiVersion: backstage.io/v1alpha1\n{user}")
        rule = f'{{after: 0s, via: "http://127.0.0.1:{phone}/{person}"}}'
        oncall.append(f"apiVersion: quietshift.dev/v1\nkind: Contacts\nmetadata: {{name: {person}}}\nspec: {{rules: [{rule}]}}\n")
    steps = ", ".join(f'{{after: {min(step, 1)}s, targets: ["user:probe{step}"]}}' for step in range(STEPS))
    policies = {f"probe{n}": steps for n in range(POLICIES)}
    policies["storm"] = '{after: 0s, targets: ["user:ana"]}, {after: 10m, targets: ["user:bo"]}'
    for name, written in policies.items():
        spec = f'{{owner: "group:storage", steps: [{written}]}}'
        oncall.append(f"apiVersion: quietshift.dev/v1\nkind: EscalationPolicy\nmetadata: {{name: {name}}}\nspec: {spec}\n")
    routes = "".join(f"        - {{receiver: probe{n}, matchers: ['probe=\"{n}\"']}}\n" for n in range(POLICIES))
    receivers = ", ".join(f"{{name: {name}}}" for name in ("nobody", *policies))
    alertmanager = f"""\
route:
  receiver: nobody
  group_by: [alertname]
  group_wait: 5m
  routes:
    - {{receiver: storm, matchers: ['job="storm"'], group_by: [cluster], group_wait: 1s}}
    - receiver: probe0
      matchers: ['probe!=""']
      group_by: [probe]
      group_wait: 0s
      routes:
{routes}receivers: [{receivers}]
"""
    paged = "".join(f"  {name}: {{escalation_policy: {name}}}\n" for name in policies)
    settings = f"receivers:\n{paged}bundle: {{window: 5s, longest: 10s, per_hour: 100000}}\n"
    for path, text in {
        "catalog/all.yaml": "---\n".join(catalog), "oncall/all.yaml": "---\n".join(oncall), "alertmanager.yml": alertmanager,
        "quietshift.yaml": settings,
    }.items():  # fmt: skip
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def _probes() -> list[bytes]:
    end = wire.until(600)
    return [wire.post([wire.alert("Probe", "n1", "eu", end, severity="critical", probe=str(n))]) for n in range(POLICIES)]


def _storm(groups: int) -> list[Iterator[bytes]]:
    """Ten alerts of each group, one of every group before the next of any; over 8 connections."""
    end = wire.until(600)
    every = [(member, group) for member in range(MEMBERS) for group in range(groups)]
    labels = {"job": "storm", "severity": "critical"}
    batches = [every[at : at + BATCH] for at in range(0, len(every), BATCH)]
    made = [
        wire.post([wire.alert("Down", f"n{member}", f"c{group}", end, **labels) for member, group in batch]) for batch in batches
    ]
    return [iter(made[connection::CONNECTIONS]) for connection in range(CONNECTIONS)]


def pages_under_load(desk: Desk, table: Table, scale: Scale, number: int) -> None:
    """Repeats, then new alerts, as fast as they are taken; meanwhile pages come due on other policies."""

    def load(port: int) -> None:
        wire.aside(wire.flood, port, partial(wire.repeats, BATCH, DISTINCT, CONNECTIONS), DISTINCT, 2 * scale.seconds)
        wire.aside(wire.flood, port, partial(wire.fresh, BATCH, 2 * scale.new, CONNECTIONS, f"node-{number}"))

    _, _, late = _probed(desk, load)
    table.add("pages-late", OURS, percentile(late, 0.999) * 1000, f"{len(late):,} pages in a round")


def storm(desk: Desk, table: Table, scale: Scale, _number: int) -> None:
    """Ten alerts in each of so many groups, as fast as they are taken, while other alerts and their pages go on."""
    asked: dict[str, float] = {}

    def load(port: int) -> None:
        began = wire.clock()
        found: Flood = wire.aside(wire.flood, port, partial(_storm, scale.storm))
        asked["answered"] = found.seconds
        _wait(desk, "SELECT count(*) FROM incidents WHERE escalation_policy = 'storm'", scale.storm)
        asked["incidents"] = wire.clock() - began
        _wait(desk, UNTOLD, 0)

    pages, probes, late = _probed(desk, load)
    arrived = {page.policy: page.at for page in reversed(pages) if page.user == "probe0"}
    elsewhere = [arrived[f"probe{n}"] - sent.at for n, sent in enumerate(probes) if f"probe{n}" in arrived]
    told = [page for page in pages if page.user == "ana"]
    size = f"{scale.storm * MEMBERS:,} alerts in {scale.storm:,} groups"
    table.add("storm-late", OURS, percentile(late, 0.999) * 1000, f"{len(late):,} pages in a round")
    table.add("storm-answer", OURS, percentile([sent.took for sent in probes], 0.99) * 1000, size)
    table.add("storm-elsewhere", OURS, percentile(elsewhere, 0.99) * 1000, size)
    table.add("storm-incidents", OURS, asked["incidents"], size)
    table.add("storm-messages", OURS, len(told), size)
    table.add("storm-lost", OURS, scale.storm - sum(page.incidents for page in told), size)


def _probed(desk: Desk, load: Any) -> tuple[list[Page], list[Probe], list[float]]:
    """What came to the phones while this load went on, the probes, and how late pages were attempted."""
    server = wire.listener()
    ops_directory(desk.folder / "ops", server.getsockname()[1])
    with server:
        phones = Aside(wire.phones, server, told=True)
        with desk.running(""):
            probing = Aside(wire.probe, desk.port, _probes(), EVERY, told=True)
            load(desk.port)
            probes = probing.stop()
            time.sleep(2 * desk.settle)  # for the pages of the last probes
            late = [row[0] for row in desk.query(LATE_PAGES)]
            pages = phones.stop()
    if not late or not pages:
        raise SystemExit("nobody was paged")
    return pages, probes, late


def _wait(desk: Desk, sql: str, wanted: int) -> None:
    deadline = time.monotonic() + 300
    while (found := desk.query(sql)[0][0]) != wanted:
        if time.monotonic() > deadline:
            raise SystemExit(f"{found} in place of {wanted} after 300 s:{sql}")
        time.sleep(0.1)  # until it is so, or its deadline


ALONE = {"pages": pages_under_load, "storm": storm}
