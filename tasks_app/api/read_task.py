"""A task as its client sees it, in one statement: nothing is asked for more often."""

import uuid
from dataclasses import asdict
from typing import Any

import orjson

from tasks_app import pace, sql
from tasks_app.access import Visibility
from tasks_app.models import Status
from tasks_app.postgresql.base import prepared

MAX_POSITION = 1000

MESSAGES = {
    Status.PENDING: "The task waits for a worker.",
    Status.PROCESSING: "A worker is running the circuit.",
    Status.COMPLETED: "The circuit has been run.",
    Status.FAILED: "The task failed; error_message says why.",
    Status.CANCELLED: "The task was cancelled.",
}

_TASK = sql.statement("read_task")


def task(task_id: uuid.UUID, visibility: Visibility) -> dict[str, Any] | None:
    """What `TaskSerializer` describes, or None if the client may not know of such a task.

    The result is as PostgreSQL sent it, an `orjson.Fragment`, not read and written again.
    """
    values = {"task_id": task_id, "max_position": MAX_POSITION, **asdict(visibility)}
    rows = prepared(_TASK, values)
    if not rows:
        return None
    # fmt: off
    (status, name, tags, batch_id, shots, submitted_at, started_at, completed_at, error_code, seed,
     result, error_message, correlation_id, statuses, times, notes, before) = rows[0]
    # fmt: on
    if before is not None and before > MAX_POSITION:
        before = None
    return {
        "task_id": task_id,
        "status": status,
        "name": name,
        "tags": tags,
        "batch_id": batch_id,
        "shots": shots,
        "submitted_at": submitted_at,
        "started_at": started_at,
        "completed_at": completed_at,
        "error_code": error_code,
        "seed": seed,
        "result": None if result is None else orjson.Fragment(result),
        "error_message": error_message,
        "status_history": [
            {"status": status, "transitioned_at": at, "notes": note}
            for status, at, note in zip(statuses or (), times or (), notes or (), strict=True)
        ],
        "queue_position": before,
        "estimated_start_at": pace.estimated_start(before),
        "message": MESSAGES[status],
        "correlation_id": correlation_id,
    }
