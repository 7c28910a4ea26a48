"""The methods of values, by Go's name of their type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from quietshift.channels.gotemplate.calling import Function, method
from quietshift.channels.gotemplate.gofmt import stringer
from quietshift.channels.gotemplate.gotime import Duration, Location, Month, Time, Weekday, clamp, duration_text, format_time
from quietshift.channels.gotemplate.limits import MAX_TEXT
from quietshift.channels.gotemplate.values import Kv, Pair, Seq, Value, strings

_SECOND = 1_000_000_000
_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)
_ALERTS = {
    "Firing": method(lambda alerts: _with_status(alerts, "firing")),
    "Resolved": method(lambda alerts: _with_status(alerts, "resolved")),
}
_STRING = {"String": method(lambda value: stringer(value))}


def _with_status(alerts: Seq, status: str) -> Seq:
    return Seq(tuple(alert for alert in alerts.items if alert.Status == status), "[]template.Alert")


def _pairs(labels: Kv) -> Seq:
    return Seq(tuple(Pair(name, labels[name]) for name in labels.sorted_names()), "template.Pairs")


def _without(labels: Kv, names: Seq) -> Kv:
    gone = set(names.items)
    return Kv((name, value) for name, value in labels.items() if name not in gone)


def _join(items: Seq, separator: str) -> str:
    if sum(map(len, items.items)) + len(separator) * len(items.items) > MAX_TEXT:
        raise ValueError(f"makes a text of more than {MAX_TEXT:,} characters")
    return separator.join(items.items)


def _moved(time: Time, nanoseconds: int) -> Time:
    return time.moved(timedelta(microseconds=nanoseconds // 1000))


def _sub(time: Time, other: Time) -> Duration:
    return clamp((time.since_epoch() - other.since_epoch()) * 1000)


def _in(time: Time, location: Location | None) -> Time:
    if location is None:
        raise ValueError("missing Location in call to Time.In")
    return time.within(location.zone)


def _add_date(time: Time, years: int, months: int, days: int) -> Time:
    if max(abs(years), abs(months), abs(days)) > 4_000_000:
        raise ValueError("out of the years 1 to 9999")
    year, month = divmod((time.at.year + years) * 12 + time.at.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise ValueError("out of the years 1 to 9999")
    return Time(time.at.replace(year=year, month=month + 1, day=1) + timedelta(days=time.at.day - 1 + days))


def _truncated(time: Time, span: int) -> Time:
    return time if span <= 0 else _moved(time, -(_nanoseconds(time) % span))


def _rounded(time: Time, span: int) -> Time:
    if span <= 0:
        return time
    rest = _nanoseconds(time) % span
    return _moved(time, -rest if rest * 2 < span else span - rest)


def _nanoseconds(time: Time) -> int:
    return (time.at - _YEAR_ONE) // timedelta(microseconds=1) * 1000


def _span_truncated(span: int, size: int) -> Duration:
    return Duration(span if size <= 0 else (abs(span) // size * size) * (-1 if span < 0 else 1))


def _span_rounded(span: int, size: int) -> Duration:
    if size <= 0:
        return Duration(span)
    rest = abs(span) % size
    return clamp((abs(span) - rest + (size if rest * 2 >= size else 0)) * (-1 if span < 0 else 1))


def _compare(time: Time, other: Time) -> int:
    return (time.at > other.at) - (time.at < other.at)


def _whole(span: int, size: int) -> int:
    return abs(span) // size * (-1 if span < 0 else 1)


_TIME = _STRING | {
    "Format": method(format_time, "string"),
    "Unix": method(lambda time: time.since_epoch() // 1_000_000),
    "UnixMilli": method(lambda time: time.since_epoch() // 1000),
    "UnixMicro": method(lambda time: time.since_epoch()),
    "UnixNano": method(lambda time: time.since_epoch() * 1000),
    "Add": method(_moved, "time.Duration"),
    "AddDate": method(_add_date, "int", "int", "int"),
    "Sub": method(_sub, "time.Time"),
    "After": method(lambda time, other: time.at > other.at, "time.Time"),
    "Before": method(lambda time, other: time.at < other.at, "time.Time"),
    "Equal": method(lambda time, other: time.at == other.at, "time.Time"),
    "Compare": method(_compare, "time.Time"),
    "IsZero": method(lambda time: time.at == _YEAR_ONE),
    "UTC": method(lambda time: time.within(UTC)),
    "Local": method(lambda time: time.within(UTC)),
    "In": method(_in, "*time.Location"),
    "Location": method(lambda time: Location(time.at.tzinfo or UTC)),
    "Truncate": method(_truncated, "time.Duration"),
    "Round": method(_rounded, "time.Duration"),
    "Year": method(lambda time: time.at.year),
    "Month": method(lambda time: Month(time.at.month)),
    "Day": method(lambda time: time.at.day),
    "Hour": method(lambda time: time.at.hour),
    "Minute": method(lambda time: time.at.minute),
    "Second": method(lambda time: time.at.second),
    "Nanosecond": method(lambda time: time.at.microsecond * 1000),
    "Weekday": method(lambda time: Weekday(time.at.isoweekday() % 7)),
    "YearDay": method(lambda time: time.at.timetuple().tm_yday),
}
_DURATION = {
    "String": method(duration_text),
    "Hours": method(lambda span: span / (3600 * _SECOND)),
    "Minutes": method(lambda span: span / (60 * _SECOND)),
    "Seconds": method(lambda span: span / _SECOND),
    "Milliseconds": method(lambda span: _whole(span, 1_000_000)),
    "Microseconds": method(lambda span: _whole(span, 1000)),
    "Nanoseconds": method(int),
    "Abs": method(lambda span: clamp(abs(span))),
    "Truncate": method(_span_truncated, "time.Duration"),
    "Round": method(_span_rounded, "time.Duration"),
}

METHODS: dict[str, dict[str, Function]] = {
    "template.Alerts": _ALERTS,
    "template.KV": _STRING | {
        "SortedPairs": method(_pairs),
        "Remove": method(_without, "[]string"),
        "Names": method(lambda labels: strings(labels.sorted_names(), "template.Strings")),
        "Values": method(lambda labels: strings((labels[n] for n in labels.sorted_names()), "template.Strings")),
    },
    "template.Pairs": _STRING | {
        "Names": method(lambda pairs: strings((pair.Name for pair in pairs.items), "template.Strings")),
        "Values": method(lambda pairs: strings((pair.Value for pair in pairs.items), "template.Strings")),
    },
    "template.Strings": {"Join": method(_join, "string")},
    "time.Time": _TIME,
    "time.Duration": _DURATION,
    "time.Month": _STRING,
    "time.Weekday": _STRING,
    "*time.Location": _STRING,
}  # fmt: skip


def of(value: Value) -> dict[str, Function]:
    """The methods of a value."""
    return METHODS.get(getattr(value, "go_type", ""), {})
