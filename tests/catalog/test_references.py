"""References are read as Backstage's parseEntityRef reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quietshift.catalog.model import Ref, is_name, is_namespace

WORD = st.from_regex(r"[a-z0-9]([-a-z0-9_.]{0,5}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "kind", "namespace", "expected"),
    [
        ("storage", "group", "default", "group:default/storage"),
        ("user:ana", "group", "default", "user:default/ana"),
        ("emea/storage", "group", "default", "group:emea/storage"),
        ("Group:EMEA/Storage", "", "default", "group:emea/storage"),
        ("API:git", "", "default", "api:default/git"),
        ("storage", "group", "emea", "group:emea/storage"),
        ("emea/a:b", "group", "default", "group:emea/a:b"),
        ("component:a/b/c", "", "default", "component:a/b/c"),
    ],
)
def test_reference_is_normalised(text, kind, namespace, expected):
    parsed = Ref.parse(text, kind, namespace)
    first_slash = expected.index("/")
    assert str(parsed) == expected
    assert parsed.kind == expected.split(":")[0]
    assert parsed.namespace == expected[expected.index(":") + 1 : first_slash]


@pytest.mark.parametrize("text", ["", ":x", "group:", "/x", "group:/x", "group:a/", "group: storage", "a b"])
def test_a_reference_with_an_empty_part_is_refused(text):
    with pytest.raises(ValueError, match="not of the form"):
        Ref.parse(text, "group")


def test_a_reference_that_has_to_name_its_kind_says_so():
    with pytest.raises(ValueError, match="'git' has to name its kind, like 'component:git'"):
        Ref.parse("git")


@given(WORD, WORD, WORD)
def test_what_is_printed_reads_back(kind, namespace, name):
    ref = Ref.parse(f"{kind}:{namespace}/{name}")
    assert Ref.parse(str(ref).upper()) == ref
    assert Ref.parse(f"{kind}:{name}", namespace=namespace) == ref
    assert Ref.parse(f"{namespace}/{name}", kind) == ref


@pytest.mark.parametrize("name", ["a", "A-b_c.d", "9", "x" * 63])
def test_names_of_backstage(name):
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "ä", "a/b", "a:b", "x" * 64, "a\n"])
def test_no_names_of_backstage(name):
    assert not is_name(name)


@pytest.mark.parametrize(("text", "good"), [("emea", True), ("e-1", True), ("EMEA", False), ("a--b", False), ("a_b", False)])
def test_namespaces_of_backstage(text, good):
    assert is_namespace(text) is good
