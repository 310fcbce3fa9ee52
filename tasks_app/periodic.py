"""A thread that does one thing again and again beside a worker's tasks."""

import threading
from collections.abc import Callable

import structlog
from django.db import close_old_connections, connections

from tasks_app.outage import DATABASE_ERRORS

log = structlog.get_logger(__name__)


class Periodic(threading.Thread):
    """Calls `work` every `interval_s` until stopped, whatever `work` raises.

    It has a database connection of its own, whose health is checked before each call.
    """

    def __init__(self, name: str, *, interval_s: float, work: Callable[[], object]) -> None:
        super().__init__(name=name, daemon=True)
        self._interval_s = interval_s
        self._work = work
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(self._interval_s):
            try:
                close_old_connections()
                self._work()
            except DATABASE_ERRORS as error:
                log.warning("database_away", thread=self.name, error=type(error).__name__)
            except Exception:  # the next call may fare better, and none at all would be worse
                log.exception("periodic_error", thread=self.name)
        connections.close_all()

    def stop(self) -> None:
        """End the thread after the call under way, waiting for it at most 5 s."""
        self._ending.set()
        if self.is_alive():
            self.join(timeout=5)
