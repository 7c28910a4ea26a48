"""HTML from templates: each value is escaped as the place asks for that it falls into.

html/template finds the places before it renders; here the page is followed while it is written, which comes to the same for
every page whose branches end where they began, and to the safe side for others.
"""

from __future__ import annotations

import re
from html import unescape

from quietshift.channels.gotemplate import escapers
from quietshift.channels.gotemplate.escapers import Encoded
from quietshift.channels.gotemplate.execute import TextWriter
from quietshift.channels.gotemplate.gofmt import shown
from quietshift.channels.gotemplate.limits import Budget
from quietshift.channels.gotemplate.values import Html, Value

_TAG_NAME = re.compile(r"</?([a-zA-Z][^\s/>]*)?")
_ATTRIBUTE_NAME = re.compile(r"[^\s\"'<>/=]+")
_SPACE = re.compile(r"\s+")
_RAW = {"script": "script", "style": "style", "title": "rcdata", "textarea": "rcdata"}



class HtmlWriter(TextWriter):
    """Follows the page. state: text, comment, tag, name (of an attribute), after (it), before (its value), attribute, rcdata,
    script, style."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(budget)
        self.state, self.element, self.closing = "text", "", False
        self.name, self.kind, self.delimiter = "", "plain", ""
        self.part = "start"  # of an address
        self.code = _Code()

    # -- what stands in the template -----------------------------------------------------------------------------------

    def literal(self, text: str) -> None:
        at = 0
        while at < len(text):
            self.budget.spend(1)
            at = getattr(self, f"_in_{self.state}")(text, at)

    def _put(self, text: str) -> None:
        super().literal(text)

    def _in_text(self, text: str, at: int) -> int:
        opening = text.find("<", at)
        if opening < 0:
            self._put(text[at:])
            return len(text)
        self._put(text[at:opening])
        if text.startswith("<!--", opening):
            self.state = "comment"
            return opening + 4
        match = _TAG_NAME.match(text, opening)
        if match is not None and match.group(1):
            self.state, self.element, self.closing = "tag", match.group(1).lower(), match.group().startswith("</")
            self._put(match.group())
            return match.end()
        self._put("<" if text[opening : opening + 9].lower() == "<!doctype" else "&lt;")
        return opening + 1

    def _in_comment(self, text: str, at: int) -> int:
        ending = text.find("-->", at)
        if ending < 0:
            return len(text)
        self.state = "text"
        return ending + 3

    def _in_tag(self, text: str, at: int) -> int:
        if text[at] == ">":
            self._put(">")
            self.state = "text" if self.closing else _RAW.get(self.element, "text")
            self.code = _Code()
            return at + 1
        match = _ATTRIBUTE_NAME.match(text, at)
        if match is None:
            self._put(text[at])
            return at + 1
        self.state, self.name = "name", match.group().lower()
        self._put(match.group())
        return match.end()

    def _in_name(self, text: str, at: int) -> int:
        match = _ATTRIBUTE_NAME.match(text, at)
        if match is None:
            self.state = "after"
            return at
        self.name += match.group().lower()
        self._put(match.group())
        return match.end()

    def _in_after(self, text: str, at: int) -> int:
        space = _SPACE.match(text, at)
        if space is not None:
            self._put(space.group())
            return space.end()
        if text[at] != "=":
            self.state = "tag"
            return at
        self._put("=")
        self.state, self.kind, self.part, self.code = "before", escapers.attribute_kind(self.name), "start", _Code()
        return at + 1

    def _in_before(self, text: str, at: int) -> int:
        char = text[at]
        if char == ">":
            self.state = "tag"
            return at
        if char.isspace():
            self._put(char)
            return at + 1
        self.state, self.delimiter = "attribute", char if char in "\"'" else ""
        self._put(self.delimiter)
        return at + len(self.delimiter)

    def _in_attribute(self, text: str, at: int) -> int:
        if self.delimiter:
            ending = text.find(self.delimiter, at)
        else:
            match = re.compile(r"[\s>]").search(text, at)
            ending = match.start() if match else -1
        chunk = text[at:] if ending < 0 else text[at:ending]
        self._put(chunk)
        self._follow(unescape(chunk))
        if ending < 0:
            return len(text)
        self._put(self.delimiter)
        self.state = "tag"
        return ending + len(self.delimiter)

    def _follow(self, chunk: str) -> None:
        if self.kind == "url":
            if "?" in chunk or "#" in chunk:
                self.part = "query"
            elif chunk.strip() and self.part == "start":
                self.part = "path"
        elif self.kind in ("css", "js"):
            self.code.follow(chunk, self.kind)

    def _in_rcdata(self, text: str, at: int) -> int:
        return self._raw(text, at, "")

    def _in_script(self, text: str, at: int) -> int:
        return self._raw(text, at, "js")

    def _in_style(self, text: str, at: int) -> int:
        return self._raw(text, at, "css")

    def _raw(self, text: str, at: int, language: str) -> int:
        ending = text.lower().find(f"</{self.element}", at)
        chunk = text[at:] if ending < 0 else text[at:ending]
        self._put(chunk)
        if language:
            self.code.follow(chunk, language)
        if ending < 0:
            return len(text)
        self.state = "text"
        return ending

    # -- values --------------------------------------------------------------------------------------------------------

    def value(self, value: Value, escaper: str) -> None:
        text = value if isinstance(value, str) else "" if value is None else shown(value, self.budget)
        if escaper == "html":
            text = Html(text)
        elif escaper == "urlquery":
            text = Encoded(text)
        self.budget.spend_text(text)
        if self.state in ("tag", "name", "after"):
            if self.state == "after":
                self._put(" ")
            made = escapers.name(text)
            self.name = made if self.state != "name" else self.name + made
            self.state = "name"
            self._put(made)
            return
        if self.state == "before":
            self.state, self.delimiter = "attribute", ""
        self._put(self._by_html(text) if escaper == "html" else self._escaped(value, text))

    def _by_html(self, text: str) -> str:
        """What `html` has escaped: it comes after what the place asks for, instead of the place's own, which takes + too."""
        if self.state == "attribute" and self.kind != "plain":
            plain = unescape(text)
            return self._escaped(plain, plain).replace("&#43;", "+")
        quoted = self.state in ("text", "rcdata") or (self.state == "attribute" and self.delimiter)
        return text if quoted else self._escaped(text, text)

    def _escaped(self, value: Value, text: str) -> str:
        match self.state:
            case "text":
                return escapers.text(text)
            case "comment":
                return ""
            case "rcdata":
                return escapers.rcdata(text)
            case "script":
                return self.code.js(value, text, self.budget)
            case "style":
                return self.code.css(text)
        match self.kind:
            case "url":
                text = escapers.url(text, self.part)
            case "css":
                text = self.code.css(text)
            case "js":
                text = self.code.js(value, text, self.budget)
            case "html":
                text = escapers.text(text)
        return escapers.attribute(text, bare=not self.delimiter)


class _Code:
    """Whether a script or style is within quotes, a comment, or `url(...)`."""

    def __init__(self) -> None:
        self.within = ""

    def follow(self, text: str, language: str) -> None:
        """Read on."""
        at = 0
        while at < len(text):
            if self.within:
                at = self._leave(text, at)
                continue
            match = re.compile(r"[\"'`]|/\*|//|url\s*\(", re.IGNORECASE).search(text, at)
            if match is None:
                return
            mark = match.group()
            at = match.end()
            if language == "css" and mark in ("`", "//"):
                continue
            if mark[-1] == "(" and language == "js":
                continue
            self.within = ")" if mark[-1] == "(" else mark

    def _leave(self, text: str, at: int) -> int:
        closer = {"/*": r"\*/", "//": r"[\n\r\u2028\u2029]"}.get(self.within, re.escape(self.within))
        match = re.compile(rf"\\.|{closer}", re.DOTALL).search(text, at)
        while match is not None and match.group()[0] == "\\" and self.within not in ("/*", "//"):
            match = re.compile(rf"\\.|{closer}", re.DOTALL).search(text, match.end())
        if match is None:
            return len(text)
        if match.group()[0] != "\\":
            self.within = ""
        return match.end()

    def js(self, value: Value, text: str, budget: Budget) -> str:
        if self.within in ("/*", "//"):
            return ""
        return escapers.js_text(text) if self.within else escapers.js_value(value, budget)

    def css(self, text: str) -> str:
        if self.within in ("/*", "//"):
            return ""
        return escapers.css_text(text) if self.within else escapers.css_value(text)


