"""Which workers are alive, and how fast the queue moves: measured, never guessed."""

import json
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from psycopg.rows import dict_row

from tasks_app import sql, worker_id
from tasks_app.models import Status, Task, TaskQuerySet, Worker
from tasks_app.postgresql.base import connection

FORGET_S = 3600
SAMPLE = 1000
LOOKED_AT = 5 * SAMPLE  # for those of one backend
ESTIMATE_S = 2
LONG_QUEUE = 10_000  # pending tasks; counting more takes a while

HOUR_SAMPLE = 50_000  # tasks that the picture of the last hour is made of

_PACE, _LATELY = sql.statement("pace", ended="ended"), sql.statement("lately")
_LAST_HOUR = sql.statement("last_hour", ended="ended")


def report(*, slots: int, backends: Sequence[str], walls: list[str] | None = None) -> None:
    """This worker process is alive: `slots` circuits at a time, of these backends, behind walls."""
    now = {"slots": slots, "backends": backends, "walls": walls, "seen_at": Now()}
    Worker.objects.bulk_create(
        [Worker(worker=worker_id.current(), **now)],
        update_conflicts=True,
        unique_fields=["worker"],
        update_fields=[*now],
    )


def leave() -> None:
    """This worker process ends in order; long silent ones are forgotten too."""
    Worker.objects.filter(worker=worker_id.current()).delete()
    Worker.objects.filter(seen_at__lt=Now() - timedelta(seconds=FORGET_S)).delete()


def alive_workers() -> QuerySet[Worker]:
    """Worker processes heard of lately."""
    return Worker.objects.filter(seen_at__gte=Now() - timedelta(seconds=worker_id.ALIVE_S))


def pace(backend: str | None = None) -> dict[str, Any]:
    """Workers alive and their slots, what runs, and how long the `SAMPLE` latest tasks took: of
    one backend, or of all together."""
    values = {
        **{"backend": backend, "alive_s": worker_id.ALIVE_S, "sample": SAMPLE},
        "looked_at": SAMPLE if backend is None else LOOKED_AT,
    }
    found: dict[str, Any] = connection.prepared(_PACE, values, row_factory=dict_row)[0]
    return found


def last_hour() -> list[dict[str, Any]]:
    """Minute by minute: tasks `ended`, those `failed`, `wait_p50_s`; `sampled` in all of them.

    Of the latest `HOUR_SAMPLE` tasks that were submitted in it.
    """
    values = {"looked_at": HOUR_SAMPLE}
    found: list[dict[str, Any]] = connection.prepared(_LAST_HOUR, values, row_factory=dict_row)
    return found


def counted(tasks: TaskQuerySet) -> int:
    """How many these are; of more than `LONG_QUEUE` what PostgreSQL's planner expects."""
    few: int = tasks[: LONG_QUEUE + 1].count()
    if few <= LONG_QUEUE:
        return few
    (plan,) = json.loads(tasks.order_by().explain(format="json"))
    return max(few, int(plan["Plan"]["Plan Rows"]))


def pending(backend: str | None = None) -> int:
    """How many tasks wait for a backend, or for all together, as `counted` counts."""
    tasks = Task.objects.with_status(Status.PENDING)
    return counted(tasks if backend is None else tasks.filter(backend=backend))


def lately(*, most: int, parts: int) -> list[dict[str, Any]]:
    """What became of the latest tasks, at most so many, as `sql/lately.sql` has it."""
    return connection.prepared(_LATELY, {"most": most, "parts": parts}, row_factory=dict_row)


def estimated_start(backend: str, position: int | None) -> datetime | None:
    """When a backend's task at this position should start; None without workers or measured
    times."""
    if position is None:
        return None
    now = pace_lately(backend)
    # What runs now has not shown yet how long it takes: as long again, if nothing else is known.
    times = [each for each in (now["run_p50_s"], now["running_s"]) if each is not None]
    if not now["slots"] or not times:
        return None
    turns = position + (now["processing"] >= now["slots"])
    return timezone.now() + timedelta(seconds=turns * max(times) / now["slots"])


def pace_lately(backend: str) -> dict[str, Any]:
    """Its pace, measured once in `ESTIMATE_S`."""
    return _pace_lately(backend, int(time.monotonic() / ESTIMATE_S))


@lru_cache(maxsize=64)
def _pace_lately(backend: str, period: int) -> dict[str, Any]:
    return pace(backend)
