"""What the catalog concludes: who answers for what, and which groups stand above themselves."""

from __future__ import annotations

from dataclasses import dataclass

from quietshift.catalog.model import OWNABLE, Catalog, Entity, Group, Ref, User


@dataclass(frozen=True)
class Ownership:
    """A thing that can be owned, its owner, and whom that is; `owner` None means that nobody answers for it."""

    entity: Entity
    owner: Group | User | None
    people: tuple[User, ...]


def ownership(catalog: Catalog) -> list[Ownership]:
    """Everything that can be owned with who owns it: the unowned first, then by owner and reference."""
    rows = []
    for ref in sorted(catalog.entities):
        if ref.kind not in OWNABLE:
            continue
        entity = catalog.entities[ref]
        owner = catalog.owner(entity)
        people = catalog.members(owner) if isinstance(owner, Group) else (owner,) if owner else ()
        rows.append(Ownership(entity, owner, people))
    return sorted(rows, key=lambda row: (str(row.owner.ref) if row.owner else "", row.entity.ref))


def unowned(catalog: Catalog) -> list[Entity]:
    """What nobody answers for, by reference."""
    return [row.entity for row in ownership(catalog) if row.owner is None]


def group_cycle(catalog: Catalog, group: Group) -> tuple[Ref, ...]:
    """A way down from the group to itself, for no group can be part of itself; empty where there is none."""
    paths: list[tuple[Ref, ...]] = [(group.ref,)]
    seen: set[Ref] = set()
    while paths:
        path = paths.pop()
        here = catalog.group(path[-1])
        for child in catalog.children(here) if here else ():
            if child.ref == group.ref:
                return (*path, child.ref)
            if child.ref not in seen:
                seen.add(child.ref)
                paths.append((*path, child.ref))
    return ()
