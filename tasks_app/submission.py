"""Accepting tasks: store, ring, and take back what the queue did not confirm.

A 2xx answer means that the rows are committed and that RabbitMQ confirmed their messages (or
`QUEUE_DOWN_POLICY` is accept, and recovery will ring).
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.db.models.functions import Now

from tasks_app import access, lifecycle
from tasks_app.group_commit import Gathering
from tasks_app.models import Batch, IdempotencyKey, Status, Task
from tasks_app.postgresql.base import DATABASE_ERRORS, ensure_usable, remaining_s
from tasks_app.queue import broker
from tasks_app.queue.publisher import QueueUnavailable

log = structlog.get_logger(__name__)

LEADER_S = 1.0  # database time that a group of submissions has at least
VOUCH_S = 30  # a pending task younger than this may still be withdrawn by its first request


class KeyReused(Exception):
    """The owner has used this idempotency key for another request."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's key, and what it was sent with."""

    key: str
    request_sha256: str

    @classmethod
    def of(cls, key: str, path: str, body: Any) -> "Idempotency":
        """`body`: the JSON value; how it was written does not matter."""
        canonical = json.dumps([path, body], sort_keys=True, separators=(",", ":"))
        return cls(key, hashlib.sha256(canonical.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a submission led to: tasks in order, their batch if it was one."""

    tasks: Sequence[Task]
    batch: Batch | None = None
    replayed: bool = False
    queue_down: bool = False


def accept(
    tasks: Sequence[Task],
    *,
    owner: User | None = None,
    batch: Batch | None = None,
    idempotency: Idempotency | None = None,
) -> Accepted:
    """Store unsaved tasks (and the batch they form) and ring for them, all or none.

    With `idempotency`, a repetition returns the first request's tasks, whatever the limits.

    Raises `QueueUnavailable` and `access.LimitExceeded` with nothing kept, and `KeyReused`.
    """
    while True:
        earlier = None
        if batch is None and idempotency is None:
            access.check_limits(owner, tasks)
            rung = _rung(partial(_store_and_ring, tasks), tasks, batch)
        else:
            with transaction.atomic():
                earlier = _reserve(idempotency, owner) if idempotency else None
                if earlier is None:
                    access.check_limits(owner, tasks)
                    if batch is not None:
                        batch.save(force_insert=True)
                    lifecycle.submit(tasks)
                    if idempotency:
                        IdempotencyKey.objects.filter(owner=owner, key=idempotency.key).update(
                            task=None if batch else tasks[0], batch=batch
                        )
            rung = earlier is None and _rung(partial(_ring, tasks), tasks, batch)
        if earlier is None:
            _log_submitted(tasks)
            return Accepted(tasks, batch, queue_down=not rung)
        replay = _replay(earlier)
        if replay is not None:
            return replay  # else the first request has just withdrawn its tasks: ours is the first


def _reserve(idempotency: Idempotency, owner: User | None) -> IdempotencyKey | None:
    """Take the key; the earlier use if there is one, which may have to be waited for."""
    fields = {"owner": owner, "key": idempotency.key}
    mine = IdempotencyKey(**fields, request_sha256=idempotency.request_sha256)
    IdempotencyKey.objects.bulk_create([mine], ignore_conflicts=True)
    keys = IdempotencyKey.objects.select_for_update(of=("self",)).select_related("task", "batch")
    taken = keys.filter(**fields).first()
    if taken is None:  # it went with its withdrawn task just now
        return _reserve(idempotency, owner)
    if taken.request_sha256 != idempotency.request_sha256:
        raise KeyReused
    return None if taken.task_id is None and taken.batch_id is None else taken


def _ring(tasks: Sequence[Task]) -> None:
    broker.ring_all({task.task_id: task.correlation_id for task in tasks})


def _store_and_ring_all(submissions: Sequence[Sequence[Task]]) -> None:
    tasks = list(chain.from_iterable(submissions))
    lifecycle.submit(tasks)
    _ring(tasks)


def _check_time() -> None:
    """Those whose tasks are stored with ours must not fail because our time is over."""
    if remaining_s() < LEADER_S:
        raise OperationalError("too little time is left to store tasks")


_together = Gathering(
    _store_and_ring_all, common=(*DATABASE_ERRORS, QueueUnavailable), check=_check_time
)


def _store_and_ring(tasks: Sequence[Task]) -> None:
    """In one go with those of other threads; but first each sees for itself that PostgreSQL
    answers, lest one after the other keeps all the others waiting to find out that it does not."""
    ensure_usable()
    _together(tasks)


def _rung(ring: Callable[[], None], tasks: Sequence[Task], batch: Batch | None) -> bool:
    """Ring for new tasks; False if they are kept although the queue is down."""
    try:
        ring()
    except QueueUnavailable:
        if settings.QUEUE_DOWN_POLICY == "accept":
            return False
        if withdraw(tasks, batch):
            raise
        # Some messages arrived after all and a worker has them, or a repetition rang: the tasks
        # stay, and recovery rings for those that nobody did.
    return True


def _log_submitted(tasks: Sequence[Task]) -> None:
    if len(tasks) == 1:
        log.info("task_submitted", task_id=str(tasks[0].task_id), shots=tasks[0].shots)
    else:
        log.info("tasks_submitted", tasks=len(tasks), batch_id=str(tasks[0].batch_id))


def withdraw(tasks: Sequence[Task], batch: Batch | None) -> bool:
    """Take back what was just stored, keys included; False if it must stay."""
    ids = [task.task_id for task in tasks]
    with transaction.atomic():
        gone = lifecycle.withdraw(*ids, rung_at=max(task.enqueued_at for task in tasks))
        if gone and batch is not None:
            batch.delete()
    return gone


def _replay(earlier: IdempotencyKey) -> Accepted | None:
    """The tasks of an earlier request, safe from its withdrawal; None if they are gone."""
    if earlier.task is not None:
        tasks = [earlier.task]
    else:
        assert earlier.batch is not None
        elements = Task.objects.filter(batch=earlier.batch).without_bodies()
        # An element may have been retried: the first task at each position is the request's.
        tasks = list(elements.order_by("batch_index", "task_id").distinct("batch_index"))
        if not tasks:  # deleted since, one by one or as too old: nothing is left to repeat
            Batch.objects.filter(batch_id=earlier.batch.batch_id, task=None).delete()
            return None
    pending = {
        task.task_id: task.correlation_id for task in tasks if task.current_status == Status.PENDING
    }
    # By the database's clock, like every other time; a task deleted meanwhile is not old.
    old = Task.objects.filter(
        task_id__in=pending, enqueued_at__lte=Now() - timedelta(seconds=VOUCH_S)
    )
    fresh = {k: pending[k] for k in pending.keys() - set(old.values_list("task_id", flat=True))}
    if fresh and settings.QUEUE_DOWN_POLICY == "reject":
        broker.ring_all(fresh)
        if not lifecycle.note_rung(list(fresh)):
            return None
    return Accepted(tasks, earlier.batch, replayed=True)
