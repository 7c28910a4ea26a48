"""Stored reasons as people read them: instants in their own zone, people and groups by the names they are called."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup, escape

from quietshift.kernel.clock import parse_rfc3339

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
#: What people call `user:ana` or `group:default/storage`; "" where nothing of that name is known.
NameOf = Callable[[str], str]

_NAME = r"[\w.-]*\w"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_ON_CALL = re.compile(rf"\bschedule:({_NAME}): ({_NAME}) is on\b(?! only)")
_SCHEDULE = re.compile(rf"\bschedule:({_NAME})")
_GROUP = re.compile(rf"\bgroup:(?:{_NAME}/)?{_NAME}")
_MEMBER = re.compile(rf"\bmember of (group:(?:{_NAME}/)?{_NAME})")
_PREFIXED = re.compile(rf"\b(?:user|link):({_NAME})")
_TURNS = re.compile(rf"(?<=\[){_NAME}(?:, {_NAME})*(?=\])")
# a bare name counts as a person only where a sentence has one, for "will" and "mark" are words too
_BARE = re.compile(
    rf"(?:(?<=\bby )|(?<=\bwas )|(?<=: )|^){_NAME}"
    r"(?= (?:until|is|has|joins|asks|hands|says|not paged|paged|was)\b| \(|[:;,)]|$)"
)
_FROM_THE_POLICY = re.compile(r"\bnot acknowledged in (\w+): (step [^:]+)")
_HOW = re.compile(r" \((?:layer|override)\b[^()]*(?:\([^()]*\)[^()]*)*\)")


def plain(text: str, name_of: NameOf) -> str:
    """The text with names as people know them; instants stay."""

    def person(found: re.Match[str]) -> str:
        return name_of(f"user:{found[0]}") or found[0]

    text = _ON_CALL.sub(lambda m: f"{name_of(f'user:{m[2]}') or m[2]} is on call in schedule {m[1]}", text)
    text = _MEMBER.sub(lambda m: f"everybody in {name_of(m[1]) or m[1]} is called", text)
    text = _GROUP.sub(lambda m: name_of(m[0]) or m[0], text)
    text = _SCHEDULE.sub(r"schedule \1", text)
    text = _PREFIXED.sub(lambda m: name_of(f"user:{m[1]}") or m[1], text)
    text = _TURNS.sub(lambda m: ", ".join(name_of(f"user:{name}") or name for name in m[0].split(", ")), text)
    text = _BARE.sub(person, text)
    text = _FROM_THE_POLICY.sub(r"nobody acknowledged in \1, so \2 followed", text)
    return text.replace("mailto:", "")


def moment(at: datetime, now: datetime, zone: ZoneInfo | Any) -> str:
    """`20:00` today, `Mon 09:00` within a week, else with the date."""
    local, distance = at.astimezone(zone), abs(at - now)
    if local.date() == now.astimezone(zone).date():
        return f"{local:%H:%M}"
    return f"{local:%a %H:%M}" if distance < timedelta(days=6) else f"{local:%a} {local.day} {local:%b %H:%M}"


def told(text: str, name_of: NameOf, now: datetime, zone: ZoneInfo | Any, mine: ZoneInfo | Any) -> Markup:
    """HTML of a stored reason. zone: in which instants are shown, named where it is not the reader's own (`mine`)."""
    place = f" {city(zone)}" if str(zone) != str(mine) else ""
    made, end = Markup(), 0
    text = plain(text, name_of)
    for found in _INSTANT.finditer(text):
        try:
            at = parse_rfc3339(found[0])
            words, exact = moment(at, now, zone), f"{at.astimezone(zone):%a %Y-%m-%d %H:%M:%S}"
        except (ValueError, OverflowError):
            continue
        made += escape(text[end : found.start()]) + Markup('<time datetime="{}" title="{} {}">{}{}</time>').format(
            found[0], exact, city(zone), words, place
        )
        end = found.end()
    return made + escape(text[end:])


def city(zone: ZoneInfo | Any) -> str:
    """`New York`, as macros.html names zones."""
    return str(getattr(zone, "key", "UTC")).rpartition("/")[2].replace("_", " ")


def filters(name_of: NameOf) -> dict[str, Callable[..., Markup]]:
    """`told(zone)`: a reason; `sentence(zone)`: the same as a sentence, without the turns of a rotation."""

    def _told(context: jinja2.runtime.Context, text: str, zone: Any = None) -> Markup:
        viewer, now = context.get("viewer"), context["now"]
        mine = viewer["zone"] if viewer else now.tzinfo
        return told(text, name_of, now, zone or mine, mine)

    def _sentence(context: jinja2.runtime.Context, text: str, zone: Any = None) -> Markup:
        text = _HOW.sub("", plain(text, name_of)).strip()
        text = text[:1].upper() + text[1:]
        return _told(context, text if not text or text.endswith((".", "?", "!")) else f"{text}.", zone)

    return {"told": jinja2.pass_context(_told), "sentence": jinja2.pass_context(_sentence)}


def environment(address: Callable[[str], str], name_of: NameOf) -> jinja2.Environment:
    """What templates are drawn in. address: of a static file; name_of: of a person or group."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    env.globals["static"] = address
    env.filters |= filters(name_of)
    return env
