"""Reads `kind: Integration` (`ops/integrations/**/*.yaml`): by which keys other tools' events come in, and for which service.

The file lies in git, so it holds a key's hash. The key is random, so SHA-256 is enough for it.
"""

from __future__ import annotations

import hashlib
import re

from quietshift.alerts.model import Inbound, Inbounds
from quietshift.catalog.model import Catalog, is_name
from quietshift.kernel.config import Node
from quietshift.kernel.errors import Problems
from quietshift.kernel.ops import Loaded, OpsFiles

API_VERSION = "quietshift.dev/v1"
KIND = "Integration"
TYPES = ("pagerduty",)
_HASH = re.compile("sha256:([0-9a-f]{64})")


def part(files: OpsFiles, loaded: Loaded, problems: Problems) -> Inbounds:
    """The integrations' part of the ops directory; the catalog has to be loaded before."""
    found: dict[str, Inbound] = {}
    names: dict[str, Inbound] = {}
    for document in files.of(API_VERSION, KIND):
        inbound = _inbound(document, loaded.get(Catalog))
        if inbound is None:
            continue
        for first, what in ((names.get(inbound.name), "this name"), (found.get(inbound.key_hash), "the same key")):
            if first is not None:
                where = f"{first.file}:{first.line}"
                problems.add(inbound.file, inbound.line, f"integration {inbound.name}: {what} is there already, at {where}")
        names.setdefault(inbound.name, inbound)
        found.setdefault(inbound.key_hash, inbound)
    return Inbounds(found)


def _inbound(document: Node, catalog: Catalog) -> Inbound | None:
    top = document.fields("apiVersion", "kind", "metadata", "spec")
    meta = top["metadata"].fields("name", "description", "labels", "annotations")
    name = meta["name"].required()
    if name and not is_name(name):
        meta["name"].error(f"{name!r} is no name: letters, digits and -_. between them, at most 63 characters")
    if top["spec"].missing:
        top["spec"].error("is required")
        return None
    spec = top["spec"].fields("type", "service", "keyHash")
    kind = spec["type"].choice(*TYPES) if spec["type"].required() else ""
    service = spec["service"].required()
    component = catalog.component(service)
    if service and component is None:
        spec["service"].error(f"the catalog has no Component {service!r}")
    key_hash = spec["keyHash"].parsed(_hash, "") if spec["keyHash"].required() else ""
    if not (name and kind and component and key_hash):
        return None
    return Inbound(name, kind, component.id, key_hash, document.file, document.line)


def _hash(text: str) -> str:
    match = _HASH.fullmatch(text)
    if match is None:  # what is written may be the key itself: it is not repeated
        raise ValueError("expected 'sha256:' and 64 hexadecimal digits, as `quietshift integration key` prints them")
    return match[1]


def hash_line(key: str) -> str:
    """What `keyHash` has to be for this key."""
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
