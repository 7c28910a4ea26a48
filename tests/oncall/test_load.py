"""Schedules are read in the shape people write them, and what is wrong is named with file and line."""

from datetime import UTC, date, datetime
from textwrap import dedent

import pytest

from quietshift.catalog.config import load as load_catalog
from quietshift.kernel.config import parse_documents
from quietshift.kernel.errors import NotFound, Problems
from quietshift.oncall.config import load
from quietshift.oncall.model import Layer, Override, Rotation, Unit, Window

CATALOG = "\n---\n".join(
    [
        "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: storage}\nspec: {type: team, children: []}",
        *(
            f"apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {{name: {name}}}\nspec: {{memberOf: [storage]}}"
            for name in ("ana", "Bo", "chen")
        ),
    ]
)

SCHEDULE = """\
apiVersion: quietshift.dev/v1
kind: Schedule
metadata: {name: storage}
spec:
  owner: group:storage
  timeZone: Europe/Berlin
  layers:                                   # a later layer covers an earlier one
    - name: weekly
      rotation: {unit: week, every: 1, handoff: "Mon 09:00", start: 2026-01-05}
      users: [ana, bo, chen]
      only: [{days: [Mon, Tue, Wed, Thu, Fri], from: "09:00", until: "18:00"}]
  overrides:
    - {user: bo, start: "2026-12-24T09:00", end: "2026-12-25T09:00"}
"""


def read(text):
    problems = Problems()
    catalog = load_catalog(parse_documents(CATALOG.encode(), "catalog.yaml", problems), problems)
    assert problems.errors == []
    return load(parse_documents(dedent(text).encode(), "oncall.yaml", problems), problems, catalog), problems


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_shape_of_the_documentation_is_read_whole():
    oncall, problems = read(SCHEDULE)
    assert problems.found == []
    schedule = oncall.get("storage")
    assert (str(schedule.owner), schedule.zone.key) == ("group:default/storage", "Europe/Berlin")
    assert schedule.layers == (
        Layer(
            "weekly",
            Rotation(Unit.WEEK, 1, 9 * 60, 0, date(2026, 1, 5)),
            ("ana", "Bo", "chen"),  # as the catalog writes them
            (Window(frozenset(range(5)), 9 * 60, 18 * 60),),
        ),
    )
    assert schedule.overrides == (Override("Bo", utc("2026-12-24T08:00"), utc("2026-12-25T08:00")),)
    assert (schedule.file, schedule.line) == ("oncall.yaml", 1)
    assert oncall.owned_by([schedule.owner]) == (schedule,)
    with pytest.raises(NotFound, match=r"no schedule 'storag' \(schedules: storage\)"):
        oncall.get("storag")


@pytest.mark.parametrize(
    ("written", "day", "minute"),
    [("hour, handoff: 09:00", None, 540), ("day, handoff: '17:30'", None, 1050), ("week, handoff: sun 00:00", 6, 0),
     ("month, handoff: 1 09:00", 1, 540), ("month, handoff: '31 23:59'", 31, 1439)],
)  # fmt: skip
def test_hand_offs_of_each_unit(written, day, minute):
    oncall, problems = read(SCHEDULE.replace('week, every: 1, handoff: "Mon 09:00"', written))
    assert problems.found == []
    rotation = oncall.get("storage").layers[0].rotation
    assert (rotation.day, rotation.minute, rotation.every) == (day, minute, 1)


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2026-12-24T09:00", "2026-12-25T09:00", "2026-12-24T08:00", "2026-12-25T08:00"),
        ("2026-12-24T09:00Z", "2026-12-24T09:00-06:00", "2026-12-24T09:00", "2026-12-24T15:00"),
        ("2026-03-29T02:30", "2026-03-29T03:30", "2026-03-29T01:00", "2026-03-29T01:30"),  # skipped: 03:00 CEST
        ("2026-10-25 02:30", "2026-10-25T02:30:00+01:00", "2026-10-25T00:30", "2026-10-25T01:30"),  # the first, and the second
    ],
)
def test_overrides_are_in_the_schedules_local_time_or_have_an_offset(start, end, first, last):
    text = SCHEDULE.replace("2026-12-24T09:00", start).replace("2026-12-25T09:00", end)
    (override,) = read(text)[0].get("storage").overrides
    assert (override.start, override.end) == (utc(first), utc(last))


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("Europe/Berlin", "Europe/Berlim", "6: spec.timeZone: unknown time zone 'Europe/Berlim' (did you mean Europe/Berlin?)"),
        ("Europe/Berlin", "Mars", "6: spec.timeZone: unknown time zone 'Mars': expected an IANA name like Europe/Berlin"),
        ("  timeZone: Europe/Berlin\n", "", "5: spec.timeZone: is required"),
        ("bo, chen", "bo, dora", "10: spec.layers[0].users[2]: the catalog has no User 'dora'"),
        ("users: [ana, bo, chen]", "users: []", "10: spec.layers[0].users: needs at least one user"),
        ("{user: bo", "{user: dora", "13: spec.overrides[0].user: the catalog has no User 'dora'"),
        ("group:storage", "group:strage", "5: spec.owner: group:default/strage is not in the catalog"),
        ("group:storage", "user:ana", "5: spec.owner: has to be a Group, not user:default/ana"),
        ("  owner: group:storage\n", "", "5: spec.owner: is required"),
        ("Mon 09:00", "09:00",
         "9: spec.layers[0].rotation.handoff: unit week takes a day and time like 'Mon 09:00', not '09:00'"),
        ("Mon 09:00", "Mon 25:00",
         "9: spec.layers[0].rotation.handoff: unit week takes a day and time like 'Mon 09:00', not 'Mon 25:00'"),
        ("unit: week", "unit: month",
         "9: spec.layers[0].rotation.handoff: unit month takes a day and time like '1 09:00', not 'Mon 09:00'"),
        ('unit: week, every: 1, handoff: "Mon 09:00"', "unit: month, handoff: 32 09:00",
         "9: spec.layers[0].rotation.handoff: unit month takes a day and time like '1 09:00', not '32 09:00'"),
        ("unit: week", "unit: day", "9: spec.layers[0].rotation.handoff: unit day takes a time like '09:00', not 'Mon 09:00'"),
        ("unit: week", "unit: weeks", "9: spec.layers[0].rotation.unit: has to be one of hour, day, week, month, not 'weeks'"),
        ("every: 1", "every: 0", "9: spec.layers[0].rotation.every: has to be 1 or more, not 0"),
        ("2026-01-05", "2026-13-05", "9: spec.layers[0].rotation.start: expected a date like 2026-01-05, not '2026-13-05'"),
        ("2026-01-05", "1900-01-05", "9: spec.layers[0].rotation.start: 1900-01-05 is outside the years 1970 to 9998"),
        (", start: 2026-01-05", "", "9: spec.layers[0].rotation.start: is required"),
        ("rotation:", "rotatoin:", "9: spec.layers[0].rotatoin: unknown key (did you mean rotation?)"),
        ("[Mon, Tue", "[Mo, Tue",
         "11: spec.layers[0].only[0].days[0]: has to be one of Mon, Tue, Wed, Thu, Fri, Sat, Sun, not 'Mo'"),
        ('from: "09:00"', "from: 9", "11: spec.layers[0].only[0].from: expected a time of day like '09:00', not '9'"),
        ("2026-12-25T09:00", "2026-12-24T09:00",
         "13: spec.overrides[0].end: 2026-12-24T09:00 is not after the start 2026-12-24T09:00"),
        ("2026-12-25T09:00", "2026-12-25",
         "13: spec.overrides[0].end: expected a time like 2026-12-24T09:00, or 2026-12-24T09:00+01:00, not '2026-12-25'"),
        ("2026-12-25T09:00", "9999-12-31T23:00-10:00",
         "13: spec.overrides[0].end: expected a time like 2026-12-24T09:00, or 2026-12-24T09:00+01:00, "
         "not '9999-12-31T23:00-10:00'"),
        ("name: weekly", "name: override", "8: spec.layers[0].name: 'override' is how overrides are shown: choose another name"),
        ("{name: storage}", "{name: -x}",
         "3: metadata.name: '-x' is no name: letters, digits and -_. between them, at most 63 characters"),
    ],
)  # fmt: skip
def test_error_names_the_line_and_what_to_do(old, new, error):
    _, problems = read(SCHEDULE.replace(old, new, 1))
    assert f"{error}" in [f"{p.line}: {p.message}" for p in problems.errors]


def test_a_schedule_without_anybody_is_an_error():
    text = SCHEDULE.split("  layers:")[0]
    assert "nobody would ever be on" in read(text)[1].errors[0].message


def test_two_schedules_of_a_name_name_each_other():
    oncall, problems = read(SCHEDULE + "---\n" + SCHEDULE.replace("Europe/Berlin", "UTC"))
    (error,) = problems.errors
    assert str(error) == "oncall.yaml:15: schedule storage is written twice, first at oncall.yaml:1"
    assert oncall.get("storage").zone.key == "Europe/Berlin"


def test_two_layers_of_a_name_are_an_error():
    second = '    - {name: weekly, users: [ana], rotation: {unit: day, handoff: "09:00", start: 2026-01-01}}\n'
    _, problems = read(SCHEDULE.replace("  overrides:", second + "  overrides:"))
    assert [p.message for p in problems.errors] == ["spec.layers[1].name: a layer 'weekly' is there already"]


@pytest.mark.parametrize("spec", ["[a]", "{layers: a}", "{layers: [a]}", "{layers: [{rotation: [], users: {}, only: x}]}",
                                  "{overrides: [a, {user: [], start: {}, end: ''}]}", "{owner: [], timeZone: []}"])  # fmt: skip
def test_hostile_documents_are_problems_not_crashes(spec):
    _, problems = read(f"apiVersion: quietshift.dev/v1\nkind: Schedule\nmetadata: {{name: a}}\nspec: {spec}\n")
    assert problems.errors


def test_pairs_given_days_fairness_and_one_persons_place_are_read():
    oncall, problems = read(
        SCHEDULE.replace('"Mon 09:00"', '["Mon 09:00", "Fri 17:00"]')
        .replace("[ana, bo, chen]", "[[ana, bo], chen]\n      fairness: covered")
        .replace("{user: bo,", "{user: bo, insteadOf: chen,")
    )
    assert problems.found == []
    (layer,), (override,) = oncall.get("storage").layers, oncall.get("storage").overrides
    assert (layer.takers, layer.users) == ((("ana", "Bo"), ("chen",)), ("ana", "Bo", "chen"))
    assert layer.rotation.handoffs == ((0, 540), (4, 1020))
    assert (str(layer.fairness), override.instead) == ("covered", "chen")


@pytest.mark.parametrize(
    ("written", "instead", "words"),
    [
        ('"Mon 09:00"', '["Mon 09:00", "Mon 09:00"]', "oncall.yaml:9: spec.layers[0].rotation.handoff: names a hand-off twice"),
        ('"Mon 09:00"', "[]", "oncall.yaml:9: spec.layers[0].rotation.handoff: holds no hand-off"),
        ("[ana, bo, chen]", "[[ana, ana], chen]", "oncall.yaml:10: spec.layers[0].users[0]: names somebody twice"),
        ("[ana, bo, chen]", "[[], chen]", "oncall.yaml:10: spec.layers[0].users[0]: holds nobody"),
        ("[ana, bo, chen]", "[[ana, zoe], chen]", "the catalog has no User 'zoe'"),
        ("{user: bo,", "{user: bo, insteadOf: bo,", "Bo cannot stand in for themselves"),
        ("{user: bo,", "{user: bo, insteadOf: zoe,", "the catalog has no User 'zoe'"),
        ('unit: week, every: 1, handoff: "Mon 09:00"', 'unit: month, handoff: ["28 09:00", "31 09:00"]', "28 to 31 only one"),
        ('unit: week, every: 1, handoff: "Mon 09:00"', 'unit: hour, handoff: ["09:00", "10:00"]', "unit hour begins at one time"),
        ('unit: week, every: 1, handoff: "Mon 09:00"', 'unit: week, handoff: ["09:00", "10:00"]', "unit week takes a day"),
        ("only: ", "fairness: often\n      only: ", "has to be one of calendar, covered"),
    ],
)
def test_what_is_wrong_with_them_is_said(written, instead, words):
    assert written in SCHEDULE
    _, problems = read(SCHEDULE.replace(written, instead))
    assert any(words in str(found) for found in problems.errors), problems.errors


def test_covered_hours_are_refused_with_what_to_write():
    text = SCHEDULE.replace('unit: week, every: 1, handoff: "Mon 09:00"', 'unit: hour, every: 12, handoff: "09:00"')
    _, problems = read(text.replace("only: ", "fairness: covered\n      only: "))
    (found,) = [problem for problem in problems.errors if "fairness" in str(problem)]
    assert "oncall.yaml:11: spec.layers[0].fairness: hours are counted as they elapse: take unit day" in str(found)
