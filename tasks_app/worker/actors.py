"""The worker's side: claim, run, finish; then, and only then, Dramatiq acknowledges."""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import dramatiq
import structlog
from django.conf import settings

from tasks_app import lifecycle, worker_id
from tasks_app.circuits import CircuitError, Job, SandboxDied, SandboxStopped
from tasks_app.lifecycle import Claim
from tasks_app.postgresql.base import wait_for_database
from tasks_app.queue import broker
from tasks_app.queue.doorbell import QUEUE, RUN_TASK
from tasks_app.queue.publisher import QueueUnavailable
from tasks_app.worker import slots
from tasks_app.worker.process import WorkerLifecycle

LOOK_AGAIN_S = 10.0

log = structlog.get_logger(__name__)

T = TypeVar("T")

dramatiq.get_broker().add_middleware(WorkerLifecycle())


@dramatiq.actor(actor_name=RUN_TASK, queue_name=QUEUE)
def run_task(task_id: str) -> None:
    """Run the task whose turn it is: a message says that there is work, and who rang.

    A message that comes while an owner runs as many tasks as may is gone, and that owner still
    waits. So whoever ends one of those tasks looks again, unasked; and rings for the others
    rather than hold one message for ever.
    """
    until = time.monotonic() + LOOK_AGAIN_S
    claim = _next_claim()
    if claim is None:
        log.info("message_spare")
    while claim is not None:
        with structlog.contextvars.bound_contextvars(
            task_id=str(claim.task_id), correlation_id=claim.correlation_id
        ):
            run(claim)
        if not _patiently(partial(lifecycle.owner_waits, claim)):
            return
        if slots.stopping.is_set() or time.monotonic() > until:
            _ring(claim)
            return
        claim = _next_claim()


def _next_claim() -> Claim | None:
    return _patiently(partial(lifecycle.claim, worker=worker_id.current()))


def run(claim: Claim) -> None:
    """Simulate, and write what came of it; nothing if the claim was lost meanwhile."""
    slot = slots.current()
    with slot.holding(claim):
        try:
            result = slot.sandbox.run(_job(claim), owner=claim.owner_id)
        except CircuitError as error:
            if error.traceback is not None:
                log.error("circuit_internal_error", traceback=error.traceback)
            code, message = error.code, error.message + _position(error)
            _patiently(partial(lifecycle.fail, claim, code=code, message=message))
        except SandboxDied as error:
            _hand_back(claim, reason=str(error), count_attempt=True)
        except SandboxStopped:
            _hand_back(claim, reason="its worker is shutting down", count_attempt=False)
        else:
            _patiently(partial(lifecycle.complete, claim, result))


def _job(claim: Claim) -> Job:
    most = claim.max_qubits
    return Job(
        circuit=claim.circuit,
        shots=claim.shots,
        seed=claim.seed,
        max_qubits=settings.OWNER_LIMITS["qubits"] if most is None else most,
        **claim.options,
    )


def _position(error: CircuitError) -> str:
    if error.line is None:
        return ""
    column = f", column {error.column}" if error.column is not None else ""
    return f" (line {error.line}{column})"


def _hand_back(claim: Claim, *, reason: str, count_attempt: bool) -> None:
    if _patiently(lambda: lifecycle.hand_back(claim, reason=reason, count_attempt=count_attempt)):
        _ring(claim)


def _ring(claim: Claim) -> None:
    try:
        broker.ring({claim.task_id: claim.correlation_id})
    except QueueUnavailable as error:
        log.warning("ring_failed", reason=str(error))  # recovery rings


def _patiently(work: Callable[[], T]) -> T:
    return wait_for_database(work, give_up=slots.shutdown)
