"""What is valid and does nothing is found; what might do something never is."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quietshift.alerts import decide
from quietshift.alerts.config import load
from quietshift.alerts.lint import findings
from quietshift.alerts.matchers import Matcher, all_match
from quietshift.alerts.model import AlertsConfig, InhibitRule, Route
from quietshift.kernel.errors import Problems

VALUES = ("", "a", "b", "ab", "a.b")
PATTERNS = (*VALUES, "a|b", "b|", "a.*", ".+", ".*", "(a|b)", "ab|a.b")


def warnings(routes: str, inhibit: str = "") -> list[str]:
    problems = Problems()
    text = f"receivers: [{{name: r}}]\nroute:\n  receiver: r\n  routes:\n{routes}"
    load(f"{text}{f'{chr(10)}inhibit_rules: [{inhibit}]' if inhibit else ''}".encode(), "alertmanager.yml", problems)
    assert not problems.errors
    return [str(warning) for warning in problems.warnings]


def found(*asked: str, inhibit: str = "") -> bool:
    return bool(warnings("\n".join(f"    - matchers: [{one}]" for one in asked), inhibit))


def test_a_route_behind_one_that_takes_everything_is_told_with_both_lines() -> None:
    assert warnings("    - matchers: ['team=a']\n    - {}\n    - matchers: ['team=b']") == [
        'alertmanager.yml:7: warning: route {team="b"}: no alert comes here: the route in line 6 {} takes them all before, and '
        "does not `continue`"
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("'team=a'", "'team=a', 'env=x'"),
        ("'team=~\"a|b\"'", "'team=b'"),
        ("'team=~\"a|b|c\"'", "'team=~\"a|c\"'"),
        ("'team=~\"a.*\"'", "'team=ab'"),
        ("'team=~\"a.*\"'", "'env=x', 'team=~\"a.*\"'"),
        ("'team!=a'", "'team=b'"),
        ("'team!=a'", "'team!~\"a|b\"'"),
        ("'team!~\"a|b\"'", "'team!=a', 'team!=b'"),
        ("'team=\"\"'", "'team!~\".+\"', 'team=~\"|a\"'"),
    ],
)
def test_what_follows_from_the_matchers_is_found(first: str, second: str) -> None:
    assert found(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("'team=a', 'env=x'", "'team=a'"),
        ("'team=a'", "'team=b'"),
        ("'team=b'", "'team=~\"a|b\"'"),
        ("'team=~\".*\"'", "'env=x'"),  # a value may hold a line end, which . does not match
        ("'team!=a'", "'team!=b'"),
        ("'team!~\"a|b\"'", "'team!=a'"),
        ("'team=~\"a.*\"'", "'team=~\"ab.*\"'"),  # true, but more than is decided here
    ],
)
def test_what_does_not_surely_follow_is_not_found(first: str, second: str) -> None:
    assert not found(first, second)


def test_a_sibling_that_continues_leaves_alerts_to_those_after_it() -> None:
    assert not warnings("    - matchers: ['team=a']\n      continue: true\n    - matchers: ['team=a']")


def test_what_the_routes_above_ask_for_counts() -> None:
    below = "    - matchers: ['team=a']\n      routes:\n        - matchers: ['team=~\"a|b\"']\n        - matchers: ['env=x']"
    assert [line.split(": ")[0] for line in warnings(below)] == ["alertmanager.yml:8"]


def test_a_route_that_contradicts_those_above_is_told() -> None:
    (told,) = warnings("    - matchers: ['team=a']\n      routes:\n        - matchers: ['team=b']\n          routes: [{}]")
    assert told.startswith('alertmanager.yml:7: warning: route {team="b"}: no alert fulfils this')


def test_an_inhibit_rule_whose_sides_are_the_same_is_told() -> None:
    assert "inhibits nothing" in warnings("    []", "{source_matchers: ['a=x'], target_match_re: {a: x}}")[0]
    assert "inhibits nothing" in warnings("    []", "{source_matchers: [], target_matchers: [], equal: [b]}")[0]


def test_other_inhibit_rules_are_not() -> None:
    for target in ("'a=y'", "'a=~\"x|y\"'", "'a=x', 'b=y'"):
        assert not warnings("    []", f"{{source_matchers: ['a=x'], target_matchers: [{target}]}}")


def test_where_something_is_wrong_nothing_is_said_of_what_it_might_mean() -> None:
    problems = Problems()
    load(b"receivers: [{name: r}]\nroute: {receiver: r, routes: [{match_re: {a: '('}}, {match: {a: ''}}]}", "a.yml", problems)
    assert problems.errors
    assert not problems.warnings


# -- no false findings ---------------------------------------------------------------------------------------------------

conditions = st.builds(
    lambda name, operator, pattern, value: Matcher(name, pattern if "~" in operator else value, operator),
    st.sampled_from("xy"), st.sampled_from(("=", "!=", "=~", "!~")), st.sampled_from(PATTERNS), st.sampled_from(VALUES),
)  # fmt: skip
LABEL_SETS = [
    {name: value for name, value in zip("xy", pair, strict=True) if value}
    for pair in product((*VALUES, "c", "a\n", "\n"), repeat=2)
]


@st.composite
def routes(draw: st.DrawFn, path: str = "0", depth: int = 2) -> Route:
    children = draw(st.integers(0, 3 if depth == 2 else 2)) if depth else 0
    return Route(
        path, path, "r", () if path == "0" else tuple(draw(st.lists(conditions, max_size=2))),
        continues=path != "0" and draw(st.booleans()), line=int(path.replace("/", "")),
        routes=tuple(draw(routes(f"{path}/{i + 1}", depth - 1)) for i in range(children)),
    )  # fmt: skip


@given(routes())
def test_no_alert_comes_to_a_route_that_is_said_to_be_unreachable(root: Route) -> None:
    said = {line for line, _ in findings(AlertsConfig(root, {}))}
    for labels in LABEL_SETS:
        for route in decide.match(root, labels):
            way = {int(route.path[: end + 1].replace("/", "")) for end in range(len(route.path)) if route.path[end] != "/"}
            assert not way & said, labels


@given(st.lists(conditions, max_size=2), st.lists(conditions, max_size=2))
def test_a_rule_that_is_said_to_inhibit_nothing_inhibits_nothing(source: list[Matcher], target: list[Matcher]) -> None:
    rule = InhibitRule(tuple(source), tuple(target))
    if list(findings(AlertsConfig(Route("0", "{}", "r"), {}, (rule,)))):
        assert all(all_match(source, labels) == all_match(target, labels) for labels in LABEL_SETS)
        for labels in LABEL_SETS:
            assert decide.inhibited_by([rule], labels, LABEL_SETS) is None
