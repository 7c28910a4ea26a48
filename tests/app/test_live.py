"""Live updates: which topics changed, to whom, for how long."""

import asyncio
from datetime import timedelta

import pytest

from quietshift.app.api.security import COOKIE
from quietshift.app.web import live
from quietshift.kernel.live import Committed
from tests.support.web import Site


class Stream:
    """An open request for /events, driven as a server does: what has been sent, and how the reader goes away."""

    def __init__(self, site: Site, cookie: str, query: str) -> None:
        self.gone = asyncio.Event()
        self.sent: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/events",
            "raw_path": b"/events", "root_path": "", "scheme": "http", "query_string": query.encode(),
            "headers": [(b"cookie", f"{COOKIE}={cookie}".encode()), (b"host", b"testserver")], "client": ("192.0.2.7", 1),
            "server": ("testserver", 80),
        }  # fmt: skip
        self.task = asyncio.create_task(site.web(scope, self._receive, self.sent.put))  # type: ignore[arg-type]

    async def _receive(self) -> dict[str, object]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def text(self) -> str:
        """The next part of the body."""
        message = await asyncio.wait_for(self.sent.get(), 5)
        body = message.get("body", b"")
        assert isinstance(body, bytes)
        return body.decode()

    async def status(self) -> int:
        message = await asyncio.wait_for(self.sent.get(), 5)
        assert message["type"] == "http.response.start"
        status = message["status"]
        assert isinstance(status, int)
        return status


def cookie_of(site: Site, name: str = "ana") -> str:
    cookie = site.signed_in(name).cookies[COOKIE]
    assert cookie is not None
    return cookie


def test_a_page_hears_of_its_own_topics_alone(site: Site) -> None:
    async def story() -> None:
        stream = Stream(site, cookie_of(site), "topic=incidents&topic=incident:1042")
        assert await stream.status() == 200
        assert "retry" in await stream.text()
        await asyncio.to_thread(lambda: site.app.db.live.publish(Committed(frozenset({"journal"}), None)))
        await asyncio.to_thread(lambda: site.app.db.live.publish(Committed(frozenset({"incident:1042", "x"}), None)))
        assert await stream.text() == "event: changed\ndata: incident:1042\n\n"
        await asyncio.to_thread(site.alert)
        assert await stream.text() == "event: changed\ndata: incidents\n\n"
        stream.gone.set()
        await asyncio.wait_for(stream.task, 5)

    asyncio.run(story())


def test_a_stream_ends_with_the_server(site: Site) -> None:
    async def story() -> None:
        stream = Stream(site, cookie_of(site), "topic=incidents")
        assert await stream.status() == 200
        await stream.text()
        site.web.state.streams.close()
        await asyncio.wait_for(stream.task, 5)

    asyncio.run(story())


def test_silence_is_broken_by_a_heartbeat_and_ends_with_the_session(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.01)

    async def story() -> None:
        stream = Stream(site, cookie_of(site), "topic=incidents")
        assert await stream.status() == 200
        await stream.text()
        assert await stream.text() == ": still here\n\n"
        site.app.clock.advance(timedelta(days=60))  # type: ignore[attr-defined]  # a ManualClock
        await asyncio.wait_for(stream.task, 5)

    asyncio.run(story())


def test_one_person_has_so_many_streams_and_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_STREAMS", 2)

    async def story() -> None:
        cookie, other = cookie_of(site), cookie_of(site, "bo")
        streams = [Stream(site, cookie, "topic=incidents") for _ in range(2)]
        for stream in streams:
            assert await stream.status() == 200
            await stream.text()
        assert await Stream(site, cookie, "topic=incidents").status() == 429
        assert await Stream(site, other, "topic=incidents").status() == 200
        streams[0].gone.set()
        await asyncio.wait_for(streams[0].task, 5)
        assert await Stream(site, cookie, "topic=incidents").status() == 200
        site.web.state.streams.close()

    asyncio.run(story())


@pytest.mark.parametrize("query", ["", "topic=", "topic=*", "topic=a%0Ab", "&".join(f"topic={n}" for n in range(21))])
def test_topics_have_to_be_some(site: Site, query: str) -> None:
    assert site.signed_in().get(f"/events?{query}").status_code == 400


def test_strangers_hear_nothing(site: Site) -> None:
    assert site.browser().get("/events?topic=incidents").status_code == 303


