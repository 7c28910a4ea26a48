"""Random worlds for two Alertmanagers: a routing tree of its own, receivers, inhibition, time intervals, and what happens in it.

Worlds are mounted side by side below one route each (`world="7"`), so that dozens live through the same seconds. What happens
and what is flushed never falls on the same moment, or the two might rightly see it in another order: in a steady world things
happen at whole seconds and groups wait for halves; in a world that flushes at once, each happening has a phase of its own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

LASTS = 18.0  # seconds of one world
RESOLVE_TIMEOUT = "4s750ms"  # so that nothing times out when something happens
BEAT, SLOT = 4.0, 0.4  # of a world that flushes at once: its group_interval, and how far apart its phases are
SILENT = 9  # the slot at which nothing happens there and nothing is flushed: alerts and silences end then

Json = dict[str, Any]
Labels = dict[str, str]
Matcher = tuple[str, str, str]

VALUES = {
    "severity": ("critical", "warning", "info"),
    "team": ("web", "storage", "on call"),
    "host": ("a", "b", "a.b"),
    "job": ("x", "y"),
    "instance": ("i1", "i2"),
    "zone": ("ü", 'say "no"', "back\\slash", "comma, dash-", "two\nlines", "tab\t"),
}
PATTERNS = (".*", ".+", "", "a|b", "[ab].*", "^a$", "a.b", "w(eb|x)", "crit.*|info", "(?i)WEB", "\\w+", "[^a]")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "Pacific/Kiritimati")
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip


@dataclass(frozen=True)
class Happening:
    """At so many seconds of the world: alerts are posted, a silence is made, or the silence of that name is expired. Instants in
    `said` are seconds of the world, too."""

    at: float
    kind: str  # alerts | silence | expire
    said: list[Json]
    name: str = ""


@dataclass
class World:
    """name: value of the label that every alert of it has. offset: when it begins, in seconds. refuses: paths whose first so many
    notifications are answered 400."""

    name: str
    offset: float
    at_once: bool = False
    route: Json = field(default_factory=dict)
    receivers: list[Json] = field(default_factory=list)
    inhibit_rules: list[Json] = field(default_factory=list)
    intervals: list[Json] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    refuses: dict[str, int] = field(default_factory=dict)

    @property
    def ends(self) -> float:
        """Up to where its notifications count: no flush is near."""
        return LASTS // BEAT * BEAT - BEAT + SILENT * SLOT if self.at_once else LASTS


def config(worlds: list[World], url: str) -> Json:
    """The alertmanager.yml of all of them; their receivers post below `url`."""
    receivers = [
        {**one, "webhook_configs": [{**hook, "url": url + hook["url"]} for hook in one["webhook_configs"]]}
        for world in worlds for one in world.receivers
    ]  # fmt: skip
    intervals = [one for world in worlds for one in world.intervals]
    half = len(intervals) // 2
    return {
        "global": {"resolve_timeout": RESOLVE_TIMEOUT},
        "route": {"receiver": "nobody", "routes": [world.route for world in worlds]},
        "inhibit_rules": [rule for world in worlds for rule in world.inhibit_rules],
        "time_intervals": intervals[:half],
        "mute_time_intervals": intervals[half:],  # the older name for the same
        "receivers": [{"name": "nobody"}, *receivers],
    }


def make_world(seed: str, name: str, offset: float) -> World:
    """The world of this seed and name; always the same, but for time intervals that would change within the next minutes."""
    return _Maker(random.Random(f"{seed}/{name}"), World(name, offset)).make()


class _Maker:
    def __init__(self, rng: random.Random, world: World) -> None:
        self.rng, self.world = rng, world
        self.at_once = world.at_once = rng.random() < 0.25

    def make(self) -> World:
        rng, world = self.rng, self.world
        world.intervals = [self._interval(f"{world.name} i{n}") for n in range(rng.randint(0, 3))]
        world.receivers = [self._receiver(n) for n in range(rng.randint(1, 4))]
        if rng.random() < 0.2:
            world.receivers.append({"name": f"{world.name} hears nothing", "webhook_configs": []})
        world.route = self._route(0, [("world", "=", world.name)])
        world.inhibit_rules = [self._inhibition() for _ in range(rng.choice((0, 1, 1, 2, 3)))]
        self._happen()
        return world

    def _some(self, of: list[str], share: float) -> list[str]:
        return [one for one in of if self.rng.random() < share]

    # -- configuration -------------------------------------------------------------------------------------------------

    def _receiver(self, number: int) -> Json:
        rng, hooks = self.rng, list[Json]()
        for n in range(rng.choice((1, 1, 2))):
            path = f"/{self.world.name}/{number}/{n}"
            hook: Json = {"url": path, "send_resolved": rng.random() < 0.7}
            if rng.random() < 0.6:
                hook["max_alerts"] = rng.choice((0, 1, 1, 1, 2))
            if rng.random() < 0.15:
                self.world.refuses[path] = rng.randint(1, 2)
            hooks.append(hook)
        return {"name": f"{self.world.name}.r+{number}", "webhook_configs": hooks}

    def _matcher(self) -> Matcher:
        rng = self.rng
        name = rng.choice([*VALUES, "nothing"])
        op = rng.choice(("=", "=", "=", "!=", "=~", "!~"))
        value = rng.choice(PATTERNS) if "~" in op else rng.choice((*VALUES.get(name, ()), ""))
        return name, op, value

    def _matching(self, key: str, matchers: list[Matcher]) -> Json:
        """Matchers in one of the ways to write them."""
        found, written = dict[str, Any](), list[str]()
        for name, op, value in matchers:
            old = {"=": f"{key}match", "=~": f"{key}match_re"}.get(op)
            if old and self.rng.random() < 0.25 and name not in found.get(old, {}):
                found.setdefault(old, {})[name] = value
            else:
                written.append(f"{name}{op}{_quoted(value)}")
        if len(written) > 1 and self.rng.random() < 0.3:
            written = ["{" + ", ".join(written) + "}"]
        if written:
            found[f"{key}matchers"] = written
        return found

    def _route(self, depth: int, matchers: list[Matcher]) -> Json:
        rng, root = self.rng, depth == 0
        node = self._matching("", matchers)
        if root or rng.random() < 0.8:
            node["receiver"] = rng.choice(self.world.receivers)["name"]
        if not root and rng.random() < 0.4:
            node["continue"] = True
        if root or rng.random() < 0.5:
            node["group_by"] = rng.choice(
                (["..."], [], ["severity"], ["team", "host"], ["zone"], ["world", "nothing"], ["severity", "zone", "job"])
            )
        node |= self._times(root)
        names = [one["name"] for one in self.world.intervals]
        if not root or rng.random() < 0.3:  # muted as a whole, a world tells little
            for key in ("mute_time_intervals", "active_time_intervals"):
                if chosen := self._some(names, 0.2):
                    node[key] = chosen
        if depth < 3:
            known: set[frozenset[Matcher]] = set()
            for _ in range(rng.choice((2, 3, 4)) if root else rng.choice((0, 0, 1, 2))):
                below = [self._matcher() for _ in range(rng.choice((0, 1, 1, 1, 2)))]
                if frozenset(below) not in known:  # two that are the same share their books: who of them tells is chance
                    known.add(frozenset(below))
                    node.setdefault("routes", []).append(self._route(depth + 1, sorted(set(below))))
        return node

    def _times(self, root: bool) -> Json:
        rng = self.rng
        if self.at_once:
            every: Json = {"group_wait": rng.choice(("0s", "4s200ms")), "group_interval": f"{BEAT:.0f}s"}
            repeats: tuple[str, ...] = ("2s", "6s", "1h")
        else:
            every = {
                "group_wait": rng.choice(("500ms", "1s500ms", "2s500ms")),
                "group_interval": rng.choice(("1s", "2s", "3s", "4s")),
            }
            repeats = ("1s500ms", "2s500ms", "4s500ms", "6s500ms", "1h")
        every["repeat_interval"] = rng.choice(repeats)
        return every if root else {key: value for key, value in every.items() if rng.random() < 0.3}

    def _inhibition(self) -> Json:
        here: Matcher = ("world", "=", self.world.name)
        rule: Json = {}
        for key in ("source_", "target_"):
            rule |= self._matching(key, [here, *(self._matcher() for _ in range(self.rng.choice((1, 1, 2))))])
        if self.rng.random() < 0.7:
            rule["equal"] = self._some(["team", "host", "zone", "job", "nothing"], 0.4)
        return rule

    def _interval(self, name: str) -> Json:
        return {"name": name, "time_intervals": [self._span() for _ in range(self.rng.choice((0, 1, 1, 2)))]}

    def _span(self) -> Json:
        """Some of the fields of a time interval, none of which changes its mind within the next minutes."""
        rng, span, now = self.rng, dict[str, Any](), datetime.now(UTC)
        zone = rng.choice([zone for zone in ZONES if 5 < _minute_of_day(now, zone) < 24 * 60 - 5])
        if rng.random() < 0.7:
            span["location"] = zone
        minute = _minute_of_day(now, span.get("location", "UTC"))
        if rng.random() < 0.5:
            edges = sorted(rng.sample([m for m in range(0, 24 * 60 + 1, 5) if abs(m - minute) > 5], 2))
            start, end = (f"{m // 60:02}:{m % 60:02}" for m in edges)
            span["times"] = [{"start_time": start, "end_time": end}]
        if rng.random() < 0.4:
            span["weekdays"] = [self._range(DAYS) for _ in range(rng.randint(1, 2))]
        if rng.random() < 0.4:
            span["days_of_month"] = [rng.choice(("1:10", "-10:-1", "-31:-1", "15:-1", "20:25", "-12:-5", "22", "-9", "29:31"))]
        if rng.random() < 0.3:
            span["months"] = [self._range(MONTHS) for _ in range(rng.randint(1, 2))]
        if rng.random() < 0.2:
            span["years"] = [rng.choice(("2020:2199", "2020", "2021:2022"))]
        return span

    def _range(self, of: tuple[str, ...]) -> str:
        first = self.rng.randrange(len(of))
        last = self.rng.randrange(first, len(of))
        return of[first] if first == last else f"{of[first]}:{of[last]}"

    # -- what happens --------------------------------------------------------------------------------------------------

    def _happen(self) -> None:
        rng, world = self.rng, self.world
        if self.at_once:
            moments = sorted(BEAT * rng.randrange(3) + SLOT * slot for slot in range(8))
        else:
            moments = [float(second) for second in range(15) if second == 0 or rng.random() < 0.75]
        alerts, silences = _Alerts(rng, world.name, self.at_once), list[str]()
        for at in moments:
            kind = rng.random()
            if kind < 0.16:
                silences.append(f"{world.name}/{len(silences)}")
                world.happenings.append(Happening(at, "silence", [self._silence(at)], silences[-1]))
            elif kind < 0.22 and silences:
                world.happenings.append(Happening(at, "expire", [], rng.choice(silences)))
            else:
                world.happenings.append(Happening(at, "alerts", alerts.batch(at)))

    def _silence(self, at: float) -> Json:
        rng = self.rng
        starts = at if self.at_once or rng.random() < 0.6 else at + rng.randint(1, 4)
        ends = _silent_moment(rng, starts) if self.at_once else starts + rng.choice((1, 3, 5, 60))
        fits = [("world", "=", self.world.name), *(self._matcher() for _ in range(rng.choice((1, 1, 2))))]
        matchers = [
            {"name": name, "value": value, "isRegex": "~" in op, "isEqual": not op.startswith("!")} for name, op, value in fits
        ]
        return {"matchers": matchers, "startsAt": starts, "endsAt": ends, "createdBy": "ana", "comment": "known"}


class _Alerts:
    """A few alerts of a world, as their senders report them again and again."""

    def __init__(self, rng: random.Random, world: str, at_once: bool) -> None:
        self.rng, self.at_once = rng, at_once
        self._known = [self._labels(world) for _ in range(rng.randint(2, 6))]
        self._since: dict[int, float] = {}  # when each was first told of, in its present life

    def _labels(self, world: str) -> Labels:
        found = {name: self.rng.choice(values) for name, values in VALUES.items() if self.rng.random() < 0.6}
        return {"alertname": self.rng.choice(("Disk", "Web")), "world": world, **found}

    def batch(self, at: float) -> list[Json]:
        count = 1 if self.at_once else self.rng.choice((1, 1, 2, 3, 4))
        numbers = self.rng.sample(range(len(self._known)), min(count, len(self._known)))
        said = [self._alert(number, at) for number in numbers]
        if self.rng.random() < 0.15:
            bad: Json = self.rng.choice((
                {"labels": {}}, {"labels": {"": "x", **self._known[0]}}, {"labels": {"empty": ""}},
                {"labels": dict(self._known[0]), "startsAt": at + 9, "endsAt": at + 8},
            ))  # fmt: skip
            said.insert(self.rng.randrange(len(said) + 1), bad)
        return said

    def _alert(self, number: int, at: float) -> Json:
        rng = self.rng
        said: Json = {"labels": dict(self._known[number])}
        if rng.random() < 0.1:
            said["labels"]["empty"] = ""
        if rng.random() < 0.7:
            note = rng.choice(("", "same", str(number)))
            said["annotations"] = {"summary": rng.choice(("full", "slow", "ü <b>")), "note": note}
        if rng.random() < 0.3:
            said["generatorURL"] = f"http://prometheus.example.org/graph?g0={number}"
        since = self._since.get(number)
        if since is None and rng.random() < 0.1:
            return said | {"endsAt": at}  # over, though nobody heard of it
        self._since.setdefault(number, at)
        return said | (self._times_at_once(since, at) if self.at_once else self._times(number, since, at))

    def _times_at_once(self, since: float | None, at: float) -> Json:
        if since is None:
            return {"startsAt": at - self.rng.choice((0, 60)), "endsAt": _silent_moment(self.rng, at)}
        return {"startsAt": since, "endsAt": at if self.rng.random() < 0.4 else _silent_moment(self.rng, at)}

    def _times(self, number: int, since: float | None, at: float) -> Json:
        rng = self.rng
        ahead = rng.choice((0, 0, 3, 4, 600))
        end: Json = {"endsAt": at + ahead} if ahead else {}
        if since is None:
            return rng.choice(({}, {"startsAt": at}, {"startsAt": at}, {"startsAt": at + 1})) | end
        how = rng.random()
        if how < 0.35:
            del self._since[number]
            ended = at - 0.5 if at > since + 1 and rng.random() < 0.3 else at
            return rng.choice(({"startsAt": since}, {})) | {"endsAt": ended}
        if how < 0.45 and at - since >= 3:  # no group of it waits for its first flush any more: an old start changes nothing
            return {"startsAt": since - rng.choice((1, 100))} | end
        return rng.choice(({"startsAt": since}, {"startsAt": since}, {})) | end


def _silent_moment(rng: random.Random, after: float) -> float:
    """A moment later at which nothing happens in a world that flushes at once."""
    return (after // BEAT + rng.choice((1, 2, 100))) * BEAT + SILENT * SLOT


def _minute_of_day(now: datetime, zone: str) -> int:
    there = now.astimezone(ZoneInfo(zone))
    return there.hour * 60 + there.minute


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def instants(said: Json, begins: datetime) -> Json:
    """What is said, with its seconds turned into instants."""
    return {
        key: (begins + timedelta(seconds=value)).isoformat().replace("+00:00", "Z") if key in ("startsAt", "endsAt") else value
        for key, value in said.items()
    }
