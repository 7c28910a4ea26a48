"""`templates:` of `alertmanager.yml`: files of notification templates, read and parsed with the configuration."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quietshift.kernel.config import Node
from quietshift.kernel.errors import Problems

if TYPE_CHECKING:
    from quietshift.channels.gotemplate import Templates

MAX_BYTES = 1 << 20  # of one file
MAX_FILES = 1000


def load(section: Node, directory: Path) -> Templates | None:
    """The built-in templates and those of the files that these patterns match, relative to `directory`; a later definition of a
    name counts. None where no pattern is written: the built-in ones, which cost to load. What is wrong with a file is a problem
    at its own line."""
    patterns = section.items()
    if not patterns:
        return None
    paths = [path for pattern in patterns for path in _matches(pattern.required(), directory, pattern)]
    return _parsed(paths, section.problems)


def of_patterns(patterns: Sequence[str], directory: Path, problems: Problems) -> Templates:
    """The same, of patterns that no file names."""
    nowhere = Node(None, "--glob", problems)
    return _parsed([path for pattern in patterns for path in _matches(pattern, directory, nowhere)], problems)


def _parsed(paths: Sequence[Path], problems: Problems) -> Templates:
    from quietshift.channels.gotemplate import TemplateError, Templates

    files: list[tuple[str, str]] = []
    for path in paths:
        text = _read(path, problems)
        if text is None:
            continue
        try:
            Templates.parse([(str(path), text)])
        except TemplateError as error:
            problems.add(path, error.line, f"column {error.column}: {error.message}")
            continue
        files.append((str(path), text))
    return Templates.parse(files)


def _matches(pattern: str, directory: Path, place: Node) -> list[Path]:
    if not pattern:
        return []
    if "**" in pattern:
        place.error("`**` is not followed: name each directory")
        return []
    found = sorted(directory / name for name in glob.iglob(pattern, root_dir=directory, include_hidden=True))  # noqa: PTH207 - a pattern may be absolute
    if not found:
        place.warning(f"no file matches {pattern!r} (seen from {directory})")
    if len(found) > MAX_FILES:
        place.error(f"matches {len(found)} files, and {MAX_FILES} are read at most")
        return []
    return found


def _read(path: Path, problems: Problems) -> str | None:
    try:
        if not path.is_file():
            problems.add(path, 0, "a template has to be a regular file")
            return None
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        problems.add(path, 0, f"cannot be read: {error.strerror}")
        return None
    if len(data) > MAX_BYTES:
        problems.add(path, 0, f"is larger than {MAX_BYTES} bytes")
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        problems.add(path, data.count(b"\n", 0, error.start) + 1, "is not UTF-8")
        return None
