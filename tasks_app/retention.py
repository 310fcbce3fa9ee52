"""Deleting old terminal tasks, a few at a time, so that nobody waits for a lock."""

import math
import time
from collections.abc import Sequence
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from tasks_app.models import (
    TERMINAL,
    AuditEntry,
    Batch,
    RuntimeJob,
    RuntimeSession,
    Status,
    Task,
    TaskQuerySet,
)

CHUNK = 500
FAILED_LOGINS_DAYS = 30  # anybody can add to them

log = structlog.get_logger(__name__)


def old_tasks(*, older_than: timedelta, statuses: Sequence[Status] = TERMINAL) -> TaskQuerySet:
    """Terminal tasks that were submitted, and have ended, longer ago than that."""
    return Task.objects.with_status(*statuses).filter(
        submitted_at__lt=Now() - older_than, completed_at__lt=Now() - older_than
    )


def purge(
    *, older_than: timedelta, statuses: Sequence[Status] = TERMINAL, within_s: float = math.inf
) -> tuple[int, bool]:
    """Delete old tasks, chunk after chunk, until none is left or `within_s` is over; how many, and
    whether none is left."""
    until = time.monotonic() + within_s
    total = 0
    while deleted := purge_chunk(older_than=older_than, statuses=statuses):
        total += deleted
        if time.monotonic() > until:
            return total, False
    return total, True


def purge_chunk(*, older_than: timedelta, statuses: Sequence[Status] = TERMINAL) -> int:
    """Delete up to `CHUNK` old tasks, oldest first, with their history, and with a batch of which
    none is left; how many there were."""
    with transaction.atomic():
        old = old_tasks(older_than=older_than, statuses=statuses).order_by("submitted_at")
        free = old.select_for_update(skip_locked=True)
        batches = dict(free.values_list("task_id", "batch_id")[:CHUNK])
        deleted, _ = Task.objects.filter(task_id__in=batches).delete()
        Batch.objects.filter(batch_id__in={*batches.values()}, task=None).delete()
    if deleted:
        log.info("tasks_purged", count=deleted)
    return deleted


def purge_empty_batches(*, older_than: timedelta) -> int:
    """Delete old batches that had no task left before, and then sessions that have no job; how many
    batches there were. It looks at all old batches, those with old tasks included.
    """
    old = Batch.objects.filter(submitted_at__lt=Now() - older_than, task=None)
    deleted = old.delete()[0]
    jobs = RuntimeJob.objects.filter(session=OuterRef("pk"))
    sessions = RuntimeSession.objects.filter(~Exists(jobs), created_at__lt=Now() - older_than)
    # Not `delete`, which would look for jobs to take from them.
    sessions._raw_delete(sessions.db)
    return deleted


def purge_failed_logins() -> int:
    """Delete what the audit holds of failed logins longer ago than `FAILED_LOGINS_DAYS`."""
    old = Now() - timedelta(days=FAILED_LOGINS_DAYS)
    failed = AuditEntry.objects.filter(action="login_failed", at__lt=old)
    return AuditEntry.objects.filter(pk__in=failed.values("pk")[:CHUNK]).delete()[0]
