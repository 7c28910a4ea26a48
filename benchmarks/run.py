"""`./run bench`: Quietshift and Debian's Alertmanager, alternately in the same run, with the same requests.

Every alert that Quietshift answered 200 is on disk (`synchronous=FULL`); Alertmanager keeps alerts in memory. Exits 1 where a
work is below its bar by more than the noise that its own rounds show.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from peers import Desk, Peer, alertmanager, quietshift
from report import OURS, Table
from storm import ALONE
from works import QUICK, SHARED, TINY, Scale

SIZES = {"full": Scale(), "quick": QUICK, "tiny": TINY}


def measure(table: Table, scale: Scale, rounds: int, only: list[str]) -> None:
    """Every work in every round; who is first changes from round to round."""
    with tempfile.TemporaryDirectory(prefix="quietshift-bench-") as name:
        folder = Path(name)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            peers = (alertmanager, quietshift) if number % 2 == 0 else (quietshift, alertmanager)
            for work, shared in SHARED.items():
                for make in peers if not only or work in only else ():
                    place = folder / f"{number}-{work}"
                    shared(make(place), table, scale, number)
                    shutil.rmtree(place, ignore_errors=True)
            for work, alone in ALONE.items():
                if not only or work in only:
                    alone(Desk(OURS, folder / f"{number}-{work}", durable=True), table, scale, number)
                    shutil.rmtree(folder / f"{number}-{work}", ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, help="rounds of both peers (3; 1 with --quick)")
    parser.add_argument("--quick", action="store_const", const="quick", dest="size", help="small: a look, not a judgement")
    parser.add_argument("--size", choices=list(SIZES), default="full", help=argparse.SUPPRESS)
    parser.add_argument("--only", action="append", default=[], choices=[*SHARED, *ALONE], help="this work; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there as well")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table into this page, between its markers")
    parser.set_defaults(size="full")
    options = parser.parse_args()
    if shutil.which("prometheus-alertmanager") is None:
        raise SystemExit("the peer is missing:  sudo apt-get install prometheus-alertmanager")
    if options.size == "tiny":
        Peer.settle = 0.0
    table = Table()
    measure(table, SIZES[options.size], options.rounds or (3 if options.size == "full" else 1), options.only)
    sys.stdout.write(table.text())
    if options.json:
        options.json.write_text(json.dumps(table.as_json(), indent=2) + "\n")
    if options.markdown:
        table.put_into(options.markdown)
    for row in table.below():
        print(f"below the bar by more than the noise: {row.work.title}", file=sys.stderr)
    return 1 if table.below() and options.size == "full" else 0


if __name__ == "__main__":
    sys.exit(main())
