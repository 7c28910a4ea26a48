"""What webhook_configs add to a plain POST: redirects, a time limit, headers, a secret URL in a file."""

from pathlib import Path
from typing import Any

import pytest

from tests.alerts.test_integrations import body, deliver
from tests.support.webhook import Scripted


def send(server: Any, written: str = "", path: str = "/hook") -> Any:
    return deliver("webhook", f"{{url: '{server.url(path)}'{', ' if written else ''}{written}}}")


def test_the_body_is_the_group_and_the_id_is_the_same_in_every_attempt(webhook_server: Any) -> None:
    assert send(webhook_server).outcome == "accepted"
    [post] = webhook_server.posts()
    assert (post.json, post.headers["Idempotency-Key"]) == (body(), "01ID")


@pytest.mark.parametrize(("written", "outcome", "arrived"), [
    ("", "accepted", 1), ("http_config: {follow_redirects: true}", "accepted", 1),
    ("http_config: {follow_redirects: false}", "permanent", 0),
])  # fmt: skip
def test_redirects_are_followed_unless_that_is_not_wanted(webhook_server: Any, written: str, outcome: str, arrived: int) -> None:
    webhook_server.always("/hook", Scripted(308, headers=(("Location", "/new"),)))
    assert send(webhook_server, written).outcome == outcome
    assert [post.json for post in webhook_server.posts("/new")] == [body()] * arrived


def test_it_waits_as_long_as_it_is_told(webhook_server: Any) -> None:
    webhook_server.answer("/hook", Scripted(hold=20))
    answer = send(webhook_server, "timeout: 200ms")
    assert (answer.outcome, "0.2 s" in answer.text) == ("temporary", True)


def test_headers_are_added_each_with_all_its_values(webhook_server: Any, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    one = f"X-One: {{files: ['{tmp_path}/key']}}"
    send(webhook_server, f"http_config: {{http_headers: {{{one}, X-Two: {{secrets: [s3cret]}}}}}}")
    send(webhook_server, "http_config: {http_headers: {X-Two: {values: [a, b]}}}")
    first, second = webhook_server.posts()
    assert (first.headers["X-One"], first.headers["X-Two"]) == ("from-file", "s3cret")
    assert second.headers["X-Two"] in ("a", "b")  # the server keeps the last of the two


def test_the_url_may_be_in_a_file(webhook_server: Any, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{webhook_server.url('/from/{{ .GroupLabels.alertname }}')}\n")
    answer = deliver("webhook", f"{{url_file: '{tmp_path}/url'}}")
    assert (answer.outcome, [post.path for post in webhook_server.posts()]) == ("accepted", ["/from/DiskFull"])
    (tmp_path / "url").unlink()
    assert deliver("webhook", f"{{url_file: '{tmp_path}/url'}}").outcome == "temporary"


def test_a_url_whose_template_gives_nothing_is_permanent(webhook_server: Any) -> None:
    assert deliver("webhook", "{url: '{{ .CommonAnnotations.nothing }}'}").outcome == "permanent"
