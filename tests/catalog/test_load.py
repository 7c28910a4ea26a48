"""Backstage descriptors are read with their place, and what is wrong is named with file and line."""

from textwrap import dedent

import pytest

from quietshift.catalog import decide
from quietshift.catalog.config import load
from quietshift.catalog.model import Ref
from quietshift.kernel.config import parse_documents
from quietshift.kernel.errors import NotFound, Problems

PEOPLE = """\
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: storage}
spec: {type: team, children: [storage-apac], members: [ana], profile: {displayName: Storage, email: storage@example.org}}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: storage-apac}
spec: {type: team, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: storage-emea}
spec: {type: team, parent: storage, children: []}
---
apiVersion: backstage.io/v1beta1
kind: User
metadata: {name: ana}
spec: {memberOf: [storage], profile: {displayName: Ana Diaz, email: ana@example.org}}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: Bo}
spec: {memberOf: [group:default/Storage-APAC]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: chen}
spec: {memberOf: [storage-emea]}
---
"""


def read(text, people=PEOPLE):
    problems = Problems()
    catalog = load(parse_documents((people + dedent(text)).encode(), "catalog.yaml", problems), problems)
    return catalog, problems


def told(problems):
    """Messages, their lines counted from the text after PEOPLE."""
    offset = PEOPLE.count("\n")
    return [f"{p.line - offset}: {p.message}" for p in problems.errors], [
        f"{p.line - offset}: {p.message}" for p in problems.warnings
    ]


COMPONENT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: gitaly
  title: Gitaly
  labels: {tier: "1"}
  annotations: {example.org/dashboard: https://grafana.example.org/d/1}
  tags: [go, c++]
  links: [{url: https://example.org, title: Home}]
  someone-elses-key: {is: fine}
spec:
  type: service
  lifecycle: production
  owner: storage
  dependsOn: [component:praefect, "Resource:DB"]
  extension: {of: ours}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: praefect}
spec: {type: service, lifecycle: production, owner: "user:Ana"}
---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata: {name: db}
spec: {type: database, owner: group:storage-apac, dependencyOf: [component:praefect]}
"""


def test_everything_of_a_component_is_read():
    catalog, problems = read(COMPONENT)
    assert problems.found == []
    gitaly = catalog.component("Gitaly")
    assert gitaly == catalog.get("component:default/gitaly")
    assert (gitaly.title, gitaly.type, gitaly.lifecycle) == ("Gitaly", "service", "production")
    assert gitaly.labels == {"tier": "1"}
    assert gitaly.annotations == {"example.org/dashboard": "https://grafana.example.org/d/1"}
    assert gitaly.tags == ("go", "c++")
    assert gitaly.links[0].url == "https://example.org"
    assert [str(ref) for ref in gitaly.depends_on] == ["component:default/praefect", "resource:default/db"]
    assert (gitaly.file, gitaly.line) == ("catalog.yaml", PEOPLE.count("\n") + 1)


def test_owners_are_groups_or_users():
    catalog, _ = read(COMPONENT)
    assert catalog.owner_group(catalog.component("gitaly")) == catalog.group("storage")
    praefect = catalog.component("praefect")
    assert catalog.owner(praefect) == catalog.user("ana")
    assert catalog.owner_group(praefect) is None


def test_members_come_from_both_sides_and_from_child_groups_by_both_sides():
    catalog, _ = read("")
    assert [user.name for user in catalog.members(catalog.group("storage"))] == ["ana", "Bo", "chen"]
    assert [user.name for user in catalog.members(catalog.group("storage-emea"))] == ["chen"]
    assert [group.name for group in catalog.groups_of(catalog.user("bo"))] == ["storage", "storage-apac"]
    ana = catalog.user("ana")
    assert (ana.display_name, ana.email) == ("Ana Diaz", "ana@example.org")
    assert catalog.group("storage").email == "storage@example.org"


def test_dependents_are_found_from_both_sides():
    catalog, _ = read(COMPONENT)
    assert [entity.name for entity in catalog.dependents("resource:db")] == ["gitaly", "praefect"]
    assert [entity.name for entity in catalog.dependents(Ref.parse("component:praefect"))] == ["gitaly"]
    assert catalog.dependents("component:gitaly") == ()


def test_what_is_not_there_is_named_with_what_is_near():
    catalog, _ = read(COMPONENT)
    with pytest.raises(NotFound, match=r"no component:default/gitali .did you mean component:default/gitaly"):
        catalog.get("component:gitali")
    with pytest.raises(NotFound, match=r"no component:default/ana .did you mean user:default/ana"):
        catalog.get("ana", "component")
    with pytest.raises(NotFound, match="has to name its kind"):
        catalog.get("gitaly")
    assert catalog.component("no such\nthing: /") is None
    assert catalog.component("user:ana") is None
    assert catalog.component("") is None


def one(kind="Component", spec="{type: service, lifecycle: production, owner: storage}", meta="{name: gitaly}"):
    return f"apiVersion: backstage.io/v1alpha1\nkind: {kind}\nmetadata: {meta}\nspec: {spec}\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (one(spec="{type: s, lifecycle: p, owner: strage}"), "4: spec.owner: group:default/strage is not in the catalog"),
        (one(spec="{type: s, lifecycle: p, owner: component:gitaly}"),
         "4: spec.owner: has to be a Group or User, not component:default/gitaly"),
        (one(spec='{type: s, lifecycle: p, owner: "a:"}'),
         "4: spec.owner: reference 'a:' is not of the form [kind:][namespace/]name"),
        (one(spec="\n  type: s\n  lifecycle: p\n  owner: storage\n  dependsOn:\n  - resource:nope"),
         "9: spec.dependsOn[0]: resource:default/nope is not in the catalog"),
        (one(spec="{type: s, lifecycle: p, owner: storage, dependsOn: [praefect]}"),
         "4: spec.dependsOn[0]: reference 'praefect' has to name its kind, like 'component:praefect'"),
        (one() + "---\n" + one(meta="{name: GITALY}"),
         f"6: component:default/gitaly is described twice, first at catalog.yaml:{PEOPLE.count(chr(10)) + 1}"),
        (one(kind="Service"),
         "2: kind: Backstage has no kind 'Service' (known: Component, System, Domain, Resource, API, Group, User)"),
        (one(kind="component"), "2: kind: Backstage has no kind 'component' (did you mean Component?)"),
        (one().replace("v1alpha1", "v2"),
         "1: apiVersion: has to be one of backstage.io/v1alpha1, backstage.io/v1beta1, not 'backstage.io/v2'"),
        (one() + "status: {}\n", "5: status: unknown key (known: apiVersion, kind, metadata, spec)"),
        (one(meta="{name: -git}"),
         "3: metadata.name: '-git' is no name: letters, digits and -_. between them, at most 63 characters"),
        (one(meta="{}"), "3: metadata.name: is required"),
        (one(meta="{name: a, tags: [Go]}"),
         "3: metadata.tags[0]: 'Go' is no tag: a-z, 0-9, + # : and - between them, at most 63 characters"),
        (one(meta='{name: a, labels: {a b: "x"}}'),
         "3: metadata.labels: 'a b' is no key: expected [prefix/]name"),
        (one(meta='{name: a, labels: {a: "x y"}}'),
         "3: metadata.labels.a: 'x y' is no label value: letters, digits and -_. between them, at most 63"),
        (one(kind="User", spec="{memberOf: [nope]}"), "4: spec.memberOf[0]: group:default/nope is not in the catalog"),
        (one(kind="Group", spec="{type: team, children: [], members: [nope]}"),
         "4: spec.members[0]: user:default/nope is not in the catalog"),
        ("- a\n", "1: expected a Backstage descriptor: apiVersion, kind, metadata, spec"),
        ("a: b\n", "1: has no apiVersion: expected a Backstage descriptor"),
    ],
)  # fmt: skip
def test_error_names_the_line_and_what_to_do(text, error):
    errors, _ = told(read(text)[1])
    assert error in errors


def test_an_unowned_component_is_a_warning_and_listed():
    catalog, problems = read(one(spec="{type: service, lifecycle: production}"))
    assert told(problems) == ([], ["1: component:default/gitaly has no owner: nobody answers for it"])
    assert [entity.name for entity in decide.unowned(catalog)] == ["gitaly"]


def test_references_that_call_nobody_only_warn():
    _, problems = read(one(spec="{type: service, lifecycle: production, owner: storage, system: git, providesApis: [g]}"))
    assert told(problems) == (
        [],
        [
            "4: spec.providesApis[0]: api:default/g is not in the catalog",
            "4: spec.system: system:default/git is not in the catalog",
        ],
    )


def test_what_backstage_asks_for_beyond_our_need_is_a_warning():
    _, problems = read(one(spec="{owner: storage}"))
    assert told(problems)[1] == [
        "4: spec: has no lifecycle, which Backstage requires of a Component",
        "4: spec: has no type, which Backstage requires of a Component",
    ]


def test_locations_and_templates_are_passed_over_with_a_warning():
    text = (
        one(kind="Location") + "---\n" + one(kind="Template").replace("backstage.io/v1alpha1", "scaffolder.backstage.io/v1beta3")
    )
    catalog, problems = read(text, people="")
    assert catalog.entities == {}
    assert [p.message for p in problems.found] == [
        "a Location is of no use here and is passed over",
        "a Template is of no use here and is passed over",
    ]


def test_a_group_above_itself_is_an_error_and_has_members_all_the_same():
    text = (
        one("Group", "{type: t, children: [b]}", "{name: a}")
        + "---\n"
        + one("Group", "{type: t, children: [a], members: [ana]}", "{name: b}")
    )
    catalog, problems = read(text)
    assert told(problems)[0] == [
        "1: group:default/a stands above itself: a > b > a",
        "6: group:default/b stands above itself: b > a > b",
    ]
    assert [user.name for user in catalog.members(catalog.group("a"))] == ["ana"]


def test_references_stay_in_their_namespace_unless_they_leave_it():
    text = (
        one("Group", "{type: team, children: [], members: [default/ana, dee]}", "{name: storage, namespace: apac}")
        + "---\n"
        + one("User", "{memberOf: []}", "{name: dee, namespace: apac}")
        + "---\n"
        + one(meta="{name: gitaly, namespace: apac}")
    )
    catalog, problems = read(text)
    assert problems.errors == []
    component = catalog.component("apac/gitaly")
    assert str(component.owner) == "group:apac/storage"
    assert [user.id for user in catalog.members(catalog.owner_group(component))] == ["apac/dee", "ana"]


def test_ownership_lists_the_unowned_first_and_then_by_owner():
    catalog, _ = read(COMPONENT + "---\n" + one(meta="{name: zoekt}", spec="{type: service, lifecycle: production}"))
    rows = decide.ownership(catalog)
    assert [(row.entity.name, row.owner and str(row.owner.ref), [u.name for u in row.people]) for row in rows] == [
        ("zoekt", None, []),
        ("gitaly", "group:default/storage", ["ana", "Bo", "chen"]),
        ("db", "group:default/storage-apac", ["Bo"]),
        ("praefect", "user:default/ana", ["ana"]),
    ]


def test_hostile_documents_are_problems_not_crashes():
    for text in ("kind: [a]\napiVersion: backstage.io/v1alpha1\n", one(meta="[a]"), one(spec="[a]"), one(meta="{name: {a: b}}"),
                 one(spec="{owner: [a], dependsOn: x}"), one(meta="{name: a, labels: [a], tags: {}, links: [a]}")):  # fmt: skip
        _, problems = read(text)
        assert problems.errors, text
