"""The two syntaxes of matchers, and which label names each of them knows.

Alertmanager's first one knows names of ASCII letters, digits and underscores. From 0.27 on there is a second, in which names and
values are any UTF-8 text, in double quotes where they hold a character that means something: `{"foo.bar"="x"}`. By default
both are tried: what only one of them reads is read by it, and where both read it and do not agree, the first one counts.
"""

from __future__ import annotations

import functools
import re
from enum import StrEnum

Triple = tuple[str, str, str]  # name, operator, value

CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""What Go calls space."""
_TOKEN = re.compile(
    rf"""[{SPACE}]*(?:(?P<mark>[{{}},]|=~|=|!=|!~)|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<bare>[^{SPACE}{{}}!=~,\\"'`]+)|(?P<end>\Z))""",
    re.DOTALL,
)
_RESERVED = re.compile(rf"""[{SPACE}{{}}!=~,\\"'`]""")
_ESCAPE = re.compile(
    r"\\(?:(?P<letter>[abfnrtv\\\"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-7]{3})|u(?P<short>[0-9a-fA-F]{4})"
    r"|U(?P<long>[0-9a-fA-F]{8})|(?P<wrong>.?))|(?P<plain>[^\\]+)",
    re.DOTALL | re.ASCII,
)
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
OPERATORS = ("=", "!=", "=~", "!~")


class Syntax(StrEnum):
    """BOTH: the second, with the first to fall back on; CLASSIC: the first alone; UTF8: the second alone. The values are those
    of Alertmanager's `--enable-feature`."""

    BOTH = ""
    CLASSIC = "classic-mode"
    UTF8 = "utf8-strict-mode"


_chosen = Syntax.BOTH


def use(syntax: Syntax) -> None:
    """Choose for the whole process, before anything is read: a flag of `quietshift alertmanager`, and nothing else, sets it.
    What a label name is holds for every door alike, and is looked up for each label taken in."""
    global _chosen
    _chosen = syntax
    is_name.cache_clear()


def chosen() -> Syntax:
    return _chosen


@functools.lru_cache(maxsize=8192)
def is_name(name: str) -> bool:
    """Whether this can be the name of a label: any UTF-8 text that is not empty; in the classic syntax letters, digits and _."""
    if _chosen is Syntax.CLASSIC:
        return CLASSIC_NAME.fullmatch(name) is not None
    return bool(name) and is_utf8(name)


def name_rule() -> str:
    """What a label name has to be, in words."""
    return "letters, digits and _, not starting with a digit" if _chosen is Syntax.CLASSIC else "any UTF-8 text but the empty one"


def is_utf8(text: str) -> bool:
    """Whether the text has no lone surrogates, for which UTF-8 has no bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_plain(name: str) -> bool:
    """Whether a name is written without quotes: it holds nothing that means something, and nothing unseen."""
    return name.isprintable() and not _RESERVED.search(name)


def read_utf8(source: str) -> list[Triple]:
    """Matchers of the second syntax, braces around them optional. Raises ValueError that says where it cannot go on."""
    found: list[Triple] = []
    tokens = _Tokens(source)
    braces = tokens.take("{")
    while tokens.kind == "text" or tokens.shown not in ("}", ""):
        name = tokens.text("a label name")
        if not name:
            raise ValueError(f"a label name cannot be empty: {source}")
        operator = tokens.operator()
        found.append((name, operator, tokens.text("a label value")))
        if not tokens.take(","):
            break
    if braces and not tokens.take("}"):
        raise tokens.error("a comma or a closing brace")
    if tokens.kind == "text" or tokens.shown:
        raise tokens.error("the end")
    return found


class _Tokens:
    """A text, token by token. kind: text | mark; shown: as it is written, "" at the end."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._end = 0
        self._next()

    def _next(self) -> None:
        found = _TOKEN.match(self._source, self._end)
        if found is None:
            rest = self._source[self._end :].lstrip(SPACE)[:20]
            raise ValueError(f"bad matcher format: {self._source}: {rest!r} has to stand in double quotes")
        self._begin, self._end = found.start(found.lastgroup or 0), found.end()
        self.shown = found[found.lastgroup or 0]
        self.kind = "mark" if found.lastgroup in ("mark", "end") else "text"

    def take(self, mark: str) -> bool:
        if self.kind != "mark" or self.shown != mark:
            return False
        self._next()
        return True

    def text(self, wanted: str) -> str:
        if self.kind != "text":
            raise self.error(wanted)
        value = unquote(self.shown) if self.shown.startswith('"') else self.shown
        self._next()
        return value

    def operator(self) -> str:
        found = self.shown
        if self.kind != "mark" or found not in OPERATORS:
            raise self.error("one of = != =~ !~")
        self._next()
        return found

    def error(self, wanted: str) -> ValueError:
        place = f"{self.shown!r} at {self._begin + 1}" if self.shown else "the end"
        return ValueError(f"bad matcher format: {self._source}: expected {wanted}, found {place}")


def unquote(quoted: str) -> str:
    """What stands in double quotes, escapes as Go reads them: \\n, \\", \\\\, \\x41, \\101, \\u00e4, \\U0001f6a8 and so on.

    Raises ValueError for an escape that is none, a line end, or bytes that are no UTF-8.
    """
    body = quoted[1:-1]
    if "\n" in body:
        raise ValueError(f"a line end has to be written as \\n: {quoted}")
    out = bytearray()
    for found in _ESCAPE.finditer(body):
        kind, text = found.lastgroup, found[found.lastgroup or 0]
        if kind == "plain":
            out += text.encode()
        elif kind == "letter":
            out += _LETTERS[text].encode()
        elif kind in ("byte", "octal") and int(text, 16 if kind == "byte" else 8) <= 0xFF:
            out.append(int(text, 16 if kind == "byte" else 8))
        elif kind in ("short", "long") and int(text, 16) <= 0x10FFFF and not 0xD800 <= int(text, 16) <= 0xDFFF:
            out += chr(int(text, 16)).encode()
        else:
            raise ValueError(f"bad escape {found[0]!r} in {quoted} (write \\\\ for a backslash)")
    try:
        return out.decode()
    except UnicodeDecodeError:
        raise ValueError(f"not valid UTF-8: {quoted}") from None
