"""A job of the IBM Runtime client: a batch of tasks, and what was asked for in its own words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from tasks_app import access, lifecycle
from tasks_app.api.errors import ApiError
from tasks_app.api.fields import NOT_STORABLE, checked
from tasks_app.api.submissions import MAX_BATCH, BatchSubmissionSerializer, new_task
from tasks_app.circuits.job import is_storable
from tasks_app.models import TERMINAL, Backend, Batch, RuntimeJob, Status, Task
from tasks_app.runtime_api import estimator, executor, pubs, sampler
from tasks_app.runtime_api.arrays import invalid
from tasks_app.runtime_api.backends import DEVICE, PLAIN
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
_TOO_LONG = ("timed_out", "cpu_time_exceeded")


@dataclass(frozen=True, slots=True)
class Made:
    """A new job, not yet stored."""

    batch: Batch
    tasks: list[Task]
    job: RuntimeJob


def make(
    program: str,
    params: Mapping[str, Any],
    *,
    backend: Backend,
    tags: Sequence[str],
    **fields: Any,
) -> Made:
    """`fields` are the owner, the correlation id, and those of the job. Raises ApiError."""
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
        parts=[piece.told() for piece in pieces],
        **fields,
    )
    return Made(batch, tasks, job)


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


@dataclass(slots=True)
class Job:
    """A job with its tasks, the latest one of each place."""

    row: RuntimeJob
    tasks: list[Task]

    @property
    def ended(self) -> bool:
        return all(task.current_status in TERMINAL for task in self.tasks)

    @property
    def complete(self) -> bool:
        """Whether every task is there: single ones may have been deleted."""
        return len(self.tasks) == len(self.row.parts)

    @property
    def state(self) -> dict[str, Any]:
        """As the client reads it."""
        statuses = {task.current_status for task in self.tasks}
        if not self.ended:
            return {"status": "Queued" if statuses == {Status.PENDING} else "Running"}
        for task in self.tasks:
            if task.current_status == Status.FAILED:
                return {"status": "Failed", **self._reason(task)}
        return {"status": "Cancelled" if Status.CANCELLED in statuses else "Completed"}

    def _reason(self, task: Task) -> dict[str, Any]:
        place = self.row.parts[task.batch_index or 0]["pub"]
        reason = f"PUB {place}: {task.error_message} [{task.error_code}]"
        code = RAN_TOO_LONG if task.error_code in _TOO_LONG else None
        return {"reason": reason} | ({"reason_code": code} if code else {})

    @property
    def started_at(self) -> datetime | None:
        return min((t.started_at for t in self.tasks if t.started_at), default=None)

    @property
    def completed_at(self) -> datetime | None:
        if not self.ended:
            return None
        return max((t.completed_at for t in self.tasks if t.completed_at), default=None)

    @property
    def seconds(self) -> float:
        """For which its tasks ran."""
        return sum(
            (task.completed_at - task.started_at).total_seconds()
            for task in self.tasks
            if task.completed_at and task.started_at
        )

    @property
    def status(self) -> str:
        """The state's name."""
        return str(self.state["status"])


def found(request: Request, job_id: str, *bodies: str) -> Job:
    """A job with its tasks, and of these what else is named. Raises 404."""
    wanted = uuid_of(job_id)
    row = visible(request).filter(batch_id=wanted).first() if wanted else None
    if row is None:
        raise NotFound("There is no job with this id.")
    return with_tasks([row], *bodies)[0]


def with_tasks(rows: Iterable[RuntimeJob], *bodies: str) -> list[Job]:
    """Jobs in the same order."""
    jobs = {row.batch_id: Job(row, []) for row in rows}
    tasks = Task.objects.filter(batch_id__in=jobs).order_by("batch_id", "batch_index", "-task_id")
    latest = tasks.distinct("batch_id", "batch_index").only(
        *("batch_id", "batch_index", "current_status", "started_at", "completed_at"),
        *("error_code", "error_message", *bodies),
    )
    for task in latest:
        if task.batch_id is not None:
            jobs[task.batch_id].tasks.append(task)
    return list(jobs.values())


def cancel(request: Request, some: Iterable[Job]) -> bool:
    """Cancel what of them has not ended; whether there was anything."""
    owner = access.owner_of(request.user)
    who = owner.get_username() if owner else "an anonymous client"
    ids = [task.task_id for job in some for task in job.tasks]
    return bool(lifecycle.cancel(ids, reason=f"cancelled by {who}"))


def qiskit_version(job: Job) -> str | None:
    """That the first of its tasks ran with; None before."""
    ran = Task.objects.with_status(Status.COMPLETED).filter(batch_id=job.row.pk)
    found = ran.values_list("result__metadata__qiskit", flat=True).first()
    return None if found is None else str(found)


def result(job: Job) -> Any:
    """What the client decodes. Raises ApiError where tasks are gone."""
    if not job.complete:
        raise ApiError(410, "tasks_deleted", "Tasks of this job have been deleted.")
    shared = _circuit_of_batch(job)
    ended = [
        Ended(Part(**part), task.result or {}, _circuit(task, shared), *_times(task))
        for part, task in zip(job.row.parts, job.tasks, strict=True)
    ]
    return PROGRAMS[job.row.program].result(job.row.params, ended)


def params_of(job: Job) -> dict[str, Any]:
    """What was asked for, as it was sent."""
    params: dict[str, Any] = dict(job.row.params)
    if "pubs" not in params:
        return params
    shared = _circuit_of_batch(job)
    circuits = {
        part["pub"]: pubs.written(*_circuit(task, shared))
        for part, task in zip(job.row.parts, job.tasks, strict=False)
    }
    params["pubs"] = [
        [circuits.get(index), *pub[1:]] for index, pub in enumerate(job.row.params["pubs"])
    ]
    return params


def _times(task: Task) -> tuple[datetime, datetime]:
    assert task.started_at is not None and task.completed_at is not None
    return task.started_at, task.completed_at


def _circuit_of_batch(job: Job) -> str:
    found = Batch.objects.filter(pk=job.row.pk).values_list("circuit", flat=True).first()
    return found or ""


def _circuit(task: Task, shared: str) -> tuple[str, str]:
    circuit = shared if task.circuit is None else task.circuit
    return circuit, task.options.get("circuit_format", "openqasm")
