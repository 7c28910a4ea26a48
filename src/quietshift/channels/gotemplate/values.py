"""What templates work on: a group of alerts as Alertmanager's templates see it, and Go's other values in Python's clothes.

nil is None; bool, int, float and str are themselves. Field and method names are the ones that templates write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from quietshift.channels.gotemplate.gotime import Time, parse_rfc3339
from quietshift.channels.gotemplate.literals import clean

Value = Any  # None, bool, int, float, str, Seq, Kv, Dict, Pair, Alert, Data, Time, Duration ...


class Html(str):
    """Markup that needs no escaping (`safeHtml`)."""

    __slots__ = ()
    go_type: ClassVar[str] = "template.HTML"


class Url(str):
    """An address that needs no filter (`safeUrl`)."""

    __slots__ = ()
    go_type: ClassVar[str] = "template.URL"


class Byte(int):
    """What `index` takes out of a text."""

    go_type: ClassVar[str] = "uint8"


ELEMENTS = {"template.Strings": "string", "template.Pairs": "template.Pair", "template.Alerts": "template.Alert"}


@dataclass(frozen=True, slots=True)
class Seq:
    """A slice of Go's. go_type: `[]string`, `template.Strings`, `template.Pairs`, `template.Alerts`, `[]interface {}` ..."""

    items: tuple[Value, ...]
    go_type: str = "[]interface {}"

    @property
    def element(self) -> str:
        """The type of each item."""
        return ELEMENTS.get(self.go_type) or self.go_type.removeprefix("[]")


class Dict(dict[str, Value]):
    """What `dict` makes."""

    go_type: ClassVar[str] = "map[string]interface {}"


@dataclass(frozen=True, slots=True)
class Pair:
    """One label."""

    Name: str
    Value: str
    go_type: ClassVar[str] = "template.Pair"
    json_names: ClassVar[tuple[str, ...]] = ("Name", "Value")


class Kv(dict[str, str]):
    """Labels or annotations."""

    go_type: ClassVar[str] = "template.KV"

    def sorted_names(self) -> list[str]:
        """By name, `alertname` first."""
        return sorted(self, key=lambda name: (name != "alertname", name))


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. EndsAt: zero time while it is firing."""

    Status: str
    Labels: Kv
    Annotations: Kv
    StartsAt: Time
    EndsAt: Time
    GeneratorURL: str
    Fingerprint: str
    go_type: ClassVar[str] = "template.Alert"
    json_names: ClassVar[tuple[str, ...]] = (
        "status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint",
    )


@dataclass(frozen=True, slots=True)
class Data:
    """A group as it is told. at: the instant of telling, which `now` and `since` go by; None: the clock's."""

    Receiver: str
    Status: str
    Alerts: Seq
    GroupLabels: Kv
    CommonLabels: Kv
    CommonAnnotations: Kv
    ExternalURL: str
    at: datetime | None = field(default=None, compare=False)
    go_type: ClassVar[str] = "*template.Data"
    json_names: ClassVar[tuple[str, ...]] = (
        "receiver", "status", "alerts", "groupLabels", "commonLabels", "commonAnnotations", "externalURL",
    )

    @classmethod
    def from_json(cls, body: Mapping[str, Any], at: datetime | None = None) -> Data:
        """Of the body of a webhook, which has all of it. Raises ValueError for what is none."""
        get = {str(key).lower(): value for key, value in body.items()}
        return cls(
            _text(get.get("receiver")), _text(get.get("status")),
            Seq(tuple(map(_alert, _list(get.get("alerts")))), "template.Alerts"),
            _kv(get.get("grouplabels")), _kv(get.get("commonlabels")), _kv(get.get("commonannotations")),
            _text(get.get("externalurl")), at,
        )  # fmt: skip


def strings(items: Iterable[str], go_type: str = "[]string") -> Seq:
    """A slice of texts."""
    return Seq(tuple(items), go_type)


def _alert(body: Any) -> Alert:
    if not isinstance(body, Mapping):
        raise ValueError("an alert has to be an object")
    get = {str(key).lower(): value for key, value in body.items()}
    return Alert(
        _text(get.get("status")), _kv(get.get("labels")), _kv(get.get("annotations")),
        parse_rfc3339(_text(get.get("startsat"))), parse_rfc3339(_text(get.get("endsat"))),
        _text(get.get("generatorurl")), _text(get.get("fingerprint")),
    )  # fmt: skip


def _text(value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"a text is expected, not {value!r:.50}")
    return clean(value) if value else ""


def _list(value: Any) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise ValueError("alerts has to be a list")
    return value or []


def _kv(value: Any) -> Kv:
    if value is not None and not isinstance(value, Mapping):
        raise ValueError("labels and annotations are objects of texts")
    return Kv((clean(str(name)), _text(text)) for name, text in (value or {}).items())
