"""A notification on its way out: what it tells, and the templates by which it is told."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from quietshift.channels.http import cleaned

if TYPE_CHECKING:
    from quietshift.channels.gotemplate import Data, Templates

log = logging.getLogger("quietshift.alerts")
SHOWN = 20  # alerts named where a template failed


@dataclass
class Saying:
    """body: the group as a webhook has it. at: the instant of the attempt. templates: a function, for they cost to load."""

    id: str
    body: Mapping[str, Any]
    at: datetime
    place: str = ""
    templates: Any = None
    failures: list[str] = field(default_factory=list)
    _data: Data | None = None

    @property
    def firing(self) -> bool:
        return bool(self.body["status"] == "firing")

    @property
    def key(self) -> str:
        """The group's name for those who know it by a short one: SHA-256 of the group key, hexadecimal."""
        return hashlib.sha256(str(self.body["groupKey"]).encode()).hexdigest()

    def text(self, template: str, otherwise: str = "") -> str:
        """The template followed; `otherwise` where that fails, which is told in the answer: no notification is lost by it."""
        return self._follow("text", template, otherwise)

    def html(self, template: str, otherwise: str = "") -> str:
        """The same for HTML."""
        return self._follow("html", template, otherwise)

    def all(self, value: object) -> Any:
        """A JSON value, each text in it (keys too) followed; one that turns into JSON itself is that, `3` a number."""
        if isinstance(value, str):
            return _structured(self.text(value, value))
        if isinstance(value, Mapping):
            return {self.text(str(name), str(name)): self.all(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.all(each) for each in value]
        return value

    def _follow(self, how: str, template: str, otherwise: str) -> str:
        if "{{" not in template:
            return template
        from quietshift.channels.gotemplate import Data, TemplateError

        if self._data is None:
            self._data = Data.from_json(dict(self.body), self.at)
        rules: Templates = self.templates or builtin()
        try:
            return rules.html(template, self._data) if how == "html" else rules.text(template, self._data)
        except TemplateError as error:
            said = cleaned(str(error))
            self.failures.append(said)
            log.warning("a template failed, plain text is sent in its place: %s: %s", self.place, said)
            return self.explained(otherwise)

    def title(self) -> str:
        """`[FIRING:2] DiskFull storage`: in place of a title whose template failed."""
        firing = sum(alert["status"] == "firing" for alert in self.body["alerts"])
        count = f":{firing}" if self.firing else ""
        names = sorted(self.body["groupLabels"], key=lambda name: (name != "alertname", name))
        return " ".join([f"[{self.body['status'].upper()}{count}]", *(self.body["groupLabels"][name] for name in names)])

    def summary(self) -> str:
        """Every alert in a few words: in place of a text whose template failed."""
        lines = [self.title()]
        for alert in self.body["alerts"][:SHOWN]:
            told = [f"{name}={value}" for name, value in alert["labels"].items()]
            lines.append(f"{alert['status']}: {', '.join(told)}")
            lines += [f"  {name}: {value}" for name, value in alert["annotations"].items()]
        left = len(self.body["alerts"]) - SHOWN
        if left > 0:
            lines.append(f"and {left} more")
        return "\n".join(lines)

    def explained(self, text: str) -> str:
        """With what failed, where the text has more than one line and so has room for it."""
        if not self.failures or "\n" not in text:
            return text
        return f"{text}\n\nThis is plain text because a template failed: {self.failures[0]}"


def _structured(text: str) -> Any:
    """What Alertmanager makes of a rendered text in such a place, by YAML; here by JSON, which cannot surprise."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return text if isinstance(found, str) else found


@cache
def builtin() -> Templates:
    """The templates that are always there."""
    from quietshift.channels.gotemplate import Templates

    return Templates.parse(())


def shortened(text: str, most: int) -> str:
    """At most this many characters; the last is an ellipsis where some are missing."""
    if len(text) <= most:
        return text
    return text[:most] if most <= 3 else text[: most - 1] + "…"


def shortened_octets(text: str, most: int) -> str:
    """At most this many octets of UTF-8, an ellipsis where some are missing; no character is cut."""
    written = text.encode()
    if len(written) <= most:
        return text
    return written[: most - 3].decode("utf-8", "ignore") + "…"
