"""A template cut into tokens, as Go's text/template does it."""

from __future__ import annotations

import re
from typing import NamedTuple

from quietshift.channels.gotemplate.errors import TemplateError

KEYWORDS = frozenset(("break", "continue", "define", "block", "else", "end", "if", "range", "nil", "template", "with"))
_SPACES = " \t\r\n"
_SPACE = re.compile(r"[ \t\r\n]+")
_WORD = re.compile(r"\w+")
_STRING = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')
_CHAR = re.compile(r"'(?:[^'\\\n]|\\[^\n])+'")
_RAW = re.compile(r"`[^`]*`")
_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*|0[bB][01_]*"
                     r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)(i?)")
_AFTER_WORD = frozenset(" \t\r\n.,|:()")


class Token(NamedTuple):
    """kind: text, comment, left, right, field, variable, identifier, keyword, bool, string, char, number, space, pipe, declare,
    assign, `(`, `)`, `,`, dot, end (of the template)."""

    kind: str
    text: str
    at: int


class Source:
    """A template's text, which knows its lines."""

    __slots__ = ("name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def error(self, message: str, at: int) -> TemplateError:
        """Of this place."""
        line = self.text.count("\n", 0, at) + 1
        return TemplateError(message, self.name, line, at - (self.text.rfind("\n", 0, at) + 1) + 1)


def tokens(source: Source) -> list[Token]:
    """All of it; the last is of kind `end`. Raises TemplateError."""
    return _Lexer(source).run()


class _Lexer:
    def __init__(self, source: Source) -> None:
        self.source, self.text, self.out = source, source.text, list[Token]()

    def run(self) -> list[Token]:
        text, at, trim = self.text, 0, False
        while True:
            opening = text.find("{{", at)
            literal = text[at:] if opening < 0 else text[at:opening]
            begin = at
            if trim:
                literal = literal.lstrip(_SPACES)
                begin = at + (len(text[at:] if opening < 0 else text[at:opening]) - len(literal))
            if opening >= 0 and text.startswith("-", opening + 2) and text[opening + 3 : opening + 4] in tuple(_SPACES):
                literal, inside = literal.rstrip(_SPACES), opening + 3
            else:
                inside = opening + 2
            if literal:
                self.out.append(Token("text", literal, begin))
            if opening < 0:
                self.out.append(Token("end", "", len(text)))
                return self.out
            comment = inside + 1 if inside == opening + 3 and text.startswith("/*", inside + 1) else inside
            at, trim = self.comment(comment) if text.startswith("/*", comment) else self.action(opening, inside)

    def comment(self, at: int) -> tuple[int, bool]:
        """Past it; it is all that its braces hold."""
        close = self.text.find("*/", at)
        if close < 0:
            raise self.source.error("unclosed comment", at)
        ending = self.closing(close + 2)
        if ending is None:
            raise self.source.error("comment ends before closing delimiter", at)
        return ending

    def closing(self, at: int) -> tuple[int, bool] | None:
        """Behind `}}` or ` -}}` at this place, and whether it trims."""
        text = self.text
        if text[at : at + 1] in tuple(_SPACES) and text.startswith("-}}", at + 1):
            return at + 4, True
        return (at + 2, False) if text.startswith("}}", at) else None

    def action(self, opening: int, at: int) -> tuple[int, bool]:
        """Tokens of one `{{ ... }}`; returns where it ends and whether the text after it is trimmed."""
        out, depth = self.out, 0
        out.append(Token("left", "{{", opening))
        while True:
            ending = self.closing(at)
            if ending is not None:
                if depth:
                    raise self.source.error("unclosed left paren", at)
                out.append(Token("right", "}}", at))
                return ending
            if at >= len(self.text):
                raise self.source.error("unclosed action", opening)
            token = self.token(at)
            depth += (token.kind == "(") - (token.kind == ")")
            if depth < 0:
                raise self.source.error("unexpected right paren", at)
            out.append(token)
            at += len(token.text)

    def token(self, at: int) -> Token:
        text = self.text
        char = text[at]
        if char in _SPACES:
            return self.space(at)
        if char == "=":
            return Token("assign", char, at)
        if text.startswith(":=", at):
            return Token("declare", ":=", at)
        if char in "(),|":
            return Token("pipe" if char == "|" else char, char, at)
        for opener, form, kind, what in (
            ('"', _STRING, "string", "unterminated quoted string"), ("`", _RAW, "string", "unterminated raw quoted string"),
            ("'", _CHAR, "char", "unterminated character constant"),
        ):
            if char == opener:
                return Token(kind, self.need(form, at, what), at)
        if char in "+-0123456789" or (char == "." and text[at + 1 : at + 2] in tuple("0123456789")):
            return self.number(at)
        return self.name(at, char)

    def space(self, at: int) -> Token:
        found = self.need(_SPACE, at, "")
        if self.text.startswith("-}}", at + len(found)) and len(found) > 1:
            found = found[:-1]  # the last space belongs to the delimiter
        return Token("space", found, at)

    def number(self, at: int) -> Token:
        match = _NUMBER.match(self.text, at)
        found = match.group() if match else ""
        following = self.text[at + len(found) : at + len(found) + 1]
        if not found.strip("+-") or following.isalnum() or following in tuple("_+-"):
            raise self.source.error(f"bad number syntax: {self.text[at : at + len(found) + 1]!r}", at)
        if match is not None and match.group(1):
            raise self.source.error(f"complex numbers are not supported: {found!r}", at)
        return Token("number", found, at)

    def name(self, at: int, char: str) -> Token:
        """A field, a variable, a word, or a dot."""
        prefix = char if char in ".$" else ""
        match = _WORD.match(self.text, at + len(prefix))
        word = match.group() if match else ""
        if not prefix and not word:
            raise self.source.error(f"unrecognized character in action: {char!r}", at)
        end = at + len(prefix) + len(word)
        following = self.text[end : end + 1]
        if following and following not in _AFTER_WORD and not self.text.startswith("}}", end):
            raise self.source.error(f"bad character {following!r}", end)
        if prefix:
            return Token({".": "field" if word else "dot", "$": "variable"}[prefix], prefix + word, at)
        kind = "keyword" if word in KEYWORDS else "bool" if word in ("true", "false") else "identifier"
        return Token(kind, word, at)

    def need(self, form: re.Pattern[str], at: int, otherwise: str) -> str:
        match = form.match(self.text, at)
        if match is None:
            raise self.source.error(otherwise, at)
        return match.group()
