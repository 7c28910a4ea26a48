"""Reads Backstage descriptors (`ops/catalog/**/*.yaml`): Component, System, Domain, Resource, API, Group, User.

As Backstage does, unknown keys are free within `metadata` and `spec`, and refused beside them. References that decide who is
called (owner, membership) or what an outage spreads to (dependsOn) have to lead somewhere; the others only should.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from quietshift.catalog import decide
from quietshift.catalog.model import (
    DEFAULT_NAMESPACE,
    KINDS,
    OWNABLE,
    Catalog,
    Entity,
    Group,
    Link,
    Ref,
    User,
    is_name,
    is_namespace,
)
from quietshift.kernel.config import Node
from quietshift.kernel.errors import Problems
from quietshift.kernel.ops import Loaded, OpsFiles

VERSIONS = ("backstage.io/v1alpha1", "backstage.io/v1beta1")
IGNORED = ("Location", "Template")
_TAG = re.compile(r"[a-z0-9:+#]+(-[a-z0-9:+#]+)*")
_SUBDOMAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*")

# What Backstage refuses to do without; Quietshift can: warnings.
_WANTED = {
    "Component": ("type", "lifecycle"),
    "API": ("type", "lifecycle"),
    "Resource": ("type",),
    "Group": ("type", "children"),
}


_META = ("name", "namespace", "title", "description", "labels", "annotations", "tags", "links")
_SPEC = (
    *("type", "lifecycle", "owner", "system", "domain", "subcomponentOf", "dependsOn", "dependencyOf"),
    *("providesApis", "consumesApis", "profile", "parent", "children", "members", "memberOf"),
)


@dataclass(frozen=True)
class _Mention:
    """A reference where it is written, judged when all entities are known."""

    node: Node
    ref: Ref
    kinds: tuple[str, ...]  # those it may lead to; none: any
    binding: bool  # leads nowhere: an error, else a warning


def part(files: OpsFiles, loaded: Loaded, problems: Problems) -> Catalog:  # noqa: ARG001 - the shape of every part
    """The catalog's part of the ops directory."""
    return load(files.of("backstage.io/") + files.of("scaffolder.backstage.io/"), problems)


def load(documents: list[Node], problems: Problems) -> Catalog:
    """The catalog these documents describe. What is wrong goes to `problems`; what can be read is in the answer anyway."""
    entities: dict[Ref, Entity] = {}
    owners: dict[Ref, Node] = {}
    mentions: list[_Mention] = []
    for document in documents:
        reader = _Reader(document)
        entity = reader.read()
        if entity is None:
            continue
        if entity.ref in entities:
            first = entities[entity.ref]
            document.error(f"{entity.ref} is described twice, first at {first.file}:{first.line}")
            continue
        entities[entity.ref] = entity
        owners[entity.ref] = reader.owner_place
        mentions += reader.mentions
    catalog = Catalog(MappingProxyType(entities))
    for mention in mentions:
        _judge(mention, catalog)
    for entity in catalog.entities.values():
        if entity.ref.kind in OWNABLE and owners[entity.ref].missing:
            problems.add(entity.file, entity.line, f"{entity.ref} has no owner: nobody answers for it", "warning")
    for group in catalog.groups:
        if cycle := decide.group_cycle(catalog, group):
            way = " > ".join(ref.name for ref in cycle)
            problems.add(group.file, group.line, f"{group.ref} stands above itself: {way}")
    return catalog


def _judge(mention: _Mention, catalog: Catalog) -> None:
    if mention.kinds and mention.ref.kind not in mention.kinds:
        kinds = " or ".join(known for known in KINDS if known.lower() in mention.kinds)
        mention.node.error(f"has to be a {kinds}, not {mention.ref}")
    elif mention.ref not in catalog.entities:
        text = f"{mention.ref} is not in the catalog"
        (mention.node.error if mention.binding else mention.node.warning)(text)


class _Reader:
    """One document, read once."""

    def __init__(self, document: Node) -> None:
        self.document = document
        self.mentions: list[_Mention] = []
        self.namespace = DEFAULT_NAMESPACE
        self.owner_place: Node = document

    def read(self) -> Entity | None:
        """The entity, or None where the document is none of ours or cannot be told apart from others."""
        if not self.document.is_map:
            self.document.error("expected a Backstage descriptor: apiVersion, kind, metadata, spec")
            return None
        version, kind = self._kind()
        if not kind:
            return None
        top = self.document.fields("apiVersion", "kind", "metadata", "spec")
        if version not in VERSIONS:
            top["apiVersion"].error(f"has to be one of {', '.join(VERSIONS)}, not {version!r}")
            return None
        meta = top["metadata"].fields(*top["metadata"].entries(), *_META)
        name = meta["name"].required()
        if name and not is_name(name):
            meta["name"].error(f"{name!r} is no name: letters, digits and -_. between them, at most 63 characters")
        self.namespace = meta["namespace"].text(DEFAULT_NAMESPACE)
        if not is_namespace(self.namespace):
            meta["namespace"].error(f"{self.namespace!r} is no namespace: a-z, 0-9 and - between them, at most 63")
        if top["spec"].missing:
            top["spec"].error("is required")
        spec = top["spec"].fields(*top["spec"].entries(), *_SPEC)
        for key in _WANTED.get(kind, ()):
            if spec[key].missing:
                top["spec"].warning(f"has no {key}, which Backstage requires of a {kind}")
        return self._entity(kind, name, meta, spec) if name else None

    def _kind(self) -> tuple[str, str]:
        """apiVersion and kind as written; kind is empty where the document is not read further."""
        entries = self.document.entries()
        kind_node, version_node = entries.get("kind"), entries.get("apiVersion")
        kind = kind_node.text() if kind_node else ""
        version = version_node.text() if version_node else ""
        if not kind or not version:
            self.document.error(f"has no {'kind' if version else 'apiVersion'}: expected a Backstage descriptor")
        elif kind in IGNORED:
            self.document.warning(f"a {kind} is of no use here and is passed over")
        elif kind not in KINDS:
            meant = next((known for known in KINDS if known.lower() == kind.lower()), "")
            hint = f" (did you mean {meant}?)" if meant else f" (known: {', '.join(KINDS)})"
            (kind_node or self.document).error(f"Backstage has no kind {kind!r}{hint}")
        else:
            return version, kind
        return version, ""

    def _entity(self, kind: str, name: str, meta: dict[str, Node], spec: dict[str, Node]) -> Entity:
        self.owner_place = spec["owner"]
        one, many = self._ref, self._refs
        entity = Entity(
            ref=Ref(kind.lower(), self.namespace.lower(), name.lower()),
            kind=kind,
            name=name,
            namespace=self.namespace,
            title=meta["title"].text(),
            description=meta["description"].text(),
            labels=_pairs(meta["labels"], values_are_names=True),
            annotations=_pairs(meta["annotations"]),
            tags=tuple(_tag(node) for node in meta["tags"].items()),
            links=tuple(_link(node) for node in meta["links"].items()),
            type=spec["type"].text(),
            lifecycle=spec["lifecycle"].text(),
            file=self.document.file,
            line=self.document.line,
        )
        if kind in ("Group", "User"):
            profile = spec["profile"].entries()
            display_name, email = (profile[k].text() if k in profile else "" for k in ("displayName", "email"))
            if kind == "User":
                groups = many(spec["memberOf"], "group", binding=True)
                return User(**vars(entity), display_name=display_name, email=email, member_of=groups)
            return Group(
                **vars(entity),
                display_name=display_name,
                email=email,
                parent=one(spec["parent"], "group", binding=True),
                children=many(spec["children"], "group", binding=True),
                members=many(spec["members"], "user", binding=True),
            )
        return replace(
            entity,
            owner=one(spec["owner"], "group", "user", binding=True),
            system=one(spec["system"], "system"),
            domain=one(spec["domain"], "domain"),
            subcomponent_of=one(spec["subcomponentOf"], "component"),
            depends_on=many(spec["dependsOn"], binding=True),
            dependency_of=many(spec["dependencyOf"], binding=True),
            provides_apis=many(spec["providesApis"], "api"),
            consumes_apis=many(spec["consumesApis"], "api"),
        )

    def _ref(self, node: Node, *kinds: str, binding: bool = False) -> Ref | None:
        """A reference whose default kind is the first of `kinds`; with none, it has to name its kind."""
        if node.missing:
            return None
        ref = node.parsed(lambda text: Ref.parse(text, kinds[0] if kinds else "", self.namespace), None)
        if ref is not None:
            self.mentions.append(_Mention(node, ref, kinds, binding))
        return ref

    def _refs(self, node: Node, *kinds: str, binding: bool = False) -> tuple[Ref, ...]:
        found = []
        for item in node.items():
            if item.missing:
                item.error("is empty: expected a reference")
            elif ref := self._ref(item, *kinds, binding=binding):
                found.append(ref)
        return tuple(found)


def _pairs(node: Node, *, values_are_names: bool = False) -> Mapping[str, str]:
    """Labels or annotations. Source: Backstage's field format policy, which is Kubernetes's."""
    pairs = {}
    for key, value in node.entries().items():
        prefix, slash, name = key.rpartition("/")
        if not is_name(name) or (slash and not _SUBDOMAIN.fullmatch(prefix)):
            value.problems.add(value.file, value.key_line, f"{node.path}: {key!r} is no key: expected [prefix/]name")
        pairs[key] = value.text()
        if values_are_names and pairs[key] and not is_name(pairs[key]):
            value.error(f"{pairs[key]!r} is no label value: letters, digits and -_. between them, at most 63")
    return MappingProxyType(pairs)


def _tag(node: Node) -> str:
    text = node.required()
    if text and (len(text) > 63 or not _TAG.fullmatch(text)):
        node.error(f"{text!r} is no tag: a-z, 0-9, + # : and - between them, at most 63 characters")
    return text


def _link(node: Node) -> Link:
    fields = node.fields(*node.entries(), "url", "title", "icon", "type")
    return Link(fields["url"].required(), fields["title"].text(), fields["icon"].text(), fields["type"].text())
