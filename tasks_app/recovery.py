"""Rings again for tasks that nobody works on: their worker is lost, or their message is.

One recovery pass looks for three kinds of task:

- exhausted: lost, as below, with its attempts used up: it fails here.
- lost: processing, and its lease has expired; that of a worker known to be gone is ended first. A
  ring lets any worker claim it anew.
- silent: pending, and may start now as far as its owner's limit goes.

The latter two are rung for where their backend is online and its queue holds fewer messages than
there are of both: as many as are missing, so that a queue that is merely long, or that nobody
consumes, is left alone. For which ones does not matter: a message says that there is work, and a
doubled ring is harmless.
"""

import math
import time
import uuid
from dataclasses import asdict, dataclass, field
from datetime import timedelta

import structlog
from django.conf import settings
from django.db.models.functions import Now

from tasks_app import lifecycle, metrics, retention, sql, turns, worker_id
from tasks_app.models import Backend, Status, Task, TaskQuerySet
from tasks_app.pace import LONG_QUEUE
from tasks_app.postgresql.base import connection, session_connection
from tasks_app.queue import broker
from tasks_app.queue.publisher import QueueUnavailable

GRACE_S = 5.0  # a ring younger than this may still be on its way
BATCH = 1000  # rings a pass; the next pass is RECOVERY_S later
SWEEP_S = 3600  # between two looks for batches and sessions of which nothing is left
COUNT_S = 60  # between two counts of a queue that takes a while to count
LEADER_LOCK = 7_101_885_430_117_248_001  # any constant; all workers of a database share it
LEADER_IDLE_S = 10  # PostgreSQL ends a leader's session that says nothing for so long

_MAY_START = sql.statement("may_start")
_COUNT = f"SELECT count(*) FROM ({_MAY_START}) AS tasks"  # noqa: S608  # our own

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a recovery pass found, and did unless it was a dry run."""

    lost: list[uuid.UUID] = field(default_factory=list)
    exhausted: list[uuid.UUID] = field(default_factory=list)
    silent: list[uuid.UUID] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.exhausted or self.silent)


def recover(*, grace_s: float = GRACE_S, dry_run: bool = False) -> Findings:
    """One pass. `grace_s`: how old a task's last ring must be before it is rung again.

    Raises database errors and `QueueUnavailable`; what was not rung by then is found again, after
    `GRACE_S`.
    """
    if not dry_run:
        expire_leases_of_the_dead()
    lost = Task.objects.lease_expired().order_by("lease_expires_at")
    findings = Findings(exhausted=_ids(lost.exhausted(), BATCH))
    left = lost.exclude(task_id__in=findings.exhausted)
    for name in Backend.objects.filter(online=True).values_list("name", flat=True):
        _look_at(name, left.filter(backend=name), grace_s, findings)
    if not dry_run:
        for task_id in findings.exhausted:
            lifecycle.fail_exhausted(task_id)
        _ring_again([*findings.lost, *findings.silent])
    return findings


def expire_leases_of_the_dead() -> None:
    """End the leases of workers known to be gone, so that nobody waits for those to run out."""
    running = Task.objects.with_status(Status.PROCESSING).filter(lease_expires_at__gte=Now())
    gone = [w for w in running.values_list("worker", flat=True).distinct() if worker_id.is_gone(w)]
    if gone:
        log.warning("workers_gone", workers=gone, tasks=lifecycle.expire_leases(gone))


def _ids(tasks: TaskQuerySet, limit: int) -> list[uuid.UUID]:
    return list(tasks.values_list("task_id", flat=True)[:limit])


_counted_at: dict[str, float] = {}  # when the long queue of a backend was counted last


def _look_at(backend: str, lost: TaskQuerySet, grace_s: float, findings: Findings) -> None:
    """Add the backend's lost and silent tasks that are to be rung for."""
    ready = broker.depths(backend).ready
    if ready > LONG_QUEUE:
        if time.monotonic() < _counted_at.get(backend, -math.inf) + COUNT_S:
            return
        _counted_at[backend] = time.monotonic()
    limits = {"backend": backend, **turns.limits()}
    most = {**limits, "quiet_s": 0, "limit": ready + BATCH}  # more would not be rung anyway
    ((may_start,),) = connection.prepared(_COUNT, most)
    missing = min(lost.count() + may_start - ready, BATCH)
    if missing <= 0:
        return
    rung_long_ago = lost.filter(enqueued_at__lt=Now() - timedelta(seconds=grace_s))
    findings.lost.extend(lost_ids := _ids(rung_long_ago, missing))
    quiet = {**limits, "quiet_s": grace_s, "limit": missing - len(lost_ids)}
    findings.silent.extend(task_id for (task_id,) in connection.prepared(_MAY_START, quiet))


def _ring_again(task_ids: list[uuid.UUID]) -> None:
    if not task_ids:
        return
    # First: a worker that came while these rows are locked would step over them.
    lifecycle.note_rung(task_ids)
    broker.ring(Task.objects.filter(task_id__in=task_ids).only("correlation_id", "backend"))
    log.warning("tasks_rung_again", task_ids=[str(task_id) for task_id in task_ids[:20]])


class Leader:
    """Runs `recover` in the one worker process that holds the leader lock.

    The lock belongs to the database session of the thread that calls `attend`: it is free the
    moment the leader dies. A leader that is paused or cut off cannot die properly, so PostgreSQL
    ends its session after `LEADER_IDLE_S` of silence.
    """

    def __init__(self) -> None:
        self._leading = False
        self._sweep_at = -math.inf

    def attend(self) -> None:
        """Take or keep the lock; if it is ours, recover, and purge what is kept too long."""
        try:
            if self._holds_lock() and (findings := recover()):
                counts = {kind: len(ids) for kind, ids in asdict(findings).items()}
                metrics.recovered(counts)
                log.warning("recovered", **counts)
        except QueueUnavailable as error:
            log.warning("recovery_waits", reason=str(error))
        if self._leading and settings.RETENTION_DAYS:
            # Half of the leader's time, that it may keep up with what workers complete.
            kept = timedelta(days=settings.RETENTION_DAYS)
            _, all_gone = retention.purge(older_than=kept, within_s=settings.RECOVERY_S)
            now = time.monotonic()
            if all_gone and now > self._sweep_at and not retention.purge_leftovers(older_than=kept):
                self._sweep_at = now + SWEEP_S

    def _holds_lock(self) -> bool:
        with session_connection().cursor() as cursor:
            # Taking it again in the same session succeeds.
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK])
            held = bool(cursor.fetchone()[0])
            if held != self._leading:
                self._leading = held
                log.info("recovery_leader" if held else "recovery_follower")
            if held:
                idle_s = max(LEADER_IDLE_S, 3 * settings.RECOVERY_S)
                cursor.execute(
                    "SELECT set_config('idle_session_timeout', %s, false)", [f"{int(idle_s)}s"]
                )
        return held
