"""View-models as the doors build them, with realistic content: one for each template and each of its states."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

NOW = datetime(2026, 11, 21, 2, 0, 12, tzinfo=UTC)
BERLIN, TOKYO, WEST = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Los_Angeles")

ANA, BO, CHEN, DEE, ELI = ({"user": name.lower(), "name": name} for name in ("Ana", "Bo", "Chen", "Dee", "Eli"))

Context = dict[str, Any]


def ago(**kw: float) -> datetime:
    return NOW - timedelta(**kw)


def ahead(**kw: float) -> datetime:
    return NOW + timedelta(**kw)


NAV = [
    {"href": "/", "label": "Home"},
    {"href": "/incidents", "label": "Incidents"},
    {"href": "/schedules", "label": "Schedules"},
    {"href": "/alerts", "label": "Alerts"},
    {"href": "/pages", "label": "Pages & noise"},
    {"href": "/journal", "label": "Journal"},
]

VIEWER = {"user": "ana", "name": "Ana", "role": "responder", "zone": BERLIN}


def base(path: str, *, viewer: Context | None = VIEWER, topics: tuple[str, ...] = (), **more: Any) -> Context:
    return {"now": NOW, "viewer": viewer, "nav": NAV, "path": path, "topics": list(topics), "flash": [], **more}


# ---- shifts ----

START = datetime(2026, 11, 21, 0, 0, tzinfo=BERLIN)
END = START + timedelta(days=14)


def days(start: datetime, count: int) -> list[Context]:
    found = []
    for n in range(count):
        at = start + timedelta(days=n)
        holiday = "Thanksgiving" if (at.month, at.day) == (11, 26) else ""
        found.append(
            {"at": at, "name": holiday, "weekend": at.weekday() > 4, "today": at.date() == NOW.astimezone(BERLIN).date()}
        )
    return found


def shift(person: Context | None, start: datetime, hours: float, kind: str = "shift", layer: str = "weekly") -> Context:
    return {"person": person, "start": start, "end": start + timedelta(hours=hours), "kind": kind, "layer": layer}


def weekly(people: list[Context], *, hour: int = 9) -> list[Context]:
    monday = datetime(2026, 11, 16, hour, 0, tzinfo=BERLIN)
    return [shift(people[n % len(people)], monday + timedelta(weeks=n), 168) for n in range(3)]


def daily(people: list[Context]) -> list[Context]:
    first = datetime(2026, 11, 20, 9, 0, tzinfo=BERLIN)
    return [shift(people[n % len(people)], first + timedelta(days=n), 24) for n in range(16)]


def storage() -> list[Context]:
    first, second, third = weekly([ANA, BO, CHEN])
    middle = datetime(2026, 11, 26, 9, 0, tzinfo=BERLIN)
    return [
        first,
        {**second, "end": middle},
        shift(CHEN, middle, 48, "override", "override"),
        {**second, "start": middle + timedelta(hours=48)},
        third,
    ]


def web() -> list[Context]:
    shifts = daily([DEE, ELI])
    hole = shifts[6]
    shifts[6] = {**hole, "person": None, "kind": "gap"}
    return shifts


# ---- incidents ----


def row(number: int, title: str, state: str, severity: str, service: str, owner: str, opened: datetime, **more: Any) -> Context:
    return {
        "id": f"INC-{number}",
        "href": f"/incidents/INC-{number}",
        "title": title,
        "state": state,
        "severity": severity,
        "service": service,
        "owner": owner,
        "holder": None,
        "opened_at": opened,
        "resolved_at": None,
        "next_page": None,
        "verdict": "",
        **more,
    }


GIT = row(
    1042,
    "Git push fails for 3.1 % of users",
    "triggered",
    "critical",
    "gitaly",
    "Storage",
    ago(minutes=4),
    next_page={"person": BO, "at": ahead(minutes=2)},
)
DISK = row(1041, "Disk of gitaly-03 fills within 9 h", "acknowledged", "warning", "gitaly", "Storage", ago(hours=3), holder=ANA)
CART = row(1039, "Checkout slower than 2 s for 1 in 50", "acknowledged", "critical", "shop", "Web", ago(minutes=52), holder=DEE)
CERT = row(
    1036,
    "Certificate of registry.example.org ends in 6 days",
    "snoozed",
    "warning",
    "registry",
    "Storage",
    ago(days=2),
    holder=ANA,
)
OLD = row(
    1031,
    "Queue of merge jobs older than 10 min",
    "resolved",
    "critical",
    "sidekiq",
    "Web",
    ago(days=3),
    holder=None,
    resolved_at=ago(days=3) + timedelta(minutes=38),
    verdict="actionable",
)
OLDER = row(
    1030,
    "No answer from the probe in Tokyo",
    "resolved",
    "info",
    "",
    "",
    ago(days=4),
    resolved_at=ago(days=4) + timedelta(minutes=3),
)

WEEKS = [
    {"label": f"W{36 + n}", "pages": p, "nights": m}
    for n, (p, m) in enumerate(
        [(14, 6), (11, 5), (13, 4), (9, 4), (12, 6), (8, 2), (9, 3), (6, 2), (7, 1), (5, 2), (0, 0), (4, 1)]
    )
]


def home() -> Context:
    monday = datetime(2026, 11, 23, 9, 0, tzinfo=BERLIN)
    return base(
        "/",
        topics=("incidents", "shifts"),
        mine=[{"schedule": "Storage", "href": "/schedules/storage", "until": monday, "zone": BERLIN, "takes_over": BO}],
        mine_next=None,
        numbers={"triggered": 1, "acknowledged": 2, "snoozed": 1},
        fires=[GIT, CART, DISK, CERT],
        teams=[
            {
                "label": "Storage",
                "href": "/schedules/storage",
                "zone": BERLIN,
                "chain": [ANA, BO],
                "rest": "the group",
                "next": {"person": BO, "at": monday},
                "shifts": storage(),
            },
            {
                "label": "Web",
                "href": "/schedules/web",
                "zone": WEST,
                "chain": [DEE, ELI],
                "rest": "",
                "next": {"person": ELI, "at": ahead(hours=6)},
                "shifts": web(),
            },
            {
                "label": "Platform APAC",
                "href": "/schedules/apac",
                "zone": TOKYO,
                "chain": [],
                "rest": "the group",
                "next": {"person": CHEN, "at": ahead(hours=7)},
                "shifts": [shift(None, ago(hours=9), 16, "gap"), *[shift(CHEN, ahead(hours=7 + 24 * n), 24) for n in range(14)]],
            },
        ],
        start=START,
        end=END,
        days=days(START, 14),
        weeks=WEEKS,
        top=[
            {"alert": "DiskWillFill", "href": "/pages?alert=DiskWillFill", "pages": 9, "nights": 4, "runbook": False},
            {"alert": "GitErrorBudgetBurn", "href": "/pages?alert=GitErrorBudgetBurn", "pages": 5, "nights": 1, "runbook": True},
            {
                "alert": "CertificateEndsSoon",
                "href": "/pages?alert=CertificateEndsSoon",
                "pages": 2,
                "nights": 0,
                "runbook": True,
            },
        ],
    )


def home_quiet() -> Context:
    return home() | {
        "mine": [],
        "mine_next": {"schedule": "Storage", "start": ahead(days=9), "end": ahead(days=16), "zone": BERLIN},
        "numbers": {"triggered": 0, "acknowledged": 0, "snoozed": 0},
        "fires": [],
        "teams": [],
        "weeks": [],
        "top": [],
    }


FILTERS = [
    {"label": "Open", "href": "/incidents", "current": True, "number": 4},
    {"label": "Triggered", "href": "/incidents?state=triggered", "current": False, "number": 1},
    {"label": "Acknowledged", "href": "/incidents?state=acknowledged", "current": False, "number": 2},
    {"label": "Snoozed", "href": "/incidents?state=snoozed", "current": False, "number": 1},
    {"label": "Resolved", "href": "/incidents?state=resolved", "current": False, "number": None},
    {"label": "All", "href": "/incidents?state=all", "current": False, "number": None},
]


def incidents() -> Context:
    return base(
        "/incidents",
        topics=("incidents",),
        filters=FILTERS,
        q="",
        more="/incidents?before=1030",
        incidents=[GIT, CART, DISK, CERT, OLD, OLDER],
    )


def incidents_none() -> Context:
    return incidents() | {"incidents": [], "more": None, "q": "gitlay"}


def entry(at: datetime, kind: str, who: str, verb: str, object_: str = "", why: str = "", **more: Any) -> Context:
    return {
        "at": at,
        "kind": kind,
        "who": who,
        "verb": verb,
        "object": object_,
        "why": why,
        "note": "",
        "labels": [],
        "attempts": [],
        **more,
    }


LABELS = [
    ("alertname", "GitErrorBudgetBurn"),
    ("service", "gitaly"),
    ("severity", "critical"),
    ("region", "eu-west"),
    ("long_window", "1h"),
    ("instance", "gitaly-03.storage.svc.cluster.local:9236"),
]


def timeline() -> list[Context]:
    return [
        entry(ago(minutes=41), "change", "deploy pipeline", "shipped", "gitaly v17.2", "41 min before; same service"),
        entry(
            ago(minutes=4, seconds=8),
            "alert",
            "Prometheus",
            "reported",
            "GitErrorBudgetBurn",
            "route storage, alertmanager.yml:12; group {service=gitaly}",
            labels=LABELS,
        ),
        entry(
            ago(minutes=4),
            "state",
            "Quietshift",
            "opened",
            "INC-1042",
            "severity critical is mapped to escalation policy storage",
        ),
        entry(
            ago(minutes=3, seconds=12),
            "page",
            "Ana",
            "was paged",
            "",
            "on call for storage, layer weekly, step 1",
            attempts=[
                {
                    "at": ago(minutes=3, seconds=12),
                    "channel": "phone call",
                    "to": "+49 … 412",
                    "outcome": "accepted",
                    "answer": "queued, call id 7f3a",
                },
                {
                    "at": ago(minutes=3, seconds=11),
                    "channel": "ntfy",
                    "to": "ana",
                    "outcome": "failed",
                    "answer": "503 after 3 attempts, gave up",
                },
                {"at": ahead(seconds=48), "channel": "mail", "to": "ana@example.org", "outcome": "waiting", "answer": ""},
            ],
        ),
        entry(
            ago(minutes=2), "alert", "Prometheus", "reported", "DiskWillFill", "a cause: joins, does not page", labels=LABELS[:4]
        ),
        entry(ago(minutes=1), "note", "Ana", "wrote", "", note="Errors only on gitaly-03.\nLooks like the disk, not the deploy."),
        entry(ago(seconds=30), "step", "Ana", "ticked as done", "Look which nodes", "runbook Git error budget burn, step 1"),
    ]


def steps(*, ticked: bool) -> list[Context]:
    def step(n: int, title: str, html: str, **more: Any) -> Context:
        return {"n": n, "title": title, "html": Markup(html), "outcome": "", "by": "", "at": None, "note": "", **more}

    one = {"outcome": "done", "by": "Ana", "at": ago(seconds=30), "note": "only gitaly-03"} if ticked else {}
    return [
        step(
            1,
            "Look which nodes",
            "<p>Errors per node over ten minutes:</p><pre><code>topk(5, rate(gitaly_errors_total[10m]))</code></pre>",
            **one,
        ),
        step(
            2, "Drain the worst node", "<pre><code>gitalyctl drain gitaly-03 --wait</code></pre><p>Pushes move within 30 s.</p>"
        ),
        step(3, "Verify that pushes succeed", ""),
    ]


PEOPLE = [("ana", "Ana"), ("bo", "Bo"), ("chen", "Chen")]
SEVERITIES = [("critical", "critical"), ("warning", "warning"), ("info", "info")]


def incident(**more: Any) -> Context:
    return base(
        "/incidents/INC-1042",
        topics=("incident:1042",),
        viewer={**VIEWER, "zone": WEST},
        incident={
            "id": "INC-1042",
            "title": "Git push fails for 3.1 % of users",
            "state": "triggered",
            "severity": "critical",
            "snoozed_until": None,
            "service": "gitaly",
            "owner": "Storage",
            "zone": BERLIN,
            "opened_at": ago(minutes=4),
            "acknowledged_at": None,
            "resolved_at": None,
            "holder": None,
            "verdict": "",
        },
        can={"acknowledge", "escalate", "reassign", "severity", "note", "step"},
        paged={"at": ago(minutes=3, seconds=12), "via": "phone call"},
        next={"person": BO, "at": ahead(minutes=2)},
        responders=[{"person": ANA, "role": "paged"}],
        budget={
            "text": "Error budget: gone in 2 h at this rate",
            "points": [1, 1.1, 1, 0.9, 1.2, 1, 1.1, 1.4, 2.2, 5, 9, 14.2, 14.4],
            "window": "6 h",
        },
        changes=[{"text": "gitaly v17.2", "by": "deploy pipeline", "at": ago(minutes=41)}],
        also=[{"text": "DiskWillFill on gitaly-03", "href": "/alerts?q=DiskWillFill"}],
        runbook={
            "title": "Git error budget burn",
            "href": "/runbooks/GitErrorBudgetBurn",
            "name": "GitErrorBudgetBurn",
            "steps": steps(ticked=True),
        },
        alertname="GitErrorBudgetBurn",
        panels=[],
        people=PEOPLE,
        severities=SEVERITIES,
        timeline=timeline(),
        **more,
    )


def incident_acknowledged() -> Context:
    found = incident()
    state = {"state": "acknowledged", "acknowledged_at": ago(minutes=1), "holder": ANA}
    return found | {
        "incident": found["incident"] | state,
        "next": None,
        "budget": None,
        "changes": [],
        "also": [],
        "runbook": None,
        "can": {"resolve", "snooze", "escalate", "reassign", "severity", "note", "step"},
        "responders": [{"person": ANA, "role": "has it"}, {"person": BO, "role": "joined"}],
        "flash": [{"kind": "done", "text": "Acknowledged. Nobody else will be paged."}],
        "timeline": [*timeline(), entry(ago(seconds=5), "ack", "Ana", "acknowledged", "INC-1042", "by the link in the mail")],
        "panels": [{"title": "Similar incidents", "html": Markup("<p>INC-988, drained gitaly-02, 14 days ago.</p>")}],
    }


def incident_resolved() -> Context:
    found = incident()
    state = {
        "state": "resolved",
        "acknowledged_at": ago(hours=30),
        "resolved_at": ago(hours=29, minutes=20),
        "holder": ANA,
        "opened_at": ago(hours=30, minutes=5),
        "verdict": "noise",
    }
    return found | {"incident": found["incident"] | state, "next": None, "paged": None, "can": {"reopen", "classify", "note"}}


def incident_viewer() -> Context:
    found = incident()
    return found | {
        "viewer": {**VIEWER, "user": "eli", "name": "Eli", "role": "viewer"},
        "can": set(),
        "paged": None,
        "next": None,
    }
