"""Notification templates: those that are built in, those of the files of `templates:`, and the texts of receivers."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePath

from quietshift.channels.gotemplate.calling import Context
from quietshift.channels.gotemplate.errors import TemplateError
from quietshift.channels.gotemplate.escape import HtmlWriter
from quietshift.channels.gotemplate.execute import Run, TextWriter
from quietshift.channels.gotemplate.functions import FUNCTIONS
from quietshift.channels.gotemplate.limits import MAX_STEPS, Budget
from quietshift.channels.gotemplate.literals import clean
from quietshift.channels.gotemplate.nodes import Definition
from quietshift.channels.gotemplate.parser import parse
from quietshift.channels.gotemplate.values import Data

__all__ = ["Data", "TemplateError", "Templates"]

BUILT_IN = ("default.tmpl", "email.tmpl")


class Templates:
    """A set of named templates, which does not change once it is parsed."""

    def __init__(self, definitions: Mapping[str, Definition], steps: int) -> None:
        self._definitions, self._steps = definitions, steps

    @classmethod
    def parse(cls, files: Iterable[tuple[str, str]] = (), steps: int = MAX_STEPS) -> Templates:
        """The built-in templates, then these files: (path, text). A later definition of a name replaces an earlier one. steps:
        what one rendering may take.

        Raises TemplateError with path, line and column for the first that does not parse or uses an unknown function.
        """
        found = dict(_built_in())
        for path, text in files:
            *named, whole = parse(path, text, FUNCTIONS)
            _take(found, named)
            _take(found, [Definition(PurePath(path).name, whole.source, whole.body, whole.calls)])
        return cls(found, steps)

    @property
    def names(self) -> list[str]:
        """Of all templates."""
        return sorted(self._definitions)

    def check(self, text: str) -> None:
        """Raises TemplateError when the text does not parse, uses an unknown function or calls an undefined template."""
        known, whole = self._with(text)
        seen, waiting = set[str](), [whole]
        while waiting:
            definition = waiting.pop()
            for name, at in definition.calls:
                if name not in known:
                    raise definition.source.error(f"template {name!r} not defined", at)
                if name not in seen:
                    seen.add(name)
                    waiting.append(known[name])

    def text(self, text: str, data: Data) -> str:
        """The text with its templates followed. Raises TemplateError, never anything else."""
        if "{{" not in text:
            return clean(text)
        budget = Budget(self._steps)
        return self._render(text, data, budget, TextWriter(budget))

    def html(self, text: str, data: Data) -> str:
        """The same for HTML: every value is escaped as its place asks for. Raises TemplateError, never anything else."""
        budget = Budget(self._steps)
        return self._render(text, data, budget, HtmlWriter(budget))

    def _render(self, text: str, data: Data, budget: Budget, out: TextWriter | HtmlWriter) -> str:
        known, whole = self._with(text)
        Run(known, Context(budget, data.at or datetime.now(UTC)), out).run(whole, data)
        return out.result()

    def _with(self, text: str) -> tuple[Mapping[str, Definition], Definition]:
        """What is defined where this text is rendered, and the text itself."""
        *named, whole = _parsed(text)
        if not named:
            return self._definitions, whole
        own: dict[str, Definition] = {}
        known = ChainMap(own, dict(self._definitions))
        _take(known, named)
        return known, whole


def _take(known: dict[str, Definition] | ChainMap[str, Definition], more: Iterable[Definition]) -> None:
    """Add definitions. An empty one replaces none."""
    for one in more:
        if one.name not in known or not one.empty:
            known[one.name] = one


@lru_cache(maxsize=1)
def _built_in() -> dict[str, Definition]:
    found: dict[str, Definition] = {}
    for name in BUILT_IN:
        _take(found, parse(name, Path(__file__).with_name(name).read_text(encoding="utf-8"), FUNCTIONS)[:-1])
    return found


@lru_cache(maxsize=512)
def _parsed(text: str) -> tuple[Definition, ...]:
    return tuple(parse("", text, FUNCTIONS))
