"""Whatever text comes: a result or a TemplateError, in time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from quietshift.channels.gotemplate import Data, TemplateError, Templates
from quietshift.channels.gotemplate.functions import FUNCTIONS

TEMPLATES = Templates.parse((), steps=20_000)
ALERT = {
    "status": "firing", "labels": {"alertname": "a"}, "annotations": {}, "startsAt": "0001-01-01T00:00:00Z",
    "endsAt": "9999-12-31T23:59:59Z", "generatorURL": "", "fingerprint": "0",
}  # fmt: skip
DATA = Data.from_json({"receiver": "r", "status": "firing", "alerts": [ALERT], "commonLabels": {"a": "\ud800"},
    "externalURL": "x"})
PIECES = st.sampled_from([
    "{{", "}}", "{{- ", " -}}", "/*", "*/", "|", "(", ")", ".", "$", "$x", ":=", "=", ",", '"', "`", "'a'", "'", "if ", "else ",
    "end",
    "range ", "with ", "define ", "template ", "block ", "break", "continue", "nil", "true", "0x", "1e9", "-1",
    "99999999999999999999",
    '"%999999d"', '"%[9]*.*[1]q%"', '"\\xff"', '"\\u00e9"', ".Alerts", ".Labels", ".StartsAt", ".Format", ".Add",
    ".AddDate 9999 1 1",
    ".CommonLabels", ".a", "<a href=", "<script>", "<style>", "url(", "<!--", "\x00", "é", " ", " ", " ", "\n",
]) | st.sampled_from(sorted(FUNCTIONS))  # fmt: skip
ARGUMENT = st.sampled_from([
    "nil", "1", "-1", "1.5", '""', '"a"', '"("', '"2006-01-02 15:04:05.999999999 Z07:00 MST Jan _2 PM"', '"\\xff"', ".",
    "$.Alerts", "true",
    "$.CommonLabels", "(index $.Alerts 0)", "(index $.Alerts 0).StartsAt", "(index $.Alerts 0).EndsAt", "(list 1 nil)", "(dict)",
    "1e308",
    "(index $.Alerts 0).Labels.SortedPairs", "(since (index $.Alerts 0).EndsAt)", '(stringSlice "a")', "9223372036854775807",
    '(safeHtml "<b")', '(index "a" 0)', "now", "now.Location", "now.Month", '"%v%d%q%x%c%U%e%s%T%p%+v%#v"', "'x'",
    '"America/New_York"',
])  # fmt: skip
METHODS = st.sampled_from([
    "Format", "Add", "AddDate", "Sub", "In", "Round", "Truncate", "Unix", "Weekday", "Hours", "String", "Names", "Values",
    "Remove",
    "Join", "Firing", "SortedPairs", "go_type", "__class__", "items", "sorted_names", "at", "Labels", "UTC", "Local", "Abs",
    "Month",
])  # fmt: skip
CALL = st.tuples(st.sampled_from(sorted(FUNCTIONS)), st.lists(ARGUMENT, max_size=4)).map(lambda c: f"{c[0]} {' '.join(c[1])}")
METHOD = st.tuples(ARGUMENT, METHODS, st.lists(ARGUMENT, max_size=3)).map(lambda c: f"({c[0]}).{c[1]} {' '.join(c[2])}")
PLACES = st.sampled_from(["%s", "<a href='%s'>", "<p style=%s>", "<script>%s", "<script>'%s", "<style>a{b:%s", "<p on%s=%s>",
    "<%s"])


def render(template: str) -> None:
    for how in (lambda: TEMPLATES.check(template) or "", lambda: TEMPLATES.text(template, DATA),
        lambda: TEMPLATES.html(template, DATA)):
        try:
            how().encode()
        except TemplateError:
            continue  # and nothing else is raised


@settings(max_examples=400, deadline=5000)
@given(st.lists(PIECES | st.text(max_size=3), max_size=25).map("".join))
def test_any_text(template):
    render(template)


@settings(max_examples=800, deadline=5000)
@given(PLACES, st.lists(CALL | METHOD, min_size=1, max_size=3))
def test_any_call_with_anything(place, calls):
    render(place.replace("%s", "{{ " + " | ".join(calls) + " }}"))


@given(st.dictionaries(st.sampled_from(["receiver", "alerts", "groupLabels", "x"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)))  # fmt: skip
def test_any_data_is_a_group_or_a_value_error(body):
    try:
        assert Data.from_json(body).go_type == "*template.Data"
    except ValueError:
        return  # and nothing else is raised
