"""Debian's amtool prints the same, command for command, of our server and of Debian's Alertmanager in the same state."""

import json
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.candidate import Candidate
from tests.support.needs import program
from tests.support.ops import write_ops
from tests.support.server import Server
from tests.support.talk import eventually

CONFIG = """\
global: {resolve_timeout: 1h}
route:
  receiver: everybody
  group_by: [alertname]
  group_wait: 0s
  routes:
    - {receiver: storage, matchers: [team="storage"], continue: true}
    - {receiver: nights, match: {team: web}, mute_time_intervals: [night]}
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [alertname]
receivers: [{name: everybody}, {name: storage}, {name: nights}]
mute_time_intervals:
  - {name: night, time_intervals: [{times: [{start_time: "22:00", end_time: "24:00"}]}]}
"""
ADD_ALERTS = """\
alert add alertname=Disk team=storage severity=critical --annotation=summary=full
alert add alertname=Disk team=storage severity=warning instance=b
alert add alertname=Web team=web severity=info --generator-url=http://prom/g
alert add Bare team=web
alert add alertname=Ended --end=2020-01-01T00:00:00Z
"""
ASK_ALERTS = """\
alert query
alert
-o extended alert query
-o json alert query
alert query team=storage
alert query alertname=~W.*
alert query Disk
alert query Disk team!=web
alert query -r storage
alert query -r stor.*
alert query --inhibited
alert query --active
alert query --silenced
alert query --unprocessed
alert query -a -i -s -u
alert query nothing=here
alert query bad~~
"""
ADD_SILENCES = """\
silence add alertname=Web -c trying -a ana
silence add alertname=~Dis.* team!=web -c trying2 -a bo -d 3h
silence add alertname=Web -c future -a cy --start=2099-01-01T00:00:00Z --end=2099-01-02T00:00:00Z
silence add Bare -c positional -a dd
silence add -c x -a y
silence add -a y foo=bar --duration=0s
silence add -a y -c z foo=~[
"""
ASK_SILENCES = """\
silence query
silence query -q
-o extended silence query
-o json silence query
silence query alertname=Web
silence query --created-by=bo
silence query --within=2h
silence query --expired
alert query
alert query --silenced
-o json alert query --silenced
silence update -d 5h FIRST
silence update -c changed FIRST
silence update nosuch
silence update -d 1h 00000000-0000-0000-0000-000000000000
silence expire nosuch
silence expire FIRST
silence query --expired
-o json silence query --expired
silence expire ALL
silence query
alert query
"""
ASK_CONFIG = """\
config routes
config routes show
config routes test team=storage
config routes test --tree team=storage
config routes test --verify.receivers=storage,nights team=storage
config routes test --verify.receivers=everybody x=y
config routes test bad
cluster show
-o extended cluster show
check-config CONFIG
"""
SAME_CODE = """\
alert query -r [
silence add -c x -a y alertname=
silence expire 00000000-0000-0000-0000-000000000000
"""  # other words for the same refusal; 0.25 answers 500 where later ones have 404

Run = Callable[..., tuple[int, str]]


def amtool(url: str, *arguments: str) -> tuple[int, str]:
    command = [program("amtool"), f"--alertmanager.url={url}", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={"HOME": "/nonexistent", "TZ": "UTC"}
    )
    return done.returncode, done.stdout + done.stderr


class Side:
    """One of the two, and what amtool prints of it: identifiers, times, order and the width of columns left out."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.first = ""

    def run(self, line: str) -> tuple[int, list[str]]:
        arguments = shlex.split(line)
        if "ALL" in arguments:
            arguments[arguments.index("ALL") :] = amtool(self.candidate.url, "silence", "query", "-q")[1].split()
        if "FIRST" in arguments:
            self.first = self.first or amtool(self.candidate.url, "silence", "query", "-q", "alertname=Web")[1].split()[0]
            arguments[arguments.index("FIRST")] = self.first
        if "CONFIG" in arguments:
            arguments[arguments.index("CONFIG")] = str(self.candidate.config)
        code, text = amtool(self.candidate.url, *arguments)
        text = text.replace(self.candidate.url, "URL").replace(str(self.candidate.folder), "DIR")
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
        text = re.sub(r"20[2-8]\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)?", "TIME", text)
        try:
            shown = json.loads(text)
        except ValueError:
            return code, sorted(re.sub(r" +", " ", text).splitlines())
        return code, sorted(json.dumps(one, sort_keys=True) for one in shown) if isinstance(shown, list) else [text]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    commands = ((program("alertmanager"),), None)
    made = []
    for command in commands:
        folder = tmp_path_factory.mktemp("side")
        made.append(Candidate(folder, CONFIG, **({"command": command} if command else {})))
    yield [Side(candidate) for candidate in made]
    for candidate in made:
        candidate.end(signal.SIGKILL)
        print(candidate.log()[-4000:])


def both(sides: list[Side], lines: str) -> Iterator[tuple[str, tuple[int, list[str]], tuple[int, list[str]]]]:
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(lambda side: [side.run(line) for line in lines.splitlines()], sides)
    return zip(lines.splitlines(), theirs, ours, strict=True)


def check(sides: list[Side], lines: str) -> None:
    for line, theirs, ours in both(sides, lines):
        assert ours == theirs, line


def test_commands_print_the_same(sides: list[Side]) -> None:
    check(sides, ADD_ALERTS)
    for side in sides:  # Alertmanager needs a moment to work out what is inhibited
        eventually(
            lambda: side.run("alert query --inhibited")[1], lambda rows: len(rows) == 2, within=20, what="inhibition"  # noqa: B023
        )
    check(sides, ASK_ALERTS)
    check(sides, ADD_SILENCES)
    for side in sides:
        eventually(lambda: side.run("alert query")[1], lambda rows: len(rows) == 1, within=20, what="silences")  # noqa: B023
    check(sides, ASK_SILENCES)


def test_configuration_and_cluster_print_the_same(sides: list[Side]) -> None:
    check(sides, ASK_CONFIG)
    for line, theirs, ours in both(sides, SAME_CODE):
        assert ours[0] == theirs[0], line


def test_config_show_prints_the_file_as_it_is(sides: list[Side]) -> None:
    """Theirs prints its own reading with every default."""
    assert amtool(sides[1].candidate.url, "config", "show") == (0, CONFIG + "\n")


def test_serve_takes_amtools_silences_with_a_token(serve: Callable[..., Server], tmp_path: Path) -> None:
    ops = write_ops(tmp_path / "ops", {"ana": [("0s", "http://127.0.0.1:9/")]}, [("0s", ["schedule:ana"])])
    server = serve(ops)
    (tmp_path / "http.yml").write_text(f"authorization: {{type: Bearer, credentials: {server.token}}}\n")

    def run(*arguments: str, code: int = 0) -> str:
        got, text = amtool(server.url, f"--http.config.file={tmp_path}/http.yml", *arguments)
        assert got == code, text
        return text

    run("alert", "add", "alertname=Disk", "service=gitaly")
    assert amtool(server.url, "silence", "add", "-c", "no name", "alertname=Disk")[0] == 1, "a silence needs a name"
    silence = run("silence", "add", "-c", "known", "-a", "ana", "alertname=Disk").strip()
    assert "Disk" not in run("alert", "query")
    assert "Disk" in run("alert", "query", "--silenced")
    assert run("silence", "query", "-q").strip() == silence
    assert silence in run("silence", "update", "-d", "3h", silence)
    run("silence", "expire", silence)
    assert run("silence", "query", "-q").strip() == ""
    assert "Disk" in run("alert", "query")
    assert "disabled" in run("cluster", "show")
    assert "receiver" in run("config", "show")
    assert run("config", "routes", "test", "service=gitaly").strip()
