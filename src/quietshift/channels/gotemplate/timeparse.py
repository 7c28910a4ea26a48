"""Go's time.Parse, for layouts of its reference time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from quietshift.channels.gotemplate.gotime import DAYS, MONTHS, Time, pieces

_DIGITS = {
    "2006": ("year", 4, 4), "06": ("short year", 2, 2), "01": ("month", 2, 2), "1": ("month", 1, 2), "02": ("day", 2, 2),
    "2": ("day", 1, 2), "_2": ("day", 1, 2), "002": ("yearday", 3, 3), "__2": ("yearday", 1, 3), "15": ("hour", 1, 2),
    "03": ("hour", 2, 2), "3": ("hour", 1, 2), "04": ("minute", 2, 2), "4": ("minute", 1, 2), "05": ("second", 2, 2),
    "5": ("second", 1, 2),
}  # fmt: skip


def parse_time(layout: str, text: str) -> Time:
    """The instant that a text in this layout means; UTC where it names no offset. Raises ValueError."""
    return _Reader(layout, text).run()


class _Reader:
    def __init__(self, layout: str, text: str) -> None:
        self.layout, self.text, self.at = layout, text, 0
        self.found: dict[str, int] = {}
        self.zone: tzinfo = UTC
        self.afternoon: bool | None = None

    def fail(self) -> ValueError:
        return ValueError(f"parsing time {self.text!r:.60} as {self.layout!r:.60}: cannot parse {self.text[self.at :]!r:.60}")

    def run(self) -> Time:
        for literal, element in pieces(self.layout):
            self.literal(literal)
            if element:
                self.element(element)
        if self.at != len(self.text):
            raise self.fail()
        return self.made()

    def literal(self, literal: str) -> None:
        if not self.text.startswith(literal, self.at):
            raise self.fail()
        self.at += len(literal)

    def take(self, form: str) -> str:
        match = re.compile(form, re.ASCII | re.IGNORECASE).match(self.text, self.at)
        if match is None:
            raise self.fail()
        self.at = match.end()
        return match.group()

    def element(self, element: str) -> None:
        if element in _DIGITS:
            name, least, most = _DIGITS[element]
            if element[0] == "_":
                self.take(" *")
            self.found[name] = int(self.take(rf"\d{{{least},{most}}}"))
            following = re.compile(r"\.(\d{1,9})(?!\d)", re.ASCII).match(self.text, self.at)
            if name == "second" and following and not re.match(r"[.,][09]", self.layout.partition(element)[2]):
                self.found["microsecond"] = int(following.group(1).ljust(6, "0")[:6])
                self.at = following.end()
        elif element in ("January", "Jan", "Monday", "Mon"):
            names = MONTHS if element[0] == "J" else DAYS
            shown = [name if len(element) > 3 else name[:3] for name in names]
            word = self.take("|".join(shown)).capitalize()
            if names is MONTHS:
                self.found["month"] = shown.index(word) + 1
        elif element in ("PM", "pm"):
            self.afternoon = self.take("[AP]M") .upper() == "PM"
        elif element == "MST":
            self.take(r"[A-Z]{3,4}|[+-]\d\d(\d\d)?")
        elif element[0] in ".,":
            digits = self.take(rf"[.,]\d{{{len(element) - 1}}}" if element[1] == "0" else r"([.,]\d{1,9})?")[1:]
            self.found["microsecond"] = int(digits.ljust(6, "0")[:6] or 0)
        else:
            self.offset(element)

    def offset(self, element: str) -> None:
        if element[0] == "Z" and self.text.startswith("Z", self.at):
            self.at += 1
            return
        colon, parts = (":" if ":" in element else ""), (len(element.replace(":", "")) - 1) // 2
        word = self.take(r"[+-]" + colon.join([r"\d\d"] * parts))
        numbers = [int(pair) for pair in re.findall(r"\d\d", word)] + [0, 0]
        span = timedelta(hours=numbers[0], minutes=numbers[1], seconds=numbers[2] if parts > 2 else 0)
        if span >= timedelta(hours=24):
            raise self.fail()
        self.zone = timezone(-span if word[0] == "-" else span) if span else UTC

    def made(self) -> Time:
        f = self.found
        hour = f.get("hour", 0)
        if self.afternoon is not None:
            if hour > 12:
                raise self.fail()
            hour = hour % 12 + 12 * self.afternoon
        short = f.get("short year")
        year = f.get("year", 0 if short is None else short + (1900 if short >= 69 else 2000))
        if year < 1:
            raise ValueError("a year before 1 is not supported")
        try:
            at = datetime(
                year, f.get("month", 1), f.get("day", 1), hour, f.get("minute", 0), f.get("second", 0),
                f.get("microsecond", 0), self.zone,
            )  # fmt: skip
            if "yearday" in f:
                at = at.replace(month=1, day=1) + timedelta(days=f["yearday"] - 1)
        except (ValueError, OverflowError):
            raise ValueError(f"parsing time {self.text!r:.60}: out of range") from None
        return Time(at)
