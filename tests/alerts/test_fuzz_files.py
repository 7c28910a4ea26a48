"""Whatever stands in alertmanager.yml or in the ops directory: problems that name the file, never an exception or a hang."""

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quietshift.alerts import decide, intervals
from quietshift.alerts.config import load
from quietshift.alerts.inbound import hash_line
from quietshift.app.init_command import write_example
from quietshift.app.parts import read_ops
from quietshift.kernel.clock import parse_rfc3339
from quietshift.kernel.errors import Problems

SLOWEST = 10.0  # seconds of a busy machine for one file
FILE = "alertmanager.yml"
NOW = parse_rfc3339("2026-11-22T03:00:00Z")
HTTP: dict[str, Any] = {
    "proxy_url": "http://p", "follow_redirects": True, "basic_auth": {"username": "u", "password": "p"},
    "tls_config": {"insecure_skip_verify": True, "min_version": "TLS12"}, "http_headers": {"X-A": {"values": ["x"]}},
}  # fmt: skip
SAMPLE: dict[str, Any] = {
    "global": {"resolve_timeout": "5m", "smtp_smarthost": "mail:25", "smtp_from": "a@example.org", "http_config": HTTP},
    "templates": [],
    "route": {
        "receiver": "all", "group_by": ["a", "b"], "group_wait": "1s", "group_interval": "2s", "repeat_interval": "3h",
        "routes": [
            {"matchers": ['a="b"', "c=~d|e"], "match": {"f": "g"}, "match_re": {"h": "i.*"}, "continue": True,
             "mute_time_intervals": ["nights"], "active_time_intervals": ["days"], "routes": [{"group_by": ["..."]}]},
        ],
    },
    "inhibit_rules": [
        {"source_matchers": ["a=b"], "target_matchers": ["a=c"], "equal": ["d"]},
        {"source_match": {"a": "b"}, "target_match_re": {"a": "c|d"}},
    ],
    "time_intervals": [
        {"name": "nights", "time_intervals": [
            {"times": [{"start_time": "18:00", "end_time": "24:00"}], "weekdays": ["monday:friday"], "days_of_month": ["-3:-1"],
             "months": ["january:march", "12"], "years": ["2026:2030"], "location": "Europe/Berlin"}]},
        {"name": "days", "time_intervals": []},
    ],
    "receivers": [{
        "name": "all",
        "webhook_configs": [{"url": "http://x", "max_alerts": 3, "send_resolved": True, "http_config": HTTP, "timeout": "3s"}],
        "email_configs": [{"to": "a@example.org", "headers": {"Subject": "{{ .Status }}"}, "html": "", "text": "x"}],
        "slack_configs": [{"api_url": "http://x", "channel": "#a", "title": "{{ len .Alerts }}",
                           "fields": [{"title": "t", "value": "v", "short": True}],
                           "actions": [{"type": "button", "text": "t", "url": "http://x"}]}],
        "pagerduty_configs": [{"routing_key": "k", "details": {"a": "b"}, "images": [{"src": "x"}], "links": [{"href": "x"}]}],
        "opsgenie_configs": [{"api_key": "k", "responders": [{"name": "a", "type": "team"}], "details": {"a": "b"}}],
        "pushover_configs": [{"token": "a", "user_key": "b", "retry": "1m", "expire": "1h", "priority": "1"}],
        "telegram_configs": [{"bot_token": "t", "chat_id": -5, "parse_mode": "HTML"}],
        "discord_configs": [{"webhook_url": "http://x"}],
        "msteams_configs": [{"webhook_url": "http://x"}],
        "sns_configs": [{"topic_arn": "arn:aws:sns:us-east-2:1:t", "sigv4": {"region": "x"}, "attributes": {"a": "b"}}],
        "victorops_configs": [{"api_key": "a", "routing_key": "b", "custom_fields": {"c": "d"}}],
        "webex_configs": [{"room_id": "r", "http_config": {"authorization": {"credentials": "x"}}}],
        "wechat_configs": [{"api_secret": "a", "corp_id": "b", "to_user": "u"}],
    }],
}  # fmt: skip
TEXT = st.text(max_size=8) | st.sampled_from([
    "", " ", "~", "null", "{{", "{{ .X }}", "{{ range . }}{{ end }}", "{{ template \"x\" . }}",
    "(", "a=b", "a=~(", "...", "-1", "1e9",
    "0x10", "99999999999999999999", "1y1w1d1h1m1s1ms", "99999999999999y", "-5m", "24:00", "25:61", "-31:-1", "31:-31", "1:", ":",
    "monday:sunday", "sunday:monday", "december:january", "2026:1", "0", "Local", "Europe/Nowhere",
    "../../etc/passwd", "/", "UTC",
    "\ud7ff", "\u2028", "x" * 3000, "http://", "http://[", "http://x:99999", "::", "sha256:", "2026-13-45", "Feb 30", "* * * * *",
    "*/0 * * * *", "@", "a.b[", "[?x", "sort(@)", "user:nobody", "group:a/b/c:d", "mailto:", "P1D",
])  # fmt: skip
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.datetimes() | st.binary(max_size=4) | TEXT
VALUE = st.recursive(LEAF, lambda one: st.lists(one, max_size=3) | st.dictionaries(TEXT, one, max_size=3), max_leaves=5)
SETTINGS = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a document with every key of it."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from places(inner)


@st.composite
def spoilt(draw: st.DrawFn, sample: Any, count: int = 3) -> Any:
    """The sample, some of whose values are others, or gone, or stand there under another name as well."""
    made = copy.deepcopy(sample)
    for _ in range(draw(st.integers(1, count))):
        found = list(places(made))
        if not found:
            break
        at, key = draw(st.sampled_from(found))
        how = draw(st.integers(0, 9))
        if how == 0:
            del at[key]
        elif how == 1 and isinstance(at, dict):
            at[draw(TEXT | st.integers() | st.none())] = at[key]
        elif how == 2 and isinstance(at, list):
            at.extend(at[key : key + 1] * 2)
        else:
            at[key] = draw(VALUE)
    return made


def read(data: bytes) -> Problems:
    """Load it, and ask what was made of it. Returns what is wrong."""
    problems = Problems()
    began = time.monotonic()
    config = load(data, FILE, problems)
    for problem in problems.found:
        assert (problem.file, bool(problem.message)) == (FILE, True)
        assert 0 <= problem.line <= data.count(b"\n") + 2, problem
    if not problems.errors:
        for route in config.route.walk():
            decide.match(route, {"a": "b", "h": "i"})
            decide.route_mute(route, config.intervals, NOW)
            decide.mute_changes_at(route, config.intervals, NOW)
    assert time.monotonic() - began < SLOWEST
    return problems


def written(value: Any) -> bytes:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, encoding="utf-8")  # type: ignore[no-any-return]  # of what


def test_the_sample_is_good() -> None:
    problems = Problems()
    load(written(SAMPLE), FILE, problems)
    assert [str(one) for one in problems.errors] == []


@SETTINGS
@given(spoilt(SAMPLE))
def test_no_value_anywhere_breaks_the_reader(value: Any) -> None:
    read(written(value))


@SETTINGS
@given(spoilt(SAMPLE["time_intervals"]))
def test_no_time_interval_breaks_the_reader_or_who_asks_it(value: Any) -> None:
    read(written({**SAMPLE, "time_intervals": value}))


TIME = st.fixed_dictionaries({}, optional={"start_time": TEXT | LEAF, "end_time": TEXT | LEAF})
SPAN = st.fixed_dictionaries({}, optional={
    "times": st.lists(TIME, max_size=2) | VALUE,
    "weekdays": st.lists(TEXT, max_size=2) | VALUE, "days_of_month": st.lists(TEXT, max_size=2) | VALUE,
    "months": st.lists(TEXT, max_size=2) | VALUE, "years": st.lists(TEXT, max_size=2) | VALUE, "location": TEXT | VALUE,
})  # fmt: skip


@SETTINGS
@given(st.lists(SPAN, max_size=2))
def test_no_span_breaks_the_reader_or_who_asks_it(spans: list[Any]) -> None:
    read(written({**SAMPLE, "time_intervals": [{"name": "nights", "time_intervals": spans}, {"name": "days"}]}))


@given(st.text(max_size=60) | st.lists(st.sampled_from(list("{}[]:,&*!|>-?#%@`'\"\n ~ax")), max_size=30).map("".join))
def test_no_text_breaks_the_reader(text: str) -> None:
    read(text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000, b"{a: " * 50_000, b"- " * 50_000, b"route: &a {routes: [*a]}", b"a: &a [*a]", b"<<: &x {<<: *x}",
        b"route: {receiver: a, routes: [" * 200, b"a: !!python/object/apply:os.system [id]",
        b"\xff\xfe\x00", b"\x00", b"%YAML 9.9\n---",
        b"a: &a [x,x]\n" + b"".join(b"%c: &%c [*%c,*%c,*%c,*%c]\n" % (i, i, i - 1, i - 1, i - 1, i - 1) for i in range(98, 120)),
        b"x: " + b"y" * 5_000_000,
        b"receivers: [{name: a}]\nroute:\n  receiver: a\n  routes: [&r0 {receiver: a}]\n" + b"".join(
            b"x%d: &r%d {routes: [*r%d, *r%d, *r%d]}\n" % (n, n, n - 1, n - 1, n - 1) for n in range(1, 30)
        ), b"--- {}\n" * 5000, b"route:\n" * 3000, b"a: 1\n" * 20_000,
    ],
    ids=range(17),
)  # fmt: skip
def test_hard_files(data: bytes) -> None:
    assert read(data).errors


@given(TEXT, st.integers(0, 10**9))
def test_a_span_that_is_read_can_be_asked_at_any_time(text: str, seconds: int) -> None:
    problems = Problems()
    spans = [{"days_of_month": [text]}, {"location": text}, {"years": [text]}]
    times = [{"name": "nights", "time_intervals": spans}, {"name": "days"}]
    config = load(written({**SAMPLE, "time_intervals": times}), FILE, problems)
    if not problems.errors:
        assert intervals.contains(config.intervals["nights"], NOW.fromtimestamp(seconds, NOW.tzinfo)) in (True, False)


# -- the ops directory ---------------------------------------------------------------------------------------------------

INTEGRATION = {
    "apiVersion": "quietshift.dev/v1", "kind": "Integration", "metadata": {"name": "tool"},
    "spec": {"type": "json", "service": "checkout", "keyHash": hash_line("k" * 32), "mapping": {
        "summary": "title", "key": "id", "events": "alerts[]", "severity": {"path": "sev", "values": {"a": "critical"}},
        "action": {"path": "status", "values": {"up": "resolve"}}, "labels": {"team": "labels.team"}, "url": "url"}},
}  # fmt: skip


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "ops"
    write_example(folder)
    (folder / "integrations").mkdir()
    (folder / "integrations/tool.yaml").write_text(yaml.safe_dump(INTEGRATION))
    return folder


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_value_of_the_ops_directory_breaks_its_reader(ops: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted(ops.rglob("*.yaml"))))
    before = file.read_text()
    documents = list(yaml.safe_load_all(before))
    try:
        file.write_bytes(yaml.safe_dump_all(data.draw(spoilt(documents)), allow_unicode=True, sort_keys=False, encoding="utf-8"))
        began = time.monotonic()
        for problem in read_ops(ops)[1].found:
            assert problem.file, problem
            assert problem.message, problem
        assert time.monotonic() - began < SLOWEST
    finally:
        file.write_text(before)
