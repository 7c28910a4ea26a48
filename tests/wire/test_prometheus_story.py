"""The spine with real peers: a rule of Debian's Prometheus fires, two people are mailed, one acknowledges, it ends."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.support.mail import MailServer
from tests.support.ops import write_ops
from tests.support.prometheus import Prometheus
from tests.support.server import Server
from tests.support.talk import ask, eventually

SECOND_AFTER = 3  # seconds
LINK = re.compile(r"^http://\S+/p/\S+$", re.MULTILINE)


def in_order(found: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether `wanted` stands in `found` in this order, with others in between."""
    rest = iter(found)
    return all(any(one == kind for one in rest) for kind in wanted)


def test_a_rule_that_fires_wakes_two_people_and_is_put_to_rest(
    serve: Callable[..., Server],
    prometheus: Callable[[str], Prometheus],
    smtp_server: MailServer,
    database_url: str,
    tmp_path: Path,
) -> None:
    contacts = {name: [("0s", f"mailto:{name}@example.org")] for name in ("ana", "bo")}
    steps = [("0s", ["schedule:ana"]), (f"{SECOND_AFTER}s", ["schedule:bo"])]
    ops = write_ops(tmp_path / "ops", contacts, steps, smtp_port=smtp_server.port)
    server = serve(ops, database_url)
    peer = prometheus(f"127.0.0.1:{server.port}")

    def incidents() -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = ask(f"{server.url}/api/v1/incidents", token=server.token).json
        return listed

    assert incidents() == []
    peer.exporter.value = 3

    # the first person is mailed, at once
    (first,) = smtp_server.wait_for(1, to="ana@example.org", within=15)
    (opened,) = incidents()
    assert (opened["state"], opened["service"], opened["owner"]) == ("triggered", "gitaly", "group:default/storage")
    assert (opened["severity"], opened["alertname"], opened["acknowledged_at"]) == ("critical", "GitErrors", None)
    assert opened["id"] in first.subject
    assert "bo" in first.text, "who is called next stands in the mail"

    # nobody acknowledges: the second person is mailed
    assert not smtp_server.mails("bo@example.org")
    (second,) = smtp_server.wait_for(1, to="bo@example.org", within=SECOND_AFTER + 5)
    waited = (second.received_at - first.received_at).total_seconds()
    assert SECOND_AFTER - 0.5 < waited < SECOND_AFTER + 1.5

    # the link: looking changes nothing, as mail scanners look; the button acknowledges
    (link,) = LINK.findall(second.text)
    assert link.startswith(server.url)
    for _ in range(2):
        page = ask(link, headers={"Accept": "text/html"})
        assert page.status == 200
    assert incidents()[0]["state"] == "triggered"
    action = re.search(r'<form[^>]*method="post"[^>]*action="(/p/[^"]*acknowledge)"', page.text, re.IGNORECASE)
    assert action is not None, page.text
    assert re.search(r"<button[^>]*>\s*Acknowledge", page.text)
    form = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded", "Origin": server.url}
    pressed = ask(server.url + action[1], "POST", b"", form)
    assert pressed.status == 303
    after = ask(link, headers={"Accept": "text/html"})
    assert "You have it" in after.text
    (acknowledged,) = incidents()
    assert (acknowledged["state"], acknowledged["acknowledged_by"]) == ("acknowledged", "link:bo")

    # the rule stops firing: the incident is over
    peer.exporter.value = 0
    (resolved,) = eventually(incidents, lambda listed: listed[0]["state"] == "resolved", within=15, what="the end")
    assert resolved["acknowledged_at"] < resolved["resolved_at"]
    assert [len(smtp_server.mails(f"{name}@example.org")) for name in contacts] == [1, 1], "an acknowledgement ends the paging"

    # all of it is on record, in order
    story = ask(f"{server.url}/api/v1/incidents/{opened['id']}", token=server.token).json["timeline"]
    assert [entry["at"] for entry in story] == sorted(entry["at"] for entry in story)
    wanted = ["opened", "paging.paged", "attempt", "paging.paged", "attempt", "acknowledged", "resolved"]
    assert in_order([entry["kind"] for entry in story], wanted), [entry["kind"] for entry in story]
    attempts = [entry for entry in story if entry["kind"] == "attempt"]
    assert [(entry["data"]["user"], entry["data"]["outcome"]) for entry in attempts] == [("ana", "accepted"), ("bo", "accepted")]
    assert all("250" in entry["why"] or entry["data"]["code"] == 250 for entry in attempts), "the mail server's own answer"
    fires, began = (next(entry["data"] for entry in story if entry["kind"] == kind) for kind in ("alert_firing", "opened"))
    assert (fires["labels"]["job"], fires["labels"]["severity"]) == ("gitaly", "critical"), "labels are told"
    assert began["group_labels"] == {"alertname": "GitErrors", "service": "gitaly"}, "and its group's"
    assert began["group_key"] == '{}:{alertname="GitErrors", service="gitaly"}'
    pages = ask(f"{server.url}/api/v1/incidents/{opened['id']}/pages", token=server.token).json
    assert [(page["user"], [attempt["outcome"] for attempt in page["attempts"]]) for page in pages] == [
        ("ana", ["accepted"]), ("bo", ["accepted"])
    ]  # fmt: skip


def test_an_alert_that_comes_back_soon_reopens_its_incident(
    serve: Callable[..., Server], prometheus: Callable[[str], Prometheus], smtp_server: MailServer, tmp_path: Path
) -> None:
    ops = write_ops(
        tmp_path / "ops", {"ana": [("0s", "mailto:ana@example.org")]}, [("0s", ["schedule:ana"])], smtp_port=smtp_server.port
    )
    server = serve(ops)
    peer = prometheus(f"127.0.0.1:{server.port}")

    def state() -> list[tuple[str, str]]:
        listed = ask(f"{server.url}/api/v1/incidents", token=server.token).json
        return [(incident["state"], incident["id"]) for incident in listed]

    peer.exporter.value = 1
    smtp_server.wait_for(1, within=15)
    ((_, first),) = state()
    peer.exporter.value = 0
    eventually(state, lambda seen: seen == [("resolved", first)], within=15)
    peer.exporter.value = 1

    smtp_server.wait_for(2, within=15)

    assert state() == [("triggered", first)]
