"""The one file that names every room: who serves which due row, and what is started and stopped with the server."""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from quietshift.kernel import secret
from quietshift.kernel.clock import Clock
from quietshift.kernel.db import Database
from quietshift.kernel.errors import QuietshiftError
from quietshift.kernel.ops import OpsHolder
from quietshift.kernel.registries import Registry
from quietshift.kernel.settings import Settings
from quietshift.kernel.worker import Worker

if TYPE_CHECKING:
    from quietshift.kernel.listen import Listener

log = logging.getLogger("quietshift.wire")
OVERDUE = timedelta(seconds=30)  # work that is later than this is not being done


@dataclass
class App:
    """An open Quietshift: everything that doors need."""

    settings: Settings
    clock: Clock
    db: Database
    ops: OpsHolder
    registry: Registry
    worker: Worker
    key: bytes
    _listener: Listener | None = None

    def start(self) -> None:
        """Begin to hear of other processes, to run timers and to send."""
        if self.db.dialect == "postgresql":
            from quietshift.kernel.listen import Listener

            self._listener = Listener(self.db)
            self._listener.start()
        self.worker.start()

    def stop(self) -> None:
        """Finish what is under way and let go of the database."""
        self.worker.stop()
        if self._listener is not None:
            self._listener.stop()
        self.db.close()

    def ailments(self) -> list[str]:
        """What is wrong with the engine, in words; empty where it turns and nothing is overdue."""
        found = [f"the {name} loop does not come round" for name in self.worker.stuck()]
        try:
            with self.db.read() as tx:
                late = self.worker.overdue(tx, self.clock.now())
        except QuietshiftError as error:
            return [*found, str(error)]
        if late > OVERDUE:
            found.append(f"work is {late.total_seconds():.0f} s overdue")
        return found

    def is_admin(self, authorization: str) -> bool:
        """Whether this Authorization header carries the admin token of the settings."""
        scheme, _, given = authorization.partition(" ")
        wanted = self.settings.admin_token
        return bool(wanted) and scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), wanted.encode())

    def key_for(self, purpose: str) -> bytes:
        """A key for one purpose, derived from the server's secret key."""
        return secret.derive(self.key, purpose)
