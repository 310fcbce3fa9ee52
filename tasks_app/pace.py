"""Which workers are alive, and how fast the queue moves: measured, never guessed."""

import json
import time
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone
from psycopg.rows import dict_row

from tasks_app import sql, worker_id
from tasks_app.models import Status, Task, Worker
from tasks_app.postgresql.base import prepared

ALIVE_S = 15  # a worker reports itself every few seconds
FORGET_S = 3600
SAMPLE = 1000
ESTIMATE_S = 2
LONG_QUEUE = 10_000  # pending tasks; counting more takes a while

_PACE = sql.statement("pace")


def report(*, slots: int) -> None:
    """This worker process is alive and runs `slots` circuits at a time."""
    Worker.objects.bulk_create(
        [Worker(worker=worker_id.current(), slots=slots, seen_at=Now())],
        update_conflicts=True,
        unique_fields=["worker"],
        update_fields=["slots", "seen_at"],
    )


def leave() -> None:
    """This worker process ends in order; long silent ones are forgotten too."""
    Worker.objects.filter(worker=worker_id.current()).delete()
    Worker.objects.filter(seen_at__lt=Now() - timedelta(seconds=FORGET_S)).delete()


def pace() -> dict[str, Any]:
    """Workers alive and their slots; seconds that the `SAMPLE` latest tasks waited and ran."""
    values = {"alive_s": ALIVE_S, "sample": SAMPLE}
    found: dict[str, Any] = prepared(_PACE, values, row_factory=dict_row)[0]
    return found


def pending() -> int:
    """How many tasks are pending; of more than `LONG_QUEUE` what PostgreSQL's planner expects."""
    tasks = Task.objects.with_status(Status.PENDING)
    few: int = tasks[: LONG_QUEUE + 1].count()
    if few <= LONG_QUEUE:
        return few
    (plan,) = json.loads(tasks.order_by().explain(format="json"))
    return max(few, int(plan["Plan"]["Plan Rows"]))


def estimated_start(position: int | None) -> datetime | None:
    """When a task at this position should start; None without workers or measured times."""
    if position is None:
        return None
    seconds = _seconds_a_task(int(time.monotonic() / ESTIMATE_S))
    return None if seconds is None else timezone.now() + timedelta(seconds=position * seconds)


@lru_cache(maxsize=1)
def _seconds_a_task(period: int) -> float | None:
    """Seconds until the workers take another task; measured once in `ESTIMATE_S`."""
    now = pace()
    slots, run_s = now["slots"], now["run_p50_s"]
    return None if not slots or run_s is None else run_s / slots
