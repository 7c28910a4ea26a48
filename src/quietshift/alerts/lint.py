"""What is valid in `alertmanager.yml`, and yet does nothing: routes that no alert comes to, inhibit rules that inhibit nothing.

Nothing is found that is not so for every alert: where a regular expression cannot be decided, there is no finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from quietshift.alerts import matchers
from quietshift.alerts.matchers import Matcher, Matchers
from quietshift.alerts.model import AlertsConfig, InhibitRule, Route

Finding = tuple[int, str]  # line, message


def findings(config: AlertsConfig) -> Iterator[Finding]:
    """Whatever can never take effect."""
    yield from _unreached(config.route, Facts(()))
    for rule in config.inhibit_rules:
        if _inhibits_itself(rule):
            yield (
                rule.line,
                "inhibit rule: source and target take the same alerts, so it inhibits nothing: an alert that fits both sides "
                "is not inhibited by others that do (name the cause as source, what it brings about as target)",
            )


# -- what follows from what ----------------------------------------------------------------------------------------------


class Facts:
    """What is known of an alert that fulfils these conditions."""

    def __init__(self, conditions: Matchers) -> None:
        self.conditions = conditions
        self._of: dict[str, list[Matcher]] = {}
        for m in conditions:
            self._of.setdefault(m.name, []).append(m)
        self._possible = {name: _possible(found) for name, found in self._of.items()}
        self.exact = {(name, *values) for name, values in self._possible.items() if values is not None and len(values) == 1}

    def and_also(self, conditions: Matchers) -> Facts:
        return Facts(self.conditions + conditions)

    @property
    def impossible(self) -> bool:
        """No alert fulfils them."""
        return any(values is not None and not values for values in self._possible.values())

    def imply(self, goals: Matchers) -> bool:
        """Whether every alert that fulfils them surely fulfils these conditions too."""
        return all(map(self._implies, goals))

    def _implies(self, goal: Matcher) -> bool:
        known = self._of.get(goal.name, [])
        possible = self._possible.get(goal.name)
        if goal in known:
            return True
        if possible is not None:
            return all(map(goal.matches, possible))
        excluded = None if goal.is_equal else goal.listed
        return excluded is not None and all(any(not m.matches(value) for m in known) for value in excluded)


def _possible(conditions: Sequence[Matcher]) -> frozenset[str] | None:
    """The values of one label that fulfil all of these conditions on it; None where they cannot be listed."""
    listed = next((m.listed for m in conditions if m.is_equal and m.listed is not None), None)
    return None if listed is None else frozenset(value for value in listed if all(m.matches(value) for m in conditions))


# -- routes --------------------------------------------------------------------------------------------------------------


def _unreached(route: Route, above: Facts) -> Iterator[Finding]:
    """The routes below this one that no alert comes to; nothing is said of what lies below them. above: what holds of every
    alert that comes to this one."""
    final: dict[tuple[str, ...], list[Route]] = {}  # routes that end the search, by a label and its value that they ask for
    for child in route.routes:
        facts = above.and_also(child.matchers)
        before = [*final.get((), ()), *(taker for pair in sorted(facts.exact) for taker in final.get(pair, ()))]
        taker = next((taker for taker in before if facts.imply(taker.matchers)), None)
        if facts.impossible:
            yield child.line, f"route {matchers.text(child.matchers)}: no alert fulfils this and what the routes above it ask for"
        elif taker is not None:
            yield (
                child.line,
                f"route {matchers.text(child.matchers)}: no alert comes here: the route in line {taker.line} "
                f"{matchers.text(taker.matchers)} takes them all before, and does not `continue`",
            )
        else:
            yield from _unreached(child, facts)
        if not child.continues:
            asked = next(((m.name, m.value) for m in child.matchers if m.operator == "="), ())
            final.setdefault(asked, []).append(child)


# -- inhibition ----------------------------------------------------------------------------------------------------------


def _inhibits_itself(rule: InhibitRule) -> bool:
    source, target = Facts(rule.source), Facts(rule.target)
    return not source.impossible and not target.impossible and source.imply(rule.target) and target.imply(rule.source)
