"""Reads a mapping of YAML into a frozen value by the value's own fields: the same names, types and defaults in one place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec

from quietshift.alerts.secrets import SECRET
from quietshift.channels.access import NONE, HttpAccess, Secret, Tls
from quietshift.kernel.config import Absent, Node
from quietshift.kernel.durations import parse_duration

T = TypeVar("T", bound=msgspec.Struct)

Text = Annotated[str, "template"]
Texts = Annotated[Mapping[str, str], "template"]
Anything = Annotated[object, "template"]  # YAML as it is; every text in it is a template
Address = Annotated[str, "address"]
SecretAddress = Annotated[Secret, "address"]
SecretText = Annotated[Secret, "template"]
HostPort = Annotated[str, "host:port"]

_SPAN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Place:
    """directory: where relative file names begin. check: raises ValueError for a text whose template cannot be followed."""

    directory: Path
    check: Callable[[str], None]

    def file(self, node: Node) -> str:
        return "" if node.missing or not node.text() else str(self.directory / node.text())


class Shape(NamedTuple):
    """A field: its type without what is said about it, and what is said about it."""

    type: Any
    role: str


@cache
def shapes(kind: type[msgspec.Struct]) -> dict[str, Shape]:
    """Each field by its name in YAML (a Python word has `_` after it: `from_`)."""
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for name in kind.__struct_fields__:
        hint = hints[name]
        role = str(hint.__metadata__[0]) if get_origin(hint) is Annotated else ""
        found[name] = Shape(get_args(hint)[0] if role else hint, role)
    return found


def names(kind: type[msgspec.Struct]) -> list[str]:
    """What may be written, in order."""
    return [
        written
        for name, shape in shapes(kind).items()
        for written in ([name.rstrip("_"), f"{name}_file"] if shape.type is Secret else [name.rstrip("_")])
    ]


def read(kind: type[T], node: Node, place: Place, inherited: Mapping[str, Any] | None = None) -> T:
    """The value that is written here. inherited: what counts for fields that are not. What is wrong is a problem at its line."""
    f = node.fields(*names(kind))
    values: dict[str, Any] = dict(inherited or {})
    for name, shape in shapes(kind).items():
        at = f[name.rstrip("_")]
        if shape.type is Secret:
            secret = _secret(at, f[f"{name}_file"], shape.role, place)
            if secret:
                values[name] = secret
        elif not at.missing:
            values[name] = value(shape, at, place)
    return kind(**values)


def value(shape: Shape, at: Node, place: Place) -> Any:
    """What is written here, read as this type."""
    kind, role = shape
    if isinstance(kind, UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    if get_origin(kind) is tuple:
        of = get_args(kind)[0]
        return tuple(value(Shape(of, role), item, place) for item in at.items())
    if get_origin(kind) is Mapping:
        return {name: _text(item, role, place) for name, item in at.entries().items()}
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(at, role, place)
    return read(kind, at, place)


def _text(at: Node, role: str, place: Place) -> str:
    if role == "address":
        return at.parsed(web_address, "")
    if role == "host:port":
        return at.parsed(host_port, "")
    text = at.text()
    if role == "template" and "{{" in text:
        checked(at, text, place)
    return text


def _anything(at: Node, role: str, place: Place) -> object:
    for below in at.items() if at.is_list else at.entries().values() if at.is_map else ():
        _anything(below, role, place)
    if at.is_scalar:
        _text(at, role, place)
    return at.plain()


def _secret(at: Node, file: Node, role: str, place: Place) -> Secret:
    if not at.missing and not file.missing and at.text() and file.text():
        file.error(f"at most one of {_last(at)}, {_last(file)}")
    if not file.missing and file.text():
        return Secret(file=place.file(file))
    blotted = at.is_scalar and at.text() == SECRET  # as the configuration is shown, which stays one that can be loaded
    return NONE if at.missing else Secret(SECRET if blotted else _text(at, role, place))


def _http(at: Node, _role: str, place: Place) -> HttpAccess:
    from quietshift.alerts.integrations.http_config import access

    return access(at, place)


def _tls(at: Node, _role: str, place: Place) -> Tls:
    from quietshift.alerts.integrations.http_config import certificates

    return certificates(at, place)


_READERS: dict[Any, Callable[[Node, str, Place], Any]] = {
    str: _text,
    object: _anything,
    bool: lambda at, _role, _place: at.boolean(),
    int: lambda at, _role, _place: at.integer(),
    timedelta: lambda at, role, _place: at.parsed(go_span, timedelta()) if role == "go" else at.duration(),
    HttpAccess: _http,
    Tls: _tls,
}


def checked(at: Node, text: str, place: Place) -> None:
    """A problem here where the template cannot be followed."""
    try:
        place.check(text)
    except ValueError as error:
        at.error(f"template: {error}")


def absent(node: Node, name: str, message: str = "is required") -> None:
    """What has to be written in this mapping is not."""
    Absent(node, name).error(message)


def exclusive(node: Node, *at: Node) -> None:
    """At most one of these is written."""
    written = [_last(one) for one in at if not one.missing]
    if len(written) > 1:
        node.error(f"at most one of {', '.join(written)}")


def _last(node: Node) -> str:
    return node.path.rpartition(".")[2]


def go_span(text: str) -> timedelta:
    """A duration as Go writes it (`1m30s`, `1.5h`) or Prometheus (`1d`). Raises ValueError."""
    if text == "0":
        return timedelta()
    found = _SPAN.findall(text)
    if found and "".join(number + unit for number, unit in found) == text:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in found))
    return parse_duration(text)


def host_port(text: str) -> str:
    """`host:port` with both there. Raises ValueError otherwise."""
    host, colon, port = text.rpartition(":")
    if not colon or not port or (":" in host and not host.startswith("[")):
        raise ValueError(f"not host:port: {text!r}")
    return text


def web_address(text: str) -> str:
    """An http or https URL with a host. Raises ValueError otherwise, without the URL itself: it may hold a secret."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"unsupported scheme {parts.scheme[:20]!r} for a URL (http or https)")
    if not parts.hostname:
        raise ValueError("the URL has no host")
    if not text.isprintable() or " " in text:
        raise ValueError("the URL has spaces or unprintable characters")
    return text
