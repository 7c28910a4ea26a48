"""`quietshift page test USER`, against a server that runs, a real phone and a real mail server."""

import json

from tests.support.ops import write_ops
from tests.support.webhook import Scripted


def test_every_contact_is_tried_and_what_each_provider_answered_is_printed(tmp_path, serve, webhook_server, smtp_server):
    (tmp_path / "ops").mkdir()
    contacts = {"ana": [("0s", "mailto:ana@example.org"), ("5m", webhook_server.url("/ana"))]}
    ops = write_ops(tmp_path / "ops", contacts, [("0s", ["user:ana"])], smtp_port=smtp_server.port)
    server = serve(ops)

    done = server.cli("page", "test", "ana")
    assert (done.returncode, done.stderr) == (0, "")
    assert "250 OK" in done.stdout
    assert "200 OK" in done.stdout
    assert "ana@example.org" not in done.stdout
    assert len(smtp_server.mails("ana@example.org")) == len(webhook_server.posts("/ana")) == 1

    webhook_server.answer("/ana", Scripted(410, b"moved away"))
    failed = server.cli("page", "test", "ana", "-o", "json")
    assert failed.returncode == 1
    page = json.loads(failed.stdout)
    assert {(a["channel"], a["outcome"], a["code"]) for a in page["attempts"]} == {
        ("mail", "accepted", 250), ("webhook", "permanent", 410),
    }  # fmt: skip

    unknown = server.cli("page", "test", "zoe")
    assert unknown.returncode != 0
    assert "zoe" in unknown.stderr
    assert "Traceback" not in unknown.stderr
