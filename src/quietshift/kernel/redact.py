"""Secrets are taken out before anything is written: by the name of a field, and by the look of a value.

Texts come from outside and may be megabytes: every pattern reads them in linear time. It begins with something literal, and
what it runs over is either consumed or cannot be begun anew within.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

MASK = "[redacted]"
SHORT = 200  # characters
_NAMES = re.compile(
    r"pass(word|wd|phrase)?$|secret|token$|api_?key|private_?key|access_?key|authori[sz]ation|cookie|credential|routing_?key|dsn$",
    re.IGNORECASE,
)


def _whole(found: re.Match[str]) -> str:
    """A run that only begins like a JSON web token stays, but is not looked at again from its middle."""
    return MASK if found["rest"] else found[0]


_VALUES: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    # user:password@ in an address
    (re.compile(r"(?P<keep>://[^\s/:@]*+:)[^\s@/]++(?=@)"), r"\g<keep>" + MASK),
    (re.compile(r"(?P<keep>\b(?:bearer|basic|geniekey)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), r"\g<keep>" + MASK),
    (
        re.compile(
            r"(?P<keep>(?:password|passwd|secret|token|api[_-]?key|access[_-]?key)[\"']?\s*[=:]\s*[\"']?)(?!\[redacted)[^\s\"',;&]{3,}",
            re.IGNORECASE,
        ),
        r"\g<keep>" + MASK,
    ),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    # what stands for a key in the addresses of `alerts.events_api`
    (re.compile(r"(?P<keep>/(?:in|heartbeat)/)[A-Za-z0-9_-]{16,}"), r"\g<keep>" + MASK),
    # well-known shapes: AWS, GitHub, GitLab, Slack, Stripe, our own tokens, JSON web tokens
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
    (re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk_live_|rk_live_|qs_)[A-Za-z0-9_-]{16,}"), MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}+(?P<rest>\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*+)?"), _whole),
]


def redact_text(text: str) -> str:
    """The text with whatever looks like a secret replaced by `[redacted]`."""
    return _short(text) if len(text) <= SHORT else _redacted(text)


def _redacted(text: str) -> str:
    for pattern, replacement in _VALUES:
        text = pattern.sub(replacement, text)
    return text


_short = functools.lru_cache(4096)(_redacted)  # labels and their like: thousands of alerts in a storm say the same


def redact(value: Any) -> Any:
    """A JSON value with secrets replaced: whole values under telling names, and parts of texts by their look."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {k: MASK if isinstance(v, str) and v and _NAMES.search(str(k)) else redact(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value
