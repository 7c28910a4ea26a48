"""What the catalog's doors answer, as plain JSON values: the command line and the API say the same."""

from __future__ import annotations

from typing import Any

from quietshift.catalog import decide
from quietshift.catalog.model import Catalog, Entity, Group, User


def entity(catalog: Catalog, found: Entity) -> dict[str, Any]:
    """Everything known of an entity; references are written in full (`group:default/storage`)."""
    answer: dict[str, Any] = {
        "ref": str(found.ref),
        "kind": found.kind,
        "name": found.name,
        "namespace": found.namespace,
        "title": found.title,
        "description": found.description,
        "type": found.type,
        "labels": dict(found.labels),
        "annotations": dict(found.annotations),
        "tags": list(found.tags),
        "links": [{"url": link.url, "title": link.title} for link in found.links],
    }
    if isinstance(found, Group | User):
        answer |= {"display_name": found.display_name, "email": found.email}
    if isinstance(found, Group):
        answer |= {
            "parent": str(found.parent) if found.parent else None,
            "children": [str(child.ref) for child in catalog.children(found)],
            "members": [user.id for user in catalog.members(found)],
        }
    elif isinstance(found, User):
        answer |= {"groups": [str(group.ref) for group in catalog.groups_of(found)]}
    else:
        answer |= {
            "lifecycle": found.lifecycle,
            "owner": str(found.owner) if found.owner else None,
            "system": str(found.system) if found.system else None,
            "depends_on": [str(ref) for ref in found.depends_on],
            "dependents": [str(dependent.ref) for dependent in catalog.dependents(found.ref)],
        }
    return answer | {"file": found.file, "line": found.line}


def entities(catalog: Catalog) -> list[dict[str, Any]]:
    """Every entity, by reference."""
    return [entity(catalog, catalog.entities[ref]) for ref in sorted(catalog.entities)]


def owners(catalog: Catalog) -> list[dict[str, Any]]:
    """Whatever can be owned, with its owner and the people that are meant; the unowned first."""
    return [
        {
            "ref": str(row.entity.ref),
            "owner": str(row.owner.ref) if row.owner else None,
            "people": [user.id for user in row.people],
            "file": row.entity.file,
            "line": row.entity.line,
        }
        for row in decide.ownership(catalog)
    ]
