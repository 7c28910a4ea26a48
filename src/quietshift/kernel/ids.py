"""Sortable ids: a millisecond clock and randomness in 26 letters (ULID), in order even within one millisecond.

Source: github.com/ulid/spec.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime

from quietshift.kernel.clock import to_micros

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 80
_lock = threading.Lock()
_last = 0


def new_id(now: datetime) -> str:
    """A new id, 26 lower-case characters; of one process, each sorts after the one before it."""
    global _last
    millis = max(0, to_micros(now) // 1000) & ((1 << 48) - 1)
    with _lock:
        value = (millis << _RANDOM_BITS) | int.from_bytes(os.urandom(10))
        if value <= _last and _last >> _RANDOM_BITS == millis:
            value = _last + 1
        _last = value
    return _text(value)


def first_id(instant: datetime) -> str:
    """The smallest id that can be made at this instant: what was made from then on sorts from here."""
    return _text((max(0, to_micros(instant) // 1000) & ((1 << 48) - 1)) << _RANDOM_BITS)


def _text(value: int) -> str:
    letters = []
    for _ in range(26):
        letters.append(_ALPHABET[value & 31])
        value >>= 5
    return "".join(reversed(letters))
