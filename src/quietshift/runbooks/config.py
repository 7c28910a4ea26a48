"""Reads `ops/runbooks/**/*.md`, and says which links to and between runbooks lead nowhere."""

from __future__ import annotations

import posixpath
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from quietshift.catalog.model import Ref
from quietshift.kernel.config import MAX_BYTES, Node
from quietshift.kernel.errors import Problems
from quietshift.kernel.ops import Loaded, OpsFiles
from quietshift.runbooks import decide
from quietshift.runbooks.model import Runbook, Runbooks

DIRECTORY = "runbooks"
ANNOTATION = "quietshift.dev/runbook"  # of a Component: the runbook of its alerts that name none


def part(files: OpsFiles, loaded: Loaded, problems: Problems) -> Runbooks:  # noqa: ARG001 - the shape of every part
    """The runbooks of an ops directory."""
    found = load(files.root, problems)
    of_component = _annotations(files.of("backstage.io/"), Runbooks(found))
    return Runbooks(MappingProxyType(found), MappingProxyType(of_component))


def load(root: Path, problems: Problems) -> dict[str, Runbook]:
    """Every runbook below `root`/runbooks, by name."""
    folder = root / DIRECTORY
    paths = sorted(path for path in folder.rglob("*.md") if path.is_file())
    found = {}
    for path in paths:
        name = path.relative_to(folder).as_posix().removesuffix(".md")
        runbook = _read(path, name, problems)
        if runbook is not None:
            found[name] = runbook
    first: dict[str, Runbook] = {}
    for runbook in found.values():
        other = first.setdefault(runbook.alertname, runbook)
        if other is not runbook:
            chosen = Runbooks(found).for_alert(runbook.alertname)
            text = f"the alert {runbook.alertname} has two runbooks of its name; {chosen.file if chosen else ''} is shown"
            problems.add(folder / f"{runbook.name}.md", 0, text, "warning")
        _links(runbook, folder, root, problems)
    return found


def parse(name: str, text: str, file: str = "") -> Runbook:
    """The runbook that this Markdown describes. Its title is the first heading, else the last part of its name."""
    from quietshift.runbooks import steps

    document = steps.read(text)
    title = document.title or name.rpartition("/")[2]
    parts = tuple(part.step for part in document.parts)
    return Runbook(name, title, text, parts, tuple(document.links), tuple(document.faults), file)


def _read(path: Path, name: str, problems: Problems) -> Runbook | None:
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.add(path, 0, f"cannot be read: {error.strerror}")
        return None
    if len(data) > MAX_BYTES:
        problems.add(path, 0, f"is larger than {MAX_BYTES >> 20} MiB")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.add(path, data[: error.start].count(b"\n") + 1, "is not UTF-8")
        return None
    runbook = parse(name, text, f"{DIRECTORY}/{name}.md")
    for line, fault in runbook.faults:
        problems.add(path, line, fault, "warning")
    return runbook


def _links(runbook: Runbook, folder: Path, root: Path, problems: Problems) -> None:
    here = folder / f"{runbook.name}.md"
    for link in runbook.links:
        parts = urlsplit(link.href)
        path = unquote(parts.path)
        if parts.scheme or parts.netloc or not path or path.startswith("/"):
            continue
        target = Path(posixpath.normpath(here.parent.as_posix() + "/" + path))
        if not target.is_relative_to(root):
            problems.add(here, link.line, f"the link {link.href} leaves the ops directory: it is shown as text", "warning")
        elif not target.exists():
            problems.add(here, link.line, f"the link {link.href} leads nowhere: there is no {target.relative_to(root)}")


def _annotations(documents: list[Node], runbooks: Runbooks) -> dict[str, str]:
    """What Components say in `metadata.annotations`; one that names no runbook of the directory is an error at its line."""
    found = {}
    for document in documents:
        entries = document.entries()
        meta = entries["metadata"].entries() if "metadata" in entries and entries["metadata"].is_map else {}
        annotations = meta["annotations"].entries() if "annotations" in meta and meta["annotations"].is_map else {}
        node = annotations.get(ANNOTATION)
        if node is None:
            continue
        runbook = _named(node, runbooks)
        kind, name = (e.text() if e is not None else "" for e in (entries.get("kind"), meta.get("name")))
        if kind != "Component":
            node.error(f"only a Component's runbook is shown, not a {kind or 'nameless thing'}'s")
        elif runbook is not None and name:
            namespace = meta["namespace"].text() if "namespace" in meta else "default"
            found[str(Ref("component", namespace.lower(), name.lower()))] = runbook.name
    return found


def _named(node: Node, runbooks: Runbooks) -> Runbook | None:
    text = node.required()
    runbook = decide.in_directory(text, runbooks)
    if text and runbook is None:
        node.error(f"there is no runbook {text!r}: expected a file below {DIRECTORY}/, like {DIRECTORY}/DiskWillFill.md")
    return runbook
