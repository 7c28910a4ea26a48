"""Markdown into steps.

The steps are the items of ordered lists (and the `- [ ]` items of check lists) that stand directly in the document, in sections
that tell what to do: an ordered list below "Meaning" or "Impact" explains. Without any, the sections themselves are the
steps: each heading of level 3, and of level 2 where none of level 3 stands below it. Fenced code belongs to the step before it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from quietshift.runbooks.model import Command, Link, Step

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# Sections that tell what an alert means, not what to do: prometheus-operator/runbooks and openshift/runbooks name them so.
EXPLAINING = frozenset(
    ("about", "additional notes", "additional resources", "alert", "background", "context", "default definition", "description",
     "further information", "further reading", "impact", "introduction", "links", "meaning", "more information", "notes",
     "overview", "references", "related alerts", "resources", "see also", "severity", "summary", "symptoms", "table of contents")
)  # fmt: skip
LONGEST_TITLE = 160
_CHECKBOX = re.compile(r"\[[ xX]\]\s+")
_SENTENCE = re.compile(r"(?<=[.:!?])\s")


@cache
def markdown() -> MarkdownIt:
    """CommonMark with tables and strike-through, as GitHub reads it."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


@dataclass(frozen=True)
class Part:
    """A step and the tokens that tell how: to be rendered below its title."""

    step: Step
    body: list[Token]


@dataclass
class Document:
    """A Markdown text taken apart. `env` carries its link references."""

    title: str
    tokens: list[Token]
    env: dict[str, Any]
    parts: list[Part]
    links: list[Link]
    faults: list[tuple[int, str]]


@dataclass
class _Section:
    level: int  # 0 before the first heading
    title: str
    line: int
    blocks: list[list[Token]]
    explains: bool = False


def read(text: str) -> Document:
    """Take a text apart. Any text can be read; what is odd in a fence's attributes is told in `faults` (line, message)."""
    env: dict[str, Any] = {}
    tokens = markdown().parse(text, env)
    sections = _sections(tokens)
    faults: list[tuple[int, str]] = []
    found = _from_lists(sections) or _from_headings(sections)
    parts = []
    for number, (title, line, body) in enumerate(found, 1):
        commands = tuple(_command(token, faults) for token in body if token.type == "fence")
        parts.append(Part(Step(number, title, commands, line), body))
    title = next((s.title for s in sections if s.level == 1), "") or next((s.title for s in sections if s.title), "")
    return Document(title, tokens, env, parts, list(_links(tokens)), faults)


# -- the document's shape ------------------------------------------------------------------------------------------------


def _blocks(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The tokens of each block that stands at the level of the first."""
    block: list[Token] = []
    depth = 0
    for token in tokens:
        block.append(token)
        depth += token.nesting
        if depth == 0:
            yield block
            block = []


def _sections(tokens: Sequence[Token]) -> list[_Section]:
    sections = [_Section(0, "", 1, [])]
    explains: dict[int, bool] = {}
    for block in _blocks(tokens):
        if block[0].type != "heading_open":
            sections[-1].blocks.append(block)
            continue
        level, title = int(block[0].tag[1:]), plain(block[1])
        explains = {above: told for above, told in explains.items() if above < level}
        explains[level] = title.strip(" :.").lower() in EXPLAINING
        sections.append(_Section(level, title, _line(block[0]), [], any(explains.values())))
    return sections


def _from_lists(sections: Sequence[_Section]) -> list[tuple[str, int, list[Token]]]:
    steps: list[tuple[str, int, list[Token]]] = []
    for section in sections:
        if section.explains:
            continue
        between: list[list[Token]] = []  # what stands since the last item
        last = 0  # its number; 0 before the first list of this section
        for block in section.blocks:
            opening = block[0]
            items = _items(block)
            if not items:
                between.append(block)
                continue
            if opening.type == "ordered_list_open":
                start = int(opening.attrs.get("start", 1))
                if last and start == last + 1:  # the list goes on after a block that was not indented
                    _append(steps[-1], between)
                else:
                    _append(steps[-1] if last else None, _leading_fences(between))
                last = start + len(items) - 1
            between = []
            steps += (_item_step(item) for item in items)
        _append(steps[-1] if last else None, _leading_fences(between))
    return steps


def _items(block: list[Token]) -> list[list[Token]]:
    """The items of an ordered list or a check list; none for any other block."""
    kind = block[0].type
    if kind not in ("ordered_list_open", "bullet_list_open"):
        return []
    items = [item[1:-1] for item in _blocks(block[1:-1])]
    if kind == "ordered_list_open":
        return [item for item in items if item]
    return [item for item in items if len(item) > 1 and _CHECKBOX.match(item[1].content)]


def _item_step(item: list[Token]) -> tuple[str, int, list[Token]]:
    first = item[0]
    if first.type != "paragraph_open":
        code = first.content.strip().splitlines() if first.type == "fence" else []
        text = code[0] if code else next((plain(t) for t in item if t.type == "inline"), "")
        return _short(text) or "(no words)", _line(first), item
    text = _CHECKBOX.sub("", plain(item[1]), count=1)
    title = _short(text) or "(no words)"
    said = title == text.rstrip(" :") and not any(t.type in ("link_open", "image") for t in item[1].children or ())
    return title, _line(first), item[3:] if said else item


def _append(step: tuple[str, int, list[Token]] | None, blocks: Sequence[list[Token]]) -> None:
    if step is not None:
        step[2].extend(token for block in blocks for token in block)


def _leading_fences(blocks: Sequence[list[Token]]) -> list[list[Token]]:
    fences = []
    for block in blocks:
        if block[0].type not in ("fence", "code_block"):
            break
        fences.append(block)
    return fences


def _from_headings(sections: Sequence[_Section]) -> list[tuple[str, int, list[Token]]]:
    steps = []
    for index, section in enumerate(sections):
        if section.level not in (2, 3) or section.explains:
            continue
        below = []
        for other in sections[index + 1 :]:
            if other.level <= section.level:
                break
            below.append(other)
        if section.level == 2 and any(other.level == 3 and not other.explains for other in below):
            continue
        body = [token for block in section.blocks for token in block]
        for other in below:
            body += _heading(other) + [token for block in other.blocks for token in block]
        if body and section.title:
            steps.append((_short(section.title), section.line, body))
    return steps


def _heading(section: _Section) -> list[Token]:
    from markdown_it.token import Token

    words = Token("inline", "", 0, content=section.title, children=[Token("text", "", 0, content=section.title)])
    return [Token("heading_open", f"h{section.level}", 1), words, Token("heading_close", f"h{section.level}", -1)]


# -- words ---------------------------------------------------------------------------------------------------------------


def plain(inline: Token) -> str:
    """The words of a paragraph or heading, on one line, without mark-up."""
    words = []
    for token in inline.children or ():
        if token.type in ("softbreak", "hardbreak"):
            words.append(" ")
        elif token.type == "image":
            words.append(plain(token) or "image")
        elif token.type not in ("html_inline",):
            words.append(token.content)
    return " ".join("".join(words).split())


def _short(text: str) -> str:
    text = text.rstrip(" :")
    if len(text) <= LONGEST_TITLE:
        return text
    sentence = _SENTENCE.split(text, maxsplit=1)[0]
    return sentence if len(sentence) <= LONGEST_TITLE else text[: LONGEST_TITLE - 1].rstrip() + "…"


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0


def _links(tokens: Sequence[Token]) -> Iterator[Link]:
    for token in tokens:
        if token.type != "inline":
            continue
        line = _line(token)
        for child in token.children or ():
            if child.type in ("softbreak", "hardbreak"):
                line += 1
            elif child.type == "link_open":
                yield Link(str(child.attrs.get("href", "")), line)


# -- fences --------------------------------------------------------------------------------------------------------------


def _command(fence: Token, faults: list[tuple[int, str]]) -> Command:
    language, attributes, fault = fence_info(fence.info)
    if fault:
        faults.append((_line(fence), fault))
    return Command(language, attributes, fence.content, _line(fence))


def fence_info(info: str) -> tuple[str, dict[str, str], str]:
    """Language, attributes, and what is wrong with them, of `sh { name=restart interactive=false }`.

    Runme also writes them as JSON: `sh {"name":"restart","interactive":"false"}`. A word without a value is "true".
    """
    language, brace, rest = info.strip().partition("{")
    language = language.split()[0] if language.split() else ""
    if not brace:
        return language, {}, ""
    inner, closed, _ = rest.rpartition("}")
    if not closed:
        return language, {}, "the fence's attributes are not closed: expected }"
    try:
        read = json.loads("{" + inner + "}")
        return language, {str(k): v if isinstance(v, str) else json.dumps(v) for k, v in read.items()}, ""
    except ValueError:
        pass
    try:
        words = shlex.split(inner.replace(",", " "))
    except ValueError as error:
        return language, {}, f"the fence's attributes cannot be read: {error}"
    pairs = (word.partition("=") for word in words)
    return language, {name: value if equals else "true" for name, equals, value in pairs if name}, ""
