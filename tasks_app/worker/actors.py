"""The worker's side: claim, run, finish; then, and only then, Dramatiq acknowledges."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeVar

import dramatiq
import structlog
from django.conf import settings

from tasks_app import backends, lifecycle, metrics, tracing, worker_id
from tasks_app.circuits import CircuitError, Job, SandboxDied, SandboxStopped
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.lifecycle import Claim, Outcome
from tasks_app.postgresql.base import wait_for_database
from tasks_app.queue import broker
from tasks_app.queue.doorbell import RUN_TASK, queue_of
from tasks_app.queue.publisher import QueueUnavailable
from tasks_app.worker import slots
from tasks_app.worker.process import WorkerLifecycle

LOOK_AGAIN_S = 10.0
QUICK_S = 0.008  # a task that takes less is claimed together with others of its batch
FIRST_BACKEND = (*settings.WORKER_BACKENDS, DEFAULT_BACKEND)[0]  # others: WorkerLifecycle

log = structlog.get_logger(__name__)

T = TypeVar("T")

dramatiq.get_broker().add_middleware(WorkerLifecycle())


@dramatiq.actor(actor_name=RUN_TASK, queue_name=queue_of(FIRST_BACKEND))
def run_task(task_id: str, *, backend: str = DEFAULT_BACKEND, unasked: bool = False) -> None:
    """Run the backend's task whose turn it is: a message says that there is work, and who rang.
    Unasked, run them all: no messages come.

    A message that comes while an owner runs as many tasks as may is gone, and that owner still
    waits. So whoever ends one of those tasks looks again, unasked; and rings for the others
    rather than hold one message for ever.
    """
    if slots.is_spare(str(task_id)):  # anybody may write messages
        return
    until = time.monotonic() + LOOK_AGAIN_S
    claims = _next_claims(backend)
    if not claims and not unasked:
        log.info("message_spare")
    while claims:
        slots.expect_spare(claims, rung_for=task_id)
        run(claims)
        waiting = _patiently(partial(lifecycle.waiting_behind, claims[0]))
        here = [each for each in waiting if each.backend == backend]
        elsewhere = [each for each in waiting if each.backend != backend]
        if slots.stopping.is_set() or time.monotonic() > until:
            here, elsewhere, unasked = [], waiting, False
        _ring(elsewhere)
        claims = _next_claims(backend) if here or unasked else []


def _next_claims(backend: str) -> list[Claim]:
    batch = slots.current().quick_batch
    return _patiently(
        partial(lifecycle.claim, worker=worker_id.current(), backend=backend, batch=batch)
    )


def run(claims: Sequence[Claim]) -> None:
    """Simulate, and write what came of it; nothing of a claim that was lost meanwhile.

    Of several, what has ended is written together. Once one takes longer than a moment, that is
    written at once and what has not begun is handed back: nothing waits for a long simulation.
    """
    slot, waiting, ended = slots.current(), deque(claims), list[Outcome]()

    def settle(reason: str = "the one before it takes long") -> None:
        if ended:
            _patiently(partial(lifecycle.finish, ended))
            ended.clear()
        while waiting:
            _hand_back(waiting.popleft(), reason=reason, count_attempt=False)

    began = time.perf_counter()
    with slot.holding(claims):
        while waiting and not slots.shutdown.is_set():
            claim = waiting.popleft()
            context = {"task_id": str(claim.task_id), "correlation_id": claim.correlation_id}
            with structlog.contextvars.bound_contextvars(**context), _traced(claim):
                outcome = _simulated(claim, meanwhile=settle)
            if outcome:
                ended.append(outcome)
            else:  # another child will take a while to start
                settle()
        quick = time.perf_counter() - began < QUICK_S * len(claims)
        slot.quick_batch = claims[0].batch_id if quick and not claims[0].max_running else None
        settle("its worker is shutting down")


def _traced(claim: Claim) -> AbstractContextManager[object]:
    return tracing.attempt(
        claim.traceparent,
        waited_s=claim.waited_s,
        task_id=str(claim.task_id),
        attempt=claim.attempt,
        shots=claim.shots,
    )


def _simulated(claim: Claim, *, meanwhile: Callable[[], None]) -> Outcome | None:
    """What came of it. None if nothing did: it is handed back."""
    slot, began = slots.current(), time.perf_counter()
    try:
        with slot.running(claim):
            result = slot.sandbox.run(job_of(claim), owner=claim.owner_id, meanwhile=meanwhile)
    except CircuitError as error:
        if error.traceback is not None:
            log.error("circuit_internal_error", traceback=error.traceback)
        tracing.failed(error.code)
        message = error.message + _position(error)
        return lifecycle.failed(claim, code=error.code, message=message)
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
        return lifecycle.completed(claim, result)
    return None


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
        slots.expect_ring(str(claim.task_id))
        _ring([claim])


def _ring(tasks: Iterable[broker.Rung]) -> None:
    try:
        broker.ring(tasks)
    except QueueUnavailable as error:
        log.warning("ring_failed", reason=str(error))  # recovery rings


def _patiently(work: Callable[[], T]) -> T:
    return wait_for_database(work, give_up=slots.shutdown)
