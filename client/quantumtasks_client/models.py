"""What the service answers, as typed values. Fields that a newer service adds are ignored.

`program` and `programs` are none of the service's: the text that was sent, where this client knows
it, so that an error can show its line.
"""

import uuid
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from quantumtasks_client.errors import NotEnded, TaskError, task_error

Status = Literal["pending", "processing", "completed", "failed", "cancelled"]


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a task found; what it was not asked for is None.

    Bit strings are in Qiskit's order: the last character is the first bit, registers are separated
    by spaces. `statevector` has the real and imaginary part of each amplitude, qubit 0 being the
    lowest bit of its index. `expectation_values` and `standard_errors` have an entry for each of
    `observables`. `circuit` is what was run: `openqasm`, `svg` and figures. `registers` has the
    `name` of each register and the places of its `bits` in an outcome, from the right. `sets` has a
    result for each of `parameter_sets`, in order, instead of all that; each with its own `seed`.
    """

    counts: dict[str, int] | None = None
    memory: list[str] | None = None
    probabilities: dict[str, float] | None = None
    statevector: list[tuple[float, float]] | None = None
    circuit: dict[str, Any] | None = None
    registers: list[dict[str, Any]] | None = None
    drawn: dict[str, dict[str, Any]] | None = None
    expectation_values: list[float] | None = None
    standard_errors: list[float] | None = None
    seed: int | None = None
    sets: list["Result"] | None = None
    shots: int | None = None
    metadata: dict[str, Any] = {}


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A transition of a task."""

    status: Status
    transitioned_at: datetime
    notes: str


class _Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a task stands, and what came of it if it has ended."""

    task_id: str
    status: Status
    result: Result | None = None
    error_code: str | None = None
    error_message: str | None = None
    program: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing can change any more."""
        return self.status in ("completed", "failed", "cancelled")

    @property
    def error(self) -> TaskError | None:
        """Why there is no result, if the task has ended without one."""
        if not self.ended or self.status == "completed":
            return None
        return task_error(self.task_id, self.error_code, self.error_message, self.program)

    def get_result(self) -> Result:
        """The result. Raises `TaskFailed`, `TaskCancelled` or `NotEnded`."""
        if self.result is not None:
            return self.result
        raise self.error or NotEnded(f"The task is {self.status}.", task_id=self.task_id)

    @property
    def counts(self) -> dict[str, int]:
        """How often each outcome came. Raises what `get_result` does, or `TaskError`."""
        counts = self.get_result().counts
        if counts is None:
            raise TaskError("The task was not asked for counts.", task_id=self.task_id)
        return counts


class TaskSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A task without its result and history, as lists have it."""

    task_id: str
    status: Status
    name: str
    tags: list[str]
    batch_id: str | None
    shots: int
    backend: str
    priority: int
    submitted_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    error_code: str | None
    rerun_of: str | None = None


class Task(_Outcome, frozen=True, kw_only=True):
    """A task with everything that became of it."""

    name: str
    tags: list[str]
    batch_id: str | None
    shots: int
    backend: str
    priority: int
    seed: int | None
    submitted_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    rerun_of: str | None = None
    status_history: list[HistoryEntry]
    queue_position: int | None
    estimated_start_at: datetime | None
    message: str
    correlation_id: str


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted task."""

    task_id: str
    status: Status
    submitted_at: datetime
    message: str
    correlation_id: str
    program: str | None = None


class BatchSubmission(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted batch; `task_ids` in the order of its elements."""

    batch_id: str
    task_ids: list[str]
    message: str
    correlation_id: str
    programs: list[str | None] = []


class BatchSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A batch without its elements, as lists have it."""

    batch_id: str
    name: str
    tags: list[str]
    size: int
    submitted_at: datetime


class BatchElement(msgspec.Struct, frozen=True, kw_only=True):
    """Where an element of a batch stands."""

    index: int
    task_id: str
    status: Status
    error_code: str | None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch: how many elements are in each state, and each of them."""

    batch_id: str
    name: str
    size: int
    submitted_at: datetime
    counts: dict[Status, int]
    tasks: list[BatchElement]
    tags: list[str] = []

    @property
    def ended(self) -> bool:
        """Whether all elements have ended."""
        return not self.counts["pending"] and not self.counts["processing"]


class BatchResult(_Outcome, frozen=True, kw_only=True):
    """An element of a batch with its result or error."""

    index: int


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """The queue now, and how fast tasks went through it in the last hour; times in seconds."""

    pending: int
    processing: int
    oldest_pending_s: float
    workers: int
    slots: int
    running_s: float | None
    wait_p50_s: float | None
    wait_p90_s: float | None
    run_p50_s: float | None
    run_p90_s: float | None


class BackendSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What tasks can be run on, and how it went there in the last hour; times in seconds.

    `kind` is what runs its circuits, such as `aer` or `aer_device`. While it is not `online`, its
    tasks wait. `max_qubits` and `max_shots` are those of a task.
    """

    name: str
    kind: str
    description: str
    online: bool
    max_qubits: int
    max_shots: int
    pending: int
    processing: int
    workers: int
    slots: int
    wait_p50_s: float | None
    run_p50_s: float | None


class Backend(BackendSummary, frozen=True, kw_only=True):
    """The same with what defines it (`docs/backends.md`). None of what is not a device."""

    qubits: int | None
    basis_gates: list[str] | None
    coupling_map: list[tuple[int, int]] | None
    definition: dict[str, Any]


class TaskPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some tasks of a list, and where others are."""

    next: str | None
    previous: str | None
    results: list[TaskSummary]


class BatchPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some batches of a list, and where others are."""

    next: str | None
    previous: str | None
    results: list[BatchSummary]


TaskLike: TypeAlias = str | uuid.UUID | Task | TaskSummary | Submission | BatchResult
BatchLike: TypeAlias = str | uuid.UUID | Batch | BatchSummary | BatchSubmission
