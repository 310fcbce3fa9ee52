"""Accepting tasks: store, ring, and take back what the queue did not confirm.

A 2xx answer means that the rows are committed and that RabbitMQ confirmed their messages (or
`QUEUE_DOWN_POLICY` is accept: workers that hear nothing of RabbitMQ look by themselves).
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial, wraps
from itertools import chain
from typing import Any, ParamSpec

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.db.models import Model
from django.db.models.functions import Now

from tasks_app import access, lifecycle, metrics, tracing
from tasks_app.group_commit import GroupCommit
from tasks_app.models import Batch, IdempotencyKey, Status, Task
from tasks_app.postgresql.base import DATABASE_ERRORS, connection, remaining_s
from tasks_app.queue import broker
from tasks_app.queue.publisher import QueueUnavailable

LEADER_S = 1.0  # database time that a group of submissions has at least
FRESH_S = 30  # a pending task younger than this may still be withdrawn by its first request
_ALIKE = ("shots", "seed", "options", "name", "tags", "owner_id", "backend", "priority")
_RETRIED = (*_ALIKE, "circuit", "batch_id", "batch_index")

log = structlog.get_logger(__name__)


class KeyReused(Exception):
    """The requester has used this idempotency key for another request."""


class NothingFailed(Exception):
    """The batch has no element whose latest task failed."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's key, and what it was sent with."""

    requester: User | None
    key: str
    request_sha256: str

    @classmethod
    def of(cls, requester: User | None, key: str, path: str, body: Any) -> "Idempotency":
        """`body`: the JSON value; how it was written does not matter."""
        canonical = json.dumps([path, body], sort_keys=True, separators=(",", ":"))
        return cls(requester, key, hashlib.sha256(canonical.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a submission led to: tasks in order, their batch if it was one."""

    tasks: Sequence[Task]
    batch: Batch | None = None
    replayed: bool = False
    queue_down: bool = False


P = ParamSpec("P")

_REFUSALS: dict[type[Exception], str] = {
    QueueUnavailable: "queue_unavailable",
    KeyReused: "idempotency_key_reused",
    NothingFailed: "nothing_to_retry",
    access.LimitExceeded: "limit_exceeded",
    **dict.fromkeys(DATABASE_ERRORS, "database_unavailable"),
}


def _counted(submit: Callable[P, Accepted]) -> Callable[P, Accepted]:
    """Count what becomes of submissions."""

    @wraps(submit)
    def counted(*args: P.args, **kwargs: P.kwargs) -> Accepted:
        outcome = "internal_error"
        try:
            accepted = submit(*args, **kwargs)
            outcome = "replayed" if accepted.replayed else "accepted"
            if accepted.queue_down:
                outcome = "accepted_without_queue"
        except tuple(_REFUSALS) as error:
            outcome = next(code for kind, code in _REFUSALS.items() if isinstance(error, kind))
            raise
        finally:
            metrics.submitted(outcome)
        return accepted

    return counted


@_counted
def accept(
    tasks: Sequence[Task],
    *,
    batch: Batch | None = None,
    idempotency: Idempotency | None = None,
    rows: Sequence[Model] = (),
) -> Accepted:
    """Store one owner's unsaved tasks (and the new batch they form) and ring for them, all or none.

    `rows` are stored with the batch, and go with it in the database.

    With `idempotency`, a repetition returns the first request's tasks, whatever the limits.

    Raises `QueueUnavailable` and `access.LimitExceeded` with nothing kept, and `KeyReused`.
    """
    if batch is None and idempotency is None:
        access.check_limits(tasks)
        # Each thread sees for itself that PostgreSQL answers, lest one after the other keeps all
        # the others waiting to find out that it does not.
        connection.ensure_usable()
        return _rung(partial(_store_and_ring, tasks), tasks)
    return _accept_once(lambda: tasks, batch, idempotency, rows)


@_counted
def retry(batch: Batch, *, correlation_id: str, idempotency: Idempotency | None = None) -> Accepted:
    """`accept` for the elements whose latest task failed: new tasks in their places.

    The limits are those of the tasks' owner. Raises `NothingFailed` as well.
    """
    return _accept_once(lambda: _failed_again(batch, correlation_id), None, idempotency)


def run_again(task: Task, *, correlation_id: str) -> Accepted:
    """`accept` for a new task of the same owner, with all that this one was submitted with."""
    same = {name: getattr(task, name) for name in _ALIKE}
    origin = {"circuit": task.program, "rerun_of": task.task_id, "correlation_id": correlation_id}
    return accept([Task(**same, **origin, traceparent=tracing.traceparent.get())])


def _failed_again(batch: Batch, correlation_id: str) -> list[Task]:
    # While a failed task is locked nobody deletes it, and with the last of them the batch. They are
    # locked first, as by who deletes both.
    failed = Task.objects.with_status(Status.FAILED).filter(batch=batch)
    list(failed.locked().values_list("task_id"))
    batches = Batch.objects.filter(pk=batch.pk)
    batches.select_for_update().values("pk").first()  # one retry after the other
    latest = Task.objects.filter(batch=batch).order_by("batch_index", "-task_id")
    ids = latest.distinct("batch_index").values("task_id")
    of_request = {"correlation_id": correlation_id, "traceparent": tracing.traceparent.get()}
    tasks = [
        Task(**of_request, **{name: getattr(task, name) for name in _RETRIED})
        for task in failed.filter(task_id__in=ids).order_by("batch_index")
    ]
    if not tasks:
        raise NothingFailed
    return tasks


def _accept_once(
    make: Callable[[], Sequence[Task]],
    batch: Batch | None,
    idempotency: Idempotency | None,
    rows: Sequence[Model] = (),
) -> Accepted:
    while True:
        with transaction.atomic():
            earlier = _reserve(idempotency) if idempotency else None
            if earlier is None:
                tasks = make()
                access.check_limits(tasks)
                if batch is not None:
                    batch.save(force_insert=True)
                for row in rows:
                    row.save(force_insert=True)
                lifecycle.submit(tasks)
                if idempotency:
                    _keep(idempotency, tasks)
        if earlier is None:
            return _rung(partial(broker.ring, tasks), tasks, batch, idempotency)
        replay = _replay(earlier)
        if replay is not None:
            return replay  # else the first request has just withdrawn its tasks: ours is the first


# -- idempotency -------------------------------------------------------------------------------


def _reserve(idempotency: Idempotency) -> IdempotencyKey | None:
    """Take the key; the earlier use if there is one, which may have to be waited for."""
    fields = {"owner": idempotency.requester, "key": idempotency.key}
    mine = IdempotencyKey(**fields, request_sha256=idempotency.request_sha256)
    IdempotencyKey.objects.bulk_create([mine], ignore_conflicts=True)
    keys = IdempotencyKey.objects.select_for_update(of=("self",)).select_related("batch")
    keys = keys.defer("batch__circuit")
    taken = keys.filter(**fields).first()
    if taken is None:  # it went with its withdrawn task just now
        return _reserve(idempotency)
    if taken.request_sha256 != idempotency.request_sha256:
        raise KeyReused
    return taken if taken.task_ids else None


def _keep(idempotency: Idempotency, tasks: Sequence[Task]) -> None:
    batch_id = tasks[0].batch_id
    _keys(idempotency).update(
        task=None if batch_id else tasks[0],
        batch=batch_id,
        task_ids=[task.task_id for task in tasks],
    )


def _keys(idempotency: Idempotency) -> Any:
    return IdempotencyKey.objects.filter(owner=idempotency.requester, key=idempotency.key)


def _replay(earlier: IdempotencyKey) -> Accepted | None:
    """The tasks of an earlier request, safe from its withdrawal; None if they are gone."""
    found = Task.objects.filter(task_id__in=earlier.task_ids).without_bodies()
    tasks = list(found.order_by("task_id"))
    if not tasks:  # deleted since, one by one or as too old: nothing is left to repeat
        earlier.delete()
        if earlier.batch_id is not None:
            Batch.objects.filter(batch_id=earlier.batch_id, task=None).delete()
        return None
    pending = {task.task_id: task for task in tasks if task.current_status == Status.PENDING}
    # By the database's clock, like every other time; a task deleted meanwhile is not old.
    old = Task.objects.filter(
        task_id__in=pending, enqueued_at__lte=Now() - timedelta(seconds=FRESH_S)
    )
    fresh = {k: pending[k] for k in pending.keys() - set(old.values_list("task_id", flat=True))}
    if fresh and settings.QUEUE_DOWN_POLICY == "reject":
        broker.ring(fresh.values())
        if not lifecycle.note_rung(list(fresh)):
            return None
    return Accepted(tasks, earlier.batch, replayed=True)


# -- the queue ---------------------------------------------------------------------------------


def _store_and_ring_all(submissions: Sequence[Sequence[Task]]) -> None:
    tasks = list(chain.from_iterable(submissions))
    lifecycle.submit(tasks)
    broker.ring(tasks)


def _check_time() -> None:
    """Those whose tasks are stored with ours must not fail because our time is over."""
    if remaining_s() < LEADER_S:
        raise OperationalError("too little time is left to store tasks")


_store_and_ring = GroupCommit(
    _store_and_ring_all, common=(*DATABASE_ERRORS, QueueUnavailable), check=_check_time
)


def _rung(
    ring: Callable[[], None],
    tasks: Sequence[Task],
    batch: Batch | None = None,
    idempotency: Idempotency | None = None,
) -> Accepted:
    """Ring for new tasks; without the queue take them back and raise, or keep them (by policy)."""
    queue_down = False
    try:
        ring()
    except QueueUnavailable:
        queue_down = settings.QUEUE_DOWN_POLICY == "accept"
        if not queue_down and withdraw(tasks, batch, idempotency):
            raise
        # Some messages arrived after all and a worker has them, or a repetition rang: the tasks
        # stay, and recovery rings for those that nobody did.
    first = tasks[0]
    if first.batch_id is None:
        log.info("task_submitted", task_id=str(first.task_id), shots=first.shots)
    else:
        log.info("tasks_submitted", tasks=len(tasks), batch_id=str(first.batch_id))
    return Accepted(tasks, batch, queue_down=queue_down)


def withdraw(
    tasks: Sequence[Task], batch: Batch | None = None, idempotency: Idempotency | None = None
) -> bool:
    """Take back what was just stored, its key included; False if it must stay."""
    ids = [task.task_id for task in tasks]
    with transaction.atomic():
        gone = lifecycle.withdraw(*ids, rung_at=max(task.enqueued_at for task in tasks))
        if gone and idempotency is not None:
            _keys(idempotency).delete()
        if gone and batch is not None:
            batch.delete()
    return gone
