import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from quietshift.alerts import matchers, syntax
from quietshift.alerts.matchers import (
    Matcher,
    Reading,
    all_match,
    compiled,
    filter_matches,
    matcher,
    parse_matcher,
    parse_matchers,
    read_matcher,
    read_matchers,
)
from quietshift.alerts.syntax import Syntax

VECTORS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "matcher_vectors.yaml").read_text())
UTF8 = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
OPERATORS = st.sampled_from(["=", "!=", "=~", "!~"])


@pytest.fixture(autouse=True)
def both_syntaxes() -> Iterator[None]:
    yield
    syntax.use(Syntax.BOTH)


# -- which syntax reads what ---------------------------------------------------------------------------------------------


def by(mode: Syntax, vector: dict[str, Any]) -> Reading | None:
    syntax.use(mode)
    try:
        return (read_matcher if vector["kind"] == "one" else read_matchers)(vector["text"])
    except ValueError as error:
        assert str(error)  # noqa: PT017 - whether it is refused at all is what is asked
        return None


def triples(found: Reading | None) -> list[list[str]] | None:
    return None if found is None else [[m.name, m.operator, m.value] for m in found.matchers]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['kind']} {vector['text']!a}")
def test_each_syntax_reads_what_is_its_own_and_both_together_what_counts(vector: dict[str, Any]) -> None:
    assert triples(by(Syntax.CLASSIC, vector)) == vector["classic"]
    assert triples(by(Syntax.UTF8, vector)) == vector["utf8"]
    found = by(Syntax.BOTH, vector)
    counts = {"same": vector["classic"], "classic": vector["classic"], "utf8": vector["utf8"], "neither": None}
    assert triples(found) == counts[vector["counts"]]
    said = {"": "", "only": "only the classic syntax reads this matcher", "agree": "do not agree"}[vector["warning"]]
    assert found is None or (said in found.warning if said else not found.warning)


def test_a_warning_names_what_is_read_by_every_syntax(caplog: pytest.LogCaptureFixture) -> None:
    found = read_matchers(r"{foo=~\d+, bar=}")
    assert r'foo=~"\\d+",bar=""' in found.warning
    syntax.use(Syntax.UTF8)
    assert read_matchers(r'foo=~"\\d+",bar=""').matchers == found.matchers
    syntax.use(Syntax.BOTH)
    with caplog.at_level(logging.WARNING, "quietshift.alerts"):
        for _ in range(3):
            parse_matcher("once_for_each=a b")
    assert len(caplog.records) == 1, "what asks is a dashboard, and it asks all day"


# The classic syntax: names, four operators, quotes optional, OpenMetrics escapes.
@pytest.mark.parametrize(
    ("source", "name", "operator", "value"),
    [
        ("foo=bar", "foo", "=", "bar"),
        ("foo!=bar", "foo", "!=", "bar"),
        ("foo=~bar.*", "foo", "=~", "bar.*"),
        ('foo!~"bar|baz"', "foo", "!~", "bar|baz"),
        ("  foo  =  bar baz  ", "foo", "=", "bar baz"),
        ("foo=", "foo", "=", ""),
        ('foo=""', "foo", "=", ""),
        ('foo="a,b={c}"', "foo", "=", "a,b={c}"),
        (r'foo="She said: \"Hi\\\n\""', "foo", "=", 'She said: "Hi\\\n"'),
        (r"foo=\d", "foo", "=", r"\d"),
        ("foo=a\nb", "foo", "=", "a\nb"),
        ("foo=bar\\", "foo", "=", "bar\\"),
        ("job:rate=x", "job:rate", "=", "x"),
        ("foo==bar", "foo", "=", "=bar"),
    ],
)
def test_matchers_are_read(source, name, operator, value):
    assert parse_matcher(source) == Matcher(name, value, operator)


@pytest.mark.parametrize(
    "source", ["", "foo", "=x", 'a="x', 'a=x"', 'a="x"y"', 'a="x"y', 'a=~"("', "a=~[", "a=~(?=x)", "a=\ud800"]
)
def test_what_is_no_matcher_is_refused_with_its_text(source):
    with pytest.raises(ValueError, match=r"."):
        parse_matcher(source)


def test_lists_are_split_at_commas_outside_of_quotes():
    expected = (Matcher("foo", "bar"), Matcher("dings", "bums", "!="))
    for source in ('{foo = "bar", dings != "bums", }', "foo=bar,dings!=bums", "foo=bar, dings!=bums", "{foo=bar,dings!=bums}"):
        assert parse_matchers(source) == expected
    assert parse_matchers(r'{quote="She said: \"Hi, ladies!\""}') == (Matcher("quote", 'She said: "Hi, ladies!"'),)
    assert parse_matchers("{}") == parse_matchers("") == ()


def test_a_pattern_has_to_match_the_whole_value():
    assert matcher("a", "=~", "b").matches("b")
    assert not matcher("a", "=~", "b").matches("abc")
    assert matcher("a", "=~", "x|y[0-9]+").matches("y12")
    assert not matcher("a", "=~", "x|y").matches("xy")
    assert matcher("a", "!~", "x.*").matches("y")
    assert matcher("a", "=~", "(?i)PROD").matches("prod")
    assert matcher("a", "=~", "a|").matches("")


def test_a_label_that_is_absent_has_the_empty_value():
    assert all_match(parse_matchers('a!="b", c=""'), {})
    assert not all_match(parse_matchers('a=~".+"'), {})
    assert all_match(parse_matchers('a=~".*"'), {})


def test_a_filter_tells_absent_from_present():
    assert filter_matches(parse_matchers('a=""'), {"b": "x"})
    assert not filter_matches(parse_matchers('a=""'), {"a": "x"})
    assert filter_matches(parse_matchers('a!=""'), {"a": "x"})
    assert not filter_matches(parse_matchers('a!=""'), {})


def test_a_hostile_pattern_costs_nothing():
    begin = time.process_time()
    assert not compiled("(a|a|a|aa)*(a*)*b")("a" * 5000)
    assert time.process_time() - begin < 1  # re needs longer than the universe lasts


@given(st.text(st.sampled_from("ab-|/ .,:"), max_size=8), st.text(st.sampled_from("ab-|/ .,:"), max_size=6))
def test_short_cuts_answer_as_the_engine_does(pattern, value):
    import re2

    assert compiled(pattern)(value) == (re2.compile(pattern).fullmatch(value) is not None)


@given(UTF8.filter(bool), OPERATORS, UTF8)
@example("a", "=", '\\",\x85')
@example("{a,b}", "!=", "\\")
@example("say \"hi\"\n", "=", "}")
def test_what_is_written_is_read_again_whatever_the_text(name: str, operator: str, value: str) -> None:
    made = Matcher(name, value, operator)
    with contextlib.suppress(ValueError):  # the value is no pattern
        made = matcher(name, operator, value)
        for mode in (Syntax.BOTH, Syntax.UTF8):
            syntax.use(mode)
            assert read_matcher(str(made)) == Reading((made,))
            assert read_matchers(matchers.text([made, made])) == Reading((made, made))


@given(st.from_regex(r"[a-z_][a-z0-9_]*", fullmatch=True), st.sampled_from(["=", "!="]), UTF8)
def test_what_is_written_is_read_again_by_the_classic_syntax(name: str, operator: str, value: str) -> None:
    syntax.use(Syntax.CLASSIC)
    made = Matcher(name, value, operator)
    assert parse_matcher(str(made)) == made


@given(UTF8.filter(bool), UTF8.filter(bool), UTF8, st.booleans())
def test_what_a_filter_of_one_syntax_takes_is_what_the_label_has(name: str, value: str, other: str, equal: bool) -> None:
    made = parse_matcher(str(Matcher(name, value, "=" if equal else "!=")))
    assert all_match([made], {name: value}) == equal
    assert all_match([made], {name: other}) == ((other == value) == equal)


@given(st.text(max_size=40))
def test_any_text_is_matchers_or_an_error(source):
    with contextlib.suppress(ValueError):
        assert all(isinstance(m, Matcher) for m in parse_matchers(source))
