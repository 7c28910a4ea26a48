"""Grouping, inhibition, silences and time intervals, each against the plainest way to say the same."""

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from quietshift.alerts import decide, labels
from quietshift.alerts.intervals import MONTHS, WEEKDAYS, load_span
from quietshift.alerts.matchers import Matcher
from quietshift.alerts.model import InhibitRule, Route, Silence
from quietshift.kernel.config import parse_documents
from quietshift.kernel.errors import Problems

NAMES, VALUES = st.sampled_from(["a", "b", "c", "ünï", "d e"]), st.sampled_from(["x", "y", "z"])
SETS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4).map(labels.label_set)
OPERATORS = st.sampled_from(["=", "!=", "=~", "!~"])
PATTERNS = st.sampled_from(["", "x", "y", "x|y", ".*"])
MATCHERS = st.builds(Matcher, NAMES, PATTERNS, OPERATORS).filter(lambda m: m.is_regex or m.value != ".*")
CONDITIONS = st.lists(MATCHERS, max_size=3).map(tuple)


def holds(m: Matcher, value: str) -> bool:
    """One condition, spelled out. The patterns here are words, `|` and `.*`."""
    fits = value in m.value.split("|") or m.value == ".*" if m.is_regex else value == m.value
    return fits is m.is_equal


def all_hold(conditions: tuple[Matcher, ...], of: dict[str, str]) -> bool:
    return all(holds(m, of.get(m.name, "")) for m in conditions)


# -- grouping ------------------------------------------------------------------------------------------------------------


@given(SETS, SETS, st.frozensets(NAMES, max_size=3))
def test_two_alerts_are_in_one_group_where_they_agree_on_what_it_is_grouped_by(one, other, by):
    route = Route(path="0", key="{}", receiver="r", group_by=by)
    keys = [decide.group_key(route, decide.group_labels(route, of)) for of in (one, other)]
    assert (keys[0] == keys[1]) == all(one.get(name) == other.get(name) for name in by)
    everything = Route(path="0", key="{}", receiver="r", group_by_all=True)
    assert (decide.group_labels(everything, one) == decide.group_labels(everything, other)) == (one == other)


# -- inhibition, silences ------------------------------------------------------------------------------------------------


RULES = st.builds(InhibitRule, CONDITIONS, CONDITIONS, st.lists(NAMES, max_size=2).map(tuple))


@given(st.lists(RULES, max_size=3), SETS, st.lists(SETS, max_size=4))
def test_inhibition_is_what_its_rule_says(rules, target, firing):
    def inhibits(rule: InhibitRule, source: dict[str, str]) -> bool:
        both = all_hold(rule.source, target) and all_hold(rule.target, source)
        equal = all(source.get(name, "") == target.get(name, "") for name in rule.equal)
        return all_hold(rule.target, target) and all_hold(rule.source, source) and equal and not both

    found = decide.inhibited_by(rules, target, firing)
    by = {labels.fingerprint(source) for source in firing if any(inhibits(rule, source) for rule in rules)}
    assert (found is None) == (not by)
    assert found is None or found in by
    assert decide.inhibited_by(rules, target, [target]) is None, "nothing inhibits itself"


@given(CONDITIONS, SETS, st.integers(-3, 3), st.integers(-3, 3), st.integers(-3, 3))
def test_a_silence_mutes_what_fulfils_every_condition_from_its_start_until_its_end(conditions, of, start, end, when):
    now = datetime(2026, 11, 22, tzinfo=UTC)
    hour = timedelta(hours=1)
    silence = Silence("s", conditions, now + start * hour, now + end * hour, "ana", "", now)
    expected = start <= when < end and all_hold(conditions, of)
    assert decide.silenced_by([silence], of, now + when * hour) == (("s",) if expected else ())


# -- time intervals ------------------------------------------------------------------------------------------------------

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"])
MOMENTS = st.integers(0, 1_600 * 24 * 60).map(lambda minutes: datetime(2023, 12, 20, tzinfo=UTC) + timedelta(minutes=minutes))
DAYS = st.sampled_from([(1, 5), (-1, -1), (-7, -1), (20, -1), (29, 31), (-31, -28), (15, -2), (31, 31)])


@st.composite
def written(draw):
    """A span as it is written, and what each part of it means, minute by minute and day by day."""
    lines, minutes, weekdays, days, months = [], None, None, None, None
    if draw(st.booleans()):
        begin = draw(st.integers(0, 1438))
        end = draw(st.integers(begin + 1, 1440))
        lines.append(f"times: [{{start_time: '{begin // 60:02}:{begin % 60:02}', end_time: '{end // 60:02}:{end % 60:02}'}}]")
        minutes = set(range(begin, end))
    if draw(st.booleans()):
        first, last = sorted(draw(st.tuples(st.integers(0, 6), st.integers(0, 6))))
        lines.append(f"weekdays: ['{WEEKDAYS[first]}:{WEEKDAYS[last]}']")
        weekdays = {WEEKDAYS[i] for i in range(first, last + 1)}
    if draw(st.booleans()):
        first, last = draw(DAYS)
        lines.append(f"days_of_month: ['{first}:{last}']")
        days = first, last
    if draw(st.booleans()):
        first, last = sorted(draw(st.tuples(st.integers(1, 12), st.integers(1, 12))))
        lines.append(f"months: ['{MONTHS[first - 1]}:{last}']")
        months = set(range(first, last + 1))
    zone = draw(ZONES)
    return "\n".join([*lines, f"location: {zone}"]), minutes, weekdays, days, months, zone


@given(written(), MOMENTS)
@example(("days_of_month: ['-1:-1']\nlocation: UTC", None, None, (-1, -1), None, "UTC"), datetime(2024, 2, 29, 12, tzinfo=UTC))
@example(("days_of_month: ['29:31']\nlocation: UTC", None, None, (29, 31), None, "UTC"), datetime(2100, 2, 28, 12, tzinfo=UTC))
def test_a_span_holds_at_the_minutes_it_names(asked, moment):
    text, minutes, weekdays, days, months, zone = asked
    problems = Problems()
    span = load_span(parse_documents(text.encode(), "x.yml", problems)[0])
    assert not problems.errors
    for hours in (0, 1, 12, 24, 24 * 28):
        at = moment + timedelta(hours=hours)
        local = at.astimezone(ZoneInfo(zone))
        month = list(range(1, calendar.monthrange(local.year, local.month)[1] + 1))
        named = set(month)
        if days is not None:
            first, last = (day if day > 0 else len(month) + 1 + day for day in days)
            named = {day for day in month if max(first, 1) <= day <= last}
        expected = (
            (minutes is None or local.hour * 60 + local.minute in minutes)
            and (weekdays is None or f"{local:%A}".lower() in weekdays)
            and local.day in named
            and (months is None or local.month in months)
        )
        assert span.contains(at) == expected, local
