"""What a page says: pure. Readable on a phone at 3 a.m.: the symptom first, then what to do, then why you."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from html import escape
from typing import TYPE_CHECKING, Any

from quietshift.channels.ntfy import Button
from quietshift.kernel.clock import parse_rfc3339, rfc3339
from quietshift.kernel.durations import format_duration
from quietshift.paging.model import IncidentFacts, NextStep
from quietshift.paging.storm import in_words

if TYPE_CHECKING:
    from quietshift.channels.chat import Said

TEST_TITLE = "Test page: nothing is wrong, nothing to do"
LOUD = {"critical": 5, "error": 5, "warning": 4}  # ntfy's priorities; whatever wakes people is 4 at least
NAMED_IN_PUSH = 3
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


@dataclass(frozen=True)
class Named:
    """An incident that a bundle lists. acknowledge_url: signed, for this one alone."""

    page_id: str
    facts: IncidentFacts
    acknowledge_url: str = ""


@dataclass(frozen=True)
class BundleOf:
    """What a message about many pages tells of them. pages: how many, of which `named` are listed, the worst first; list_url:
    the open incidents of this policy."""

    policy: str
    pages: int
    severities: Mapping[str, int]
    named: tuple[Named, ...]
    list_url: str = ""

    @property
    def more(self) -> int:
        """Those that are not listed."""
        return self.pages - len(self.named)

    @property
    def worst(self) -> str:
        return next(iter(self.severities), "critical")

    @property
    def and_more(self) -> str:
        return f"... and {self.more:,} more"


@dataclass(frozen=True)
class Message:
    """What a page's delivery carries: an incident (facts), many (bundle), or neither: a test. acknowledge_url: signed, for this
    person and page, or for all of the bundle."""

    page_id: str
    user: str
    due_at: datetime
    reason: str
    rung: int
    facts: IncidentFacts | None
    next: NextStep | None
    acknowledge_url: str | None = None
    bundle: BundleOf | None = None
    zone: tzinfo = UTC  # in which this person reads times

    @property
    def why(self) -> str:
        """The reason, its instants on this person's clock."""
        return _INSTANT.sub(lambda found: _local(found[0], self.zone), self.reason)

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Message:
        page = payload["page"]
        facts, following, bundle = payload["facts"], payload["next"], payload.get("bundle")
        return cls(
            page["id"], page["user"], parse_rfc3339(page["due_at"]), page["reason"], payload["rung"],
            IncidentFacts.from_kept(facts) if facts else None, NextStep.from_kept(following) if following else None,
            bundle=_bundle(bundle) if bundle else None,
        )  # fmt: skip

    @property
    def test(self) -> bool:
        return self.facts is None and self.bundle is None

    @property
    def title(self) -> str:
        if self.bundle is not None:
            return f"{self.bundle.pages:,} more incidents: {in_words(self.bundle.severities)}"
        return self.facts.title if self.facts else TEST_TITLE

    @property
    def subject(self) -> str:
        """The same in every page of an incident, so that mail programs show one thread."""
        if self.bundle is not None:
            return f"[{self.bundle.policy}] {self.title}"
        return f"[{self.facts.ref if self.facts else 'TEST'}] {self.title}"


def _bundle(kept: Mapping[str, Any]) -> BundleOf:
    named = tuple(Named(one["page"], IncidentFacts.from_kept(one["facts"])) for one in kept["named"])
    severities = sorted(kept["severities"].items(), key=lambda item: -LOUD.get(item[0], 0))
    return BundleOf(kept["policy"], kept["pages"], dict(severities), named)


def text(message: Message, now: datetime) -> str:
    """Plain text of a mail."""
    lines = [message.title, ""]
    if message.facts is not None:
        f = message.facts
        lines += [
            f"service   {f.service or '(unknown)'}", f"owner     {f.owner or '(nobody in the catalog)'}",
            f"severity  {f.severity}",
            f"since     {_utc(f.opened_at)} ({_ago(now - f.opened_at)})", "",
            "I have it (acknowledge):", f"{message.acknowledge_url}", "", "The incident:", f.url, "", following(message.next),
        ]  # fmt: skip
    elif message.bundle is not None:
        b = message.bundle
        lines += [
            "Look at them, and acknowledge all:", f"{message.acknowledge_url}", "",
            f"Those of policy {b.policy} that are open now:", b.list_url, "", following(message.next), "",
        ]  # fmt: skip
        for one in b.named:
            lines += [
                f"{one.facts.ref}  {one.facts.severity}  {one.facts.title}",
                f"    {one.facts.service or 'service unknown'}, since {_utc(one.facts.opened_at)}",
                f"    I have it: {one.acknowledge_url}", "",
            ]  # fmt: skip
        lines += [b.and_more, ""] if b.more else []
    lines += [f"Why you: {message.why}.", f"Due {_utc(message.due_at)}, page {message.page_id}."]
    return "\n".join(lines) + "\n"


def html(message: Message, now: datetime) -> str:
    """The same as a small HTML page: one large link, no image, nothing from elsewhere."""
    parts = [f"<h1 style='font-size:1.3em'>{escape(message.title)}</h1>"]
    if message.facts is not None:
        f = message.facts
        owner = escape(f.owner or "nobody in the catalog")
        parts += [
            f"<p>{escape(f.service or 'service unknown')}, owned by {owner}, {escape(f.severity)}, "
            f"since {_utc(f.opened_at)} ({_ago(now - f.opened_at)})</p>",
            f"<p><a style='font-size:1.3em;font-weight:bold' href='{escape(message.acknowledge_url or '')}'>I have it</a></p>",
            f"<p><a href='{escape(f.url)}'>{f.ref}</a></p>", f"<p>{escape(following(message.next))}</p>",
        ]  # fmt: skip
    elif message.bundle is not None:
        parts += _bundle_html(message, message.bundle)
    parts.append(f"<p>Why you: {escape(message.why)}.<br>Due {_utc(message.due_at)}, page {message.page_id}.</p>")
    head = "<meta name='viewport' content='width=device-width'><meta name='color-scheme' content='light dark'>"
    body = f"<body style='font-family:system-ui,sans-serif'>{''.join(parts)}</body>"
    return f"<!doctype html><html><head>{head}</head>{body}</html>\n"


def _bundle_html(message: Message, bundle: BundleOf) -> list[str]:
    every, these = escape(bundle.list_url), escape(message.acknowledge_url or "")
    rows = [
        f"<li style='margin:0 0 12px'><a href='{escape(one.facts.url)}'>{one.facts.ref}</a> {escape(one.facts.severity)}: "
        f"{escape(one.facts.title)}<br>{escape(one.facts.service or 'service unknown')}, since {_utc(one.facts.opened_at)}. "
        f"<a href='{escape(one.acknowledge_url)}'>I have this one</a></li>"
        for one in bundle.named
    ]
    more = f"<p><a href='{every}'>{escape(bundle.and_more)}</a></p>" if bundle.more else ""
    return [
        f"<p><a style='font-size:1.3em;font-weight:bold' href='{these}'>Look at them, and acknowledge all</a></p>",
        f"<p><a href='{every}'>Those of policy {escape(bundle.policy)} that are open now</a></p>",
        f"<p>{escape(following(message.next))}</p>", f"<ul style='padding-left:20px'>{''.join(rows)}</ul>", more,
    ]  # fmt: skip


def following(step: NextStep | None) -> str:
    """Who is called next and when, as a sentence."""
    if step is None:
        return "Nobody is called after you."
    return f"Next, unless somebody acknowledges: {step.text}, at {_utc(step.at)}."


def webhook(message: Message, attempt: int) -> dict[str, Any]:
    """The object that a webhook contact gets. page_id: one per person and step, the same in every attempt."""
    return {
        "page_id": message.page_id, "attempt": attempt, "user": message.user, "title": message.title,
        "test": message.test, "incident": dict(message.facts.as_json) if message.facts else None,
        "incident_url": message.facts.url if message.facts else None, "acknowledge_url": message.acknowledge_url,
        "due_at": rfc3339(message.due_at), "reason": message.reason, "next": message.next.kept() if message.next else None,
        "bundle": _bundle_json(message.bundle) if message.bundle else None,
    }  # fmt: skip


def _bundle_json(bundle: BundleOf) -> dict[str, Any]:
    return {
        "policy": bundle.policy, "count": bundle.pages, "more": bundle.more, "severities": dict(bundle.severities),
        "list_url": bundle.list_url,
        "incidents": [
            {
                "page_id": one.page_id, "incident": dict(one.facts.as_json), "incident_url": one.facts.url,
                "acknowledge_url": one.acknowledge_url,
            }
            for one in bundle.named
        ],
    }  # fmt: skip


def push(message: Message) -> dict[str, Any]:
    """The keyword arguments of a push by ntfy. What acknowledges many is a page that shows them, not a button."""
    if message.bundle is not None:
        b, url = message.bundle, message.acknowledge_url or ""
        shown = [f"{one.facts.ref} {one.facts.title}" for one in b.named[:NAMED_IN_PUSH]]
        told = [*shown, f"... and {b.pages - len(shown):,} more", following(message.next)]
        return {
            "title": message.subject, "message": "\n".join(told), "click": url, "buttons": [Button("Look at them", url)],
            "priority": LOUD.get(b.worst, 4),
        }  # fmt: skip
    if message.facts is None:
        return {"title": message.subject, "message": message.why, "priority": 4}
    f = message.facts
    buttons = [Button("I have it", message.acknowledge_url or "", post=True), Button("Open", f.url)]
    said = [f"{f.service or 'service unknown'}, {f.severity}, since {_utc(f.opened_at)}", following(message.next)]
    return {
        "title": message.subject, "message": "\n".join(said), "click": f.url, "buttons": buttons,
        "priority": LOUD.get(f.severity, 4),
    }  # fmt: skip


def chat(message: Message) -> Said:
    """The same as a message in a chat. Its links open pages: programs that preview links must not acknowledge by it."""
    from quietshift.channels.chat import Said

    pushed = push(message)
    url = message.acknowledge_url
    if message.bundle is not None:
        links = [("Look at them", url or ""), ("All that are open", message.bundle.list_url)]
    else:
        links = [("I have it", url or ""), ("Open", message.facts.url)] if message.facts else []
    return Said(pushed["title"], pushed["message"], links, pushed["priority"])


def _local(text: str, zone: tzinfo) -> str:
    at = parse_rfc3339(text).astimezone(zone)
    return f"{at:%a} {at.day} {at:%b %H:%M} {zone}"


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _ago(span: timedelta) -> str:
    minutes = timedelta(minutes=span // timedelta(minutes=1))
    return f"{format_duration(minutes)} ago" if minutes > timedelta() else "just now"
