"""Alerts, pages and acknowledgements without a pause, while the server is killed and started: two senders that repeat what
was not answered 200, people who acknowledge or do not, and an exact account of what came of it, kept at the outside."""

import http.client
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from tests.support.mail import MailServer
from tests.support.server import Server
from tests.support.talk import ask, rfc3339
from tests.support.webhook import Post, WebhookServer

Plan = Literal["acknowledge", "ignore", "end"]  # what becomes of an alert once the first person was paged
REPLICAS = 2  # a pair of Prometheus: both send every alert, at the same time
LEASE = timedelta(minutes=10)
LATE = 3.0  # seconds after the answer to an acknowledgement in which a page that was under way may still arrive


@dataclass
class Story:
    """One alert, from the outside."""

    name: str
    plan: Plan
    starts_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime | None = None
    firing_told: int = 0  # replicas whose report that it fires was answered 200
    end_told: int = 0
    acknowledged_at: datetime | None = None  # when the 200 to the acknowledgement had come

    def wire(self) -> list[dict[str, Any]]:
        ends_at = self.ended_at or datetime.now(UTC) + LEASE
        return [
            {
                "labels": {"alertname": self.name, "service": "gitaly", "severity": "critical"},
                "annotations": {"summary": f"{self.name} fires"},
                "startsAt": rfc3339(self.starts_at), "endsAt": rfc3339(ends_at),
            }
        ]  # fmt: skip


class Traffic:
    """Runs until `finish`. Pages of ana and bo come to `phone` (/ana, /bo), the second rung of ana by mail."""

    def __init__(self, server: Server, phone: WebhookServer, mail: MailServer, chance: random.Random) -> None:
        self._server, self._phone, self._mail, self._chance = server, phone, mail, chance
        self._lock = threading.Condition()
        self._stories: dict[str, Story] = {}
        self._sending, self._paused = 0, False
        self._producing, self._stop = True, threading.Event()
        self.failures: list[BaseException] = []
        loops = [self._produce, self._people, *(self._replica for _ in range(REPLICAS))]
        self._threads = [threading.Thread(target=self._guarded, args=(loop,), daemon=True) for loop in loops]
        for thread in self._threads:
            thread.start()

    # -- from outside ------------------------------------------------------------------------------------------------------

    @property
    def stories(self) -> list[Story]:
        with self._lock:
            return list(self._stories.values())

    def pause(self) -> None:
        """No alert is sent from here on; returns when none is under way."""
        with self._lock:
            self._paused = True
            self._lock.wait_for(lambda: self._sending == 0, 30)

    def resume(self) -> None:
        with self._lock:
            self._paused = False
            self._lock.notify_all()

    def must_be_stored(self) -> set[str]:
        """The alerts that fire and were answered 200 at least once."""
        with self._lock:
            return {s.name for s in self._stories.values() if s.firing_told and s.ended_at is None}

    def ended(self) -> set[str]:
        with self._lock:
            return {s.name for s in self._stories.values() if s.ended_at is not None}

    def finish(self, within: float) -> None:
        """No new alerts; wait until each was told, paged, answered as planned, and ended. AssertionError says what is left."""
        self._producing = False
        deadline = time.monotonic() + within
        while left := [s for s in self.stories if s.end_told < REPLICAS]:
            if time.monotonic() > deadline or self.failures:
                break
            time.sleep(0.05)  # waits for another process
        self._stop.set()
        self.resume()
        for thread in self._threads:
            thread.join(30)
        if self.failures:
            raise self.failures[0]
        assert not left, f"{len(left)} did not come to their end in {within} s: {left[:5]}"

    # -- the account, as the receivers saw it ------------------------------------------------------------------------------

    def duplicates(self) -> dict[str, int]:
        """How often more than once each page came to each rung of its person, where it did."""
        seen = Counter(f"{post.path} {post.json['page_id']}" for post in self._phone.posts())
        seen.update(f"mail {mail.message['Message-ID']}" for mail in self._mail.mails())
        return {key: count - 1 for key, count in seen.items() if count > 1}

    def pages(self, user: str) -> dict[str, set[str]]:
        """By alert: the ids of the pages that this person got by webhook."""
        found: dict[str, set[str]] = {}
        for post in self._phone.posts(f"/{user}"):
            found.setdefault(post.json["incident"]["alertname"], set()).add(post.json["page_id"])
        return found

    def mailed(self) -> set[str]:
        """The alerts of which the mail rung was heard."""
        return {mail.subject.removesuffix(" fires").rpartition(" ")[2] for mail in self._mail.mails()}

    def pages_after_acknowledgement(self) -> list[tuple[str, str]]:
        """Which alert, and whose phone rang although somebody had it for longer than LATE."""
        acknowledged = {s.name: s.acknowledged_at for s in self.stories if s.acknowledged_at is not None}
        late: list[tuple[str, str]] = []
        for post in self._phone.posts():
            name = post.json["incident"]["alertname"]
            if name in acknowledged and (post.received_at - acknowledged[name]).total_seconds() > LATE:
                late.append((name, post.path))
        return late

    # -- threads -----------------------------------------------------------------------------------------------------------

    def _guarded(self, loop: Any) -> None:
        try:
            loop()
        except BaseException as error:
            self.failures.append(error)

    def _produce(self) -> None:
        for number in range(1, 100_000):
            if not self._producing or self._stop.wait(self._chance.uniform(0.2, 0.8)):
                return
            plan: Plan = self._chance.choices(("acknowledge", "ignore", "end"), (4, 4, 2))[0]
            with self._lock:
                self._stories[f"Story{number}"] = Story(f"Story{number}", plan)

    def _replica(self) -> None:
        told: set[tuple[str, bool]] = set()
        while not self._stop.wait(0.02):
            for story in self.stories:
                over = story.ended_at is not None
                if (story.name, over) not in told and self._told(story, over):
                    told.add((story.name, over))

    def _told(self, story: Story, over: bool) -> bool:
        with self._lock:
            self._lock.wait_for(lambda: not self._paused or self._stop.is_set())
            if self._stop.is_set():
                return False
            self._sending += 1
        status = self._post(f"{self._server.url}/api/v2/alerts", story.wire())
        with self._lock:
            self._sending -= 1
            if status == 200:
                story.end_told += over
                story.firing_told += not over
            self._lock.notify_all()
        assert status in (None, 200, 503), f"{story.name}: {status}"
        return status == 200

    @staticmethod
    def _post(url: str, body: Any) -> int | None:
        try:
            return ask(url, "POST", json_body=body, timeout=15).status
        except (OSError, http.client.HTTPException):
            return None

    def _people(self) -> None:
        """Acknowledge, or not, as planned; once the plan was carried out, the alert ends."""
        while not self._stop.wait(0.02):
            by_ana = {post.json["incident"]["alertname"]: post for post in self._phone.posts("/ana")}
            by_bo, mailed = self.pages("bo"), self.mailed()
            for story in self.stories:
                if story.ended_at is not None or story.name not in by_ana or story.firing_told < REPLICAS:
                    continue
                if story.plan == "acknowledge" and not self._acknowledged(story, by_ana[story.name]):
                    continue
                if story.plan == "ignore" and not (story.name in by_bo and story.name in mailed):
                    continue
                with self._lock:
                    story.ended_at = datetime.now(UTC)

    def _acknowledged(self, story: Story, post: Post) -> bool:
        status = self._post(post.json["acknowledge_url"], {})
        if status == 200:
            story.acknowledged_at = datetime.now(UTC)
        assert status in (None, 200, 503), f"acknowledging {story.name}: {status}"
        return status == 200
