"""Reading what another tool has posted: JSON within limits, each fault named by its place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from quietshift.alerts.labels import Labels

MAX_TEXT = 16 << 10  # characters kept of one annotation
_EPOCH_MILLIS = 100_000_000_000  # a number from here on counts milliseconds: as seconds it would be the year 5138


class Fault(NamedTuple):
    """What is wrong at a place of a body; place empty: with all of it."""

    place: str
    words: str

    def __str__(self) -> str:
        return f"'{self.place}' {self.words}" if self.place else self.words


class Wrong(ValueError):
    """A body that cannot be taken, with everything that is wrong with it."""

    def __init__(self, *faults: Fault | str) -> None:
        self.faults = [fault if isinstance(fault, Fault) else Fault("", fault) for fault in faults]
        super().__init__("; ".join(map(str, self.faults)))

    @property
    def errors(self) -> list[str]:
        return [str(fault) for fault in self.faults]


def decode(body: bytes) -> Any:
    """The body's JSON value. Raises Wrong."""
    try:
        return msgspec.json.decode(body)
    except UnicodeDecodeError:
        raise Wrong("the body is not JSON: it is not valid UTF-8") from None
    except msgspec.DecodeError as error:
        raise Wrong(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise Wrong("the body is not JSON: nested too deeply") from None


def decode_object(body: bytes) -> dict[str, Any]:
    """The body's JSON object. Raises Wrong."""
    raw = decode(body)
    if not isinstance(raw, dict):
        raise Wrong("the body has to be a JSON object")
    return raw


def as_text(value: Any) -> str:
    """A JSON value as text: texts as they are, nothing as nothing, everything else as JSON."""
    if value is None or value in ("", {}, []):
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def filled(annotations: Mapping[str, str]) -> Labels:
    """Those that say something, without what databases cannot store; what is too long is cut."""
    kept = {name: text.replace("\0", "") for name, text in sorted(annotations.items()) if text.replace("\0", "").strip()}
    return {name: text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…" for name, text in kept.items()}


def web_address(text: str) -> str:
    """The text where it is one that a page may link to, else nothing."""
    return text if text.startswith(("https://", "http://")) else ""


def instant(value: Any) -> datetime | None:
    """ISO 8601 (without an offset: UTC; PagerDuty's own client writes `+00:00Z`), or seconds or milliseconds since 1970. Nothing,
    and Go's year 1, is None. Raises ValueError for anything else."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if abs(value) >= _EPOCH_MILLIS else value, UTC)
        text = value.removesuffix("Z") if value.endswith("Z") and "+" in value else value
        moment = datetime.fromisoformat(text)
        found = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError, AttributeError, TypeError):
        raise ValueError("is no ISO 8601 time") from None
    return None if found.year == 1 else found


class Reader:
    """Reads an object, and notes what is wrong with it."""

    def __init__(self, path: str = "") -> None:
        self.path = path
        self.faults: list[Fault] = []

    def wrong(self, place: str, words: str) -> None:
        self.faults.append(Fault(self.path + place, words))

    def done(self) -> None:
        """Raises Wrong where anything was."""
        if self.faults:
            raise Wrong(*self.faults)

    def text(self, raw: Mapping[str, Any], name: str, path: str = "", *, most: int = 0, required: bool = False) -> str:
        value = raw.get(name)
        if value is None or value == "":
            if required:
                self.wrong(path + name, "is missing or blank")
            return ""
        if not isinstance(value, str):
            self.wrong(path + name, "has to be text")
            return ""
        if required and not value.replace("\0", " ").strip():
            self.wrong(path + name, "is missing or blank")
        if most and len(value) > most:
            self.wrong(path + name, f"has {len(value)} characters: at most {most} are allowed")
        return value

    def choice(self, raw: Mapping[str, Any], name: str, allowed: list[str], path: str = "") -> str:
        value = raw.get(name)
        if not isinstance(value, str) or value not in allowed:
            self.wrong(path + name, f"has to be one of {', '.join(allowed)}")
            return ""
        return value

    def object(self, raw: Mapping[str, Any], name: str, path: str = "", *, required: bool = False) -> Mapping[str, Any]:
        value = raw.get(name)
        if isinstance(value, dict):
            return value
        if required or value is not None:
            self.wrong(path + name, "is missing: it has to be an object" if value is None else "has to be an object")
        return {}

    def texts(self, raw: Mapping[str, Any], name: str, path: str = "") -> Labels:
        """An object of texts; null stands for an empty one."""
        found = self.object(raw, name, path)
        for key, value in found.items():
            if value is not None and not isinstance(value, str):
                self.wrong(f"{path}{name}.{key}", "has to be text")
        return {key: value for key, value in found.items() if isinstance(value, str) and value}

    def instant(self, raw: Mapping[str, Any], name: str, path: str = "") -> datetime | None:
        """ISO 8601 text."""
        try:
            return instant(self.text(raw, name, path))
        except ValueError as error:
            self.wrong(path + name, str(error))
            return None

    def objects(self, raw: Mapping[str, Any], name: str, path: str = "") -> list[tuple[int, Mapping[str, Any]]]:
        """The objects of a list, each with its place in it; null stands for an empty one."""
        value = raw.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong(path + name, "has to be a list")
            return []
        for i, item in enumerate(value):
            if not isinstance(item, dict):
                self.wrong(f"{path}{name}[{i}]", "has to be an object")
        return [(i, item) for i, item in enumerate(value) if isinstance(item, dict)]
