"""What an ops directory is made of: each room's part, in the order of the floors, and what they ask of each other.

Light on purpose: `check` and the start of a server read this before anything heavy is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from quietshift.alerts import config as alerts
from quietshift.alerts import inbound
from quietshift.alerts.model import AlertsConfig
from quietshift.catalog import config as catalog
from quietshift.kernel.config import Node
from quietshift.kernel.errors import Problems
from quietshift.kernel.ops import Loaded, OpsFiles, Part, read
from quietshift.kernel.settings import read_settings
from quietshift.oncall import config as oncall
from quietshift.paging import config as paging
from quietshift.paging.model import PagingConfig
from quietshift.paging.storm import Bundling
from quietshift.runbooks import config as runbooks


@dataclass(frozen=True)
class Receivers:
    """`receivers:` of quietshift.yaml: which receivers of alertmanager.yml page people, by which escalation policy."""

    policies: dict[str, str]
    _places: dict[str, Node] = field(default_factory=dict, repr=False, compare=False)
    _bundle: Node | None = field(default=None, repr=False, compare=False)


def _receivers(files: OpsFiles, _loaded: Loaded, _problems: Problems) -> Receivers:
    document = files.single("quietshift.yaml")
    if document is None:
        return Receivers({})
    read_settings(document)
    found: dict[str, str] = {}
    places: dict[str, Node] = {}
    section = document.entries().get("receivers")
    for name, node in (section.entries() if section is not None else {}).items():
        policy = node.fields("escalation_policy")["escalation_policy"]
        found[name] = policy.required()
        places[name] = policy
    return Receivers(found, places, document.entries().get("bundle"))


def _bundling(_files: OpsFiles, loaded: Loaded, _problems: Problems) -> Bundling:
    return paging.bundling(loaded.get(Receivers)._bundle)


def _alerts(files: OpsFiles, loaded: Loaded, problems: Problems) -> AlertsConfig:
    policies = loaded.get(Receivers).policies
    path = files.root / "alertmanager.yml"
    if not path.is_file():
        problems.add(path, 1, "is missing: it says where alerts go (quietshift init DIR makes an example)")
        return alerts.load_file(path, Problems(), policies)  # said once
    return alerts.load_file(path, problems, policies)


@dataclass(frozen=True)
class CrossChecks:
    """Nothing of its own: the questions that two rooms' files ask each other."""


def _cross_checks(_files: OpsFiles, loaded: Loaded, _problems: Problems) -> CrossChecks:
    receivers = loaded.get(Receivers)
    known, paging_config = loaded.get(AlertsConfig).receivers, loaded.get(PagingConfig)
    policies = {*paging_config.policies, *paging_config.broken}  # what is wrong with a broken one was told where it stands
    for name, node in receivers._places.items():
        if name not in known:
            node.error(f"no receiver {name!r} is defined in alertmanager.yml")
        if receivers.policies[name] and receivers.policies[name] not in policies:
            node.error(f"no EscalationPolicy {receivers.policies[name]!r} is defined in oncall/")
    return CrossChecks()


PARTS: tuple[Part, ...] = (
    catalog.part, oncall.part, _receivers, _alerts, inbound.part, inbound.heartbeats, _bundling, paging.part, runbooks.part,
    _cross_checks,
)  # fmt: skip


def read_ops(root: Path) -> tuple[Loaded, Problems]:
    """Read and validate an ops directory, whole."""
    return read(root, PARTS)


def loader(root: Path) -> Callable[[], tuple[Loaded, Problems]]:
    """How an OpsHolder reads this directory, now and at each reload."""
    return lambda: read_ops(root)
