"""The paging room by itself: real tables, real channels, time by hand."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import yaml

from quietshift.catalog.config import load as load_catalog
from quietshift.channels.smarthost import Smarthost
from quietshift.kernel import outbox, timers
from quietshift.kernel.clock import ManualClock
from quietshift.kernel.config import parse_documents
from quietshift.kernel.db import Database
from quietshift.kernel.durations import parse_duration
from quietshift.kernel.errors import Problems
from quietshift.kernel.ops import Loaded
from quietshift.kernel.schema import metadata
from quietshift.oncall.config import load as load_oncall
from quietshift.paging import bundles, senders, store, usecases
from quietshift.paging.config import load as load_paging
from quietshift.paging.model import IncidentFacts

START = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
KEY = b"k" * 32


def ops_of(text, catalog):
    """The parts of an ops directory, from the YAML of its schedules, policies and contacts."""
    problems = Problems()
    loaded = Loaded()
    loaded.put(load_catalog(parse_documents(catalog.encode(), "catalog.yaml", problems), problems))
    documents = parse_documents(text.encode(), "oncall.yaml", problems)
    of = lambda kind: [node for node in documents if node.entries()["kind"].text() == kind]  # noqa: E731 - three uses
    loaded.put(load_oncall(of("Schedule"), problems, *loaded._parts.values()))
    catalog_part, oncall_part = loaded._parts.values()
    loaded.put(load_paging(of("EscalationPolicy"), of("Contacts"), problems, catalog_part, oncall_part))
    problems.raise_errors()
    return loaded


class Room:
    """Policies, people and their contacts; an incident; what the providers got."""

    def __init__(self, db, phone, mailbox):
        self.db, self.phone, self.mailbox = db, phone, mailbox
        self.clock = ManualClock(START)
        self.people, self.groups, self.schedules, self.policies = {}, {"storage": []}, {}, {}
        self.late = []
        way = senders.Way(
            "https://shift.example.org", KEY, timedelta(hours=24), Smarthost(mailbox.host, mailbox.port, "none"),
            "Quietshift <pager@example.org>", lambda channel, outcome, late: self.late.append((channel, outcome, late)),
        )  # fmt: skip
        self.kinds = {kind.kind: kind for kind in senders.kinds(way)}
        self._ops = None

    # -- the setting

    def person(self, name, *rules, groups=("storage",)):
        """rules: ("0s", "/path") of the phone, or ("1m", "mailto:...")."""
        self.people[name] = [(after, self.phone.url(via) if via.startswith("/") else via) for after, via in rules]
        for group in groups:
            self.groups.setdefault(group, []).append(name)
        return self

    def schedule(self, name, *users, only=None):
        self.schedules[name] = (users, only)
        return self

    def policy(self, *steps, name="storage", repeat=0, owner="group:storage", fallback=None):
        self.policies[name] = {"owner": owner, "repeat": repeat, "steps": [{"after": a, "targets": t} for a, *t in steps]}
        if fallback:
            self.policies[name]["fallback"] = fallback
        return self

    @property
    def ops(self):
        if self._ops is None:
            catalog = [_backstage("Group", name, type="team", children=[], members=who) for name, who in self.groups.items()]
            catalog += [_backstage("User", name, memberOf=[]) for name in self.people]
            own = [_own("Schedule", name, _layers(users, only)) for name, (users, only) in self.schedules.items()]
            own += [_own("EscalationPolicy", name, spec) for name, spec in self.policies.items()]
            own += [
                _own("Contacts", name, {"rules": [{"after": a, "via": v} for a, v in rules]})
                for name, rules in self.people.items()
                if rules
            ]
            self._ops = ops_of(yaml.safe_dump_all(own), yaml.safe_dump_all(catalog))
        return self._ops

    def reload(self):
        self._ops = None

    # -- what happens

    @property
    def now(self):
        return self.clock.now()

    def facts(self, number=1042, **changes):
        given = {
            "id": number, "title": "Git push fails", "severity": "critical", "service": "gitaly",
            "owner": "group:default/storage", "state": "triggered", "opened_at": START, "url": f"https://shift.example.org/incidents/INC-{number}",
            "as_json": {"id": f"INC-{number}", "title": "Git push fails"},
        }  # fmt: skip
        return IncidentFacts(**{**given, **changes})

    def start(self, policy="storage", number=1042, why="INC-1042 opened"):
        with self.db.write() as tx:
            usecases.start(tx, self.facts(number), policy, self.now, ops=self.ops, why=why)
        self.settle()

    def do(self, verb, *args, **keywords):
        with self.db.write() as tx:
            result = verb(tx, *args, **keywords)
        self.settle()
        return result

    def stop(self, why="acknowledged by ana", by="user:ana"):
        self.do(usecases.stop, 1042, self.now, why, by=by)

    @property
    def handlers(self):
        return {
            usecases.ESCALATE: partial(usecases.escalate, ops=self.ops),
            usecases.FAILED: partial(usecases.failed, ops=self.ops),
            bundles.WINDOW: partial(bundles.window_ended, ops=self.ops),
        }

    # -- time

    def settle(self, turns=60):
        """Do what is due now, until nothing is."""
        for _ in range(turns):
            done = timers.run_due(self.db, self.handlers, self.now)
            done += outbox.run_due(self.db, self.kinds, self.now)
            if not done:
                return
        raise AssertionError(f"something is due without end at {self.now}")

    def wait(self, span):
        """Pass this time, doing what is due when it is due."""
        target = self.now + parse_duration(span)
        while True:
            due = self.next_due()
            if due is None or due > target:
                self.clock.set(target)
                return
            self.clock.set(max(due, self.now))
            self.settle()

    def next_due(self):
        with self.db.read() as tx:
            dues = [timers.next_due(tx), outbox.next_due(tx, list(self.kinds))]
        return min((due for due in dues if due is not None), default=None)

    # -- what is seen

    def rung(self, path=None):
        """Who was reached by webhook, in order."""
        return [post.json["user"] for post in self.phone.posts(path)]

    def pages(self, number=1042):
        with self.db.read() as tx:
            return store.pages(tx, number)

    def log(self, kind=None):
        with self.db.read() as tx:
            return [entry for entry in store.log(tx, 1042) if kind is None or entry.kind == kind]

    def escalation(self):
        with self.db.read() as tx:
            return store.escalation(tx, 1042)


def _backstage(kind, name, **spec):
    return {"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _own(kind, name, spec):
    return {"apiVersion": "quietshift.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _layers(users, only):
    layer = {
        "name": "all", "users": list(users),
        "rotation": {"unit": "day", "every": 1, "handoff": "00:00", "start": "2026-01-05"},
    }  # fmt: skip
    if only:
        layer["only"] = only
    return {"owner": "group:storage", "timeZone": "UTC", "layers": [layer]}


@pytest.fixture
def db(database_url):
    opened = Database.open(database_url)
    metadata.create_all(opened.raw_engine())
    yield opened
    opened.close()


@pytest.fixture
def room(db, webhook_server, smtp_server):
    return Room(db, webhook_server, smtp_server)
