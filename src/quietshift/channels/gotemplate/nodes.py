"""A template as a tree. at: the place in its source."""

from __future__ import annotations

from dataclasses import dataclass

from quietshift.channels.gotemplate.lexer import Source


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. as_int: what a number is where an integer is wanted, None where it is none."""

    at: int
    text: str
    value: str | bool | int | float
    as_int: int | None = None


@dataclass(frozen=True, slots=True)
class Dot:
    at: int
    text: str = "."


@dataclass(frozen=True, slots=True)
class Nil:
    at: int
    text: str = "nil"


@dataclass(frozen=True, slots=True)
class Field:
    """`.A.B`."""

    at: int
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Variable:
    """`$x.A`."""

    at: int
    name: str
    names: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return self.name + "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Identifier:
    """A function."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Chain:
    """`(...).A`."""

    at: int
    node: Operand
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        return self.node.text + "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Command:
    at: int
    args: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipe:
    """Commands, each fed by the one before; variables that take the result."""

    at: int
    variables: tuple[str, ...]
    assign: bool
    commands: tuple[Command, ...]
    text: str = "(...)"


Operand = Literal | Dot | Nil | Field | Variable | Identifier | Chain | Pipe


@dataclass(frozen=True, slots=True)
class Text:
    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    at: int
    pipe: Pipe


@dataclass(frozen=True, slots=True)
class Branch:
    """`if` and `with`, with their `else if` and `else with`."""

    at: int
    kind: str
    ways: tuple[tuple[Pipe, Body], ...]
    otherwise: Body = ()


@dataclass(frozen=True, slots=True)
class Range:
    at: int
    pipe: Pipe
    body: Body
    otherwise: Body = ()


@dataclass(frozen=True, slots=True)
class Call:
    """`template`, and `block` once it is defined."""

    at: int
    name: str
    pipe: Pipe | None


@dataclass(frozen=True, slots=True)
class Jump:
    """`break` or `continue`."""

    at: int
    kind: str


Node = Text | Action | Branch | Range | Call | Jump
Body = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """A named template. calls: the templates that it calls, with the place of the first call."""

    name: str
    source: Source
    body: Body
    calls: tuple[tuple[str, int], ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing but space: it does not replace another of its name."""
        return all(isinstance(node, Text) and not node.text.strip() for node in self.body)
