"""`quietshift serve` as an operator meets it: what it refuses to start with, how it reloads, ends, keeps secrets."""

import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.mail import MailServer
from tests.support.ops import write_ops
from tests.support.postgres import Postgres
from tests.support.sender import Sender
from tests.support.server import QUIETSHIFT, Server
from tests.support.talk import ask, eventually
from tests.support.webhook import WebhookServer


@pytest.fixture
def ops(tmp_path: Path, webhook_server: WebhookServer) -> Path:
    return write_ops(tmp_path / "ops", {"ana": [("0s", webhook_server.url("/ana"))]}, [("0s", ["schedule:ana"])])


def refused(server: Server, within: float = 20) -> str:
    """What the server said when it ended with 1 instead of serving."""
    assert server._process is not None
    assert server._process.wait(within) == 1
    said = server.log_text()
    assert "Traceback" not in said, said
    return said


# -- the start -----------------------------------------------------------------------------------------------------------


def test_a_broken_ops_directory_is_refused_with_file_and_line(serve: Callable[..., Server], ops: Path) -> None:
    text = (ops / "oncall/all.yaml").read_text()
    broken = text.replace("- schedule:ana", "- schedule:nobody").replace("via: http:", "via: pigeon:")
    (ops / "oncall/all.yaml").write_text(broken)
    lines = [n for n, row in enumerate(text.splitlines(), 1) if "- schedule:ana" in row or "via: http:" in row]

    said = refused(serve(ops, wait=False))

    assert len(lines) == 2
    assert all(f"oncall/all.yaml:{line}: " in said for line in lines), "all of it is said at once"
    assert "nobody" in said


def test_a_setting_that_is_none_is_refused_with_its_line(serve: Callable[..., Server], ops: Path) -> None:
    settings = ops / "quietshift.yaml"
    line = settings.read_text().count("\n") + 1
    settings.write_text(settings.read_text() + "colour: green\n")

    said = refused(serve(ops, wait=False))

    assert f"quietshift.yaml:{line}: colour" in said


def test_a_directory_that_is_none_is_refused(serve: Callable[..., Server], tmp_path: Path) -> None:
    said = refused(serve(tmp_path / "none", wait=False))

    assert f"{tmp_path}/none" in said


def test_a_database_newer_than_the_program_is_refused(serve: Callable[..., Server], ops: Path, tmp_path: Path) -> None:
    serve(ops).terminate()
    with closing(sqlite3.connect(tmp_path / "quietshift.db")) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999_from_the_future'")
        db.commit()

    said = refused(serve(ops, wait=False))

    assert "newer" in said
    assert "9999_from_the_future" in said


def test_a_second_server_on_the_same_file_is_refused_and_harms_nothing(serve: Callable[..., Server], ops: Path) -> None:
    first = serve(ops)

    said = refused(serve(ops, wait=False))

    assert "in use by another server" in said
    sender = Sender(first.url)
    sender.fire("StillServed")
    sender.insist(within=5)


def test_a_lock_of_a_killed_server_holds_up_nobody(serve: Callable[..., Server], ops: Path) -> None:
    serve(ops).kill9()
    serve(ops)


def test_an_address_that_is_taken_is_refused(serve: Callable[..., Server], ops: Path, tmp_path: Path) -> None:
    first = serve(ops)

    said = refused(serve(ops, f"sqlite:///{tmp_path}/other.db", "--listen", f"127.0.0.1:{first.port}", wait=False))

    assert f"127.0.0.1:{first.port}" in said


def test_a_file_that_is_no_database_is_refused(serve: Callable[..., Server], ops: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("Dear Sir or Madam, " * 1000)

    said = refused(serve(ops, f"sqlite:///{tmp_path}/letter.db", wait=False))

    assert "not a database" in said
    assert (tmp_path / "letter.db").read_text().startswith("Dear Sir")


def test_a_postgresql_that_is_not_there_is_refused_without_its_password(
    serve: Callable[..., Server], ops: Path, free_port: int
) -> None:
    said = refused(serve(ops, f"postgresql://qs:hunter2-secret@127.0.0.1:{free_port}/none", wait=False))

    assert "127.0.0.1" in said
    assert "hunter2" not in said


def test_another_secret_key_than_the_one_it_was_sealed_with_is_refused(serve: Callable[..., Server], ops: Path) -> None:
    serve(ops).terminate()

    said = refused(serve(ops, env={"QUIETSHIFT_SECRET_KEY": "another" * 8}, wait=False))

    assert "key" in said
    assert "another" * 2 not in said


# -- reload --------------------------------------------------------------------------------------------------------------


def receivers(server: Server) -> list[str]:
    return [receiver["name"] for receiver in ask(f"{server.url}/api/v2/receivers").json]


def add_receiver(ops: Path, name: str) -> None:
    path = ops / "alertmanager.yml"
    path.write_text(path.read_text().replace("receivers:\n", f"receivers:\n- name: {name}\n"))


def test_a_reload_takes_a_good_directory_and_keeps_the_old_one_for_a_broken(serve: Callable[..., Server], ops: Path) -> None:
    server = serve(ops)
    assert receivers(server) == ["storage"]

    add_receiver(ops, "posted")
    assert ask(f"{server.url}/-/reload", "POST").status == 200
    assert receivers(server) == ["posted", "storage"]

    add_receiver(ops, "signalled")
    server.signal(signal.SIGHUP)
    eventually(lambda: receivers(server), lambda names: "signalled" in names, within=10, what="the reload by SIGHUP")

    good = (ops / "alertmanager.yml").read_text()
    (ops / "alertmanager.yml").write_text(good + "no_such_key: 1\n")
    answer = ask(f"{server.url}/-/reload", "POST")
    assert answer.status == 422
    line = good.count("\n") + 1
    assert f"alertmanager.yml:{line}: " in answer.text
    assert "no_such_key" in answer.text
    assert "old" in answer.json["detail"], "and that the old one stays in force"
    server.signal(signal.SIGHUP)
    eventually(server.log_text, lambda log: log.count("reload refused") >= 2, within=10, what="the refusal in the log")
    assert receivers(server) == ["signalled", "posted", "storage"]
    sender = Sender(server.url)
    sender.fire("StillServed")
    sender.insist(within=5)

    (ops / "alertmanager.yml").write_text(good)
    assert ask(f"{server.url}/-/reload", "POST").status == 200


def test_who_is_called_follows_a_reload(serve: Callable[..., Server], ops: Path, webhook_server: WebhookServer) -> None:
    server = serve(ops)
    write_ops(ops, {"bo": [("0s", webhook_server.url("/bo"))]}, [("0s", ["schedule:bo"])])
    assert ask(f"{server.url}/-/reload", "POST").status == 200

    sender = Sender(server.url)
    sender.fire("AfterReload")
    sender.insist()

    webhook_server.wait_for(1, path="/bo")
    assert webhook_server.posts("/ana") == []


# -- life and end --------------------------------------------------------------------------------------------------------


def test_it_is_ready_healthy_and_counted(serve: Callable[..., Server], ops: Path) -> None:
    server = serve(ops)

    assert ask(f"{server.url}/-/ready").status == 200
    assert ask(f"{server.url}/-/healthy").status == 200
    metrics = ask(f"{server.url}/metrics")
    assert metrics.status == 200
    assert "# TYPE quietshift_" in metrics.text


def test_sigterm_ends_it_soon_with_zero_and_loses_nothing(
    serve: Callable[..., Server], ops: Path, webhook_server: WebhookServer
) -> None:
    server = serve(ops)
    sender = Sender(server.url)
    for number in range(50):
        sender.fire(f"Story{number}")
    sender.insist()
    began = time.monotonic()

    assert server.terminate() == 0

    assert time.monotonic() - began < 15
    server.start()
    assert {item["labels"]["alertname"] for item in ask(f"{server.url}/api/v2/alerts").json} == set(sender.alerts)
    posts = webhook_server.wait_for(50, within=30)
    assert len({post.json["page_id"] for post in posts}) == len(posts) == 50, "an orderly end repeats no page"


def test_sigterm_does_not_wait_for_readers_of_live_pages(serve: Callable[..., Server], ops: Path) -> None:
    server = serve(ops)
    with subprocess.Popen(
        ["curl", "-sN", "-H", f"Authorization: Bearer {server.token}", f"{server.url}/events"], stdout=subprocess.DEVNULL
    ) as reader:
        time.sleep(1)  # for curl to connect
        assert server.terminate(within=10) == 0
        reader.wait(10)


# -- tokens --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listen", ["0.0.0.0", "[::]"])
def test_beyond_loopback_alerts_want_a_token(
    serve: Callable[..., Server], ops: Path, free_ports: Callable[[], int], listen: str
) -> None:
    port = free_ports()
    server = serve(ops, None, "--listen", f"{listen}:{port}", wait=False)
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: answers(url), bool, within=20, what="the server")
    alerts = f"{url}/api/v2/alerts"
    some = [{"labels": {"alertname": "FromAfar"}}]

    assert ask(alerts, "POST", json_body=some).status == 401
    assert ask(alerts, "POST", json_body=some, token="wrong").status == 401
    assert ask(alerts).status == 401
    assert ask(f"{url}/-/reload", "POST").status == 401
    assert ask(alerts, "POST", json_body=some, token=server.token).status == 200
    assert [item["labels"]["alertname"] for item in ask(alerts, token=server.token).json] == ["FromAfar"]


def answers(url: str) -> bool:
    try:
        return ask(f"{url}/-/ready").status == 200
    except OSError:
        return False


def test_on_loopback_alerts_are_open_and_silences_are_not(serve: Callable[..., Server], ops: Path) -> None:
    server = serve(ops)
    silence = {
        "matchers": [{"name": "alertname", "value": "x", "isRegex": False}], "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2999-01-01T00:00:00Z", "createdBy": "mallory", "comment": "sleep well",
    }  # fmt: skip

    assert ask(f"{server.url}/api/v2/alerts", "POST", json_body=[{"labels": {"alertname": "x"}}]).status == 200
    assert ask(f"{server.url}/api/v2/silences", "POST", json_body=silence).status == 401
    assert ask(f"{server.url}/api/v1/incidents").status == 401
    assert ask(f"{server.url}/api/v2/silences", "POST", json_body=silence, token=server.token).status == 200


def test_alertmanagers_first_api_is_gone_and_our_own_below_the_same_path_is_not(serve: Callable[..., Server], ops: Path) -> None:
    server = serve(ops)
    gone = ("alerts", "alerts/groups", "receivers", "silence/1")
    assert {ask(f"{server.url}/api/v1/{path}", "POST").status for path in gone} == {410}
    ours = ("silences", "status", "alerts/0123456789abcdef/why")
    assert {ask(f"{server.url}/api/v1/{path}").status for path in ours} == {401}


def test_loopback_can_want_a_token_too(serve: Callable[..., Server], ops: Path) -> None:
    server = serve(ops, None, "--intake", "token")

    assert ask(f"{server.url}/api/v2/alerts", "POST", json_body=[{"labels": {"alertname": "x"}}]).status == 401


def test_a_page_of_another_site_cannot_send_alerts_to_loopback(serve: Callable[..., Server], ops: Path) -> None:
    server = serve(ops)
    body = b'[{"labels": {"alertname": "Forged"}}]'

    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = ask(f"{server.url}/api/v2/alerts", "POST", body, {"Content-Type": "application/json", **headers})
        assert answer.status == 403
    assert ask(f"{server.url}/api/v2/alerts").json == []


# -- secrets -------------------------------------------------------------------------------------------------------------


def test_no_secret_is_in_the_log_or_the_process_list(
    serve: Callable[..., Server], tmp_path: Path, smtp_server: MailServer, webhook_server: WebhookServer, postgres: Postgres,
    postgres_url: str,
) -> None:  # fmt: skip
    """At the loudest level, through a page, an acknowledgement and a failure of the database."""
    contacts = {"ana": [("0s", f"{webhook_server.url('/hook')}?token=via-secret-1"), ("0s", "mailto:ana@example.org")]}
    ops = write_ops(tmp_path / "ops", contacts, [("0s", ["schedule:ana"])], smtp_port=smtp_server.port)
    (ops / "quietshift.yaml").write_text((ops / "quietshift.yaml").read_text().replace("smtp_tls: none", "smtp_tls: starttls"))
    url = postgres_url.replace("quietshift@", "quietshift:db-secret-2@")
    secrets = {"QUIETSHIFT_ADMIN_TOKEN": "admin-secret-3", "QUIETSHIFT_SMTP_PASSWORD": "smtp-secret-4", "QUIETSHIFT_DB": url}
    server = Server(tmp_path, ops, url, "--log-level", "debug", env=secrets)
    server.token = "admin-secret-3"
    webhook_server.answer("/hook", 500)
    process = subprocess.Popen(
        [QUIETSHIFT, "serve", "--ops", ops, "--listen", f"127.0.0.1:{server.port}", "--log-level", "debug"],
        env=server._env, stdin=subprocess.DEVNULL, stdout=server.log.open("ab"), stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        eventually(server.ready, bool, within=30, what="the server")
        sender = Sender(server.url)
        sender.fire("Secretive", password="label-secret-5")
        sender.insist()
        (_, post) = webhook_server.wait_for(2, within=15)
        link = post.json["acknowledge_url"]
        assert ask(link, "POST").status == 200
        assert ask(f"{server.url}/api/v1/incidents", token=server.token).status == 200
        assert ask(f"{server.url}/api/v1/incidents", token="wrong-secret-6").status == 401
        postgres.stop()
        sender.send()
        command_line = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
    finally:
        postgres.start()
        process.terminate()
        process.wait(20)
    log = server.log.read_text(errors="replace")
    assert "Secretive" not in command_line
    for secret in (
        "via-secret-1", "db-secret-2", "admin-secret-3", "smtp-secret-4", "label-secret-5", "wrong-secret-6",
        link.rpartition("/p/")[2], server._env["QUIETSHIFT_SECRET_KEY"],
    ):  # fmt: skip
        assert secret not in log, f"{secret} is in the log"
        assert secret not in command_line, f"{secret} is in the process list"
