"""View-models of the daylight pages: schedules, alerts, page rank, journal, contact ladder."""

import itertools
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup

from tests.browser.samples import (
    ANA,
    BERLIN,
    BO,
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
        changes=[
            {
                "id": "01",
                "person": BO,
                "instead": "Ana",
                "start": hole,
                "end": hole + timedelta(hours=9),
                "why": "a swap",
                "by": "user:bo",
            },
        ],
        can_override=True,
        people=[("ana", "Ana"), ("bo", "Bo")],
        typed={"user": "ana", "start": "", "end": "", "instead": "", "why": ""},
        wrong="",
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
        "silence": f"/silences/new?fingerprint=a{n}",
        **more,
    }


def alerts() -> Context:
    return base(
        "/alerts",
        topics=("alerts",),
        q="",
        can_silence=True,
        silences=1,
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
    )


def alerts_none() -> Context:
    return alerts() | {"alerts": [], "silences": 0}


SILENCE = {
    "id": "s1", "href": "/silences/s1", "matchers": ['alertname="ReplicaBehind"', 'instance=~"gitaly-.*"'], "by": BO,
    "comment": "moving disks of gitaly-03", "starts_at": ago(hours=1), "ends_at": ahead(hours=3), "state": "active", "mutes": 2,
}  # fmt: skip
MUTED = [
    {"name": "ReplicaBehind", "summary": "it is 40 s behind", "severity": "warning", "already": n > 0, "href": f"/alerts/a{n}"}
    for n in range(2)
]


def silences() -> Context:
    tabs = [
        {"label": label, "href": f"/silences?state={label.lower()}", "current": not n, "number": 1 - n}
        for n, label in enumerate(("Active", "Pending"))
    ]
    return base(
        "/silences", topics=("silences",), filters=tabs, state="active", silences=[SILENCE], more=0, can_silence=True
    )


def silences_none() -> Context:
    return silences() | {"silences": [], "can_silence": False}


def silence() -> Context:
    story = [
        {"at": ago(minutes=3), "who": "Bo", "act": "changed", "why": "extended by 1h: the disk is late"},
        {"at": ago(hours=1), "who": "Bo", "act": "created", "why": "moving disks of gitaly-03"},
    ]
    return base(
        "/silences/s1", topics=("silences",), silence=SILENCE, muted=MUTED, hidden=3, story=story, asked=True, can_silence=True
    )


def silence_over() -> Context:
    over = SILENCE | {"state": "expired", "ends_at": ago(hours=1)}
    return silence() | {"silence": over, "asked": False, "muted": [], "hidden": 0}


def silence_form() -> Context:
    typed = {"more": "", "why": "", "length": "1h", "until": "", "sure": False}
    ticks = [{"text": f'{name}="{value}"', "ticked": True} for name, value in LABELS]
    return base(
        "/silences/new", silence_id="", ticks=ticks, typed=typed, until="2026-11-22T09:00", owner="Ana", errors={},
        lengths=[("1h", "1 h"), ("until", "until the time below")], preview={"muted": MUTED, "number": 2, "firing": 5},
        day={"alerts": 3, "incidents": ["INC-1042", "INC-1040"]}, warnings=[],
    )  # fmt: skip


def silence_form_wrong() -> Context:
    errors = {
        "more": "bad matcher format: DiskWillFill", "why": "Say why: whoever wonders why nobody was paged reads it.",
        "until": "that time has passed", "sure": "Look at the warning first, and say that you mean it.",
    }  # fmt: skip
    typed = {"more": "DiskWillFill", "why": "", "length": "until", "until": "2020-01-01T09:00", "sure": False}
    warnings = ["It mutes all 5 alerts that fire at present.", "It mutes what wakes Payments: CheckoutFailing."]
    return silence_form() | {"errors": errors, "typed": typed, "warnings": warnings, "ticks": [], "preview": None, "day": None}


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
                "times": 1,
                "until": None,
                "answer": "250 2.0.0 Ok: queued",
            },
            {
                "at": ago(minutes=2),
                "channel": "webhook",
                "to": "",
                "outcome": "failed",
                "answer": "refused: 127.0.0.1:9",
                "times": 1,
                "until": None,
            },
        ],
    )


def runbook() -> Context:
    body = (
        "<h2>1. Look which nodes</h2><p>Errors per node over <strong>ten minutes</strong>; see "
        "<a href='/alerts'>the alerts</a>:</p>"
        '<pre><code>topk(5, sum by (instance) (rate(gitaly_errors_total{service="gitaly"}[10m])))</code></pre>'
        "<h2>2. Drain the worst</h2><ol><li>Run <code>gitalyctl drain</code>.</li><li>Wait 30 s.</li></ol>"
        "<ul><li>Never two at once.</li></ul>"
    )
    return base(
        "/runbooks/GitErrorBudgetBurn", title="Git error budget burn", file="runbooks/GitErrorBudgetBurn.md", body=Markup(body)
    )
