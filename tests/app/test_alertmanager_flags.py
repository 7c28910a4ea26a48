"""The command line of `quietshift alertmanager`, as kingpin reads Alertmanager's."""

import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from quietshift.alerts import syntax
from quietshift.alerts.syntax import Syntax
from quietshift.app.alertmanager import FLAGS, choose_syntax, main, parse_flags, usage
from quietshift.kernel.errors import Invalid
from tests.support.needs import program


def test_flags_are_read_in_every_form(tmp_path):
    more = tmp_path / "flags"
    more.write_text("--log.level\ndebug\n\n")
    flags = parse_flags(
        [
            "--config.file", "a.yml", "--web.listen-address=127.0.0.1:1", "-storage.path", "data", "--cluster.peer=a:1",
            "--cluster.peer", "b:1", "--cluster.listen-address=", f"@{more}",
            "--no-cluster.allow-insecure-public-advertise-address-discovery",
        ]
    )  # fmt: skip
    assert (flags["config.file"], flags["web.listen-address"], flags["storage.path"]) == ("a.yml", "127.0.0.1:1", "data")
    assert flags.peers == ["a:1", "b:1"]
    assert flags["cluster.listen-address"] == ""
    assert flags["log.level"] == "debug"
    assert flags["data.retention"] == "120h"
    assert not flags.on("cluster.allow-insecure-public-advertise-address-discovery")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config.fiel=x"], "unknown flag '--config.fiel'"),
        (["serve"], "unexpected argument 'serve'"),
        (["--config.file"], "expected an argument for flag --config.file"),
        (["@/nowhere"], "@/nowhere: No such file"),
        (["--no-config.file"], "unknown flag '--no-config.file'"),
    ],
)
def test_what_is_no_flag_is_refused_by_name(arguments, says):
    with pytest.raises(Invalid, match=says):
        parse_flags(arguments)


def test_durations_are_gos_and_prometheus():
    flags = parse_flags(["--data.retention=1h30m", "--alerts.gc-interval=2d"])
    assert flags.span("data.retention") == timedelta(hours=1, minutes=30)
    assert flags.span("alerts.gc-interval") == timedelta(days=2)
    assert parse_flags(["--data.retention=1.5h"]).span("data.retention") == timedelta(minutes=90)
    with pytest.raises(Invalid, match=r"--data\.retention: not a duration: 'long'"):
        parse_flags(["--data.retention=long"]).span("data.retention")


def test_one_syntax_of_matchers_can_be_asked_for():
    try:
        choose_syntax("classic-mode,auto-gomemlimit")
        assert syntax.chosen() is Syntax.CLASSIC
        choose_syntax("utf8-strict-mode")
        assert syntax.chosen() is Syntax.UTF8
        choose_syntax("")
        assert syntax.chosen() is Syntax.BOTH
        with pytest.raises(Invalid, match="unknown option 'classic' for --enable-feature"):
            choose_syntax("classic")
        with pytest.raises(Invalid, match="exclude each other"):
            choose_syntax("classic-mode,utf8-strict-mode")
    finally:
        syntax.use(Syntax.BOTH)


def test_every_flag_of_debians_alertmanager_is_known():
    binary: Path = program("alertmanager")
    done = subprocess.run([binary, "--help-long"], capture_output=True, text=True, check=False)
    theirs = set(re.findall(r"^ {2,6}(?:-h, +)?--(?:\[no-\])?([a-z.-]+)", done.stdout + done.stderr, re.MULTILINE))
    assert "config.file" in theirs
    assert theirs - {"help-long", "help-man"} <= set(FLAGS)


NEWER = {  # than Debian's 0.25: of Alertmanager's cmd/alertmanager/main.go up to 0.31
    "alerts.per-alertname-limit", "auto-gomemlimit.ratio", "cluster.label", "dispatch.maintenance-interval",
    "dispatch.start-delay", "enable-feature", "silences.max-silence-size-bytes", "silences.max-silences",
}  # fmt: skip


def test_flags_of_later_versions_are_known():
    assert set(FLAGS) >= NEWER


def test_a_limit_is_a_whole_number():
    assert parse_flags(["--silences.max-silences=12"]).number("silences.max-silences") == 12
    for wrong in ("-1", "many", "1.5", ""):
        with pytest.raises(Invalid, match="max-silences: not a whole number"):
            parse_flags([f"--silences.max-silences={wrong}"]).number("silences.max-silences")


def test_addresses_may_be_repeated():
    flags = parse_flags(["--web.listen-address=127.0.0.1:1", "--web.listen-address", ":2"])
    assert flags.addresses == ["127.0.0.1:1", ":2"]


@pytest.mark.parametrize("flag", ["--web.config.file=tls.yml", "--web.systemd-socket"])
def test_what_would_protect_or_bind_and_is_not_there_is_refused_by_name(flag):
    with pytest.raises(Invalid, match=f"{flag.partition('=')[0]} is not supported: "):
        main([flag])


def test_help_names_every_flag():
    assert all(f"--{name}" in usage() for name in FLAGS)
