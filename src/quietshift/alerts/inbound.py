"""Reads `kind: Integration` and `kind: Heartbeat` (`ops/integrations/**/*.yaml`): by which keys other tools are heard, and for
which service.

The file lies in git, so it holds a key's hash. The key is random, so SHA-256 is enough for it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from quietshift.alerts.matchers import Matchers, parse_matcher
from quietshift.alerts.sources import (
    EVENTS_PER_MINUTE,
    BodyMapping,
    Field,
    Heartbeat,
    Heartbeats,
    Inbound,
    Inbounds,
    next_time,
)
from quietshift.alerts.syntax import is_name as is_label
from quietshift.catalog.model import Catalog, Entity, is_name
from quietshift.kernel.config import Node
from quietshift.kernel.errors import Problems
from quietshift.kernel.ops import Loaded, OpsFiles
from quietshift.oncall.localtime import zone_of

API_VERSION = "quietshift.dev/v1"
KIND = "Integration"
HEARTBEAT = "Heartbeat"
LONGEST = timedelta(days=366)  # of period and grace
TYPES = ("pagerduty", "opsgenie", "alertmanager", "grafana", "json")
EXAMPLE = datetime(2026, 1, 1, tzinfo=UTC)  # whether a cron expression ever comes is tried from here
RESERVED = ("alertname", "severity", "service", "integration", "dedup_key")  # labels that a mapping has other words for, or none
_HASH = re.compile("sha256:([0-9a-f]{64})")
One = TypeVar("One", Inbound, Heartbeat)


def part(files: OpsFiles, loaded: Loaded, problems: Problems) -> Inbounds:
    """The integrations' part of the ops directory; the catalog has to be loaded before."""
    catalog = loaded.get(Catalog)
    read = _each(files, KIND, "key", problems, lambda one: _inbound(one, catalog), lambda one: one.key_hash)
    return Inbounds({one.key_hash: one for one in read})


def heartbeats(files: OpsFiles, loaded: Loaded, problems: Problems) -> Heartbeats:
    """The heartbeats' part of the ops directory; the catalog has to be loaded before."""
    catalog = loaded.get(Catalog)
    read = _each(files, HEARTBEAT, "token", problems, lambda one: _heartbeat(one, catalog), lambda one: one.token_hash)
    return Heartbeats({one.name: one for one in read})


def _each(
    files: OpsFiles, kind: str, secret: str, problems: Problems, read: Callable[[Node], One | None], hash_of: Callable[[One], str]
) -> list[One]:
    """The documents of a kind, each name and each secret once: the first that has it."""
    names: dict[str, One] = {}
    secrets: dict[str, One] = {}
    for document in files.of(API_VERSION, kind):
        one = read(document)
        if one is None:
            continue
        for first, what in ((names.get(one.name), "this name"), (secrets.get(hash_of(one)), f"the same {secret}")):
            if first is not None:
                where = f"{first.file}:{first.line}"
                problems.add(one.file, one.line, f"{kind.lower()} {one.name}: {what} is there already, at {where}")
        names.setdefault(one.name, one)
        if hash_of(one):
            secrets.setdefault(hash_of(one), one)
    return list(names.values())


def _inbound(document: Node, catalog: Catalog) -> Inbound | None:
    name, spec = _top(document, "type", "service", "keyHash", "requestsPerMinute", "mapping")
    if not spec:
        return None
    kind = spec["type"].choice(*TYPES) if spec["type"].required() else ""
    component = _component(spec["service"], catalog)
    key_hash = spec["keyHash"].parsed(_hash, "") if spec["keyHash"].required() else ""
    per_minute = spec["requestsPerMinute"].integer(EVENTS_PER_MINUTE, minimum=1)
    mapping = None
    if kind == "json":
        mapping = _mapping(spec["mapping"])
    elif not spec["mapping"].missing:
        spec["mapping"].error("is for type json: the others have a shape of their own")
    if not (name and kind and component and key_hash):
        return None
    return Inbound(name, kind, component.id, key_hash, document.file, document.line, per_minute, mapping)


# -- mappings ------------------------------------------------------------------------------------------------------------


def _mapping(node: Node) -> BodyMapping | None:
    if node.missing:
        node.error("is required: where in the body the summary is, and what else")
        return None
    from quietshift.alerts.wires.mapped import ACTIONS  # with its library only where a mapping is

    plain = ("events", "key", "summary", "alertname", "time", "url")
    fields = node.fields(*plain, "action", "severity", "labels", "annotations")
    paths = {key: _path(fields[key]) for key in plain}
    fields["summary"].required()
    action = _field(fields["action"], ACTIONS)
    return BodyMapping(
        **paths, action=action, severity=_field(fields["severity"]), labels=_paths(fields["labels"], RESERVED),
        annotations=_paths(fields["annotations"], ("summary",)),
    )  # fmt: skip


def _path(node: Node) -> str:
    from quietshift.alerts.wires.mapped import expression

    return node.parsed(expression, "")


def _paths(node: Node, reserved: tuple[str, ...]) -> dict[str, str]:
    """Expressions by the name of a label or annotation."""
    found = {}
    for name, entry in node.entries().items():
        if not is_label(name):
            entry.error(f"{name!r} is no name of a label")
        elif name in reserved:
            entry.error(f"{name!r} is given by the mapping itself or by the integration")
        elif entry.required():
            found[name] = _path(entry)
    return found


def _field(node: Node, allowed: tuple[str, ...] = ()) -> Field | None:
    """A path, what the words there mean, and what holds where none is; allowed: what they may mean."""
    if node.missing:
        return None
    fields = node.fields("path", "values", "default")
    fields["path"].required()
    values = {word: entry.choice(*allowed) if allowed else entry.required() for word, entry in fields["values"].entries().items()}
    default = fields["default"].text()
    if default and allowed and default not in allowed:
        fields["default"].error(f"has to be one of {', '.join(allowed)}, not {default!r}")
    return Field(_path(fields["path"]), values, default)


# -- heartbeats ----------------------------------------------------------------------------------------------------------


def _heartbeat(document: Node, catalog: Catalog) -> Heartbeat | None:
    keys = ("service", "period", "schedule", "timeZone", "alerts", "grace", "severity", "tokenHash")
    name, spec = _top(document, *keys)
    if not spec:
        return None
    component = _component(spec["service"], catalog)
    rhythms = [key for key in ("period", "schedule", "alerts") if not spec[key].missing]
    if len(rhythms) != 1:
        several = f"one of {', '.join(rhythms)} is enough"
        spec["period"].error(several if rhythms else "is required; or `schedule`, or `alerts`")
        return None
    period = _span(spec["period"], timedelta(seconds=1)) if rhythms == ["period"] else timedelta()
    grace = _span(spec["grace"], timedelta()) if spec["grace"].required() else timedelta()
    zone = spec["timeZone"].parsed(lambda text: str(zone_of(text)), "UTC")
    if not spec["timeZone"].missing and rhythms != ["schedule"]:
        spec["timeZone"].error("is that of `schedule`, which is not there")
    cron = spec["schedule"].parsed(lambda text: _cron(text, zone), "")
    matchers = _matchers(spec["alerts"])
    severity = spec["severity"].text("critical").strip()
    token_hash = spec["tokenHash"].parsed(_hash, "")
    if not token_hash and rhythms != ["alerts"] and spec["tokenHash"].missing:
        spec["tokenHash"].error("is required")
    if not (name and component and (token_hash or matchers) and (period or cron or matchers)):
        return None
    return Heartbeat(
        name, component.id, grace, severity, token_hash, period, cron, zone, matchers, document.file, document.line
    )


def _span(node: Node, least: timedelta) -> timedelta:
    span = node.duration(least)
    if not least <= span <= LONGEST:
        node.error("has to be 1s or more, and 366d at most" if least else "has to be 366d at most")
    return span


def _cron(text: str, zone: str) -> str:
    next_time(text, zone, EXAMPLE)
    return " ".join(text.split())


def _matchers(node: Node) -> Matchers:
    found = tuple(filter(None, (item.parsed(parse_matcher, None) for item in node.items())))
    if node.is_list and not found and not node.items():
        node.error("has to name an alert, as alertname=\"Watchdog\"")
    if found and all(one.operator in ("!=", "!~") for one in found):
        node.error("would be fulfilled by nearly every alert: say what its labels are, as alertname=\"Watchdog\"")
    return found


# -- what both have ------------------------------------------------------------------------------------------------------


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
