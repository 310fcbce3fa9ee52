"""One trace from the API through the queue and the worker into the sandbox, by OpenTelemetry.

Only where `OTEL_EXPORTER_OTLP_ENDPOINT` is set: elsewhere nothing of it is imported.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any

from django.conf import settings

if settings.TRACING:
    from tasks_app import spans

#: Of the request that this thread serves, for the tasks that it submits (W3C Trace Context).
traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


def attempt(
    parent: str | None, *, waited_s: float, task_id: str, attempt: int, shots: int
) -> AbstractContextManager[object]:
    """Around an attempt of a task, which `waited_s` lie behind; `parent`: its `traceparent`."""
    if not settings.TRACING:
        return nullcontext()
    return spans.attempt(
        parent,
        waited_s=waited_s,
        attributes={"task_id": task_id, "attempt": attempt, "shots": shots},
    )


def ran(result: Mapping[str, Any], seconds: float) -> None:
    """Inside `attempt`: the simulation took so long, and just ended."""
    if settings.TRACING:
        spans.ran(result["metadata"], seconds)


def failed(code: str) -> None:
    """Inside `attempt`: it came to nothing."""
    if settings.TRACING:
        spans.failed(code)


def close() -> None:
    """Send what is left, for a moment. For the process's end."""
    if settings.TRACING:
        spans.close()
