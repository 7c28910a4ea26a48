"""What the router remembers is what the tree says."""

from hypothesis import given
from hypothesis import strategies as st

from quietshift.alerts import decide, store
from quietshift.alerts.matchers import Matcher
from quietshift.alerts.model import Route
from quietshift.alerts.routing import Router

NAMES = ("a", "b", "c", "d")
VALUES = ("", "x", "y")
matchers = st.lists(
    st.builds(Matcher, st.sampled_from(NAMES), st.sampled_from(VALUES), st.sampled_from(("=", "!=", "=~", "!~"))), max_size=2
).map(tuple)
label_sets = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES[1:]), min_size=1)
label_sets = label_sets.map(lambda pairs: dict(sorted(pairs.items())))


@st.composite
def routes(draw, path="0", depth=2):
    children = () if not depth else tuple(draw(routes(f"{path}/{i}", depth - 1)) for i in range(draw(st.integers(0, 3))))
    return Route(
        path, "{}", "hook", () if path == "0" else draw(matchers),
        group_by=draw(st.frozensets(st.sampled_from(NAMES))), group_by_all=draw(st.booleans()), continues=draw(st.booleans()),
        routes=children,
    )  # fmt: skip


@given(routes(), st.lists(label_sets, max_size=8))
def test_an_alert_goes_where_the_tree_sends_it_whatever_was_asked_before(root, asked):
    router = Router(root)
    for labels in asked:
        wanted = decide.match(root, labels)
        assert list(router.routes(labels)) == wanted
        groups = [(route, decide.group_labels(route, labels)) for route in wanted]
        assert [(p.route, p.labels) for p in router.places(labels)] == groups
        assert [p.digest for p in router.places(labels)] == [store.group_digest(route.path, of) for route, of in groups]
