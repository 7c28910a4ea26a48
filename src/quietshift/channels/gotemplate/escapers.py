"""Text made harmless for its place in a page, as html/template does it; for scripts and styles more strictly.

What cannot be made harmless becomes `ZgotmplZ`, as in Go: it does nothing, and can be searched for.
"""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

from quietshift.channels.gotemplate.builtins import raw
from quietshift.channels.gotemplate.gojson import to_json
from quietshift.channels.gotemplate.limits import Budget
from quietshift.channels.gotemplate.values import Html, Url, Value

FAILSAFE = "ZgotmplZ"
_NORM = {0: "\ufffd", **{ord(char): f"&#{ord(char)};" for char in "\"'+"}, ord("<"): "&lt;", ord(">"): "&gt;"}
_TEXT = {**_NORM, ord("&"): "&amp;"}
_BARE = {0: "&#xfffd;", **{ord(char): f"&#{ord(char)};" for char in "\t\n\v\f\r \"'+=`"}, ord("<"): "&lt;", ord(">"): "&gt;"}
_TAG = re.compile(r"<(?:!--.*?(?:-->|$)|[!/?a-zA-Z][^>]*(?:>|$))", re.DOTALL)
_URL_SPECIAL = re.compile(rb"[^A-Za-z0-9\-._~]")
_URL_KEPT = frozenset(b"!#$&*+,/:;=?@[]")
_ATTRIBUTES = {
    **dict.fromkeys((
        "action", "archive", "background", "cite", "classid", "codebase", "data", "formaction", "href", "icon", "longdesc",
        "manifest", "poster", "profile", "src", "srcset", "usemap", "xmlns",
    ), "url"),
    "style": "css", "srcdoc": "html",
}  # fmt: skip
_PLAIN_ON = re.compile(r"(src|uri|url)")
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Encoded(str):
    """What `urlquery` has encoded: nothing of it is special in an address."""

    __slots__ = ()


def attribute_kind(name: str) -> str:
    """What the value of an attribute is: url, css, js, html or plain. name: in small letters."""
    if name.startswith("data-"):
        name = name[5:]
    elif ":" in name:
        prefix, _, name = name.partition(":")
        if prefix == "xmlns":
            return "url"
    if name in _ATTRIBUTES:
        return _ATTRIBUTES[name]
    return "js" if name.startswith("on") else "url" if _PLAIN_ON.search(name) else "plain"


def text(value: str) -> str:
    return value if isinstance(value, Html) else value.translate(_TEXT)


def rcdata(value: str) -> str:
    """Within `<title>` and `<textarea>`."""
    return value.translate(_NORM if isinstance(value, Html) else _TEXT)


def attribute(value: str, bare: bool = False) -> str:
    """The value of an attribute; bare: without quotes."""
    if bare:
        plain = _TAG.sub("", value) if isinstance(value, Html) else value.replace("&", "&amp;")
        return plain.translate(_BARE) or FAILSAFE
    return _TAG.sub("", value).translate(_NORM) if isinstance(value, Html) else value.translate(_TEXT)


def name(value: str) -> str:
    """The name of a tag or attribute: only a harmless word."""
    word = value.lower()
    return word if re.fullmatch(r"[a-z0-9]+", word) and attribute_kind(word) == "plain" else FAILSAFE


def url(value: str, part: str) -> str:
    """Part of an address. part: start, path or query."""
    if isinstance(value, Encoded):
        return value
    if part == "query":
        return _percent(value, keep=False)
    if part == "start" and not isinstance(value, Url):
        scheme, colon, _ = value.partition(":")
        if colon and "/" not in scheme and scheme.lower() not in ("http", "https", "mailto"):
            return "#" + FAILSAFE
    return _percent(value, keep=True)


def _percent(value: str, keep: bool) -> str:
    encoded = raw(value)

    def one(match: re.Match[bytes]) -> bytes:
        byte = match.group()[0]
        at = match.start()
        if keep and (byte in _URL_KEPT or (byte == 0x25 and re.match(rb"[0-9a-fA-F]{2}", encoded[at + 1 : at + 3]))):
            return match.group()
        return b"%%%02x" % byte

    return _URL_SPECIAL.sub(one, encoded).decode()


def css_value(value: str) -> str:
    """A value in a style: a word, a number, a colour; nothing that could end it or load anything."""
    decoded = re.sub(r"\\([0-9a-fA-F]{1,6})\s?", lambda match: _code(int(match.group(1), 16)), value)
    if re.search(r"[\x00\"'()/;@\[\\\]`{}<>]|--", decoded):
        return FAILSAFE
    word = re.sub(r"[^a-z0-9_\-]", "", decoded.lower())
    return FAILSAFE if "expression" in word or "mozbinding" in word.replace("-", "") else decoded


def _code(code: int) -> str:
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else "\ufffd"


def css_text(value: str) -> str:
    """Within quotes or `url(...)` of a style."""
    if re.match(r"\s*[a-zA-Z][a-zA-Z0-9+.\-]*:", unquote(value, errors="replace")) and not re.match(
        r"\s*(https?|mailto):", value, re.IGNORECASE
    ):
        return FAILSAFE
    return re.sub(r"[^A-Za-z0-9_ .,%#?=&/:\-]", lambda match: f"\\{ord(match.group()):x} ", value)


def js_text(value: str) -> str:
    """Within quotes of a script: all but letters, digits and a few marks are written as \\uXXXX."""
    encoded = (value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")).encode("utf-16-be")
    units = [int.from_bytes(encoded[i : i + 2], "big") for i in range(0, len(encoded), 2)]
    return "".join(chr(u) if u < 128 and (chr(u).isalnum() or chr(u) in "_ .,") else f"\\u{u:04x}" for u in units)


def js_value(value: Value, budget: Budget) -> str:
    """A value of its own in a script."""
    try:
        made = to_json(value, budget)
    except ValueError:
        return "null"
    return f" {_STRINGS.sub(lambda match: chr(34) + js_text(json.loads(match.group())) + chr(34), made)} "
