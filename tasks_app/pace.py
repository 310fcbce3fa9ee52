"""Which workers are alive, and how fast the queue moves: measured, never guessed."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.db import connection
from django.db.models import Count, Sum
from django.db.models.functions import Now
from django.utils import timezone

from tasks_app import worker_id
from tasks_app.models import Status, Task, Worker

ALIVE_S = 15  # a worker reports itself every few seconds
FORGET_S = 3600
SAMPLE = 1000
ESTIMATE_S = 2


LONG_QUEUE = 10_000  # pending tasks; counting more takes a while


def report(*, slots: int) -> None:
    """This worker process is alive and runs `slots` circuits at a time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tasks_app_worker (worker, slots) VALUES (%s, %s)"
            " ON CONFLICT (worker) DO UPDATE SET seen_at = now(), slots = excluded.slots",
            [worker_id.current(), slots],
        )


def leave() -> None:
    """This worker process ends in order; long silent ones are forgotten too."""
    Worker.objects.filter(worker=worker_id.current()).delete()
    Worker.objects.filter(seen_at__lt=Now() - timedelta(seconds=FORGET_S)).delete()


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that tasks of the last hour waited and ran; None where none was completed."""

    wait_p50_s: float | None
    wait_p90_s: float | None
    run_p50_s: float | None
    run_p90_s: float | None


@dataclass(frozen=True, slots=True)
class Workforce:
    """Worker processes heard of lately, and the circuits that they run at a time."""

    workers: int
    slots: int


def workforce() -> Workforce:
    """Who is alive now."""
    alive = Worker.objects.filter(seen_at__gte=Now() - timedelta(seconds=ALIVE_S))
    found: Mapping[str, int | None] = alive.aggregate(workers=Count("worker"), slots=Sum("slots"))
    return Workforce(workers=found["workers"] or 0, slots=found["slots"] or 0)


def pace() -> Pace:
    """From the `SAMPLE` latest tasks that were submitted within the last hour and completed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY wait),"
            " percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY run) FROM ("
            " SELECT extract(epoch FROM started_at - submitted_at)::float8 AS wait,"
            " extract(epoch FROM completed_at - started_at)::float8 AS run FROM tasks_app_task"
            " WHERE current_status = 'completed' AND submitted_at > now() - interval '1 hour'"
            " ORDER BY submitted_at DESC LIMIT %s) AS latest",
            [SAMPLE],
        )
        wait, run = cursor.fetchone() or (None, None)
    return Pace(*(wait or (None, None)), *(run or (None, None)))


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
    slots, run_s = workforce().slots, pace().run_p50_s
    return None if not slots or run_s is None else run_s / slots
