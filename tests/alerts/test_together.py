"""Many groups flushed in one transaction are told the same, and leave the same behind, as groups flushed one by one."""

import dataclasses
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from quietshift.alerts import usecases
from quietshift.alerts.matchers import Matcher
from quietshift.alerts.model import Silence
from quietshift.alerts.store import save_silence
from quietshift.kernel import timers
from tests.alerts.conftest import START, World

# Two routes of one receiver that share a key, one muted by inhibition, a desk, a receiver that does not hear of ends.
CONFIG = """
route:
  receiver: hook
  group_by: [host]
  group_wait: 10s
  group_interval: 20s
  repeat_interval: 1m
  routes:
    - {receiver: hook, matchers: ['kind = "twin"'], continue: true, group_by: [host]}
    - {receiver: hook, matchers: ['kind = "twin"'], group_by: [host]}
    - {receiver: desk, matchers: ['kind = "page"'], group_by: ['...'], group_wait: 0s}
    - {receiver: quick, matchers: ['kind = "quick"'], group_by: [host], group_wait: 0s}
inhibit_rules:
  - {source_matchers: ['kind = "page"'], target_matchers: ['kind = "plain"'], equal: [host]}
receivers:
  - name: hook
    webhook_configs: [{url: 'http://receiver.invalid/'}, {url: 'http://another.invalid/', send_resolved: false}]
  - name: quick
    webhook_configs: [{url: 'http://quick.invalid/'}]
  - name: desk
"""

POSTED = st.tuples(
    st.just("post"),
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["plain", "twin", "page", "quick"]), st.integers(-30, 90)), max_size=6
    ),
)
STEP = st.one_of(
    POSTED, POSTED, st.tuples(st.just("wait"), st.integers(1, 50)), st.tuples(st.just("down"), st.booleans()),
    st.tuples(st.just("silence"), st.sampled_from("abcd")), st.tuples(st.just("restart"), st.integers(0, 20)),
)  # fmt: skip


class Alone(World):
    """Its groups are flushed one by one, each in a call of its own."""

    most = 1

    def _open(self) -> None:
        super()._open()
        handler = self.registry.timers[usecases.GROUP_TIMER]
        assert isinstance(handler, timers.Together)
        self.registry.timers[usecases.GROUP_TIMER] = dataclasses.replace(handler, most=self.most)


class Together(Alone):
    most = 50


def play(world: World, steps: Sequence[Any]) -> None:
    for what, how in steps:
        now = world.seconds
        if what == "post":
            world.post(*({"host": host, "kind": kind, "start": now - 1, "end": now + end} for host, kind, end in how if end >= 0))
        elif what == "wait":
            world.run(now + how)
        elif what == "down":
            world.down = how
        elif what == "restart":
            world.restart(how)
        else:
            silence = Silence(
                f"s{how}", (Matcher("host", how, "="),), world.clock.now(), world.clock.now() + timedelta(seconds=40), "ana", "",
                world.clock.now(),
            )  # fmt: skip
            with world.db.write() as tx:
                save_silence(tx, silence)
    world.down = False
    world.run(world.seconds + 150)


def left(world: World) -> dict[str, list[Any]]:
    """What the database holds in the end, without ids that are drawn by chance."""
    asked = {
        "told": "SELECT receiver, group_key, integration, firing, resolved, notified_at, decision FROM notification_log",
        "groups": "SELECT id, digest, next_flush_at, flush_number, open_deliveries, failed, idle FROM alert_groups",
        "members": "SELECT group_id, alert_id, over_at FROM alert_group_members",
        "alerts": "SELECT id, digest, starts_at, ends_at, grouped FROM alerts",
        "decisions": "SELECT at, group_key, receiver, integration, outcome, reason, detail FROM alert_decisions",
        "timers": "SELECT kind, subject, due_at, payload, attempts FROM timers",
        "outbox": "SELECT kind, subject, destination, payload, attempts FROM outbox",
    }
    with world.db.read() as tx:
        return {name: sorted(map(repr, tx.run(sql))) for name, sql in asked.items()}


def sent(world: World) -> list[str]:
    return sorted(repr(one) for one in (*world.sent, *world.desk))


@settings(max_examples=25, deadline=None)
@given(st.lists(STEP, max_size=8))
def test_flushing_many_groups_at_once_is_flushing_them_one_by_one(steps: list[Any]) -> None:
    worlds: list[World] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in (Alone, Together):
            worlds.append(kind(f"{Path(folder) / kind.__name__}.db", CONFIG, {"desk": "storage"}))
            play(worlds[-1], steps)
        alone, together = worlds
        assert sent(together) == sent(alone)
        assert left(together) == left(alone)
        for world in worlds:
            world.close()


def test_it_takes_many(tmp_path: Path) -> None:
    """The test above compares something: these groups are due at one instant, and are taken in one call."""
    world = Together(f"{tmp_path}/x.db", CONFIG)
    world.post(*({"host": f"h{n}", "kind": "plain", "start": 0, "end": 500} for n in range(30)))
    calls: list[int] = []
    handler = world.registry.timers[usecases.GROUP_TIMER]
    assert isinstance(handler, timers.Together)

    def counted(tx: Any, due: Any, now: Any) -> None:
        calls.append(len(due))
        handler.handler(tx, due, now)

    world.registry.timers[usecases.GROUP_TIMER] = dataclasses.replace(handler, handler=counted)
    world.run(11)
    assert calls == [30]
    assert len(world.sent) == 60
    assert (world.clock.now() - START).total_seconds() == 11
    world.close()
