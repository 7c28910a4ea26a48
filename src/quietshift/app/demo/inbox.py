"""The people's devices: phones, which a webhook makes ring, and a mailbox behind a real SMTP server."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

_LINK = re.compile(r"https?://[^\s<>\"]+/p/[^\s<>\"]+")
MAX_CALLS = 50  # kept of each person; a demo may run for days


@dataclass(frozen=True)
class Call:
    """A phone rang: the page as it was posted."""

    at: datetime
    user: str
    page_id: str
    attempt: int
    incident: str  # INC-1042
    title: str
    acknowledge_url: str


@dataclass(frozen=True)
class Mail:
    """A mail arrived. link: the acknowledge link in it, or empty."""

    at: datetime
    to: str
    subject: str
    text: str
    link: str


class Devices:
    """What has arrived so far. Threads wait for more."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[Call] = []
        self._mails: list[Mail] = []

    def ring(self, user: str, page: dict[str, Any]) -> None:
        """A page as the webhook channel posts it. Raises ValueError where it is none."""
        try:
            incident = page["incident"]
            call = Call(
                datetime.now(UTC), user, str(page["page_id"]), int(page["attempt"]), str(incident["id"]),
                str(incident["title"]), str(page["acknowledge_url"]),
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a page: {error!r}") from None
        with self._changed:
            self._calls = [*self._calls, call][-MAX_CALLS:]
            self._changed.notify_all()

    def deliver(self, mail: Mail) -> None:
        with self._changed:
            self._mails = [*self._mails, mail][-MAX_CALLS:]
            self._changed.notify_all()

    def calls(self, user: str = "") -> list[Call]:
        """Oldest first; of one person."""
        with self._changed:
            return [call for call in self._calls if not user or call.user == user]

    def mails(self, to: str = "") -> list[Mail]:
        """Oldest first; to one address."""
        with self._changed:
            return [mail for mail in self._mails if not to or mail.to == to]

    def wait(self, condition: Callable[[], bool], within: float) -> bool:
        """Whether the condition came true within so many seconds; looked at whenever something arrives."""
        with self._changed:
            return self._changed.wait_for(condition, within)


class MailServer:
    """An SMTP server on loopback that delivers to the devices."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: SMTP(self, hostname="inbox", loop=self._loop), "127.0.0.1", 0)
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp", daemon=True)
        self._thread.start()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        message = email.message_from_bytes(content, EmailMessage, policy=email.policy.default)
        part = message.get_body(("plain",))
        text = str(part.get_content()).replace("\r\n", "\n") if part else ""
        found = _LINK.search(text)
        for recipient in envelope.rcpt_tos:
            self._devices.deliver(Mail(datetime.now(UTC), recipient, str(message["Subject"]), text, found[0] if found else ""))
        return "250 delivered to the demo's inbox"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
