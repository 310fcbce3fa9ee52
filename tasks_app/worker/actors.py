"""The worker's side: claim, run, finish; then, and only then, Dramatiq acknowledges."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeVar

import dramatiq
import structlog
from django.conf import settings

from tasks_app import backends, lifecycle, metrics, tracing, worker_id
from tasks_app.circuits import CircuitError, Job, SandboxDied, SandboxStopped
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.lifecycle import Claim
from tasks_app.postgresql.base import wait_for_database
from tasks_app.queue import broker
from tasks_app.queue.doorbell import RUN_TASK, queue_of
from tasks_app.queue.publisher import QueueUnavailable
from tasks_app.worker import slots
from tasks_app.worker.process import WorkerLifecycle

LOOK_AGAIN_S = 10.0
FIRST_BACKEND = (*settings.WORKER_BACKENDS, DEFAULT_BACKEND)[0]  # others: WorkerLifecycle

log = structlog.get_logger(__name__)

T = TypeVar("T")

dramatiq.get_broker().add_middleware(WorkerLifecycle())


@dramatiq.actor(actor_name=RUN_TASK, queue_name=queue_of(FIRST_BACKEND))
def run_task(task_id: str, *, backend: str = DEFAULT_BACKEND) -> None:
    """Run the backend's task whose turn it is: a message says that there is work, and who rang.

    A message that comes while an owner runs as many tasks as may is gone, and that owner still
    waits. So whoever ends one of those tasks looks again, unasked; and rings for the others
    rather than hold one message for ever.
    """
    until = time.monotonic() + LOOK_AGAIN_S
    claim = _next_claim(backend)
    if claim is None:
        log.info("message_spare")
    while claim is not None:
        with (
            structlog.contextvars.bound_contextvars(
                task_id=str(claim.task_id), correlation_id=claim.correlation_id
            ),
            _traced(claim),
        ):
            run(claim)
        waiting = _patiently(partial(lifecycle.waiting_behind, claim))
        here = [each for each in waiting if each.backend == backend]
        elsewhere = [each for each in waiting if each.backend != backend]
        if slots.stopping.is_set() or time.monotonic() > until:
            here, elsewhere = [], waiting
        _ring(elsewhere)
        claim = _next_claim(backend) if here else None


def _next_claim(backend: str) -> Claim | None:
    return _patiently(partial(lifecycle.claim, worker=worker_id.current(), backend=backend))


def _traced(claim: Claim) -> AbstractContextManager[object]:
    return tracing.attempt(
        claim.traceparent,
        waited_s=claim.waited_s,
        task_id=str(claim.task_id),
        attempt=claim.attempt,
        shots=claim.shots,
    )


def run(claim: Claim) -> None:
    """Simulate, and write what came of it; nothing if the claim was lost meanwhile."""
    slot, began = slots.current(), time.perf_counter()
    with slot.holding(claim):
        try:
            result = slot.sandbox.run(job_of(claim), owner=claim.owner_id)
        except CircuitError as error:
            if error.traceback is not None:
                log.error("circuit_internal_error", traceback=error.traceback)
            tracing.failed(error.code)
            code, message = error.code, error.message + _position(error)
            _patiently(partial(lifecycle.fail, claim, code=code, message=message))
        except SandboxDied as error:
            tracing.failed("sandbox_died")
            _hand_back(claim, reason=str(error), count_attempt=True)
        except SandboxStopped:
            tracing.failed("stopped")
            _hand_back(claim, reason="its worker is shutting down", count_attempt=False)
        else:
            seconds = time.perf_counter() - began
            metrics.ran(result, seconds)
            tracing.ran(result, seconds)
            _patiently(partial(lifecycle.complete, claim, result))


def job_of(claim: Claim) -> Job:
    """What the claimed task asks for."""
    own = settings.OWNER_LIMITS["qubits"] if claim.max_qubits is None else claim.max_qubits
    return Job(
        circuit=claim.circuit,
        shots=claim.shots,
        seed=claim.seed,
        max_qubits=min(filter(None, (own, claim.backend_max_qubits)), default=0),
        backend=_patiently(partial(backends.described, claim.backend, claim.backend_changed_at)),
        **claim.options,
    )


def _position(error: CircuitError) -> str:
    if error.line is None:
        return ""
    column = f", column {error.column}" if error.column is not None else ""
    return f" (line {error.line}{column})"


def _hand_back(claim: Claim, *, reason: str, count_attempt: bool) -> None:
    if _patiently(lambda: lifecycle.hand_back(claim, reason=reason, count_attempt=count_attempt)):
        _ring([claim])


def _ring(tasks: Iterable[broker.Rung]) -> None:
    try:
        broker.ring(tasks)
    except QueueUnavailable as error:
        log.warning("ring_failed", reason=str(error))  # recovery rings


def _patiently(work: Callable[[], T]) -> T:
    return wait_for_database(work, give_up=slots.shutdown)
