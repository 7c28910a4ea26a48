import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quietshift.alerts import syntax
from quietshift.alerts.config import load
from quietshift.alerts.integrations.email import Email
from quietshift.alerts.integrations.webhook import Webhook
from quietshift.alerts.matchers import parse_matchers
from quietshift.alerts.model import AlertsConfig, Desk
from quietshift.kernel.errors import Problems
from tests.support.needs import program

TESTDATA = Path("/usr/share/gocode/src/github.com/prometheus/alertmanager/config/testdata")
GOOD = """\
global:
  resolve_timeout: 2m
  smtp_smarthost: 'mail.example.org:587'
  smtp_from: alerts@example.org
  smtp_auth_username: alerts
  smtp_auth_password: hunter2 # of the relay
route:
  receiver: default
  group_by: [alertname, cluster]
  group_wait: 10s
  routes:
    - receiver: storage
      match: {team: storage}
      match_re: {severity: critical|warning}
      matchers: ['env!="test"', '{zone=~"a.*", host!~b}']
      continue: true
      mute_time_intervals: [nights]
      routes:
        - group_by: ['...']
          group_interval: 1m
          repeat_interval: 1h
    - group_by: []
      active_time_intervals: [nights]
receivers:
  - name: default
    webhook_configs:
      - url: 'http://user:secret@127.0.0.1:9/hook'
        send_resolved: false
        max_alerts: 5
        http_config: {authorization: {credentials: t0ps3cret}}
  - name: storage
    email_configs:
      - to: storage@example.org
        headers: {x-team: storage}
        require_tls: false
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_match: {severity: warning}
    equal: [alertname]
time_intervals:
  - name: nights
    time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}]}]
"""


def read(text: str, policies: dict[str, str] | None = None) -> tuple[AlertsConfig, Problems]:
    problems = Problems()
    return load(text.encode(), "alertmanager.yml", problems, policies), problems


def good(text: str, policies: dict[str, str] | None = None) -> AlertsConfig:
    config, problems = read(text, policies)
    assert not problems.errors, problems.errors
    return config


def errors(text: str) -> list[str]:
    return [str(problem) for problem in read(text)[1].errors]


def test_routes_inherit_what_they_do_not_say():
    routes = good(GOOD).by_path()
    assert list(routes) == ["0", "0/0", "0/0/0", "0/1"]
    storage, deepest, other = routes["0/0"], routes["0/0/0"], routes["0/1"]
    assert (storage.group_wait, storage.group_interval) == (timedelta(seconds=10), timedelta(minutes=5))
    assert storage.group_by == {"alertname", "cluster"}
    assert storage.continues
    assert not deepest.continues
    assert deepest.receiver == "storage"
    assert deepest.group_by_all
    assert (deepest.group_interval, deepest.repeat_interval) == (timedelta(minutes=1), timedelta(hours=1))
    assert deepest.mute_time_intervals == ()  # not inherited
    assert other.receiver == "default"
    assert other.group_by == {"alertname", "cluster"}  # an empty list says nothing, as in Alertmanager
    assert other.active_time_intervals == ("nights",)


def test_matchers_of_all_three_kinds_are_sorted_into_the_route_key():
    route = good(GOOD).by_path()["0/0"]
    assert route.key == '{}/{env!="test",host!~"b",severity=~"^(?:critical|warning)$",team="storage",zone=~"a.*"}'
    assert set(route.matchers) == set(parse_matchers(route.key[3:]))


def test_receivers_have_their_defaults_from_global():
    receivers = good(GOOD).receivers
    webhook, email = receivers["default"].integrations["webhook/0"], receivers["storage"].integrations["email/0"]
    assert isinstance(webhook, Webhook)
    assert isinstance(email, Email)
    access = webhook.http_config
    assert (webhook.send_resolved, webhook.max_alerts, access.scheme, access.credentials.read()) == (
        False, 5, "Bearer", "t0ps3cret",
    )
    assert (email.from_, email.smarthost, email.auth_username, email.auth_password.read()) == (
        "alerts@example.org", "mail.example.org:587", "alerts", "hunter2",
    )
    assert (email.send_resolved, email.require_tls, dict(email.headers)) == (False, False, {"X-Team": "storage"})


def test_a_receiver_with_an_escalation_policy_pages_beside_its_own_integrations():
    receivers = good(GOOD, {"storage": "storage-policy"}).receivers
    assert list(receivers["storage"].integrations) == ["email/0", "desk/0"]
    assert receivers["storage"].integrations["desk/0"] == Desk("storage-policy")
    assert list(receivers["default"].integrations) == ["webhook/0"]


def test_secrets_are_blotted_out_of_what_is_shown_and_nothing_else():
    shown = good(GOOD).original
    for secret in ("hunter2", "t0ps3cret", "user:secret@"):
        assert secret not in shown
    assert "smtp_auth_password: <secret> # of the relay" in shown
    assert shown.count("\n") == GOOD.count("\n")
    assert good(shown).route.key == good(GOOD).route.key


def test_debians_amtool_takes_the_same_file(tmp_path):
    amtool = program("amtool")
    for name, text in (("written.yml", GOOD), ("shown.yml", good(GOOD).original)):
        (tmp_path / name).write_text(text)
        done = subprocess.run([amtool, "check-config", tmp_path / name], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


MINIMAL = "route: {receiver: a}\nreceivers:\n  - name: a\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "alertmanager.yml: no route provided"),
        ("receivers: []", "alertmanager.yml:1: route: no route provided"),
        ("route: {}\nreceivers: []", "alertmanager.yml:1: route: the root route has to name a receiver"),
        ("route: {receiver: b}\nreceivers: [{name: a}]", "alertmanager.yml:1: route: receiver 'b' is not defined"),
        ("route:\n  receiver: a\n  continue: true\nreceivers: [{name: a}]", "alertmanager.yml:3: route.continue: the root route"),
        ("route:\n  receiver: a\n  match: {a: b}\nreceivers: [{name: a}]", ":3: route.match: the root route takes"),
        ("route:\n  receiver: a\n  matchers: ['a=b']\nreceivers: [{name: a}]", ":3: route.matchers: the root route takes"),
        ("route:\n  receiver: a\n  group_wait: 5\nreceivers: [{name: a}]", ":3: route.group_wait: not a duration: '5'"),
        ("route:\n  receiver: a\n  group_interval: 0s\nreceivers: [{name: a}]", ":3: route.group_interval: cannot be zero"),
        ("route:\n  receiver: a\n  repeat_interval: 0s\nreceivers: [{name: a}]", ":3: route.repeat_interval: cannot be zero"),
        ("route: {receiver: a, group_by: ['...', b]}\nreceivers: [{name: a}]", "'...' means all labels"),
        ("route: {receiver: a, group_by: [b, b]}\nreceivers: [{name: a}]", "'b' is listed twice"),
        ("route:\n  receiver: a\n  routes:\n    - matchers: ['a=~(']\nreceivers: [{name: a}]", ":4: route.routes[0].matchers"),
        ("route:\n  receiver: a\n  routes:\n    - match_re: {a: '('}\nreceivers: [{name: a}]", ":4: route.routes[0].match_re"),
        ("route:\n  receiver: a\n  routes:\n    - match_re: {a: }\nreceivers: [{name: a}]", "a regular expression is missing"),
        ("route: {receiver: a, mute_time: []}\nreceivers: [{name: a}]", "mute_time: unknown key"),
        ("route:\n  receiver: a\n  routes: [{mute_time_intervals: [n]}]\nreceivers: [{name: a}]", ":3: route: time interval 'n'"),
        (MINIMAL + "  - name: a\n", "alertmanager.yml:4: receivers[1]: a receiver of this name is already there: 'a'"),
        (MINIMAL + "    webhook_configs: [{url: 'ftp://x'}]\n", ":4: receivers[0].webhook_configs[0].url: unsupported"),
        (MINIMAL + "    webhook_configs: [{}]\n", "url or url_file is required"),
        (MINIMAL + "    webhook_configs: [{url: 'http://x', url_file: y}]\n", "at most one of url, url_file"),
        (MINIMAL + "    email_configs: [{to: x@y}]\n", "no smarthost"),
        (MINIMAL + "    email_configs: [{from: x@y, smarthost: 'h:25'}]\n", "to: is required"),
        (MINIMAL + "    email_configs: [{to: x@y, from: z@y, smarthost: h}]\n", "not host:port: 'h'"),
        (MINIMAL + "global: {smtp_auth_password: a, smtp_auth_password_file: b}\n", "at most one of smtp_auth_password, "),
        (MINIMAL + "time_intervals: [{name: x}, {name: x}]\n", "already there: 'x'"),
        (MINIMAL + "---\nroute: {}\n", ":5: only one document is read"),
        ("route: [", "not YAML"),
    ],
)
def test_mistakes_are_told_with_file_and_line(text, error):
    assert any(error in found for found in errors(text)), errors(text)


# Nothing that Alertmanager would follow is dropped silently.
@pytest.mark.parametrize(
    ("text", "error"),
    [
        (MINIMAL + "    jira_configs:\n      - project: OPS\n", ":5: receivers[0].jira_configs: is not supported yet"),
        (MINIMAL + "    webhook_configs: [{url: 'http://x', http_config: {proxy_url: 'socks5://p'}}]\n", "proxy_url: SOCKS"),
    ],
)
def test_what_is_not_followed_yet_is_refused_by_name_and_line(text, error):
    assert any(error in found for found in errors(text)), errors(text)


def test_what_is_empty_is_not_refused():
    good(MINIMAL + "    jira_configs: []\ntemplates: []\n")
    good(MINIMAL + "    webhook_configs: [{url: 'http://x', http_config: {tls_config: {}, proxy_url: }}]\n")


def test_a_receiver_that_no_route_uses_is_a_warning():
    _, problems = read(MINIMAL + "  - name: b\n")
    assert [str(warning) for warning in problems.warnings] == [
        "alertmanager.yml:4: warning: receiver 'b' is used by no route"
    ]


def test_alertmanagers_own_example_is_understood():
    if not TESTDATA.is_dir():
        program("alertmanager-sources")
    assert not errors((TESTDATA / "conf.good.yml").read_text())


@pytest.mark.needs("alertmanager-sources")
def test_no_file_of_alertmanagers_tests_breaks_the_reader():
    files = sorted(TESTDATA.glob("*.yml"))
    assert len(files) > 20
    for file in files:
        problems = Problems()
        load(file.read_bytes(), file.name, problems)


def _mangled(positions: list[tuple[int, str]]) -> str:
    lines = GOOD.splitlines()
    for position, text in positions:
        lines[position % len(lines)] = text
    return "\n".join(lines)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 60),
            st.sampled_from(["", "- x", "  a: [1, {", "route:", "    - {}", "  receiver: [a]", "a: &a *a", "\t"]),
        ),
        max_size=4,
    ).map(_mangled)
)
def test_a_mangled_file_gives_problems_with_lines_never_an_exception(text):
    config, problems = read(text)
    assert problems.errors or config.route.receiver




UTF8 = """\
route:
  receiver: a
  group_by: ["ünï", cluster.name]
  routes:
    - {receiver: a, matchers: ['{"foo.bar"="x", "ünï"!~"a|b"}', 'plain=a b']}
inhibit_rules: [{source_matchers: ['"a b"="c"'], target_matchers: ['"a b"="d"'], equal: [host.name]}]
receivers: [{name: a}]
"""


def test_names_are_any_text_and_what_only_one_syntax_reads_is_a_warning_with_its_line():
    config, problems = read(UTF8)
    assert not problems.errors
    route = config.by_path()["0/0"]
    assert route.key == '{}/{foo.bar="x",plain="a b",ünï!~"a|b"}'
    assert config.route.group_by == {"ünï", "cluster.name"}
    assert (str(config.inhibit_rules[0].source[0]), config.inhibit_rules[0].equal) == ('"a b"="c"', ("host.name",))
    (warning,) = [str(found) for found in problems.found if "syntax" in found.message]
    assert "alertmanager.yml:5: " in warning
    assert 'want plain="a b"' in warning


def test_the_classic_syntax_alone_knows_no_such_names():
    syntax.use(syntax.Syntax.CLASSIC)
    try:
        found = errors(UTF8)
    finally:
        syntax.use(syntax.Syntax.BOTH)
    for name, line in (("ünï", 3), ("cluster.name", 3), ("host.name", 6)):
        assert any(f"alertmanager.yml:{line}: " in error and f"'{name}' is not a label name" in error for error in found), found
    assert any("alertmanager.yml:5: " in error and "bad matcher format" in error for error in found)
