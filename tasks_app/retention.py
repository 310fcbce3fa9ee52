"""Deleting what is old, a few rows at a time, so that nobody waits for a lock."""

import math
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from tasks_app.models import (
    TERMINAL,
    ApiToken,
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


def purge_leftovers(*, older_than: timedelta) -> int:
    """Delete up to `CHUNK` old batches that have no task, then as many sessions that have no job;
    how many there were. It looks at all old ones, those with tasks or jobs included.
    """
    old = Now() - older_than
    deleted = _delete(Batch.objects.filter(submitted_at__lt=old, task=None))
    jobs = RuntimeJob.objects.filter(session=OuterRef("pk"))
    return deleted + _delete(RuntimeSession.objects.filter(~Exists(jobs), created_at__lt=old))


# What follows is deleted by who adds to it: a worker's role may not read it.


def purge_tokens(owner: User) -> None:
    """Delete the owner's tokens that have opened nothing for `RETENTION_DAYS`, if that is set."""
    if settings.RETENTION_DAYS:
        old = Now() - timedelta(days=settings.RETENTION_DAYS)
        closed = Q(revoked_at__lt=old) | Q(expires_at__lt=old)
        _delete(ApiToken.objects.filter(closed, owner=owner))


def purge_audit() -> None:
    """Delete what the audit holds for longer than `AUDIT_DAYS`, if that is set."""
    if settings.AUDIT_DAYS:
        old = Now() - timedelta(days=settings.AUDIT_DAYS)
        _delete(AuditEntry.objects.filter(at__lt=old))


def purge_failed_logins() -> int:
    """Delete what the audit holds of failed logins longer ago than `FAILED_LOGINS_DAYS`."""
    old = Now() - timedelta(days=FAILED_LOGINS_DAYS)
    return _delete(AuditEntry.objects.filter(action="login_failed", at__lt=old))


def purge_browser_sessions() -> None:
    """Delete those that have expired."""
    _delete(Session.objects.filter(expire_date__lt=Now()))


def _delete(rows: QuerySet[Any]) -> int:
    """Up to `CHUNK` of them, without a look at what may belong to them; how many there were."""
    chunk = rows.model.objects.filter(pk__in=rows.values("pk")[:CHUNK])
    return int(chunk._raw_delete(chunk.db))
