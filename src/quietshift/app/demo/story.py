"""The demo's story without a person: each hop is waited for, checked, and told with its time since the start.

All of it goes the way it would go in earnest: real orders fail, real HTTP and SMTP carry the alert, the pages and the
acknowledgement, and what is checked is what Quietshift's API answers.
"""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

from quietshift.app.demo import ops
from quietshift.app.demo.inbox import Call, Mail
from quietshift.app.demo.world import World
from quietshift.kernel.errors import QuietshiftError

LIMIT = 90.0  # seconds in which the whole story has to be over
LOOK = 0.1  # seconds between two looks at the API
_FORM = re.compile(r"<form\b[^>]*\baction=\"([^\"]*acknowledge[^\"]*)\"", re.I)
NOTE = "the gateway was switched off"


class Broken(Exception):
    """A hop did not come, or was not as it should be."""


class Teller:
    """Prints each hop with its time; waits for what has to come."""

    def __init__(self, say: Callable[[str], None], started: float) -> None:
        self._say, self._started = say, started

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def hop(self, title: str, detail: str) -> None:
        self._say(f"{self.elapsed:6.1f} s  {title:<20} {detail}")

    def wait(self, what: str, look: Callable[[], Any], within: float) -> Any:
        """The first truthy answer of `look`. Raises Broken after `within` seconds, or when the story's time is over."""
        deadline = min(time.monotonic() + within, self._started + LIMIT)
        while not (found := look()):
            if time.monotonic() > deadline:
                raise Broken(f"{what}: not within {within:.0f} s")
            time.sleep(LOOK)  # waits for other processes
        return found


def play(world: World, say: Callable[[str], None], started: float) -> bool:
    """Tell the story; whether it went as it should. `say` gets each line."""
    teller = Teller(say, started)
    try:
        _tell(world, teller)
    except (Broken, QuietshiftError, OSError, http.client.HTTPException) as error:
        teller.hop("FAILED", str(error))
        for line in world.quietshift.log().splitlines()[-20:]:
            say(f"           server | {line}")
        return False
    return True


def _tell(world: World, teller: Teller) -> None:
    teller.hop("ready", f"Quietshift at {world.quietshift.url}, watched by {world.watcher.name}")
    _healthy(world, teller)

    world.break_shop()
    teller.hop("shop breaks", "its payment gateway is switched off")
    _order(world, expected=502)
    alert = teller.wait("the symptom as an alert in Quietshift", lambda: _alert(world), 20)
    teller.hop("alert accepted", f"CheckoutFailing: {alert['annotations']['summary']}")
    incident = teller.wait("an incident", lambda: _incident(world), 10)
    _expect(incident["service"] == "checkout", f"the incident's service is {incident['service']}, not checkout")
    teller.hop("incident opened", f"{incident['id']}, owned by {incident['owner']}: {incident['title']}")

    call: Call = teller.wait(f"the page on {ops.FIRST}'s phone", lambda: _first(world.devices.calls(ops.FIRST)), 10)
    _expect(call.incident == incident["id"], f"the phone rang for {call.incident}")
    teller.hop("first page", f"{ops.FIRST}'s phone rings (webhook), and nobody answers")
    mail: Mail = teller.wait(
        f"the mail to {ops.SECOND}", lambda: _first(world.devices.mails(f"{ops.SECOND}@example.org")), ops.SECOND_AFTER + 10
    )
    waited = (mail.at - call.at).total_seconds()
    _expect(waited >= ops.SECOND_AFTER - 1, f"the second person was called after {waited:.1f} s, before the step was due")
    teller.hop("second page", f"mail to {mail.to}, {waited:.1f} s after the first: {mail.subject}")

    _acknowledge(world, teller, mail, incident["id"])
    _work_through(world, teller, incident["id"])

    world.mend_shop()
    teller.hop("shop mended", "its payment gateway answers again")
    _order(world, expected=200)
    teller.wait("the end of the alert", lambda: not _alert(world), 20)
    teller.hop("alert resolved", "the watcher says that it is over")
    ended = teller.wait("the end of the incident", lambda: _in_state(world, incident["id"], "resolved"), 20)
    teller.hop("incident resolved", f"{ended['id']}, {ended['resolved_at']}")
    _timeline(world, teller, incident["id"])
    _journal(world, teller)
    teller.hop("done", f"every hop came, in {teller.elapsed:.1f} s")


def _healthy(world: World, teller: Teller) -> None:
    def served() -> bool:
        text = _http("GET", f"{world.shop.url}/metrics")[1]
        found = re.search(r'^checkout_requests_total\{code="200"\} (\S+)$', text, re.M)
        return found is not None and float(found[1]) >= 20

    teller.wait("customers at the shop", served, 15)
    _order(world, expected=200)
    _expect(_alert(world) is None, "there is an alert before anything is broken")
    teller.hop("shop healthy", f"orders succeed at {world.shop.url}")


def _acknowledge(world: World, teller: Teller, mail: Mail, incident: str) -> None:
    """As from a mail: the link opens a page that changes nothing, its button acknowledges, nobody is signed in."""
    _expect(bool(mail.link), "the mail has no link to acknowledge")
    status, page = _http("GET", mail.link)
    _expect(status == 200, f"the acknowledge link answered {status}")
    form = _FORM.search(page)
    if form is None:
        raise Broken("the page behind the link has no button to acknowledge")
    unchanged = _in_state(world, incident, "triggered") is not None
    _expect(unchanged, "opening the link was enough to acknowledge, and mail scanners open links")
    status, _ = _http("POST", urljoin(mail.link, unescape(form[1])))
    _expect(status in (200, 303), f"the button answered {status}")
    taken = teller.wait("the acknowledgement", lambda: _in_state(world, incident, "acknowledged"), 5)
    _expect(ops.SECOND in str(taken.get("acknowledged_by")), f"acknowledged by {taken.get('acknowledged_by')}")
    teller.hop("acknowledged", f"by {ops.SECOND}, with the link in the mail; paging stops")


def _work_through(world: World, teller: Teller, incident: str) -> None:
    runbook = world.api.get(f"/api/v1/incidents/{incident}/runbook")
    _expect(runbook["runbook"] == "CheckoutFailing", f"the runbook shown is {runbook['runbook']}")
    teller.hop("runbook", f"{runbook['title']}, {len(runbook['steps'])} steps")
    step = {"runbook": "CheckoutFailing", "step": 1, "outcome": "done", "note": NOTE}
    world.api.post(f"/api/v1/incidents/{incident}/steps", step)
    after = world.api.get(f"/api/v1/incidents/{incident}/runbook")
    outcomes = [one["outcome"] for one in after["steps"]]
    _expect(outcomes == ["done", *[None] * (len(outcomes) - 1)], f"after ticking step 1 the steps are {outcomes}")
    teller.hop("runbook step", f"1 done: {after['steps'][0]['title']}")


# What the timeline has to tell, in this order: a word for the message, and how an entry is known.
def _kinds() -> list[tuple[str, Callable[[dict[str, Any]], bool]]]:
    def attempt(user: str) -> Callable[[dict[str, Any]], bool]:
        return lambda e: e["kind"] == "attempt" and e["data"]["user"] == user and e["data"]["outcome"] == "accepted"

    return [
        ("the alert", lambda e: "CheckoutFailing" in e["text"]),
        (f"the page that {ops.FIRST} got", attempt(ops.FIRST)),
        (f"the page that {ops.SECOND} got", attempt(ops.SECOND)),
        ("the acknowledgement", lambda e: e["kind"] == "acknowledged" and ops.SECOND in e["actor"]),
        ("the runbook step", lambda e: e["kind"] == "step" and e["data"]["outcome"] == "done" and e["data"]["note"] == NOTE),
        ("the end", lambda e: e["kind"] == "resolved"),
    ]


def _timeline(world: World, teller: Teller, incident: str) -> None:
    found = world.api.get(f"/api/v1/incidents/{incident}")
    entries = found["timeline"]
    times = [entry["at"] for entry in entries]
    _expect(times == sorted(times), "the timeline is not in order")
    at = 0
    for what, is_it in _kinds():
        place = next((n for n in range(at, len(entries)) if is_it(entries[n])), None)
        if place is None:
            told = "; ".join(f"{e['kind']} {e['text']}" for e in entries)
            raise Broken(f"the timeline does not tell {what} after entry {at}: {told}")
        at = place
    pages = world.api.get(f"/api/v1/incidents/{incident}/pages")
    by_user = {page["user"]: page for page in pages}
    _expect(set(by_user) == {ops.FIRST, ops.SECOND}, f"paged were {', '.join(by_user)}")
    accepted = {user: any(a["outcome"] == "accepted" for a in page["attempts"]) for user, page in by_user.items()}
    _expect(all(accepted.values()), f"attempts accepted: {accepted}")
    teller.hop("timeline", f"{len(entries)} entries in order: alert, both pages with their answers, ack, step, end")


def _journal(world: World, teller: Teller) -> None:
    def verified() -> str:
        checked = world.quietshift.command("journal", "verify")
        if checked.returncode != 0:
            raise Broken(f"the journal does not verify: {checked.stdout}{checked.stderr}")
        summary = checked.stdout.strip().splitlines()
        return summary[0] if any(" 0 not sealed" in line for line in summary) else ""

    found = teller.wait("a sealed journal", verified, 15)
    teller.hop("journal verified", found)


# -- questions to the world ------------------------------------------------------------------------------------------------


def _alert(world: World) -> dict[str, Any] | None:
    alerts = world.api.get("/api/v2/alerts", {"filter": 'alertname="CheckoutFailing"', "active": "true"})
    return alerts[0] if alerts else None


def _incident(world: World) -> dict[str, Any] | None:
    found = world.api.get("/api/v1/incidents", {"state": ["triggered", "acknowledged"]})
    return found[0] if found else None


def _in_state(world: World, incident: str, state: str) -> dict[str, Any] | None:
    found: dict[str, Any] = world.api.get(f"/api/v1/incidents/{incident}")
    return found if found["state"] == state else None


def _order(world: World, expected: int) -> None:
    status, text = _http("POST", f"{world.shop.url}/checkout")
    _expect(status == expected, f"an order was answered with {status} {text.strip()}, not {expected}")


def _first(found: list[Any]) -> Any:
    return found[0] if found else None


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Broken(otherwise)


def _http(method: str, url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request(method, f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()
