"""`python -m quietshift.incidents.diagram` draws the lifecycle from its table, for ARCHITECTURE.md (Mermaid)."""

from __future__ import annotations

import sys

from quietshift.incidents.model import TRANSITIONS, State


def mermaid() -> str:
    """The state diagram, one arrow for each pair of states, with the events that lead along it."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (before, event), after in TRANSITIONS.items():
        arrows.setdefault((before, after), []).append(event)
    lines = ["stateDiagram-v2", f"    [*] --> {State.TRIGGERED}: opened"]
    order = list(State)
    for before, after in sorted(arrows, key=lambda pair: (order.index(pair[0]), pair[0] == pair[1], order.index(pair[1]))):
        lines.append(f"    {before} --> {after}: {', '.join(arrows[before, after])}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(f"```mermaid\n{mermaid()}\n```\n")
