"""The one error of templates."""

from __future__ import annotations


class TemplateError(ValueError):
    """A template does not parse or could not be rendered. template: its file or name; line, column: from 1, 0 where unknown."""

    def __init__(self, message: str, template: str = "", line: int = 0, column: int = 0) -> None:
        self.message, self.template, self.line, self.column = message, template, line, column
        place = ":".join(str(part) for part in (template, line, column) if part)
        super().__init__(f"{place}: {message}" if place else message)
