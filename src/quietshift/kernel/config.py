"""YAML read by what is expected, so that every error names `file:line`.

Documents are composed, not loaded: a scalar stays text until somebody asks for an integer, a duration or a date. So `09:00`
is never a number of seconds, `no` never a boolean by accident, and the place of each value is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

import yaml

from quietshift.kernel.durations import parse_duration
from quietshift.kernel.errors import Problems

T = TypeVar("T")
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = {"", "~", "null", "Null", "NULL"}
_TRUE, _FALSE = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}
MAX_BYTES = 4 << 20
MAX_DEPTH = 1000  # collections within collections
MAX_ALIASED = 20_000  # values that are there by aliases, beyond ten times of what is written


class Node:
    """A place in a YAML file and what is written there. Reading it wrongly adds a problem and gives the default."""

    __slots__ = ("_node", "file", "path", "problems")

    def __init__(self, node: yaml.Node | None, file: str, problems: Problems, path: str = "") -> None:
        self._node, self.file, self.problems, self.path = node, file, problems, path

    @property
    def line(self) -> int:
        """Line of the value, from 1; 0 where nothing is written."""
        return self._node.start_mark.line + 1 if self._node is not None else 0

    def error(self, message: str) -> None:
        """Record a problem here; the path within the file is put before the message."""
        self.problems.add(self.file, self.line, f"{self.path}: {message}" if self.path else message)

    def warning(self, message: str) -> None:
        """Record a warning here."""
        text = f"{self.path}: {message}" if self.path else message
        self.problems.add(self.file, self.line, text, "warning")

    @property
    def missing(self) -> bool:
        """Nothing is written here, or null."""
        return self._node is None or self._is_null()

    def _is_null(self) -> bool:
        node = self._node
        return isinstance(node, yaml.ScalarNode) and not node.style and node.value in _NULLS

    @property
    def is_scalar(self) -> bool:
        return isinstance(self._node, yaml.ScalarNode) and not self._is_null()

    @property
    def is_list(self) -> bool:
        return isinstance(self._node, yaml.SequenceNode)

    @property
    def is_map(self) -> bool:
        return isinstance(self._node, yaml.MappingNode)

    # -- shapes ----------------------------------------------------------------------------------------------------

    def fields(self, *known: str) -> dict[str, Node]:
        """A mapping whose keys are among `known`; each other key is an error with its line. Every known key is in the
        answer, those not written as missing nodes placed at this mapping."""
        entries = self.entries()
        for key, node in entries.items():
            if key not in known:
                node.problems.add(self.file, node.key_line, f"{node.path}: unknown key{_meant(key, known)}")
        return {key: entries.get(key) or Absent(self, key) for key in known}

    def entries(self) -> dict[str, KeyedNode]:
        """A mapping with any keys, in the order written; a key written twice is an error."""
        if self.missing:
            return {}
        if not isinstance(self._node, yaml.MappingNode):
            self.error("expected a mapping (key: value)")
            return {}
        found: dict[str, KeyedNode] = {}
        for key, value in self._node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.problems.add(self.file, line, f"{self.path}: a key has to be text")
                continue
            child = KeyedNode(value, self.file, self.problems, f"{self.path}.{key.value}" if self.path else key.value)
            child.key_line = line
            if key.value in found:
                self.problems.add(self.file, line, f"{child.path}: written twice")
            found[key.value] = child
        return found

    def items(self) -> list[Node]:
        """A sequence's members; missing gives none, a scalar is an error."""
        if self.missing:
            return []
        if not isinstance(self._node, yaml.SequenceNode):
            self.error("expected a list")
            return []
        return [Node(n, self.file, self.problems, f"{self.path}[{i}]") for i, n in enumerate(self._node.value)]

    # -- scalars ---------------------------------------------------------------------------------------------------

    def text(self, default: str = "") -> str:
        """The scalar as written. Missing gives the default."""
        if self.missing:
            return default
        if not isinstance(self._node, yaml.ScalarNode):
            self.error("expected text")
            return default
        return str(self._node.value)

    def required(self) -> str:
        """Text that has to be there and not be empty."""
        text = self.text()
        if not text.strip():
            self.error("is required")
        return text

    def parsed(self, parse: Callable[[str], T], default: T) -> T:
        """What `parse` makes of the text; its ValueError becomes a problem here."""
        if self.missing:
            return default
        if not isinstance(self._node, yaml.ScalarNode):
            self.error("expected a single value")
            return default
        try:
            return parse(self._node.value)
        except ValueError as error:
            self.error(str(error))
            return default

    def integer(self, default: int = 0, minimum: int | None = None) -> int:
        """A whole number, decimal."""
        value = self.parsed(_integer, default)
        if minimum is not None and value < minimum:
            self.error(f"has to be {minimum} or more, not {value}")
            return default
        return value

    def boolean(self, default: bool = False) -> bool:
        """`true` or `false`."""
        return self.parsed(_boolean, default)

    def duration(self, default: timedelta = timedelta()) -> timedelta:
        """A Prometheus duration."""
        return self.parsed(parse_duration, default)

    def date(self, default: date) -> date:
        """An ISO date, 2026-01-05."""
        return self.parsed(_date, default)

    def texts(self) -> list[str]:
        """A list of texts."""
        return [item.required() for item in self.items()]

    def choice(self, *allowed: str, default: str = "") -> str:
        """One of the allowed words."""
        word = self.text(default)
        if word not in allowed:
            self.error(f"has to be one of {', '.join(allowed)}, not {word!r}")
            return default or allowed[0]
        return word

    def plain(self) -> object:
        """The value as JSON has it (None, bool, int, float, str, list, dict), by YAML 1.2's core schema: for data kept as is."""
        node = self._node
        if node is None or self._is_null():
            return None
        if isinstance(node, yaml.MappingNode):
            return {key: value.plain() for key, value in self.entries().items()}
        if isinstance(node, yaml.SequenceNode):
            return [item.plain() for item in self.items()]
        text = str(node.value)
        if getattr(node, "style", None):
            return text
        for kind in (_boolean, _integer, float):
            try:
                return kind(text)
            except ValueError:
                continue
        return text


class KeyedNode(Node):
    """The value of a mapping's key; knows the key's line too."""

    __slots__ = ("key_line",)
    key_line: int


class Absent(Node):
    """A key that is not written: its place is the mapping that should hold it."""

    __slots__ = ("_parent",)

    def __init__(self, parent: Node, key: str) -> None:
        super().__init__(None, parent.file, parent.problems, f"{parent.path}.{key}" if parent.path else key)
        self._parent = parent

    @property
    def line(self) -> int:
        return self._parent.line


def _integer(text: str) -> int:
    try:
        return int(text.strip()) if "_" not in text else int("x")
    except ValueError:
        raise ValueError(f"expected a whole number, not {text!r}") from None


def _boolean(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"expected true or false, not {text!r}")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected a date like 2026-01-05, not {text!r}") from None


def _meant(key: str, known: tuple[str, ...]) -> str:
    import difflib

    near = difflib.get_close_matches(key, known, 1)
    return f" (did you mean {near[0]}?)" if near else f" (known: {', '.join(known)})"


def read_documents(path: Path, problems: Problems) -> list[Node]:
    """Every document of a YAML file, in order, empty ones left out. What cannot be read is a problem, not an exception."""
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.add(path, 0, f"cannot be read: {error.strerror}")
        return []
    return parse_documents(data, str(path), problems)


def parse_documents(data: bytes, name: str, problems: Problems) -> list[Node]:
    """Every document of this YAML text; `name` stands for the file in messages."""
    if len(data) > MAX_BYTES:
        problems.add(name, 0, f"is larger than {MAX_BYTES >> 20} MiB")
        return []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.add(name, data[: error.start].count(b"\n") + 1, "is not UTF-8")
        return []
    try:
        return list(_compose(text, name, problems))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(filter(None, (error.context, error.problem)))
        problems.add(name, mark.line + 1 if mark else 0, f"not YAML: {what}")
    except (yaml.YAMLError, RecursionError) as error:
        place = getattr(error, "position", None)
        line = text.count("\n", 0, place) + 1 if isinstance(place, int) else 0
        problems.add(name, line, f"not YAML: {str(error).splitlines()[0] if str(error) else 'nested too deeply'}")
    return []


def _compose(text: str, name: str, problems: Problems) -> Iterator[Node]:
    _bound_depth(text)
    aliases = "&" in text and "*" in text
    for node in yaml.compose_all(text, Loader=_LOADER):
        if aliases and node is not None:
            _bound_size(node)
        if node is not None and not (isinstance(node, yaml.ScalarNode) and node.value in _NULLS):
            yield Node(node, name, problems)


def _bound_depth(text: str) -> None:
    """Raises RecursionError for what is nested more than MAX_DEPTH times: libyaml composes by recursion in C, and 40,000 levels
    overflow its stack, which ends the process. Nearly no file has so many brackets or so long a line that it has to be parsed."""
    if text.count("[") + text.count("{") + 2 * max(map(len, text.splitlines()), default=0) < 5 * MAX_DEPTH:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise RecursionError(f"nested more than {MAX_DEPTH} times")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _bound_size(root: yaml.Node) -> None:
    """Raises YAMLError for a document that contains itself, or that is far larger with its aliases written out than it is
    written: who reads it would never come to an end."""
    sizes: dict[int, int] = {}  # by id, with all that is below; 0 while that is counted
    stack = [(root, False)]
    while stack:
        node, counted = stack.pop()
        below = _below(node)
        if counted:
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in below)
        elif id(node) not in sizes:
            sizes[id(node)] = 0
            stack.append((node, True))
            stack.extend((child, False) for child in below)
        elif not sizes[id(node)]:
            raise yaml.MarkedYAMLError(problem="an alias stands within what it names", problem_mark=node.start_mark)
    if sizes[id(root)] > 10 * len(sizes) + MAX_ALIASED:
        raise yaml.MarkedYAMLError(problem="its aliases make it too large", problem_mark=root.start_mark)


def _below(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [one for pair in node.value for one in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
