"""The works that both peers do, each on a fresh directory."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import partial

import wire
from peers import Peer
from report import Table, percentile
from wire import Flood, Told

CONNECTIONS = 8
BATCH = 64
DISTINCT = 20  # requests of each connection that are repeated
MANY = 64  # connections
TIMES = 5  # that a GET is measured; its first time is not
HOOK = """\
route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 5m}
receivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:PORT/'}]}]
"""
SILENT = """\
route: {receiver: nobody, group_by: [alertname], group_wait: 5m, group_interval: 5m}
receivers: [{name: nobody}]
"""


@dataclass(frozen=True)
class Scale:
    """How much of it. seconds: of a measurement of repeats; new: requests of new alerts; posts, groups: to a webhook; active,
    resident: alerts for GETs and for memory; storm: groups, of ten alerts each."""

    seconds: float = 4.0
    new: int = 2000
    posts: int = 400
    groups: int = 5000
    active: int = 20_000
    resident: int = 100_000
    storm: int = 5000


QUICK = Scale(1.0, 300, 60, 500, 3000, 5000, 300)
TINY = Scale(0.1, 8, 5, 70, 300, 300, 30)  # so that a test can run all of it


def repeats(peer: Peer, table: Table, scale: Scale, _number: int) -> None:
    """Firing alerts again and again, each with a later end."""
    with peer.running(SILENT):
        make = partial(wire.repeats, BATCH, DISTINCT, CONNECTIONS)
        found: Flood = wire.aside(wire.flood, peer.port, make, 2 * DISTINCT, scale.seconds)
        table.add("repeats", peer.name, found.requests * BATCH / found.seconds)
        _share(table, found.share, "repeats", peer)


def new(peer: Peer, table: Table, scale: Scale, number: int) -> None:
    """Alerts never seen before: until each is answered, until a GET lists the last one. Ours is killed then: all are there."""
    with peer.running(SILENT):
        table_scale = f"{scale.new * BATCH:,} alerts"
        make = partial(wire.fresh, BATCH, scale.new, CONNECTIONS, f"node-{number}")
        began = wire.clock()
        found: Flood = wire.aside(wire.flood, peer.port, make)
        last = f"node-{number}-{scale.new - 1:024d}"
        while len(peer.get(f"/api/v2/alerts?filter=instance%3D{last}")) < BATCH:
            if wire.clock() - began > wire.PATIENCE * 2:
                raise SystemExit(f"{peer.name}: its last alerts were answered 200 and are not listed")
        listed = wire.clock() - began
        table.add("new", peer.name, found.requests * BATCH / found.seconds, table_scale)
        table.add("new-listed", peer.name, found.requests * BATCH / listed, table_scale)
        _share(table, found.share, "new alerts", peer)
        if peer.durable:
            peer.kill9()
            peer.start(SILENT)
            kept = len(peer.get("/api/v2/alerts?filter=alertname%3D~%22Fresh.*%22"))
            if kept < scale.new * BATCH:
                raise SystemExit(f"{peer.name}: {scale.new * BATCH} alerts were answered 200, {kept} are there after kill -9")


def to_webhook(peer: Peer, table: Table, scale: Scale, number: int) -> None:
    """One alert at a time: from before its POST until its webhook is here."""
    took = _hooks(peer, 1, scale.posts, 20, number).took
    table.add("webhook", peer.name, statistics.median(took) * 1000)
    table.add("webhook-p99", peer.name, percentile(took, 0.99) * 1000)


def groups(peer: Peer, table: Table, scale: Scale, number: int) -> None:
    """The same, each connection sending its next alert when its last has come."""
    found = _hooks(peer, MANY, scale.groups, 5 * MANY, number)
    table.add("groups", peer.name, statistics.median(found.took) * 1000, f"{scale.groups:,} groups")
    table.add("groups-p99", peer.name, percentile(found.took, 0.99) * 1000, f"{scale.groups:,} groups")
    _share(table, found.share, "groups over 64 connections", peer)


def _hooks(peer: Peer, connections: int, count: int, warm: int, number: int) -> Told:
    server = wire.listener()
    with server, peer.running(HOOK.replace("PORT", str(server.getsockname()[1]))):
        wire.aside(wire.to_webhook, peer.port, server, connections, min(warm, count), f"w{number}")  # makes connections
        found: Told = wire.aside(wire.to_webhook, peer.port, server, connections, count, f"n{number}")
    return found


def gets(peer: Peer, table: Table, scale: Scale, _number: int) -> None:
    """Everything that is active, as alerts and as groups."""
    with peer.running(SILENT):
        _fill(peer, scale.active)
        for key, path in (("get-alerts", "/api/v2/alerts"), ("get-groups", "/api/v2/alerts/groups")):
            times = [peer.time_get(path)[0] for _ in range(TIMES + 1)][1:]
            table.add(key, peer.name, statistics.median(times) * 1000, f"{scale.active:,} active")


def memory(peer: Peer, table: Table, scale: Scale, _number: int) -> None:
    """What it takes to hold many, after they were listed once."""
    with peer.running(SILENT):
        _fill(peer, scale.resident)
        peer.time_get("/api/v2/alerts")
        table.add("memory", peer.name, peer.memory() / 1e6, f"{scale.resident:,} active")


def _fill(peer: Peer, alerts: int) -> None:
    wire.aside(wire.flood, peer.port, partial(wire.fresh, BATCH, -(-alerts // BATCH), CONNECTIONS, "node"))


def _share(table: Table, share: float, work: str, peer: Peer) -> None:
    table.note_share(f"{work}, {peer.name}", share)


SHARED = {
    "repeats": repeats, "new": new, "webhook": to_webhook, "groups": groups, "get": gets, "memory": memory,
}  # fmt: skip
