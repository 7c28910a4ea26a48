"""Writers of one process wait in turn."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator


class Turn:
    """A lock that is given in the order in which it was asked for, but to who says `ahead` before the others.

    `threading.Lock` is taken again by who has just let go of it: with much to do after a start, the timers' thread kept those
    waiting for half a second who had to record what was sent (2026-11, tests/wire/test_kill.py).
    """

    def __init__(self) -> None:
        self._inner = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    @contextlib.contextmanager
    def held(self, *, ahead: bool = False) -> Iterator[None]:
        """Hold it for the block."""
        self._take(ahead)
        try:
            yield
        finally:
            self._pass_on()

    def _take(self, ahead: bool) -> None:
        with self._inner:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            (self._waiting.appendleft if ahead else self._waiting.append)(mine)
        mine.acquire()  # until it is handed over, still taken

    def _pass_on(self) -> None:
        with self._inner:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
