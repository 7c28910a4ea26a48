"""What can be set, called or asked for is documented, and what is documented exists."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from quietshift.alerts import events_api
from quietshift.alerts.api import PREFIX, ROUTES
from quietshift.app.alertmanager import FLAGS
from quietshift.app.cli import COMMANDS
from quietshift.app.metrics import METRICS
from quietshift.app.tables import metadata
from quietshift.incidents.usecases import _ACTS
from quietshift.kernel.settings import SETTINGS
from quietshift.runbooks.model import Outcome
from scripts import docs
from tests.docs.blocks import PAGES, ROOT, without_blocks

REFERENCE = ROOT / "docs/reference"
SOURCE = ROOT / "src/quietshift"


def text(page: str) -> str:
    return (REFERENCE / page).read_text()


def test_generated_parts_are_up_to_date() -> None:
    """In a process of its own: click keeps a command's help option as it was first asked for, and other tests ask."""
    checked = subprocess.run([sys.executable, "scripts/docs.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, f"run .venv/bin/python scripts/docs.py\n{checked.stdout}{checked.stderr}"


def test_every_setting_is_documented() -> None:
    page = text("settings.md")
    for setting in SETTINGS:
        assert f"`{setting.env}`" in page
        assert (f"`{setting.env}_FILE`" in page) == setting.secret
        assert (f"`{setting.name}:`" in page) == setting.in_file


def test_every_command_and_option_is_documented() -> None:
    page = text("cli.md")
    commands = dict(docs.walk_commands())
    assert {name.split()[1] for name in commands if " " in name} == set(COMMANDS) - {"alertmanager"}
    for name, context in commands.items():
        command = context.command
        section = page.partition(f"### `{name}`\n")[2].partition("\n### ")[0]
        assert section, name
        assert command.help, name
        for parameter in command.params:
            options = [option for option in parameter.opts if option.startswith("--")]
            assert all(option in section for option in options), f"{name} {options}"


def test_every_flag_of_alertmanager_is_documented() -> None:
    page = text("alertmanager.md")
    for flag in FLAGS:
        assert f"`--{flag}`" in page


def test_every_operation_of_the_api_is_documented() -> None:
    page = text("api.md")
    routes = {route for route in docs.all_routes() if "/api/v1/" in route}
    assert len(routes) > 20
    for route in routes - {"GET /api/v1/openapi.json"}:
        assert f"`{route}`" in page
    assert "`/api/v1/openapi.json`" in page
    for path, methods in ROUTES.items():
        for method in methods:
            assert f"`{method} {PREFIX}{path}" in page
    for path, operations in events_api.ROUTES.items():
        for method in operations:
            assert f"`{method} {path}`" in text("events.md")
    for path in ("GET /-/ready", "GET /-/healthy", "POST /-/reload", "GET /metrics"):
        assert f"`{path}`" in page


def test_every_page_of_the_web_is_documented_and_exists() -> None:
    assert set(docs.web_routes()) == set(docs.PAGES)
    for route in docs.PAGES:
        assert f"`{route}`" in text("routes.md")


def test_every_metric_is_documented() -> None:
    for metric in METRICS:
        assert f"`{metric}`" in text("metrics.md")


def test_every_table_is_documented_and_exists() -> None:
    assert set(metadata.tables) == set(docs.TABLES)


def acts_in(source: Path) -> set[str]:
    """Acts that this file writes into the journal, by name: in a call, or chosen before it in the same function."""
    found: set[str] = set()
    for function in ast.walk(ast.parse(source.read_text())):
        if not isinstance(function, ast.FunctionDef):
            continue
        if any(writes(node) for node in ast.walk(function)):
            words = (node.value for node in ast.walk(function) if isinstance(node, ast.Constant))
            found |= {word for word in words if isinstance(word, str) and re.fullmatch(r"[a-z]+\.[a-z_]*[a-z]", word)}
    return found


def writes(node: ast.AST) -> bool:
    """Whether this is a call that puts an act on record."""
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    return called in ("journal.append", "append", "_save") or called.endswith("put_on_record")


def test_every_act_of_the_journal_is_documented_and_written() -> None:
    written = {act for path in SOURCE.rglob("*.py") for act in acts_in(path)}
    written |= {f"incident.{kind}" for kind, _ in _ACTS.values()} | {f"runbook.step_{outcome}" for outcome in Outcome}
    assert written == set(docs.ACTS)


# -- links ---------------------------------------------------------------------------------------------------------------

LINKING = [*PAGES, *(ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "packaging/README.md"))]


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("doc", LINKING, ids=lambda doc: str(doc.relative_to(ROOT)))
def test_links_lead_somewhere(doc: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(doc.read_text())):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        to = (doc.parent / path).resolve() if path else doc
        assert to.is_file(), f"{doc.name}: {target}"
        assert to.is_relative_to(ROOT), f"{doc.name}: {target} leaves the repository"
        assert not anchor or anchor in anchors(to), f"{doc.name}: {target}"


def test_every_page_is_reached_from_the_first() -> None:
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)\s#]+)", without_blocks(page.read_text()))
        todo += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert set(PAGES) <= seen


def test_pages_name_no_place_of_whoever_wrote_them() -> None:
    for page in LINKING:
        assert not re.search(r"/(work|root|home)/|/tmp/", page.read_text()), page


def test_pages_are_plain() -> None:
    """No emojis, lines that a terminal shows."""
    for page in PAGES:
        for number, line in enumerate(page.read_text().splitlines(), 1):
            assert not re.search("[\U0001f000-\U0001faff\u2600-\u27bf]", line), f"{page}:{number}"
            generated = line.startswith("|") or "](" in line
            assert generated or len(line) <= 140, f"{page}:{number}: {len(line)} characters"
