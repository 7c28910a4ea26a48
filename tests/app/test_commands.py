"""check, db and journal as a person calls them: what they print, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import update

from quietshift.app.wire import load_tables
from quietshift.kernel import journal, migrate, secret
from quietshift.kernel.db import Database
from quietshift.kernel.schema import journal as entries

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
QUIETSHIFT = Path(sys.executable).with_name("quietshift")


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("QUIETSHIFT_")} | environ
    return subprocess.run([QUIETSHIFT, *arguments], env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with three acts on record, sealed."""
    path = tmp_path / "qs.db"
    db = Database.open(str(path))
    migrate.upgrade(db, load_tables)
    key = secret.derive(secret.obtain(db, ""), "journal")
    for n in range(3):
        with db.write() as tx:
            journal.append(tx, NOW, "user:ana", "incident.noted", f"incident:INC-{n}", f"because {n}", {"n": n})
    journal.seal(db, key)
    db.close()
    return path


@pytest.fixture
def ops(tmp_path: Path) -> Path:
    assert run("init", str(tmp_path / "ops")).returncode == 0
    return tmp_path / "ops"


def test_check_is_content_with_the_example(ops: Path) -> None:
    done = run("check", "--no-tree", str(ops))
    assert (done.returncode, done.stdout) == (0, "")
    assert "no errors, no warnings" in done.stderr


def test_check_prints_the_routing_tree_where_there_is_one(ops: Path) -> None:
    done = run("check", str(ops))
    assert done.returncode == 0
    first, second, *_ = done.stdout.splitlines()
    assert "every alert -> unrouted (pages by policy unrouted); by alertname, service; group_wait 10s" in first
    assert '├─ {service=~"checkout|ledger"} -> payments (pages by policy payments)' in second
    (ops / "alertmanager.yml").write_text("route: {}")
    refused = run("check", str(ops))
    assert refused.returncode == 1
    assert "every alert" not in refused.stdout


def test_check_warns_of_a_route_that_no_alert_comes_to(ops: Path) -> None:
    path = ops / "alertmanager.yml"
    path.write_text(path.read_text().replace("routes:\n", "routes:\n    - receiver: web\n", 1))
    done = run("check", str(ops))
    assert done.returncode == 0
    assert 'alertmanager.yml:11: warning: route {service=~"checkout|ledger"}: no alert comes here' in done.stdout


@pytest.mark.parametrize(
    ("file", "find", "put", "expected"),
    [
        ("quietshift.yaml", "escalation_policy: web", "escalation_policy: wbe", "no EscalationPolicy 'wbe'"),
        ("quietshift.yaml", "  web: {", "  wbe: {", "no receiver 'wbe' is defined in alertmanager.yml"),
        ("quietshift.yaml", "smtp_from:", "smtp_form:", "smtp_form: unknown key (did you mean smtp_from?)"),
        ("alertmanager.yml", "- receiver: web", "- receiver: nobody", "nobody"),
        ("oncall/web.yaml", "owner: group:web", "owner: group:wbe", "wbe"),
        ("catalog/shop.yaml", "owner: web", "owner: wbe", "wbe"),
    ],
)
def test_check_names_file_and_line_of_each_cross_reference(ops: Path, file: str, find: str, put: str, expected: str) -> None:
    path = ops / file
    text = path.read_text()
    assert find in text, f"the example changed: no {find!r} in {file}"
    line = text[: text.index(find)].count("\n") + 1
    path.write_text(text.replace(find, put, 1))
    done = run("check", str(ops))
    assert done.returncode == 1
    told = [finding for finding in done.stdout.splitlines() if expected in finding]
    assert told, done.stdout
    assert told[0].startswith(f"{file}:{line}: ")


def test_check_says_once_that_the_routes_are_missing(ops: Path) -> None:
    (ops / "alertmanager.yml").unlink()
    done = run("check", str(ops))
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if line.startswith("alertmanager.yml")] == [
        "alertmanager.yml:1: is missing: it says where alerts go (quietshift init DIR makes an example)"
    ]


def test_check_reads_the_environment_and_names_a_missing_directory(ops: Path, tmp_path: Path) -> None:
    assert run("check", QUIETSHIFT_OPS=str(ops)).returncode == 0
    done = run("check", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "is not a directory" in done.stdout


def test_the_journal_is_listed_and_verified(database: Path) -> None:
    listed = json.loads(run("journal", "list", "--db", str(database), "-o", "json").stdout)
    assert [(e["seq"], e["actor"], e["why"]) for e in listed] == [(n, "user:ana", f"because {n - 1}") for n in (3, 2, 1)]
    assert "because 2" in run("journal", "list", QUIETSHIFT_DB=str(database)).stdout
    done = run("journal", "verify", "--db", str(database))
    assert done.returncode == 0
    assert "3 sealed, 0 not sealed yet" in done.stdout
    head = done.stdout.split("head ")[1].split()[0]
    assert run("journal", "verify", "--db", str(database), "--head", head).returncode == 0
    assert "cut off" in run("journal", "verify", "--db", str(database), "--head", "9:" + head.split(":")[1]).stdout


def test_a_changed_entry_is_told_with_exit_1(database: Path) -> None:
    db = Database.open(str(database))
    with db.write() as tx:
        tx.execute(update(entries).values(actor="user:mallory"))
    db.close()
    done = run("journal", "verify", "--db", str(database))
    assert done.returncode == 1
    assert "was changed" in done.stdout


def test_the_journal_without_a_command_is_listed(database: Path) -> None:
    assert json.loads(run("journal", "-o", "json", "--db", str(database)).stdout) == json.loads(
        run("journal", "list", "-o", "json", "--db", str(database)).stdout
    )
    assert "because 0" not in run("journal", "--limit", "2", QUIETSHIFT_DB=str(database)).stdout
    assert run("journal", "verfiy", "--db", str(database)).returncode == 2


def test_the_journal_is_asked_of_the_server_that_is_named_unless_a_database_is(database: Path, httpserver: HTTPServer) -> None:
    act = {
        "id": "01", "at": "2026-11-21T03:00:00Z", "actor": "user:bo", "act": "incident.noted", "subject": "incident:INC-7",
        "why": "told by the server", "data": {}, "seq": 1,
    }  # fmt: skip
    whole = [{**act, "id": f"a{n}"} for n in range(500)]
    for query, part in (({"limit": "500"}, whole), ({"limit": "100", "cursor": "a499"}, [act])):
        httpserver.expect_request(
            "/api/v1/journal", headers={"Authorization": "Bearer t0"}, query_string={**query, "subject": "incident:INC-7"}
        ).respond_with_json(part)
    server = {"QUIETSHIFT_URL": httpserver.url_for(""), "QUIETSHIFT_TOKEN": "t0"}
    done = run("journal", "--subject", "incident:INC-7", "--limit", "600", "-o", "json", **server)
    assert json.loads(done.stdout) == [*whole, act], done.stderr
    assert "because 2" in run("journal", "--db", str(database), **server).stdout


def test_an_erased_payload_leaves_the_journal_whole(database: Path) -> None:
    victim = json.loads(run("journal", "list", "--db", str(database), "-o", "json").stdout)[0]["id"]
    assert run("journal", "erase", victim, "--why", "asked by the person", "--db", str(database)).returncode == 0
    assert run("journal", "verify", "--db", str(database)).returncode == 0
    acts = json.loads(run("journal", "list", "--db", str(database), "-o", "json").stdout)
    assert [(e["act"], e["why"]) for e in acts[:2]] == [
        ("journal.payload_erased", "asked by the person"), ("incident.noted", None),
    ]  # fmt: skip
    assert acts[0]["actor"].startswith("os:")


def test_db_upgrade_says_what_it_did(tmp_path: Path) -> None:
    path = str(tmp_path / "new.db")
    assert "upgraded" in run("db", "upgrade", "--db", path).stdout
    assert "already up to date" in run("db", "upgrade", "--db", path).stdout


@pytest.mark.parametrize("arguments", [("journal", "list", "--db", "/nowhere.db"), ("serve",), ("serve", "--ops", "/nowhere")])
def test_what_cannot_be_done_ends_with_one_clear_line(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_database_newer_than_the_program_is_refused(database: Path, ops: Path) -> None:
    db = Database.open(str(database))
    with db.write() as tx:
        tx.conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    db.close()
    done = run("serve", "--ops", str(ops), "--db", str(database), "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert "newer than this program" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("web.yaml", "timeZone: Asia/Singapore", "timeZone: Asia/Atlantis", "unknown time zone"),
        ("contacts.yaml", 'via: "mailto:', 'via: "pigeon:', "pigeon: is not supported"),
        ("web.yaml", "targets: [schedule:web]", "targets: [schedule:wed]", "there is no schedule 'wed'"),
        ("web.yaml", "steps:", "step:", "step: unknown key"),
    ],
)
def test_one_mistake_is_told_where_it_stands_and_nothing_that_only_follows_from_it(
    ops: Path, file: str, before: str, after: str, said: str
) -> None:
    path = ops / "oncall" / file
    path.write_text(path.read_text().replace(before, after, 1))
    found = run("check", str(ops))
    told = [line for line in (found.stdout + found.stderr).splitlines() if ".yaml:" in line or ".yml:" in line]
    assert any(said in line for line in told), told
    assert all(f"{file}:" in line for line in told), told
    assert found.returncode == 1
