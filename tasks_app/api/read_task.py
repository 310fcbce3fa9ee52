"""A task as its client sees it, in one statement: nothing is asked for more often."""

import uuid
from dataclasses import asdict
from typing import Any

import orjson
from psycopg.rows import dict_row

from tasks_app import backends, pace, sql, turns
from tasks_app.access import Visibility
from tasks_app.models import Status
from tasks_app.postgresql.base import connection

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
    values |= turns.limits()
    rows = connection.prepared(_TASK, values, row_factory=dict_row)
    if not rows:
        return None
    found: dict[str, Any] = rows[0]
    moves = zip(
        *(found.pop(column) or () for column in ("statuses", "times", "notes")), strict=True
    )
    before = found.pop("before")
    if before is not None and before > MAX_POSITION:
        before = None
    held_back = found.pop("held_back")
    return {
        **found,
        "result": None if found["result"] is None else orjson.Fragment(found["result"]),
        "status_history": [
            {"status": status, "transitioned_at": at, "notes": notes} for status, at, notes in moves
        ],
        "queue_position": before,
        "estimated_start_at": None if held_back else pace.estimated_start(found["backend"], before),
        "message": _message(found["status"], found["backend"], held_back),
    }


def _message(status: Status, backend: str, held_back: bool | None) -> str:
    """What it waits for, or is."""
    if status == Status.PENDING:
        described = backends.known().get(backend)
        if described is None or not described.online:
            return f"The task waits until the backend {backend} is online."
        if not pace.pace_lately(backend)["slots"]:
            return f"The task waits: no worker serves the backend {backend} now."
        if held_back:
            return "The task waits: its owner has as many tasks running as may."
    return MESSAGES[status]
