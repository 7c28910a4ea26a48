"""View-models of the pages around an incident: sign-in, set-up, ack link, why, the demo's stage."""

import itertools
from datetime import timedelta
from typing import Any

from tests.browser.samples import (
    ANA,
    BERLIN,
    BO,
    CHEN,
    GIT,
    Context,
    ago,
    ahead,
    base,
)

OUT: dict[str, Any] = {"viewer": None}


def sign_in() -> Context:
    return base("/sign-in", **OUT, user="", next="/incidents/INC-1042", error="")


def sign_in_wrong() -> Context:
    return sign_in() | {"user": "ana", "error": "Account or password is wrong. An admin can make you a new link."}


def setup() -> Context:
    return base(
        "/setup/x",
        **OUT,
        state="valid",
        action="/setup/x",
        users=[("ana", "Ana"), ("bo", "Bo")],
        user="",
        expires_at=ahead(hours=23),
        error="The two passwords differ.",
    )


def setup_used() -> Context:
    return setup() | {"state": "used"}


def error() -> Context:
    return base(
        "/incidents/INC-9",
        status=404,
        title="No incident INC-9",
        detail="The newest is INC-1042.",
        todo="Check the number, or search the list.",
        back={"href": "/incidents", "label": "Incidents"},
    )


def ack(state: str = "open", **more: Any) -> Context:
    by = {"acknowledged": ANA, "resolved": None, "expired": None, "open": None}[state]
    at = {"acknowledged": ago(seconds=20), "resolved": ago(minutes=3), "expired": ago(hours=2), "open": None}[state]
    incident = {
        "id": "INC-1042",
        "title": "Git push fails for 3.1 % of users",
        "severity": "critical",
        "service": "gitaly",
        "state": "triggered" if state in ("open", "expired") else state,
        "owner": "Storage",
        "zone": BERLIN,
        "opened_at": ago(minutes=4),
        "resolved_at": at if state == "resolved" else None,
    }
    return base(
        "/p/token",
        **OUT,
        link={"state": state, "action": "/p/token", "person": ANA, "by": by, "at": at},
        incident=incident,
        next={"person": BO, "at": ahead(minutes=2)},
        facts=["Last change: gitaly v17.2, 41 min before, by deploy pipeline", "Also: DiskWillFill on gitaly-03"],
        steps=["Look which nodes", "Drain the worst node", "Verify that pushes succeed"],
        **more,
    )


def ack_bundle(left: int = 4987, **more: Any) -> Context:
    bundle = {
        "action": "/p/token", "person": ANA, "policy": "storage", "at": ago(minutes=1), "pages": 4990, "left": left, "by": None,
        "list": "/incidents?policy=storage",
    }  # fmt: skip
    zones = {"zone": BERLIN, "next": {"person": BO, "at": ahead(minutes=2)}}
    return base("/p/token", **OUT, bundle=bundle | more, incidents=[GIT] * 3 if left else [], **zones)


def ack_bundle_going_on() -> Context:
    return ack_bundle(1240, by=ANA)


def ack_bundle_done() -> Context:
    return ack_bundle(0)


def ack_done() -> Context:
    return ack("acknowledged")


def ack_over() -> Context:
    return ack("resolved")


def ack_expired() -> Context:
    return ack("expired")


def hop(
    title: str, detail: str, seconds: float | None, state: str = "passed", source: str = "", href: str | None = None
) -> Context:
    at = None if seconds is None else ago(minutes=4) + timedelta(seconds=seconds)
    return {"title": title, "detail": detail, "state": state, "at": at, "since": None, "source": source, "href": href}


def hops() -> list[Context]:
    found = [
        hop("Alert received", "GitErrorBudgetBurn from Prometheus, 6 labels", 0, href="/alerts?q=GitErrorBudgetBurn"),
        hop("Route taken", 'receiver storage, matched severity="critical"', 0.1, source="alertmanager.yml:12"),
        hop("Group", "service=gitaly; waited group_wait 30 s", 30),
        hop("Inhibited, silenced, muted?", "No inhibition rule matched, no silence, no mute time", 30),
        hop("Incident", "opened INC-1042", 30.2, href="/incidents/INC-1042"),
        hop("Escalation policy", "storage, step 1: schedule storage, at once", 30.2, source="oncall/policies.yaml:3"),
        hop("On call", "storage, layer weekly: Ana, until Mon 09:00 Berlin", 30.2, source="oncall/storage.yaml:8"),
        hop("Contact", "phone call at once; mail after 1 m", 30.3),
        hop("Attempt", "phone call to +49 … 412", 78.0),
        hop("Provider's answer", "accepted: queued, call id 7f3a", 79.4),
        hop("Acknowledged", "not yet", None, "waiting"),
    ]
    for before, after in itertools.pairwise(found):
        after["since"] = None if after["at"] is None else (after["at"] - before["at"]).total_seconds()
    return found


def why() -> Context:
    return base(
        "/incidents/INC-1042/why",
        topics=("incident:1042",),
        question="Why was I paged?",
        search=None,
        asked=False,
        about={"text": "INC-1042 Git push fails for 3.1 % of users", "href": "/incidents/INC-1042"},
        ladders=[{"title": "Ana, 02:57", "answer": "You are on call for Storage, and nobody had it.", "hops": hops()}],
    )


def why_not() -> Context:
    stopped = [
        *hops()[:3],
        hop("Silenced", "by Bo until 06:00: moving disks of gitaly-03", 30, "stopped", href="/alerts#silences"),
        hop("Incident", "none opened", None, "skipped"),
        hop("Page", "none due", None, "skipped"),
    ]
    return base(
        "/why",
        question="Why was nobody paged?",
        about=None,
        asked=True,
        search={"labels": 'alertname="DiskWillFill", instance="gitaly-03"', "at": "2026-11-21T02:40", "error": ""},
        ladders=[{"title": "DiskWillFill on gitaly-03, 02:40", "answer": "A silence stopped it.", "hops": stopped}],
    )


def why_nothing() -> Context:
    return why_not() | {"ladders": []}


def phone() -> Context:
    call = {"at": ago(seconds=9), "text": "INC-1042 Git push fails for 3.1 % of users", "href": "/ack", "ringing": True}
    return base(
        "/demo",
        **OUT,
        poll=1000,
        flip="/demo/shop",
        quietshift="/",
        shop={"broken": True, "text": "31 % of orders fail", "href": "/shop"},
        phones=[
            {"person": ANA, "role": "on call", "calls": [{**call, "at": ago(seconds=40), "ringing": False}]},
            {"person": BO, "role": "next", "calls": [call]},
            {"person": CHEN, "role": "manager", "calls": []},
        ],
        mails=[
            {
                "at": ago(seconds=39),
                "to": "ana@example.org",
                "subject": "INC-1042 Git push fails",
                "text": "You are on call for Storage.\nAcknowledge: http://127.0.0.1:8080/p/…",
                "href": "/ack",
            }
        ],
        story=[
            *hops()[:1],
            hop("Page", "Ana is called", 31),
            hop("Page", "Bo is called: not acknowledged in 20 s", 51),
            hop("Acknowledged", "not yet", None, "waiting"),
        ],
    )


def phone_quiet() -> Context:
    calls = [{"person": p, "role": "on call", "calls": []} for p in (ANA, BO, CHEN)]
    return phone() | {
        "shop": {"broken": False, "text": "Every order succeeds", "href": "/shop"},
        "story": [],
        "mails": [],
        "phones": calls,
    }
