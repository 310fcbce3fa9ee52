"""A task as its client sees it, in one statement: nothing is asked for more often."""

import math
import threading
import time
import uuid
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from tasks_app import pace
from tasks_app.access import Sight
from tasks_app.models import Status
from tasks_app.postgresql.base import prepared

MAX_POSITION = 10_000
COUNTED = 100
SNAPSHOT_S = 1.0

MESSAGES = {
    Status.PENDING: "The task waits for a worker.",
    Status.PROCESSING: "A worker is running the circuit.",
    Status.COMPLETED: "The circuit has been run.",
    Status.FAILED: "The task failed; error_message says why.",
    Status.CANCELLED: "The task was cancelled.",
}

# Elements of a batch share their time and are rung for in the order of their ids.
_TASK = """
SELECT current_status, name, tags, batch_id, shots, submitted_at, started_at, completed_at,
    error_code, seed, result, error_message, correlation_id, enqueued_at,
    moves.statuses, moves.times, moves.notes,
    CASE current_status WHEN 'pending' THEN (
        SELECT count(*) FROM (
            SELECT FROM tasks_app_task AS other WHERE other.current_status = 'pending'
                AND (other.enqueued_at, other.task_id) < (task.enqueued_at, task.task_id)
            LIMIT %s
        ) AS before
    ) END
FROM tasks_app_task AS task, LATERAL (
    SELECT array_agg(status) AS statuses, array_agg(transitioned_at) AS times,
        array_agg(notes) AS notes
    FROM (
        SELECT status, transitioned_at, notes FROM tasks_app_statushistory AS history
        WHERE history.task_id = task.task_id ORDER BY id
    ) AS ordered
) AS moves
WHERE task.task_id = %s AND (%s::bool OR owner_id = %s::int)
"""


_BACKLOG = """
SELECT (extract(epoch FROM enqueued_at) * 1000000)::bigint, task_id::text FROM tasks_app_task
WHERE current_status = 'pending' ORDER BY enqueued_at, task_id LIMIT %s
"""

_ARRIVED = """
SELECT count(*) FROM tasks_app_task WHERE current_status = 'pending'
    AND (enqueued_at, task_id) > (%s, %s::uuid) AND (enqueued_at, task_id) < (%s, %s)
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Backlog:
    """The pending tasks of a moment ago: counting thousands of rows is too dear for each read.

    A position far from the head may therefore be `SNAPSHOT_S` old; near it, it is counted anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken_at = -math.inf
        self._keys: list[tuple[Any, ...]] = []  # microseconds of `enqueued_at`, and the id

    def before(self, enqueued_at: datetime, task_id: uuid.UUID) -> int | None:
        """How many are before this one; None if more than `MAX_POSITION`."""
        with self._lock:
            if time.monotonic() >= self._taken_at + SNAPSHOT_S:
                self._keys = prepared(_BACKLOG, [MAX_POSITION + 1])
                self._taken_at = time.monotonic()
            keys = self._keys
        key = (enqueued_at - _EPOCH) // timedelta(microseconds=1), str(task_id)
        position = bisect_left(keys, key)
        if 0 < position == len(keys) <= MAX_POSITION:  # it came since
            microseconds, last_id = keys[-1]
            last_at = _EPOCH + timedelta(microseconds=microseconds)
            ((arrived,),) = prepared(_ARRIVED, [last_at, last_id, enqueued_at, task_id])
            position += arrived
        return position if position <= MAX_POSITION else None


_backlog = Backlog()


def task(task_id: uuid.UUID, sight: Sight) -> dict[str, Any] | None:
    """What `TaskSerializer` describes, or None if the client may not know of such a task.

    The result is as PostgreSQL sent it, an `orjson.Fragment`, not read and written again.
    """
    rows = prepared(_TASK, [COUNTED + 1, task_id, sight.everything, sight.owner_id])
    if not rows:
        return None
    # fmt: off
    (status, name, tags, batch_id, shots, submitted_at, started_at, completed_at, error_code, seed,
     result, error_message, correlation_id, enqueued_at, statuses, times, notes, before) = rows[0]
    # fmt: on
    if before is not None and before > COUNTED:
        before = _backlog.before(enqueued_at, task_id)
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
