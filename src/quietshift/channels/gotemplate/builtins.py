"""The functions that Go's templates have of themselves."""

from __future__ import annotations

import re
from urllib.parse import quote_plus

from quietshift.channels.gotemplate.calling import ANY, RAW, Context, Function
from quietshift.channels.gotemplate.gofmt import sprint, sprintf, sprintln, type_name
from quietshift.channels.gotemplate.values import Alert, Byte, Data, Dict, Kv, Seq, Value

_HTML = {0: "\ufffd", ord('"'): "&#34;", ord("'"): "&#39;", ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}
_JS_SPECIAL = re.compile(r"[\\'\"<>&=\x00-\x1f]|[^\x00-\x7f]")


def truth(value: Value) -> bool:
    """Go's: zero, nothing and the empty are false, any struct is true."""
    if isinstance(value, Seq):
        return bool(value.items)
    if value is None or isinstance(value, bool | int | float | str | dict):
        return bool(value)
    return True


def raw(text: str) -> bytes:
    """A text as Go has it."""
    return text.encode("utf-8", "surrogateescape")


def cooked(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


# -- lists and texts -----------------------------------------------------------------------------------------------------


def _position(index: Value, limit: int) -> int:
    if index is None:
        raise ValueError("cannot index slice/array with nil")
    if isinstance(index, bool) or not isinstance(index, int):
        raise ValueError(f"cannot index slice/array with type {type_name(index)}")
    if not 0 <= index < limit:
        raise ValueError(f"index out of range: {int(index)}")
    return index


def _index(context: Context, item: Value, *indexes: Value) -> Value:
    if item is None:
        raise ValueError("index of untyped nil")
    for index in indexes:
        if isinstance(item, str):
            context.budget.spend_text(item)
            text = raw(item)
            item = Byte(text[_position(index, len(text))])
        elif isinstance(item, Seq):
            item = item.items[_position(index, len(item.items))]
        elif isinstance(item, Kv | Dict):
            if type(index) is not str:
                what = "value is nil" if index is None else f"value has type {type_name(index)}"
                raise ValueError(f"{what}; should be string")
            item = item.get(index, "" if isinstance(item, Kv) else None)
        elif item is None:
            raise ValueError("index of nil pointer")
        else:
            raise ValueError(f"can't index item of type {type_name(item)}")
    return item


def _slice(context: Context, item: Value, *indexes: Value) -> Value:
    if item is None:
        raise ValueError("slice of untyped nil")
    if len(indexes) > 3:
        raise ValueError(f"too many slice indexes: {len(indexes)}")
    if not isinstance(item, str | Seq):
        raise ValueError(f"can't slice item of type {type_name(item)}")
    if isinstance(item, Seq):
        context.budget.spend(len(item.items) // 64)
        first, last = _bounds(indexes, len(item.items))
        return Seq(item.items[first:last], item.go_type)
    if len(indexes) == 3:
        raise ValueError("cannot 3-index slice a string")
    context.budget.spend_text(item)
    text = raw(item)
    first, last = _bounds(indexes, len(text))
    return type(item)(cooked(text[first:last]))


def _bounds(indexes: tuple[Value, ...], length: int) -> tuple[int, int]:
    given = [_position(index, length + 1) for index in indexes]
    first, last = given[0] if given else 0, given[1] if len(given) > 1 else length
    if first > last:
        raise ValueError(f"invalid slice index: {first} > {last}")
    if len(given) == 3 and last > given[2]:
        raise ValueError(f"invalid slice index: {last} > {given[2]}")
    return first, last


def _len(context: Context, item: Value) -> int:
    if isinstance(item, str):
        context.budget.spend_text(item)
        return len(item) if item.isascii() else len(raw(item))
    if isinstance(item, Seq):
        return len(item.items)
    if isinstance(item, dict):
        return len(item)
    raise ValueError("len of nil pointer" if item is None else f"len of type {type_name(item)}")


# -- comparison ----------------------------------------------------------------------------------------------------------


def _kind(value: Value) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    return "float" if isinstance(value, float) else "string" if isinstance(value, str) else ""


def _same(one: Value, other: Value) -> bool:
    kind, other_kind = _kind(one), _kind(other)
    if kind != other_kind:
        if one is None or other is None:
            return False
        raise ValueError("incompatible types for comparison")
    if kind:
        return bool(one == other)
    if one is None or other is None:
        return one is other
    if isinstance(one, Seq | dict | Data | Alert) or isinstance(other, Seq | dict | Data | Alert):
        raise ValueError(f"non-comparable type {type_name(one)}")
    return type(one) is type(other) and bool(one == other)


def _eq(_: Context, one: Value, *others: Value) -> bool:
    if not others:
        raise ValueError("missing argument for comparison")
    return any(_same(one, other) for other in others)


def _lt(context: Context, one: Value, other: Value) -> bool:
    kind, other_kind = _kind(one), _kind(other)
    if not kind or not other_kind:
        raise ValueError("invalid type for comparison")
    if kind != other_kind:
        raise ValueError("incompatible types for comparison")
    if kind == "bool":
        raise ValueError("invalid type for comparison")
    if kind != "string":
        return bool(one < other)
    context.budget.spend((len(one) + len(other)) // 256)
    return raw(one) < raw(other)


def _le(context: Context, one: Value, other: Value) -> bool:
    return _lt(context, one, other) or _eq(context, one, other)


# -- printing ------------------------------------------------------------------------------------------------------------


def printed(context: Context, values: tuple[Value, ...]) -> str:
    """As one text; a single text is itself."""
    if len(values) == 1 and isinstance(values[0], str):
        return str(values[0])
    return sprint(tuple("<no value>" if value is None else value for value in values), context.budget)


def html_escape(text: str) -> str:
    return text.translate(_HTML)


def js_escape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        char = match.group()
        if char in _JS:
            return _JS[char]
        if char < " ":
            return f"\\u00{ord(char):02X}"
        return char if char.isprintable() or "\udc80" <= char <= "\udcff" else f"\\u{ord(char):04X}"

    return _JS_SPECIAL.sub(one, text)


def _html(context: Context, *values: Value) -> str:
    text = printed(context, values)
    context.budget.spend(len(text) // 64)
    return _paid(context, html_escape(text))


def _js(context: Context, *values: Value) -> str:
    text = printed(context, values)
    context.budget.spend(len(text) // 32)
    return _paid(context, js_escape(text))


def _urlquery(context: Context, *values: Value) -> str:
    text = printed(context, values)
    context.budget.spend(len(text) // 32)
    return _paid(context, quote_plus(text, safe="", errors="surrogateescape"))


def _paid(context: Context, text: str) -> str:
    context.budget.spend_text(text)
    return text


def _call(_: Context, function: Value, *__: Value) -> Value:
    if function is None:
        raise ValueError("call of nil")
    raise ValueError(f"non-function of type {type_name(function)}")


def _lazy(*_: Value) -> Value:
    raise ValueError("is evaluated elsewhere")  # the interpreter stops at the first argument that decides


BUILTINS: dict[str, Function] = {
    "and": Function(_lazy, (RAW,), RAW),
    "or": Function(_lazy, (RAW,), RAW),
    "not": Function(lambda _, value: not truth(value), (RAW,)),
    "index": Function(_index, (RAW,), RAW),
    "slice": Function(_slice, (RAW,), RAW),
    "len": Function(_len, (RAW,)),
    "call": Function(_call, (RAW,), RAW),
    "eq": Function(_eq, (RAW,), RAW),
    "ne": Function(lambda context, one, other: not _eq(context, one, other), (RAW, RAW)),
    "lt": Function(_lt, (RAW, RAW)),
    "le": Function(_le, (RAW, RAW)),
    "gt": Function(lambda context, one, other: not _le(context, one, other), (RAW, RAW)),
    "ge": Function(lambda context, one, other: not _lt(context, one, other), (RAW, RAW)),
    "print": Function(lambda context, *values: sprint(values, context.budget), (), ANY),
    "println": Function(lambda context, *values: sprintln(values, context.budget), (), ANY),
    "printf": Function(lambda context, form, *values: sprintf(form, values, context.budget), ("string",), ANY),
    "html": Function(_html, (), ANY),
    "js": Function(_js, (), ANY),
    "urlquery": Function(_urlquery, (), ANY),
}
