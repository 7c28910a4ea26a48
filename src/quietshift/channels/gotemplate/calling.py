"""How functions and methods are called: their parameters, and what fits them by Go's rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quietshift.channels.gotemplate.gofmt import type_name
from quietshift.channels.gotemplate.limits import Budget
from quietshift.channels.gotemplate.values import Seq, Value

ANY, RAW = "interface {}", "reflect.Value"
_NILABLE = (ANY, RAW, "[]string", "[]interface {}", "*time.Location")
_SLICES = {"[]string": ("[]string", "template.Strings"), "[]interface {}": ("[]interface {}",)}


@dataclass(slots=True)
class Context:
    """What functions may ask of a rendering: its budget, and the time."""

    budget: Budget
    now: datetime


@dataclass(frozen=True, slots=True)
class Function:
    """run: called with the context and the arguments; ValueError says what is wrong with them. parameters: their types; rest:
    the type of any number of further ones."""

    run: Callable[..., Value]
    parameters: tuple[str, ...] = ()
    rest: str | None = None


def fit(value: Value, wanted: str) -> Value:
    """The value as an argument of this type. Raises ValueError."""
    if wanted in (ANY, RAW):
        return value
    if value is None:
        if wanted in _NILABLE:
            return Seq((), wanted) if wanted.startswith("[]") else None
        raise ValueError(f"invalid value; expected {wanted}")
    found = type_name(value)
    if found == wanted or found in _SLICES.get(wanted, ()):
        return value
    raise ValueError(f"wrong type for value; expected {wanted}; got {found}")


def check_count(name: str, function: Function, given: int, final: bool) -> None:
    """Raises ValueError where the number of arguments does not fit."""
    count, fixed = given + final, len(function.parameters)
    if function.rest is not None:
        if count < fixed:
            raise ValueError(f"wrong number of args for {name}: want at least {fixed} got {given}")
    elif count != fixed:
        raise ValueError(f"wrong number of args for {name}: want {fixed} got {count}")


def parameter(function: Function, position: int) -> str:
    """The type of the argument at this position."""
    return function.parameters[position] if position < len(function.parameters) else function.rest or ANY


def method(run: Callable[..., Any], *parameters: str) -> Function:
    """A method: its receiver is the first argument, and no context is handed on."""
    return Function(run, parameters)
