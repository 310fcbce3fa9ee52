"""One slot per worker thread: its simulation child and the claims that it works on.

The heartbeat renews the leases of all slots of the process, and stops a simulation whose claim
is gone: lost to another worker, or cancelled.
"""

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import structlog
from django.conf import settings

from tasks_app import lifecycle, metrics
from tasks_app.circuits import Sandbox, SandboxDied, end_simulators, standing_walls
from tasks_app.lifecycle import Claim

MAX_SPARE = 10_000

log = structlog.get_logger(__name__)


class Slot:
    """A worker thread's place to run circuits."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(settings.CIRCUIT_LIMITS, ended=metrics.sandbox_ended)
        self.claims: Sequence[Claim] = ()
        self.quick_batch: uuid.UUID | None = None  # what it ran last, if that is soon done
        self._running: Claim | None = None
        self._lock = threading.Lock()

    @contextmanager
    def holding(self, claims: Sequence[Claim]) -> Iterator[None]:
        """While inside, the heartbeat renews the leases of these claims."""
        self.claims = claims
        try:
            yield
        finally:
            self.claims = ()

    @contextmanager
    def running(self, claim: Claim) -> Iterator[None]:
        """While inside, `stop` stops the simulation for this claim."""
        with self._lock:
            self._running = claim
        try:
            yield
        finally:
            with self._lock:
                self._running = None

    def stop(self, claim: Claim) -> bool:
        """Stop the claim's simulation; False if there is none."""
        with self._lock:
            return self._running == claim and self.sandbox.stop()


stopping = threading.Event()  # the worker takes no more
shutdown = threading.Event()  # the grace period is over: finish at once, or hand back

_walls = cache(standing_walls)
_local = threading.local()
_slots: list[Slot] = []
_spare: set[str] = set()  # tasks that were claimed by another one's message


def current() -> Slot:
    """The calling thread's slot, made with its child on first use."""
    slot: Slot | None = getattr(_local, "slot", None)
    if slot is None:
        slot = _local.slot = Slot()
        _slots.append(slot)
        slot.sandbox.start()
    return slot


def walls() -> list[str] | None:
    """Which walls stand around the simulations of this process; None while nobody knows."""
    try:
        return _walls()
    except SandboxDied as error:
        log.warning("walls_unknown", reason=str(error))
        return None


def held() -> dict[Claim, Slot]:
    """The claims that this process holds now."""
    return {claim: slot for slot in list(_slots) for claim in slot.claims}


def expect_spare(claims: Sequence[Claim], *, rung_for: str) -> None:
    """Of several tasks claimed by one message: the messages of all others are still to come."""
    task_ids = [str(claim.task_id) for claim in claims]
    task_ids.remove(rung_for if rung_for in task_ids else task_ids[0])
    if len(_spare) > MAX_SPARE:  # most went to other processes, and cost them a look
        _spare.clear()
    _spare.update(task_ids)


def is_spare(task_id: str) -> bool:
    """Whether a message for this task is such a one. Once: it has come."""
    try:
        _spare.remove(task_id)
    except KeyError:
        return False
    return True


def expect_ring(task_id: str) -> None:
    """It is rung for anew: its next message is not a spare one."""
    _spare.discard(task_id)


def renew_all() -> None:
    """Extend all leases that this process holds; stop what it holds no longer."""
    slots = held()
    kept = lifecycle.renew(slots)
    for claim in slots.keys() - kept:
        if slots[claim].stop(claim):  # else it has just ended, and so has the claim
            log.warning("claim_lost", task_id=str(claim.task_id), attempt=claim.attempt)


def stop_all() -> None:
    """The grace period is over: stop every simulation under way; their tasks are handed back."""
    shutdown.set()
    for claim, slot in held().items():
        slot.stop(claim)


def close_all() -> None:
    """End every child. For the process's end."""
    while _slots:
        _slots.pop().sandbox.close()
    end_simulators()
