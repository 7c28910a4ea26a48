"""Markdown as safe HTML: no scripts, no foreign images, no link that runs something.

What people write into runbooks is shown to people who are signed in, so it is cleaned by nh3 after markdown-it has made it,
and images become links: showing a page loads nothing from a foreign host.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from quietshift.runbooks import steps

if TYPE_CHECKING:
    from markdown_it.token import Token

    from quietshift.runbooks.model import Runbook

SCHEMES = {"http", "https", "mailto"}
TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h2", "h3", "h4", "h5"),
    *("h6", "hr", "i", "kbd", "li", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "summary", "sup"),
    *("table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "var"),
}
ATTRIBUTES = {
    "a": {"href", "title"}, "abbr": {"title"}, "ol": {"start"}, "details": {"open"}, "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"}, **{f"h{n}": {"id"} for n in range(2, 7)},
}  # fmt: skip
_NOT_IN_SLUGS = re.compile(r"[^\w\- ]")


def body(runbook: Runbook) -> str:
    """The whole runbook below its title."""
    return _all(runbook.name, runbook.text)[0]


def step_bodies(runbook: Runbook) -> tuple[str, ...]:
    """What stands below each step's title, in the order of its steps; empty where the title says it all."""
    return _all(runbook.name, runbook.text)[1]


@lru_cache(maxsize=256)
def _all(name: str, text: str) -> tuple[str, tuple[str, ...]]:
    document = steps.read(text)
    tokens = document.tokens
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        tokens = tokens[3:]
    _prepare(document.tokens, name)
    bodies = tuple(_html(part.body, document.env) for part in document.parts)
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", slug(steps.plain(tokens[index + 1])))
    return _html(tokens, document.env), bodies


def _html(tokens: Sequence[Token], env: dict[str, Any]) -> str:
    import nh3

    markdown = steps.markdown()
    made = markdown.renderer.render(tokens, markdown.options, env)
    return nh3.clean(
        made, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel="noopener noreferrer",
        clean_content_tags={"script", "style"}, id_prefix="md-",
    ).strip()  # fmt: skip


def _prepare(tokens: Sequence[Token], name: str) -> None:
    for token in tokens:
        if token.type == "inline" and token.children:
            token.children = [changed for child in token.children for changed in _child(child, name)]
        elif token.type in ("th_open", "td_open"):
            token.attrs.pop("style", None)


def _child(token: Token, name: str) -> list[Token]:
    from markdown_it.token import Token

    if token.type == "link_open":
        token.attrs = {**token.attrs, "href": destination(str(token.attrs.get("href", "")), name)}
        if not token.attrs["href"]:
            del token.attrs["href"]
        return [token]
    if token.type != "image":
        return [token]
    source = str(token.attrs.get("src", ""))
    words = Token("text", "", 0, content=f"image: {steps.plain(token) or source}")
    if urlsplit(source).scheme not in SCHEMES:
        return [words]
    return [Token("link_open", "a", 1, attrs={"href": source}), words, Token("link_close", "a", -1)]


def destination(href: str, name: str) -> str:
    """Where a link of the runbook `name` leads on the web: other runbooks to their page, the outside as written, headings
    to their id; empty for what is not served (other files of the ops directory) or would run something."""
    parts = urlsplit(href)
    if parts.scheme or parts.netloc:
        return href if parts.scheme in SCHEMES else ""
    anchor = f"#md-{parts.fragment}" if parts.fragment else ""
    if not parts.path:
        return anchor
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), parts.path))
    if parts.path.startswith("/") or target.startswith("..") or not target.endswith(".md"):
        return ""
    return f"/runbooks/{target.removesuffix('.md')}{anchor}"


def slug(title: str) -> str:
    """A heading's anchor as GitHub makes it."""
    return _NOT_IN_SLUGS.sub("", title.lower()).replace(" ", "-")
