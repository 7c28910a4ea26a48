"""The kinds of integrations, and what each consists of. A kind's file is loaded when a configuration uses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from quietshift.alerts.model import NOTIFIED_KINDS, Notifier
from quietshift.kernel.answer import Answer
from quietshift.kernel.config import Node

if TYPE_CHECKING:
    from quietshift.alerts.integrations.globals import Global
    from quietshift.alerts.integrations.saying import Saying

T = TypeVar("T", bound=Notifier)


@dataclass(frozen=True)
class Kind(Generic[T]):
    """config: its fields, named and defaulted as in YAML. send: outside any transaction; may raise OSError (a secret's file) and
    ValueError (cannot be sent so). inherits: field -> the field of `global` that counts where it is silent. finish: what the
    fields together have to fulfil."""

    config: type[T]
    send: Callable[[T, Saying], Answer]
    inherits: Mapping[str, str] = field(default_factory=dict)
    finish: Callable[[T, Node, Global], T] | None = None


def kind(name: str) -> Kind[Any]:
    """The kind of this name, `slack` for instance."""
    if name not in NOTIFIED_KINDS:
        raise ValueError(f"no kind of integration: {name!r}")
    made: Kind[Any] = import_module(f"quietshift.alerts.integrations.{name}").KIND
    return made
