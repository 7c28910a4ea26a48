"""The web application over a real database and ops directory, without a socket: for tests of pages and API."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from quietshift.app.wire import App

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
ADMIN_TOKEN = "admin-token-of-the-tests"
ORIGIN = {"Origin": "http://testserver"}
EXAMPLE = Path(__file__).parents[2] / "src/quietshift/app/example"


class Site:
    """An open Quietshift at NOW with the example's people, and browsers and programs that visit it."""

    def __init__(self, app: "App", stack: ExitStack) -> None:
        from quietshift.app.http_app import build

        self.app, self.web, self._stack = app, build(app), stack

    @property
    def now(self) -> datetime:
        return self.app.clock.now()

    def browser(self, **options: Any) -> "TestClient":
        """Somebody who is not signed in; redirects are not followed, for where they lead is what is tested."""
        from starlette.testclient import TestClient

        options.setdefault("follow_redirects", False)
        client = TestClient(self.web, raise_server_exceptions=False, client=("192.0.2.7", 5000), **options)
        client.headers.update({"Accept": "text/html", **ORIGIN})
        return client

    def signed_in(self, name: str = "ana", role: str = "responder", **options: Any) -> "TestClient":
        """A browser with a session of this account, which is made if there is none."""
        from quietshift.app.api.security import COOKIE
        from quietshift.kernel import access, auth, auth_store

        with self.app.db.write() as tx:
            known = auth_store.account(tx, name)
            if known is None:
                auth_store.put_account(tx, name, role, "!", self.now)
            elif known.role != role:
                access.change_role(tx, name, role, "system", self.now)
            cookie = auth.new_secret()
            auth.open_session(tx, name, cookie, self.now)
        client = self.browser(**options)
        client.cookies.set(COOKIE, cookie)
        return client

    def program(self, *scopes: str) -> "TestClient":
        """A program with a token of these scopes; without any, with the admin token of the settings."""
        from starlette.testclient import TestClient

        from quietshift.kernel import access

        token = ADMIN_TOKEN
        if scopes:
            with self.app.db.write() as tx:
                _, token = access.create_token(tx, f"t-{'-'.join(scopes)}", scopes, None, "system", self.now)
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return TestClient(self.web, raise_server_exceptions=False, headers=headers)

    def alert(
        self, name: str = "CheckoutFailing", *, service: str = "checkout", receiver: str = "payments", **labels: str
    ) -> str:
        """A group of one alert comes to the incident desk; gives the incident it opened, as INC-1001."""
        from quietshift.incidents import store, usecases
        from quietshift.kernel.timers import Timer

        all_labels = {"alertname": name, "service": service, "severity": "critical", **labels}
        one = {
            "fingerprint": f"{abs(hash(tuple(sorted(all_labels.items())))):016x}"[:16], "status": "firing", "labels": all_labels,
            "annotations": {"summary": f"{name}: customers cannot pay"}, "starts_at": "2026-11-21T02:59:00Z", "ends_at": None,
            "generatorURL": "http://prometheus.example.org/graph",
        }  # fmt: skip
        key = f"{{}}:{{alertname=\"{name}\", service=\"{service}\"}}"
        snapshot = {
            "group": 1, "group_key": key, "receiver": receiver, "escalation_policy": receiver, "status": "firing",
            "reason": "first notification", "group_labels": {"alertname": name}, "common_labels": all_labels, "alerts": [one],
        }  # fmt: skip
        with self.app.db.write() as tx:
            timer = Timer("x", "incidents.group", f"{receiver}:{key}", self.now, snapshot)
            usecases.on_group(tx, timer, self.now, ops=self.app.ops.current, settings=self.app.settings)
            return store.find(tx, limit=1)[0].ref

    def journaled(self) -> list[str]:
        from quietshift.kernel import journal

        with self.app.db.read() as tx:
            return [entry.act for entry in journal.entries(tx)]


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords cost next to nothing in this test."""
    from quietshift.kernel import auth

    for name, cost in {"time_cost": 1, "memory_cost": 8, "parallelism": 1}.items():
        monkeypatch.setitem(auth.HASH_COST, name, cost)


@pytest.fixture
def make_site(tmp_path: Path, cheap_hashes: None) -> Iterator[Callable[..., Site]]:
    """`make_site(db="", **settings)` opens a Quietshift on the example ops directory; time stands at NOW."""
    with ExitStack() as stack:

        def make(db: str = "", ops: Path = EXAMPLE, **settings: str) -> Site:
            from quietshift.app.parts import loader
            from quietshift.app.wire import open_app
            from quietshift.kernel.clock import ManualClock
            from quietshift.kernel.ops import OpsHolder
            from quietshift.kernel.settings import load_settings

            given = {"ops": str(ops), "db": db or f"sqlite:///{tmp_path}/web.db", "secret_key": "k" * 32}
            chosen = load_settings(given | {"admin_token": ADMIN_TOKEN} | settings, {})
            app = open_app(chosen, OpsHolder(loader(ops)), ManualClock(NOW))
            stack.callback(app.db.close)
            return Site(app, stack)

        yield make


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A Quietshift on SQLite."""
    return make_site()
