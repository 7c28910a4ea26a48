"""What a page says: pure. Readable on a phone at 3 a.m.: the symptom first, then what to do, then why you."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Any

from quietshift.channels.ntfy import Button
from quietshift.kernel.clock import parse_rfc3339, rfc3339
from quietshift.kernel.durations import format_duration
from quietshift.paging.model import IncidentFacts, NextStep

TEST_TITLE = "Test page: nothing is wrong, nothing to do"
LOUD = {"critical": 5, "error": 5, "warning": 4}  # ntfy's priorities; whatever wakes people is 4 at least


@dataclass(frozen=True)
class Message:
    """What a page's delivery carries. facts None: a test. acknowledge_url: signed, for this person and page."""

    page_id: str
    user: str
    due_at: datetime
    reason: str
    rung: int
    facts: IncidentFacts | None
    next: NextStep | None
    acknowledge_url: str | None = None

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Message:
        page = payload["page"]
        facts, following = payload["facts"], payload["next"]
        return cls(
            page["id"], page["user"], parse_rfc3339(page["due_at"]), page["reason"], payload["rung"],
            IncidentFacts.from_kept(facts) if facts else None, NextStep.from_kept(following) if following else None,
        )  # fmt: skip

    @property
    def title(self) -> str:
        return self.facts.title if self.facts else TEST_TITLE

    @property
    def subject(self) -> str:
        """The same in every page of an incident, so that mail programs show one thread."""
        return f"[{self.facts.ref if self.facts else 'TEST'}] {self.title}"


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
    lines += [f"Why you: {message.reason}.", f"Due {_utc(message.due_at)}, page {message.page_id}."]
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
    parts.append(f"<p>Why you: {escape(message.reason)}.<br>Due {_utc(message.due_at)}, page {message.page_id}.</p>")
    return "<!doctype html><html><body>" + "".join(parts) + "</body></html>\n"


def following(step: NextStep | None) -> str:
    """Who is called next and when, as a sentence."""
    if step is None:
        return "Nobody is called after you."
    return f"Next, unless somebody acknowledges: {step.text}, at {_utc(step.at)}."


def webhook(message: Message, attempt: int) -> dict[str, Any]:
    """The object that a webhook contact gets. page_id: one per person and step, the same in every attempt."""
    return {
        "page_id": message.page_id, "attempt": attempt, "user": message.user, "title": message.title,
        "test": message.facts is None, "incident": dict(message.facts.as_json) if message.facts else None,
        "incident_url": message.facts.url if message.facts else None, "acknowledge_url": message.acknowledge_url,
        "due_at": rfc3339(message.due_at), "reason": message.reason, "next": message.next.kept() if message.next else None,
    }  # fmt: skip


def push(message: Message) -> dict[str, Any]:
    """The keyword arguments of a push by ntfy."""
    if message.facts is None:
        return {"title": message.subject, "message": message.reason, "priority": 4}
    f = message.facts
    buttons = [Button("I have it", message.acknowledge_url or "", post=True), Button("Open", f.url)]
    told = [f"{f.service or 'service unknown'}, {f.severity}, since {_utc(f.opened_at)}", following(message.next)]
    return {
        "title": message.subject, "message": "\n".join(told), "click": f.url, "buttons": buttons,
        "priority": LOUD.get(f.severity, 4),
    }  # fmt: skip


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _ago(span: timedelta) -> str:
    minutes = timedelta(minutes=span // timedelta(minutes=1))
    return f"{format_duration(minutes)} ago" if minutes > timedelta() else "just now"
