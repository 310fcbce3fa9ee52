"""A job of the IBM Runtime client: a batch of tasks, and what was asked for in its own words."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from types import ModuleType
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from tasks_app import access, lifecycle, sql
from tasks_app.api.backends import DEVICE
from tasks_app.api.errors import ApiError
from tasks_app.api.fields import NOT_STORABLE, checked
from tasks_app.api.submissions import MAX_BATCH, BatchSubmissionSerializer, new_task
from tasks_app.circuits.job import is_storable
from tasks_app.models import Backend, Batch, RuntimeJob, Status, Task
from tasks_app.postgresql.base import connection, renew_deadline
from tasks_app.runtime_api import estimator, executor, pubs, sampler
from tasks_app.runtime_api.arrays import invalid
from tasks_app.runtime_api.backends import PLAIN
from tasks_app.runtime_api.pubs import Part, Piece
from tasks_app.runtime_api.results import Ended
from tasks_app.runtime_api.view import uuid_of

PROGRAMS: dict[str, ModuleType] = {
    "sampler": sampler,
    "estimator": estimator,
    "executor": executor,
}
RAN_TOO_LONG = 1305
"""The client's code for a job that was stopped at its deadline."""
MAX_RESULT_BYTES = 2**27
"""Of what the tasks of a PUB have stored: of one PUB after the other it is all in memory."""
_TOO_LONG = ("timed_out", "cpu_time_exceeded")
_FIGURES = sql.statement("runtime_jobs")


def make(
    program: str,
    params: Mapping[str, Any],
    *,
    backend: Backend,
    tags: Sequence[str],
    **fields: Any,
) -> tuple[RuntimeJob, list[Task]]:
    """A new job, not yet stored, and its tasks. Raises ApiError.

    `fields` are the owner, the correlation id, and those of the job.
    """
    if not is_storable(params):
        raise invalid(NOT_STORABLE)
    pieces = _bounded(PROGRAMS[program].pieces(params, noisy=backend.kind != PLAIN))
    body: dict[str, Any] = {"name": program, "tags": list(tags), "backend": backend.name}
    body["tasks"] = [piece.fields for piece in pieces]
    if backend.kind == DEVICE:  # Circuits are on its qubits, and stay there.
        body["optimization_level"] = 0
    values = checked(BatchSubmissionSerializer, _shared(body))
    own = {name: fields.pop(name) for name in ("owner", "correlation_id")}
    shared = {name: values[name] for name in ("name", "tags", "circuit")}
    batch = Batch(owner=own["owner"], size=len(pieces), **shared)
    tasks = [
        new_task(element, batch=batch, batch_index=index, **own)
        for index, element in enumerate(values["elements"])
    ]
    job = RuntimeJob(
        batch=batch,
        program=program,
        backend=backend.name,
        params=_without_circuits(params),
        parts=[asdict(piece.part) for piece in pieces],
        **fields,
    )
    return job, tasks


def _bounded(pieces: Iterable[Piece]) -> list[Piece]:
    """All of them. Raises ApiError before there are too many, or more text than a batch may have.

    A few kilobytes of a request can ask for a thousand tasks that have a megabyte each.
    """
    found: list[Piece] = []
    circuits: set[str] = set()
    own = texts = 0
    for piece in pieces:
        found.append(piece)
        circuit = str(piece.fields.get("circuit", ""))
        circuits.add(circuit)
        own += len(circuit)
        texts += len(str(piece.fields.get("samplex", {}).get("samplex_json", "")))
        if len(found) > MAX_BATCH:
            raise invalid(f"The job would be more than {MAX_BATCH:,} tasks; send it in parts.")
        if texts + (own if len(circuits) > 1 else 0) > settings.MAX_SUBMISSION_BYTES:
            limit = settings.MAX_SUBMISSION_BYTES
            sentence = f"The tasks of the job would have more than {limit:,} bytes of circuits."
            raise ApiError(413, "batch_too_large", sentence)
    return found


def _shared(body: dict[str, Any]) -> dict[str, Any]:
    """The circuit once, where all tasks have the same."""
    tasks = body["tasks"]
    first = tasks[0].get("circuit")
    if first is None or any(task.get("circuit") != first for task in tasks):
        return body
    rest = [{name: value for name, value in t.items() if name != "circuit"} for t in tasks]
    return {**body, "circuit": first, "tasks": rest}


def _without_circuits(params: Mapping[str, Any]) -> dict[str, Any]:
    """PUBs without their circuits, which the tasks have."""
    if "pubs" not in params:
        return dict(params)
    bare = [[None] if isinstance(pub, str) else [None, *pub[1:]] for pub in params["pubs"]]
    return {**params, "pubs": bare}


# -- reading -----------------------------------------------------------------------------------


def visible(request: Request) -> QuerySet[RuntimeJob]:
    """The jobs that somebody may know of: those with tasks left."""
    batches = access.visible_batches(request.user)
    return (
        RuntimeJob.objects.filter(batch__in=batches).select_related("batch").defer("batch__circuit")
    )


def pending(jobs: QuerySet[RuntimeJob], wanted: bool) -> QuerySet[RuntimeJob]:
    """Those that have not ended, or those that have."""
    going = Exists(Task.objects.unfinished().filter(batch_id=OuterRef("batch_id")))
    return jobs.filter(going if wanted else ~going)


@dataclass(frozen=True, slots=True)
class Job:
    """A job, and what became of its tasks, the latest one of each place (sql/runtime_jobs.sql)."""

    row: RuntimeJob
    tasks: int
    pending: int
    processing: int
    cancelled: int
    started_at: datetime | None
    latest_end: datetime | None
    seconds: float
    """For which its tasks ran."""
    failed_pub: int | None
    error_code: str | None
    error_message: str | None

    @property
    def ended(self) -> bool:
        return not self.pending and not self.processing

    @property
    def completed_at(self) -> datetime | None:
        return self.latest_end if self.ended else None

    @property
    def state(self) -> dict[str, Any]:
        """As the client reads it."""
        if not self.ended:
            return {"status": "Queued" if self.pending == self.tasks else "Running"}
        if self.error_code is None:
            return {"status": "Cancelled" if self.cancelled else "Completed"}
        reason = f"PUB {self.failed_pub}: {self.error_message} [{self.error_code}]"
        code = {"reason_code": RAN_TOO_LONG} if self.error_code in _TOO_LONG else {}
        return {"status": "Failed", "reason": reason, **code}

    @property
    def status(self) -> str:
        """The state's name."""
        return str(self.state["status"])

    def in_order(self) -> QuerySet[Task]:
        """Its tasks."""
        tasks = Task.objects.filter(batch_id=self.row.pk).order_by("batch_index", "-task_id")
        return tasks.distinct("batch_index")


def found(request: Request, job_id: str) -> Job:
    """Raises 404."""
    wanted = uuid_of(job_id)
    row = visible(request).filter(batch_id=wanted).first() if wanted else None
    if row is None:
        raise NotFound("There is no job with this id.")
    return told([row])[0]


def told(rows: Iterable[RuntimeJob]) -> list[Job]:
    """With what became of them, in the same order."""
    by_id = {row.batch_id: row for row in rows}
    values = {"batch_ids": list(by_id)}
    figures = {batch_id: rest for batch_id, *rest in connection.prepared(_FIGURES, values)}
    return [Job(row, *figures[batch_id]) for batch_id, row in by_id.items()]


def cancel(request: Request, some: Iterable[Job]) -> bool:
    """Cancel what of them has not ended; whether there was anything."""
    tasks = Task.objects.unfinished().filter(batch_id__in=[job.row.pk for job in some])
    ids = tasks.values_list("task_id", flat=True)
    return bool(lifecycle.cancel(ids, reason=f"cancelled by {access.name_of(request.user)}"))


def qiskit_version(job: Job) -> str | None:
    """That the first of its tasks ran with; None before."""
    ran = Task.objects.with_status(Status.COMPLETED).filter(batch_id=job.row.pk)
    found = ran.values_list("result__metadata__qiskit", flat=True).first()
    return None if found is None else str(found)


def result(job: Job) -> Any:
    """What the client decodes. Raises ApiError where tasks are gone, or have told too much."""
    shared = job.row.batch.circuit or ""
    parts: dict[int, dict[uuid.UUID, Part]] = {}
    for index, task_id in job.in_order().values_list("batch_index", "task_id"):
        part = Part(**job.row.parts[index])
        parts.setdefault(part.pub, {})[task_id] = part

    def ended(pub: int) -> list[Ended]:
        renew_deadline()
        own = parts.get(pub, {})
        tasks = Task.objects.filter(task_id__in=own).order_by("batch_index")
        size = sum(tasks.values_list("stored_bytes", flat=True))
        if size > MAX_RESULT_BYTES:
            sentence = f"PUB {pub} has {size:,} bytes of results, {MAX_RESULT_BYTES:,} can be sent"
            raise ApiError(413, "result_too_large", f"{sentence}; read it task by task.")
        if len(tasks) < len(own):
            raise _deleted()
        return [
            Ended(
                *(own[task.task_id], task.result or {}, _circuit(task, shared)),
                *(task.started_at, task.completed_at),
            )
            for task in tasks
        ]

    if sum(map(len, parts.values())) < job.row.batch.size:
        raise _deleted()
    return PROGRAMS[job.row.program].result(job.row.params, ended)


def _deleted() -> ApiError:
    return ApiError(410, "tasks_deleted", "Tasks of this job have been deleted.")


def params_of(job: Job) -> dict[str, Any]:
    """What was asked for, as it was sent."""
    params: dict[str, Any] = dict(job.row.params)
    if "pubs" not in params:
        return params
    shared = job.row.batch.circuit or ""
    tasks = job.in_order().only("batch_index", "circuit", "options")
    circuits = {
        job.row.parts[task.batch_index or 0]["pub"]: pubs.written(*_circuit(task, shared))
        for task in tasks
    }
    params["pubs"] = [
        [circuits.get(index), *pub[1:]] for index, pub in enumerate(job.row.params["pubs"])
    ]
    return params


def _circuit(task: Task, shared: str) -> tuple[str, str]:
    circuit = shared if task.circuit is None else task.circuit
    return circuit, task.options.get("circuit_format", "openqasm")
