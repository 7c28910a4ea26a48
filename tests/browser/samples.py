"""View-models as the doors build them, with realistic content: one for each template and each of its states."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

NOW = datetime(2026, 11, 21, 2, 0, 12, tzinfo=UTC)
BERLIN, TOKYO, WEST = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Los_Angeles")

ANA, BO, CHEN, DEE, ELI = ({"user": name.lower(), "name": name} for name in ("Ana", "Bo", "Chen", "Dee", "Eli"))

Context = dict[str, Any]

LABELS = [
    ("alertname", "GitErrorBudgetBurn"),
    ("service", "gitaly"),
    ("severity", "critical"),
    ("region", "eu-west"),
    ("long_window", "1h"),
    ("instance", "gitaly-03.storage.svc.cluster.local:9236"),
]


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
