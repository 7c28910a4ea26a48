"""Acknowledge links: signed, bound to one person, incident and page, good for a while. `/p/<token>`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from quietshift.kernel.clock import from_micros, to_micros
from quietshift.kernel.errors import Invalid, QuietshiftError

PATH = "/p/"
_SIGNATURE = 16  # octets of HMAC-SHA256: 128 bits, short enough for a text message
_MAX = 1000


class Expired(QuietshiftError):
    """The link was good until an instant that is past; `link` says for whom and what it was."""

    status = 410
    title = "Link expired"

    def __init__(self, link: AckLink) -> None:
        super().__init__(f"this link was good until {link.expires_at:%Y-%m-%d %H:%M} UTC: sign in, or take that of a newer page")
        self.link = link


@dataclass(frozen=True)
class AckLink:
    """Whom a link was sent to, for which incident and page; incident_id None: for every page of the bundle `page_id`."""

    incident_id: int | None
    user: str
    page_id: str
    expires_at: datetime


def make(secret: bytes, incident_id: int | None, user: str, page_id: str, now: datetime, ttl: timedelta) -> str:
    """A token that `read` understands until now + ttl (whole seconds)."""
    expires = to_micros(now + ttl) // 1_000_000
    body = json.dumps([incident_id, user, page_id, expires], separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(_sign(secret, body) + body).rstrip(b"=").decode()


def read(secret: bytes, token: str, now: datetime) -> AckLink:
    """Whom and what the token stands for. Raises Invalid where we did not sign it, Expired where its time is over."""
    try:
        if len(token) > _MAX:
            raise ValueError("too long")
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        signature, body = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not hmac.compare_digest(signature, _sign(secret, body)):
            raise ValueError("signature")
        incident_id, user, page_id, expires = json.loads(body)
    except (ValueError, binascii.Error):
        raise Invalid("this link is not whole, or not from here: open it again from the page you were sent") from None
    link = AckLink(incident_id, user, page_id, from_micros(expires * 1_000_000))
    if now >= link.expires_at:
        raise Expired(link)
    return link


def _sign(secret: bytes, body: bytes) -> bytes:
    return hmac.new(secret, b"quietshift ack link 1\n" + body, hashlib.sha256).digest()[:_SIGNATURE]
