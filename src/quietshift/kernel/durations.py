"""Durations as Prometheus writes them: `1h30m`, `90s`, `500ms`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"y": 365 * 86400_000, "w": 7 * 86400_000, "d": 86400_000, "h": 3600_000, "m": 60_000, "s": 1000, "ms": 1}
_SHAPE = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_LIMIT_MS = 2**63 // 10**6  # Go's time.Duration is 64 bits of nanoseconds


def parse_duration(text: str) -> timedelta:
    """The span of a Prometheus duration; units y w d h m s ms, larger first, each once; `0` is zero.

    Raises ValueError for anything else. Source: prometheus/common, model.ParseDuration.
    """
    if text == "0":
        return timedelta()
    match = _SHAPE.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"not a duration: {text!r} (write it like 30s, 5m, 1h30m, 7d)")
    total = sum(int(n) * ms for n, ms in zip(match.groups(), _UNITS.values(), strict=True) if n)
    if total >= _LIMIT_MS:
        raise ValueError(f"duration out of range: {text!r}")
    return timedelta(milliseconds=total)


def format_duration(span: timedelta) -> str:
    """The shortest Prometheus duration of this span (milliseconds at the finest): `1h30m`, `0s`."""
    left = span // timedelta(milliseconds=1)
    if left == 0:
        return "0s"
    parts = []
    for unit, ms in _UNITS.items():
        # years and weeks only where exact, as prometheus/common does
        if unit in ("y", "w") and left % ms:
            continue
        count, left = divmod(left, ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
