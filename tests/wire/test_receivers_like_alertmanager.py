"""Debian's Alertmanager (0.25) and ours read the same alertmanager.yml and hear the same alerts: they ask the same of providers.

Fields and kinds that are newer than 0.25 have vectors of their own: tests/alerts/test_integrations.py.
"""

import hashlib
import hmac
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import pytest

from tests.support.interceptor import Interceptor
from tests.support.mail import MailServer
from tests.support.needs import program
from tests.support.ports import free_port
from tests.support.talk import ask
from tests.support.webhook import Post, Scripted, WebhookServer

CONFIG = """
global:
  slack_api_url: http://127.0.0.1:{http}/slack/services/T0/B0/s3cret-slack
  pagerduty_url: http://127.0.0.1:{http}/pagerduty/v2/enqueue
  opsgenie_api_url: http://127.0.0.1:{http}/opsgenie
  opsgenie_api_key: s3cret-genie
  wechat_api_url: http://127.0.0.1:{http}/wechat/cgi-bin
  wechat_api_secret: s3cret-wechat
  wechat_api_corp_id: corp
  victorops_api_url: http://127.0.0.1:{http}/victorops/alert/
  victorops_api_key: s3cret-victor
  telegram_api_url: http://127.0.0.1:{http}/telegram
route: {{receiver: all, group_by: [alertname, cluster], group_wait: 1s, group_interval: 2s, repeat_interval: 1h}}
receivers:
- name: all
  webhook_configs:
  - url: http://127.0.0.1:{http}/webhook/all
  - {{url: 'http://127.0.0.1:{http}/webhook/first', max_alerts: 1,
     http_config: {{basic_auth: {{username: u, password: s3cret-p}}}}}}
  - {{url: 'http://127.0.0.1:{http}/webhook/oauth', http_config: {{oauth2: {{client_id: i, scopes: [a, b],
      client_secret: s3cret-oauth,
      token_url: 'http://127.0.0.1:{http}/token', endpoint_params: {{audience: x}}}}}}}}
  slack_configs:
  - channel: '#ops'
    send_resolved: true
    text: '{{{{ range .Alerts }}}}{{{{ .Annotations.summary }}}} since {{{{ .StartsAt }}}} {{{{ end }}}}'
    fields:
    - {{title: severity, value: '{{{{ .CommonLabels.severity }}}}', short: true}}
    - {{title: b, value: c}}
    short_fields: false
    actions:
    - {{type: button, text: go, url: 'http://x/{{{{ .GroupLabels.alertname }}}}'}}
    - {{type: button, text: act, name: foo, value: bar, style: danger, confirm: {{text: 'sure?', title: t}}}}
    image_url: http://images/1
    link_names: true
    mrkdwn_in: [text]
  - {{channel: '@ana'}}
  pagerduty_configs:
  - routing_key: s3cret-route
    client: us
    description: '{{{{ .CommonAnnotations.summary }}}} {long}'
    severity: '{{{{ .CommonLabels.severity }}}}'
    details: {{firing: '{{{{ template "pagerduty.default.instances" .Alerts.Firing }}}}', resolved: r,
      num_firing: 'n{{{{ .Alerts.Firing | len }}}}', num_resolved: r, runbook: 'see {{{{ .CommonLabels.severity }}}}'}}
    images: [{{src: 'http://images/1', alt: a, href: h}}, {{alt: without}}]
    links: [{{href: 'http://links/1', text: a}}, {{text: without}}]
    class: cl
    component: co
    group: gr
  - service_key: s3cret-old
    details: {{firing: f, resolved: r, num_firing: n, num_resolved: r}}
    http_config: {{proxy_url: 'http://127.0.0.1:{proxy}', tls_config: {{insecure_skip_verify: true}}}}
  opsgenie_configs:
  - responders: [{{name: 'a,b', type: teams}}, {{username: u, type: user}}, {{id: '{{{{ .CommonLabels.nothing }}}}', type: team}}]
    tags: 'a,{{{{ .Status }}}}, b'
    note: n
    priority: P1
    details: {{x: '{{{{ .Status }}}}'}}
    entity: e
    actions: 'q,w'
    message: '{long}'
    update_alerts: true
  wechat_configs:
  - {{to_user: u, to_party: p, agent_id: '3', send_resolved: true}}
  - {{to_tag: t, message_type: markdown, message: '**{{{{ .Status }}}}**'}}
  pushover_configs:
  - {{user_key: s3cret-user, token: s3cret-token, html: true, sound: s, retry: 90s,
     message: '<b>{{{{ .CommonLabels.evil }}}}</b>',
     http_config: {{proxy_url: 'http://127.0.0.1:{proxy}', tls_config: {{insecure_skip_verify: true}}}}}}
  victorops_configs:
  - {{routing_key: 'team a', message_type: odd, custom_fields: {{f: '{{{{ .Status }}}}'}}}}
  sns_configs:
  - api_url: http://127.0.0.1:{http}/sns/
    topic_arn: arn:aws:sns:us-east-2:1:t.fifo
    sigv4: &aws {{region: us-east-2, access_key: AKIDEXAMPLE, secret_key: s3cret-aws}}
    attributes: {{a: 'b {{{{ .Status }}}}'}}
  - {{api_url: 'http://127.0.0.1:{http}/sms/', phone_number: '+4930', message: '{long}{long}', subject: '', sigv4: *aws}}
  telegram_configs:
  - {{chat_id: -123, bot_token: '1:s3cret-bot', disable_notifications: true}}
  - {{chat_id: 5, bot_token: '1:s3cret-bot', parse_mode: MarkdownV2, message: '{{{{ .CommonLabels.evil }}}}'}}
  discord_configs: [{{webhook_url: 'http://127.0.0.1:{http}/discord/1/s3cret-d'}}]
  webex_configs: [{{api_url: 'http://127.0.0.1:{http}/webex/v1/messages', room_id: room,
    http_config: {{authorization: {{credentials: s3cret-webex}}}}}}]
  email_configs:
  - to: 'Ana <ana@example.org>, bo@example.org'
    from: Alerts <am@example.org>
    smarthost: 127.0.0.1:{smtp}
    require_tls: false
    send_resolved: true
    headers: {{X-Status: '{{{{ .Status }}}} ä'}}
    text: '{{{{ range .Alerts }}}}{{{{ .Labels.instance }}}} {{{{ end }}}}'
"""
LONG = "a rather long text that is longer than providers take; " * 20
EXPECTED = {
    "webhook/all", "webhook/first", "webhook/oauth", "token", "slack", "pagerduty", "opsgenie", "wechat", "victorops", "sns",
    "sms", "telegram", "discord", "webex", "events.pagerduty.com", "api.pushover.net",
}  # fmt: skip
ALERTS = [
    {
        "labels": {"alertname": "DiskFull", "cluster": "eu", "instance": instance, "severity": "critical", "evil": "<a> & _b_"},
        "annotations": {"summary": f"Disk of {instance} is full", "link": 'http://x/?a=b&c="d"'},
        "startsAt": "2026-11-21T03:00:00.123Z",
        "generatorURL": f"http://prometheus/graph?g0={instance}",
    }
    for instance in ("a:9100", "b:9100")
]


@dataclass(frozen=True)
class Asked:
    """What one server asked of each provider, and its mails, in the order that they came."""

    posts: dict[str, list[Post]]
    mails: list[Any]
    host: str
    folder: Path
    shown: str  # /api/v2/status


def _provider(path: str) -> str:
    first, _, rest = path.lstrip("/").partition("/")
    return f"webhook/{rest}" if first == "webhook" else first


@contextmanager
def _asked(command: list[Any], folder: Path) -> Iterator[Asked]:
    """Run the server; tell it that two alerts fire, then that both are over; stop it. What came until it was quiet counts."""
    with ExitStack() as stack:
        http, proxy, smtp = WebhookServer(), Interceptor(), MailServer()
        stack.callback(http.close)
        stack.callback(proxy.close)
        smtp.start()
        stack.callback(smtp.stop)
        json_type = (("Content-Type", "application/json"),)
        http.always("/slack/services/T0/B0/s3cret-slack", Scripted(200, b"ok"))
        http.always("/token", Scripted(200, b'{"access_token": "tok", "token_type": "bearer", "expires_in": 3600}', json_type))
        http.always("/wechat/cgi-bin/gettoken", Scripted(200, b'{"access_token": "wx", "errcode": 0}', json_type))
        http.always("/wechat/cgi-bin/message/send", Scripted(200, b'{"errcode": 0, "errmsg": "ok"}', json_type))
        sent = b'{"ok": true, "result": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "group"}}}'
        http.always("/telegram/bot1:s3cret-bot/sendMessage", Scripted(200, sent, json_type))
        published = b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"
        for path in ("/sns/", "/sms/"):
            http.always(path, Scripted(200, published, (("Content-Type", "text/xml"),)))
        file = folder / "alertmanager.yml"
        file.write_text(CONFIG.format(http=http.port, proxy=proxy.port, smtp=smtp.port, long=LONG))
        port = free_port()
        log = stack.enter_context((folder / "log").open("wb"))
        server = subprocess.Popen(
            [
                *command, f"--config.file={file}", f"--storage.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=", "--web.external-url=http://alerts.example.org", "--log.level=debug",
            ],
            stdout=log, stderr=log, cwd=folder,
        )  # fmt: skip
        stack.callback(server.wait, 20)
        alive = lambda: server.poll() is None  # noqa: E731 - the same
        stack.callback(server.terminate)
        url = f"http://127.0.0.1:{port}/api/v2"
        _until(lambda: not alive() or _answers(f"{url}/status"), "the server answers", folder)
        assert alive(), (folder / "log").read_text(errors="replace")[-6000:]
        assert ask(f"{url}/alerts", "POST", json_body=ALERTS).status == 200
        everything = lambda: {_provider(p.path) for p in [*http.posts(), *proxy.posts()]}  # noqa: E731 - a name for a message
        _until(lambda: everything() >= EXPECTED and smtp.mails(), lambda: f"only {everything()}", folder)
        before = {name: _count(http, proxy, name) for name in EXPECTED}
        over = [{**alert, "endsAt": "2026-11-21T04:00:00Z"} for alert in ALERTS]
        assert ask(f"{url}/alerts", "POST", json_body=over).status == 200
        later = EXPECTED - {"token"}
        _until(
            lambda: all(_count(http, proxy, name) > before[name] for name in later) and len(smtp.mails()) > 1,
            lambda: f"no news for {[n for n in later if _count(http, proxy, n) <= before[n]]}", folder,
        )  # fmt: skip
        quiet = _quiet_count(http, proxy)
        posts: dict[str, list[Post]] = {}
        for post in [*http.posts(), *proxy.posts()]:
            posts.setdefault(_provider(post.path), []).append(post)
        assert quiet == sum(map(len, posts.values()))
        shown = ask(f"{url}/status").text
        yield Asked(posts, smtp.mails(), f"127.0.0.1:{http.port}", folder, shown)


def _count(http: WebhookServer, proxy: WebhookServer, name: str) -> int:
    return sum(_provider(post.path) == name for post in [*http.posts(), *proxy.posts()])


def _quiet_count(http: WebhookServer, proxy: WebhookServer) -> int:
    """How many requests there are once a second has passed without another."""
    while True:
        count = len(http.posts()) + len(proxy.posts())
        time.sleep(1)  # real servers in real time: nothing tells that nothing more comes
        if count == len(http.posts()) + len(proxy.posts()):
            return count


def _answers(url: str) -> bool:
    try:
        return ask(url, timeout=2).status == 200
    except OSError:
        return False


def _until(true: Any, otherwise: Any, folder: Path, within: float = 30) -> None:
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            words = otherwise() if callable(otherwise) else f"not within {within} s: {otherwise}"
            raise AssertionError(f"{words}\n{(folder / 'log').read_text(errors='replace')[-6000:]}")
        time.sleep(0.05)  # another program's progress is seen by looking


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Asked, Asked]:
    theirs, ours = tmp_path_factory.mktemp("theirs"), tmp_path_factory.mktemp("ours")
    with _asked([program("alertmanager")], theirs) as first:
        pass
    with _asked([Path(sys.prefix) / "bin/quietshift", "alertmanager"], ours) as second:
        pass
    return first, second


def _said(post: Post, host: str) -> dict[str, Any]:
    """What counts of a request."""
    wanted = ("authorization", "content-type", "x-auth-token")
    headers = {name.lower(): value for name, value in post.headers.items() if name.lower() in wanted}
    kind = headers.get("content-type", "").partition(";")[0]
    body: Any = post.body.decode()
    if kind == "application/json":
        body = json.loads(body.replace(host, "HOST"))
    elif kind == "application/x-www-form-urlencoded":
        body = sorted(parse_qsl(body))
        signed = re.match(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^,]+)", headers.get("authorization", ""))
        if signed:
            headers["authorization"] = signed.groups()  # type: ignore[assignment]  # without what changes with the clock
    return {
        "method": post.method, "path": post.path, "query": sorted(parse_qsl(post.query, keep_blank_values=True)),
        "headers": {**headers, "content-type": kind}, "body": body,
    }  # fmt: skip


def _in_order(posts: list[Post], host: str) -> list[dict[str, Any]]:
    """Requests of several integrations of a kind come in any order. A token of WeChat is had once by us, by them for each."""
    said = sorted((_said(post, host) for post in posts), key=lambda said: (said["path"], json.dumps(said, sort_keys=True)))
    return [each for i, each in enumerate(said) if not (i and each == said[i - 1] and each["path"].endswith("/gettoken"))]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_same_is_asked_of_each_provider(both: tuple[Asked, Asked], name: str) -> None:
    theirs, ours = (_in_order(asked.posts[name], asked.host) for asked in both)
    assert [said["path"] for said in ours] == [said["path"] for said in theirs]
    assert list(_differences(ours, theirs)) == []


def _differences(ours: Any, theirs: Any, where: str = "") -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours.keys() | theirs.keys():
            yield from _differences(ours.get(key, "(nothing)"), theirs.get(key, "(nothing)"), f"{where}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for i, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(mine, other, f"{where}[{i}]")
    elif ours != theirs:
        yield f"{where}: ours {ours!r}, theirs {theirs!r}"


def test_firing_comes_before_resolved(both: tuple[Asked, Asked]) -> None:
    for asked in both:
        assert [post.json["status"] for post in asked.posts["webhook/all"]] == ["firing", "resolved"]
        assert [post.json["event_action"] for post in asked.posts["pagerduty"]] == ["trigger", "resolve"]


def test_mails_have_the_same_headers_recipients_and_text(both: tuple[Asked, Asked]) -> None:
    theirs, ours = both
    assert len(ours.mails) == len(theirs.mails) == 2
    for mine, other in zip(ours.mails, theirs.mails, strict=True):
        assert (mine.sender, mine.recipients, mine.subject) == (other.sender, other.recipients, other.subject)
        for header in ("From", "To", "X-Status"):
            assert str(mine.message[header]) == str(other.message[header]), header
        assert mine.message.get_content_type() == other.message.get_content_type() == "multipart/alternative"
        kinds = [[part.get_content_type() for part in mail.message.iter_parts()] for mail in (mine, other)]
        assert kinds[0] == kinds[1] == ["text/plain", "text/html"]
        assert mine.text.strip() == other.text.strip()


def test_aws_would_accept_both_signatures(both: tuple[Asked, Asked]) -> None:
    for asked in both:
        for name in ("sns", "sms"):
            for post in asked.posts[name]:
                _verify(post, "s3cret-aws")


def _verify(post: Post, secret: str) -> None:
    """As the receiving side does it. Source: docs.aws.amazon.com, "Create a signed AWS API request"."""
    headers = {name.lower(): value for name, value in post.headers.items()}
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=[^/]+/(\d+)/([^/]+)/(\w+)/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)",
        headers["authorization"],
    )
    assert found
    day, region, service, names, signature = found.groups()
    assert {"host", "x-amz-date"} <= set(names.split(";"))
    lines = [post.method, post.path, post.query, *(f"{n}:{headers[n].strip()}" for n in names.split(";")), "", names]
    canonical = "\n".join([*lines, hashlib.sha256(post.body).hexdigest()])
    to_sign = "\n".join([
        "AWS4-HMAC-SHA256", headers["x-amz-date"], f"{day}/{region}/{service}/aws4_request",
        hashlib.sha256(canonical.encode()).hexdigest(),
    ])  # fmt: skip
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    assert hmac.new(key, to_sign.encode(), "sha256").hexdigest() == signature


def test_the_token_is_had_once_and_used(both: tuple[Asked, Asked]) -> None:
    for asked in both:
        assert len(asked.posts["token"]) == 1
        assert {_said(post, asked.host)["headers"]["authorization"] for post in asked.posts["webhook/oauth"]} == {"Bearer tok"}
        assert parse_qs(asked.posts["token"][0].body.decode())["audience"] == ["x"]


def test_no_secret_of_any_receiver_is_kept_logged_or_shown(both: tuple[Asked, Asked]) -> None:
    _, ours = both
    sent = "".join(f"{post.path}{post.query}{post.headers}{post.body!r}" for posts in ours.posts.values() for post in posts)
    assert sent.count("s3cret") > 20
    assert "s3cret" not in ours.shown
    files = [file for file in ours.folder.rglob("*") if file.is_file() and file.name != "alertmanager.yml"]
    assert any(file.name == "quietshift.db" for file in files)
    assert [file.name for file in files if b"s3cret" in file.read_bytes()] == []
