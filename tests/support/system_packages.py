"""The programs outside Python that tests use: where they are found, which Debian package brings them.

`python -m tests.support.system_packages [NEED...]` installs what is missing, as root and with apt-get; otherwise it says
what to install and goes on: the tests that need it are skipped by name, and with CI set they fail.
Standard library only.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True)
class Need:
    """A program by its names on PATH or its places (globs below /), the packages that bring it, the services these start."""

    packages: tuple[str, ...]
    programs: tuple[str, ...]
    places: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    def find(self) -> Path | None:
        """The first match; of several versions in `places` the last in order of name."""
        for program in self.programs:
            if found := shutil.which(program):
                return Path(found)
        for place in self.places:
            if matches := sorted(Path("/").glob(place)):
                return matches[-1]
        return None


NEEDS = {
    "postgresql": Need(
        ("postgresql",), ("initdb",), ("usr/lib/postgresql/*/bin/initdb",), units=("postgresql.service",)
    ),
    "prometheus": Need(("prometheus",), ("prometheus",), units=("prometheus.service",)),
    "alertmanager": Need(
        ("prometheus-alertmanager",),
        ("prometheus-alertmanager", "alertmanager"),
        units=("prometheus-alertmanager.service",),
    ),
    "amtool": Need(("prometheus-alertmanager",), ("amtool",)),
    "chromium": Need(("chromium", "fonts-dejavu-core"), ("chromium", "chromium-browser", "google-chrome")),
    "libatomic": Need(("libatomic1",), (), ("usr/lib/*/libatomic.so.1", "usr/lib*/libatomic.so.1")),  # playwright's node
    "systemd": Need(("systemd",), ("systemd-analyze",)),
    "go": Need(("golang-go",), ("go",)),
    "alertmanager-sources": Need(
        ("golang-github-prometheus-alertmanager-dev",),
        (),
        ("usr/share/gocode/src/github.com/prometheus/alertmanager/test",),
    ),
}


def missing(names: Iterable[str]) -> list[str]:
    """Those of `names` that this machine lacks."""
    return [name for name in names if NEEDS[name].find() is None]


def packages_of(names: Iterable[str]) -> list[str]:
    return sorted({package for name in names for package in NEEDS[name].packages})


@contextmanager
def no_service_starts() -> Iterator[None]:
    """While packages are installed, their services stay down, as Debian's policy-rc.d allows; an existing policy is kept."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def apt_get(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def install(names: list[str]) -> None:
    """Install the packages of `names` and keep their services from starting, now and at boot. OSError names apt's reason."""
    apt_get("update")  # a repository out of reach is no reason to stop: the install itself says what it lacks
    with no_service_starts():
        done = apt_get("install", "-y", "--no-install-recommends", *packages_of(names))
    if done.returncode != 0:
        raise OSError("apt-get: " + "\n".join(done.stdout.splitlines()[-5:]))
    units = [unit for name in names for unit in NEEDS[name].units]
    if units and shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "--quiet", *units], check=False, stderr=subprocess.DEVNULL)


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in NEEDS]:
        sys.exit(f"unknown: {', '.join(unknown)}; known: {', '.join(NEEDS)}")
    lacking = missing(names or NEEDS)
    if not lacking:
        return 0
    packages = " ".join(packages_of(lacking))
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"run: not on this machine: {', '.join(lacking)}. Debian:  sudo apt-get install {packages}", file=sys.stderr)
        return 0
    print(f"run: installing {packages} (apt-get)", file=sys.stderr)
    try:
        install(lacking)
    except OSError as error:
        print(f"run: {error}\nrun: going on without {', '.join(lacking)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
