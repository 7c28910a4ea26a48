"""The functions that Alertmanager adds to Go's, up to its version 0.34.

Without `routeLabels`: routes have none here. Source: its documentation, "Notification template reference".
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from quietshift.channels.gotemplate.builtins import BUILTINS, cooked, raw
from quietshift.channels.gotemplate.calling import ANY, Context, Function
from quietshift.channels.gotemplate.gofmt import type_name
from quietshift.channels.gotemplate.gojson import to_json
from quietshift.channels.gotemplate.gotime import ZERO_TIME, Duration, Time, clamp, format_time, load_zone
from quietshift.channels.gotemplate.limits import MAX_TEXT
from quietshift.channels.gotemplate.timeparse import parse_time
from quietshift.channels.gotemplate.values import Dict, Html, Seq, Url, Value, strings

MAX_PATTERN = 10_000
_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_WORD = re.compile(r"\w+(?:['’.:·․‧︓︕﹒﹕＇．：](?=[^\W\d_])\w+)*")  # UAX 29: some marks join letters
_DOLLAR = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")


def upper(text: str) -> str:
    """Letter by letter, as Go does: one stays one."""
    return text.upper() if text.isascii() else "".join(map(_upper, _valid(text)))


def _upper(char: str) -> str:
    return next((made for made in (char.upper(), char.title()) if len(made) == 1), char)


def lower(text: str) -> str:
    """Letter by letter."""
    return text.lower() if text.isascii() else "".join(char.lower()[0] for char in _valid(text))


def title(text: str) -> str:
    """The first letter of each word large, the others small."""

    def one(match: re.Match[str]) -> str:
        word = match.group()
        first = next((i for i, char in enumerate(word) if char.upper() != char.lower()), None)
        if first is None:
            return word
        return word[:first] + word[first].title() + word[first + 1 :].lower()

    return _WORD.sub(one, text)


# -- regular expressions -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def pattern(source: str) -> Any:
    """RE2's, which takes linear time. Raises ValueError."""
    if len(source) > MAX_PATTERN:
        raise ValueError(f"the regular expression is longer than {MAX_PATTERN} characters")
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    try:
        return re2.compile(source, options)
    except UnicodeEncodeError:
        raise ValueError("the regular expression is not valid UTF-8") from None
    except re2.error as error:
        why = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"error parsing regexp: {why}: `{source:.200}`") from None


def _valid(text: str) -> str:
    return raw(text).decode("utf-8", "replace")


def _match(context: Context, source: str, text: str) -> bool:
    context.budget.spend(1 + len(text) // 32)
    return pattern(source).search(_valid(text)) is not None


def _replace(context: Context, source: str, replacement: str, text: str) -> str:
    expression, text = pattern(source), _valid(text)
    names = expression.groupindex
    groups = expression.groups
    parts = _template(replacement, names, groups)
    out, end = [], 0
    context.budget.spend(len(text) // 32)
    for match in expression.finditer(text):
        context.budget.spend(4)
        first, last = match.span()
        if first == last and first == end and first > 0:
            continue  # nothing right behind a match is no match of its own
        out.append(text[end:first])
        made = "".join(part if isinstance(part, str) else match.group(part) or "" for part in parts)
        context.budget.spend_text(made)
        out.append(made)
        end = last
    out.append(text[end:])
    result = "".join(out)
    context.budget.spend_text(result)
    return result


def _template(replacement: str, names: dict[str, int], groups: int) -> list[str | int]:
    """`$1`, `${name}` and `$$` in a replacement; a group that there is not is nothing."""
    parts: list[str | int] = []
    at = 0
    for match in _DOLLAR.finditer(replacement):
        parts.append(replacement[at : match.start()])
        at = match.end()
        name = match.group(2) or match.group(3)
        if match.group(1):
            parts.append("$")
        elif name.isascii() and name.isdecimal():
            if len(name) < 6 and int(name) <= groups and (name == "0" or name[0] != "0"):
                parts.append(int(name))
        elif name in names:
            parts.append(names[name])
    parts.append(replacement[at:])
    return parts


# -- time ----------------------------------------------------------------------------------------------------------------


def humanize_duration(_: Context, value: Value) -> str:
    """Seconds as `1d 2h 3m 4s`, small ones as `12ms`."""
    seconds = _number(value)
    if math.isnan(seconds) or math.isinf(seconds):
        return "NaN" if math.isnan(seconds) else "+Inf" if seconds > 0 else "-Inf"
    if seconds == 0:
        return "0s"
    if abs(seconds) >= 1:
        sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
        whole = int(seconds)
        if whole < 60:
            return f"{sign}{_four(seconds)}s"
        parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
        while not parts[0][0]:
            parts.pop(0)
        return sign + " ".join(f"{amount}{unit}" for amount, unit in parts)
    steps = 0
    while abs(seconds) < 1 and steps < 8:
        seconds *= 1000
        steps += 1
    return f"{_four(seconds)}{' munpfazy'[steps]}s"


def _four(value: float) -> str:
    return f"{value:.4g}"


def _number(value: Value) -> float:
    if isinstance(value, Duration):
        return value / 1e9
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"can't convert {type_name(value)} to float")
    try:
        if isinstance(value, str) and (value != value.strip() or "_" in value):
            raise ValueError
        return float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"not a number: {value!r:.60}") from None


def _since(context: Context, time: Time) -> Duration:
    return clamp((Time(context.now).since_epoch() - time.since_epoch()) * 1000)


def _to_date(_: Context, layout: str, text: str) -> Time:
    try:
        return parse_time(layout, text)
    except ValueError:
        return ZERO_TIME


# -- the rest ------------------------------------------------------------------------------------------------------------


def _join(context: Context, separator: str, items: Seq) -> str:
    size = sum(map(len, items.items)) + len(separator) * len(items.items)
    context.budget.spend(len(items.items) // 8 + size // 64)
    if size > MAX_TEXT:
        raise ValueError(f"makes a text of more than {MAX_TEXT:,} characters")
    return separator.join(items.items)


def _dict(_: Context, *values: Value) -> Dict:
    if len(values) % 2:
        raise ValueError("dict requires an even number of arguments")
    made = Dict()
    for name, value in zip(values[::2], values[1::2], strict=True):
        if type(name) is not str:
            raise ValueError("dict keys must be strings")
        made[name] = value
    return made


def _append(context: Context, items: Seq, *more: Value) -> Seq:
    context.budget.spend(len(items.items) // 16)
    return Seq((*items.items, *more))


def _url_unescape(_: Context, text: str) -> str:
    bad = re.search(r"%(?![0-9a-fA-F]{2}).{0,2}", text, re.DOTALL)
    if bad:
        raise ValueError(f"invalid URL escape {bad.group()!r}")
    return cooked(unquote_to_bytes(raw(text.replace("+", " "))))


def _decode(_: Context, text: str) -> str:
    plain = text.replace("\r", "").replace("\n", "")
    if not re.fullmatch(r"[A-Za-z0-9_-]*={0,2}", plain):
        raise ValueError("illegal base64 data")
    try:
        return cooked(base64.urlsafe_b64decode(plain))
    except (binascii.Error, ValueError):
        raise ValueError("illegal base64 data") from None


def _of_text(run: Callable[[str], Value]) -> Function:
    def call(context: Context, text: str) -> Value:
        context.budget.spend(len(text) // 32)
        made = run(text)
        if isinstance(made, str):
            context.budget.spend_text(made)
        return made

    return Function(call, ("string",))


FUNCTIONS: dict[str, Function] = BUILTINS | {
    "toUpper": _of_text(upper),
    "toLower": _of_text(lower),
    "title": _of_text(title),
    "trimSpace": _of_text(lambda text: text.strip(_SPACES)),
    "join": Function(_join, ("string", "[]string")),
    "match": Function(_match, ("string", "string")),
    "safeHtml": _of_text(Html),
    "safeUrl": _of_text(Url),
    "urlUnescape": Function(_url_unescape, ("string",)),
    "reReplaceAll": Function(_replace, ("string", "string", "string")),
    "stringSlice": Function(lambda _, *items: strings(items), (), "string"),
    "date": Function(lambda _, layout, time: format_time(time, layout), ("string", "time.Time")),
    "tz": Function(lambda _, name, time: time.within(load_zone(name)), ("string", "time.Time")),
    "now": Function(lambda context: Time(context.now.astimezone(UTC))),
    "since": Function(_since, ("time.Time",)),
    "humanizeDuration": Function(humanize_duration, (ANY,)),
    "toDate": Function(_to_date, ("string", "string")),
    "mustToDate": Function(lambda _, layout, text: parse_time(layout, text), ("string", "string")),
    "toJson": Function(lambda context, value: to_json(value, context.budget), (ANY,)),
    "base64encode": _of_text(lambda text: base64.urlsafe_b64encode(raw(text)).decode()),
    "base64decode": Function(_decode, ("string",)),
    "list": Function(lambda _, *items: Seq(items), (), ANY),
    "append": Function(_append, ("[]interface {}",), ANY),
    "dict": Function(_dict, (), ANY),
}
