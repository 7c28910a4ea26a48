"""View-models of the daylight pages: sign-in, ack link, why, schedules, alerts, page rank, journal, contact ladder, demo."""

import itertools
from datetime import datetime, timedelta
from typing import Any

from tests.browser.samples import (
    ANA,
    BERLIN,
    BO,
    CHEN,
    DEE,
    ELI,
    END,
    LABELS,
    START,
    TOKYO,
    VIEWER,
    WEST,
    Context,
    ago,
    ahead,
    base,
    days,
    shift,
    storage,
    web,
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


def schedules() -> Context:
    monday = datetime(2026, 11, 23, 9, 0, tzinfo=BERLIN)
    rows = [
        {
            "label": "Storage",
            "href": "/schedules/storage",
            "zone": BERLIN,
            "owner": "Storage",
            "now": [ANA],
            "until": monday,
            "next": {"person": BO, "at": monday},
            "gaps": 0,
            "shifts": storage(),
        },
        {
            "label": "Web",
            "href": "/schedules/web",
            "zone": WEST,
            "owner": "Web",
            "now": [DEE],
            "until": ahead(hours=6),
            "next": {"person": ELI, "at": ahead(hours=6)},
            "gaps": 1,
            "shifts": web(),
        },
        {
            "label": "Platform APAC",
            "href": "/schedules/apac",
            "zone": TOKYO,
            "owner": "Platform",
            "now": [],
            "until": None,
            "next": None,
            "gaps": 1,
            "shifts": [shift(None, ago(hours=9), 500, "gap")],
        },
    ]
    return base("/schedules", topics=("shifts",), rows=rows, start=START, end=END, days=days(START, 14))


def schedule() -> Context:
    final = [s for s in storage() if s["kind"] == "shift"]
    final = [*final[:2], *[s for s in storage() if s["kind"] == "override"], *final[2:]]
    hole = datetime(2026, 11, 29, 18, 0, tzinfo=BERLIN)
    final[-2] = {**final[-2], "end": hole}
    final.insert(-1, shift(None, hole, 15, "gap"))
    weekly = [s for s in storage() if s["kind"] == "shift"]
    override = [s for s in storage() if s["kind"] == "override"]

    def week(label: str, start: datetime) -> Context:
        lanes = [("On call", final), ("override", override), ("weekly", weekly)]
        return {
            "label": label,
            "start": start,
            "end": start + timedelta(days=7),
            "days": days(start, 7),
            "lanes": [{"label": name, "href": None, "zone": BERLIN, "shifts": shifts} for name, shifts in lanes],
        }

    def on(day: datetime) -> list[Context]:
        return [s for s in final if s["start"] < day + timedelta(days=1) and s["end"] > day]

    return base(
        "/schedules/storage",
        topics=("shifts",),
        viewer={**VIEWER, "zone": WEST},
        schedule={
            "name": "storage",
            "title": "Storage",
            "owner": "Storage",
            "zone": BERLIN,
            "policies": ["storage", "everything"],
        },
        now_on=[{"person": ANA, "until": final[0]["end"], "layer": "weekly"}],
        handoffs=[
            {"at": s["start"], "before": before["person"], "after": s["person"]} for before, s in itertools.pairwise(final[:4])
        ],
        layers=[{"name": "weekly", "about": "every week from Mon 09:00: Ana, Bo, Chen"}],
        gaps=[{"start": hole, "end": hole + timedelta(hours=15)}],
        weeks=[
            week("Week 47", datetime(2026, 11, 16, tzinfo=BERLIN)),
            week("Week 48", datetime(2026, 11, 23, tzinfo=BERLIN)),
            week("Week 49", datetime(2026, 11, 30, tzinfo=BERLIN)),
        ],
        agenda=[{"at": d["at"], "today": d["today"], "name": d["name"], "shifts": on(d["at"])} for d in days(START, 14)],
    )


def alert(n: int, name: str, summary: str, severity: str, state: str = "active", **more: Any) -> Context:
    return {
        "fingerprint": f"a{n}",
        "name": name,
        "summary": summary,
        "severity": severity,
        "state": state,
        "reason": "",
        "labels": LABELS,
        "starts_at": ago(minutes=4 * n),
        "service": "gitaly",
        "owner": "Storage",
        "incident": None,
        "why": f"/why?alert=a{n}",
        **more,
    }


def alerts() -> Context:
    return base(
        "/alerts",
        topics=("alerts",),
        q="",
        can_silence=True,
        form={"matchers": "", "comment": "", "for": "2h", "errors": {}},
        filters=[
            {"label": "Firing", "href": "/alerts", "current": True, "number": 2},
            {"label": "Silenced", "href": "/alerts?state=silenced", "current": False, "number": 1},
            {"label": "All", "href": "/alerts?state=all", "current": False, "number": 4},
        ],
        alerts=[
            alert(
                1,
                "GitErrorBudgetBurn",
                "3.1 % of pushes fail",
                "critical",
                incident={"id": "INC-1042", "href": "/incidents/INC-1042"},
            ),
            alert(9, "DiskWillFill", "gitaly-03 is full within 9 h", "warning"),
            alert(20, "ReplicaBehind", "", "warning", "silenced", reason="silenced by Bo: moving disks"),
            alert(30, "NodeDown", "", "info", "inhibited", reason="inhibited by ClusterDown", owner="", service=""),
        ],
        silences=[
            {
                "id": "s1",
                "matchers": ['alertname="ReplicaBehind"', 'instance=~"gitaly-.*"'],
                "by": "Bo",
                "comment": "moving disks of gitaly-03",
                "starts_at": ago(hours=1),
                "ends_at": ahead(hours=3),
                "pending": False,
            }
        ],
    )


def alerts_wrong() -> Context:
    form = {
        "matchers": "DiskWillFill",
        "comment": "",
        "for": "8h",
        "errors": {"matchers": 'Line 1: write a matcher as name="value"', "comment": "Say why, for whoever looks at it tonight."},
    }
    return alerts() | {"alerts": [], "silences": [], "form": form}


def day_of(**hours: int) -> list[int]:
    return [hours.get(f"h{n}", 0) for n in range(24)]


def pages_top() -> Context:
    ranges = [{"label": f"{n} weeks", "href": f"/pages?weeks={n}", "current": n == 4, "number": None} for n in (2, 4, 12)]
    top = [
        ("DiskWillFill", "Storage", 9, 4, day_of(h1=1, h2=2, h3=1, h14=3, h16=2), [("known", 6), ("noise", 2)], "", ago(hours=3)),
        ("GitErrorBudgetBurn", "Storage", 5, 1, day_of(h2=1, h10=2, h11=2), [("actionable", 5)], "/runbooks/git", ago(minutes=4)),
        ("CheckoutSlow", "Web", 3, 0, day_of(h18=2, h19=1), [], "/runbooks/checkout", ago(minutes=52)),
        ("CertificateEndsSoon", "", 2, 1, day_of(h5=1, h9=1), [("actionable", 1), ("duplicate", 1)], "", ago(days=2)),
    ]
    keys = ("alert", "owner", "pages", "nights", "hours", "verdicts", "runbook", "last_at")
    return base(
        "/pages",
        topics=("pages",),
        ranges=ranges,
        span_words="4 weeks",
        pages=19,
        nights=6,
        people=4,
        hours=[sum(t[4][h] for t in top) for h in range(24)],
        groups=[
            {"name": "Storage", "href": "/pages?owner=storage", "pages": 14, "nights": 5},
            {"name": "Web", "href": "/pages?owner=web", "pages": 3, "nights": 0},
            {"name": "no owner", "href": "/pages?owner=", "pages": 2, "nights": 1},
        ],
        rows=[dict(zip(keys, t, strict=True)) | {"href": f"/incidents?q={t[0]}"} for t in top],
    )


def pages_none() -> Context:
    return pages_top() | {"rows": []}


def journal() -> Context:
    def line(at: datetime, actor: str, act: str, subject: str, reason: str, href: str = "") -> Context:
        return {"at": at, "actor": actor, "act": act, "subject": subject, "href": href, "why": reason}

    return base(
        "/journal",
        q="",
        older="/journal?before=9",
        entries=[
            line(ago(seconds=5), "Ana", "incident.acknowledged", "INC-1042", "by the link in the mail", "/incidents/INC-1042"),
            line(ago(minutes=3), "Quietshift", "page.attempted", "Ana, phone call", "on call for storage, step 1"),
            line(
                ago(minutes=4),
                "Quietshift",
                "incident.opened",
                "INC-1042",
                "severity critical, receiver storage",
                "/incidents/INC-1042",
            ),
            line(ago(days=2), "token:ci", "ops.reloaded", "ops/", "POST /-/reload"),
        ],
    )


def journal_none() -> Context:
    return journal() | {"entries": [], "older": None, "q": "nobody"}


def me() -> Context:
    monday = datetime(2026, 12, 7, 9, 0, tzinfo=BERLIN)
    return base(
        "/me",
        topics=("pages:ana",),
        mine=True,
        rules=[
            {"after": "0s", "via": "mailto:ana@example.org", "error": ""},
            {
                "after": "1m",
                "via": "carrier-pigeon:ana",
                "error": "No channel carrier-pigeon is set up. See what can be written below.",
            },
        ],
        kinds=[
            {"scheme": "mailto:", "example": "mailto:ana@example.org", "about": "mail"},
            {"scheme": "https:", "example": "https://example.org/hook", "about": "a webhook: posts JSON"},
        ],
        shifts=[
            {
                "schedule": "Storage",
                "href": "/schedules/storage",
                "zone": BERLIN,
                "start": monday,
                "end": monday + timedelta(days=7),
            }
        ],
        tests=[
            {
                "at": ago(minutes=2),
                "channel": "mail",
                "to": "ana@example.org",
                "outcome": "accepted",
                "answer": "250 2.0.0 Ok: queued",
            },
            {"at": ago(minutes=2), "channel": "webhook", "to": "", "outcome": "failed", "answer": "refused: 127.0.0.1:9"},
        ],
    )


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
