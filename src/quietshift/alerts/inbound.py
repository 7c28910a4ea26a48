"""Reads `kind: Integration` and `kind: Heartbeat` (`ops/integrations/**/*.yaml`): by which keys other tools are heard, and for
which service.

The file lies in git, so it holds a key's hash. The key is random, so SHA-256 is enough for it.
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

from quietshift.alerts.model import Heartbeat, Heartbeats, Inbound, Inbounds
from quietshift.catalog.model import Catalog, Entity, is_name
from quietshift.kernel.config import Node
from quietshift.kernel.errors import Problems
from quietshift.kernel.ops import Loaded, OpsFiles

API_VERSION = "quietshift.dev/v1"
KIND = "Integration"
HEARTBEAT = "Heartbeat"
LONGEST = timedelta(days=366)  # of period and grace
TYPES = ("pagerduty", "opsgenie")
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


def heartbeats(files: OpsFiles, loaded: Loaded, problems: Problems) -> Heartbeats:
    """The heartbeats' part of the ops directory; the catalog has to be loaded before."""
    names: dict[str, Heartbeat] = {}
    tokens: dict[str, Heartbeat] = {}
    for document in files.of(API_VERSION, HEARTBEAT):
        heartbeat = _heartbeat(document, loaded.get(Catalog))
        if heartbeat is None:
            continue
        for first, what in ((names.get(heartbeat.name), "this name"), (tokens.get(heartbeat.token_hash), "the same token")):
            if first is not None:
                where = f"{first.file}:{first.line}"
                problems.add(heartbeat.file, heartbeat.line, f"heartbeat {heartbeat.name}: {what} is there already, at {where}")
        names.setdefault(heartbeat.name, heartbeat)
        tokens.setdefault(heartbeat.token_hash, heartbeat)
    return Heartbeats(names)


def _inbound(document: Node, catalog: Catalog) -> Inbound | None:
    name, spec = _top(document, "type", "service", "keyHash")
    if not spec:
        return None
    kind = spec["type"].choice(*TYPES) if spec["type"].required() else ""
    component = _component(spec["service"], catalog)
    key_hash = spec["keyHash"].parsed(_hash, "") if spec["keyHash"].required() else ""
    if not (name and kind and component and key_hash):
        return None
    return Inbound(name, kind, component.id, key_hash, document.file, document.line)


def _heartbeat(document: Node, catalog: Catalog) -> Heartbeat | None:
    name, spec = _top(document, "service", "period", "grace", "severity", "tokenHash")
    if not spec:
        return None
    component = _component(spec["service"], catalog)
    spans = {}
    for key, least in (("period", timedelta(seconds=1)), ("grace", timedelta())):
        spans[key] = spec[key].duration() if spec[key].required() else least
        if not least <= spans[key] <= LONGEST:
            spec[key].error("has to be 1s or more, and 366d at most" if least else "has to be 366d at most")
    severity = spec["severity"].text("critical").strip()
    token_hash = spec["tokenHash"].parsed(_hash, "") if spec["tokenHash"].required() else ""
    if not (name and component and token_hash):
        return None
    return Heartbeat(name, component.id, spans["period"], spans["grace"], severity, token_hash, document.file, document.line)


def _top(document: Node, *known: str) -> tuple[str, dict[str, Node]]:
    """The document's name, and the fields of its spec; none where it has no spec."""
    top = document.fields("apiVersion", "kind", "metadata", "spec")
    meta = top["metadata"].fields("name", "description", "labels", "annotations")
    name = meta["name"].required()
    if name and not is_name(name):
        meta["name"].error(f"{name!r} is no name: letters, digits and -_. between them, at most 63 characters")
    if top["spec"].missing:
        top["spec"].error("is required")
        return name, {}
    return name, top["spec"].fields(*known)


def _component(node: Node, catalog: Catalog) -> Entity | None:
    service = node.required()
    component = catalog.component(service)
    if service and component is None:
        node.error(f"the catalog has no Component {service!r}")
    return component


def _hash(text: str) -> str:
    match = _HASH.fullmatch(text)
    if match is None:  # what is written may be the key itself: it is not repeated
        raise ValueError("expected 'sha256:' and 64 hexadecimal digits, as `quietshift integration` prints them")
    return match[1]


def hash_line(key: str) -> str:
    """What `keyHash` has to be for this key, `tokenHash` for this token."""
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
