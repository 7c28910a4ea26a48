"""Mails by templates, from `quietshift alertmanager` to an SMTP server: as written, anew after a reload, whatever fails."""

import signal
import urllib.request
from pathlib import Path

from tests.support.candidate import Candidate
from tests.support.mail import MailServer

CONFIG = """\
global: {smtp_from: alerts@example.org, smtp_smarthost: '127.0.0.1:PORT', smtp_require_tls: false}
route: {receiver: team, group_by: [alertname], group_wait: 0s}
receivers:
  - name: team
    email_configs:
      - to: team@example.org
        headers: {Subject: '{{ template "ours" . }}', X-Severity: '{{ .CommonLabels.severity }}'}
      - {to: broken@example.org, html: '{{ .Nope }}', headers: {Subject: '{{ index .Alerts 7 }}'}}
templates: ['*.tmpl']
"""


def test_mails_say_what_templates_make_of_the_group(tmp_path: Path, smtp_server: MailServer) -> None:
    (tmp_path / "a.tmpl").write_text('{{ define "ours" }}{{ .GroupLabels.alertname }} × {{ len .Alerts }}{{ end }}')
    candidate = Candidate(tmp_path, CONFIG.replace("PORT", str(smtp_server.port)))
    try:
        labels = [{"alertname": "A", "severity": "page", "host": host} for host in ("db1", "db2")]
        candidate.post([{"labels": one, "annotations": {"s": "<b>"}} for one in labels])
        (mail,) = smtp_server.wait_for(1, to="team@example.org", within=30)
        assert (mail.subject, mail.message["X-Severity"]) == ("A × 2", "page")
        page = mail.message.get_body(("html",))
        assert page is not None
        assert "&lt;b&gt;" in page.get_content()
        (mail,) = smtp_server.wait_for(1, to="broken@example.org", within=30)
        assert mail.subject == "[FIRING:2] A"
        assert "host=db1" in mail.text
        assert "a template failed: 1:4: error calling index: index out of range: 7" in mail.text

        (tmp_path / "a.tmpl").write_text('{{ define "ours" }}anew {{ .Status }}{{ end }}')
        urllib.request.urlopen(urllib.request.Request(f"{candidate.url}/-/reload", method="POST"), timeout=30).close()
        candidate.post([{"labels": {"alertname": "B"}}])
        (mail,) = smtp_server.wait_for(1, to="team@example.org", within=30, where=lambda mail: "A ×" not in mail.subject)
        assert mail.subject == "anew firing"
    finally:
        candidate.end(signal.SIGTERM)
        print(candidate.log())
