"""The tables. What a row may look like stands here; what may happen to one, in `lifecycle`."""

from tasks_app.models.people import MAX_WEIGHT, ApiToken, AuditEntry, OwnerLimits
from tasks_app.models.places import Backend, Worker
from tasks_app.models.runtime import RuntimeJob, RuntimeSession
from tasks_app.models.tasks import (
    INTERNAL_ERROR,
    MAX_PRIORITY,
    TERMINAL,
    TURN_BITS,
    Batch,
    IdempotencyKey,
    Status,
    StatusHistory,
    Task,
    TaskQuerySet,
    new_task_id,
)

__all__ = [
    "INTERNAL_ERROR",
    "MAX_PRIORITY",
    "MAX_WEIGHT",
    "TERMINAL",
    "TURN_BITS",
    "ApiToken",
    "AuditEntry",
    "Backend",
    "Batch",
    "IdempotencyKey",
    "OwnerLimits",
    "RuntimeJob",
    "RuntimeSession",
    "Status",
    "StatusHistory",
    "Task",
    "TaskQuerySet",
    "Worker",
    "new_task_id",
]
