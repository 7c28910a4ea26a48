"""The story of an incident in order: alerts, pages and each attempt, acks, notes, runbook steps, with who and why."""

from __future__ import annotations

from typing import Any

from quietshift.incidents import store
from quietshift.incidents.model import TimelineEntry
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.db import Tx
from quietshift.paging import store as paging
from quietshift.paging.model import Attempt


def timeline(tx: Tx, incident_id: int) -> list[TimelineEntry]:
    """Every entry, oldest first. Of the same instant, what happened to the incident stands before the paging it led to."""
    own = store.entries(tx, incident_id)
    steps = [TimelineEntry(e.at, f"paging.{e.kind}", "system", e.text, e.why, e.data) for e in paging.log(tx, incident_id)]
    attempts = []
    for page in paging.pages(tx, incident_id):
        for number, attempt in enumerate(page.attempts, start=1):
            data = {
                "page_id": page.id, "user": page.user, "attempt": number, "channel": attempt.channel, "via": attempt.via,
                "outcome": attempt.outcome, "code": attempt.code, "bundle": attempt.bundle or None, "others": attempt.others,
            }  # fmt: skip
            text = f"{attempt.channel} to {page.user}{in_bundle(attempt)}: {attempt.outcome}"
            attempts.append(TimelineEntry(attempt.attempted_at, "attempt", "system", text, attempt.answer, data))
    return sorted([*own, *steps, *attempts], key=lambda entry: entry.at)


def in_bundle(attempt: Attempt) -> str:
    """`, in one message with 4,986 others`; nothing where the page was told alone."""
    if not attempt.bundle:
        return ""
    return f", in one message with {attempt.others:,} other{'s' if attempt.others != 1 else ''}"


def entry_as_json(entry: TimelineEntry) -> dict[str, Any]:
    """An entry as the API shows it."""
    return {
        "at": rfc3339(entry.at), "kind": entry.kind, "actor": entry.actor, "text": entry.text, "why": entry.why,
        "data": dict(entry.data),
    }  # fmt: skip
