"""Mail by SMTP. The server's own answer is kept: its code and its words are the proof that it took the message."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr
from functools import cache

from quietshift.channels.parse import mail_address
from quietshift.channels.smarthost import Smarthost
from quietshift.channels.words import answer_text
from quietshift.kernel.answer import Answer
from quietshift.kernel.clock import aware

__all__ = ["Smarthost", "compose", "one_line", "send"]

TIMEOUT = 30.0  # seconds for the whole conversation; half of an outbox lease
STEP_TIMEOUT = 10.0  # seconds for one answer
_LINE = 990  # RFC 5321: 998 octets a line


def compose(
    *,
    sender: str,
    to: str,
    subject: str,
    text: str,
    message_id: str,
    at: datetime,
    html: str = "",
    references: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> EmailMessage:
    """A mail of plain text, of HTML, or of both. Line breaks cannot get into a header.

    message_id, references: without angle brackets; the last of `references` is what it answers. at: its date, an instant.
    sender: `local@domain` or `Name <local@domain>`. Raises ValueError for addresses that are none.
    """
    message = EmailMessage(policy.SMTP)
    name, address = parseaddr(sender)
    message["From"] = formataddr((one_line(name), mail_address(address)))
    message["To"] = mail_address(to)
    message["Subject"] = one_line(subject)
    message["Date"] = format_datetime(aware(at))
    message["Message-ID"] = f"<{one_line(message_id)}>"
    if references:
        message["In-Reply-To"] = f"<{one_line(references[-1])}>"
        message["References"] = " ".join(f"<{one_line(reference)}>" for reference in references)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice answers a page
    for key, value in (headers or {}).items():
        message[key] = one_line(value)
    if html and not text:
        message.set_content(html, subtype="html", cte="quoted-printable")
        return message
    # 7bit where it can be, so that no link is broken by an encoding
    plain = text.isascii() and all(len(line) < _LINE for line in text.splitlines())
    message.set_content(text, cte="7bit" if plain else "quoted-printable")
    if html:
        message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def one_line(text: str) -> str:
    """The text without line breaks and control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def send(smarthost: Smarthost, message: EmailMessage, recipients: Sequence[str] = (), timeout: float = TIMEOUT) -> Answer:
    """Hand the message to the server; returns its answer to the message itself, or to the step that failed.

    recipients: default, whom `To` names; all of them or none: one that is refused refuses the mail. 4xx, refused and broken
    connections are temporary, 5xx and addresses that cannot be sent to are permanent. Raises nothing.
    """
    deadline = time.monotonic() + timeout
    to = list(recipients) or [parseaddr(str(message["To"]))[1]]
    try:
        smtp = _connect(smarthost, min(STEP_TIMEOUT, timeout))
        try:
            return _converse(smtp, smarthost, message, to, deadline)
        finally:
            _goodbye(smtp)
    except smtplib.SMTPResponseException as error:
        return _answer(error.smtp_code, _bytes(error.smtp_error))
    except ssl.SSLCertVerificationError as error:
        return Answer("temporary", answer_text(f"{smarthost.host}:{smarthost.port}: certificate: {error}"))
    except smtplib.SMTPNotSupportedError as error:
        return Answer("permanent", answer_text(str(error)))
    except UnicodeError:
        return Answer("permanent", "an address has a domain that cannot be written in ASCII")
    except TimeoutError:
        return Answer("temporary", f"{smarthost.host}:{smarthost.port} did not answer in time")
    except (smtplib.SMTPException, OSError) as error:
        return Answer("temporary", answer_text(f"{smarthost.host}:{smarthost.port}: {error or type(error).__name__}"))


def _connect(smarthost: Smarthost, timeout: float) -> smtplib.SMTP:
    hello = smarthost.hello or _our_name()
    if smarthost.tls == "tls":
        return _Ssl(smarthost, hello, timeout)
    return smtplib.SMTP(smarthost.host, smarthost.port, hello, timeout=timeout)


class _Ssl(smtplib.SMTP_SSL):
    """TLS from the first octet; the certificate may have to name another host than the one connected to."""

    def __init__(self, smarthost: Smarthost, hello: str, timeout: float) -> None:
        self._name = smarthost.server_name or smarthost.host
        super().__init__(smarthost.host, smarthost.port, hello, timeout=timeout, context=_context(smarthost))

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        try:
            return self.context.wrap_socket(plain, server_hostname=self._name)
        except BaseException:
            plain.close()
            raise


@cache
def _our_name() -> str:
    """Asked once: smtplib would ask the resolver for every mail, and wait for it where it is down."""
    return socket.getfqdn()


def _context(smarthost: Smarthost) -> ssl.SSLContext:
    return smarthost.context or ssl.create_default_context()


def _converse(
    smtp: smtplib.SMTP, smarthost: Smarthost, message: EmailMessage, to: list[str], deadline: float
) -> Answer:
    _hurry(smtp, deadline)
    smtp.ehlo_or_helo_if_needed()
    if smarthost.tls == "starttls":
        _hurry(smtp, deadline)
        if smarthost.server_name:
            vars(smtp)["_host"] = smarthost.server_name  # smtplib has no argument for whom the certificate has to name
        code, words = smtp.starttls(context=_context(smarthost))
        if code != 220:
            return _answer(code, words)
        smtp.ehlo_or_helo_if_needed()
    if smarthost.username:
        _hurry(smtp, deadline)
        _introduce(smtp, smarthost)
    sender = _ascii_domain(parseaddr(str(message["From"]))[1])
    to = [_ascii_domain(address) for address in to]
    utf8 = not all(address.isascii() for address in (sender, *to))
    if utf8 and not smtp.has_extn("smtputf8"):
        return Answer("permanent", "the mail server takes no address with letters beyond ASCII (no SMTPUTF8)")
    if utf8:
        smtp.command_encoding = "utf-8"
    content = message.as_bytes(policy=policy.SMTPUTF8 if utf8 else policy.SMTP)
    _hurry(smtp, deadline)
    code, words = smtp.mail(sender, ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else [])
    if code // 100 != 2:
        return _answer(code, words)
    for address in to:
        _hurry(smtp, deadline)
        code, words = smtp.rcpt(address)
        if code // 100 != 2:
            return _answer(code, words)
    _hurry(smtp, deadline)
    code, words = smtp.data(content)
    return _answer(code, words)


def _introduce(smtp: smtplib.SMTP, smarthost: Smarthost) -> None:
    """Sign in by the first way that the server offers and we have what it takes for: CRAM-MD5 (secret), PLAIN, LOGIN (password).

    A server that offers none is not told who we are, as Alertmanager does; it says itself if that is not enough.
    """
    offered = smtp.esmtp_features.get("auth", "").upper().split()
    if not offered:
        return
    smtp.user, smtp.password = smarthost.username, smarthost.password
    plain = f"{smarthost.identity}\0{smarthost.username}\0{smarthost.password}"
    for way in offered:
        if way == "CRAM-MD5" and (smarthost.secret or not {"PLAIN", "LOGIN"} & set(offered)):
            smtp.password = smarthost.secret or smarthost.password
            smtp.auth("CRAM-MD5", smtp.auth_cram_md5)
            return
        if way == "PLAIN" and smarthost.password:
            smtp.auth("PLAIN", lambda _challenge=None: plain)
            return
        if way == "LOGIN" and smarthost.password:
            smtp.auth("LOGIN", smtp.auth_login)
            return
    raise smtplib.SMTPException(f"the mail server takes {', '.join(offered)}, for which there is no password")


def _goodbye(smtp: smtplib.SMTP) -> None:
    """QUIT, and no answer waited for: what was said of the message stands, whatever happens to the connection."""
    with contextlib.suppress(smtplib.SMTPException, OSError):
        smtp.putcmd("quit")
    smtp.close()


def _hurry(smtp: smtplib.SMTP, deadline: float) -> None:
    """What is left of the time is all that the next answer may take."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    if isinstance(smtp.sock, socket.socket):
        smtp.sock.settimeout(min(left, STEP_TIMEOUT))


def _answer(code: int, words: bytes) -> Answer:
    text = answer_text(b"%d %s" % (code, words))
    if code // 100 == 2:
        return Answer("accepted", text, code)
    # -1 and the like: a broken conversation, not a refusal
    return Answer("permanent" if code // 100 == 5 else "temporary", text, code if code > 0 else None)


def _bytes(words: bytes | str) -> bytes:
    return words if isinstance(words, bytes) else words.encode()


def _ascii_domain(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain if domain.isascii() else domain.encode('idna').decode()}"
