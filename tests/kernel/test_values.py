"""Clock, durations, ids, YAML with lines, settings: what everything else takes for granted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quietshift.kernel import settings
from quietshift.kernel.clock import ManualClock, from_micros, parse_rfc3339, rfc3339, to_micros
from quietshift.kernel.config import parse_documents
from quietshift.kernel.durations import format_duration, parse_duration
from quietshift.kernel.errors import ConfigError, Problems
from quietshift.kernel.ids import new_id

INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive by contract


@given(INSTANTS)
def test_instants_survive_the_database_and_the_wire(instant: datetime) -> None:
    assert from_micros(to_micros(instant)) == instant
    assert parse_rfc3339(rfc3339(instant)) == instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-29T02:30:00Z", datetime(2026, 3, 29, 2, 30, tzinfo=UTC)),
        ("2026-03-29T02:30:00.123456789+02:00", datetime(2026, 3, 29, 0, 30, 0, 123456, tzinfo=UTC)),
        ("2026-03-29T02:30:00.5Z", datetime(2026, 3, 29, 2, 30, 0, 500000, tzinfo=UTC)),
    ],
)
def test_rfc3339_with_offsets_and_nanoseconds(text: str, instant: datetime) -> None:
    assert parse_rfc3339(text) == instant


@pytest.mark.parametrize("text", ["", "2026-03-29", "2026-03-29T02:30:00", "yesterday", "2026-13-01T00:00:00Z"])
def test_a_time_without_a_zone_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are datetime's own
        parse_rfc3339(text)


def test_a_clock_refuses_naive_time() -> None:
    with pytest.raises(ValueError, match="naive"):
        ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    assert ManualClock(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))).now().hour == 23


@given(st.integers(0, 9 * 10**12))
def test_durations_round_trip(millis: int) -> None:
    span = timedelta(milliseconds=millis)
    assert parse_duration(format_duration(span)) == span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("0s", 0), ("5m", 300), ("1h30m", 5400), ("1w", 604800), ("500ms", 0.5), ("1d12h", 129600), ("1y", 31536000)],
)
def test_durations_as_prometheus_reads_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "1.5h", "5m1h", "5 m", "1h1h", "٣m", "999999999999y"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.lists(INSTANTS, min_size=2, max_size=20))
def test_ids_are_unique_and_sort_by_time(instants: list[datetime]) -> None:
    made = [new_id(instant) for instant in sorted(instants)]
    assert len(set(made)) == len(made)
    assert all(len(i) == 26 for i in made)


def test_ids_of_one_millisecond_keep_their_order() -> None:
    now = datetime(2500, 1, 1, tzinfo=UTC)
    made = [new_id(now) for _ in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == 1000


def read(text: str) -> tuple[dict[str, object], list[str]]:
    problems = Problems()
    nodes = parse_documents(text.encode(), "f.yaml", problems)
    values: dict[str, object] = {}
    for node in nodes:
        fields = node.fields("name", "wait", "count", "list")
        values = {
            "name": fields["name"].required(), "wait": fields["wait"].duration(),
            "count": fields["count"].integer(3, minimum=1), "list": fields["list"].texts(),
        }
    return values, [str(p) for p in problems.errors]


def test_yaml_is_read_by_what_is_expected() -> None:
    values, errors = read("name: 09:00\nwait: 1h30m\nlist: [no, 1, '']\n")
    assert values == {"name": "09:00", "wait": timedelta(minutes=90), "count": 3, "list": ["no", "1", ""]}
    assert errors == ["f.yaml:3: list[2]: is required"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("name: x\nwiat: 5m\n", "f.yaml:2: wiat: unknown key (did you mean wait?)"),
        ("name: x\nwait: soon\n", "f.yaml:2: wait: not a duration: 'soon' (write it like 30s, 5m, 1h30m, 7d)"),
        ("name: x\ncount: 0\n", "f.yaml:2: count: has to be 1 or more, not 0"),
        ("name: x\ncount: many\n", "f.yaml:2: count: expected a whole number, not 'many'"),
        ("name: x\n\nname: y\n", "f.yaml:3: name: written twice"),
        ("count: 2\n", "f.yaml:1: name: is required"),
        ("name: [x]\n", "f.yaml:1: name: expected text"),
        ("name: x\nlist: {a: 1}\n", "f.yaml:2: list: expected a list"),
        ("- a\n", "f.yaml:1: expected a mapping (key: value)"),
        ("name: x\n\tx: 1\n", "f.yaml:2: not YAML: while scanning a plain scalar found a tab character that violates indentation"),  # noqa: E501
    ],
)
def test_every_error_names_its_line(text: str, error: str) -> None:
    assert error in read(text)[1]


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    problems = Problems()
    for node in parse_documents(data, "f.yaml", problems):
        node.plain()
        node.fields("a")


# -- settings -----------------------------------------------------------------------------------------------------------


def write(tmp_path: Path, text: str) -> str:
    (tmp_path / "quietshift.yaml").write_text(text)
    return str(tmp_path)


def test_the_later_layer_wins(tmp_path: Path) -> None:
    ops = write(tmp_path, "listen: 127.0.0.1:1\nreopen_within: 5m\nsmtp_from: file@example.org\n")
    secret = tmp_path / "token"
    secret.write_text("from-a-file\n")
    env = {
        "QUIETSHIFT_OPS": ops, "QUIETSHIFT_LISTEN": "127.0.0.1:2", "QUIETSHIFT_SMTP_FROM": "env@example.org",
        "QUIETSHIFT_ADMIN_TOKEN_FILE": str(secret), "PATH": "/bin", "QUIETSHIFT_URL": "http://x", "QUIETSHIFT_TOKEN": "t",
    }  # fmt: skip
    got = settings.load_settings({"listen": "127.0.0.1:3", "db": None}, env)
    assert (got.listen, got.smtp_from, got.reopen_within) == ("127.0.0.1:3", "env@example.org", timedelta(minutes=5))
    assert got.admin_token == "from-a-file"
    assert "from-a-file" not in repr(got)


@pytest.mark.parametrize(
    ("text", "env", "error"),
    [
        ("listne: x\n", {}, "quietshift.yaml:1: listne: unknown key (did you mean listen?)"),
        ("smtp_tls: starttls\nsmtp_password: x\n", {}, "quietshift.yaml:2: smtp_password: is not taken from this file"),
        ("reopen_within: soon\n", {}, "quietshift.yaml:1: reopen_within: not a duration"),
        ("listen: 8080\n", {}, "quietshift.yaml:1: listen: expected HOST:PORT"),
        ("", {"QUIETSHIFT_LISTNE": "x"}, "QUIETSHIFT_LISTNE: unknown setting (did you mean QUIETSHIFT_LISTEN?)"),
        ("", {"QUIETSHIFT_LISTEN": "x"}, "QUIETSHIFT_LISTEN: expected HOST:PORT"),
        ("", {"QUIETSHIFT_SECRET_KEY": "short"}, "QUIETSHIFT_SECRET_KEY: has to have 32 characters"),
        ("", {"QUIETSHIFT_SECRET_KEY_FILE": "/nowhere"}, "QUIETSHIFT_SECRET_KEY_FILE: cannot be read"),
        ("", {"QUIETSHIFT_SMTP_PASSWORD": "x", "QUIETSHIFT_SMTP_TLS": "none"}, "smtp_tls: none would send"),
    ],
)
def test_a_wrong_setting_names_its_place(tmp_path: Path, text: str, env: dict[str, str], error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings.load_settings({"ops": write(tmp_path, text)}, env)
    assert error in str(caught.value)
    assert "short" not in str(caught.value)


@pytest.mark.parametrize(
    ("listen", "intake", "is_open"),
    [
        ("127.0.0.1:8080", "auto", True), ("[::1]:8080", "auto", True), ("0.0.0.0:8080", "auto", False), (":8080", "auto", False),
        ("192.0.2.1:8080", "open", True), ("127.0.0.1:8080", "token", False),
    ],
)  # fmt: skip
def test_intake_is_open_on_loopback_alone_unless_told_otherwise(listen: str, intake: str, is_open: bool) -> None:
    assert settings.load_settings({"listen": listen, "intake": intake}, {}).intake_open is is_open
