"""Errors for the person at 3 a.m.: what, where, what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class QuietshiftError(Exception):
    """Root of the errors that are answered, not crashed on. `status` is the HTTP status (RFC 9457)."""

    status = 500
    title = "Internal error"


class Invalid(QuietshiftError):
    """The input cannot be taken as it is; the message names the place in it."""

    status = 400
    title = "Invalid input"


class Unauthenticated(QuietshiftError):
    """Nobody is signed in and no valid token was sent."""

    status = 401
    title = "Sign-in or token needed"


class Forbidden(QuietshiftError):
    """Known, but not allowed to do this."""

    status = 403
    title = "Not allowed"


class NotFound(QuietshiftError):
    """No such thing; the message names its id."""

    status = 404
    title = "Not found"


class Conflict(QuietshiftError):
    """The thing's state does not allow it now."""

    status = 409
    title = "Conflict"


class IllegalTransition(Conflict):
    """An event that this state does not take; names both."""

    title = "Illegal transition"

    def __init__(self, what: str, state: str, event: str) -> None:
        super().__init__(f"{what} is {state}: it cannot take '{event}'")
        self.what, self.state, self.event = what, state, event


class TooMany(QuietshiftError):
    """Too often in too short a time; `retry_after` says in how many seconds it may be tried again."""

    status = 429
    title = "Too many attempts"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(QuietshiftError):
    """The store cannot take it now; the sender should send it again."""

    status = 503
    title = "Temporarily unavailable"


@dataclass(frozen=True, order=True)
class Problem:
    """One finding of `check`. line counts from 1; 0 means the file as a whole."""

    file: str
    line: int
    message: str
    severity: str = "error"  # error | warning

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        word = "" if self.severity == "error" else f"{self.severity}: "
        return f"{place}: {word}{self.message}"


class ConfigError(QuietshiftError):
    """A configuration that is not taken; carries every problem found."""

    status = 400
    title = "Configuration refused"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Problems:
    """Collects findings while a directory is read, so that all are told at once. Paths are relative to `root`."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root
        self.found: list[Problem] = []
        self._known: set[Problem] = set()

    def add(self, file: str | Path, line: int, message: str, severity: str = "error") -> None:
        path = Path(file)
        if self.root is not None and path != self.root and path.is_relative_to(self.root):
            path = path.relative_to(self.root)
        problem = Problem(str(path), line, message, severity)
        if problem not in self._known:
            self._known.add(problem)
            self.found.append(problem)

    @property
    def errors(self) -> list[Problem]:
        return sorted(p for p in self.found if p.severity == "error")

    @property
    def warnings(self) -> list[Problem]:
        return sorted(p for p in self.found if p.severity != "error")

    def raise_errors(self) -> None:
        """Raises ConfigError with every error found, if any."""
        if self.errors:
            raise ConfigError(self.errors)
