"""Fenced blocks of README.md and docs/, and what their info strings ask for.

    sh                    is run, in the order of the page, and exits 0
    sh background=PORT    is started and left running; the next block waits until PORT answers
    sh needs=NAME         is run where that program is (tests/support/system_packages.py)
    sh no-run=REASON      is not run
    text output           each line stands in what the block before printed; `...` stands for anything
    text logged           each line stands in what the background blocks print, now or soon
    LANGUAGE file=PATH    is written to that file, and checked by who reads it
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=ticks)$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """options: of the info string, `name=value` or a bare word."""

    page: Path
    line: int
    language: str
    options: dict[str, str]
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """The page's blocks, in order. A block within a block belongs to that one's text."""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        language, *words = match["info"].split() or [""]
        options = {name: value for name, _, value in (word.partition("=") for word in words)}
        found.append(Block(page, text.count("\n", 0, match.start()) + 1, language, options, match["text"]))
    return found


def without_blocks(text: str) -> str:
    return _FENCE.sub("", text)
