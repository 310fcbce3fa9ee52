"""Tasks in whatever state a test needs, made by the real moves, and threads that race."""

import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

from django.db import connection, connections
from django.db.models.functions import Now

from tasks_app import lifecycle
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.lifecycle import Claim
from tasks_app.models import TERMINAL, Backend, Status, StatusHistory, Task, new_task_id
from tasks_app.postgresql.base import deadline
from testing.service import LIMIT_S

CIRCUIT = "OPENQASM 2.0; qreg q[1]; creg c[1]; measure q -> c;"
RESULT = {"counts": {"0": 3}, "shots": 3, "metadata": {"seed": 1}}
SOMEWHERE = "another-machine"  # a worker of whom nobody here can know whether it lives

# What the README's picture shows, pending's birth and the handing back of an attempt included.
ARROWS = {
    Status.PENDING: {Status.PROCESSING, Status.CANCELLED},
    Status.PROCESSING: {Status.PROCESSING, *TERMINAL},
    Status.COMPLETED: set(),
    Status.FAILED: set(),
    Status.CANCELLED: set(),
}

T = TypeVar("T")


def submitted(**fields: Any) -> Task:
    """A new pending task as PostgreSQL has it. `fields` are Task's."""
    task = Task(**fields)
    lifecycle.submit([task])
    return Task.objects.get(task_id=task.task_id)


def copied(statement: str, values: Mapping[str, Any]) -> Task:
    """The new task of which the statement inserts copies, in states that no task is born in."""
    with deadline(300), connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        first = submitted(circuit=";", shots=1, correlation_id="first")
        cursor.execute("ALTER TABLE tasks_app_task DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        cursor.execute("ALTER TABLE tasks_app_task ENABLE TRIGGER USER")
        cursor.execute("VACUUM ANALYZE tasks_app_task")
        cursor.execute("RESET statement_timeout")
    return first


def pending(
    circuit: str = CIRCUIT,
    *,
    shots: int = 3,
    correlation_id: str = "c-1",
    backend: str | None = None,
) -> uuid.UUID:
    """In a line of its own, that a test can say which is claimed (`claim_of`), or a backend's."""
    task_id = new_task_id()
    Backend.objects.get_or_create(name=backend or task_id.hex, defaults={"kind": "aer"})
    submitted(
        task_id=task_id,
        circuit=circuit,
        shots=shots,
        correlation_id=correlation_id,
        backend=backend or task_id.hex,
    )
    return task_id


def next_claim(*, worker: str = SOMEWHERE, backend: str = DEFAULT_BACKEND) -> Claim | None:
    """The next attempt of the task whose turn it is."""
    return next(iter(lifecycle.claim(worker=worker, backend=backend)), None)


def claim_of(task_id: uuid.UUID, *, worker: str = SOMEWHERE) -> Claim | None:
    """The next attempt of its backend's next task: of this one, if `pending` made it."""
    task = Task.objects.filter(task_id=task_id).first()
    return next_claim(worker=worker, backend=task.backend) if task else None


def claimed(task_id: uuid.UUID, *, worker: str = SOMEWHERE) -> Claim:
    """The next attempt of a task that is free to claim, whoever's turn it is."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # a trigger would refuse
        Task.objects.filter(task_id=task_id).update(turn=0)
        cursor.execute("SET session_replication_role = origin")
    made = claim_of(task_id, worker=worker)
    assert made is not None
    assert made.task_id == task_id
    return made


def processing() -> Claim:
    return claimed(pending())


def in_state(status: Status) -> uuid.UUID:
    """A new task moved to `status`."""
    task_id = pending()
    if status == Status.PENDING:
        return task_id
    if status == Status.CANCELLED:
        lifecycle.cancel([task_id], reason="not wanted")
        return task_id
    claim = claimed(task_id)
    if status == Status.COMPLETED:
        assert lifecycle.complete(claim, RESULT)
    elif status == Status.FAILED:
        assert lifecycle.fail(claim, code="bad", message="It is bad.")
    return task_id


def age_lease(task_id: uuid.UUID, *, seconds: float = 1) -> None:
    """Make a running task's lease end in the past."""
    past = Now() - timedelta(seconds=seconds)
    assert Task.objects.filter(task_id=task_id).update(lease_expires_at=past)


def age_ring(*task_ids: uuid.UUID, seconds: float = 60) -> None:
    """Make the last message of these tasks an old one."""
    past = Now() - timedelta(seconds=seconds)
    assert Task.objects.filter(task_id__in=task_ids).update(enqueued_at=past)


def history(task_id: uuid.UUID) -> list[tuple[str, str]]:
    """Statuses and notes, oldest first."""
    entries = StatusHistory.objects.filter(task_id=task_id)
    return list(entries.values_list("status", "notes"))


def path(task_id: uuid.UUID) -> list[str]:
    return [status for status, _ in history(task_id)]


class Session:
    """A thread with a database connection of its own, which does what it is told."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)

    def start(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin `work` there; the returned function waits for its outcome."""
        return self._thread.submit(work).result

    def do(self, work: Callable[[], T]) -> T:
        return self.start(work)()

    def close(self) -> None:
        self._thread.submit(connections.close_all).result()
        self._thread.shutdown()


def waiting() -> int:
    """How many sessions wait for a lock."""
    with connection.cursor() as cursor:
        # Not of pg_stat_activity, which stays as it was first seen until the transaction's end.
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


def together(*calls: Callable[[], T]) -> list[T]:
    """What each call returned, all made at the same moment on connections of their own."""
    barrier = threading.Barrier(len(calls))
    sessions = [Session() for _ in calls]

    def meet(call: Callable[[], T]) -> T:
        connections["default"].ensure_connection()
        barrier.wait(LIMIT_S)
        return call()

    try:
        outcomes = [
            session.start(lambda call=call: meet(call))  # type: ignore[misc]
            for session, call in zip(sessions, calls, strict=True)
        ]
        return [outcome() for outcome in outcomes]
    finally:
        for session in sessions:
            session.close()
