"""`alertmanager.yml`: routes, receivers, inhibition and time intervals, with `file:line` for what is wrong.

The file stays valid for `amtool check-config`. What Alertmanager takes and Quietshift does not follow yet is an error here by
name and line: nothing of it is dropped silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from quietshift.alerts import lint, matchers, receivers, secrets, syntax, templates
from quietshift.alerts.intervals import Interval, load_span
from quietshift.alerts.matchers import Matcher, Matchers
from quietshift.alerts.model import AlertsConfig, Desk, InhibitRule, Receiver, Route
from quietshift.kernel.config import Node, parse_documents
from quietshift.kernel.errors import Problems

ROUTE_FIELDS = (
    "receiver", "group_by", "match", "match_re", "matchers", "mute_time_intervals", "active_time_intervals", "continue",
    "routes", "group_wait", "group_interval", "repeat_interval",
)
MAX_DEPTH = 50
DEFAULTS = Route(path="0", key="{}", receiver="")


def load_file(path: Path, problems: Problems, policies: Mapping[str, str] | None = None) -> AlertsConfig:
    """The configuration in this file. policies: escalation policy by name of the receiver that pages people."""
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.add(path, 0, f"cannot be read: {error.strerror}")
        return AlertsConfig(DEFAULTS, {})
    return load(data, str(path), problems, policies)


def load(data: bytes, name: str, problems: Problems, policies: Mapping[str, str] | None = None) -> AlertsConfig:
    """The configuration in this text; `name` stands for the file in messages."""
    before = len(problems.found)
    documents = parse_documents(data, name, problems)
    if not documents:
        if len(problems.found) == before:
            problems.add(name, 0, "no route provided: the file is empty")
        return AlertsConfig(DEFAULTS, {})
    for extra in documents[1:]:
        extra.error("only one document is read; everything after the first `---` would be ignored")
    root = documents[0]
    f = root.fields(
        "global", "route", "inhibit_rules", "receivers", "templates", "mute_time_intervals", "time_intervals",
        "tracing",
    )
    if not f["tracing"].missing:
        f["tracing"].error("is not supported yet")
    library = templates.load(f["templates"], Path(name).parent)
    defaults = receivers.load_global(f["global"], Path(name).parent, library.check if library else receivers.builtin)
    config = AlertsConfig(
        route=_root(f["route"]),
        receivers=_receivers(f["receivers"], defaults, policies or {}),
        inhibit_rules=tuple(map(_inhibit_rule, f["inhibit_rules"].items())),
        intervals=_intervals(f["mute_time_intervals"], f["time_intervals"]),
        resolve_timeout=defaults.resolve_timeout,
        original=secrets.blot(data.decode("utf-8-sig", "replace")),
        templates=library,
    )
    _cross_check(config, f["route"], f["receivers"])
    return config


# -- routes --------------------------------------------------------------------------------------------------------------


def _root(node: Node) -> Route:
    if node.missing:
        node.error("no route provided")
        return DEFAULTS
    route = _route(node, None, "0")
    for key in ("match", "match_re", "matchers", "mute_time_intervals", "active_time_intervals"):
        entry = node.entries().get(key)
        if entry is not None and (entry.entries() if entry.is_map else not entry.missing and entry.items()):
            entry.error("the root route takes every alert at any time: it must not have this")
    if route.continues:
        node.entries()["continue"].error("the root route has no sibling to continue with")
    if not route.receiver:
        node.error("the root route has to name a receiver")
    return route


def _route(node: Node, parent: Route | None, path: str) -> Route:
    f = node.fields(*ROUTE_FIELDS)
    above = parent or DEFAULTS
    conditions = tuple(sorted(_conditions(f["match"], f["match_re"], f["matchers"]), key=matchers.route_order))
    names, everything = _group_by(f["group_by"])
    own = Route(
        path=path,
        key=(f"{parent.key}/" if parent else "") + matchers.text(conditions),
        receiver=f["receiver"].text() or above.receiver,
        matchers=conditions,
        group_by=frozenset(names) if names else above.group_by,
        group_by_all=everything or (above.group_by_all and not names),
        group_wait=f["group_wait"].duration(above.group_wait),
        group_interval=_positive(f["group_interval"], above.group_interval),
        repeat_interval=_positive(f["repeat_interval"], above.repeat_interval),
        continues=f["continue"].boolean(),
        mute_time_intervals=tuple(f["mute_time_intervals"].texts()),
        active_time_intervals=tuple(f["active_time_intervals"].texts()),
        line=node.line,
    )
    if path.count("/") >= MAX_DEPTH:
        node.error(f"routes are nested more than {MAX_DEPTH} deep")
        return own
    children = tuple(_route(child, own, f"{path}/{i}") for i, child in enumerate(f["routes"].items()))
    return _with_routes(own, children)


def _with_routes(route: Route, children: tuple[Route, ...]) -> Route:
    import msgspec

    return msgspec.structs.replace(route, routes=children)


def _positive(node: Node, inherited: timedelta) -> timedelta:
    span = node.duration(inherited)
    if not span:
        node.error("cannot be zero")
        return inherited
    return span


def _group_by(node: Node) -> tuple[list[str], bool]:
    names: list[str] = []
    everything = False
    for item in node.items():
        name = item.required()
        if name == "...":
            everything = True
        elif not syntax.is_name(name):
            item.error(f"{name!r} is not a label name")
        elif name in names:
            item.error(f"{name!r} is listed twice")
        else:
            names.append(name)
    if everything and names:
        node.error("'...' means all labels: other labels beside it make no sense")
    return names, everything


def _conditions(match: Node, match_re: Node, listed: Node) -> Matchers:
    found: list[Matcher] = []
    for node, operator in ((match, "="), (match_re, "=~")):
        for name, value in node.entries().items():
            if not syntax.is_name(name):
                value.error(f"{name!r} is not a label name")
            if operator == "=~" and value.missing:
                value.error("a regular expression is missing")
                continue
            made = value.parsed(lambda text, n=name, o=operator: matchers.matcher(n, o, text), None)  # type: ignore[misc]  # the lambda's defaults bind the loop
            if made and operator == "=~":
                made = Matcher(name, matchers.anchored(made.value), operator)
            found.append(made or Matcher(name, "", operator if value.missing else "="))
    for item in listed.items():
        read = item.parsed(matchers.read_matchers, matchers.Reading(()))
        found.extend(read.matchers)
        if read.warning:
            item.problems.add(item.file, item.line, read.warning, "warning")
    return tuple(found)


# -- inhibition, intervals, receivers ------------------------------------------------------------------------------------


def _inhibit_rule(node: Node) -> InhibitRule:
    f = node.fields(
        "source_match", "source_match_re", "source_matchers", "target_match", "target_match_re", "target_matchers", "equal"
    )
    for item in f["equal"].items():
        if not syntax.is_name(item.required()):
            item.error(f"{item.text()!r} is not a label name")
    return InhibitRule(
        _conditions(f["source_match"], f["source_match_re"], f["source_matchers"]),
        _conditions(f["target_match"], f["target_match_re"], f["target_matchers"]),
        tuple(f["equal"].texts()),
        node.line,
    )


def _intervals(*sections: Node) -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    for section in sections:
        for node in section.items():
            f = node.fields("name", "time_intervals")
            name = f["name"].required()
            if name in found:
                f["name"].error(f"a time interval of this name is already there: {name!r}")
            found[name] = tuple(map(load_span, f["time_intervals"].items()))
    return found


def _receivers(section: Node, defaults: receivers.Defaults, policies: Mapping[str, str]) -> dict[str, Receiver]:
    found: dict[str, Receiver] = {}
    for node in section.items():
        receiver = receivers.load(node, defaults)
        if receiver.name in found:
            node.error(f"a receiver of this name is already there: {receiver.name!r}")
        if receiver.name in policies:
            desk = {"desk/0": Desk(policies[receiver.name])}
            receiver = Receiver(receiver.name, {**receiver.integrations, **desk}, receiver.line)
        found[receiver.name] = receiver
    return found


def _cross_check(config: AlertsConfig, tree: Node, section: Node) -> None:
    problems, file = tree.problems, tree.file
    used = set()
    for route in config.route.walk():
        used.add(route.receiver)
        if route.receiver and route.receiver not in config.receivers:
            problems.add(file, route.line, f"route: receiver {route.receiver!r} is not defined")
        for name in (*route.mute_time_intervals, *route.active_time_intervals):
            if name not in config.intervals:
                problems.add(file, route.line, f"route: time interval {name!r} is not defined")
    for receiver in config.receivers.values():
        if receiver.name and receiver.name not in used:
            section.problems.add(file, receiver.line, f"receiver {receiver.name!r} is used by no route", "warning")
    for line, message in lint.findings(config) if not problems.errors else ():  # what is wrong was read as something else
        problems.add(file, line, message, "warning")
