"""The routing tree as text: which alerts go where, the lines of `alertmanager.yml` at the edge."""

from __future__ import annotations

from collections.abc import Iterator

from quietshift.alerts import matchers
from quietshift.alerts.model import AlertsConfig, Desk, Receiver, Route
from quietshift.kernel.durations import format_duration

TIMINGS = ("group_wait", "group_interval", "repeat_interval")


def draw(config: AlertsConfig) -> Iterator[str]:
    """A line for each route. Of what a route inherits only what it changes is shown."""
    width = len(str(max(route.line for route in config.route.walk())))
    for route, parent, branch in _walk(config.route, None, "", ""):
        asked = matchers.text(route.matchers) if parent else "every alert"
        words = [f"{asked} -> {receiver_words(route.receiver, config.receivers.get(route.receiver))}"]
        words += _settings(route, parent)
        yield f"{route.line:>{width}}  {branch}{'; '.join(words)}"


def _walk(route: Route, parent: Route | None, branch: str, indent: str) -> Iterator[tuple[Route, Route | None, str]]:
    yield route, parent, branch
    for child in route.routes:
        last = child is route.routes[-1]
        yield from _walk(child, route, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  "))


def receiver_words(name: str, receiver: Receiver | None) -> str:
    """`storage (webhook, pages by policy storage)`."""
    integrations = receiver.integrations.values() if receiver else ()
    told = [f"pages by policy {one.escalation_policy}" if isinstance(one, Desk) else one.kind for one in integrations]
    return f"{name} ({', '.join(told) or 'nobody is told'})"


def group_by_words(route: Route) -> str:
    return "all labels" if route.group_by_all else ", ".join(sorted(route.group_by)) or "no label: all in one group"


def _settings(route: Route, parent: Route | None) -> Iterator[str]:
    if parent is None or (route.group_by, route.group_by_all) != (parent.group_by, parent.group_by_all):
        yield f"by {group_by_words(route)}"
    for name in TIMINGS:
        if parent is None or getattr(route, name) != getattr(parent, name):
            yield f"{name} {format_duration(getattr(route, name))}"
    for name in ("mute_time_intervals", "active_time_intervals"):
        if getattr(route, name):
            yield f"{'muted in' if name.startswith('mute') else 'active only in'} {', '.join(getattr(route, name))}"
    if route.continues:
        yield "continues"
