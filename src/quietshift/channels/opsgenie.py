"""Opsgenie's Alert API. Source: docs.opsgenie.com, "Alert API"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from quietshift.channels import http
from quietshift.channels.access import OPEN, HttpAccess
from quietshift.kernel.answer import Answer

MAX_MESSAGE = 130  # characters


class Call(NamedTuple):
    """path: below the API's address, with its query."""

    method: str
    path: str
    body: Mapping[str, Any]


def create(alert: Mapping[str, Any]) -> Call:
    return Call("POST", "v2/alerts", alert)


def close(alias: str, source: str) -> Call:
    return Call("POST", f"v2/alerts/{alias}/close?identifierType=alias", {"source": source})


def change(alias: str, field: str, value: str) -> Call:
    """Another `message` or `description` for an alert that is there."""
    return Call("PUT", f"v2/alerts/{alias}/{field}?identifierType=alias", {field: value} if value else {})


def ask(url: str, key: str, calls: Sequence[Call], access: HttpAccess = OPEN, timeout: float = http.TIMEOUT) -> Answer:
    """Make the calls in order, until one is not accepted. url: of the API, ends with `/`."""
    answer = Answer("permanent", "nothing to say")
    for call in calls:
        made = http.post_json(f"{url}{call.path}", call.body, {"Authorization": f"GenieKey {key}"}, (key,))
        answer = http.send(http.Request(call.method, made.url, made.content, made.headers, made.secrets), access, timeout)
        if answer.outcome != "accepted":
            break
    return answer
