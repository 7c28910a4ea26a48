"""Any JSON, by a mapping declared with the integration: which expression (JMESPath) finds what of an event.

Source: jmespath.org, "JMESPath Specification".
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

from quietshift.alerts.labels import one_line
from quietshift.alerts.sources import Act, BodyMapping, Event, Field
from quietshift.alerts.wires.reading import Fault, Wrong, as_text, decode, filled, instant, web_address

IGNORE = "ignore"
ACTIONS = (*map(str, Act), IGNORE)
MAX_KEY = 255
MAX_EVENTS = 10_000  # of one body


@lru_cache(maxsize=1024)
def compiled(path: str) -> ParsedResult:
    """Raises ValueError for what is no expression."""
    try:
        return jmespath.compile(path)
    except JMESPathError as error:
        raise ValueError(f"not a JMESPath expression: {' '.join(str(error).split())}") from None


def events(body: bytes, mapping: BodyMapping, now: datetime) -> list[Event]:
    """What a body asks for; those whose action is to be ignored are left out. Raises Wrong, with everything that is."""
    raw = decode(body)
    if not mapping.events:
        items, places = [raw], [""]
    else:
        found = _search(mapping.events, raw, "")
        items = found if isinstance(found, list) else [found]
        if found is None:
            raise Wrong(Fault(mapping.events, "is not in the body: it should lead to the events"))
        places = [f"event {i}: " for i in range(len(items))]
    if len(items) > MAX_EVENTS:
        raise Wrong(Fault(mapping.events, f"leads to {len(items)} events: at most {MAX_EVENTS} are taken at once"))
    faults: list[Fault] = []
    made = [_Item(item, place, mapping, faults).event(now) for item, place in zip(items, places, strict=True)]
    if faults:
        raise Wrong(*faults)
    return [event for event in made if event is not None]


class _Item:
    """One event's part of a body. What is wrong with it is added to `faults`."""

    def __init__(self, raw: Any, place: str, mapping: BodyMapping, faults: list[Fault]) -> None:
        self.raw, self.place, self.mapping, self.faults = raw, place, mapping, faults

    def event(self, now: datetime) -> Event | None:
        m = self.mapping
        action = self._word(m.action, str(Act.TRIGGER), ACTIONS) if m.action else str(Act.TRIGGER)
        if action == IGNORE or not action:
            return None
        summary = self._text(m.summary) if m.summary else ""
        alertname = self._text(m.alertname) if m.alertname else ""
        key = self._text(m.key) if m.key else one_line(alertname or summary)
        if not key:
            self._wrong(m.key or m.summary, "says nothing: it tells which problem is meant")
        elif len(key) > MAX_KEY:
            self._wrong(m.key or m.summary, f"has {len(key)} characters: at most {MAX_KEY} are allowed")
        if action != Act.TRIGGER:
            return Event(Act(action), key)
        if not summary.replace("\0", " ").strip():
            self._wrong(m.summary, "says nothing: it is the alert's title")
        severity = self._word(m.severity, "") if m.severity else ""
        labels = {"severity": severity} | {name: self._text(path) for name, path in m.labels.items()}
        annotations = {"summary": summary} | {name: self._text(path) for name, path in m.annotations.items()}
        starts_at = self._instant(m.time) if m.time else None
        url = web_address(self._text(m.url)) if m.url else ""
        given = {"alertname": one_line(alertname or summary)} | {name: one_line(text) for name, text in labels.items()}
        begun = min(starts_at, now) if starts_at else None
        return Event(Act.TRIGGER, key, given, filled(annotations), begun, url)

    def _wrong(self, path: str, words: str) -> None:
        place = self.place + path
        if place not in {fault.place for fault in self.faults}:  # one fault of a place is enough
            self.faults.append(Fault(place, words))

    def _value(self, path: str) -> Any:
        try:
            return _search(path, self.raw, self.place)
        except Wrong as wrong:
            self.faults += wrong.faults
            return None

    def _text(self, path: str) -> str:
        try:
            return as_text(self._value(path))
        except TypeError:  # `&name` gives the expression itself
            self._wrong(path, "is no value")
            return ""

    def _word(self, field: Field, absent: str, allowed: tuple[str, ...] = ()) -> str:
        """What the word found there means."""
        found = self._text(field.path)
        if not found:
            return field.default or absent
        word = field.values.get(found) or field.default if field.values else found
        if not word or (allowed and word not in allowed):
            known = ", ".join(field.values or allowed)
            self._wrong(field.path, f"is {found[:60]!r}, which the mapping does not know (it knows {known})")
            return ""
        return word

    def _instant(self, path: str) -> datetime | None:
        try:
            return instant(self._value(path))
        except ValueError as error:
            self._wrong(path, f"{error}, and no number of seconds or milliseconds since 1970")
            return None


def _search(path: str, raw: Any, place: str) -> Any:
    """What an expression finds; None for nothing. Raises Wrong where one of its functions cannot take what it found."""
    try:
        return compiled(path).search(raw)
    except JMESPathError as error:
        raise Wrong(Fault(place + path, f"cannot be told from this body: {' '.join(str(error).split())}")) from None
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise Wrong(Fault(place + path, f"cannot be told from this body: {type(error).__name__}")) from None


def expression(text: str) -> str:
    """The text, if it is an expression. Raises ValueError."""
    compiled(text)
    return text
