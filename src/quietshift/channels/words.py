"""A provider's own words, made fit to be stored and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quietshift.channels.parse import mask
from quietshift.kernel.redact import redact_text

KEPT = 500  # characters of an answer


def answer_text(text: str | bytes, url: str = "") -> str:
    """One line of at most 500 characters: no control characters, no secrets, the destination masked where it is repeated."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if url:
        text = text.replace(url, mask(url))
    line = "".join(c if c.isprintable() else " " for c in text)
    return redact_text(" ".join(line.split()))[:KEPT]


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty: false, zero, no text, no members."""
    return {name: value for name, value in values.items() if value}
