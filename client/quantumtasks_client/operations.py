"""What can be asked of the service: each operation as its steps, for both clients."""

import logging
import math
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, TypeVar

import msgspec

from quantumtasks_client.addresses import (
    backend_path,
    batch_path,
    cursor_of,
    given,
    query_of,
    task_path,
)
from quantumtasks_client.errors import (
    IllegalTransition,
    InvalidValue,
    ServiceUnreachable,
    WaitTimeout,
)
from quantumtasks_client.exchange import (
    ANSWER_S,
    Answer,
    Emit,
    Lines,
    Lost,
    Patience,
    Pause,
    Read,
    Request,
    Steps,
    asked_s,
    collected,
    decoded,
    encoded,
    failure,
    may_retry,
)
from quantumtasks_client.models import (
    Backend,
    BackendSummary,
    Batch,
    BatchLike,
    BatchPage,
    BatchResult,
    BatchSubmission,
    Queue,
    Result,
    Status,
    Submission,
    Task,
    TaskLike,
    TaskPage,
)

MAX_SETS = 1000  # parameter sets of one task
# Between the seeds of a task's sets. Those of the next task go on from there: with the same ones
# its shots would be the same draws.
SEED_STEP = 2113
WAIT_S = 30  # how long the service is asked to wait at a time; proxies cut what is silent for 60
FIRST_S = 15.0  # how long a service is tried that never answered
FIRST_CONNECT_S = 2.0  # the same of a connection to it
TOLD_S = 1.0  # a call that goes on asking for longer says so
LOOK_S = 1  # the same where somebody watches
_SOON_S = 0.5  # pause after a wait that was none


class Listed(Protocol):
    """What can be told as lists, as arrays of NumPy's can."""

    def tolist(self) -> Any: ...


Value: TypeAlias = "float | Sequence[Value] | Listed"
"""Of an input; of an array a list, a list of lists, or an array of NumPy's."""
Parameters: TypeAlias = Mapping[str, Value] | Sequence[Value] | Listed
Observable: TypeAlias = Mapping[str, float]
OnSubmission: TypeAlias = Callable[[Submission | BatchSubmission], object]

T = TypeVar("T")

_KEY = re.compile(r"[\x20-\x7e]{1,255}")

_log = logging.getLogger(__name__)


class RunOptions(TypedDict, total=False):
    """How to run a circuit; None is the same as absent. The service checks names and values."""

    shots: int | None
    seed: int | None
    method: str | None
    memory: bool | None
    parameters: Parameters | None
    noise: Mapping[str, Any] | None
    outputs: Sequence[str] | None
    circuit_format: Literal["openqasm", "qpy"] | None
    name: str | None
    tags: Sequence[str] | None
    backend: str | None
    optimization_level: int | None
    priority: int | None


class SweepOptions(RunOptions, total=False):
    """The same, with what to estimate."""

    observables: Sequence[Observable] | None
    precision: float | None


class Options(SweepOptions, total=False):
    """All that a task can have."""

    parameter_sets: Sequence[Parameters] | None
    samplex: Mapping[str, Any] | None


class Element(Options, total=False):
    """An element of a batch: what it does not say, the batch says for all."""

    circuit: str | None


class BatchFilters(TypedDict, total=False):
    """Which batches to list: all of them must hold."""

    tag: str | Sequence[str] | None
    name: str | None
    submitted_after: datetime | None
    submitted_before: datetime | None
    ordering: Literal["-submitted_at", "submitted_at"] | None
    page_size: int | None


class Filters(BatchFilters, total=False):
    """Which tasks to list: all of them must hold."""

    status: Status | Sequence[Status] | None
    backend: str | None
    batch_id: str | None
    ids: Sequence[str] | None


class Operations:
    """The operations, with how long each goes on asking a service that is away."""

    def __init__(self, patience_s: float, url: str) -> None:
        self._patience_s, self._url = patience_s, url
        self._reached = False

    # -- submitting ----------------------------------------------------------------------------

    def submit(
        self, circuit: str, options: Mapping[str, object], key: str | None
    ) -> Steps[Submission]:
        body = {"circuit": _text(circuit), **given(options)}
        answer = yield from self._post("/tasks", body, key)
        return msgspec.structs.replace(decoded(answer.body, Submission), program=circuit)

    def submit_batch(
        self,
        elements: Iterable[Element | str],
        circuit: str | None,
        shared: Mapping[str, object],
        key: str | None,
    ) -> Steps[BatchSubmission]:
        if isinstance(elements, str):
            raise TypeError("A batch is a list of circuits; this is one.")
        tasks = [given(e) if isinstance(e, Mapping) else {"circuit": _text(e)} for e in elements]
        body = {"tasks": tasks, **given(shared)}
        if circuit is not None:
            body["circuit"] = circuit
        answer = yield from self._post("/tasks/batch", body, key)
        sent = [task.get("circuit", circuit) for task in tasks]
        return msgspec.structs.replace(decoded(answer.body, BatchSubmission), programs=sent)

    def sweep(
        self,
        circuit: str,
        parameter_sets: Iterable[Parameters],
        options: Mapping[str, object],
        timeout: float | None,
        submitted: OnSubmission | None,
    ) -> Steps[list[Result]]:
        """One task, or one batch of tasks where one cannot hold the sets."""
        rest = iter(parameter_sets)
        chunks = list(iter(lambda: list(islice(rest, MAX_SETS)), []))
        if not chunks:
            return []
        if len(chunks) == 1:
            wanted = {**options, "parameter_sets": chunks[0]}
            return (yield from self._done(circuit, wanted, timeout, submitted)).sets or []
        seed, elements = options.get("seed"), [Element(parameter_sets=chunk) for chunk in chunks]
        if isinstance(seed, int):
            for index, element in enumerate(elements):
                element["seed"] = seed + index * MAX_SETS * SEED_STEP
        batch = yield from self.submit_batch(elements, circuit, options, None)
        if submitted is not None:
            submitted(batch)
        found = yield from collected(self.results(batch, timeout, None))
        return [one for element in found for one in element.get_result().sets or ()]

    def estimate(
        self,
        circuit: str,
        observables: Sequence[Observable],
        parameter_sets: Iterable[Parameters] | None,
        precision: float | None,
        options: Mapping[str, object],
        timeout: float | None,
        submitted: OnSubmission | None,
    ) -> Steps[Any]:
        wanted = {**options, "observables": observables, "precision": precision}
        if parameter_sets is not None:
            return (yield from self.sweep(circuit, parameter_sets, wanted, timeout, submitted))
        return (yield from self._done(circuit, wanted, timeout, submitted))

    def _done(
        self,
        circuit: str,
        options: Mapping[str, object],
        timeout: float | None,
        submitted: OnSubmission | None,
    ) -> Steps[Result]:
        task = yield from self.submit(circuit, options, None)
        if submitted is not None:
            submitted(task)
        return (yield from self.wait(task, timeout)).get_result()

    def rerun(
        self, task: TaskLike, options: Mapping[str, object], key: str | None
    ) -> Steps[Submission]:
        # Here None says something: to leave out what the task had.
        answer = yield from self._post(task_path(task, "/rerun"), options, key)
        return decoded(answer.body, Submission)

    def retry_batch(self, batch: BatchLike, key: str | None) -> Steps[BatchSubmission]:
        answer = yield from self._post(batch_path(batch, "/retry"), {}, key)
        return decoded(answer.body, BatchSubmission)

    # -- reading -------------------------------------------------------------------------------

    def get(self, task: TaskLike) -> Steps[Task]:
        return (yield from self._read(task_path(task), Task))

    def get_batch(self, batch: BatchLike) -> Steps[Batch]:
        return (yield from self._read(batch_path(batch), Batch))

    def get_submission(self, task: TaskLike) -> Steps[dict[str, Any]]:
        return (yield from self._read(task_path(task, "/submission"), dict[str, Any]))

    def queue(self) -> Steps[Queue]:
        return (yield from self._read("/queue", Queue))

    def backends(self) -> Steps[list[BackendSummary]]:
        return (yield from self._read("/backends", list[BackendSummary]))

    def backend(self, name: str) -> Steps[Backend]:
        return (yield from self._read(backend_path(name), Backend))

    def list(self, filters: Filters, limit: int | None) -> Steps[None]:
        """Emits `TaskSummary`s."""
        return self._listed("/tasks", TaskPage, filters, limit)

    def batches(self, filters: BatchFilters, limit: int | None) -> Steps[None]:
        """Emits `BatchSummary`s."""
        return self._listed("/batches", BatchPage, filters, limit)

    # -- waiting -------------------------------------------------------------------------------

    def wait(
        self,
        task: TaskLike,
        timeout: float | None,
        callback: Callable[[Task], object] | None = None,
        check: bool = True,
    ) -> Steps[Task]:
        def end(seen: Task) -> bool:
            return seen.ended

        found = yield from self._await(task_path(task), Task, end, timeout, callback)
        program = getattr(task, "program", None)
        if program is None and found.error_message:
            program = (yield from self.get_submission(task))["circuit"]
        found = msgspec.structs.replace(found, program=program)
        if check and found.error:
            raise found.error
        return found

    def wait_batch(
        self, batch: BatchLike, timeout: float | None, callback: Callable[[Batch], object] | None
    ) -> Steps[Batch]:
        def end(seen: Batch) -> bool:
            return seen.ended

        return (yield from self._await(batch_path(batch), Batch, end, timeout, callback))

    def results(
        self, batch: BatchLike, timeout: float | None, callback: Callable[[Batch], object] | None
    ) -> Steps[None]:
        """Emits a `BatchResult` for each element, in order, however often answers break off."""
        ended = yield from self.wait_batch(batch, timeout, callback)
        programs = getattr(batch, "programs", None)
        request = Request("GET", batch_path(batch, "/results"), streamed=True)
        emitted: set[int] = set()
        patience = Patience()
        while True:
            answer, lines = (yield from self._exchange(request)), Lines()
            while isinstance(piece := (yield Read(answer.stream)), bytes):
                for element in (decoded(line, BatchResult) for line in lines.of(piece)):
                    if element.index not in emitted:
                        program = programs[element.index] if programs else None
                        yield Emit(msgspec.structs.replace(element, program=program))
                        emitted.add(element.index)
                        patience = Patience()
            if _is_whole(emitted, ended):
                return
            ended = yield from self.get_batch(batch)
            if _is_whole(emitted, ended):  # what is missing was deleted meanwhile
                return
            pause_s = patience.pause_s(self._patience_s)
            if pause_s is None:
                why = piece.reason if isinstance(piece, Lost) else "it ended early"
                raise ServiceUnreachable(f"The answer broke off: {why}.")
            yield Pause(pause_s)

    # -- ending --------------------------------------------------------------------------------

    def cancel(self, task: TaskLike) -> Steps[Task]:
        """A task that is cancelled already is as wanted: the answer may have been lost before."""
        try:
            answer = yield from self._exchange(Request("POST", task_path(task, "/cancel")))
        except IllegalTransition as error:
            if error.details.get("status") != "cancelled":
                raise
            return (yield from self.get(task))
        return decoded(answer.body, Task)

    def cancel_batch(self, batch: BatchLike) -> Steps[Batch]:
        answer = yield from self._exchange(Request("POST", batch_path(batch, "/cancel")))
        return decoded(answer.body, Batch)

    # -- underneath ----------------------------------------------------------------------------

    def _exchange(self, request: Request) -> Steps[Answer]:
        """Send until there is a good answer. Raises `ApiError`, `ServiceUnreachable`.

        Whatever is sent here can be sent again: reads by nature, submissions by their key, and
        what ends something because it has ended then.
        """
        patience, told, began = Patience(), False, time.monotonic()
        while True:
            sent = request if self._reached else replace(request, connect_s=FIRST_CONNECT_S)
            answer: Answer | Lost = yield sent
            if isinstance(answer, Answer):
                self._reached = True
                if answer.status < 300:
                    return answer
            # A mistyped URL should not take minutes to be told.
            limit_s = self._patience_s if self._reached else min(self._patience_s, FIRST_S)
            pause_s = patience.pause_s(limit_s, asked_s=asked_s(answer))
            error = failure(answer, self._url)
            if pause_s is None or not may_retry(answer):
                raise error
            # Of a service that was reached one may have waited for its answer.
            silent_s = patience.waited_s if self._reached else time.monotonic() + pause_s - began
            if silent_s > TOLD_S and not told:
                told, left_s = True, limit_s - patience.waited_s + pause_s
                _log.warning("%s Trying again, for up to %.0f s.", error, left_s)
            yield Pause(pause_s)
            request = request.again or request

    def _read(self, path: str, kind: type[T], query: tuple[tuple[str, str], ...] = ()) -> Steps[T]:
        answer = yield from self._exchange(Request("GET", path, query))
        return decoded(answer.body, kind)

    def _listed(
        self,
        path: str,
        kind: type[TaskPage] | type[BatchPage],
        filters: Mapping[str, object],
        limit: int | None,
    ) -> Steps[None]:
        """Emits what pages hold, each fetched when the one before has been used up."""
        query, left = query_of(filters), math.inf if limit is None else limit
        while left > 0:
            page = yield from self._read(path, kind, query)
            for each in page.results[: None if limit is None else int(left)]:
                yield Emit(each)
            left -= len(page.results)
            cursor = cursor_of(page.next)
            if cursor is None:
                return
            query = (*(pair for pair in query if pair[0] != "cursor"), ("cursor", cursor))

    def _post(self, path: str, body: Mapping[str, Any], key: str | None) -> Steps[Answer]:
        """A submission, which its key makes safe to send again."""
        if key is not None and not _KEY.fullmatch(key):
            raise InvalidValue("An idempotency key is 1 to 255 printable ASCII characters.")
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()) if key is None else key,
        }
        request = Request("POST", path, body=encoded(body), headers=headers)
        return (yield from self._exchange(request))

    def _await(
        self,
        path: str,
        kind: type[T],
        end: Callable[[T], bool],
        timeout: float | None,
        callback: Callable[[T], object] | None,
    ) -> Steps[T]:
        """Let the service wait until it is so, again and again.

        How it stands is asked without waiting where an answer failed to come: there may be a proxy
        that lets nobody wait for as long.
        """
        now_only = Request("GET", path)
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        longest = WAIT_S if callback is None else LOOK_S
        while True:
            began = time.monotonic()
            wait_s = math.ceil(max(0, min(longest, deadline - began)))
            query = (("wait", str(wait_s)),)
            answer = yield from self._exchange(
                Request("GET", path, query, answer_s=wait_s + ANSWER_S, again=now_only)
            )
            found = decoded(answer.body, kind)
            if callback is not None:
                callback(found)
            if end(found):
                return found
            now = time.monotonic()
            if now >= deadline:
                raise WaitTimeout(f"{path} has not ended within {timeout:g} s; it goes on.")
            # No place was free to wait in, or the service does not wait.
            pause_s = asked_s(answer) or (_SOON_S if now - began < wait_s / 2 else 0)
            if pause_s:
                yield Pause(min(pause_s, deadline - now))


def _text(circuit: object) -> str:
    """The circuit, if it is text: of bytes JSON would be base64, which is no OpenQASM."""
    if isinstance(circuit, str):
        return circuit
    raise TypeError(
        f"A circuit is text, OpenQASM or QPY in base64, not {type(circuit).__name__}. "
        "quantumtasks_client.qiskit takes circuits of Qiskit."
    )


def _is_whole(emitted: set[int], batch: Batch) -> bool:
    return emitted >= {element.index for element in batch.tasks}
