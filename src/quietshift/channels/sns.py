"""Amazon SNS: Publish by its query API, signed (signature version 4). Sources: docs.aws.amazon.com, "SNS API: Publish" and
"Create a signed AWS API request"."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

from quietshift.channels import http
from quietshift.channels.access import OPEN, HttpAccess
from quietshift.kernel.answer import Answer

MAX_MESSAGE, MAX_SMS = 256 * 1024, 1600  # octets
_MESSAGE = re.compile(rb"<Message>(.{1,500}?)</Message>", re.DOTALL)


@dataclass(frozen=True)
class Credentials:
    """token: of a session, empty for lasting ones."""

    access_key: str
    secret_key: str
    token: str = ""

    def __repr__(self) -> str:
        return "Credentials(***)"


def publish(
    url: str, region: str, who: Credentials, parameters: Mapping[str, str], attributes: Mapping[str, str], at: datetime,
    access: HttpAccess = OPEN, timeout: float = http.TIMEOUT,
) -> Answer:  # fmt: skip
    """Publish a message. url: empty for Amazon's of the region. parameters: `Message`, `TopicArn` ... as the API names them."""
    form = {"Action": "Publish", "Version": "2010-03-31", **parameters}
    for number, (name, value) in enumerate(sorted(attributes.items()), start=1):
        entry = f"MessageAttributes.entry.{number}"
        form |= {f"{entry}.Name": name, f"{entry}.Value.DataType": "String", f"{entry}.Value.StringValue": value}
    request = signed(url or f"https://sns.{region}.amazonaws.com/", region, "sns", who, form, at)
    try:
        reply = http.exchange(request, access, timeout)
    except http.Failed as failed:
        return failed.answer
    return http.judge(reply, told=_words(reply.body))


def signed(url: str, region: str, service: str, who: Credentials, form: Mapping[str, str], at: datetime) -> http.Request:
    """A POST of this form, signed by these credentials at this instant."""
    content = urlencode(sorted(form.items()), quote_via=quote).encode()
    parts = urlsplit(url)
    stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8", "host": parts.netloc.rpartition("@")[2],
        "x-amz-date": stamp, **({"x-amz-security-token": who.token} if who.token else {}),
    }  # fmt: skip
    names = ";".join(sorted(headers))
    canonical = "\n".join([
        "POST", quote(parts.path or "/", safe="/-_.~"), parts.query, *(f"{name}:{headers[name]}" for name in sorted(headers)), "",
        names, hashlib.sha256(content).hexdigest(),
    ])  # fmt: skip
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{who.secret_key}".encode()
    for part in (stamp[:8], region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    del headers["host"]  # the client writes it itself
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={who.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return http.Request("POST", url, content, headers, (who.secret_key, who.access_key, who.token, signature))


def _words(body: bytes) -> str | None:
    found = _MESSAGE.search(body)
    return found[1].decode("utf-8", "replace") if found else None
