"""The admin's first page: today's tasks, throughput and waiting, failures, workers.

Made for millions of rows, as the list of tasks is: what is counted is counted along an index to a
limit, and the charts are of the latest tasks only. They are drawn here: the page needs no script.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, F
from django.urls import reverse
from django.utils import timezone

from tasks_app import backends, pace
from tasks_app.admin.tasks import BADGES
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.models import Status, Task
from tasks_app.queue import broker
from tasks_app.queue.publisher import QueueUnavailable
from tasks_app.wording import duration, short_id

LATEST, PARTS = 10_000, 24
QUEUE_S = 1.0  # RabbitMQ's time to answer
_HEIGHT, _SLOT, _BAR = 120, 30, 24  # of the charts, in their own units

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of a chart, and what it says when it is pointed at."""

    x: int
    y: float
    width: int
    height: float
    colour: str
    title: str


def context() -> dict[str, Any]:
    """What the template shows."""
    latest = pace.lately(most=LATEST, parts=PARTS)
    parts = [row for row in latest if row["part"] is not None]
    since = latest[0]["since"] if latest else timezone.now() - timedelta(days=1)
    whole = timezone.now() - since
    return {
        "now": pace.pace(),
        "statuses": _today(),
        "oldest": _oldest(),
        "queue": _queue(DEFAULT_BACKEND),
        "backends": _backends(),
        "since": since,
        "latest": f"{sum(map(_tasks, parts)):,}" if parts else "",
        "each": duration(whole.total_seconds() / PARTS),
        "width": PARTS * _SLOT,
        "height": _HEIGHT,
        "throughput": _stacked(parts),
        "throughput_most": f"{max(map(_tasks, parts), default=0):,}",
        "waiting": _quantiles(parts, "waited"),
        "waiting_most": duration(_most(parts, "waited")),
        "running": _quantiles(parts, "ran"),
        "running_most": duration(_most(parts, "ran")),
        "failures": [(row["error_code"], row["failed"]) for row in latest if row["part"] is None],
        "workers": _workers(),
    }


def _today() -> list[dict[str, Any]]:
    """How many of today's tasks (UTC) are in each status, and where they are listed."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for status in Status:
        tasks = Task.objects.with_status(status).filter(submitted_at__gte=midnight)
        query = {"current_status__exact": status.value, "submitted_at__gte": str(midnight)}
        found.append(
            {
                "label": status.label,
                "colour": BADGES[status],
                "tasks": _number(pace.counted(tasks)),
                "url": reverse("admin:tasks_app_task_changelist", query=query),
            }
        )
    return found


def _number(tasks: int) -> str:
    return f"{'about ' if tasks > pace.LONG_QUEUE else ''}{tasks:,}"


def _oldest() -> dict[str, Any] | None:
    """The task that has waited longest."""
    pending = Task.objects.with_status(Status.PENDING).order_by("submitted_at")
    task = pending.values("task_id", "submitted_at").first()
    if task is None:
        return None
    return {
        "short": short_id(task["task_id"]),
        "url": reverse("admin:tasks_app_task_change", args=[task["task_id"]]),
        "waits": duration((timezone.now() - task["submitted_at"]).total_seconds()),
    }


def _queue(backend: str) -> dict[str, int] | None:
    """What its queue holds, and that of the dead letters of all; None if RabbitMQ is away."""
    try:
        return asdict(broker.depths(backend, timeout_s=QUEUE_S))
    except QueueUnavailable:
        return None


def _backends() -> list[dict[str, Any]]:
    """Each with what waits for it, what runs, and who serves it."""
    found = []
    for name, backend in sorted(backends.known().items()):
        now = pace.pace_lately(name)
        found.append(
            {
                "name": name,
                "online": backend.online,
                "pending": _number(pace.pending(name)),
                "processing": now["processing"],
                "slots": now["slots"],
                "queue": _queue(name),
            }
        )
    return found


def _workers() -> list[dict[str, Any]]:
    """Those alive, with what they run."""
    processing = Task.objects.with_status(Status.PROCESSING)
    running = dict(processing.values_list("worker").annotate(Count("task_id")).order_by())
    return [
        {
            "worker": worker.worker,
            "slots": worker.slots,
            "running": running.get(worker.worker, 0),
            "since": worker.started_at,
            "missing": worker.missing_walls,
        }
        for worker in pace.alive_workers().order_by(F("started_at"))
    ]


def _tasks(row: Row) -> int:
    return sum(row[status.value] for status in Status)


def _stacked(parts: Sequence[Row]) -> list[Bar]:
    """The tasks of each part, by what became of them."""
    most = max(map(_tasks, parts), default=0)
    bars = []
    for row in parts:
        y = float(_HEIGHT)
        for status in Status:
            if tasks := row[status.value]:
                height = _HEIGHT * tasks / most
                y -= height
                title = f"{tasks:,} {status.label.lower()}"
                bars.append(_bar(row, y, height, BADGES[status], title))
    return bars


def _most(parts: Sequence[Row], what: str) -> float | None:
    return max((row[what][1] for row in parts if row[what]), default=None)


def _quantiles(parts: Sequence[Row], what: str) -> list[Bar]:
    """Nine tenths of a part's tasks took no longer than the pale bar, half of them the dark one."""
    most = _most(parts, what)
    bars = []
    for row in parts:
        if row[what] and most:
            middle, upper = row[what]
            title = f"half within {duration(middle)}, nine tenths within {duration(upper)}"
            for seconds, colour in ((upper, "#93c5fd"), (middle, "#1d4ed8")):
                height = _HEIGHT * max(seconds, 0) / most
                bars.append(_bar(row, _HEIGHT - height, height, colour, title))
    return bars


def _bar(row: Row, y: float, height: float, colour: str, title: str) -> Bar:
    return Bar(row["part"] * _SLOT, round(y, 2), _BAR, round(height, 2), colour, title)
