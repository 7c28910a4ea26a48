"""`quietshift alerts template render`."""

import json

from click.testing import CliRunner

from quietshift.app.alert_commands import alerts


def render(*arguments, code=0):
    done = CliRunner().invoke(alerts, ["template", "render", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


def test_a_built_in_template_of_the_sample():
    assert render("--text", '{{ template "email.default.subject" . }}') == "[FIRING:1] DiskFull (critical)\n"


def test_files_data_and_html(tmp_path):
    (tmp_path / "a.tmpl").write_text('{{ define "a" }}<b>{{ .Receiver }}</b>{{ end }}')
    (tmp_path / "data.json").write_text(json.dumps({"receiver": "<x>"}))
    given = "--template.text", '{{ template "a" . }}', "--glob", tmp_path / "*.tmpl", "--data", tmp_path / "data.json"
    assert render(*given) == "<b><x></b>\n"
    assert render(*given, "--html") == "<b>&lt;x&gt;</b>\n"


def test_the_templates_of_a_configuration(tmp_path):
    (tmp_path / "a.tmpl").write_text('{{ define "__subject" }}ours{{ end }}')
    (tmp_path / "alertmanager.yml").write_text("route: {receiver: a}\nreceivers: [{name: a}]\ntemplates: [a.tmpl]\n")
    assert render("--config", tmp_path / "alertmanager.yml", "--text", '{{ template "slack.default.title" . }}') == "ours\n"


def test_mistakes_are_told_with_their_place(tmp_path):
    assert "1:4: function 'nope' not defined" in render("--text", "{{ nope }}", code=1)
    assert "1:4: can't evaluate field Nope" in render("--text", "{{ .Nope }}", code=1)
    (tmp_path / "data.json").write_text("[]")
    assert "data.json: " in render("--text", "x", "--data", tmp_path / "data.json", code=1)
    assert "no file matches" in render("--text", "x", "--glob", tmp_path / "*.tmpl")
