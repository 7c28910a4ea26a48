"""What one rendering may cost. A template cannot run for ever, nor fill the memory."""

from __future__ import annotations

MAX_STEPS = 4_000_000  # some seconds; the text list of 20,000 alerts costs 1,500,000
MAX_OUTPUT = 8 << 20  # characters
MAX_TEXT = 4 << 20  # characters of one value
MAX_CALLS = 60  # templates within templates
CHARACTERS = 256  # that cost one step


class LimitReached(Exception):
    """The template asks for more than it may."""


class Budget:
    """What is left."""

    __slots__ = ("left", "steps")

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = self.steps = steps

    def spend(self, steps: int) -> None:
        """Raises LimitReached when nothing is left."""
        self.left -= steps
        if self.left < 0:
            raise LimitReached(f"takes more than {self.steps:,} steps")

    def spend_text(self, text: str) -> None:
        """For handling this text."""
        if len(text) > MAX_TEXT:
            raise LimitReached(f"makes a text of more than {MAX_TEXT:,} characters")
        self.spend(len(text) // CHARACTERS)
