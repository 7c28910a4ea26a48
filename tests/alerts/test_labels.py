import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quietshift.alerts import labels, syntax
from quietshift.alerts.syntax import Syntax

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
SETS = st.dictionaries(NAMES, VALUES, max_size=6).map(labels.label_set)


# As Debian's Alertmanager 0.25 answered them in GET /api/v2/alerts.
def test_fingerprints_are_alertmanagers():
    assert labels.fingerprint({"a": "b"}) == "d2b371819297f98a"
    assert labels.fingerprint({"ok": "1"}) == "8d4653b8b9db0024"
    assert labels.fingerprint({"a": "1970"}) == "4208205fcf7d75c1"
    assert labels.fingerprint({"alertname": "Köln 東京", "x": '"\\\n'}) == "3a2508656061a480"
    assert labels.fingerprint({}) == "cbf29ce484222325"  # the offset basis of FNV-1a


@given(SETS)
def test_the_fingerprint_does_not_depend_on_the_order_of_the_labels(given_labels):
    backwards = labels.label_set(dict(reversed(given_labels.items())))
    assert labels.fingerprint(backwards) == labels.fingerprint(given_labels)
    assert list(backwards) == sorted(given_labels)


@given(SETS, SETS)
def test_different_sets_have_different_identities(one, other):
    assert (labels.identity(one) == labels.identity(other)) == (one == other)
    assert (labels.fingerprint(one) == labels.fingerprint(other)) == (one == other)


def test_empty_values_are_stripped_and_bad_names_refused():
    assert labels.label_set({"b": "x", "a": ""}) == {"b": "x"}
    for bad in ("", "\ud800"):
        with pytest.raises(ValueError, match=re.escape(repr(bad))):
            labels.label_set({bad: "x"})


UNCLASSIC = ("1a", "a-b", "a b", "ä", "a\n", "a:b", "foo.bar", "🚨")


def test_a_name_is_any_text_unless_the_classic_syntax_is_asked_for():
    for name in UNCLASSIC:
        assert labels.label_set({name: "x"}) == {name: "x"}
    syntax.use(Syntax.CLASSIC)
    try:
        for name in UNCLASSIC:
            with pytest.raises(ValueError, match=re.escape(repr(name))):
                labels.label_set({name: "x"})
        assert labels.label_set({"a_1": "x"}) == {"a_1": "x"}
    finally:
        syntax.use(Syntax.BOTH)
    assert labels.label_set({"ä": "x"})


def test_a_name_that_needs_quotes_is_quoted_in_keys():
    assert labels.text({"foo.bar": "x", "ünï": "y"}) == '{foo.bar="x", ünï="y"}'
    assert labels.text({"a b": "x", 'say "hi"': "y", "nul\0": "z"}) == r'{"a b"="x", "nul\x00"="z", "say \"hi\""="y"}'


@given(st.dictionaries(VALUES, VALUES, max_size=5).map(labels.label_set))
def test_different_names_give_different_keys(found):
    assert {(name, value) for name, _, value in syntax.read_utf8(labels.text(found))} == set(found.items())


def test_a_value_with_half_a_surrogate_pair_is_refused():
    with pytest.raises(ValueError, match="'a' is not valid UTF-8"):
        labels.label_set({"a": "\ud800"})


def test_go_quote_writes_what_goes_percent_q_does():
    assert labels.go_quote('say "hi"\\') == r'"say \"hi\"\\"'
    assert labels.go_quote("tab\tnl\nnul\0bell\a") == r'"tab\tnl\nnul\x00bell\a"'
    assert labels.go_quote("Köln 東京 🚨") == '"Köln 東京 🚨"'
    assert labels.go_quote("\u00a0\u200b\ufeff\U000e0001\x7f") == r'"\u00a0\u200b\ufeff\U000e0001\x7f"'


def test_text_sorts_by_what_is_written_not_by_name():
    # "a1=" comes before 'a="': Go sorts the rendered pairs
    assert labels.text({"a": "x", "a1": "y"}) == '{a1="y", a="x"}'
    assert labels.text({}) == "{}"


@given(SETS, SETS, SETS)
def test_order_is_one(a, b, c):
    x, y, z = labels.Order(a), labels.Order(b), labels.Order(c)
    assert (x < y) + (y < x) + (a == b) == 1
    if x < y and y < z:
        assert x < z


def test_order_puts_fewer_labels_first_then_the_first_that_differs():
    sets = [{"b": "1"}, {"a": "2"}, {"a": "1"}, {"a": "0", "b": "0"}, {}]
    assert sorted(sets, key=labels.Order) == [{}, {"b": "1"}, {"a": "1"}, {"a": "2"}, {"a": "0", "b": "0"}]


def test_notifications_are_ordered_by_job_and_instance_first():
    sets = [{"a": "1"}, {"job": "b"}, {"job": "a", "instance": "2"}, {"job": "a", "instance": "1"}, {"job": "a"}]
    assert sorted(sets, key=labels.notification_order) == [
        {"job": "a", "instance": "1"}, {"job": "a", "instance": "2"}, {"job": "a"}, {"job": "b"}, {"a": "1"},
    ]


@given(st.lists(SETS, max_size=4))
def test_common_is_what_all_have(sets):
    everywhere = labels.common(sets)
    assert all(everywhere.items() <= each.items() for each in sets)
    if sets:
        assert set(everywhere.items()) == set.intersection(*(set(each.items()) for each in sets))


@given(st.lists(st.dictionaries(st.sampled_from(["a", "instance", "job", "z"]), st.sampled_from(["1", "2"])), max_size=6))
def test_the_plain_sort_keys_give_the_order_of_notifications(sets):
    listed = [dict(sorted(pairs.items())) for pairs in sets]
    keys = labels.notification_orders(listed)
    assert [listed[i] for i in sorted(range(len(listed)), key=keys.__getitem__)] == sorted(listed, key=labels.notification_order)
