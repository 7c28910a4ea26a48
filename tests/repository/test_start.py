"""Start-up time is a feature: commands load what they need, when they need it."""

import os
import subprocess
import sys
from pathlib import Path

QUIETSHIFT = Path(sys.executable).with_name("quietshift")
LIMIT = 0.3  # CPU seconds over the bare interpreter


def cpu_seconds(*command: str | Path) -> float:
    """User and system time of the command: the least of five, so that a busy machine does not count."""
    spent = []
    for _ in range(5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        spent.append(usage.ru_utime + usage.ru_stime)
    return min(spent)


def test_help_costs_little_over_the_bare_interpreter() -> None:
    assert cpu_seconds(QUIETSHIFT, "--help") - cpu_seconds(sys.executable, "-c", "pass") < LIMIT
