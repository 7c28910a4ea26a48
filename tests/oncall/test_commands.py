"""`quietshift oncall` without a server, and what it asks of one."""

import json

import pytest
from click.testing import CliRunner

from quietshift.kernel.errors import ConfigError, NotFound
from quietshift.oncall.commands import oncall

ENTITY = "apiVersion: backstage.io/v1alpha1\nkind: {}\nmetadata: {{name: {}}}\nspec: {}\n"
CATALOG = "---\n".join(
    [
        ENTITY.format("Group", "storage", "{type: team, children: [], members: [ana, bo, chen]}"),
        ENTITY.format("Group", "search", "{type: team, children: []}"),
        *(ENTITY.format("User", name, "{memberOf: []}") for name in ("ana", "bo", "chen")),
        ENTITY.format("Component", "gitaly", "{type: service, lifecycle: production, owner: storage}"),
        ENTITY.format("Component", "zoekt", "{type: service, lifecycle: production, owner: search}"),
        ENTITY.format("Component", "cron", "{type: service, lifecycle: production, owner: user:ana}"),
    ]
)
SCHEDULES = """\
apiVersion: quietshift.dev/v1
kind: Schedule
metadata: {name: storage}
spec:
  owner: group:storage
  timeZone: Europe/Berlin
  layers:
    - name: weekly
      rotation: {unit: week, every: 1, handoff: "Mon 09:00", start: 2026-01-05}
      users: [ana, bo, chen]
  overrides:
    - {user: bo, start: "2026-04-01T09:00", end: "2026-04-02T09:00"}
---
apiVersion: quietshift.dev/v1
kind: Schedule
metadata: {name: storage-backup}
spec:
  owner: storage
  timeZone: UTC
  layers:
    - {name: days, rotation: {unit: day, handoff: "00:00", start: 2026-05-01}, users: [ana]}
---
apiVersion: quietshift.dev/v1
kind: EscalationPolicy
metadata: {name: of-another-room}
spec: {}
"""


@pytest.fixture
def ops(tmp_path):
    for room, text in (("catalog", CATALOG), ("oncall", SCHEDULES)):
        (tmp_path / room).mkdir()
        (tmp_path / room / "all.yaml").write_text(text)
    return tmp_path


def run(*arguments, **options):
    return CliRunner().invoke(oncall, [str(argument) for argument in arguments], **options)


def test_who_prints_the_users_and_the_bounds_of_the_shift_in_utc(ops):
    result = run("who", "--ops", ops, "--schedule", "storage", "--at", "2026-03-29T02:30:00Z", "-o", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"users": ["chen"], "start": "2026-03-23T08:00:00Z", "end": "2026-03-30T07:00:00Z"}


def test_who_in_a_gap_prints_nobody_and_the_gaps_bounds(ops):
    result = run("who", "--ops", ops, "--schedule", "storage-backup", "--at", "2026-03-29T02:30:00Z", "-o", "json")
    assert json.loads(result.stdout) == {"users": [], "start": None, "end": "2026-05-01T00:00:00Z"}


def test_who_for_a_service_prints_each_schedule_of_the_group_that_owns_it(ops):
    result = run("who", "--ops", ops, "--service", "gitaly", "--at", "2026-03-29T04:30 Europe/Berlin", "-o", "json")
    assert [(row["schedule"], row["users"]) for row in json.loads(result.stdout)] == [
        ("storage", ["chen"]),
        ("storage-backup", []),
    ]


def test_who_as_a_table_says_why(ops):
    result = run("who", "--ops", ops, "--at", "2026-03-29T02:30:00Z")
    assert "layer weekly, hand-off Mon 09:00 Europe/Berlin, turn 3 of [ana, bo, chen]" in result.stdout
    assert "nobody: layer days begins Fri 2026-05-01 00:00 UTC; no override" in result.stdout


def test_who_without_a_time_is_now(ops):
    result = run("who", "--ops", ops, "--schedule", "storage", "-o", "json")
    assert len(json.loads(result.stdout)["users"]) == 1


def test_shifts_are_listed_with_their_layer(ops):
    times = ("--from", "2026-03-30T07:00:00Z", "--to", "2026-04-03T00:00:00Z")
    result = run("shifts", "--ops", ops, "--schedule", "storage", *times, "-o", "json")
    assert json.loads(result.stdout) == [
        {"user": "ana", "start": "2026-03-30T07:00:00Z", "end": "2026-04-01T07:00:00Z", "hours": 48.0, "layer": "weekly"},
        {"user": "bo", "start": "2026-04-01T07:00:00Z", "end": "2026-04-02T07:00:00Z", "hours": 24.0, "layer": "override"},
        {"user": "ana", "start": "2026-04-02T07:00:00Z", "end": "2026-04-03T00:00:00Z", "hours": 17.0, "layer": "weekly"},
    ]
    unclear = run("shifts", "--ops", ops, *times)
    assert unclear.exit_code == 2
    assert "say which with --schedule: storage" in unclear.output
    table = run("shifts", "--ops", ops, "--schedule", "storage", *times).stdout
    assert "override until Thu 2026-04-02 09:00 Europe/Berlin" in table


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--schedule", "nope"), "there is no schedule 'nope' (schedules: storage, storage-backup)"),
        (("--service", "nope"), "the catalog has no Component 'nope'"),
        (("--service", "zoekt"), "group:default/search, which owns component:default/zoekt, has no schedule"),
        (("--service", "cron"), "component:default/cron is owned by no group: it has no schedule"),
    ],
)
def test_what_is_not_there_is_said(ops, arguments, words):
    result = run("who", "--ops", ops, *arguments)
    assert isinstance(result.exception, NotFound)
    assert words in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("who", "--at", "soon"), "expected a time like"),
        (("who", "--at", "2026-03-29T02:30"), "has no zone"),
        (("who", "--at", "2026-03-29T02:30 Mars"), "unknown time zone 'Mars'"),
        (("who", "--at", "1960-01-01T00:00:00Z"), "outside the years 1970 to 9998"),
        (("who", "--at", "9999-12-31T23:59:59Z"), "outside the years 1970 to 9998"),
        (("who", "--schedule", "a", "--service", "b"), "ask one"),
        (("shifts", "--schedule", "a"), "Missing option '--from'"),
        (("shifts", "--schedule", "a", "--from", "2026-01-02T00:00Z", "--to", "2026-01-01T00:00Z"), "--to is before --from"),
    ],
)
def test_wrong_use_exits_2_and_says_how(ops, arguments, words):
    result = run(*arguments, "--ops", ops)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_date_is_the_midnight_that_begins_it(ops):
    arguments = ("shifts", "--ops", ops, "--schedule", "storage-backup", "-o", "json")
    utc = run(*arguments, "--from", "2026-05-01", "--to", "2026-05-03")
    assert utc.stdout == run(*arguments, "--from", "2026-05-01T00:00Z", "--to", "2026-05-03T00:00Z").stdout
    assert len(json.loads(utc.stdout)) == 2
    berlin = run(*arguments, "--from", "2026-05-02 Europe/Berlin", "--to", "2026-05-03")
    assert json.loads(berlin.stdout)[0]["start"] == "2026-05-01T22:00:00Z"


def test_without_a_catalog_schedules_are_taken_at_their_word_and_still_read_strictly(ops):
    arguments = ("who", "--ops", ops, "--schedule", "storage", "--at", "2026-03-29T02:30:00Z", "-o", "json")
    expected = run(*arguments).stdout
    (ops / "catalog" / "all.yaml").unlink()
    assert isinstance(run(*arguments).exception, ConfigError), "a catalog that knows nobody"
    (ops / "catalog").rmdir()
    assert run(*arguments).stdout == expected != ""
    (ops / "oncall" / "all.yaml").write_text(SCHEDULES.replace("timeZone", "timezone"))
    assert isinstance(run(*arguments).exception, ConfigError)


def test_a_broken_directory_is_told_with_file_and_line(ops):
    (ops / "oncall" / "all.yaml").write_text(SCHEDULES.replace("Europe/Berlin", "Mars"))
    result = run("who", "--ops", ops)
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith("oncall/all.yaml:6: spec.timeZone: unknown time zone 'Mars'")


def test_without_a_directory_the_server_is_asked(httpserver):
    answer = {"schedule": "storage", "users": ["ana"], "start": None, "end": None, "layer": "weekly", "reason": "because"}
    query = {"schedule": "storage", "at": "2026-03-29T02:30:00Z"}
    wanted = {"query_string": query, "headers": {"Authorization": "Bearer t0"}}
    httpserver.expect_request("/api/v1/oncall", **wanted).respond_with_json([answer])
    environ = {"QUIETSHIFT_URL": httpserver.url_for(""), "QUIETSHIFT_TOKEN": "t0"}
    result = run("who", "--schedule", "storage", "--at", "2026-03-29T02:30:00Z", "-o", "json", env=environ)
    assert json.loads(result.stdout) == {"users": ["ana"], "start": None, "end": None}

    shift = {
        "user": "ana",
        "start": "2026-01-05T08:00:00Z",
        "end": "2026-01-12T08:00:00Z",
        "hours": 168.0,
        "layer": "weekly",
        "reason": "because",
    }
    query = {"schedule": "storage", "from": "2026-01-05T08:00:00Z", "to": "2026-01-12T08:00:00Z"}
    httpserver.expect_request("/api/v1/oncall/shifts", query_string=query).respond_with_json([shift])
    times = ("--from", query["from"], "--to", query["to"])
    result = run("shifts", "--schedule", "storage", *times, "-o", "json", env=environ)
    assert json.loads(result.stdout) == [{key: shift[key] for key in ("user", "start", "end", "hours", "layer")}]


def test_days_of_23_and_25_hours_are_shown_as_such(ops):
    (ops / "oncall" / "all.yaml").write_text(
        SCHEDULES.replace('unit: week, every: 1, handoff: "Mon 09:00"', 'unit: day, handoff: "00:00"')
    )
    found = []
    for day in ("2026-03-29", "2026-10-25", "2026-10-26"):
        times = ("--from", f"{day} Europe/Berlin", "--to", f"{day[:-2]}{int(day[-2:]) + 1} Europe/Berlin")
        found += json.loads(run("shifts", "--ops", ops, "--schedule", "storage", *times, "-o", "json").stdout)
    assert [shift["hours"] for shift in found] == [23.0, 25.0, 24.0]


def test_gaps_are_listed_with_their_reason_and_exit_1(ops):
    times = ("--from", "2026-04-20T00:00Z", "--to", "2026-05-02T00:00Z")
    found = run("gaps", "--ops", ops, *times, "-o", "json")
    assert found.exit_code == 1
    assert json.loads(found.stdout) == [
        {
            "schedule": "storage-backup", "start": "2026-04-20T00:00:00Z", "end": "2026-05-01T00:00:00Z", "hours": 264.0,
            "reason": "nobody: layer days begins Fri 2026-05-01 00:00 UTC; no override",
        }
    ]  # fmt: skip
    assert "layer days begins" in run("gaps", "--ops", ops, *times).stdout
    none = run("gaps", "--ops", ops, "--schedule", "storage", *times)
    assert (none.exit_code, none.stderr) == (0, "somebody is on call all the time\n")


def test_load_counts_what_each_person_carries(ops):
    catalog = ops / "catalog" / "all.yaml"
    catalog.write_text(
        CATALOG.replace("{name: chen}", "{name: chen, annotations: {quietshift.dev/country: DE-BY}}")
        .replace("{name: bo}", "{name: bo, annotations: {quietshift.dev/time-zone: Asia/Dubai, quietshift.dev/country: AE}}")
    )
    times = ("--from", "2026-03-16T08:00Z", "--to", "2026-04-06T07:00Z")  # three weeks, Easter's Good Friday in the last
    answer = json.loads(run("load", "--ops", ops, "--schedule", "storage", *times, "-o", "json").stdout)
    ana, bo, chen = answer["people"]
    assert (ana["user"], ana["shifts"], ana["hours"], ana["nights"], ana["holidays"]) == ("ana", 2, 144.0, 6, None)
    assert (bo["hours"], bo["weekends"], bo["country"]) == (192.0, 1, "AE")
    assert (chen["hours"], chen["nights"], chen["night_hours"]) == (167.0, 7, 62.0)
    assert (chen["weekends"], chen["weekend_hours"]) == (1, 47.0)
    assert (chen["holidays"], chen["pages"], answer["pages"]) == (0, None, None)
    table = run("load", "--ops", ops, *times).stdout
    assert [line.split()[0] for line in table.splitlines()[2:]] == ["ana", "bo", "chen"]
    assert " pages " not in table
    catalog.write_text(CATALOG.replace("{name: chen}", "{name: chen, annotations: {quietshift.dev/country: XX}}"))
    wrong = run("load", "--ops", ops, *times)
    assert "catalog/all.yaml:" in str(wrong.exception)
    assert "'XX' is no country" in str(wrong.exception)


def test_overrides_are_added_listed_and_ended_at_the_server(httpserver):
    environ = {"QUIETSHIFT_URL": httpserver.url_for(""), "QUIETSHIFT_TOKEN": "t0"}
    made = {
        "id": "01a", "schedule": "storage", "user": "bo", "instead_of": "ana", "start": "2026-03-01T00:00:00Z",
        "end": "2026-03-02T00:00:00Z", "why": "ill", "created_by": "token:t0", "created_at": "2026-03-01T00:00:00Z",
    }  # fmt: skip
    asked = {key: made[key] for key in ("schedule", "user", "start", "end", "instead_of", "why")}
    httpserver.expect_request("/api/v1/oncall/overrides", method="POST", json=asked).respond_with_json(made, status=201)
    listed = httpserver.expect_request("/api/v1/oncall/overrides", method="GET", query_string={"schedule": "storage"})
    listed.respond_with_json([made])
    httpserver.expect_request("/api/v1/oncall/overrides/01a/end", method="POST").respond_with_json(made)
    which = ("--schedule", "storage", "--user", "bo", "--instead-of", "ana", "--why", "ill")
    added = run("override", "add", *which, "--from", "2026-03-01", "--to", "2026-03-02", env=environ)
    assert added.stdout == "01a: bo is on in storage instead of ana from 2026-03-01T00:00:00Z to 2026-03-02T00:00:00Z\n"
    assert json.loads(run("override", "list", "--schedule", "storage", "-o", "json", env=environ).stdout) == [made]
    assert "01a: bo is no longer on" in run("override", "end", "01a", env=environ).stdout


def test_cover_is_asked_for_taken_and_listed_at_the_server(httpserver):
    environ = {"QUIETSHIFT_URL": httpserver.url_for(""), "QUIETSHIFT_TOKEN": "t0"}
    made = {
        "id": "01c", "schedule": "storage", "user": "ana", "start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z",
        "back": {"start": "2026-03-08T00:00:00Z", "end": "2026-03-09T00:00:00Z"}, "asked": ["bo"], "declined": [],
        "state": "offered", "taken_by": "", "why": "a wedding", "created_at": "", "updated_at": "", "warnings": [],
    }  # fmt: skip
    asked = {key: made[key] for key in ("schedule", "user", "start", "end", "back", "asked", "why")}
    httpserver.expect_request("/api/v1/oncall/covers", method="POST", json=asked).respond_with_json(made, status=201)
    httpserver.expect_request("/api/v1/oncall/covers", method="GET").respond_with_json([made])
    taken = made | {"state": "taken", "taken_by": "bo", "warnings": ["bo rests 6h"]}
    httpserver.expect_request("/api/v1/oncall/covers/01c/take", json={"user": "bo"}).respond_with_json(taken)
    who = ("--schedule", "storage", "--user", "ana", "--ask", "bo", "--why", "a wedding")
    times = ("--from", "2026-03-01", "--to", "2026-03-02", "--back-from", "2026-03-08")
    added = run("cover", "ask", *who, *times, "--back-to", "2026-03-09", env=environ)
    assert added.stdout.startswith("01c is offered: ana in storage from 2026-03-01T00:00:00Z to 2026-03-02T00:00:00Z, in return")
    assert run("cover", "ask", *who, *times, env=environ).exit_code == 2
    took = run("cover", "take", "01c", "--user", "bo", env=environ)
    assert took.stdout.startswith("01c is taken by bo: ana in storage")
    assert took.stderr == "warning: bo rests 6h\n"
    assert "2026-03-08T00:00:00Z to 2026-03-09T00:00:00Z" in run("cover", "list", env=environ).stdout
