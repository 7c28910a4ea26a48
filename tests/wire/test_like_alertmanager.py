"""Random configurations and alerts go to Debian's Alertmanager (0.25) and to `quietshift alertmanager`: the notifications are the
same. What is newer than 0.25 (UTF-8 matchers, the 410 of /api/v1) has vectors of its own.

    QUIETSHIFT_DUEL_SEED=...     the worlds of that seed, as a failure prints it (default: another one each time)
    QUIETSHIFT_DUEL_MINUTES=10   round after round, as long as that (default: one round, 25 s)
    QUIETSHIFT_DUEL_WORLDS=60    how many worlds live side by side in a round; or the names of some: 7,12

A world that the two lived through differently does so again, twice, before it counts: a busy machine may have been late. Where
the requests themselves came too late, the trial does not count.
"""

import os
import secrets
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.duel import Lived, differences, live, story
from tests.support.needs import program
from tests.support.worlds import World, make_world

SEED = os.environ.get("QUIETSHIFT_DUEL_SEED", "")
MINUTES = float(os.environ.get("QUIETSHIFT_DUEL_MINUTES", "0"))
WORLDS = os.environ.get("QUIETSHIFT_DUEL_WORLDS", "60")
ROUND = 25.0  # seconds
TRIALS, MOST_TRIALS = 3, 6
LATE = 0.3  # seconds


def _worlds(seed: str, names: list[str]) -> list[World]:
    """They begin within one second of each other, so that not all of them speak at once."""
    return [make_world(seed, name, n / len(names)) for n, name in enumerate(names)]


def _names() -> list[str]:
    return [name for name in WORLDS.split(",") if name] if "," in WORLDS else [str(n) for n in range(int(WORLDS))]


def _round(folder: Path, alertmanager: Path, seed: str, said: Counter[str]) -> dict[str, list[str]]:
    """The worlds that were lived through differently each time, with the last differences."""
    names, clean = _names(), list[dict[str, list[str]]]()
    for trial in range(MOST_TRIALS):
        worlds = _worlds(seed, names)
        theirs, ours = live(folder / f"{seed}-{trial}", worlds, alertmanager)
        if not trial:
            said.update(_said(theirs))
        found = {world.name: wrong for world in worlds if (wrong := differences(world, theirs, ours))}
        late = max(theirs.latest, ours.latest)
        print(f"seed {seed}, trial {trial}: of {len(names)} worlds these differ: {', '.join(found) or 'none'}; {late:.2f} s late")
        names = list(found)
        if late < LATE:
            clean.append(found)
        if not names or len(clean) == TRIALS:
            break
    assert clean or not names, f"this machine is too busy to tell: requests were more than {LATE} s late, {MOST_TRIALS} times"
    return {name: clean[-1][name] for name in names}


def _said(lived: Lived) -> Counter[str]:
    """What kinds of things there were to see: a round in which nothing happens shows nothing."""
    found: Counter[str] = Counter()
    for stream in lived.told.values():
        for told in stream:
            found["notifications"] += 1
            found[told.body["status"]] += 1
            found["mixed"] += len({alert["status"] for alert in told.body["alerts"]}) == 2
            found["truncated"] += told.body["truncatedAlerts"] > 0
            found["refused"] += told.answered == 400
        found["repeated"] += any(a.body == b.body for a, b in pairwise(stream))
    return found


@pytest.mark.quiet
@pytest.mark.timeout(180 + MINUTES * 60)
def test_random_worlds_are_lived_through_alike(tmp_path: Path) -> None:
    alertmanager = program("alertmanager")
    seed = SEED or secrets.token_hex(4)
    said: Counter[str] = Counter()
    began, number = time.monotonic(), 0
    while not number or time.monotonic() - began + ROUND < MINUTES * 60:
        this = f"{seed}.{number}" if number else seed
        failed = _round(tmp_path, alertmanager, this, said)
        report = "\n\n".join(f"{story(world)}\n{chr(10).join(failed[world.name])}" for world in _worlds(this, list(failed)))
        again = f"QUIETSHIFT_DUEL_SEED={this} QUIETSHIFT_DUEL_WORLDS={','.join([*failed, ''])}"
        assert not failed, f"{report}\n\n{len(failed)} worlds differ, each time; again with {again}"
        number += 1
    print(dict(said))
    if "," not in WORLDS:
        scarce = [kind for kind in ("firing", "resolved", "mixed", "truncated", "refused", "repeated") if not said[kind]]
        assert not scarce, f"seed {seed}: worlds in which this never happens show nothing of it: {scarce}"
