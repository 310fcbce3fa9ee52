"""Waiting for tasks to become terminal, without asking PostgreSQL again and again.

One thread a process listens for the notification that a trigger sends at the commit of a terminal
state, and wakes whoever waits for that task and no other any more. A waiting client holds a server
thread, so only `MAX_WAITING` may; the others get the present state at once, and are told when to
come back.
"""

import math
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings

from tasks_app.models import TaskQuerySet
from tasks_app.postgresql.base import renew_deadline, session_connection, why

CHANNEL = "tasks_app_terminal"
LISTEN_S = 2.0  # how often the listener looks whether anybody still waits
RECONNECT_S = 1.0
RETURNS_PER_S = 10  # how many clients that found no place come back to this process
MAX_RETURN_S = 60

log = structlog.get_logger(__name__)


class Watch:
    """The tasks that one client still waits for."""

    def __init__(self, task_ids: set[uuid.UUID]) -> None:
        self.left = set(task_ids)
        self.over = threading.Event()

    def remove(self, task_ids: set[uuid.UUID]) -> None:
        """These have ended."""
        self.left -= task_ids
        if not self.left:
            self.over.set()


class Waiters:
    """The clients of this process that wait, and the thread that wakes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: dict[uuid.UUID, set[Watch]] = defaultdict(set)
        self._thread: threading.Thread | None = None
        self._listening = threading.Event()
        self._places = threading.BoundedSemaphore(settings.MAX_WAITING)
        self._return_at = 0.0

    @contextmanager
    def place(self) -> Iterator[bool]:
        """A place to wait, if one is free."""
        granted = self._places.acquire(blocking=False)
        try:
            yield granted
        finally:
            if granted:
                self._places.release()

    def return_s(self) -> int:
        """When a client that found no place may come back: each in its turn, not all at once."""
        with self._lock:
            now = time.monotonic()
            self._return_at = max(self._return_at + 1 / RETURNS_PER_S, now)
            return min(max(1, math.ceil(self._return_at - now)), MAX_RETURN_S)

    def wait(self, unfinished: TaskQuerySet, *, seconds: float) -> None:
        """Return when there are no such tasks any more, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while task_ids := _ids(unfinished):  # a retry may have added some
            with self._watching(task_ids) as watch:
                self._listening.wait(min(seconds, RECONNECT_S))
                still = _ids(unfinished)  # some may have ended before anybody listened
                with self._lock:
                    watch.remove(task_ids - still)
                if not watch.over.wait(deadline - time.monotonic()):
                    return

    @contextmanager
    def _watching(self, task_ids: set[uuid.UUID]) -> Iterator[Watch]:
        watch = Watch(task_ids)
        with self._lock:
            for task_id in task_ids:
                self._watches[task_id].add(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="waiters", daemon=True)
                self._thread.start()
        try:
            yield watch
        finally:
            with self._lock:
                for task_id in task_ids:
                    self._watches[task_id].discard(watch)
                    if not self._watches[task_id]:
                        del self._watches[task_id]

    def _run(self) -> None:
        connection = session_connection()
        while not self._ended():
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"LISTEN {CHANNEL}")
                self._listening.set()
                self._wake_all()  # for what happened while nobody listened
                while not self._ended():
                    for notification in connection.connection.notifies(timeout=LISTEN_S):
                        self._tell(uuid.UUID(notification.payload))
                    with connection.cursor() as cursor:  # a dead connection does not notify
                        cursor.execute("SELECT 1")
            except Exception as error:  # whatever it is, clients still wait
                log.warning("listener_lost", error=type(error).__name__, reason=why(error))
                self._listening.clear()
                time.sleep(RECONNECT_S)
            connection.close()

    def _ended(self) -> bool:
        """Whether the thread's work is done: nobody waits, and the next one starts another."""
        with self._lock:
            if not self._watches and self._thread is threading.current_thread():
                self._thread = None
                self._listening.clear()
            return self._thread is not threading.current_thread()

    def _tell(self, ended: uuid.UUID) -> None:
        with self._lock:
            for watch in self._watches.get(ended, ()):
                watch.remove({ended})

    def _wake_all(self) -> None:
        with self._lock:
            for watches in self._watches.values():
                for watch in watches:
                    watch.over.set()


def _ids(tasks: TaskQuerySet) -> set[uuid.UUID]:
    renew_deadline()
    return set(tasks.values_list("task_id", flat=True))


waiters = Waiters()
