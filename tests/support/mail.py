"""A real SMTP server that keeps what it accepts, and refuses what it is told to."""

import email
import email.policy
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.ports import free_port


@dataclass(frozen=True)
class Mail:
    """One accepted message. `received_at`: aware UTC, when its last byte had come."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    received_at: datetime

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text part; empty where there is none."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()).replace("\r\n", "\n") if part else ""


class Mailbox:
    """aiosmtpd's handler: keeps messages, answers RCPT as scripted."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._mails: list[Mail] = []
        self._refusals: dict[str, list[str]] = {}

    def refuse(self, recipient: str, *answers: str) -> None:
        """The next RCPTs of `recipient` get these answers ("451 try later", "550 no such user"), one each."""
        with self._changed:
            self._refusals.setdefault(recipient, []).extend(answers)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        with self._changed:
            if answers := self._refusals.get(address):
                return answers.pop(0)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        message = email.message_from_bytes(content, EmailMessage, policy=email.policy.default)
        mail = Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), message, datetime.now(UTC))
        with self._changed:
            self._mails.append(mail)
            self._changed.notify_all()
        return "250 OK"

    def mails(self, to: str | None = None) -> list[Mail]:
        """What has come so far, oldest first; `to`: for this recipient only."""
        with self._changed:
            return [mail for mail in self._mails if to is None or to in mail.recipients]

    def wait_for(
        self, count: int = 1, *, to: str | None = None, within: float = 10, where: Callable[[Mail], bool] | None = None
    ) -> list[Mail]:
        """The mails that match, once there are `count`; AssertionError after `within` seconds says what came instead."""

        def matching() -> list[Mail]:
            return [mail for mail in self.mails(to) if where is None or where(mail)]

        with self._changed:
            self._changed.wait_for(lambda: len(matching()) >= count, within)
            found, everything = matching(), [(mail.recipients, mail.subject) for mail in self._mails]
        assert len(found) >= count, f"{len(found)} of {count} mails to {to or 'anybody'} in {within} s; all: {everything}"
        return found


class MailServer(Mailbox):
    """The running server: `host`, `port`, and the mailbox."""

    def __init__(self) -> None:
        super().__init__()
        self.host = "127.0.0.1"
        self.port = free_port()
        self._controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self, hostname=self.host, port=self.port, ready_timeout=20)
        self._controller.start()

    def stop(self) -> None:
        """Connections are refused until `start`; what was accepted is kept."""
        if self._controller:
            self._controller.stop()
            self._controller = None


@pytest.fixture
def smtp_server() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.stop()
