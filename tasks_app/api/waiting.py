"""Waiting for a task to become terminal, without asking PostgreSQL again and again.

One thread a process listens for the notification that a trigger sends at the commit of a terminal
state, and wakes whoever waits for that task. A waiting client holds a server thread, so only
`MAX_WAITING` may; the others get the present state at once, and are told when to come back.
"""

import math
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings

from tasks_app.models import Task
from tasks_app.postgresql.base import renew_deadline, session_connection, why

CHANNEL = "tasks_app_terminal"
LISTEN_S = 2.0  # how often the listener looks whether anybody still waits
RECONNECT_S = 1.0
RETURNS_PER_S = 10  # how many clients that found no place come back to this process
MAX_RETURN_S = 60

log = structlog.get_logger(__name__)


class Waiters:
    """The clients of this process that wait, and the thread that wakes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: dict[uuid.UUID, set[threading.Event]] = defaultdict(set)
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

    def wait(self, task_id: uuid.UUID, *, seconds: float) -> None:
        """Return when the task is terminal or gone, or after `seconds`."""
        event = threading.Event()
        deadline = time.monotonic() + seconds
        with self._lock:
            self._events[task_id].add(event)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="waiters", daemon=True)
                self._thread.start()
        try:
            self._listening.wait(min(seconds, RECONNECT_S))
            unfinished = Task.objects.filter(task_id=task_id, completed_at__isnull=True)
            while True:
                renew_deadline()
                if not unfinished.exists() or not event.wait(deadline - time.monotonic()):
                    return
                event.clear()
        finally:
            with self._lock:
                self._events[task_id].discard(event)
                if not self._events[task_id]:
                    del self._events[task_id]

    def _run(self) -> None:
        connection = session_connection()
        while not self._ended():
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"LISTEN {CHANNEL}")
                self._listening.set()
                self._wake(self._events)  # for what happened while nobody listened
                while not self._ended():
                    for notification in connection.connection.notifies(timeout=LISTEN_S):
                        self._wake([uuid.UUID(notification.payload)])
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
            if not self._events and self._thread is threading.current_thread():
                self._thread = None
                self._listening.clear()
            return self._thread is not threading.current_thread()

    def _wake(self, task_ids: Iterable[uuid.UUID]) -> None:
        with self._lock:
            for task_id in task_ids:
                for event in self._events.get(task_id, ()):
                    event.set()


waiters = Waiters()
