"""`quietshift alerts`, and of it `route`: where an alert would go and who would be paged first, by the files alone, no server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quietshift.alerts.commands import alerts, fingerprint_argument
from quietshift.alerts.silence_commands import for_option, make, sure_option, until_option, why_option
from quietshift.alerts.template_commands import template
from quietshift.kernel.terminal import output_option, show_json, show_table
from quietshift.oncall.commands import instant

if TYPE_CHECKING:
    from quietshift.alerts.labels import Labels
    from quietshift.alerts.model import AlertsConfig, Route
    from quietshift.kernel.ops import Loaded

__all__ = ["alerts", "template"]


def labels_of(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> tuple[Labels, ...]:
    """`one_label_set` of an option that may be given many times."""
    return tuple(one_label_set(ctx, param, text) for text in value)


def one_label_set(ctx: click.Context, param: click.Parameter, value: str) -> Labels:
    """The label set of `a=b,c="d, e"`. What is none is a usage error."""
    from quietshift.alerts.labels import label_set
    from quietshift.alerts.matchers import parse_matchers

    try:
        pairs = parse_matchers(value)
        for pair in pairs:
            if pair.operator != "=":
                raise ValueError(f"{pair}: a label has one value: write {pair.name}=VALUE")
        found = label_set({pair.name: pair.value for pair in pairs})
        if not found or len(pairs) > len({pair.name for pair in pairs}):
            raise ValueError("name each label once, and one at least, like alertname=DiskFull,service=media")
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    return found


@alerts.command()
@click.option("--labels", callback=one_label_set, required=True, metavar="A=B,C=D", help="The labels of the alert.")
@click.option("--at", callback=instant, metavar="TIME", help="At this time; now, if left out.")
@click.option("--ops", type=click.Path(path_type=Path), help="The ops directory. Default: QUIETSHIFT_OPS, else this one.")
@click.option("--config", "file", type=click.Path(path_type=Path), help="This alertmanager.yml alone: nothing is told of pages.")
@output_option
def route(labels: Labels, at: datetime | None, ops: Path | None, file: Path | None, output: str) -> None:
    """Say where an alert would go: each route that takes it, with its line, receiver, group and timings, whether it is muted at a
    time and until when, and who would be paged first then. Needs no server, and knows no silences and no contacts set in the web.
    """
    from quietshift.alerts import decide
    from quietshift.alerts.model import AlertsConfig
    from quietshift.kernel.clock import SystemClock

    if ops and file:
        raise click.UsageError("--ops and --config are two places to look: name one")
    loaded = _read(ops, file)
    config, when = loaded.get(AlertsConfig), at or SystemClock().now()
    found = [_answer(loaded, config, taken, labels, when) for taken in decide.match(config.route, labels)]
    if output == "json":
        show_json(found)
        return
    for one in found:
        show_table((f"{file or 'alertmanager.yml'}:{one['line']}", one["route"]), _rows(one))


@alerts.command()
@fingerprint_argument
@for_option
@until_option
@why_option
@sure_option
@output_option
def silence(fingerprint: str, span: str | None, until: str | None, why: str, sure: bool, output: str) -> None:
    """Silence alerts with the labels of this one. FINGERPRINT: see `quietshift alerts list`."""
    make({"fingerprint": fingerprint}, span, until, why, sure, output)


def _read(ops: Path | None, file: Path | None) -> Loaded:
    """The ops directory, or the one file. Raises ConfigError with every error."""
    import os

    from quietshift.kernel.errors import Problems
    from quietshift.kernel.ops import Loaded

    if file is None:
        from quietshift.app.parts import read_ops

        loaded, problems = read_ops(ops or Path(os.environ.get("QUIETSHIFT_OPS") or "."))
    else:
        from quietshift.alerts.config import load_file

        loaded, problems = Loaded(file.parent), Problems()
        loaded.put(load_file(file, problems))
    problems.raise_errors()
    return loaded


def _answer(loaded: Loaded, config: AlertsConfig, taken: Route, label_set: Labels, at: datetime) -> dict[str, Any]:
    from quietshift.alerts import decide
    from quietshift.alerts.model import Desk
    from quietshift.kernel.clock import rfc3339
    from quietshift.kernel.durations import format_duration

    integrations = config.receivers[taken.receiver].integrations
    policies = [one.escalation_policy for one in integrations.values() if isinstance(one, Desk)]
    muted = decide.route_mute(taken, config.intervals, at)
    until = decide.mute_changes_at(taken, config.intervals, at) if muted else None
    of = decide.group_labels(taken, label_set)
    return {
        "line": taken.line, "route": taken.key, "receiver": taken.receiver, "integrations": sorted(integrations),
        "group_labels": of, "group_key": decide.group_key(taken, of),
        "group_wait": format_duration(taken.group_wait), "group_interval": format_duration(taken.group_interval),
        "repeat_interval": format_duration(taken.repeat_interval), "at": rfc3339(at),
        "muted": muted and {"kind": muted.kind, "intervals": list(muted.by), "until": rfc3339(until) if until else None},
        "escalation_policy": policies[0] if policies else None,
        "first": _first(loaded, policies[0], at) if policies else None,
    }  # fmt: skip


def _first(loaded: Loaded, policy_name: str, at: datetime) -> dict[str, Any]:
    """Whom the policy calls first, were it to begin then."""
    from quietshift.catalog.model import Catalog
    from quietshift.kernel.durations import format_duration
    from quietshift.oncall.model import Oncall
    from quietshift.paging import decide
    from quietshift.paging.model import PagingConfig, Position

    oncall, catalog, paging = loaded.get(Oncall), loaded.get(Catalog), loaded.get(PagingConfig)
    policy = paging.policy(policy_name)
    due = at + policy.steps[0].after
    targets = [*(step.targets for step in policy.steps), policy.last_resort]
    *steps, last_resort = [decide.reachable(decide.resolve(t, due, oncall, catalog), paging.contacts) for t in targets]
    call = decide.call(policy, Position(0, 0), steps, last_resort)
    return {
        "after": format_duration(policy.steps[0].after),
        "why": call.reason,
        "people": [{"user": candidate.user, "reason": candidate.reason} for candidate in call.people],
        "passed_over": [f"{place}: {missed.target}: {missed.why}" for place, missed in call.passed],
    }


def _rows(one: dict[str, Any]) -> list[tuple[str, object]]:
    from quietshift.alerts.labels import text

    first, muted = one["first"], one["muted"]
    rows: list[tuple[str, object]] = [
        ("receiver", f"{one['receiver']} ({', '.join(one['integrations']) or 'nobody is told'})"),
        ("group", text(one["group_labels"])),
        *((name, one[name]) for name in ("group_wait", "group_interval", "repeat_interval")),
    ]
    words = "no"
    if muted:
        by = ("by " if muted["kind"] == "muted" else "outside of ") + ", ".join(muted["intervals"])
        words = f"{by}, {'until ' + muted['until'] if muted['until'] else 'for a year at least'}"
    rows.append((f"muted at {one['at']}", words))
    if first:
        rows.append(("escalation policy", one["escalation_policy"]))
        rows += [("passed over", said) for said in first["passed_over"]]
        rows += [(f"paged first, after {first['after']}", f"{who['user']}: {who['reason']}") for who in first["people"]]
        rows.append(("because", first["why"]))
    return rows
