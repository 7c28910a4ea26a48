"""Mail of receivers: how we sign in, whom we trust, what is in it."""

import base64
import hashlib
import hmac
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import MISSING, SMTP, AuthResult

from quietshift.alerts import config
from quietshift.kernel.errors import Problems
from tests.alerts.test_integrations import body, deliver, receiver
from tests.support.tls import PEM

CHALLENGE = b"<1896.697170952@postoffice.example.org>"


class Post:
    """Keeps what it takes, and how its senders signed in."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.signed: list[tuple[str, str, str]] = []

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.original_content, EmailMessage, policy=policy.default)
        self.taken.append(message)
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"

    async def auth_PLAIN(self, server: SMTP, args: list[str]) -> AuthResult:
        said = args[1] if len(args) > 1 else (await server.challenge_auth("")).decode()
        identity, user, password = base64.b64decode(said).decode().split("\0")
        self.signed.append((identity, user, password))
        return AuthResult(success=password == "right", handled=False)


class WithDigest(Post):
    async def auth_CRAM__MD5(self, server: SMTP, args: list[str]) -> AuthResult:
        answer = await server.challenge_auth(CHALLENGE)
        user, _, digest = (b"" if answer is MISSING else answer).decode().partition(" ")
        self.signed.append(("", user, "by digest"))
        return AuthResult(success=digest == hmac.new(b"of-digest", CHALLENGE, hashlib.md5).hexdigest(), handled=False)


@pytest.fixture
def serve(free_ports: Any) -> Any:
    running: list[Controller] = []

    def start(handler: Post, *, implicit: bool = False, **options: Any) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(PEM)
        if implicit:
            options["ssl_context"] = context
        else:
            options = {"tls_context": context, "require_starttls": False, **options}
        controller = Controller(handler, hostname="127.0.0.1", port=free_ports(), ready_timeout=20, **options)
        controller.start()
        running.append(controller)
        return int(controller.port)

    yield start
    for controller in running:
        controller.stop()


def send(port: int, written: str = "", told: Any = None) -> Any:
    extra = f", {written}" if written else ""
    to = "to: 'Ana <ana@example.org>, bo@example.org', from: 'am@example.org'"
    return deliver("email", f"{{{to}, smarthost: '127.0.0.1:{port}'{extra}}}", told)


TRUST = f"tls_config: {{ca_file: '{PEM}'}}"


def test_tls_is_required_and_the_certificate_has_to_be_trusted(serve: Any) -> None:
    handler = Post()
    port = serve(handler)
    refused = send(port)
    assert (refused.outcome, "certificate" in refused.text.lower()) == ("temporary", True)
    assert send(port, TRUST).outcome == "accepted"
    wrong = f"tls_config: {{ca_file: '{PEM}', server_name: mail.example.org}}"
    assert send(port, wrong).outcome == "temporary"
    assert send(port, "tls_config: {insecure_skip_verify: true}").outcome == "accepted"
    assert send(port, "require_tls: false").outcome == "accepted"
    assert handler.recipients == [["ana@example.org", "bo@example.org"]] * 3


def test_tls_from_the_first_octet(serve: Any) -> None:
    handler = Post()
    port = serve(handler, implicit=True)
    assert send(port, f"force_implicit_tls: true, {TRUST}").outcome == "accepted"
    assert len(handler.taken) == 1


def test_who_we_are_is_said_on_behalf_of_another(serve: Any, tmp_path: Path) -> None:
    handler = Post()
    port = serve(handler, auth_required=True, auth_exclude_mechanism=["LOGIN"])
    file = tmp_path / "password"
    file.write_text("right\n")
    written = f"auth_username: am, auth_password_file: '{file}', auth_identity: ops, {TRUST}"
    assert send(port, written).outcome == "accepted"
    assert handler.signed == [("ops", "am", "right")]
    answer = send(port, f"auth_username: am, auth_password: s3cret-wrong, {TRUST}")
    assert (answer.outcome, answer.code, "s3cret" in answer.text) == ("permanent", 535, False)


def test_the_secret_is_for_the_digest(serve: Any) -> None:
    handler = WithDigest()
    port = serve(handler, auth_required=True, auth_exclude_mechanism=["LOGIN", "PLAIN"])
    assert send(port, f"auth_username: am, auth_secret: of-digest, {TRUST}").outcome == "accepted"
    assert handler.signed == [("", "am", "by digest")]
    assert send(port, f"auth_username: am, auth_secret: another, {TRUST}").outcome == "permanent"


def test_a_server_that_offers_no_way_to_sign_in_is_not_told_who_we_are(serve: Any) -> None:
    handler = Post()
    port = serve(handler, auth_exclude_mechanism=["LOGIN", "PLAIN"])
    assert send(port, f"auth_username: am, auth_password: right, {TRUST}").outcome == "accepted"
    assert handler.signed == []


def test_html_is_the_default_and_text_is_beside_it_where_asked_for(serve: Any) -> None:
    handler = Post()
    port = serve(handler)
    send(port, "require_tls: false")
    [first] = handler.taken
    assert first.get_content_type() == "text/html"
    assert "DiskFull" in first.get_content()
    assert str(first["Subject"]) == "[FIRING:1] DiskFull (a critical)"
    assert str(first["To"]) == "Ana <ana@example.org>, bo@example.org"
    send(port, "require_tls: false, text: 'state {{ .Status }}', headers: {subject: 'S {{ .Status }}', X-A: 'b'}")
    second = handler.taken[1]
    assert second.get_content_type() == "multipart/alternative"
    part = second.get_body(("plain",))
    assert part is not None
    assert part.get_content().strip() == "state firing"
    assert (str(second["Subject"]), str(second["X-A"])) == ("S firing", "b")
    send(port, "require_tls: false, html: '', text: 'only text'")
    assert handler.taken[2].get_content_type() == "text/plain"


def test_a_template_that_fails_still_sends_the_mail(serve: Any) -> None:
    handler = Post()
    port = serve(handler)
    failing = "'{{ (index .Alerts 9).Status }}'"
    answer = send(port, f"require_tls: false, html: {failing}, headers: {{Subject: {failing}}}")
    assert answer.outcome == "accepted"
    assert "2 templates that failed" in answer.text
    [mail] = handler.taken
    assert str(mail["Subject"]) == "[FIRING:1] DiskFull"
    assert "alertname=DiskFull" in mail.get_content()


@pytest.mark.parametrize(("by", "day"), [("none", ""), ("daily", "2026-11-22")])
def test_mails_of_a_group_are_one_conversation(serve: Any, by: str, day: str) -> None:
    handler = Post()
    port = serve(handler)
    for status in ("firing", "resolved"):
        send(port, f"require_tls: false, send_resolved: true, threading: {{enabled: true, thread_by_date: {by}}}", body(status))
    key = hashlib.sha256(b'{}:{alertname="DiskFull"}').hexdigest()[:16]
    for mail in handler.taken:
        assert str(mail["References"]) == str(mail["In-Reply-To"]) == f"<alert-{key}-{day}@alertmanager>"


def test_line_breaks_in_a_template_add_no_header(serve: Any) -> None:
    handler = Post()
    port = serve(handler)
    evil = body(x="a\r\nBcc: eve@example.org\r\n\r\nhi")
    send(port, "require_tls: false, headers: {Subject: '{{ .CommonAnnotations.x }}'}", evil)
    [mail] = handler.taken
    assert "Bcc" not in mail
    assert handler.recipients == [["ana@example.org", "bo@example.org"]]


def test_where_mail_goes_is_inherited_from_global() -> None:
    settings = (
        "global: {smtp_smarthost: 'relay:25', smtp_from: am@example.org, smtp_auth_username: u, smtp_auth_password: p, "
        f"smtp_require_tls: false, smtp_tls_config: {{ca_file: '{PEM}'}}, smtp_hello: us}}"
    )
    problems = Problems()
    made = config.load(receiver("email", "{to: a@b.c}", settings).encode(), "x.yml", problems)
    problems.raise_errors()
    mail: Any = made.receivers["all"].integrations["email/0"]
    assert (mail.smarthost, mail.from_, mail.auth_username, mail.auth_password.read(), mail.require_tls, mail.hello) == (
        "relay:25", "am@example.org", "u", "p", False, "us",
    )  # fmt: skip
    assert mail.tls_config.ca.file == str(PEM)
