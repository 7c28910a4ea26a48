"""A tree followed: text/template's rules of evaluation, within a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from quietshift.channels.gotemplate import methods
from quietshift.channels.gotemplate.builtins import truth
from quietshift.channels.gotemplate.calling import ANY, RAW, Context, Function, check_count, fit, parameter
from quietshift.channels.gotemplate.errors import TemplateError
from quietshift.channels.gotemplate.functions import FUNCTIONS
from quietshift.channels.gotemplate.gofmt import shown, type_name
from quietshift.channels.gotemplate.gotime import Duration
from quietshift.channels.gotemplate.lexer import Source
from quietshift.channels.gotemplate.limits import MAX_CALLS, MAX_OUTPUT, Budget, LimitReached
from quietshift.channels.gotemplate.nodes import (
    Action,
    Body,
    Branch,
    Call,
    Chain,
    Command,
    Definition,
    Dot,
    Field,
    Identifier,
    Literal,
    Nil,
    Node,
    Operand,
    Pipe,
    Range,
    Text,
    Variable,
)  # fmt: skip
from quietshift.channels.gotemplate.values import Alert, Data, Dict, Kv, Pair, Seq, Value


class _Missing:
    """No argument came through the pipe."""


MISSING = _Missing()
_FAULTS = (ValueError, ArithmeticError, LimitReached, RecursionError, MemoryError)  # of functions, whatever they are given


class Writer(Protocol):
    """Where the text goes."""

    def literal(self, text: str) -> None:
        """What stands in the template."""

    def value(self, value: Value, escaper: str) -> None:
        """What a pipeline gave. escaper: the function that it ends with."""


class TextWriter:
    """Values as they are printed."""

    def __init__(self, budget: Budget) -> None:
        self.budget, self.parts, self.size = budget, list[str](), 0

    def literal(self, text: str) -> None:
        self.size += len(text)
        if self.size > MAX_OUTPUT:
            raise LimitReached(f"makes more than {MAX_OUTPUT:,} characters")
        self.budget.spend_text(text)
        self.parts.append(text)

    def value(self, value: Value, _: str) -> None:
        self.literal("<no value>" if value is None else shown(value, self.budget))

    def result(self) -> str:
        """Everything; bytes that are no UTF-8 replaced."""
        return "".join(self.parts).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Run:
    """One rendering."""

    def __init__(self, definitions: Mapping[str, Definition], context: Context, out: Writer) -> None:
        self.definitions, self.context, self.out = definitions, context, out
        self.calls = 0
        self.source = Source("", "")
        self.variables: list[tuple[str, Value]] = []

    def run(self, definition: Definition, dot: Value) -> None:
        """Render one template. Raises TemplateError."""
        kept = self.source, self.variables
        self.source, self.variables = definition.source, [("$", dot)]
        self.walk(dot, definition.body)
        self.source, self.variables = kept

    def fail(self, message: str, at: int) -> TemplateError:
        return self.source.error(message, at)

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def walk(self, dot: Value, body: Body) -> str:
        """Returns `break` or `continue` where one was met."""
        for node in body:
            try:
                self.context.budget.spend(1)
                jump = self.node(dot, node)
            except (LimitReached, RecursionError) as error:
                message = "too deeply nested" if isinstance(error, RecursionError) else str(error)
                raise self.fail(message, node.at) from None
            if jump:
                return jump
        return ""

    def node(self, dot: Value, node: Node) -> str:
        if isinstance(node, Text):
            self.out.literal(node.text)
        elif isinstance(node, Action):
            self.action(dot, node)
        elif isinstance(node, Branch):
            return self.branch(dot, node)
        elif isinstance(node, Range):
            return self.range(dot, node)
        elif isinstance(node, Call):
            self.call(dot, node)
        else:
            return node.kind
        return ""

    def action(self, dot: Value, node: Action) -> None:
        value = self.pipeline(dot, node.pipe)
        if not node.pipe.variables:
            last = node.pipe.commands[-1].args[0]
            self.out.value(value, last.text if isinstance(last, Identifier) else "")

    def branch(self, dot: Value, node: Branch) -> str:
        mark = len(self.variables)
        jump, taken = "", False
        for pipe, body in node.ways:
            value = self.pipeline(dot, pipe)
            if truth(value):
                jump, taken = self.walk(value if node.kind == "with" else dot, body), True
                break
        if not taken:
            jump = self.walk(dot, node.otherwise)
        del self.variables[mark:]
        return jump

    def range(self, dot: Value, node: Range) -> str:
        outer = len(self.variables)
        value = self.pipeline(dot, node.pipe)
        mark = len(self.variables)
        jump, any_items = "", False
        for key, item in self.items(value, node):
            any_items = True
            self.context.budget.spend(1)
            self.bind(node.pipe, key, item, mark)
            jump = self.walk(item, node.body)
            del self.variables[mark:]
            if jump == "break":
                break
        jump = "" if any_items else self.walk(dot, node.otherwise)
        del self.variables[outer:]
        return jump

    def bind(self, pipe: Pipe, key: Value, item: Value, mark: int) -> None:
        names = pipe.variables
        values = (item,) if len(names) == 1 else (key, item)
        for position, (name, value) in enumerate(zip(names, values, strict=False)):
            if pipe.assign:
                self.assign(name, value, pipe.at)
            else:
                self.variables[mark - len(names) + position] = (name, value)

    def items(self, value: Value, node: Range) -> Iterable[tuple[Value, Value]]:
        if value is None:
            return ()
        if isinstance(value, Seq):
            return enumerate(value.items)
        if isinstance(value, dict):
            return ((name, value[name]) for name in sorted(value))
        if isinstance(value, int) and type(value) is int:
            return ((number, number) for number in range(value))
        raise self.fail(f"range can't iterate over {self.brief(value)}", node.pipe.at)

    def brief(self, value: Value) -> str:
        return value[:60] if isinstance(value, str) else type_name(value)

    def call(self, dot: Value, node: Call) -> None:
        definition = self.definitions.get(node.name)
        if definition is None:
            raise self.fail(f"template {node.name!r} not defined", node.at)
        value = None if node.pipe is None else self.pipeline(dot, node.pipe)
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise self.fail(f"templates call one another more than {MAX_CALLS} deep", node.at)
        self.run(definition, value)
        self.calls -= 1

    # -- pipelines -----------------------------------------------------------------------------------------------------

    def assign(self, name: str, value: Value, at: int) -> None:
        for position in range(len(self.variables) - 1, -1, -1):
            if self.variables[position][0] == name:
                self.variables[position] = (name, value)
                return
        raise self.fail(f"undefined variable: {name}", at)

    def pipeline(self, dot: Value, pipe: Pipe) -> Value:
        value: Value = MISSING
        for command in pipe.commands:
            value = self.command(dot, command, value)
        for name in pipe.variables:
            if pipe.assign:
                self.assign(name, value, pipe.at)
            else:
                self.variables.append((name, value))
        return value

    def command(self, dot: Value, command: Command, final: Value) -> Value:
        self.context.budget.spend(1)
        first, args = command.args[0], command.args[1:]
        match first:
            case Field():
                return self.fields(dot, dot, first.names, first.at, args, final)
            case Chain():
                return self.chain(dot, first, args, final)
            case Identifier():
                return self.function(dot, first, args, final)
            case Variable() if first.names:
                return self.fields(dot, self.variable(first), first.names, first.at, args, final)
        if args or final is not MISSING:
            raise self.fail(f"can't give argument to non-function {first.text}", first.at)
        if isinstance(first, Nil):
            raise self.fail("nil is not a command", first.at)
        return self.operand(dot, first)

    def operand(self, dot: Value, node: Operand) -> Value:
        """What it is, nothing given to it."""
        match node:
            case Dot():
                return dot
            case Literal():
                return node.value
            case Pipe():
                return self.pipeline(dot, node)
            case Variable():
                value = self.variable(node)
                return self.fields(dot, value, node.names, node.at, (), MISSING) if node.names else value
            case Field():
                return self.fields(dot, dot, node.names, node.at, (), MISSING)
            case Identifier():
                return self.function(dot, node, (), MISSING)
            case Chain():
                return self.chain(dot, node, (), MISSING)
        return None

    def variable(self, node: Variable) -> Value:
        for name, value in reversed(self.variables):
            if name == node.name:
                return value
        raise self.fail(f"undefined variable: {node.name}", node.at)

    def chain(self, dot: Value, node: Chain, args: Sequence[Operand], final: Value) -> Value:
        return self.fields(dot, self.operand(dot, node.node), node.names, node.at, args, final)

    # -- fields and calls ----------------------------------------------------------------------------------------------

    def fields(
        self, dot: Value, value: Value, names: tuple[str, ...], at: int, args: Sequence[Operand], final: Value
    ) -> Value:
        within = False
        for name in names[:-1]:
            value = self.field(dot, value, name, at, (), MISSING, within)
            within = True
        return self.field(dot, value, names[-1], at, args, final, within)

    def field(
        self, dot: Value, value: Value, name: str, at: int, args: Sequence[Operand], final: Value, within: bool
    ) -> Value:
        """within: the value is itself a field's."""
        if value is None:
            if within:
                raise self.fail(f"nil pointer evaluating interface {{}}.{name}", at)
            return None
        method = methods.of(value).get(name)
        if method is not None:
            return self.invoke(dot, name, method, value, at, args, final)
        has_args = bool(args) or final is not MISSING
        if isinstance(value, Data | Alert | Pair) and name[0].isupper() and name in value.__dataclass_fields__:
            if has_args:
                raise self.fail(f"{name} has arguments but cannot be invoked as function", at)
            return getattr(value, name)
        if isinstance(value, Kv | Dict):
            if has_args:
                raise self.fail(f"{name} is not a method but has arguments", at)
            return value.get(name, "" if isinstance(value, Kv) else None)
        raise self.fail(f"can't evaluate field {name} in type {type_name(value)}", at)

    def function(self, dot: Value, node: Identifier, args: Sequence[Operand], final: Value) -> Value:
        function = FUNCTIONS[node.text]
        if node.text in ("and", "or"):
            return self.logic(dot, node, function, args, final)
        return self.invoke(dot, node.text, function, self.context, node.at, args, final)

    def logic(self, dot: Value, node: Identifier, function: Function, args: Sequence[Operand], final: Value) -> Value:
        """The first argument that decides; the ones after it are not looked at."""
        self.counted(node.text, function, args, final, node.at)
        value: Value = None
        for arg in args:
            value = self.argument(dot, RAW, arg)
            if truth(value) == (node.text == "or"):
                return value
        return value if final is MISSING else final

    def counted(self, name: str, function: Function, args: Sequence[Operand], final: Value, at: int) -> None:
        try:
            check_count(name, function, len(args), final is not MISSING)
        except ValueError as error:
            raise self.fail(str(error), at) from None

    def invoke(
        self, dot: Value, name: str, function: Function, first: Value, at: int, args: Sequence[Operand], final: Value
    ) -> Value:
        self.counted(name, function, args, final, at)
        values = [self.argument(dot, parameter(function, position), arg) for position, arg in enumerate(args)]
        self.context.budget.spend(1)
        try:
            if final is not MISSING:
                values.append(fit(final, parameter(function, len(values))))
        except ValueError as error:
            raise self.fail(str(error), at) from None
        try:
            return function.run(first, *values)
        except _FAULTS as error:
            if isinstance(error, TemplateError):
                raise
            raise self.fail(f"error calling {name}: {error}", at) from None

    def argument(self, dot: Value, wanted: str, node: Operand) -> Value:
        try:
            if isinstance(node, Nil):
                return fit(None, wanted)
            if isinstance(node, Literal):
                return _constant(node, wanted)
            return fit(self.operand(dot, node), wanted)
        except ValueError as error:
            raise error if isinstance(error, TemplateError) else self.fail(str(error), node.at) from None


def _constant(node: Literal, wanted: str) -> Value:
    """A constant takes the type that is wanted, where it can."""
    if wanted in (ANY, RAW):
        return node.value
    if wanted == "string":
        if isinstance(node.value, str):
            return node.value
    elif wanted in ("int", "time.Duration"):
        if node.as_int is not None:
            return Duration(node.as_int) if wanted == "time.Duration" else node.as_int
        wanted = "integer"
    else:
        raise ValueError(f"can't handle {node.text} for arg of type {wanted}")
    raise ValueError(f"expected {wanted}; found {node.text}")
