"""The state diagram in ARCHITECTURE.md is the one that the table draws."""

from pathlib import Path

import pytest

from quietshift.incidents.diagram import mermaid
from quietshift.incidents.model import TRANSITIONS

ARCHITECTURE = Path(__file__).parents[2] / "ARCHITECTURE.md"


def test_every_transition_is_drawn() -> None:
    lines = mermaid().splitlines()
    for (before, event), after in TRANSITIONS.items():
        arrow = next(line for line in lines if line.strip().startswith(f"{before} --> {after}:"))
        assert event in arrow.split(": ")[1].split(", ")


def test_architecture_holds_the_diagram_of_the_table() -> None:
    if not ARCHITECTURE.exists():
        pytest.skip("ARCHITECTURE.md is not written yet")
    assert mermaid() in ARCHITECTURE.read_text(), "put the output of `python -m quietshift.incidents.diagram` there"
