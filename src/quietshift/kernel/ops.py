"""The ops directory: all of a team's settings, in git. It is taken whole or not at all.

    ops/quietshift.yaml  alertmanager.yml  catalog/  oncall/  integrations/  slos/  runbooks/  pipelines/  capacity/

Rooms offer parts: each claims kinds of documents and gives a frozen value of its own type; later parts can look at earlier
ones for cross-references. Whatever no part claims is an error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from quietshift.kernel.config import Node, read_documents
from quietshift.kernel.errors import ConfigError, Problem, Problems

T = TypeVar("T")
DOCUMENT_DIRECTORIES = ("catalog", "oncall", "integrations", "slos", "pipelines", "capacity")
MAX_FILES = 20_000


@dataclass
class OpsFiles:
    """The files as read: documents with apiVersion and kind, in the order of their names; single files by name."""

    root: Path
    problems: Problems
    documents: list[tuple[str, str, Node]] = field(default_factory=list)  # apiVersion, kind, document
    claimed: set[tuple[str, str]] = field(default_factory=set)

    def of(self, api: str, *kinds: str) -> list[Node]:
        """Documents of these kinds whose apiVersion is `api` or, where it ends in "/", begins with it."""
        found: list[Node] = []
        for version, kind, node in self.documents:
            if (version == api or (api.endswith("/") and version.startswith(api))) and (not kinds or kind in kinds):
                self.claimed.add((version, kind))
                found.append(node)
        return found

    def single(self, name: str) -> Node | None:
        """The one document of a file at the root; None where the file is not there. Several documents are an error."""
        path = self.root / name
        if not path.is_file():
            return None
        nodes = read_documents(path, self.problems)
        for extra in nodes[1:]:
            extra.error("only one document is expected in this file")
        return nodes[0] if nodes else None


class Loaded:
    """A valid ops directory, by the type of each part."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root
        self._parts: dict[type, Any] = {}

    def put(self, value: object) -> None:
        """Add a part's value; its type is its name."""
        self._parts[type(value)] = value

    def get(self, kind: type[T]) -> T:
        """The part of this type. Raises KeyError where no room offered it."""
        return cast("T", self._parts[kind])

    def having(self, value: object) -> Loaded:
        """The same with this part in place of the one of its type; this one stays as it is."""
        other = Loaded(self.root)
        other._parts = {**self._parts, type(value): value}
        return other

    def has(self, kind: type) -> bool:
        return kind in self._parts


Part = Callable[[OpsFiles, Loaded, Problems], object]


def read(root: Path, parts: Sequence[Part], *, whole: bool = True) -> tuple[Loaded, Problems]:
    """Read and validate a directory. Every finding is in the Problems; the value is whole only where it has no errors.

    whole=False: these parts alone are wanted; documents that none of them claims are left to the rooms they belong to.
    """
    problems = Problems(root)
    files = OpsFiles(root, problems)
    loaded = Loaded(root)
    if not root.is_dir():
        problems.add(root, 0, "is not a directory (quietshift init DIR makes an example)")
        return loaded, problems
    for path in _documents(root, problems):
        for node in read_documents(path, problems):
            entries = node.entries()
            api, kind = entries.get("apiVersion"), entries.get("kind")
            if api is None or kind is None:
                node.error("a document here needs apiVersion and kind")
                continue
            files.documents.append((api.text(), kind.text(), node))
    for part in parts:
        loaded.put(part(files, loaded, problems))
    for version, kind_name, node in files.documents:
        if whole and (version, kind_name) not in files.claimed:
            node.error(f"unknown apiVersion and kind: {version} {kind_name}")
    return loaded, problems


def _documents(root: Path, problems: Problems) -> list[Path]:
    found: list[Path] = []
    for directory in DOCUMENT_DIRECTORIES:
        paths = sorted((root / directory).rglob("*"))
        found += [path for path in paths if path.suffix in (".yaml", ".yml") and path.is_file()]
    if len(found) > MAX_FILES:
        problems.add(root, 0, f"holds more than {MAX_FILES} files")
        return []
    return found


class OpsHolder:
    """The configuration in force. A reload replaces it whole, or keeps the old one and says why."""

    def __init__(self, load: Callable[[], tuple[Loaded, Problems]]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Loaded], None]] = []
        self.problems: list[Problem] = []  # of the last reload that was refused
        loaded, problems = load()
        problems.raise_errors()
        self.current = loaded
        self.warnings = problems.warnings

    def on_change(self, listener: Callable[[Loaded], None]) -> None:
        """Call this with each new configuration, after it is in force."""
        self._listeners.append(listener)

    def reload(self) -> Loaded:
        """Read again. Raises ConfigError with every problem, and keeps the old one, where the new one is broken."""
        with self._lock:
            try:
                loaded, problems = self._load()
                problems.raise_errors()
            except ConfigError as error:
                self.problems = error.problems
                raise
            self.problems, self.warnings = [], problems.warnings
            self.current = loaded
            for listener in self._listeners:
                listener(loaded)
            return loaded
