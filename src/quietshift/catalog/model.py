"""What the catalog knows, as Backstage describes it: references, entities, people and the groups they are in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from quietshift.kernel.errors import NotFound

K = TypeVar("K")
V = TypeVar("V")

DEFAULT_NAMESPACE = "default"
KINDS = ("Component", "System", "Domain", "Resource", "API", "Group", "User")
OWNABLE = frozenset(("component", "system", "domain", "resource", "api"))

_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_NAMESPACE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def is_name(text: str) -> bool:
    """Backstage's rule for names: letters, digits, and `-_.` between them, at most 63 characters."""
    return len(text) <= 63 and _NAME.fullmatch(text) is not None


def is_namespace(text: str) -> bool:
    """Backstage's rule for namespaces: a DNS label, lower case, at most 63 characters."""
    return len(text) <= 63 and _NAMESPACE.fullmatch(text) is not None


@dataclass(frozen=True, order=True, slots=True)
class Ref:
    """A full entity reference; every part is lower case, for Backstage compares without case. Prints `group:default/storage`."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str, kind: str = "", namespace: str = DEFAULT_NAMESPACE) -> Ref:
        """`[kind:][namespace/]name`; what is not written comes from `kind` and `namespace`.

        Raises ValueError where a part is empty, or the kind is neither written nor given.
        Source: Backstage, catalog-model, `parseEntityRef` (a `/` ahead of the `:` makes the rest the name).
        """
        colon, slash = text.find(":"), text.find("/")
        if slash != -1 and slash < colon:
            colon = -1
        written_kind = kind if colon == -1 else text[:colon]
        written_namespace = namespace if slash == -1 else text[colon + 1 : slash]
        name = text[max(colon, slash) + 1 :]
        if colon == -1 and not kind:
            raise ValueError(f"reference {text!r} has to name its kind, like 'component:{text or 'name'}'")
        if not (written_kind and written_namespace and name) or any(c.isspace() for c in text):
            raise ValueError(f"reference {text!r} is not of the form [kind:][namespace/]name")
        return cls(written_kind.lower(), written_namespace.lower(), name.lower())


@dataclass(frozen=True, slots=True)
class Link:
    """A place outside that says more about an entity."""

    url: str
    title: str = ""
    icon: str = ""
    type: str = ""


@dataclass(frozen=True, kw_only=True)
class Entity:
    """A Component, System, Domain, Resource or API; Group and User add their own fields.

    name is as written (a reference to it is without case); file and line are where its document begins.
    """

    ref: Ref
    kind: str
    name: str
    namespace: str = DEFAULT_NAMESPACE
    title: str = ""
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    tags: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    type: str = ""
    lifecycle: str = ""
    owner: Ref | None = None
    system: Ref | None = None
    domain: Ref | None = None
    subcomponent_of: Ref | None = None
    depends_on: tuple[Ref, ...] = ()
    dependency_of: tuple[Ref, ...] = ()
    provides_apis: tuple[Ref, ...] = ()
    consumes_apis: tuple[Ref, ...] = ()
    file: str = ""
    line: int = 0

    @property
    def id(self) -> str:
        """How people write it where the kind is known: the name, after `namespace/` unless that is the default one."""
        return self.name if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Group(Entity):
    """A team or a unit of teams. `type` is free: team, business-unit, ..."""

    display_name: str = ""
    email: str = ""
    parent: Ref | None = None
    children: tuple[Ref, ...] = ()
    members: tuple[Ref, ...] = ()


@dataclass(frozen=True, kw_only=True)
class User(Entity):
    """A person. `id` is the user's name everywhere in Quietshift: in schedules, contacts, accounts and the journal."""

    display_name: str = ""
    email: str = ""
    member_of: tuple[Ref, ...] = ()


@dataclass(frozen=True)
class Catalog:
    """Every entity of an ops directory, each under its reference."""

    entities: Mapping[Ref, Entity] = field(default_factory=dict, hash=False)

    def find(self, ref: Ref | str, kind: str = "") -> Entity | None:
        """The entity, or None; a text is read with `kind` as default, and one that is no reference finds nothing."""
        if isinstance(ref, str):
            try:
                ref = Ref.parse(ref, kind)
            except ValueError:
                return None
        return self.entities.get(ref)

    def get(self, ref: Ref | str, kind: str = "") -> Entity:
        """The entity. Raises NotFound, which names what was looked for and what is near."""
        if isinstance(ref, str):
            try:
                ref = Ref.parse(ref, kind)
            except ValueError as error:
                raise NotFound(str(error)) from None
        found = self.find(ref)
        if found is None:
            raise NotFound(f"the catalog has no {ref}{self._near(ref)}")
        return found

    def component(self, name: str) -> Entity | None:
        """The Component of that name or reference, or None: `name` may be any text, such as an alert's label."""
        found = self.find(name, "component")
        return found if found is not None and found.ref.kind == "component" else None

    def user(self, name: str) -> User | None:
        """The User of that name or reference, or None."""
        found = self.find(name, "user")
        return found if isinstance(found, User) else None

    def group(self, name: Ref | str) -> Group | None:
        """The Group of that name or reference, or None."""
        found = self.find(name, "group")
        return found if isinstance(found, Group) else None

    def owner(self, entity: Entity) -> Group | User | None:
        """Who owns it; None where nobody is written."""
        found = self.entities.get(entity.owner) if entity.owner else None
        return found if isinstance(found, Group | User) else None

    def owner_group(self, entity: Entity) -> Group | None:
        """The group that owns it; None where nobody does, or a single user."""
        found = self.owner(entity)
        return found if isinstance(found, Group) else None

    def members(self, group: Group) -> tuple[User, ...]:
        """The users in it and in the groups below it, by Group.members and User.memberOf alike; each once, by name."""
        seen: set[Ref] = set()
        found: dict[Ref, User] = {}
        waiting = [group.ref]
        while waiting:
            ref = waiting.pop()
            if ref in seen:
                continue
            seen.add(ref)
            waiting += self._children.get(ref, ())
            found |= {user.ref: user for user in self._direct_members.get(ref, ())}
        return tuple(found[ref] for ref in sorted(found))

    def groups_of(self, user: User) -> tuple[Group, ...]:
        """Every group the user is in, directly or by a group below it."""
        return tuple(group for group in self.groups if user in self.members(group))

    def children(self, group: Group) -> tuple[Group, ...]:
        """The groups directly below it, by its `children` and by their `parent` alike."""
        found = (self.entities.get(ref) for ref in self._children.get(group.ref, ()))
        return tuple(entity for entity in found if isinstance(entity, Group))

    def dependents(self, ref: Ref | str) -> tuple[Entity, ...]:
        """What says that it depends on this directly (`dependsOn`, or this one's `dependencyOf`)."""
        target = Ref.parse(ref) if isinstance(ref, str) else ref
        return tuple(self.entities[source] for source in self._dependents.get(target, ()))

    @cached_property
    def components(self) -> tuple[Entity, ...]:
        return tuple(self._of("component"))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        return tuple(entity for entity in self._of("group") if isinstance(entity, Group))

    @cached_property
    def users(self) -> tuple[User, ...]:
        return tuple(entity for entity in self._of("user") if isinstance(entity, User))

    def _of(self, kind: str) -> Iterator[Entity]:
        return (self.entities[ref] for ref in sorted(self.entities) if ref.kind == kind)

    @cached_property
    def _children(self) -> dict[Ref, list[Ref]]:
        up = ((group.parent, group.ref) for group in self.groups if group.parent)
        down = ((group.ref, child) for group in self.groups for child in group.children)
        return _index((*down, *up))

    @cached_property
    def _direct_members(self) -> dict[Ref, list[User]]:
        down = ((group.ref, self.entities.get(ref)) for group in self.groups for ref in group.members)
        up = ((ref, user) for user in self.users for ref in user.member_of)
        return _index((ref, user) for ref, user in (*down, *up) if isinstance(user, User))

    @cached_property
    def _dependents(self) -> dict[Ref, list[Ref]]:
        forth = ((target, entity.ref) for entity in self.entities.values() for target in entity.depends_on)
        back = ((entity.ref, source) for entity in self.entities.values() for source in entity.dependency_of)
        found = _index((target, source) for target, source in (*forth, *back) if source in self.entities)
        return {target: sorted(sources) for target, sources in found.items()}

    def _near(self, wanted: Ref) -> str:
        import difflib

        near = sorted(str(ref) for ref in self.entities if ref.name == wanted.name)
        near = near or difflib.get_close_matches(str(wanted), map(str, self.entities), 1, cutoff=0.8)
        return f" (did you mean {near[0]}?)" if near else ""


def _index(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    """The values under each key, each value once, in the order met."""
    found: dict[K, list[V]] = {}
    for key, value in pairs:
        values = found.setdefault(key, [])
        if value not in values:
            values.append(value)
    return found
