"""The desk on a real database, whatever is reported and done in whatever order: what must always hold, holds."""

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from quietshift.app import parts
from quietshift.app.wire import load_tables
from quietshift.incidents import store, usecases
from quietshift.incidents.model import ALERTS, TRANSITIONS, EventName, State
from quietshift.incidents.timeline import timeline
from quietshift.kernel import timers
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.db import Database
from quietshift.kernel.errors import Conflict, IllegalTransition
from quietshift.kernel.settings import load_settings
from quietshift.kernel.timers import Timer
from quietshift.paging import usecases as paging
from tests.incidents.conftest import FILES

NAMES = ("n1", "n2", "n3")
SEVERITIES = {"n1": "warning", "n2": "warning", "n3": "critical"}
people = st.sampled_from(["user:ana", "user:bo", "link:ana"])


class DeskMachine(RuleBasedStateMachine):
    """Two groups of three alerts; people and clocks do as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="quietshift-desk-"))
        for name, text in FILES.items():
            path = self.folder / "ops" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.ops, problems = parts.read_ops(self.folder / "ops")
        problems.raise_errors()
        self.settings = load_settings({}, {})
        load_tables()
        from quietshift.kernel.schema import metadata

        self.db = Database.open(str(self.folder / "q.db"))
        metadata.create_all(self.db.raw_engine())
        self.now = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
        self.firing: dict[str, dict[str, datetime]] = {"a": {}, "b": {}}

    def teardown(self) -> None:
        self.db.close()
        shutil.rmtree(self.folder)

    @rule(
        group=st.sampled_from("ab"), firing=st.sets(st.sampled_from(NAMES)), wait=st.timedeltas(timedelta(0), timedelta(hours=1))
    )
    def the_group_reports(self, group: str, firing: set[str], wait: timedelta) -> None:
        self.now += wait
        known = self.firing[group]
        reported: list[dict[str, Any]] = []
        for name in sorted({*firing, *known}):
            starts_at = known.setdefault(name, self.now)
            reported.append(
                {
                    "fingerprint": f"{group}-{name}", "status": "firing" if name in firing else "resolved",
                    "labels": {"alertname": name, "severity": SEVERITIES[name]}, "annotations": {}, "generatorURL": "",
                    "starts_at": rfc3339(starts_at), "ends_at": None if name in firing else rfc3339(self.now),
                }
            )  # fmt: skip
            if name not in firing:
                del known[name]
        if not reported:
            return
        snapshot = {
            "group_id": 1, "group_key": group, "receiver": "storage", "escalation_policy": "storage", "reason": "changed",
            "status": "firing" if firing else "resolved", "group_labels": {}, "common_labels": {}, "alerts": reported,
        }  # fmt: skip
        with self.db.write() as tx:
            usecases.on_group(tx, Timer("t", "k", group, self.now, snapshot), self.now, ops=self.ops, settings=self.settings)

    @rule(
        who=people,
        verb=st.sampled_from(["ack", "resolve", "snooze", "escalate", "reassign", "reopen", "severity"]),
        back=st.integers(0, 2),
    )
    def somebody_acts(self, who: str, verb: str, back: int) -> None:
        self.now += timedelta(seconds=1)
        with self.db.read() as tx:
            found = store.find(tx)
        if not found:
            return
        one = found[min(back, len(found) - 1)]
        event = {
            "ack": EventName.ACKNOWLEDGE, "resolve": EventName.RESOLVE, "snooze": EventName.SNOOZE, "reopen": EventName.REOPEN,
            "escalate": EventName.ESCALATE, "reassign": EventName.REASSIGN, "severity": EventName.SEVERITY,
        }[verb]  # fmt: skip
        both: dict[str, Any] = {"ops": self.ops, "settings": self.settings}
        try:
            with self.db.write() as tx:
                after = {
                    "ack": lambda: usecases.acknowledge(tx, one.id, who, self.now),
                    "resolve": lambda: usecases.resolve(tx, one.id, who, self.now),
                    "snooze": lambda: usecases.snooze(tx, one.id, who, self.now + timedelta(hours=1), self.now),
                    "escalate": lambda: usecases.escalate_now(tx, one.id, who, self.now, **both),
                    "reassign": lambda: usecases.reassign(tx, one.id, who, ["user:bo"], self.now, **both),
                    "reopen": lambda: usecases.reopen(tx, one.id, who, self.now, **both),
                    "severity": lambda: usecases.set_severity(tx, one.id, who, "info", self.now),
                }[verb]()
        except IllegalTransition:
            assert (one.state, event) not in TRANSITIONS
        except Conflict:
            assert verb == "reopen"
            assert any(other.group == one.group and other.is_open for other in found)
        else:
            assert after.state is TRANSITIONS[one.state, event]

    @rule(wait=st.timedeltas(timedelta(0), timedelta(hours=2)))
    def a_snooze_ends(self, wait: timedelta) -> None:
        self.now += wait
        with self.db.write() as tx:
            for one in store.find(tx):
                timer = timers.get(tx, usecases.SNOOZE_END, str(one.id))
                if timer is not None and timer.due_at <= self.now:
                    timers.cancel(tx, usecases.SNOOZE_END, str(one.id))
                    usecases.snooze_end(tx, timer, self.now, ops=self.ops, settings=self.settings)

    @invariant()
    def what_must_hold(self) -> None:
        with self.db.read() as tx:
            found = store.find(tx, limit=1000)
            open_groups = [one.group for one in found if one.is_open]
            assert len(open_groups) == len(set(open_groups)), "two open incidents of one group"
            for one in found:
                paging_is_over = paging.is_over(tx, one.id)
                assert paging_is_over == (one.state is not State.TRIGGERED), (
                    f"{one.ref} is {one.state}, paging over: {paging_is_over}"
                )
                timer = timers.get(tx, usecases.SNOOZE_END, str(one.id))
                assert (timer.due_at if timer else None) == one.snoozed_until
                told = timeline(tx, one.id)
                assert [entry.at for entry in told] == sorted(entry.at for entry in told)
            for group, firing in self.firing.items():
                newest = next((one for one in found if one.group == group), None)
                if firing and (newest is None or not newest.is_open):
                    # it fires and nothing is open: only because a person said so of these very alerts
                    assert newest is not None
                    assert newest.resolved_by != ALERTS
                    members = {m.alert.fingerprint for m in store.alerts(tx, newest.id) if m.ended_at is None}
                    assert {f"{group}-{name}" for name in firing} <= members


TestDesk = DeskMachine.TestCase
TestDesk.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
