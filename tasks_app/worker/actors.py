"""The worker's side: claim, run, finish; then, and only then, Dramatiq acknowledges."""

import uuid
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

log = structlog.get_logger(__name__)

T = TypeVar("T")

dramatiq.get_broker().add_middleware(WorkerLifecycle())


@dramatiq.actor(actor_name=RUN_TASK, queue_name=QUEUE)
def run_task(task_id: str) -> None:
    """Run the task that the message names, after one whose worker was lost, if there is one.

    The lost one goes first so that it does not queue up again behind everything submitted since.
    """
    try:
        named = uuid.UUID(task_id)
    except (ValueError, TypeError, AttributeError):
        log.error("message_malformed", task_id=repr(task_id)[:80])
        return
    for lost_first in (True, False):
        claim = _patiently(
            partial(lifecycle.claim, named, worker=worker_id.current(), lost_first=lost_first)
        )
        if claim is None:
            return
        with structlog.contextvars.bound_contextvars(
            task_id=str(claim.task_id), correlation_id=claim.correlation_id
        ):
            run(claim)
        if claim.task_id == named:
            return


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
        try:
            broker.ring({claim.task_id: claim.correlation_id})
        except QueueUnavailable as error:
            log.warning("ring_failed", reason=str(error))  # recovery rings


def _patiently(work: Callable[[], T]) -> T:
    return wait_for_database(work, give_up=slots.shutdown)
