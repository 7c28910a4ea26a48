"""`quietshift pages top` prints what the server ranked, for people and for scripts."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from quietshift.learning import answers
from quietshift.learning.commands import pages
from quietshift.learning.decide import rank
from quietshift.learning.model import By, Paged
from tests.support.webhook import Scripted

AT = datetime(2026, 11, 20, 23, tzinfo=UTC)
PAGES = [
    Paged(1, "DiskWillFill", "group:default/storage", "ana", AT, "noise"),
    Paged(1, "DiskWillFill", "group:default/storage", "bo", AT, "noise"),
    Paged(2, "Odd", "", "ana", AT),
]


@pytest.fixture
def top(webhook_server, monkeypatch):
    monkeypatch.setenv("QUIETSHIFT_URL", webhook_server.url().rstrip("/"))

    def run(*arguments, paged=PAGES, by=By.ALERT):
        start, end = AT.replace(day=1), AT.replace(day=21)
        ranking = rank(paged, start=start, end=end, zones={}, by=by, has_runbook=lambda p: p.alertname == "Odd")
        body = json.dumps(answers.ranking(ranking)).encode()
        webhook_server.always("/api/v1/pages/top", Scripted(body=body, headers=(("Content-Type", "application/json"),)))
        result = CliRunner().invoke(pages, ["top", *arguments], catch_exceptions=False)
        return result, webhook_server.posts("/api/v1/pages/top")[-1]

    return run


def test_the_table_names_alert_owner_nights_and_missing_runbooks(top):
    result, asked = top("--weeks", "2")
    assert result.exit_code == 0
    assert asked.query == "weeks=2&by=alert"
    lines = [line.split() for line in result.output.splitlines()]
    disk = next(line for line in lines if line[:1] == ["DiskWillFill"])
    assert disk == ["DiskWillFill", "storage", "2", "67%", "2", "2", "2", "23:00", "1", "noise", "no", "runbook", "yet"]
    odd = next(line for line in lines if line[:1] == ["Odd"])
    assert odd == ["Odd", "no", "owner", "1", "33%", "1", "1", "1", "23:00", "1", "unsaid", "yes"]


def test_owners_and_hours_are_asked_for_by_name(top):
    result, asked = top("--by", "hour", by=By.HOUR)
    assert asked.query == "weeks=4&by=hour"
    assert "23:00" in result.output
    result, _ = top("--by", "owner", by=By.OWNER)
    assert "storage" in result.output
    assert "no owner" in result.output


def test_scripts_get_the_servers_answer_as_it_is(top):
    result, _ = top("-o", "json")
    assert [row["pages"] for row in json.loads(result.output)["rows"]] == [2, 1]


def test_nothing_is_said_to_be_nothing(top):
    result, _ = top(paged=[])
    assert "nobody was paged in the last 4 weeks" in result.stderr
