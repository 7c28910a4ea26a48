"""Rest rules: who is on too long, who rests too little, and what a cover would break."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from quietshift.catalog.model import Ref
from quietshift.kernel.config import parse_documents
from quietshift.kernel.errors import Problems
from quietshift.oncall.config import load
from quietshift.oncall.localtime import zone_of
from quietshift.oncall.model import Layer, Override, Rest, Rotation, Schedule, Unit
from quietshift.oncall.rest import made_by, strains

HOUR = timedelta(hours=1)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def daily(rest):
    layer = Layer("days", Rotation(Unit.DAY, 1, 540, None, date(2026, 1, 5)), ("ana", "bo"))
    return Schedule("s", Ref.parse("group:s"), zone_of("Europe/Berlin"), (layer,), rest=rest)


def test_a_day_of_25_hours_is_too_long_where_24_are_the_most():
    found = strains(daily(Rest(most=24 * HOUR)), utc("2026-10-20T07:00"), utc("2026-10-30T08:00"))
    assert [strain.text for strain in found] == [
        "ana is on for 25h in a row from Sat 2026-10-24 09:00 Europe/Berlin; by the rest rules 24h at most"
    ]
    assert strains(daily(None), utc("2026-10-20T07:00"), utc("2026-10-30T08:00")) == []


def test_a_rest_cut_short_by_an_override_is_told_and_shifts_that_touch_are_one_stretch():
    rested = daily(Rest(most=30 * HOUR, least=11 * HOUR))
    over = Override("bo", utc("2026-06-02T20:00"), utc("2026-06-03T07:00"), "ana")
    assert made_by(rested, [over]) == [
        "bo is on for 35h in a row from Tue 2026-06-02 22:00 Europe/Berlin; by the rest rules 30h at most"
    ]
    early = Override("bo", utc("2026-06-02T20:00"), utc("2026-06-03T01:00"), "ana")
    assert made_by(rested, [early]) == [
        "ana rests 5h from Tue 2026-06-02 22:00 Europe/Berlin; by the rest rules 11h at least",
        "bo rests 6h from Wed 2026-06-03 03:00 Europe/Berlin; by the rest rules 11h at least",
    ]
    assert made_by(replace(rested, overrides=(early,)), [early]) == [], "that is broken already"


def test_check_warns_where_the_turns_themselves_break_the_rules():
    text = """\
apiVersion: quietshift.dev/v1
kind: Schedule
metadata: {name: s}
spec:
  owner: group:s
  timeZone: UTC
  rest: REST
  layers: [{name: weekly, rotation: {unit: week, handoff: "Mon 09:00", start: 2026-01-05}, users: [ana, bo]}]
"""

    def found(rest):
        problems = Problems()
        schedules = load(parse_documents(text.replace("REST", rest).encode(), "s.yaml", problems), problems, None)
        return schedules, [str(problem) for problem in problems.found]

    schedules, said = found("{most: 72h}")
    assert schedules.get("s").rest == Rest(72 * HOUR)
    assert len(said) == 2
    assert "s.yaml:7" in said[0]
    assert "ana is on for 168h in a row from Mon 2026-01-05 09:00 UTC; by the rest rules 72h at most" in said[0]
    assert ", and 3 more within 56 days" in said[0]
    assert found("{most: 1w, least: 3d}")[1] == []
    assert "holds no rule" in found("{}")[1][0]
