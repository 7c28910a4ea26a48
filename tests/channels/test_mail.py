"""Mail is handed to a real SMTP server, and what that server said is what is answered."""

import ssl
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from hypothesis import given
from hypothesis import strategies as st

from quietshift.channels import mail
from quietshift.channels.smarthost import Smarthost

AT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


def letter(**changes):
    given_values = {
        "sender": "Quietshift <pager@example.org>", "to": "ana@example.org", "subject": "[INC-1042] Git push fails",
        "text": "Git push fails\n", "message_id": "p1.0@shift.example.org", "at": AT,
    }
    return mail.compose(**{**given_values, **changes})


class Scripted:
    """aiosmtpd's handler; answers a step as told, and keeps what it took."""

    def __init__(self, **answers):
        self.answers, self.taken = answers, []

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.answers.get("mail", "250 OK")

    async def handle_RCPT(self, server, session, envelope, address, options):
        envelope.rcpt_tos.append(address)
        return self.answers.get("rcpt", "250 OK")

    async def handle_DATA(self, server, session, envelope):
        answer = self.answers.get("data", "250 2.0.0 Ok: queued as 4F1")
        if answer.startswith("250"):
            self.taken.append(envelope)
        return answer


@pytest.fixture
def serve(free_ports):
    running = []

    def start(handler=None, **options):
        controller = Controller(handler or Scripted(), hostname="127.0.0.1", port=free_ports(), ready_timeout=20, **options)
        controller.start()
        running.append(controller)
        return controller

    yield start
    for controller in running:
        controller.stop()


def host_of(controller, **options):
    return Smarthost(controller.hostname, controller.port, **{"tls": "none", **options})


def test_the_answer_to_the_message_itself_is_kept(serve):
    handler = Scripted()
    answer = mail.send(host_of(serve(handler)), letter())
    assert (answer.outcome, answer.code, answer.text) == ("accepted", 250, "250 2.0.0 Ok: queued as 4F1")
    [envelope] = handler.taken
    assert (envelope.mail_from, envelope.rcpt_tos) == ("pager@example.org", ["ana@example.org"])


@pytest.mark.parametrize(
    ("step", "said", "outcome", "code"),
    [
        ("data", "451 4.7.1 Greylisted, try again", "temporary", 451),
        ("data", "554 5.7.1 Rejected as spam", "permanent", 554),
        ("rcpt", "450 4.2.1 Mailbox busy", "temporary", 450),
        ("rcpt", "550 5.1.1 No such user", "permanent", 550),
        ("mail", "452 4.3.1 Disk full", "temporary", 452),
        ("mail", "553 5.7.1 Sender refused", "permanent", 553),
    ],
)
def test_4xx_is_temporary_and_5xx_is_permanent_at_each_step(serve, step, said, outcome, code):
    handler = Scripted(**{step: said})
    answer = mail.send(host_of(serve(handler)), letter())
    assert (answer.outcome, answer.code, answer.text) == (outcome, code, said)
    assert handler.taken == []


def test_a_refused_connection_is_temporary_and_names_the_server(free_port):
    answer = mail.send(Smarthost("127.0.0.1", free_port, "none"), letter())
    assert (answer.outcome, answer.code) == ("temporary", None)
    assert f"127.0.0.1:{free_port}" in answer.text


def test_a_server_that_says_nothing_is_left_after_the_time_given():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = mail.send(Smarthost("127.0.0.1", silent.getsockname()[1], "none"), letter(), timeout=0.3)
    assert answer.outcome == "temporary"
    assert "timed out" in answer.text


@pytest.fixture(scope="module")
def certificate():
    """The two ends of TLS on 127.0.0.1: a key of these tests, and who trusts it alone."""
    pem = Path(__file__).with_name("loopback.pem")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cadata=pem.read_text().partition("-----END PRIVATE KEY-----")[2])


def test_starttls_is_used_and_the_password_is_sent_inside_it(serve, certificate):
    server_side, client_side = certificate
    seen = []

    def check(server, session, envelope, mechanism, data):
        seen.append((session.ssl is not None, data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)

    controller = serve(tls_context=server_side, require_starttls=True, authenticator=check, auth_required=True)
    right = host_of(controller, tls="starttls", username="qs", password="right", context=client_side)
    assert mail.send(right, letter()).outcome == "accepted"
    assert seen == [(True, b"qs", b"right")]
    wrong = host_of(controller, tls="starttls", username="qs", password="wrong", context=client_side)
    answer = mail.send(wrong, letter())
    assert (answer.outcome, answer.code) == ("permanent", 535)


def test_a_certificate_that_is_not_trusted_gets_no_mail(serve, certificate):
    handler = Scripted()
    controller = serve(handler, tls_context=certificate[0], require_starttls=True)
    answer = mail.send(host_of(controller, tls="starttls"), letter())
    assert answer.outcome == "temporary"
    assert "CERTIFICATE_VERIFY_FAILED" in answer.text
    assert handler.taken == []


def test_tls_is_spoken_from_the_first_octet_where_asked(serve, certificate):
    handler = Scripted()
    controller = serve(handler, ssl_context=certificate[0])
    assert mail.send(host_of(controller, tls="tls", context=certificate[1]), letter()).outcome == "accepted"
    assert len(handler.taken) == 1


def test_a_server_without_starttls_is_no_place_for_mail_that_wants_it(serve):
    handler = Scripted()
    answer = mail.send(host_of(serve(handler), tls="starttls"), letter())
    assert answer.outcome == "permanent"
    assert "STARTTLS" in answer.text
    assert handler.taken == []


def test_addresses_beyond_ascii_are_sent_as_far_as_the_server_takes_them(serve):
    with_utf8, without = Scripted(), Scripted()
    assert mail.send(host_of(serve(with_utf8, enable_SMTPUTF8=True)), letter(to="änne@example.org")).outcome == "accepted"
    assert with_utf8.taken[0].rcpt_tos == ["änne@example.org"]
    answer = mail.send(host_of(serve(without, enable_SMTPUTF8=False)), letter(to="änne@example.org"))
    assert (answer.outcome, without.taken) == ("permanent", [])
    assert mail.send(host_of(serve(with_utf8, enable_SMTPUTF8=False)), letter(to="ana@bücher.example")).outcome == "accepted"
    assert with_utf8.taken[1].rcpt_tos == ["ana@xn--bcher-kva.example"]


def test_mails_of_one_incident_form_a_thread_and_are_no_reason_for_a_vacation_notice():
    message = letter(references=["incident-1042@shift.example.org"])
    assert message["Message-ID"] == "<p1.0@shift.example.org>"
    assert message["In-Reply-To"] == message["References"] == "<incident-1042@shift.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(message["Date"]) == AT


def test_a_long_link_stays_on_one_line_of_the_mail_as_it_is_sent():
    link = "https://shift.example.org/p/" + "a" * 300
    assert link.encode() in letter(text=f"ack: {link}\n").as_bytes()


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_subject_and_no_text_adds_a_header(subject, text):
    raw = letter(subject=subject, headers={"X-Why": subject}, text=text.encode("utf-8", "replace").decode()).as_bytes()
    read = message_from_bytes(raw, policy=policy.default)
    known = {
        "from", "to", "subject", "date", "message-id", "auto-submitted", "x-why", "mime-version", "content-type",
        "content-transfer-encoding",
    }  # fmt: skip
    assert {key.lower() for key in read} <= known
    assert read.get_all("To") == ["ana@example.org"]


@pytest.mark.parametrize("address", ["ana@example.org\r\nBcc: bo@example.org", "ana@example.org, bo@example.org", "ana"])
def test_an_address_that_is_more_than_one_address_is_refused(address):
    with pytest.raises(ValueError, match="not a mail address"):
        letter(to=address)
