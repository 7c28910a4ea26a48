"""Go's fmt: how values are printed, and printf's verbs."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal

from quietshift.channels.gotemplate.gotime import (
    DAYS,
    MONTHS,
    Duration,
    Location,
    Month,
    Time,
    Weekday,
    duration_text,
    time_text,
)  # fmt: skip
from quietshift.channels.gotemplate.limits import Budget
from quietshift.channels.gotemplate.values import Alert, Data, Dict, Kv, Pair, Seq, Value

MAX_WIDTH = 1_000_000
_NUMBER = r"(?:(\[[^\]%]*\])?(\*)|(\d+))?"
_VERB = re.compile(rf"%([+\-# 0]*){_NUMBER}(?:(\.){_NUMBER})?(\[[^\]%]*\])?(.?)", re.DOTALL | re.ASCII)
_ESCAPES = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 92: "\\\\", 34: '\\"'}


def type_name(value: Value) -> str:
    """Go's name for its type."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "bool"
    named = getattr(value, "go_type", "")
    return str(named) if named else {int: "int", float: "float64", str: "string"}.get(type(value), type(value).__name__)


def stringer(value: Value) -> str | None:
    """What its String method gives, where it has one."""
    match value:
        case Kv():
            return ", ".join(f"{name}={value[name]}" for name in value.sorted_names())
        case Seq(items, "template.Pairs"):
            return ", ".join(f"{pair.Name}={pair.Value}" for pair in items)
        case Time():
            return time_text(value)
        case Duration():
            return duration_text(value)
        case Month():
            return MONTHS[value - 1]
        case Weekday():
            return DAYS[value]
        case Location():
            return value.name
    return None


def sprint(values: tuple[Value, ...], budget: Budget) -> str:
    """A space stands between two neighbours that are both no text."""
    out: list[str] = []
    for i, value in enumerate(values):
        if i and not isinstance(value, str) and not isinstance(values[i - 1], str):
            out.append(" ")
        out.append(shown(value, budget))
    return "".join(out)


def sprintln(values: tuple[Value, ...], budget: Budget) -> str:
    return " ".join(shown(value, budget) for value in values) + "\n"


def shown(value: Value, budget: Budget) -> str:
    """As `%v` shows it."""
    if isinstance(value, str):
        budget.spend_text(value)
        return str(value)
    return _Printer(budget, Spec("v")).any(value)


def shortest(value: float) -> str:
    """`%g` without a precision: an exponent below 1e-04 and from 1e+06."""
    if value != value or value in (float("inf"), float("-inf")):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if str(value)[0] == "-" else "0"
    negative, numbers, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits, sign = "".join(map(str, numbers)), "-" if negative else ""
    power = len(digits) + int(exponent) - 1
    if power < -4 or power >= 6:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'-' if power < 0 else '+'}{abs(power):02}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    whole, part = digits[: power + 1].ljust(power + 1, "0"), digits[power + 1 :]
    return f"{sign}{whole}{'.' + part if part else ''}"


def quoted(text: str, ascii_only: bool = False) -> str:
    """A Go string literal."""
    out = []
    for char in text:
        code = ord(char)
        if code in _ESCAPES:
            out.append(_ESCAPES[code])
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        elif char.isprintable() and (char == " " or not char.isspace()) and (code < 128 or not ascii_only):
            out.append(char)
        else:
            out.append(f"\\x{code:02x}" if code < 128 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return f'"{"".join(out)}"'


@dataclass(frozen=True, slots=True)
class Spec:
    """One verb with its flags. width, precision: None where not given."""

    verb: str
    flags: str = ""
    width: int | None = None
    precision: int | None = None


class _Printer:
    """Prints values by one verb."""

    def __init__(self, budget: Budget, spec: Spec) -> None:
        self.budget, self.spec = budget, spec

    def any(self, value: Value) -> str:
        self.budget.spend(1 if isinstance(value, str) else 10)
        verb = self.spec.verb
        if verb == "T":
            return self.pad(type_name(value))
        if value is None:
            return self.pad("<nil>") if verb == "v" else f"%!{verb}(<nil>)"
        if verb in "vsxXq" and "#" not in self.spec.flags:
            text = stringer(value)
            if text is not None:
                return self.string(text)
        if isinstance(value, str):
            return self.string(value)
        if isinstance(value, bool):
            return self.pad("true" if value else "false") if verb in "tv" else self.bad(value)
        if isinstance(value, int):
            return self.integer(value)
        if isinstance(value, float):
            return self.float(value)
        return self.composite(value)

    def bad(self, value: Value) -> str:
        return f"%!{self.spec.verb}({type_name(value)}={shown(value, self.budget)})"

    def composite(self, value: Value) -> str:
        plus = "+" in self.spec.flags
        if isinstance(value, Seq):
            return f"[{' '.join(map(self.any, value.items))}]"
        if isinstance(value, Kv | Dict):
            return "map[" + " ".join(f"{self.any(key)}:{self.any(value[key])}" for key in sorted(value)) + "]"
        if isinstance(value, Pair | Alert | Data) and is_dataclass(value):
            names = [item.name for item in fields(value) if item.name[0].isupper()]
            return "{" + " ".join((f"{n}:" if plus else "") + self.any(getattr(value, n)) for n in names) + "}"
        return self.bad(value)

    def pad(self, text: str, zero: bool = False) -> str:
        missing = (self.spec.width or 0) - len(text)
        if missing > 0:
            self.budget.spend(missing // 64)
            fill = ("0" if zero else " ") * missing
            text = text + " " * missing if "-" in self.spec.flags else fill + text
        self.budget.spend_text(text)
        return text

    def string(self, text: str) -> str:
        spec = self.spec
        if spec.verb not in "vsqxX":
            return f"%!{spec.verb}(string={text})"
        if spec.verb in "qxX":
            self.budget.spend(len(text) // 4)
        if spec.verb in "xX":
            return self.pad(self.hexadecimal(text), "0" in spec.flags)
        if spec.precision is not None:
            text = text[: spec.precision]
        if spec.verb == "q" or (spec.verb == "v" and "#" in spec.flags):
            raw = "#" in spec.flags and spec.verb == "q" and "`" not in text and all(c == "\t" or c.isprintable() for c in text)
            text = f"`{text}`" if raw else quoted(text, "+" in spec.flags)
        return self.pad(text, "0" in spec.flags)

    def hexadecimal(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogateescape")
        if self.spec.precision is not None:
            raw = raw[: self.spec.precision]
        pairs, mark = [f"{byte:02x}" for byte in raw], "0x" if "#" in self.spec.flags else ""
        found = " ".join(mark + pair for pair in pairs) if " " in self.spec.flags else (mark if pairs else "") + "".join(pairs)
        return found.upper() if self.spec.verb == "X" else found

    def integer(self, value: int) -> str:
        spec = self.spec
        if spec.verb == "c":
            return self.pad(_character(value))
        if spec.verb == "q":
            char = _character(value)
            return self.pad("'\\''" if char == "'" else "'\"'" if char == '"' else f"'{quoted(char, '+' in spec.flags)[1:-1]}'")
        if spec.verb == "U":
            return self.pad(f"U+{value:04X}" + (f" '{_character(value)}'" if "#" in spec.flags else ""))
        base = {"v": "d", "d": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}.get(spec.verb)
        if base is None:
            return self.bad(value)
        digits = format(abs(value), base)
        if spec.precision is not None:
            digits = "" if spec.precision == 0 and value == 0 else digits.rjust(spec.precision, "0")
        mark = "0o" if spec.verb == "O" else ""
        if "#" in spec.flags:
            mark = {"b": "0b", "x": "0x", "X": "0X"}.get(spec.verb, mark)
            if spec.verb == "o" and digits[:1] != "0":
                mark = "0"
        return self.signed("-" if value < 0 else "", mark + digits, zero=spec.precision is None)

    def float(self, value: float) -> str:
        spec = self.spec
        verb, precision = spec.verb, spec.precision
        if verb not in "veEfFgG":
            return self.bad(value)
        verb = {"v": "g", "F": "f"}.get(verb, verb)
        if value != value or value in (float("inf"), float("-inf")):
            text = "NaN" if value != value else "Inf"
        elif verb in "gG" and precision is None:
            text = shortest(abs(value)) if verb == "g" else shortest(abs(value)).upper()
        else:
            text = f"{abs(value):.{6 if precision is None else min(precision, 1000)}{verb}}"
        negative = value < 0 or str(value).startswith("-0")
        return self.signed("-" if negative else "", text, zero=text not in ("NaN", "Inf"))

    def signed(self, sign: str, digits: str, zero: bool) -> str:
        flags, width = self.spec.flags, self.spec.width
        sign = sign or ("+" if "+" in flags and self.spec.verb != "v" else " " if " " in flags else "")
        if digits == "Inf" and not sign:
            sign = "+"
        if zero and "0" in flags and "-" not in flags and width is not None:
            digits = digits.rjust(width - len(sign), "0")
        return self.pad(sign + digits)


def _character(code: int) -> str:
    return chr(code) if 0 <= code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else "\ufffd"


def sprintf(form: str, values: tuple[Value, ...], budget: Budget) -> str:
    """Go's Sprintf, its complaints included: they are part of the text."""
    return _Sprintf(form, values, budget).run()


class _Sprintf:
    def __init__(self, form: str, values: tuple[Value, ...], budget: Budget) -> None:
        self.form, self.values, self.budget = form, values, budget
        self.next, self.reordered, self.out = 0, False, list[str]()

    def run(self) -> str:
        at = 0
        while (match := _VERB.search(self.form, at)) is not None:
            self.out.append(self.form[at : match.start()])
            self.out.append(self.verb(match))
            at = match.end()
            self.budget.spend(1)
        self.out.append(self.form[at:])
        if not self.reordered and self.next < len(self.values):
            rest = (
                f"{type_name(value)}={shown(value, self.budget)}" if value is not None else "<nil>"
                for value in self.values[self.next :]
            )
            self.out.append(f"%!(EXTRA {', '.join(rest)})")
        text = "".join(self.out)
        self.budget.spend_text(text)
        return text

    def verb(self, match: re.Match[str]) -> str:
        flags, width_index, width_star, width, dot, precision_index, precision_star, precision, index, verb = match.groups()
        width_value = self.number(width_index, width_star, width, "WIDTH")
        precision_value = self.number(precision_index, precision_star, precision, "PREC") if dot else None
        if dot and precision_value is None:
            precision_value = 0
        if width_value is not None and width_value < 0:
            flags, width_value = flags + "-", -width_value
        if precision_value is not None and precision_value < 0:
            precision_value = None
        if not verb:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        if index and not self.jump(index):
            return f"%!{verb}(BADINDEX)"
        if self.next >= len(self.values):
            return f"%!{verb}(BADINDEX)" if index else f"%!{verb}(MISSING)"
        value = self.values[self.next]
        self.next += 1
        if "-" in flags:
            flags = flags.replace("0", "")
        return _Printer(self.budget, Spec(verb, flags, width_value, precision_value)).any(value)

    def jump(self, index: str) -> bool:
        self.reordered = True
        number = index[1:-1]
        if not (number.isascii() and number.isdecimal()) or len(number) > 9 or not 1 <= int(number) <= len(self.values):
            return False
        self.next = int(number) - 1
        return True

    def number(self, index: str | None, star: str | None, digits: str | None, what: str) -> int | None:
        if not star:
            if digits is None:
                return None
            if len(digits) > 7 or int(digits) > MAX_WIDTH:
                self.out.append(f"%!(BAD{what})")
                return None
            return int(digits)
        if index and not self.jump(index):
            self.next = len(self.values)
        value = self.values[self.next] if self.next < len(self.values) else None
        self.next += 1
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_WIDTH:
            self.out.append(f"%!(BAD{what})")
            return None
        return value
