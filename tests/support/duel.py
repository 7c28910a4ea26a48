"""Debian's Alertmanager and ours live through the same worlds at the same time; what each notified is compared."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.support.candidate import QUIETSHIFT, Candidate
from tests.support.talk import ask
from tests.support.webhook import Post, WebhookServer
from tests.support.worlds import Happening, Json, World, config, instants

TOLERANCE = 0.45  # seconds: the next flush is a second off, what happens half a second
AFTER = 1.5  # seconds that one may be late with what belongs to the worlds
NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True)
class Told:
    """A notification: seconds after the worlds began, the answer it got, its body without what is not compared."""

    at: float
    answered: int
    body: Json


Stream = tuple[str, str]  # path (world, receiver, integration), group key


@dataclass
class Lived:
    """What one server did: the status of each request, and the notifications in their order."""

    answers: dict[str, list[tuple[float, str, int]]] = field(default_factory=lambda: defaultdict(list))
    told: dict[Stream, list[Told]] = field(default_factory=lambda: defaultdict(list))
    latest: float = 0.0  # seconds that a request came too late, at the worst


class _Peer:
    def __init__(self, folder: Path, worlds: list[World], command: tuple[Path | str, ...], server: WebhookServer) -> None:
        folder.mkdir(parents=True)
        text = yaml.safe_dump(config(worlds, server.url("")), allow_unicode=True, sort_keys=False)
        self.server, self.lived = server, Lived()
        self.process = Candidate(folder, text, command=command, wait=False)
        self.ids: dict[str, str] = {}

    def do(self, world: World, what: Happening, begins: datetime) -> None:
        due = begins + timedelta(seconds=what.at)
        api = f"{self.process.url}/api/v2"
        said = [instants(one, begins) for one in what.said]
        if what.kind == "alerts":
            status = ask(f"{api}/alerts", "POST", json_body=said).status
        elif what.kind == "silence":
            answer = ask(f"{api}/silences", "POST", json_body=said[0])
            status = answer.status
            if status == 200:
                self.ids[what.name] = answer.json["silenceID"]
        else:
            status = ask(f"{api}/silence/{self.ids.get(what.name, 'unknown')}", "DELETE").status
        self.lived.latest = max(self.lived.latest, (datetime.now(UTC) - due).total_seconds())
        self.lived.answers[world.name].append((what.at, what.kind, status))

    def take(self, posts: list[Post], worlds: Mapping[str, World], began: datetime) -> None:
        for post in posts:
            world = worlds[post.path.split("/")[1]]
            begins = began + timedelta(seconds=world.offset)
            at = (post.received_at - begins).total_seconds()
            if at > world.ends:
                continue
            body = post.json
            del body["externalURL"]
            for alert in body["alerts"]:
                for key in ("startsAt", "endsAt"):
                    alert[key] = None if alert[key] == NEVER else _seconds(alert[key], begins)
            self.lived.told[post.path, body["groupKey"]].append(Told(at, post.answered, body))


class _Strict:
    """Refuses the first notifications of each group, where the world says so: which group comes first is chance."""

    def __init__(self, worlds: list[World]) -> None:
        self._refuses = {path: count for world in worlds for path, count in world.refuses.items()}
        self._seen: Counter[tuple[str, str]] = Counter()

    def __call__(self, path: str, body: bytes) -> int:
        if path not in self._refuses:
            return 200
        stream = path, json.loads(body)["groupKey"]
        self._seen[stream] += 1
        return 400 if self._seen[stream] <= self._refuses[path] else 200


def _seconds(text: str, since: datetime) -> float:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    instant = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    return (instant - since).total_seconds() + float(f"0.{fraction or 0}")


def live(folder: Path, worlds: list[World], alertmanager: Path) -> tuple[Lived, Lived]:
    """Both live through these worlds. Theirs is started last: 30 s after its start it tidies up, which is not compared."""
    by_name = {world.name: world for world in worlds}
    with ExitStack() as stack:
        peers = []
        for name, command in (("ours", QUIETSHIFT), ("theirs", (alertmanager,))):
            server = WebhookServer(_Strict(worlds))
            stack.callback(server.close)
            peer = _Peer(folder / name, worlds, command, server)
            stack.callback(peer.process.end, signal.SIGKILL)
            peer.process.wait()
            peers.append(peer)
        began = datetime.now(UTC) + timedelta(seconds=0.5)
        plan = sorted(
            ((world.offset + what.at, world, what) for world in worlds for what in world.happenings), key=lambda one: one[0]
        )
        pools = [stack.enter_context(ThreadPoolExecutor(6)) for _ in peers]
        under_way = []
        for due, world, what in plan:
            _sleep_until(began, due)
            begins = began + timedelta(seconds=world.offset)
            under_way += [pool.submit(peer.do, world, what, begins) for peer, pool in zip(peers, pools, strict=True)]
        for one in under_way:
            one.result()
        _sleep_until(began, max(world.offset + world.ends for world in worlds) + AFTER)
        for peer in peers:
            peer.take(peer.server.posts(), by_name, began)
        ours, theirs = (peer.lived for peer in peers)
        return theirs, ours


def _sleep_until(began: datetime, seconds: float) -> None:
    """Two servers live in real time."""
    left = (began - datetime.now(UTC)).total_seconds() + seconds
    if left > 0:
        time.sleep(left)


# -- comparing ---------------------------------------------------------------------------------------------------------


def differences(world: World, theirs: Lived, ours: Lived) -> list[str]:
    """In what the two differ about a world, in words; empty if they do not."""
    found = []
    if theirs.answers[world.name] != ours.answers[world.name]:
        pairs = zip(sorted(theirs.answers[world.name]), sorted(ours.answers[world.name]), strict=False)
        found += [f"answered: theirs {one}, ours {other}" for one, other in pairs if one != other]
    streams = {stream for lived in (theirs, ours) for stream in lived.told if stream[0].split("/")[1] == world.name}
    for stream in sorted(streams):
        found += [f"{' '.join(stream)}: {words}" for words in _of_stream(theirs.told[stream], ours.told[stream])]
    return found


def _of_stream(theirs: list[Told], ours: list[Told]) -> Iterator[str]:
    """The first difference between two sequences of notifications."""
    for n in range(max(len(theirs), len(ours))):
        one, other = (told[n] if n < len(told) else None for told in (theirs, ours))
        if one is None or other is None or abs(one.at - other.at) > TOLERANCE:
            yield f"notification {n}:\n    theirs {summary(one)}\n    ours   {summary(other)}"
            return
        wrong = list(_unlike(one.body, other.body, "")) + (["its answer"] if one.answered != other.answered else [])
        if wrong:
            yield f"notification {n} differs in {'; '.join(wrong)}:\n    theirs {summary(one)}\n    ours   {summary(other)}"
            return


def _unlike(one: Any, other: Any, where: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from _unlike(one.get(key, "(nothing)"), other.get(key, "(nothing)"), f"{where}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for n, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from _unlike(first, second, f"{where}[{n}]")
    elif isinstance(one, float) and isinstance(other, float):
        if abs(one - other) > TOLERANCE:
            yield f"{where} ({one:.2f}, {other:.2f})"
    elif one != other:
        yield f"{where} ({one!r}, {other!r})"


def summary(told: Told | None) -> str:
    if told is None:
        return "nothing"
    alerts = ", ".join(f"{alert['status']} {alert['fingerprint']}" for alert in told.body["alerts"])
    return f"at {told.at:.2f} {told.body['status']} ({alerts}) answered {told.answered}"


def story(world: World) -> str:
    """The world, to be read by whoever looks for the cause."""
    lines = [yaml.safe_dump(config([world], "http://127.0.0.1"), allow_unicode=True, sort_keys=False)]
    lines += [f"{what.at:6.2f} {what.kind} {what.name} {json.dumps(what.said, ensure_ascii=False)}" for what in world.happenings]
    return "\n".join(lines)
