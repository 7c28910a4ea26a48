"""Runs a page's blocks one after the other, as a reader would: in an empty directory, on ports that are free here."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.docs.blocks import Block
from tests.support.needs import program

BIN = Path(sys.executable).parent
SECONDS = 60.0


class Story:
    """A reader at work. replace: what stands in the text, and what it is here (ports, addresses)."""

    def __init__(self, folder: Path, replace: Mapping[str, str], env: Mapping[str, str]) -> None:
        self.folder = folder
        self._replace = {rf"(?<![\w-]){re.escape(old)}(?![\w-])": new for old, new in replace.items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QUIETSHIFT_")}
        self.env = {**kept, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder), **env}
        self._exports = folder / ".exports"
        self._exports.touch()
        self._background: list[tuple[subprocess.Popen[bytes], Path]] = []
        self.printed = ""

    def fix(self, text: str) -> str:
        """The text as it has to be here."""
        for old, new in self._replace.items():
            text = re.sub(old, lambda _found, new=new: new, text)  # type: ignore[misc]  # the default binds the loop
        return text

    def play(self, block: Block) -> None:
        """Do what the block asks for. AssertionError with the page's line where it does not come out so."""
        if "no-run" in block.options:
            return
        if "file" in block.options:
            path = self.folder / block.options["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.fix(block.text))
        elif block.language == "sh" and "background" in block.options:
            self.start(self.fix(block.text), int(self.fix(block.options["background"])), str(block))
        elif block.language == "sh":
            if "needs" in block.options:
                program(block.options["needs"])
            self._run(block)
        elif "output" in block.options:
            self._find(block, self.printed)
        elif "logged" in block.options:
            self._wait_for(block)

    def _run(self, block: Block) -> None:
        script = f"set -eu\n. {self._exports}\n{self.fix(block.text)}\nexport -p >{self._exports}\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        self.printed = done.stdout + done.stderr
        assert done.returncode == 0, f"{block}: {done.returncode}\n{self.printed}{self.log()}"

    def start(self, script: str, port: int, what: str) -> None:
        """Start a program and wait until the port takes connections and, if it is a server, is ready."""
        log = self.folder / f".log-{len(self._background)}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"set -eu\n. {self._exports}\n{script}"], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self._background.append((process, log))
        deadline = time.monotonic() + SECONDS
        while not _answers(port):
            assert process.poll() is None, f"{what} ended:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"{what} does not answer on port {port}:\n{log.read_text()}"
            time.sleep(0.05)  # waits for another process

    def _find(self, block: Block, text: str) -> None:
        have = [" ".join(line.split()) for line in text.splitlines()]
        for line in self.fix(block.text).splitlines():
            wanted = ".*".join(map(re.escape, re.split(r"\s*\.\.\.\s*", " ".join(line.split()))))
            assert any(re.search(wanted, one) for one in have), f"{block}: {line!r} is not in\n{text}"

    def _wait_for(self, block: Block) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                self._find(block, self.log())
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)  # waits for other processes
            else:
                return

    def log(self) -> str:
        """What the programs in the background have printed."""
        return "".join(f"\n--- {log.name}\n{log.read_text(errors='replace')}" for _, log in self._background)

    def end(self) -> None:
        """Stop what was started."""
        for process, _ in self._background:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(port: int) -> bool:
    """Whether somebody listens; of a Quietshift, whether it is ready."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /-/ready HTTP/1.0\r\n\r\n")
            return b" 503 " not in connection.recv(64)
    except OSError:
        return False
