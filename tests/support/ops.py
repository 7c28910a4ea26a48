"""A small ops directory for tests of the whole program: one team, its people and how each is reached."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Rules = Sequence[tuple[str, str]]  # after, via
Steps = Sequence[tuple[str, Sequence[str]]]  # after, targets
BACKSTAGE, OURS = "backstage.io/v1alpha1", "quietshift.dev/v1"


def write_ops(
    folder: Path,
    contacts: Mapping[str, Rules],
    steps: Steps,
    *,
    smtp_port: int | None = None,
    repeat: int = 3,
    resolve_timeout: str = "5m",
    group_interval: str = "1s",
    group_by: Sequence[str] = ("alertname", "service"),
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """The team `storage` of everybody in `contacts` owns the service `gitaly`; whatever fires goes by `steps`. Returns it.

    group_wait is 0s, and each page goes out by itself. Each user of `contacts` has a schedule of the same name, in which that
    user is always on.
    """
    people = list(contacts)
    catalog = [_entity("Group", "storage", {"type": "team", "children": [], "members": people})]
    catalog += [_entity("User", name, {"memberOf": ["storage"]}) for name in people]
    catalog.append(_entity("Component", "gitaly", {"type": "service", "lifecycle": "production", "owner": "storage"}))
    rotation = {"unit": "day", "every": 1, "handoff": "00:00", "start": "2026-01-05"}
    oncall: list[dict[str, Any]] = []
    for name, rules in contacts.items():
        layers = [{"name": "always", "rotation": rotation, "users": [name]}]
        oncall.append(_own("Schedule", name, {"owner": "group:storage", "timeZone": "Europe/Berlin", "layers": layers}))
        oncall.append(_own("Contacts", name, {"rules": [{"after": after, "via": via} for after, via in rules]}))
    steps_written = [{"after": after, "targets": list(targets)} for after, targets in steps]
    oncall.append(_own("EscalationPolicy", "storage", {"owner": "group:storage", "repeat": repeat, "steps": steps_written}))
    given: dict[str, Any] = {
        "receivers": {"storage": {"escalation_policy": "storage"}}, "bundle": {"window": "0s"}, **(settings or {}),
    }  # fmt: skip
    if smtp_port is not None:
        given |= {"smtp_smarthost": f"127.0.0.1:{smtp_port}", "smtp_tls": "none", "smtp_from": "quietshift@example.org"}
    route = {
        "receiver": "storage", "group_by": list(group_by), "group_wait": "0s", "group_interval": group_interval,
        "repeat_interval": "4h",
    }  # fmt: skip
    alertmanager = {"global": {"resolve_timeout": resolve_timeout}, "route": route, "receivers": [{"name": "storage"}]}
    for path, documents in {
        "catalog/all.yaml": catalog, "oncall/all.yaml": oncall, "quietshift.yaml": [given], "alertmanager.yml": [alertmanager],
    }.items():  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return folder


def _entity(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": BACKSTAGE, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _own(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": OURS, "kind": kind, "metadata": {"name": name}, "spec": spec}
