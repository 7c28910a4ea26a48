"""Docs are run: each command, configuration and example of README.md and docs/ is executed, or read by the program it is for."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quietshift.app.init_command import write_example
from quietshift.app.parts import read_ops
from quietshift.channels.gotemplate import Templates
from tests.docs.blocks import PAGES, ROOT, Block, blocks_of
from tests.docs.story import Story
from tests.support.mail import MailServer
from tests.support.needs import program

PORTS = ("8080", "8081", "9093", "9000")
NOT_RUN = 14  # at most: what installs packages, needs root, or is tested elsewhere
TOKEN = "admin-token-of-the-docs"
ALERT = """curl -sf -H 'Content-Type: application/json' http://127.0.0.1:8080/api/v2/alerts -d '[{
  "labels": {"alertname": "CheckoutFailing", "service": "checkout", "severity": "critical"},
  "annotations": {"summary": "Checkout fails for 12 % of users"}}]'
for i in $(seq 200); do quietshift incidents list 2>/dev/null | grep -q INC- && exit; sleep 0.1; done; exit 1
"""


def name(doc: Path) -> str:
    return str(doc.relative_to(ROOT))


def has(blocks: list[Block], *words: str) -> bool:
    return any(word in block.text for block in blocks for word in words)


README = ROOT / "README.md"
RUN = [doc for doc in PAGES if doc != README and any(b.language == "sh" and "no-run" not in b.options for b in blocks_of(doc))]


@pytest.fixture
def reader(
    tmp_path: Path, free_ports: Callable[[], int], smtp_server: MailServer, request: pytest.FixtureRequest
) -> Iterator[Callable[[Path], Story]]:
    """`reader(doc)`: where the page does not begin with nothing, there is an ops directory, a server and an incident."""
    stories: list[Story] = []

    def begin(doc: Path) -> Story:
        ports = {port: str(free_ports()) for port in PORTS}
        url = f"http://127.0.0.1:{ports['8080']}"
        replace = {**ports, "INC-1042": "INC-1001"}
        blocks = blocks_of(doc)
        if has(blocks, "postgresql://") and any("background" in b.options for b in blocks):
            replace["postgresql://quietshift@127.0.0.1/quietshift"] = request.getfixturevalue("postgres_url")
        env = {
            "QUIETSHIFT_LISTEN": f"127.0.0.1:{ports['8080']}", "QUIETSHIFT_EXTERNAL_URL": url, "QUIETSHIFT_URL": url,
            "QUIETSHIFT_SMTP_SMARTHOST": f"127.0.0.1:{smtp_server.port}", "QUIETSHIFT_SMTP_TLS": "none",
        }  # fmt: skip
        if not has(blocks, "QUIETSHIFT_ADMIN_TOKEN="):
            env |= {"QUIETSHIFT_ADMIN_TOKEN": TOKEN, "QUIETSHIFT_TOKEN": TOKEN}
        story = Story(tmp_path, replace, env)
        stories.append(story)
        if not has(blocks, "quietshift init ops"):
            write_example(tmp_path / "ops")
        if not any("background" in block.options for block in blocks):
            routes = tmp_path / "ops/alertmanager.yml"
            routes.write_text(routes.read_text().replace("group_wait: 10s", "group_wait: 0s"))
            story.start("quietshift serve --ops ops", int(ports["8080"]), "the server")
            story.play(Block(doc, 0, "sh", {}, ALERT))
        return story

    yield begin
    for story in stories:
        story.end()


@pytest.mark.parametrize("doc", RUN, ids=name)
def test_commands_of_the_page_do_what_it_says(doc: Path, reader: Callable[[Path], Story]) -> None:
    story = reader(doc)
    for block in blocks_of(doc):
        story.play(block)


def test_commands_of_the_readme_lead_to_an_incident(reader: Callable[[Path], Story]) -> None:
    story = reader(README)
    for block in blocks_of(README):
        story.play(block)
    wait = "for i in $(seq 300); do quietshift incidents list | grep INC- && exit; sleep 0.1; done; exit 1"
    story.play(Block(README, 0, "sh", {}, wait))
    assert "Checkout fails for 12 % of users" in story.printed


FILES = [doc for doc in PAGES if any("file" in block.options for block in blocks_of(doc))]


@pytest.mark.parametrize("doc", FILES, ids=name)
def test_files_of_the_page_are_taken_by_who_reads_them(doc: Path, tmp_path: Path) -> None:
    write_example(tmp_path / "ops")
    story = Story(tmp_path, {}, {})
    files = [block for block in blocks_of(doc) if "file" in block.options and "no-run" not in block.options]
    for block in files:
        story.play(block)
    if any(block.options["file"].startswith("ops/") for block in files):
        _, problems = read_ops(tmp_path / "ops")
        assert [str(problem) for problem in problems.errors] == []
    for block in files:
        path = tmp_path / block.options["file"]
        if path.name == "alertmanager.yml":
            check(program("amtool"), "check-config", path)
        elif path.name == "prometheus.yml":
            check(promtool(), "check", "config", "--syntax-only", path)
        elif path.parent.name == "rules":
            check(promtool(), "check", "rules", path)
        elif path.suffix == ".tmpl":
            Templates.parse([(path.name, path.read_text())])
        elif path.suffix == ".py":
            compile(path.read_text(), path.name, "exec")
        else:
            assert block.options["file"].startswith("ops/"), f"{block}: nobody reads {path.name}"


def promtool() -> Path:
    program("prometheus")  # whose package brings it
    found = shutil.which("promtool")
    assert found, "prometheus is here, promtool is not"
    return Path(found)


def check(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_block_is_run_or_says_why_not() -> None:
    not_run = []
    for doc in PAGES:
        for block in blocks_of(doc):
            unknown = set(block.options) - {"file", "no-run", "background", "needs", "output", "logged"}
            assert not unknown, f"{block}: {unknown}"
            if "no-run" in block.options:
                assert len(block.options["no-run"]) > 5, f"{block}: why not?"
                not_run.append(str(block))
            elif block.language == "json":
                json.loads(block.text)
            else:
                run = block.language == "sh" or "file" in block.options
                assert run or block.language == "text", f"{block}: nobody checks this {block.language or 'block'}"
    assert len(not_run) <= NOT_RUN, not_run
