"""`templates:` of alertmanager.yml: what is read, what is wrong and where, and what receivers make of it."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quietshift.alerts.config import load_file
from quietshift.alerts.integrations.saying import Saying
from quietshift.alerts.model import Alert, AlertsConfig
from quietshift.alerts.notification import Notice, template_data, webhook
from quietshift.kernel.errors import Problems

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIG = """\
route: {receiver: team}
receivers:
  - name: team
    email_configs:
      - to: team@example.org
        from: alerts@example.org
        smarthost: localhost:25
        headers: {Subject: '%s'}
templates: ['templates/*.tmpl']
"""


def configured(directory: Path, subject: str, **files: str) -> tuple[AlertsConfig, Problems]:
    (directory / "templates").mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / "templates" / f"{name}.tmpl").write_text(text)
    (directory / "alertmanager.yml").write_text(CONFIG % subject)
    problems = Problems()
    return load_file(directory / "alertmanager.yml", problems), problems


def notice(over: bool = False) -> Notice:
    labels = {"alertname": "DiskFull", "host": "db1"}
    alert = Alert(labels, {"summary": "<full>"}, T0, T0 + timedelta(minutes=5), T0, generator_url="http://prometheus/g")
    return Notice("te.am", "{}:{}", {"alertname": "DiskFull"}, [(alert, over)], "http://quietshift")


def test_templates_of_files_are_known_to_receivers(tmp_path):
    config, problems = configured(tmp_path, '{{ template "ours" . }}', a='{{ define "ours" }}{{ .Status }}!{{ end }}')
    assert not problems.found
    assert config.templates is not None
    assert config.templates.text('{{ template "ours" . }}', template_data(notice())) == "firing!"


def test_without_templates_the_built_in_ones_count(tmp_path):
    path = tmp_path / "alertmanager.yml"
    path.write_text((CONFIG % '{{ template "slack.default.title" . }}').replace("templates:", "# templates:"))
    problems = Problems()
    assert load_file(path, problems).templates is None
    assert not problems.found


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("{{ nope }}", ":8: receivers[0].email_configs[0].headers.Subject: template: 1:4: function 'nope' not defined"),
        ('{{ template "nope" . }}', "template: 1:4: template 'nope' not defined"),
        ("{{ .Status", "template: 1:1: unclosed action"),
        ('{{ template "calls" . }}', "a.tmpl:1:24: template 'undefined' not defined"),
    ],
)
def test_a_text_of_a_receiver_that_cannot_be_followed_is_an_error_at_its_line(tmp_path, subject, message):
    _, problems = configured(tmp_path, subject, a='{{ define "calls" }}{{ template "undefined" }}{{ end }}')
    assert [error for error in problems.errors if message in str(error)], problems.found


def test_a_broken_file_is_an_error_at_its_own_line(tmp_path):
    _, problems = configured(tmp_path, "x", a="fine", b='{{ define "b" }}\n\n{{ if }}{{ end }}{{ end }}')
    (error,) = problems.errors
    assert str(error) == f"{tmp_path / 'templates/b.tmpl'}:3: column 7: missing value for if"


def test_what_matches_nothing_is_a_warning_and_what_is_no_file_an_error(tmp_path):
    (_, problems) = configured(tmp_path, "x")
    assert [str(warning) for warning in problems.warnings] == [
        f"{tmp_path / 'alertmanager.yml'}:9: warning: templates[0]: no file matches 'templates/*.tmpl' (seen from {tmp_path})"
    ]
    (tmp_path / "templates" / "d.tmpl").mkdir()
    (_, problems) = configured(tmp_path, "x")
    assert "a template has to be a regular file" in str(problems.errors[0])
    (tmp_path / "templates" / "d.tmpl").rmdir()
    (tmp_path / "templates" / "e.tmpl").write_bytes(b"a\n\xff")
    (_, problems) = configured(tmp_path, "x")
    assert str(problems.errors[0]).endswith("e.tmpl:2: is not UTF-8")


def test_a_reload_takes_files_anew_and_a_definition_of_the_user_replaces_a_built_in_one(tmp_path):
    def subject() -> str:
        config, problems = configured(tmp_path, "x")
        assert not problems.errors
        assert config.templates is not None
        return config.templates.text('{{ template "email.default.subject" . }}', template_data(notice()))

    configured(tmp_path, "x", a='{{ define "__subject" }}one{{ end }}')
    assert subject() == "one"
    configured(tmp_path, "x", a='{{ define "__subject" }}two{{ end }}')
    assert subject() == "two"
    shutil.rmtree(tmp_path / "templates")
    assert subject() == "[FIRING:1] DiskFull (db1)"


def test_templates_see_a_group_as_alertmanager_shows_it():
    data = template_data(notice(), T0)
    assert (data.Receiver, data.Status, data.ExternalURL) == (r"te\.am", "firing", "http://quietshift")
    assert data.CommonLabels == {"alertname": "DiskFull", "host": "db1"}
    (alert,) = data.Alerts.items
    assert alert.EndsAt.at.year == 1
    assert alert.Annotations == {"summary": "<full>"}
    (alert,) = template_data(notice(over=True)).Alerts.items
    assert (alert.Status, alert.EndsAt.at) == ("resolved", T0 + timedelta(minutes=5))


def test_a_template_that_fails_costs_no_notification_and_its_error_is_told():
    saying = Saying("1", webhook(notice()), T0)
    told = saying.text("{{ .Nope }}", saying.title())
    assert told == "[FIRING:1] DiskFull"
    assert saying.failures == ["1:4: can't evaluate field Nope in type *template.Data"]
    text = saying.text("{{ .Nope }}", saying.summary())
    assert "summary: <full>" in text
    assert text.endswith("a template failed: 1:4: can't evaluate field Nope in type *template.Data")
