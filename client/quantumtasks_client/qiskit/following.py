"""A job from its submission to its end: a task, or a batch of tasks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.providers import JobStatus, JobTimeoutError

from quantumtasks_client.addresses import given
from quantumtasks_client.client import Client
from quantumtasks_client.errors import (
    IllegalTransition,
    NotFound,
    QuantumTasksError,
    WaitTimeout,
)
from quantumtasks_client.models import (
    Batch,
    BatchResult,
    BatchSubmission,
    Status,
    Submission,
    Task,
)
from quantumtasks_client.qiskit.note import Kind, Note, found_in
from quantumtasks_client.qiskit.pubs import Part

TAG = "qiskit"
"""Which all tasks have that are submitted from here."""
_MOST_NAME = 200  # characters of a task's name

Callback = Callable[[str, JobStatus, Any], object]

_STATUS: dict[Status, JobStatus] = {
    "pending": JobStatus.QUEUED,
    "processing": JobStatus.RUNNING,
    "completed": JobStatus.DONE,
    "failed": JobStatus.ERROR,
    "cancelled": JobStatus.CANCELLED,
}


class NotFromQiskit(QuantumTasksError):
    """A task that this package did not submit, and whose circuit it therefore does not know."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A task that has ended, and what its program tells of its circuit."""

    task: Task | BatchResult
    note: Note


class Submitted:
    """A task or a batch on the service, with the notes of its programs where they are known."""

    def __init__(
        self,
        client: Client,
        what: Submission | Task | BatchSubmission | Batch,
        notes: Sequence[Note] | None = None,
    ) -> None:
        self.client = client
        self._what = what
        self._notes = list(notes) if notes is not None else None

    @classmethod
    def now(
        cls,
        client: Client,
        parts: Sequence[Part],
        shared: Mapping[str, Any],
        *,
        batch: bool = False,
    ) -> "Submitted":
        """Submit one part as a task unless a `batch` is wanted, and several as a batch."""
        if not parts:
            raise ValueError("There is nothing to run.")
        options = given(shared) | {"tags": [TAG, *shared["tags"]]}
        if shared["method"] == "automatic":
            del options["method"]
        # What is asked for goes before what a circuit would have by itself.
        asked = {name: value for name, value in options.items() if name == "optimization_level"}
        elements: list[Any] = [
            part.fields | asked | {"name": part.note.name[:_MOST_NAME]} for part in parts
        ]
        notes = [part.note for part in parts]
        if batch or len(parts) > 1:
            return cls(client, client.submit_batch(elements, **options), notes)
        return cls(client, client.submit(**{**options, **elements[0]}), notes)

    @classmethod
    def find(cls, client: Client, job_id: str) -> "Submitted":
        """Raises `NotFound`."""
        try:
            return cls(client, client.get(job_id))
        except NotFound:
            return cls(client, client.get_batch(job_id))

    @property
    def job_id(self) -> str:
        """The service's id of the task or the batch."""
        if isinstance(self._what, Submission | Task):
            return self._what.task_id
        return self._what.batch_id

    @property
    def task_ids(self) -> list[str]:
        """In the order of the circuits or PUBs."""
        if isinstance(self._what, Submission | Task):
            return [self._what.task_id]
        if isinstance(self._what, BatchSubmission):
            return list(self._what.task_ids)
        return [task.task_id for task in self._what.tasks]

    @property
    def backend(self) -> str:
        """The name of the backend that runs it."""
        seen = self._what if isinstance(self._what, Task) else self.client.get(self.task_ids[0])
        return seen.backend

    @property
    def kind(self) -> Kind:
        """What it was submitted for. Raises `NotFromQiskit`."""
        return self._notes[0].kind if self._notes else self._note(self.task_ids[0]).kind

    def status(self) -> JobStatus:
        """As it is now."""
        if isinstance(self._what, Submission | Task):
            return _STATUS[self.client.get(self._what).status]
        return _status_of(self.client.get_batch(self._what))

    def wait(self, timeout: float | None, callback: Callable[[JobStatus], object] | None) -> None:
        """Until all has ended, however it did. Raises JobTimeoutError."""

        def tell(seen: Task | Batch) -> None:
            if callback is not None:
                callback(_STATUS[seen.status] if isinstance(seen, Task) else _status_of(seen))

        watch = None if callback is None else tell
        try:
            if isinstance(self._what, Submission | Task):
                self.client.wait(self._what, timeout=timeout, callback=watch, check=False)
            else:
                self.client.wait_batch(self._what, timeout=timeout, progress=watch or False)
        except WaitTimeout as error:
            raise JobTimeoutError(str(error)) from error

    def ended(self, timeout: float | None) -> list[Ended]:
        """Wait, and what came of each circuit or PUB. Raises JobTimeoutError."""
        found: list[Task | BatchResult]
        try:
            if isinstance(self._what, Submission | Task):
                found = [self.client.wait(self._what, timeout=timeout, check=False)]
            else:
                found = list(self.client.results(self._what, timeout=timeout))
        except WaitTimeout as error:
            raise JobTimeoutError(str(error)) from error
        return list(map(Ended, found, self.notes()))

    def notes(self) -> list[Note]:
        """What the programs tell of their circuits. Raises `NotFromQiskit`."""
        if self._notes is None:
            self._notes = [self._note(task_id) for task_id in self.task_ids]
        return self._notes

    def _note(self, task_id: str) -> Note:
        note = found_in(self.client.get_submission(task_id)["circuit"])
        if note is None:
            raise NotFromQiskit(f"Task {task_id} was not submitted from Qiskit: use `Client`.")
        return note

    def cancel(self) -> bool:
        """Cancel what has not ended; whether anything is cancelled now."""
        if isinstance(self._what, Submission | Task):
            try:
                return self.client.cancel(self._what).status == "cancelled"
            except IllegalTransition:
                return False
        return bool(self.client.cancel_batch(self._what).counts["cancelled"])


class Followed:
    """What the jobs of backends and of primitives have in common."""

    _submitted: Submitted

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.job_id()}>"

    @property
    def task_ids(self) -> list[str]:
        """The service's ids of the tasks, one for each circuit, at least one for each PUB."""
        return self._submitted.task_ids

    def status(self) -> JobStatus:
        """The status now."""
        return self._submitted.status()

    def done(self) -> bool:
        """Whether it has ended well."""
        return self.status() is JobStatus.DONE

    def running(self) -> bool:
        """Whether it runs."""
        return self.status() is JobStatus.RUNNING

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.status() is JobStatus.CANCELLED

    def in_final_state(self) -> bool:
        """Whether nothing can change any more."""
        return self.status() in (JobStatus.DONE, JobStatus.ERROR, JobStatus.CANCELLED)

    def cancel(self) -> bool:
        """Cancel what has not ended; whether anything is cancelled now."""
        return self._submitted.cancel()

    def wait_for_final_state(
        self,
        timeout: float | None = None,
        wait: float = 5,  # Qiskit's, and not needed
        callback: Callback | None = None,
    ) -> None:
        """Wait for the end; the service tells when.

        `callback` is called with the job's id, its status and the job about once a second. Raises
        JobTimeoutError after `timeout` seconds.
        """
        tell = None if callback is None else lambda status: callback(self.job_id(), status, self)
        self._submitted.wait(timeout, tell)

    def job_id(self) -> str:
        """The service's id: of the task, or of the batch."""
        return self._submitted.job_id


def raise_first(ended: Sequence[Ended]) -> None:
    """Raise the first error that there is, as `TaskFailed` or `TaskCancelled`."""
    for index, each in enumerate(ended):
        if (error := each.task.error) is not None:
            if len(ended) > 1:
                error.add_note(f"It was number {index} of the {len(ended)} tasks of the job.")
            raise error


def _status_of(batch: Batch) -> JobStatus:
    counts = batch.counts
    if not batch.ended:
        untouched = counts["pending"] == batch.size
        return JobStatus.QUEUED if untouched else JobStatus.RUNNING
    if counts["failed"]:
        return JobStatus.ERROR
    return JobStatus.CANCELLED if counts["cancelled"] else JobStatus.DONE
