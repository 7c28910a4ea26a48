"""Go's constants as templates write them: texts, characters, numbers. ValueError for what is none."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, "'": 39, '"': 34}
_INT = re.compile(r"([+-]?)(0[xX]_?|0[oO]_?|0[bB]_?|0_?)?([0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)?", re.ASCII)
_BASES = {"0x": 16, "0o": 8, "0b": 2, "0": 8, "": 10}


def clean(text: str) -> str:
    """Halves of characters, which no UTF-8 has, replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def unquote(text: str) -> str:
    """What a text in double quotes or backquotes says. Bytes that are no UTF-8 stay, as surrogates."""
    if text[0] == "`":
        return text[1:-1].replace("\r", "")
    return _unescape(text[1:-1], '"').decode("utf-8", "surrogateescape")


def character(text: str) -> int:
    """The code point of one character in single quotes."""
    body = text[1:-1]
    match = _ESCAPE.match(body)
    if match is None:
        if len(body) != 1 or body == "\\":
            raise ValueError(f"malformed character constant: {text}")
        return ord(body)
    if match.end() != len(body) or match.group(1) == '"':
        raise ValueError(f"malformed character constant: {text}")
    simple, *codes = match.groups()
    if simple:
        return _SIMPLE[simple]
    return next(int(code, base) for code, base in zip(codes, (16, 8, 16, 16), strict=True) if code)


def _unescape(body: str, quote: str) -> bytes:
    out, at = bytearray(), 0
    while at < len(body):
        if body[at] != "\\":
            end = body.find("\\", at)
            end = len(body) if end < 0 else end
            out += body[at:end].encode("utf-8", "surrogateescape")
            at = end
            continue
        match = _ESCAPE.match(body, at)
        if match is None or (match.group(1) in ("'", '"') and match.group(1) != quote):
            raise ValueError(f"invalid syntax: unknown escape {body[at : at + 2]}")
        simple, byte, octal, *wide = match.groups()
        code = next((int(digits, 16) for digits in wide if digits), None)
        if code is not None:
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise ValueError(f"invalid syntax: {match.group()} is no character")
            out += chr(code).encode()
        else:
            value = _SIMPLE[simple] if simple else int(byte, 16) if byte else int(octal, 8)
            if value > 255:
                raise ValueError(f"invalid syntax: {match.group()} is more than a byte")
            out.append(value)
        at = match.end()
    return bytes(out)


def number(text: str) -> tuple[int | float, int | None]:
    """A number as it is by itself, and as an integer where it is one. 64 bits hold it."""
    found = _integer(text)
    if found is not None:
        if not -(1 << 63) <= found < 1 << 63:
            raise ValueError(f"integer overflow: {text!r}")
        return found, found
    lower = text.lower()
    hexadecimal = lower.lstrip("+-").startswith("0x")
    if "__" in text or (not hexadecimal and "_" in text) or not any(mark in lower for mark in ".ep"):
        raise ValueError(f"bad number syntax: {text!r}")
    try:
        value = float.fromhex(text.replace("_", "")) if hexadecimal and "p" in lower else float(text)
    except (ValueError, OverflowError):
        raise ValueError(f"bad number syntax: {text!r}") from None
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"bad number syntax: {text!r} is too large")
    return value, int(value) if value.is_integer() and abs(value) < 1 << 63 else None


def _integer(text: str) -> int | None:
    form = _INT.fullmatch(text)
    if form is None:
        return None
    sign, prefix, digits = form.groups()
    if not digits:
        if prefix != "0":
            return None
        digits = "0"
    try:
        value = int(digits.replace("_", ""), _BASES[(prefix or "").rstrip("_").lower()])
    except ValueError:
        return None
    return -value if sign == "-" else value
