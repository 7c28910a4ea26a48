"""Tokens made a tree, by the rules of Go's text/template."""

from __future__ import annotations

from collections.abc import Collection

from quietshift.channels.gotemplate import literals
from quietshift.channels.gotemplate.errors import TemplateError
from quietshift.channels.gotemplate.lexer import Source, Token, tokens
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
    Jump,
    Literal,
    Nil,
    Node,
    Operand,
    Pipe,
    Range,
    Text,
    Variable,
)  # fmt: skip

MAX_NESTING = 60
MAX_TEXT = 1 << 20  # characters of one file or text
_OPERANDS = frozenset(("bool", "char", "number", "string", "dot", "field", "identifier", "variable", "("))


def parse(name: str, text: str, functions: Collection[str]) -> list[Definition]:
    """The templates of this text, itself last under its own name. Raises TemplateError."""
    if len(text) > MAX_TEXT:
        raise TemplateError(f"longer than {MAX_TEXT} characters", name)
    return _Parser(Source(name, literals.clean(text)), functions).run()


class _Parser:
    def __init__(self, source: Source, functions: Collection[str]) -> None:
        self.source, self.functions = source, functions
        self.tokens, self.position, self.depth = tokens(source), 0, 0
        self.variables, self.ranges, self.calls = ["$"], 0, dict[str, int]()
        self.found: dict[str, Definition] = {}

    def run(self) -> list[Definition]:
        body: list[Node] = []
        while self.peek().kind != "end":
            define = self.define_ahead()
            if define is not None:
                self.define(define)
                continue
            node, word = self.text_or_action()
            if word is not None:
                raise self.error(f"unexpected {{{{{word.text}}}}}", word)
            if node is not None:
                body.append(node)
        self.add(Definition(self.source.name, self.source, tuple(body), tuple(self.calls.items())), 0)
        own = self.found.pop(self.source.name)
        return [*self.found.values(), own]

    def add(self, made: Definition, at: int) -> None:
        old = self.found.get(made.name)
        if old is not None and not old.empty:
            if not made.empty:
                raise self.source.error(f"multiple definition of template {made.name!r}", at)
            return
        self.found[made.name] = made

    # -- tokens --------------------------------------------------------------------------------------------------------

    def error(self, message: str, token: Token) -> TemplateError:
        return self.source.error(message, token.at)

    def unexpected(self, token: Token, context: str) -> TemplateError:
        what = "end of the template" if token.kind == "end" else f"{token.text!r:.60}"
        return self.error(f"unexpected {what} in {context}", token)

    def peek(self) -> Token:
        return self.tokens[self.position]

    def next(self) -> Token:
        token = self.tokens[self.position]
        if token.kind != "end":
            self.position += 1
        return token

    def peek_word(self) -> Token:
        while self.peek().kind == "space":
            self.position += 1
        return self.peek()

    def next_word(self) -> Token:
        self.peek_word()
        return self.next()

    def expect(self, kind: str, context: str) -> Token:
        token = self.next_word()
        if token.kind != kind:
            raise self.unexpected(token, context)
        return token

    def deeper(self, token: Token) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.error(f"nested more than {MAX_NESTING} deep", token)

    # -- definitions ---------------------------------------------------------------------------------------------------

    def define_ahead(self) -> Token | None:
        """Past `{{define`, where that is what comes."""
        if self.peek().kind != "left":
            return None
        start = self.position
        self.next()
        token = self.next_word()
        if token == ("keyword", "define", token.at):
            return token
        self.position = start
        return None

    def define(self, token: Token) -> None:
        name = self.unquoted(self.expect("string", "define clause"))
        self.expect("right", "define clause")
        self.definition(name, token, "define clause")

    def definition(self, name: str, token: Token, context: str) -> None:
        outer = self.variables, self.ranges, self.calls
        self.variables, self.ranges, self.calls = ["$"], 0, {}
        body, last = self.items(token)
        if last.text != "end":
            raise self.unexpected(last, context)
        self.add(Definition(name, self.source, body, tuple(self.calls.items())), token.at)
        self.variables, self.ranges, self.calls = outer

    def unquoted(self, token: Token) -> str:
        try:
            return literals.unquote(token.text)
        except ValueError as error:
            raise self.error(str(error), token) from None

    # -- items ---------------------------------------------------------------------------------------------------------

    def items(self, opener: Token) -> tuple[Body, Token]:
        """Until `end` or `else`, which is returned, its own tokens read but an `if` or `with` behind an `else`."""
        self.deeper(opener)
        found: list[Node] = []
        while self.peek_word().kind != "end":
            node, word = self.text_or_action()
            if word is not None:
                self.depth -= 1
                return tuple(found), word
            if node is not None:
                found.append(node)
        raise self.error(f"unexpected end of the template: {{{{{opener.text}}}}} has no {{{{end}}}}", opener)

    def text_or_action(self) -> tuple[Node | None, Token | None]:
        """A node, or the word `end` or `else`."""
        token = self.next_word()
        if token.kind == "text":
            return Text(token.at, token.text), None
        if token.kind != "left":
            raise self.unexpected(token, "input")
        word = self.peek_word()
        if word.kind != "keyword" or word.text == "nil":
            return Action(word.at, self.pipeline("command", "right")), None
        self.next()
        if word.text == "end":
            self.expect("right", "end")
            return None, word
        if word.text == "else":
            ahead = self.peek_word()
            if ahead.kind != "keyword" or ahead.text not in ("if", "with"):
                self.expect("right", "else")
            return None, word
        if word.text in ("break", "continue"):
            self.expect("right", f"{{{{{word.text}}}}}")
            if not self.ranges:
                raise self.error(f"{{{{{word.text}}}}} outside {{{{range}}}}", word)
            return Jump(word.at, word.text), None
        if word.text in ("template", "block"):
            return self.call(word), None
        if word.text == "define":
            raise self.unexpected(word, "command: a template is defined at the top")
        return self.control(word), None

    def call(self, word: Token) -> Call:
        context = f"{word.text} clause"
        token = self.next_word()
        if token.kind != "string":
            raise self.unexpected(token, context)
        name = self.unquoted(token)
        pipe = None
        if word.text == "block" or self.peek_word().kind != "right":
            pipe = self.pipeline(context, "right")
        else:
            self.next()
        if word.text == "block":
            self.definition(name, word, context)
        self.calls.setdefault(name, word.at)
        return Call(word.at, name, pipe)

    def control(self, word: Token) -> Branch | Range:
        kept = len(self.variables)
        ways: list[tuple[Pipe, Body]] = []
        otherwise: Body = ()
        while True:
            pipe = self.pipeline(word.text, "right")
            self.ranges += word.text == "range"
            body, last = self.items(word)
            self.ranges -= word.text == "range"
            ways.append((pipe, body))
            if last.text == "end":
                break
            ahead = self.peek()
            if ahead.kind == "keyword" and ahead.text in ("if", "with") and self.tokens[self.position - 1].kind != "right":
                if ahead.text != word.text:
                    raise self.unexpected(ahead, f"{{{{else}}}} of {{{{{word.text}}}}}")
                self.next()
                continue
            otherwise, last = self.items(word)
            if last.text != "end":
                raise self.error(f"expected end; found {{{{{last.text}}}}}", last)
            break
        del self.variables[kept:]
        if word.text == "range":
            return Range(word.at, *ways[0], otherwise)
        return Branch(word.at, word.text, tuple(ways), otherwise)

    # -- pipelines -----------------------------------------------------------------------------------------------------

    def pipeline(self, context: str, closer: str) -> Pipe:
        start = self.peek_word()
        variables, assign = self.declarations(context)
        commands: list[Command] = []
        while True:
            token = self.next_word()
            if token.kind == closer:
                break
            if token.kind not in _OPERANDS and token[:2] != ("keyword", "nil"):
                raise self.unexpected(token, context)
            self.position -= 1
            commands.append(self.command())
        if not commands:
            raise self.error(f"missing value for {context}", start)
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.args[0], Literal | Dot | Nil):
                raise self.source.error(f"non executable command in pipeline stage {stage}", command.at)
        return Pipe(start.at, tuple(variables), assign, tuple(commands))

    def declarations(self, context: str) -> tuple[list[str], bool]:
        """`$x :=`, `$x =`, and in `range` `$i, $x :=`."""
        names: list[str] = []
        while self.peek_word().kind == "variable":
            start = self.position
            variable = self.next()
            following = self.peek_word()
            if following.kind in ("assign", "declare"):
                self.next()
                self.variables.append(variable.text)
                return [*names, variable.text], following.kind == "assign"
            if following.kind != ",":
                self.position = start
                break
            self.next()
            names.append(variable.text)
            self.variables.append(variable.text)
            if context != "range" or len(names) > 1:
                raise self.error(f"too many declarations in {context}", following)
            if self.peek_word().kind not in ("variable", "right", ")"):
                raise self.error("range can only initialize variables", self.peek())
        return names, False

    def command(self) -> Command:
        start = self.peek_word()
        args: list[Operand] = []
        while True:
            self.peek_word()
            operand = self.operand()
            if operand is not None:
                args.append(operand)
            token = self.next()
            if token.kind == "space":
                continue
            if token.kind in ("right", ")"):
                self.position -= 1
            elif token.kind != "pipe":
                raise self.unexpected(token, "operand")
            break
        if not args:
            raise self.error("empty command", start)
        return Command(start.at, tuple(args))

    def operand(self) -> Operand | None:
        start = self.peek()
        node = self.term()
        if node is None or self.peek().kind != "field":
            return node
        names = []
        while self.peek().kind == "field":
            names.append(self.next().text[1:])
        if isinstance(node, Field):
            return Field(node.at, (*node.names, *names))
        if isinstance(node, Variable):
            return Variable(node.at, node.name, (*node.names, *names))
        if isinstance(node, Identifier | Pipe):
            return Chain(node.at, node, tuple(names))
        raise self.error(f"unexpected . after term {node.text!r}", start)

    def term(self) -> Operand | None:
        token = self.next_word()
        at, text = token.at, token.text
        match token.kind:
            case "identifier":
                if text not in self.functions:
                    raise self.error(f"function {text!r} not defined", token)
                return Identifier(at, text)
            case "dot":
                return Dot(at)
            case "field":
                return Field(at, (text[1:],))
            case "variable":
                if text not in self.variables:
                    raise self.error(f"undefined variable {text!r}", token)
                return Variable(at, text)
            case "bool":
                return Literal(at, text, text == "true")
            case "string" | "char" | "number":
                return self.literal(token)
            case "(":
                self.deeper(token)
                pipe = self.pipeline("parenthesized pipeline", ")")
                self.depth -= 1
                return pipe
        if token[:2] == ("keyword", "nil"):
            return Nil(at)
        if token.kind != "end":
            self.position -= 1
        return None

    def literal(self, token: Token) -> Literal:
        try:
            if token.kind == "string":
                return Literal(token.at, token.text, literals.unquote(token.text))
            value, as_int = (literals.character(token.text),) * 2 if token.kind == "char" else literals.number(token.text)
        except ValueError as error:
            raise self.error(str(error), token) from None
        return Literal(token.at, token.text, value, as_int)
