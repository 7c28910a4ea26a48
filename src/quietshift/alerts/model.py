"""The values of this room: what is reported, where it goes, who hears of it. Frozen, and valid once loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

import msgspec

from quietshift.alerts.intervals import Interval
from quietshift.alerts.labels import Labels
from quietshift.alerts.matchers import Matchers

if TYPE_CHECKING:
    from quietshift.channels.gotemplate import Templates

# The `*_configs` that are delivered; each has a file in `integrations`, and an outbox kind `notify.NAME`.
NOTIFIED_KINDS = (
    "webhook", "email", "slack", "pagerduty", "opsgenie", "pushover", "telegram", "discord", "msteams", "msteamsv2", "sns",
    "victorops", "webex", "wechat", "rocketchat", "mattermost", "incidentio",
)  # fmt: skip


class Alert(msgspec.Struct, frozen=True, gc=False):
    """The last known episode of one label set.

    ends_at: firing until then, unless renewed. timeout: the sender gave no end, it is the time of receipt plus
    `resolve_timeout`. lease: the end lay ahead when it was received, so that silence alone ends it; otherwise the sender said
    that it is over. id: its row, 0 until stored. grouped: it is a member of the groups of its routes.
    """

    labels: Labels
    annotations: Labels
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime
    timeout: bool = False
    lease: bool = True
    generator_url: str = ""
    id: int = 0
    grouped: bool = False

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")


class SilenceState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


class Silence(msgspec.Struct, frozen=True):
    """Alerts whose labels fulfil all matchers are not notified from starts_at until ends_at."""

    id: str
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    updated_at: datetime


class Notifier(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a receiver's `*_configs`: each kind has its own fields, see `integrations`."""

    kind: ClassVar[str] = ""
    send_resolved: bool = True

    @property
    def most_alerts(self) -> int:
        """How many alerts one notification tells at most; 0 for all."""
        return 0

    @property
    def whom(self) -> str:
        """Where it goes, without what could be a secret."""
        return ""


class Desk(msgspec.Struct, frozen=True):
    """The incident desk, which pages people by an escalation policy. It hears of everything, resolved alerts too."""

    kind: ClassVar[str] = "desk"
    escalation_policy: str
    send_resolved: bool = True


Integration = Notifier | Desk


class Receiver(msgspec.Struct, frozen=True):
    """Who hears of a group: its integrations by their key `webhook/0`, `email/1`, `desk/0`."""

    name: str
    integrations: Mapping[str, Integration]
    line: int = 0


class Route(msgspec.Struct, frozen=True, eq=False):
    """A node of the routing tree, what it inherits filled in.

    path: its place, `0` for the root, `0/2` for the root's third child. key: Alertmanager's name for it, of the matchers from
    the root down; not unique.
    """

    path: str
    key: str
    receiver: str
    matchers: Matchers = ()
    group_by: frozenset[str] = frozenset()
    group_by_all: bool = False
    group_wait: timedelta = timedelta(seconds=30)
    group_interval: timedelta = timedelta(minutes=5)
    repeat_interval: timedelta = timedelta(hours=4)
    continues: bool = False
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    line: int = 0

    def walk(self) -> Iterator[Route]:
        """This node and all below it, depth first."""
        yield self
        for child in self.routes:
            yield from child.walk()


class InhibitRule(msgspec.Struct, frozen=True):
    """Alerts that fulfil `target` are muted while one that fulfils `source`, with the same values of `equal`, is firing."""

    source: Matchers
    target: Matchers
    equal: tuple[str, ...] = ()
    line: int = 0


class AlertsConfig(msgspec.Struct, frozen=True):
    """`alertmanager.yml` as it is followed. original: its text, secrets blotted out, as the API shows it. templates: None for the
    built-in ones."""

    route: Route
    receivers: Mapping[str, Receiver]
    inhibit_rules: tuple[InhibitRule, ...] = ()
    intervals: Mapping[str, Interval] = {}
    resolve_timeout: timedelta = timedelta(minutes=5)
    original: str = ""
    templates: Templates | None = None

    def by_path(self) -> dict[str, Route]:
        """Every route by its path."""
        return {route.path: route for route in self.route.walk()}
