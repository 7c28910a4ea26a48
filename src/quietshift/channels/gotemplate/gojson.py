"""Values as encoding/json writes them."""

from __future__ import annotations

import json
import math

from quietshift.channels.gotemplate.gofmt import shortest, stringer, type_name
from quietshift.channels.gotemplate.gotime import Time, format_time
from quietshift.channels.gotemplate.limits import Budget
from quietshift.channels.gotemplate.values import Alert, Data, Pair, Seq, Value

_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def to_json(value: Value, budget: Budget) -> str:
    """Raises ValueError for what JSON has no word for."""
    budget.spend(10)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return _text(value, budget)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Time):
        return f'"{format_time(value, "2006-01-02T15:04:05.999999999Z07:00")}"'
    if isinstance(value, Seq):
        return f"[{','.join(to_json(item, budget) for item in value.items)}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_text(name, budget)}:{to_json(value[name], budget)}" for name in sorted(value)) + "}"
    if isinstance(value, Pair | Alert | Data):
        pairs = zip(value.json_names, value.__dataclass_fields__, strict=False)
        return "{" + ",".join(f'"{name}":{to_json(getattr(value, field), budget)}' for name, field in pairs) + "}"
    if stringer(value) is not None:  # a zone has no field to show
        return "{}"
    raise ValueError(f"json: unsupported type: {type_name(value)}")


def _text(text: str, budget: Budget) -> str:
    budget.spend_text(text)
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    made = json.dumps(clean, ensure_ascii=False).translate(_HTML)
    return made.replace("\\b", "\\u0008").replace("\\f", "\\u000c") if "\b" in clean or "\f" in clean else made


def _float(value: float) -> str:
    if math.isnan(value) or math.isinf(value):
        raise ValueError(f"json: unsupported value: {shortest(value)}")
    size = abs(value)
    if value and (size < 1e-6 or size >= 1e21):
        return shortest(value).replace("e-0", "e-")
    text = f"{value:.17f}" if size < 1e-4 else repr(value)
    if size < 1e-4 and value:
        mantissa, _, power = repr(value).partition("e")
        digits = mantissa.replace(".", "").replace("-", "")
        text = f"{'-' if value < 0 else ''}0.{'0' * (-int(power) - 1)}{digits}"
    if "e" in text:
        return str(int(value))
    return text.removesuffix(".0")
