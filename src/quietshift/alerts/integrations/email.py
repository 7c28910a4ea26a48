"""email_configs: a mail of HTML, of text, or of both."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import getaddresses
from typing import ClassVar

import msgspec

from quietshift.alerts.integrations.fields import HostPort, Text, Texts, absent
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import Kind
from quietshift.alerts.integrations.saying import Saying
from quietshift.alerts.model import Notifier
from quietshift.channels import mail, tls
from quietshift.channels.access import NONE, Secret, Tls
from quietshift.channels.smarthost import Smarthost
from quietshift.channels.smarthost import Tls as Tls_
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node

TIMEOUT = 20.0  # seconds for the whole conversation
SUBJECT = '{{ template "email.default.subject" . }}'


class Threading(msgspec.Struct, frozen=True):
    """enabled: mails of a group are shown as one conversation. thread_by_date: `daily` begins another one each day."""

    enabled: bool = False
    thread_by_date: str = ""


class Email(Notifier, frozen=True, kw_only=True):
    """An entry of email_configs, the defaults of `global` filled in."""

    kind: ClassVar[str] = "email"
    send_resolved: bool = False
    to: Text = ""
    from_: Text = ""
    hello: str = "localhost"
    smarthost: HostPort = ""
    auth_username: str = ""
    auth_password: Secret = NONE
    auth_secret: Secret = NONE
    auth_identity: str = ""
    headers: Texts = msgspec.field(default_factory=dict)
    html: Text = '{{ template "email.default.html" . }}'
    text: Text = ""
    require_tls: bool = True
    force_implicit_tls: bool | None = None
    tls_config: Tls = Tls()
    threading: Threading = Threading()

    @property
    def whom(self) -> str:
        return self.to


INHERITS = {
    "from_": "smtp_from", "hello": "smtp_hello", "smarthost": "smtp_smarthost", "auth_username": "smtp_auth_username",
    "auth_password": "smtp_auth_password", "auth_secret": "smtp_auth_secret", "auth_identity": "smtp_auth_identity",
    "require_tls": "smtp_require_tls", "force_implicit_tls": "smtp_force_implicit_tls", "tls_config": "smtp_tls_config",
}  # fmt: skip


def _finish(made: Email, node: Node, _settings: Global) -> Email:
    written = node.entries()
    headers: dict[str, str] = {}
    for name, value in written["headers"].entries().items() if "headers" in written else ():
        canonical = "-".join(part.capitalize() for part in name.split("-"))
        if canonical in headers:
            value.error(f"header {canonical} is given twice")
        if "\n" in value.text() or "\r" in value.text():
            value.error("a header has no line breaks")
        headers[canonical] = value.text()
    if made.threading.enabled:
        if made.threading.thread_by_date not in ("none", "daily"):
            written["threading"].error("thread_by_date has to be none or daily")
        for name in ("References", "In-Reply-To"):
            if name in headers:
                written["headers"].error(f"with threading there is no header {name}: it is set by it")
    if not made.to:
        absent(node, "to")
    if not made.smarthost:
        node.error("no smarthost: set it here or as global.smtp_smarthost")
    if not made.from_:
        node.error("no sender: set `from` here or global.smtp_from")
    return msgspec.structs.replace(made, headers=headers)


def send(to: Email, saying: Saying) -> Answer:
    """Hand it to the mail server, whose 5xx is final; everything else is tried again."""
    implicit = to.smarthost.endswith(":465") if to.force_implicit_tls is None else to.force_implicit_tls
    kind: Tls_ = "tls" if implicit else "starttls" if to.require_tls else "none"
    place = Smarthost.at(to.smarthost)
    relay = Smarthost(
        place.host, place.port, kind, to.auth_username, to.auth_password.read(), to.hello,
        tls.context(to.tls_config) if kind != "none" and to.tls_config != Tls() else None,
        to.auth_secret.read(), to.auth_identity, to.tls_config.server_name,
    )  # fmt: skip
    message, recipients = _compose(to, saying)
    return mail.send(relay, message, recipients, TIMEOUT)


def _compose(to: Email, saying: Saying) -> tuple[EmailMessage, list[str]]:
    recipients = saying.text(to.to)
    addresses = [address for _, address in getaddresses([recipients])]
    if not addresses or not all(addresses):
        raise ValueError("no address in `to`")
    headers = {name: saying.text(value, saying.title()) for name, value in to.headers.items()}
    subject = headers.pop("Subject", None)
    if subject is None:
        subject = saying.text(SUBJECT, saying.title())
    html = saying.html(to.html) if to.html else ""
    text = saying.text(to.text, saying.summary()) if to.text else ""
    if not text and not html:
        text = saying.explained(saying.summary())  # what had to be said could not be rendered, or nothing had to be said
    message = mail.compose(
        sender=saying.text(to.from_), to=addresses[0], subject=subject, text=text, html=html,
        message_id=f"{saying.id}@quietshift", at=saying.at, references=_thread(to, saying),
    )  # fmt: skip
    for name, value in {"To": recipients, **headers}.items():
        del message[name]
        message[name] = mail.one_line(value)
    return message, addresses


def _thread(to: Email, saying: Saying) -> tuple[str, ...]:
    """What the mail answers: nothing that was ever sent, but the same for all mails of the group (and the day)."""
    if not to.threading.enabled:
        return ()
    day = _day(saying.at) if to.threading.thread_by_date == "daily" else ""
    return (f"alert-{saying.key[:16]}-{day}@alertmanager",)


def _day(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d")


KIND = Kind(Email, send, INHERITS, _finish)
