"""The `global` and `receivers` sections of `alertmanager.yml`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from quietshift.alerts.integrations import fields
from quietshift.alerts.integrations.fields import Place
from quietshift.alerts.integrations.globals import Global
from quietshift.alerts.integrations.kinds import kind
from quietshift.alerts.model import NOTIFIED_KINDS, Integration, Receiver
from quietshift.kernel.config import Node

NOT_YET_KINDS = ("jira_configs",)


@dataclass(frozen=True)
class Defaults:
    """What receivers inherit, and how their texts are checked."""

    settings: Global
    place: Place

    @property
    def resolve_timeout(self) -> timedelta:
        return self.settings.resolve_timeout


def builtin(text: str) -> None:
    from quietshift.alerts.integrations import saying

    saying.builtin().check(text)


def load_global(node: Node, directory: Path, check: Callable[[str], None] = builtin) -> Defaults:
    """The `global` section, Alertmanager's defaults where it is silent. check: raises ValueError for a template that is none."""
    place = Place(directory, check)
    made = fields.read(Global, node, place)
    if made.slack_app_token and made.slack_api_url and made.slack_api_url.value != made.slack_app_url:
        node.error("at most one of slack_api_url and slack_app_token")
    return Defaults(made, place)


def load(node: Node, defaults: Defaults) -> Receiver:
    """One receiver with its integrations; one that only has a name is valid."""
    f = node.fields("name", *(f"{name}_configs" for name in NOTIFIED_KINDS), *NOT_YET_KINDS)
    for key in NOT_YET_KINDS:
        if f[key].items() if f[key].is_list else not f[key].missing:
            f[key].error("is not supported yet")
    found: dict[str, Integration] = {}
    for name in NOTIFIED_KINDS:
        for i, item in enumerate(f[f"{name}_configs"].items()):
            found[f"{name}/{i}"] = _integration(name, item, defaults)
    return Receiver(f["name"].required(), found, node.line)


def _integration(name: str, node: Node, defaults: Defaults) -> Integration:
    made_of = kind(name)
    settings = defaults.settings
    inherited = {field: getattr(settings, above) for field, above in made_of.inherits.items()}
    before = len(node.problems.found)
    made: Integration = fields.read(made_of.config, node, defaults.place, inherited)
    if made_of.finish is not None and len(node.problems.found) == before:  # what could not be read is not missing as well
        made = made_of.finish(made, node, settings)
    return made
