"""A whole Quietshift whose time is driven: real rooms, a real database, pages posted to a real HTTP server; nothing sleeps.

The engine's own rows say when something is due: time jumps from one to the next, as in `quietshift.kernel.worker`, but by hand.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import yaml

from quietshift.alerts.model import AlertsConfig
from quietshift.alerts.wires.alertmanager import decode
from quietshift.app import parts, wire
from quietshift.app.simulation import Driver
from quietshift.app.wire import App
from quietshift.incidents import store, timeline, usecases
from quietshift.incidents.model import Incident, State, TimelineEntry, parse_ref
from quietshift.kernel.clock import ManualClock, rfc3339
from quietshift.kernel.durations import parse_duration
from quietshift.kernel.errors import QuietshiftError
from quietshift.kernel.ops import OpsHolder
from quietshift.kernel.settings import load_settings
from quietshift.paging import store as paging
from tests.support.webhook import WebhookServer

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
RESEND = timedelta(minutes=2)  # a sender repeats every firing alert well within resolve_timeout
MOST_TURNS = 5000  # of one drive: more is a loop


@dataclass(frozen=True)
class Received:
    """A page that arrived at somebody's phone: when by the driven clock, and what was posted."""

    user: str
    at: datetime
    body: dict[str, Any]

    def __str__(self) -> str:
        of = self.body["incident"]["id"] if self.body["incident"] else self.body["title"]
        return f"{self.user} at {self.at:%d %H:%M:%S} (attempt {self.body['attempt']}, {of})"


@dataclass
class Firing:
    """An alert that its sender repeats until it ends it."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    sent_at: datetime
    ends_at: str = ""


@dataclass
class Team:
    """Schedules and the policy of a team; each step: how long after the one before, and its targets."""

    steps: list[tuple[str, list[str]]]
    schedules: dict[str, list[str]] = field(default_factory=dict)
    only: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    members: list[str] = field(default_factory=list)
    repeat: int = 0


class World:
    """Says who is on shift, what fires and when; sees who is paged. A time of day moves forward to its next occurrence."""

    def __init__(self, folder: Path, database_url: str, phone: WebhookServer) -> None:
        self.folder, self.database_url, self.phone = folder / "ops", database_url, phone
        self.clock = ManualClock(MIDNIGHT)
        self.teams: dict[str, Team] = {}
        self.services: dict[str, str] = {}
        self.contacts: dict[str, list[tuple[str, str]]] = {}
        self.settings: dict[str, str] = {}
        self.firing: dict[tuple[tuple[str, str], ...], Firing] = {}
        self.received: list[Received] = []
        self.expected = 0  # how many of them a story has spoken of
        self._seen = 0
        self._app: App | None = None
        self.above = True  # with the rooms above `incidents`

    # -- the setting -------------------------------------------------------------------------------------------------------

    def on_shift(self, team: str, *, primary: str, secondary: str = "", delay: str = "5m", repeat: int = 0) -> Team:
        """A team with somebody on, and perhaps somebody behind them; its policy: the first at once, the second after `delay`."""
        made = Team([("0s", [f"schedule:{team}"])], {team: [primary]}, repeat=repeat)
        made.members = [primary]
        if secondary:
            made.schedules[f"{team}-backup"] = [secondary]
            made.steps.append((delay, [f"schedule:{team}-backup"]))
            made.members.append(secondary)
        self.teams[team] = made
        self.services.setdefault({"storage": "gitaly"}.get(team, f"{team}-service"), team)
        return made

    def people(self) -> list[str]:
        named = [user for team in self.teams.values() for users in (*team.schedules.values(), team.members) for user in users]
        return sorted({*named, *self.contacts})

    def write_ops(self) -> None:
        """The ops directory of this setting."""
        catalog: list[dict[str, Any]] = []
        oncall: list[dict[str, Any]] = []
        for user in self.people():
            groups = [name for name, team in self.teams.items() if user in team.members]
            catalog.append(_entity("User", user, {"memberOf": groups}))
            rules = self.contacts.get(user, [("0s", f"{self.phone.url(f'/{user}')}")])
            oncall.append(_own("Contacts", user, {"rules": [{"after": after, "via": via} for after, via in rules]}))
        for name, team in self.teams.items():
            catalog.append(_entity("Group", name, {"type": "team", "children": []}))
            for schedule, users in team.schedules.items():
                layer: dict[str, Any] = {
                    "name": "all", "users": users,
                    "rotation": {"unit": "day", "every": 1, "handoff": "00:00", "start": "2026-01-05"},
                }  # fmt: skip
                if schedule in team.only:
                    layer["only"] = team.only[schedule]
                spec = {"owner": f"group:{name}", "timeZone": "UTC", "layers": [layer]}
                oncall.append(_own("Schedule", schedule, spec))
            steps = [{"after": after, "targets": targets} for after, targets in team.steps]
            oncall.append(_own("EscalationPolicy", name, {"owner": f"group:{name}", "repeat": team.repeat, "steps": steps}))
        for service, team_name in self.services.items():
            spec = {"type": "service", "lifecycle": "production", "owner": f"group:{team_name}"}
            catalog.append(_entity("Component", service, spec))
        first = next(iter(self.teams))
        routes = [{"receiver": team_name, "matchers": [f'service="{service}"']} for service, team_name in self.services.items()]
        alertmanager = {
            "route": {
                "receiver": first, "group_by": ["alertname", "service"], "group_wait": "0s", "group_interval": "1m",
                "repeat_interval": "4h", "routes": routes,
            },
            "receivers": [{"name": name} for name in self.teams],
        }  # fmt: skip
        quietshift = {"receivers": {name: {"escalation_policy": name} for name in self.teams}, **self.settings}
        for path, documents in {
            "catalog/all.yaml": catalog, "oncall/all.yaml": oncall, "alertmanager.yml": [alertmanager],
            "quietshift.yaml": [quietshift],
        }.items():  # fmt: skip
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(yaml.safe_dump_all(documents, sort_keys=False))

    @property
    def app(self) -> App:
        """The running Quietshift; the first use builds it on the setting as it is then."""
        if self._app is None:
            self.write_ops()
            flags = {"ops": str(self.folder), "db": self.database_url, "secret_key": "k" * 32}
            settings = load_settings(flags, {})
            holder = OpsHolder(parts.loader(self.folder))
            db, key = wire.open_ground(settings)
            self._app = wire.join(settings, holder, self.clock, db, key, above=self.above)
            self._app.alerts.start()
        return self._app

    def restart(self) -> "World":
        """The process dies and another begins on the same database: memory is gone, rows are not."""
        self.close()
        return self

    def close(self) -> None:
        if self._app is not None:
            self._app.alerts.stop()
            self._app.db.close()
            self._app = None

    # -- time --------------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def at(self, when: str) -> "World":
        """Go to the next time it is so late ("02:05", "02:05:30"), doing on the way whatever is due when it is due."""
        hour, minute, second = (*map(int, when.split(":")), 0)[:3]
        target = self.now.replace(hour=hour, minute=minute, second=second, microsecond=0)
        if target < self.now:
            target += timedelta(days=1)
        return self.until(target)

    def wait(self, span: str) -> "World":
        return self.until(self.now + parse_duration(span))

    def until(self, target: datetime) -> "World":
        for _ in range(MOST_TURNS):
            due = self._next_due()
            if due is None or due > target:
                self.clock.set(max(self.now, target))
                return self
            self.clock.set(max(self.now, due))
            self._turn()
        raise AssertionError(f"something is due without end at {self.now}")

    def _next_due(self) -> datetime | None:
        dues = [Driver(self.app, self.clock).next_due(), *(one.sent_at + RESEND for one in self.firing.values())]
        return min((due for due in dues if due is not None), default=None)

    def _turn(self) -> None:
        """Everything that is due at this instant, once."""
        again = [one for one in self.firing.values() if one.sent_at + RESEND <= self.now]
        if again:
            self._send(again)
        Driver(self.app, self.clock).turn()
        for post in self.phone.posts()[self._seen :]:
            self._seen += 1
            body = post.json
            if "page_id" in body:
                self.received.append(Received(body["user"], self.now, body))

    # -- what happens ------------------------------------------------------------------------------------------------------

    def alert(
        self, name: str, *, starts_at: str = "", ends_at: str = "", summary: str = "", severity: str = "critical", **labels: str
    ) -> "World":
        """It begins to fire, and its sender repeats it from now on, as Prometheus does."""
        annotations = {"summary": summary} if summary else {}
        given = {"alertname": name, "severity": severity, **labels}
        one = Firing(given, annotations, starts_at or rfc3339(self.now), self.now, ends_at)
        self.firing[tuple(sorted(given.items()))] = one
        self._send([one])
        return self.until(self.now)

    def resolve_alerts(self, **labels: str) -> "World":
        """Those that carry these labels (all, without any) are over, and their sender says so."""
        over = {key: one for key, one in self.firing.items() if labels.items() <= one.labels.items()}
        assert over, f"nothing with {labels} fires"
        for key in over:
            del self.firing[key]
        self._send(list(over.values()), ends_at=rfc3339(self.now))
        return self.until(self.now)

    def _send(self, alerts: Sequence[Firing], ends_at: str = "") -> None:
        body = []
        for one in alerts:
            one.sent_at = self.now
            item: dict[str, Any] = {"labels": one.labels, "annotations": one.annotations, "startsAt": one.starts_at}
            body.append(item | ({"endsAt": ends_at or one.ends_at} if ends_at or one.ends_at else {}))
        self._post(json.dumps(body).encode())

    def _post(self, body: bytes) -> None:
        """Through the alerts room's door, as its API does; raises what a sender would be answered."""
        room, timeout = self.app.alerts, self.app.ops.current.get(AlertsConfig).resolve_timeout
        reports, errors = room.use.hot.absorb(decode(body), self.now, timeout)
        if errors:
            raise ValueError("; ".join(errors))
        if not reports:
            return
        answers: SimpleQueue[QuietshiftError | None] = SimpleQueue()
        room.intake.submit(reports, answers.put)
        problem = answers.get(timeout=30)
        if problem is not None:
            raise problem

    def ack(self, user: str, incident: Incident | None = None) -> "World":
        chosen = incident or self.incident
        with self.app.db.write() as tx:
            usecases.acknowledge(tx, chosen.id, f"user:{user}", self.now)
        return self.until(self.now)

    def do(self, verb: Callable[..., Incident], user: str, *args: Any, configured: bool = False, **options: Any) -> Incident:
        """Any other verb of the incidents room, on the newest incident; configured: it takes ops and settings."""
        if configured:
            options |= {"ops": self.app.ops.current, "settings": self.app.settings}
        with self.app.db.write() as tx:
            after = verb(tx, self.incident.id, f"user:{user}", *args, self.now, **options)
        self.until(self.now)
        return after

    # -- what is seen ------------------------------------------------------------------------------------------------------

    def expect_page(self, user: str, *, within: str = "0s", because: str = "") -> "World":
        """The next page that the story has not spoken of goes to `user`, not later than `within` from now."""
        limit = self.now + parse_duration(within)
        if self.expected == len(self.received):
            self._until_received(limit)
        waiting = self.received[self.expected :]
        assert waiting, f"nobody was paged until {limit:%H:%M:%S}, {user} ought to have been; {self.story()}"
        first = waiting[0]
        assert first.user == user, f"paged was {first}, expected {user}; {self.story()}"
        assert first.at <= limit
        if because:
            reason = self.page_reason(first)
            assert because in reason, f"{first} because {reason!r}, not {because!r}"
        self.expected += 1
        return self

    def _until_received(self, limit: datetime) -> None:
        while self.expected == len(self.received):
            due = self._next_due()
            if due is None or due > limit:
                return
            self.until(due)

    def expect_pages(self, *users: str, within: str = "0s") -> "World":
        """The next pages go to exactly these, in whatever order."""
        self.until(self.now + parse_duration(within))
        found = sorted(one.user for one in self.received[self.expected :])
        assert found == sorted(users), f"paged were {found}, expected {sorted(users)}; {self.story()}"
        self.expected = len(self.received)
        return self

    def expect_no_more_pages(self) -> "World":
        """Since the last page that the story spoke of, nobody was paged."""
        extra = self.received[self.expected :]
        assert not extra, f"nobody else ought to be paged, but {'; '.join(map(str, extra))}; {self.story()}"
        return self

    def page_reason(self, page: Received) -> str:
        """Why this person was paged at that instant, as stored: the page's own reason, and what the escalation says of then."""
        number = parse_ref(page.body["incident"]["id"])
        with self.app.db.read() as tx:
            found = next(one for one in paging.pages(tx, number) if one.id == page.body["page_id"])
            log = [f"{entry.text}: {entry.why}" for entry in paging.log(tx, number) if entry.at == found.due_at]
        return "; ".join([found.reason, *log])

    @property
    def incidents(self) -> list[Incident]:
        """All of them, oldest first."""
        with self.app.db.read() as tx:
            return list(reversed(store.find(tx, limit=1000)))

    @property
    def incident(self) -> Incident:
        """The newest."""
        found = self.incidents
        assert found, "there is no incident"
        return found[-1]

    @property
    def state(self) -> State:
        return self.incident.state

    def timeline(self, incident: Incident | None = None) -> list[TimelineEntry]:
        with self.app.db.read() as tx:
            return timeline.timeline(tx, (incident or self.incident).id)

    def story(self) -> str:
        """Everything that happened, for a failing test to show."""
        lines = [f"pages: {'; '.join(map(str, self.received)) or 'none'}"]
        for one in self.incidents:
            lines.append(f"{one.ref} {one.state}")
            lines += [f"  {e.at:%d %H:%M:%S} {e.kind} {e.actor}: {e.text} ({e.why})" for e in self.timeline(one)]
        return "\n".join(lines)


def _entity(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _own(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "quietshift.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
