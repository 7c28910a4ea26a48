"""Writes the generated parts of docs/: settings, commands, API, routes, metrics, tables, what of alertmanager.yml is followed.

    .venv/bin/python scripts/docs.py            # writes them
    .venv/bin/python scripts/docs.py --check    # tells which are out of date; exit 1 if one is

A page says where: between `<!-- generated: NAME -->` and `<!-- end -->`. What stands outside is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
_BLOCK = re.compile(r"(?P<open><!-- generated: (?P<name>[a-z-]+) -->\n).*?(?P<close><!-- end -->)", re.DOTALL)

# What a table is for; one that is not here makes this script fail.
TABLES = {
    "meta": "Facts about the database itself: the secret key's fingerprint, when a server was last alive.",
    "counters": "Numbers that people see, as in INC-1042.",
    "timers": "What is due when, and touches only the database. One row for each kind and subject.",
    "outbox": "What has an effect outside: claimed, sent, recorded.",
    "journal": "Who did what to which subject, and when. Append-only.",
    "journal_payloads": "An act's reason and data, on a salted digest: the part that can be erased.",
    "journal_seals": "The chain over the journal.",
    "accounts": "Who may sign in. The name is that of the catalog's User.",
    "sessions": "Signed-in browsers, by the digest of their cookie.",
    "setup_links": "One-time links by which a password is set, by digest.",
    "api_tokens": "Bearer tokens of programs, by digest.",
    "sign_in_attempts": "How often somebody tried to sign in lately, to slow down guessing.",
    "alerts": "The last known state of each alert.",
    "alert_groups": "Alerts that are told together, by route and group labels.",
    "alert_group_members": "Which alert is in which group.",
    "notification_log": "What each integration of a group was told last.",
    "open_events": "Problems that other tools have triggered and not resolved, by their own key.",
    "change_events": "What other tools have changed, as they told: shown beside the incidents of the service.",
    "event_requests": "What became of requests to Opsgenie's API, for a day.",
    "silences": "Silences, as Alertmanager has them.",
    "alert_decisions": "Why a group's receiver was told something, or was not.",
    "oncall_covers": "Requests for cover and what became of them.",
    "oncall_feeds": "Links to calendars of shifts, by digest.",
    "oncall_overrides": "Overrides of schedules that were made while the server ran. Rows stay, to be counted.",
    "incidents": "The unit of response. At most one is open for a group and receiver.",
    "incident_alerts": "The alerts of an incident.",
    "incident_notes": "What happened to an incident: the desk's part of the timeline.",
    "runbook_steps": "Steps that were ticked: done, skipped or failed, by whom. Rows are only added.",
    "escalations": "A policy at work on an incident, frozen at its start.",
    "pages": "A demand on one person's attention, at one step of one round.",
    "page_rungs": "Rungs of a contact ladder whose time has not come, or that wait to be told with others.",
    "page_windows": "What each contact was told in the last hour, and until when what follows waits to be told with others.",
    "page_bundles": "Messages that told of many pages at once.",
    "bundled_pages": "Which message told of which page.",
    "page_attempts": "Each attempt on a channel, with the provider's own answer.",
    "escalation_log": "What an escalation did, or did not do, and why.",
    "contact_rules": "The contact ladder that a person set in the web.",
}
# The web's pages and what is behind their buttons.
PAGES = {
    "GET /": "Home: am I on call, until when, is anything on fire.",
    "GET /incidents": "Incidents, open ones first.",
    "GET /incidents/{ref}": "An incident: what it is, its runbook, who was paged, the timeline.",
    "GET /incidents/{ref}/why": "Why was I paged, why was nobody paged: every hop with its reason.",
    "POST /incidents/{ref}/acknowledge": "Its button: I have it.",
    "POST /incidents/{ref}/resolve": "Its button: it is over, and what the page was.",
    "POST /incidents/{ref}/classify": "Its button: what the page was, said later.",
    "POST /incidents/{ref}/snooze": "Its button: call again later.",
    "POST /incidents/{ref}/escalate": "Its button: call the next step now.",
    "POST /incidents/{ref}/reassign": "Its button: call these people instead.",
    "POST /incidents/{ref}/note": "Its form: a note for the timeline.",
    "POST /incidents/{ref}/severity": "Its form: how bad it is.",
    "POST /incidents/{ref}/reopen": "Its button: it is not over after all.",
    "POST /incidents/{ref}/steps/{step}": "A runbook's step beside it: done, skipped or failed, with a note.",
    "GET /runbooks/{name:path}": "A runbook.",
    "GET /alerts": "Alerts that are reported now.",
    "GET /whatif": "What would become of an alert that nobody acknowledges; nothing is sent.",
    "GET /alerts/{fingerprint}": "An alert: every decision about it with its reason, on each route that takes it.",
    "GET /silences": "Silences: active, pending, expired; who, why, until when, how many alerts each mutes now.",
    "GET /silences/new": "A new silence, filled in from an alert (`fingerprint`) or an incident; with what it would mute.",
    "POST /silences": "Its button: silence.",
    "GET /silences/{silence_id}": "A silence: which alerts, what it mutes now, who did what with it.",
    "GET /silences/{silence_id}/edit": "The form again, filled in from a silence.",
    "POST /silences/{silence_id}/edit": "Its button: save.",
    "GET /silences/{silence_id}/extend": "What the link in a notice opens. Looking changes nothing: mail scanners follow links.",
    "POST /silences/{silence_id}/extend": "A silence's button: it ends later.",
    "POST /silences/{silence_id}/expire": "A silence's button: it ends now.",
    "GET /why": "Alerts that paged nobody, and why.",
    "GET /schedules": "Who is on call, for the next 14 days.",
    "GET /schedules/{name}": "One schedule, as a calendar.",
    "POST /schedules/{name}/overrides": "Its form: somebody else is on for a while.",
    "POST /schedules/{name}/overrides/{override_id}/end": "Its button: take an override back.",
    "GET /feeds/{token}.ics": "Shifts of a person or a schedule for a calendar program. Without a session: the link is the key.",
    "GET /pages": "What repeats: pages ranked by alert, owner or hour of day, nights marked.",
    "GET /me": "How I am reached, my next shifts.",
    "POST /me": "Its form: my contact ladder.",
    "POST /me/test-page": "Its button: try every contact of mine.",
    "POST /me/password": "Its form: another password.",
    "GET /journal": "Who did what, when and why.",
    "GET /p/{token}": "What the link in a page opens. Looking changes nothing: mail scanners follow links.",
    "POST /p/{token}": "Acknowledge by that link, without a session: a webhook's `acknowledge_url`.",
    "POST /p/{token}/acknowledge": "The same, from the page's button.",
    "POST /p/{token}/escalate": "By that link: I cannot take it, call the next one.",
    "GET /sign-in": "Sign in.",
    "POST /sign-in": "Its form.",
    "POST /sign-out": "Sign out.",
    "GET /setup/{token}": "A one-time set-up link: choose a password.",
    "POST /setup/{token}": "Its form.",
    "GET /static/{name:path}": "Style sheet, script, icons.",
    "GET /openapi.json": "The API's description, `/api/v1/openapi.json`, where tools look first.",
    "GET /favicon.ico": "The icon.",
    "GET /events": "The live stream (SSE): tells open pages what has changed.",
}
# Acts in the journal; tests/docs compares them with those that the code writes.
ACTS = {
    "config.reloaded": "The ops directory was read anew and is in force.",
    "config.refused": "A reload was refused, with what is wrong; the old configuration stays in force.",
    "incident.opened": "An alert group opened it.",
    "incident.alerts_joined": "New alerts joined it.",
    "incident.acknowledged": "Somebody has it.",
    "incident.resolved": "Its alerts ended, or somebody resolved it.",
    "incident.reopened": "Its group fired again in time, or somebody reopened it.",
    "incident.snoozed": "Somebody wants to be called again later.",
    "incident.snooze_ended": "That time has come.",
    "incident.escalated": "Somebody had the next step called now.",
    "incident.reassigned": "Somebody had other people called.",
    "incident.severity": "Its severity rose with an alert, or was set by hand.",
    "incident.classified": "Somebody said what the page was.",
    "incident.note": "A note.",
    "incident.step": "A runbook's step was ticked.",
    "runbook.step_done": "The step, as an action of the shift.",
    "runbook.step_skipped": "The same, skipped.",
    "runbook.step_failed": "The same, failed.",
    "paging.paged": "People were called, and why these.",
    "page.bundle_acknowledged": "Somebody took all that one message told of; each is acknowledged by itself after it.",
    "paging.exhausted": "Nobody acknowledged in any round.",
    "paging.nobody": "Nobody could be called at all.",
    "oncall.override_added": "Somebody was put on call for a while, above what the ops directory says.",
    "oncall.override_ended": "That was taken back.",
    "oncall.cover_asked": "Somebody asked that another takes their place.",
    "oncall.cover_taken": "Another took it; with the rest rules that this broke.",
    "oncall.cover_declined": "Somebody who was asked said no.",
    "oncall.cover_withdrawn": "The request was taken back.",
    "oncall.feed_made": "A link to a calendar of shifts was made.",
    "oncall.feed_revoked": "It leads nowhere any more.",
    "page.tested": "A test page was asked for.",
    "contacts.changed": "Somebody's contact ladder was set; addresses are masked.",
    "silence.created": "A silence was set.",
    "silence.changed": "A silence was changed.",
    "silence.expired": "A silence was ended.",
    "silence.notice": "The owner of a silence was told that it ends.",
    "account.invited": "A set-up link was made for somebody.",
    "account.created": "Somebody chose their first password.",
    "account.reset": "Somebody chose another by a set-up link.",
    "account.password_changed": "Somebody changed theirs.",
    "account.role_changed": "An administrator gave another role.",
    "account.disabled": "Somebody was locked out.",
    "account.enabled": "Somebody was let in again.",
    "auth.first_link_made": "The first start printed a set-up link.",
    "auth.signed_in": "Somebody signed in.",
    "auth.signed_out": "Somebody signed out.",
    "auth.sign_in_failed": "A password was wrong.",
    "auth.throttled": "Too many attempts: the next ones have to wait.",
    "token.created": "An API token was made.",
    "token.revoked": "An API token was revoked.",
    "queue.retried": "A parked row was tried again.",
    "journal.payload_erased": "An act's reason and data were erased.",
}


# -- what is generated ---------------------------------------------------------------------------------------------------


def settings() -> str:
    from quietshift.kernel.settings import reference

    return reference()


def commands() -> str:
    """Every command with its help, as the terminal shows it. That of `alertmanager` has a page of its own."""
    return "\n".join(f"### `{name}`\n\n```text\n{_help(context)}\n```\n" for name, context in walk_commands())


def walk_commands() -> Iterator[tuple[str, click.Context]]:
    """Each command's full name and context, groups before what they hold."""
    from quietshift.app.cli import cli

    yield from _walk(
        click.Context(cli, info_name="quietshift", **{**cli.context_settings, "terminal_width": 100, "max_content_width": 100})
    )


def _walk(context: click.Context) -> Iterator[tuple[str, click.Context]]:
    yield context.command_path, context
    if isinstance(context.command, click.Group):
        for each in context.command.list_commands(context):
            if each == "alertmanager":  # reads Alertmanager's flags itself: docs/reference/alertmanager.md
                continue
            found = context.command.get_command(context, each)
            assert found is not None
            yield from _walk(click.Context(found, parent=context, info_name=each, **found.context_settings))


def _help(context: click.Context) -> str:
    return "\n".join(line.rstrip() for line in context.get_help().split("\n"))


def alertmanager_flags() -> str:
    from quietshift.app.alertmanager import FLAGS

    rows = [(f"`--{name}`", f"`{default}`" if default else "", meaning) for name, (_, default, meaning) in FLAGS.items()]
    return _table(("flag", "default", "meaning"), rows)


def alertmanager_file() -> str:
    """What receivers take, from the values that the loader itself fills, and what is refused."""
    from quietshift.alerts import receivers
    from quietshift.alerts.integrations import fields, http_config
    from quietshift.alerts.integrations.globals import Global
    from quietshift.alerts.integrations.kinds import kind
    from quietshift.alerts.model import NOTIFIED_KINDS

    rows = [("`global`", _names(fields.names(Global)))]
    rows += [(f"`{name}_configs`", _names(fields.names(kind(name).config))) for name in NOTIFIED_KINDS]
    rows += [
        ("`http_config`", _names(http_config.HTTP_FIELDS)),
        ("`oauth2`", _names(http_config.OAUTH2_FIELDS)),
        ("`tls_config`", _names(http_config.TLS_FIELDS)),
        ("refused by name and line", _names(receivers.NOT_YET_KINDS)),
    ]
    return _table(("where", "keys"), rows)


def metrics() -> str:
    from quietshift.app.metrics import METRICS

    rows = [
        (f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), text) for name, (kind, labels, text) in METRICS.items()
    ]
    return _table(("metric", "kind", "labels", "meaning"), rows)


def api() -> str:
    """Every operation of /api/v1, by tag, with the scope it needs."""
    described = web_app().openapi()
    by_tag: dict[str, list[tuple[str, str, str]]] = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            row = (f"`{method.upper()} {path}`", _scope(operation), operation["summary"])
            by_tag.setdefault(operation["tags"][0], []).append(row)
    texts = {tag["name"]: tag["description"] for tag in described["tags"]}
    return "\n".join(
        f"### {tag[0].upper()}{tag[1:]}\n\n{texts[tag]}\n\n{_table(('operation', 'scope', 'what it does'), by_tag[tag])}"
        for tag in texts if tag in by_tag
    )  # fmt: skip


def _scope(operation: dict[str, Any]) -> str:
    needed = {scope for one in operation.get("security", []) for scopes in one.values() for scope in scopes}
    return ", ".join(f"`{scope}`" for scope in sorted(needed)) or "none"


def alerts_api() -> str:
    from quietshift.alerts.api import PREFIX, ROUTES

    rows = [
        (f"`{method} {PREFIX}{path}{'{id}' if path.endswith('/') else ''}`", f"`{scope}`")
        for path, methods in ROUTES.items()
        for method, (_, scope) in methods.items()
    ]
    return _table(("operation", "scope"), rows)


def events_api() -> str:
    from quietshift.alerts.events_api import ROUTES

    rows = [(f"`{method} {path}`", text) for path, methods in ROUTES.items() for method, text in methods.items()]
    return _table(("operation", "what it does"), rows)


def pages() -> str:
    """Every route of the web, with what it is for."""
    return _table(("route", "what it is"), [(f"`{route}`", PAGES[route]) for route in web_routes()])


def web_routes() -> list[str]:
    """Each route of the web, as `GET /incidents`, in the order of PAGES where it stands there."""
    found = [route for route in all_routes() if not route.split()[1].startswith("/api/")]
    order = list(PAGES)
    return sorted(found, key=lambda route: (order.index(route) if route in order else len(order), route))


def all_routes() -> set[str]:
    """Whatever the web application answers, as `GET /incidents`."""
    found, todo = set(), list(web_app().routes)
    while todo:
        route = todo.pop()
        if hasattr(route, "original_router"):  # what FastAPI keeps of an included router
            todo += route.original_router.routes
        else:
            found |= {f"{method} {route.path}" for method in route.methods if method != "HEAD"}
    return found


def acts() -> str:
    return _table(("act", "meaning"), [(f"`{act}`", meaning) for act, meaning in ACTS.items()])


def tables() -> str:
    from quietshift.app.tables import metadata

    rows = [
        (f"`{name}`", TABLES[name], ", ".join(f"`{column.name}`" for column in metadata.tables[name].columns))
        for name in sorted(metadata.tables)
    ]
    return _table(("table", "what it keeps", "columns"), rows)


def webhook() -> str:
    """The body of a webhook contact's POST, made by the code that makes the real one."""
    from quietshift.incidents.model import Incident, Severity, as_json
    from quietshift.paging.model import IncidentFacts, NextStep
    from quietshift.paging.render import Message
    from quietshift.paging.render import webhook as body

    opened = datetime(2026, 11, 21, 2, 56, tzinfo=UTC)
    incident = Incident(
        id=1042, group='{}:{alertname="CheckoutFailing", service="checkout"}', receiver="payments",
        title="Checkout fails for 12 % of users", escalation_policy="payments", opened_at=opened, updated_at=opened,
        severity=Severity.CRITICAL, alertname="CheckoutFailing", service="checkout", owner="group:default/payments",
    )  # fmt: skip
    base = "https://quietshift.example.org"
    facts = IncidentFacts(
        incident.id, incident.title, str(incident.severity), incident.service, incident.owner, str(incident.state),
        incident.opened_at, f"{base}/incidents/{incident.ref}", as_json(incident),
    )  # fmt: skip
    at = datetime(2026, 11, 21, 3, 1, 10, tzinfo=UTC)
    following = NextStep(at, ("bo",), "bo (schedule:payments-backup)")
    message = Message(
        "01K9Z8Y7X6W5V4T3S2R1Q0P9N8", "ana", datetime(2026, 11, 21, 2, 56, 10, tzinfo=UTC), "step 1 of 3, round 1 of 4", 0, facts,
        following, f"{base}/p/AbCdEf",
    )  # fmt: skip
    return f"```json\n{json.dumps(body(message, 1), indent=2, ensure_ascii=False)}\n```\n"


GENERATED: dict[str, Callable[[], str]] = {
    "settings": settings,
    "commands": commands,
    "alertmanager-flags": alertmanager_flags,
    "alertmanager-file": alertmanager_file,
    "metrics": metrics,
    "api": api,
    "alerts-api": alerts_api,
    "events-api": events_api,
    "pages": pages,
    "acts": acts,
    "tables": tables,
    "webhook": webhook,
}


# -- how -----------------------------------------------------------------------------------------------------------------


_web: list[Any] = []


def web_app() -> Any:
    """The web application, on the example's ops directory and an empty database."""
    if not _web:
        with _opened() as web:
            web.openapi()  # made now, kept
            _web.append(web)
    return _web[0]


@contextmanager
def _opened() -> Iterator[Any]:
    from quietshift.app.http_app import build
    from quietshift.app.init_command import write_example
    from quietshift.app.parts import loader
    from quietshift.app.wire import open_app
    from quietshift.kernel.clock import SystemClock
    from quietshift.kernel.ops import OpsHolder
    from quietshift.kernel.settings import load_settings

    with tempfile.TemporaryDirectory() as folder:
        ops = Path(folder) / "ops"
        write_example(ops)
        settings = load_settings({"ops": str(ops), "db": f"{folder}/quietshift.db"}, {})
        app = open_app(settings, OpsHolder(loader(ops)), SystemClock())
        try:
            yield build(app)
        finally:
            app.db.close()


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(columns: tuple[str, ...], rows: list[Any]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def render(text: str) -> str:
    """The page with its generated parts made anew. KeyError names a part that nothing makes."""
    return _BLOCK.sub(lambda found: f"{found['open']}{GENERATED[found['name']]()}{found['close']}", text)


def stale() -> dict[Path, str]:
    """Pages that are out of date, with what they should be."""
    found = {}
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text()
        now = render(text)
        if now != text:
            found[page] = now
    return found


def main(arguments: list[str]) -> int:
    pages = stale()
    for page, text in pages.items():
        if "--check" not in arguments:
            page.write_text(text)
        sys.stdout.write(f"{page.relative_to(ROOT)}\n")
    return 1 if pages and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
