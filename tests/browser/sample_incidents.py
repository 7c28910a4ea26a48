"""View-models of the list of incidents and of one incident in each of its states."""

from datetime import datetime
from typing import Any

from markupsafe import Markup

from tests.browser.samples import (
    ANA,
    BERLIN,
    BO,
    CART,
    CERT,
    DISK,
    GIT,
    LABELS,
    OLD,
    OLDER,
    VIEWER,
    WEST,
    Context,
    ago,
    ahead,
    base,
)

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
        newer=None,
        narrowed=[],
        groups=[],
        policies=[],
        shown=None,
        incidents=[GIT, CART, DISK, CERT, OLD, OLDER],
    )


def incidents_many() -> Context:
    down = {"alert": "NodeDown", "href": "/incidents?alert=NodeDown", "policy": "storage", "number": 4987, "triggered": 4980}
    full = {"alert": "DiskWillFill", "href": "/incidents?alert=DiskWillFill", "policy": "web", "number": 12, "triggered": 0}
    policies = [{"label": f"policy {name}", "href": f"/incidents?policy={name}"} for name in ("storage", "web")]
    shown = {"first": 51, "last": 54, "number": 4999}
    narrowed = [{"label": "alert NodeDown", "href": "/incidents"}]
    some = {"incidents": [GIT, CART, DISK, CERT], "newer": "/incidents", "more": "/incidents?page=3"}
    return incidents() | some | {"groups": [down, full], "shown": shown, "narrowed": narrowed, "policies": policies}


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
                    "times": 1,
                    "until": None,
                    "answer": "queued, call id 7f3a",
                },
                {
                    "at": ago(minutes=3, seconds=11),
                    "channel": "ntfy",
                    "to": "ana",
                    "outcome": "failed",
                    "times": 3,
                    "until": ahead(seconds=30),
                    "answer": "503 after 3 attempts, gave up",
                },
                {
                    "at": ahead(seconds=48),
                    "channel": "mail",
                    "to": "ana@example.org",
                    "outcome": "waiting",
                    "answer": "",
                    "times": 1,
                    "until": None,
                },
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
