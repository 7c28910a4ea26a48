"""Label sets: their names, their order, their fingerprints and how Alertmanager writes them.

A label set is a dict sorted by name, without empty values. Sources: prometheus/common (model.LabelSet), Alertmanager's model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from quietshift.alerts.syntax import is_name, is_plain, is_utf8, name_rule

Labels = dict[str, str]

MAX_TEXT = 255  # characters of a label that is made of another tool's text
_FNV_OFFSET = 14695981039346656037
_FNV_PRIME = 1099511628211
_WORD = (1 << 64) - 1
_GO_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
}


def label_set(pairs: Mapping[str, str]) -> Labels:
    """Sorted by name, empty values stripped. Raises ValueError naming the label that cannot be one."""
    labels = {name: pairs[name] for name in sorted(pairs) if pairs[name]}
    for name, value in labels.items():
        if not is_name(name):
            raise ValueError(f"{name!r} is not a label name ({name_rule()})")
        if not value.isascii() and not is_utf8(value):
            raise ValueError(f"the value of label {name!r} is not valid UTF-8")
    return labels


def canonical(labels: Labels) -> bytes:
    """What is fingerprinted of a label set: sorted names and values, each closed by 0xff (no UTF-8 text holds that byte)."""
    return b"".join(part.encode() + b"\xff" for pair in labels.items() for part in pair)


def fingerprint(labels: Labels) -> str:
    """Alertmanager's fingerprint of a label set: FNV-1a of 64 bits over its canonical bytes, 16 hexadecimal digits."""
    state = _FNV_OFFSET
    for byte in canonical(labels):
        state = ((state ^ byte) * _FNV_PRIME) & _WORD
    return f"{state:016x}"


def identity(labels: Labels) -> int:
    """A signed 64-bit digest of a label set: what tells alerts apart. Of its JSON, which is made ten times faster than its
    canonical bytes, and is as unambiguous."""
    return int.from_bytes(blake2b(msgspec.json.encode(labels), digest_size=8).digest(), signed=True)


def digest(*parts: str) -> int:
    """A signed 64-bit digest of texts that may be too long for an index."""
    return int.from_bytes(blake2b(msgspec.json.encode(parts), digest_size=8).digest(), signed=True)


def go_quote(text: str) -> str:
    """The text in double quotes as Go's %q prints it: group keys are made of it."""
    return '"' + "".join(map(_go_char, text)) + '"'


def _go_char(char: str) -> str:
    escaped = _GO_ESCAPES.get(char)
    if escaped is not None:
        return escaped
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def text(labels: Mapping[str, str]) -> str:
    """As Alertmanager prints a label set: `{alertname="X", job="y"}`; a name that needs quotes is quoted, as in matchers."""
    pairs = (f"{name if is_plain(name) else go_quote(name)}={go_quote(value)}" for name, value in labels.items())
    return "{" + ", ".join(sorted(pairs)) + "}"


class Order:
    """Sort key of label sets: fewer labels first, then by the first label that differs; one that is absent comes first."""

    __slots__ = ("labels",)

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels

    def __lt__(self, other: Order) -> bool:
        mine, theirs = self.labels, other.labels
        if len(mine) != len(theirs):
            return len(mine) < len(theirs)
        for name in sorted({*mine, *theirs}):
            if name not in mine:
                return True
            if name not in theirs:
                return False
            if mine[name] != theirs[name]:
                return mine[name] < theirs[name]
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Order) and self.labels == other.labels

    __hash__ = None  # type: ignore[assignment]  # a sort key, never a dict key


def notification_order(labels: Mapping[str, str]) -> tuple[bool, str, bool, str, Order]:
    """Sort key of the alerts of one notification: by job, by instance (those without one last), then by all labels."""
    job, instance = labels.get("job"), labels.get("instance")
    return (job is None, job or "", instance is None, instance or "", Order(labels))


def notification_orders(sets: Sequence[Mapping[str, str]]) -> list[tuple[Any, ...]]:
    """Sort keys of the alerts of one notification, in the order of `notification_order`; plain ones, which compare at once,
    where all have labels of the same names."""
    if len({tuple(labels) for labels in sets}) > 1:
        return [notification_order(labels) for labels in sets]
    return [(labels.get("job", ""), labels.get("instance", ""), *labels.values()) for labels in sets]


def common(sets: Sequence[Mapping[str, str]]) -> Labels:
    """The pairs that all of these sets have; nothing for no set. What one has empty, the others need not have."""
    if not sets:
        return {}
    first, *rest = sets
    return {name: value for name, value in first.items() if all(other.get(name, "") == value for other in rest)}


def one_line(text: str) -> str:
    """Another tool's text as a label has it: on one line, not too long, without what databases cannot store."""
    line = " ".join(text.replace("\0", " ").split())
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"
