"""Each kind of receiver: what is asked of a real server, what its answers mean, what stays secret.

That 0.25's kinds ask what Alertmanager asks is held by tests/wire/test_receivers_like_alertmanager.py.
"""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quietshift.alerts import config, senders
from quietshift.alerts.integrations.saying import Saying, shortened, shortened_octets
from quietshift.alerts.model import NOTIFIED_KINDS, AlertsConfig
from quietshift.channels import pagerduty, pushover
from quietshift.kernel.errors import Problems
from quietshift.kernel.outbox import Answer, Delivery
from tests.support.webhook import Scripted, WebhookServer

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
OK = {
    "slack": Scripted(200, b"ok"),
    "telegram": Scripted(200, b'{"ok": true}'),
    "wechat": Scripted(200, b'{"errcode": 0, "access_token": "wx-t0ken"}'),
    "rocketchat": Scripted(200, b'{"success": true}'),
}
# a secret of each is `s3cret-` and what it is
KINDS = {
    "webhook": "{url: '%s/s3cret-url', http_config: {authorization: {credentials: s3cret-credentials}}}",
    "slack": "{api_url: '%s/s3cret-url', channel: '#ops', send_resolved: true}",
    "pagerduty": "{url: '%s/v2', routing_key: s3cret-routing}",
    "opsgenie": "{api_url: '%s/og', api_key: s3cret-genie}",
    "pushover": "{user_key: s3cret-user, token: s3cret-token}",
    "telegram": "{api_url: '%s', bot_token: '1:s3cret-bot', chat_id: -5}",
    "discord": "{webhook_url: '%s/s3cret-url'}",
    "msteams": "{webhook_url: '%s/s3cret-url'}",
    "msteamsv2": "{webhook_url: '%s/s3cret-url'}",
    "sns": "{api_url: '%s/', topic_arn: 'arn:t', sigv4: {region: eu-north-1, access_key: AKIDEXAMPLE, secret_key: s3cret-aws}}",
    "victorops": "{api_url: '%s/', api_key: s3cret-victor, routing_key: team}",
    "webex": "{api_url: '%s/webex', room_id: room, http_config: {authorization: {credentials: s3cret-bot}}}",
    "wechat": "{api_url: '%s/', api_secret: s3cret-wechat, corp_id: corp, to_user: ana, send_resolved: true}",
    "rocketchat": "{api_url: '%s/', token: s3cret-token, token_id: s3cret-id, channel: '#ops', send_resolved: true}",
    "mattermost": "{webhook_url: '%s/s3cret-url', channel: ops}",
    "incidentio": "{url: '%s/source', alert_source_token: s3cret-source}",
}
TITLE = "[FIRING:1] DiskFull (a critical)"


def body(status: str = "firing", **annotations: str) -> dict[str, Any]:
    labels = {"alertname": "DiskFull", "instance": "a", "severity": "critical"}
    alert = {
        "status": status, "labels": labels, "annotations": annotations, "startsAt": "2026-11-22T02:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-22T03:00:00Z", "generatorURL": "http://p/g",
        "fingerprint": "0123456789abcdef",
    }  # fmt: skip
    return {
        "receiver": "all", "status": status, "alerts": [alert], "groupLabels": {"alertname": "DiskFull"}, "commonLabels": labels,
        "commonAnnotations": annotations, "externalURL": "http://alerts.example.org", "version": "4",
        "groupKey": '{}:{alertname="DiskFull"}', "truncatedAlerts": 0,
    }  # fmt: skip


def read(text: str, name: str = "alertmanager.yml") -> tuple[AlertsConfig, Problems]:
    problems = Problems()
    return config.load(text.encode(), name, problems), problems


def receiver(kind: str, written: str, settings: str = "") -> str:
    return f"{settings}\nroute: {{receiver: all}}\nreceivers:\n- name: all\n  {kind}_configs:\n  - {written}\n"


class Using:
    """What senders use of the room: the configuration in force."""

    def __init__(self, text: str) -> None:
        made, problems = read(text)
        problems.raise_errors()
        self._config = made

    def config(self) -> AlertsConfig:
        return self._config


def deliver(kind: str, written: str, told: dict[str, Any] | None = None, settings: str = "") -> Answer:
    use: Any = Using(receiver(kind, written, settings))
    payload = {"receiver": "all", "integration": f"{kind}/0", "body": told or body()}
    delivery = Delivery("01ID", f"notify.{kind}", f"all/{kind}/0", "1", payload, 1, NOW, NOW, None, 1, NOW)
    return senders.send(use, kind, delivery)


@pytest.fixture
def ask(webhook_server: WebhookServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Deliver by a kind to the server, whose every path gives this answer; returns the answer and what came."""
    for module, name in ((pagerduty, "V1_URL"), (pushover, "URL")):
        monkeypatch.setattr(module, name, webhook_server.url("/fixed"))
    monkeypatch.setattr(pushover.push, "__defaults__", (*pushover.push.__defaults__[:-1], webhook_server.url("/fixed")))

    def run(
        kind: str, answer: Scripted | None = None, written: str = "", told: dict[str, Any] | None = None, settings: str = ""
    ) -> Any:
        given = answer or OK.get(kind, Scripted())
        monkeypatch.setattr(webhook_server, "_take", lambda _path, _body: given)
        before = len(webhook_server.posts())
        base = webhook_server.url("")
        made = deliver(kind, (written or KINDS[kind]).replace("%s", base), told, settings.replace("%s", base))
        return made, webhook_server.posts()[before:]

    return run


def test_every_kind_is_tried_here():
    assert {*KINDS, "email"} == set(NOTIFIED_KINDS)


# -- what answers mean ---------------------------------------------------------------------------------------------------

PERMANENT, TEMPORARY = "permanent", "temporary"
RULES = {  # of statuses; where a kind is not named, a 4xx but 429 is permanent
    "telegram": {400: TEMPORARY, 401: TEMPORARY, 403: TEMPORARY, 404: TEMPORARY},
    "wechat": {403: PERMANENT},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_success_is_a_success(ask: Any, kind: str) -> None:
    answer, posts = ask(kind)
    assert (answer.outcome, answer.code) == ("accepted", 200), answer
    assert posts


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("kind", KINDS)
def test_the_status_decides_whether_it_is_tried_again(ask: Any, kind: str, status: int) -> None:
    text = b'{"ok": false, "success": false, "description": "no", "message": "no", "errors": ["why"]}'
    answer, _ = ask(kind, Scripted(status, text, (("Content-Type", "application/json"),)))
    usual = TEMPORARY if status == 429 or status >= 500 else PERMANENT
    assert (answer.outcome, answer.code) == (RULES.get(kind, {}).get(status, usual), status), answer


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_there_is_tried_again(kind: str, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = f"http://127.0.0.1:{free_port}"
    monkeypatch.setattr(pushover.push, "__defaults__", (*pushover.push.__defaults__[:-1], nowhere))
    assert deliver(kind, KINDS[kind].replace("%s", nowhere)).outcome == "temporary"


JSON = (("Content-Type", "application/json"),)


@pytest.mark.parametrize(
    ("kind", "answer", "outcome", "words"),
    [
        ("slack", Scripted(200, b"no_service"), PERMANENT, "no_service"),
        ("slack", Scripted(200, b'{"ok": false, "error": "channel_not_found"}', JSON), PERMANENT, "channel_not_found"),
        ("slack", Scripted(200, b'{"ok": true, "ts": "1"}', JSON), "accepted", "ok"),
        ("slack", Scripted(200, b"{", JSON), TEMPORARY, "200"),
        ("telegram", Scripted(200, b'{"ok": false, "description": "chat not found"}'), TEMPORARY, "chat not found"),
        ("telegram", Scripted(200, b"<html>"), TEMPORARY, "<html>"),
        ("wechat", Scripted(200, b'{"errcode": 40001, "errmsg": "bad secret"}'), PERMANENT, "bad secret"),
        ("rocketchat", Scripted(200, b'{"success": false, "error": "no room"}'), PERMANENT, "no room"),
        ("rocketchat", Scripted(200, b"<html>"), TEMPORARY, "<html>"),
        ("pagerduty", Scripted(400, b'{"message": "invalid", "errors": ["a", "b"]}'), PERMANENT, "invalid: a, b"),
        ("sns", Scripted(403, b"<E><Code>X</Code><Message>signature</Message></E>"), PERMANENT, "403 Forbidden: signature"),
    ],
)  # fmt: skip
def test_providers_say_more_than_a_status(ask: Any, kind: str, answer: Scripted, outcome: str, words: str) -> None:
    made, _ = ask(kind, answer)
    assert made.outcome == outcome
    assert words in made.text


def test_pagerdutys_version_1_asks_to_be_tried_again_by_403(ask: Any) -> None:
    answer, posts = ask("pagerduty", Scripted(403), "{service_key: old}")
    assert (answer.outcome, posts[0].json["service_key"]) == ("temporary", "old")


def test_a_wechat_token_that_ran_out_is_had_anew(ask: Any) -> None:
    written = "{api_url: '%s/', api_secret: another, corp_id: corp2}"
    _, first = ask("wechat", None, written)
    _, second = ask("wechat", Scripted(200, b'{"errcode": 42001, "errmsg": "expired"}'), written)
    _, third = ask("wechat", None, written)
    assert [[post.path for post in posts] for posts in (first, second, third)] == [
        ["/gettoken", "/message/send"], ["/message/send"], ["/gettoken", "/message/send"],
    ]  # fmt: skip


# -- what is newer than 0.25 ---------------------------------------------------------------------------------------------


def test_teams_gets_a_card_of_either_kind(ask: Any) -> None:
    _, [post] = ask("msteams")
    card = post.json
    assert {**card, "text": ""} == {
        "@context": "http://schema.org/extensions", "type": "MessageCard", "title": TITLE, "summary": TITLE, "text": "",
        "themeColor": "8C1A1A",
    }  # fmt: skip
    assert "severity = critical" in card["text"]
    _, [post] = ask("msteamsv2", told=body("resolved"))
    [attachment] = post.json["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    heading, text = attachment["content"]["body"]
    assert (heading["text"], heading["color"]) == ("[RESOLVED] DiskFull (a critical)", "Good")
    assert "Alerts Resolved" in text["text"]


def test_slack_by_an_apps_token(ask: Any) -> None:
    settings = "global: {slack_app_token: xoxb-t, slack_app_url: '%s/api/chat.postMessage'}"
    _, [post] = ask("slack", None, "{channel: '#ops', message_text: 'see {{ .Status }}'}", settings=settings)
    assert (post.path, post.headers["Authorization"]) == ("/api/chat.postMessage", "Bearer xoxb-t")
    assert (post.json["channel"], post.json["text"]) == ("#ops", "see firing")


def test_rocketchat(ask: Any) -> None:
    written = KINDS["rocketchat"][:-1] + ", fields: [{title: a, value: '{{ .Status }}'}], actions: [{text: go, url: 'http://x'}]}"
    _, [post] = ask("rocketchat", None, written)
    assert post.path == "/api/v1/chat.postMessage"
    assert (post.headers["X-Auth-Token"], post.headers["X-User-Id"]) == ("s3cret-token", "s3cret-id")
    assert post.json == {
        "channel": "#ops",
        "attachments": [{
            "title": TITLE, "title_link": "http://alerts.example.org/#/alerts?receiver=all", "color": "red",
            "fields": [{"short": False, "title": "a", "value": "firing"}],
            "actions": [
                {"type": "button", "is_webview": False, "msg_in_chat_window": False, "text": "go", "url": "http://x"}
            ],
        }],
    }  # fmt: skip


def test_mattermost(ask: Any) -> None:
    written = KINDS["mattermost"][:-1] + ", priority: {priority: Important, requested_ack: true, persistent_notifications: true}}"
    _, [post] = ask("mattermost", None, written)
    assert post.json["priority"] == {"priority": "important", "requested_ack": True}
    [attachment] = post.json["attachments"]
    assert (attachment["title"], attachment["color"]) == (TITLE, "danger")
    own = KINDS["mattermost"][:-1] + ", text: '{{ .Status }}', attachments: [{title: one}, {title: two}]}"
    _, [post] = ask("mattermost", None, own)
    assert (post.json["text"], [a["title"] for a in post.json["attachments"]]) == ("firing", ["one", "two"])


def test_incidentio_gets_the_group_and_its_token(ask: Any) -> None:
    _, [post] = ask("incidentio")
    assert post.json == {**body(), "version": "1"}
    assert post.headers["Authorization"] == "Bearer s3cret-source"
    large = body()
    large["alerts"] = [{**large["alerts"][0], "annotations": {"x": "y" * 200_000}} for _ in range(4)]
    _, [post] = ask("incidentio", told=large)
    assert len(post.json["alerts"]) == 1


def test_newer_fields_of_older_kinds(ask: Any) -> None:
    _, [post] = ask("discord", None, "{webhook_url: '%s/x', content: 'c {{ .Status }}', username: u, avatar_url: 'http://a'}")
    assert {key: post.json[key] for key in ("content", "username", "avatar_url")} == {
        "content": "c firing", "username": "u", "avatar_url": "http://a",
    }  # fmt: skip
    _, [post] = ask("pushover", None, "{user_key: u, token: t, ttl: 2m, device: phone, monospace: true}")
    assert {"ttl=120", "device=phone", "monospace=1"} <= set(post.query.split("&"))
    _, [post] = ask("telegram", None, KINDS["telegram"][:-1] + ", message_thread_id: 7}")
    assert post.json["message_thread_id"] == "7"
    payload = "{n: '{{ .Alerts | len }}', 'k{{ 1 }}': [a, true]}"
    _, [post] = ask("webhook", None, f"{{url: '%s/{{{{ .GroupLabels.alertname }}}}', payload: {payload}}}")
    assert (post.path, post.json) == ("/DiskFull", {"n": 1, "k1": ["a", True]})


def test_pagerduty_tells_alerts_as_data_and_leaves_out_what_is_too_large(ask: Any) -> None:
    _, [post] = ask("pagerduty")
    details = post.json["payload"]["custom_details"]
    assert (details["num_firing"], details["num_resolved"], details["resolved"]) == (1, 0, [])
    assert details["firing"][0]["labels"]["alertname"] == "DiskFull"
    answer, [post] = ask("pagerduty", told=body(text="x" * 600_000))
    assert answer.outcome == "accepted"
    assert list(post.json["payload"]["custom_details"]) == ["error"]
    assert len(post.body) < pagerduty.MAX_EVENT


def test_a_long_html_message_is_not_cut_for_telegram(ask: Any) -> None:
    _, [post] = ask("telegram", told=body(text="x" * 5000))
    assert "make its template say less" in post.json["text"]


# -- templates that fail -------------------------------------------------------------------------------------------------


def test_a_template_that_fails_loses_nothing_and_is_told(ask: Any, caplog: pytest.LogCaptureFixture) -> None:
    written = KINDS["slack"][:-1] + ", title: '{{ (index .Alerts 5).Status }}'}"
    answer, [post] = ask("slack", None, written)
    assert answer.outcome == "accepted"
    assert "plain text in place of 1 templates that failed" in answer.text
    assert post.json["attachments"][0]["title"] == "[FIRING:1] DiskFull"
    assert "a template failed" in caplog.text


# -- secrets -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_is_repeated_in_an_answer_a_log_or_the_shown_configuration(
    ask: Any, kind: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = b"you sent " + KINDS[kind].encode() + json.dumps(KINDS[kind]).encode()
    answer, posts = ask(kind, Scripted(status, echo))
    sent = " ".join(f"{post.path} {post.query} {post.headers} {post.body!r}" for post in posts)
    assert "s3cret" in sent or kind == "sns"  # of those of AWS only the key's name and a signature leave us
    assert "s3cret" not in answer.text
    assert "s3cret" not in caplog.text
    shown, _ = read(receiver(kind, KINDS[kind].replace("%s", "http://127.0.0.1")))
    assert "s3cret" not in shown.original
    assert "s3cret" not in repr(shown.receivers["all"].integrations[f"{kind}/0"])


def test_secrets_come_from_files_too_and_a_missing_file_is_tried_again(ask: Any, tmp_path: Path) -> None:
    key = tmp_path / "key"
    written = f"{{url: '%s/v2', routing_key_file: '{key}'}}"
    answer, posts = ask("pagerduty", None, written)
    assert (answer.outcome, str(key) in answer.text, posts) == ("temporary", True, [])
    key.write_text("from-file\n")
    _, [post] = ask("pagerduty", None, written)
    assert post.json["routing_key"] == "from-file"


# -- small things --------------------------------------------------------------------------------------------------------


def test_texts_are_shortened_with_an_ellipsis():
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcde…"
    assert shortened_octets("äöü", 6) == "äöü"
    assert shortened_octets("äöüx", 6) == "ä…"


def test_what_takes_the_place_of_a_failed_template_names_every_alert():
    told = body(summary="full")
    told["alerts"] *= 25
    said = Saying("id", told, NOW).summary()
    assert said.count("alertname=DiskFull") == 20
    assert said.endswith("and 5 more")
