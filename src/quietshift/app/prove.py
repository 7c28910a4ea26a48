"""Will it page? Every service's alerts followed to a policy, and every policy to people, for each minute of the next weeks.

Services that share a policy share its proof. What is asked is what the server asks: routes by `alerts.decide`, people by
`paging.decide` and `oncall.decide`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from quietshift.alerts import decide
from quietshift.alerts.intervals import Interval
from quietshift.alerts.labels import Labels
from quietshift.alerts.model import AlertsConfig, Desk, Route
from quietshift.alerts.routing import Router
from quietshift.alerts.why import ROUTES_FILE
from quietshift.catalog.model import Catalog, Entity
from quietshift.kernel.clock import rfc3339
from quietshift.kernel.ops import Loaded
from quietshift.oncall.model import Oncall
from quietshift.paging import proof
from quietshift.paging.model import PagingConfig
from quietshift.paging.proof import Called, Finding, Kind, People, Span, Stretch

NOT_SERVICES = ("library", "documentation")  # Components of these types run nowhere, so nothing of them can fire
CRITICAL: Labels = {"severity": "critical"}


@dataclass(frozen=True)
class Way:
    """A route that takes a service's alerts, and the policy that it leads to; "" where it pages nobody."""

    labels: Labels
    route: Route
    policy: str


@dataclass(frozen=True)
class Service:
    """A Component and where its alerts go."""

    entity: Entity
    ways: tuple[Way, ...]

    @property
    def policies(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(way.policy for way in self.ways if way.policy))


@dataclass(frozen=True)
class Proof:
    """What was found. stretches: by policy, what becomes of an escalation by the instant at which it begins. affected: for each
    finding the services that it concerns, by its place."""

    root: Path | None
    start: datetime
    end: datetime
    services: tuple[Service, ...]
    stretches: Mapping[str, Sequence[Stretch]]
    findings: tuple[Finding, ...]
    affected: tuple[tuple[str, ...], ...]

    @property
    def errors(self) -> int:
        return sum(finding.error for finding in self.findings)


def prove(
    ops: Loaded, start: datetime, end: datetime, *, service: str = "", label_sets: Sequence[Labels] = (CRITICAL,)
) -> Proof:
    """For every service (or this one), who is paged and what is wrong, for alerts with these labels beside `service`, within
    [start, end). All policies are looked at, unless one service is asked for. Raises NotFound for a service nobody knows."""
    catalog, config, paging = ops.get(Catalog), ops.get(AlertsConfig), ops.get(PagingConfig)
    chosen = [_component(catalog, service)] if service else [
        entity for entity in catalog.components if entity.type not in NOT_SERVICES
    ]  # fmt: skip
    router = Router(config.route)
    services = tuple(Service(entity, tuple(_ways(config, router, entity, label_sets))) for entity in chosen)
    by_policy: dict[str, list[str]] = {} if service else {name: [] for name in sorted(paging.policies)}
    for one in services:
        for name in one.policies:
            by_policy.setdefault(name, []).append(one.entity.id)
    policies = [paging.policy(name) for name in by_policy]
    longest = max((proof.reach(policy, paging.contacts) for policy in policies), default=timedelta())
    people = People(ops.get(Oncall), catalog, paging.contacts, start, end + longest)
    made = {policy.name: proof.stretches(policy, people, start, end) for policy in policies}
    found: dict[tuple[object, ...], tuple[Finding, dict[str, None]]] = {}

    def add(finding: Finding, services: Iterable[str]) -> None:
        finding = replace(finding, file=_relative(finding.file, ops.root))
        found.setdefault((finding.kind, finding.where, finding.text), (finding, {}))[1].update(dict.fromkeys(services))

    for policy in policies:
        for finding in proof.findings(policy, made[policy.name], people, start, end):
            add(finding, by_policy[policy.name])
    for one in services:
        for finding in _of_service(one, catalog):
            add(finding, [one.entity.id])
    for finding, names in _muted(services, config.intervals, start, end):
        add(finding, names)
    order = sorted(found.values(), key=lambda one: (not one[0].error, one[0].file, one[0].line, one[0].text))
    return Proof(ops.root, start, end, services, made, tuple(one for one, _ in order), tuple(tuple(names) for _, names in order))


def _relative(file: str, root: Path | None) -> str:
    """As `check` names it: from the ops directory on."""
    path = Path(file)
    return str(path.relative_to(root)) if root is not None and path.is_relative_to(root) else file


def _component(catalog: Catalog, name: str) -> Entity:
    return catalog.component(name) or catalog.get(name, "component")


def _ways(config: AlertsConfig, router: Router, entity: Entity, label_sets: Sequence[Labels]) -> Iterable[Way]:
    for given in label_sets:
        labels = {**given, "service": entity.id}
        for route in router.routes(labels):
            integrations = config.receivers[route.receiver].integrations.values()
            yield Way(given, route, next((one.escalation_policy for one in integrations if isinstance(one, Desk)), ""))


def _of_service(service: Service, catalog: Catalog) -> Iterable[Finding]:
    entity = service.entity
    if catalog.owner(entity) is None:
        text = f"nobody owns {entity.ref}: its incidents have no group of their own"
        yield Finding(Kind.NO_OWNER, False, entity.file, entity.line, text)
    paging = {str(way.labels) for way in service.ways if way.policy}
    for way in service.ways:
        if str(way.labels) not in paging:
            of = ", ".join(f"{name}={value}" for name, value in way.labels.items()) or "no other label"
            text = f"receiver {way.route.receiver}, where alerts with {of} go, pages nobody: quietshift.yaml maps no policy to it"
            yield Finding(Kind.NO_POLICY, True, ROUTES_FILE, way.route.line, text)


def _muted(
    services: Sequence[Service], intervals: Mapping[str, Interval], start: datetime, end: datetime
) -> Iterable[tuple[Finding, list[str]]]:
    """Routes to people that say nothing at times, each once."""
    routes: dict[str, tuple[Route, dict[str, None]]] = {}
    for service in services:
        for way in service.ways:
            if way.policy:
                routes.setdefault(way.route.path, (way.route, {}))[1][service.entity.id] = None
    for route, names in routes.values():
        spans = list(_mutes(route, intervals, start, end))
        if spans:
            text = f"the route to receiver {route.receiver} is muted by its time intervals: nobody is paged meanwhile"
            yield Finding(Kind.MUTED, False, ROUTES_FILE, route.line, text, proof.merged(spans, start, end)), list(names)


def _mutes(route: Route, intervals: Mapping[str, Interval], start: datetime, end: datetime) -> Iterable[Span]:
    if not route.mute_time_intervals and not route.active_time_intervals:
        return
    here = start
    while here < end:
        muted = decide.route_mute(route, intervals, here)
        until = decide.mute_changes_at(route, intervals, here) or end
        if muted is not None:
            yield here, until
        here = until


# -- as JSON -------------------------------------------------------------------------------------------------------------


def as_json(found: Proof) -> dict[str, Any]:
    """Everything: services, what becomes of an escalation by the instant at which it begins, what is wrong."""
    return {
        "from": rfc3339(found.start),
        "to": rfc3339(found.end),
        "errors": found.errors,
        "warnings": len(found.findings) - found.errors,
        "services": [_service_json(service, found) for service in found.services],
        "policies": [
            {"policy": name, "stretches": [_stretch_json(one) for one in made]} for name, made in found.stretches.items()
        ],
        "findings": [
            finding_json(finding, names) for finding, names in zip(found.findings, found.affected, strict=True)
        ],
    }


def _service_json(service: Service, found: Proof) -> dict[str, Any]:
    entity = service.entity
    return {
        "service": entity.id, "file": _relative(entity.file, found.root), "line": entity.line,
        "owner": str(entity.owner) if entity.owner else None,
        "routes": [
            {"labels": way.labels, "line": way.route.line, "receiver": way.route.receiver, "policy": way.policy or None}
            for way in service.ways
        ],
        "reached_within_seconds": _seconds(slowest(found.stretches[name] for name in service.policies)),
    }  # fmt: skip


def slowest(made: Iterable[Sequence[Stretch]]) -> timedelta | None:
    """Within which time a human is reached, whenever it begins, by all of these; None where sometimes nobody is, or never."""
    each = [stretch.reached_within for stretches in made for stretch in stretches]
    known = [one for one in each if one is not None]
    return max(known) if known and len(known) == len(each) else None


def _stretch_json(one: Stretch) -> dict[str, Any]:
    return {
        "from": rfc3339(one.start), "to": rfc3339(one.end), "first": _called_json(one.first), "next": _called_json(one.next),
        "reached_within_seconds": _seconds(one.reached_within),
    }  # fmt: skip


def _called_json(called: Called | None) -> dict[str, Any] | None:
    if called is None:
        return None
    return {"after_seconds": _seconds(called.after), "users": list(called.users), "stage": called.stage}


def finding_json(finding: Finding, services: Sequence[str]) -> dict[str, Any]:
    """A finding; its times in UTC and, with an offset, in the zone of what it is about. No times: it is always so."""
    return {
        "severity": "error" if finding.error else "warning", "kind": finding.kind, "file": finding.file, "line": finding.line,
        "text": finding.text, "services": list(services), "zone": finding.zone.key,
        "minutes": int(finding.lasts.total_seconds() // 60) if finding.spans else None,
        "times": [
            {
                "from": rfc3339(start), "to": rfc3339(end), "local_from": start.astimezone(finding.zone).isoformat(),
                "local_to": end.astimezone(finding.zone).isoformat(),
            }
            for start, end in finding.spans
        ],
    }  # fmt: skip


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
