"""The client, with blocking calls."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self, Unpack, overload

from quantumtasks_client.configuration import Configuration
from quantumtasks_client.models import (
    Backend,
    BackendSummary,
    Batch,
    BatchLike,
    BatchResult,
    BatchSubmission,
    BatchSummary,
    Queue,
    Result,
    Submission,
    Task,
    TaskLike,
    TaskSummary,
)
from quantumtasks_client.operations import (
    BatchFilters,
    Element,
    Filters,
    Observable,
    OnSubmission,
    Operations,
    Options,
    Parameters,
    RunOptions,
    SweepOptions,
)
from quantumtasks_client.progress import Progress, watcher

PATIENCE_S = 120.0


class Client:
    """A Quantum Tasks service.

    URL and token come from the arguments, `QUANTUMTASKS_URL` and `QUANTUMTASKS_TOKEN`, or the
    file that `qtasks login` writes. One client may be shared by threads, and with processes that
    are forked.

    While the service is away or asks to come later, each call tries again for `patience_s`
    seconds. That is safe: a submission carries an `Idempotency-Key`, so that it makes one task
    however often it is sent. Then, or where trying again cannot help, a `QuantumTasksError` is
    raised.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, *, patience_s: float = PATIENCE_S
    ) -> None:
        # httpx takes several times as long to import as all the rest of this package.
        from quantumtasks_client.transport import Blocking

        self._service = Configuration.find(url, token)
        self._do = Operations(patience_s, self._service.url)
        self._transport = Blocking(self._service)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    @property
    def url(self) -> str:
        """The service's URL."""
        return self._service.url

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- submitting ----------------------------------------------------------------------------

    def submit(
        self, circuit: str, *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> Submission:
        """Submit a circuit. When this returns the task is stored, and will be run.

        Options, each as `POST /tasks` has it: `shots`, `seed`, `method`, `memory`, `parameters`,
        `parameter_sets`, `noise`, `observables`, `precision`, `outputs`, `circuit_format`, `name`,
        `tags`, `backend`, `optimization_level`, `priority`, `samplex`.

        With an `idempotency_key` of your own you may call it again after a crash of your program
        and get the same task.
        """
        return self._transport.run(self._do.submit(circuit, options, idempotency_key))

    def submit_batch(
        self,
        elements: Iterable[Element | str],
        *,
        circuit: str | None = None,
        idempotency_key: str | None = None,
        **shared: Unpack[Options],
    ) -> BatchSubmission:
        """Submit up to 1,000 circuits together, all or none.

        An element is a circuit or what differs from `circuit` and the `shared` options.
        """
        key = idempotency_key
        return self._transport.run(self._do.submit_batch(elements, circuit, shared, key))

    def sweep(
        self,
        circuit: str,
        parameter_sets: Iterable[Parameters],
        *,
        timeout: float | None = None,
        submitted: OnSubmission | None = None,
        **options: Unpack[SweepOptions],
    ) -> list[Result]:
        """Run a circuit with each of the sets of values; one result each, in order.

        One task for up to 1,000 sets, which is compiled once; beyond, one for each thousand.
        `submitted` is called with what was accepted, before it is waited for. Raises `TaskFailed`.
        """
        return self._transport.run(
            self._do.sweep(circuit, parameter_sets, options, timeout, submitted)
        )

    @overload
    def estimate(
        self,
        circuit: str,
        observables: Sequence[Observable],
        *,
        precision: float | None = None,
        timeout: float | None = None,
        submitted: OnSubmission | None = None,
        **options: Unpack[RunOptions],
    ) -> Result: ...

    @overload
    def estimate(
        self,
        circuit: str,
        observables: Sequence[Observable],
        parameter_sets: Iterable[Parameters],
        *,
        precision: float | None = None,
        timeout: float | None = None,
        submitted: OnSubmission | None = None,
        **options: Unpack[RunOptions],
    ) -> list[Result]: ...

    def estimate(
        self,
        circuit: str,
        observables: Sequence[Observable],
        parameter_sets: Iterable[Parameters] | None = None,
        *,
        precision: float | None = None,
        timeout: float | None = None,
        submitted: OnSubmission | None = None,
        **options: Unpack[RunOptions],
    ) -> Result | list[Result]:
        """Expectation values of observables such as `{"ZZ": 0.5, "IX": -1}`.

        The rightmost letter stands on qubit 0. With `parameter_sets` one result for each, as from
        `sweep`, and `submitted` as there. Raises `TaskFailed`.
        """
        steps = self._do.estimate(
            circuit, observables, parameter_sets, precision, options, timeout, submitted
        )
        return self._transport.run(steps)  # type: ignore[no-any-return]

    def rerun(
        self, task: TaskLike, *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> Submission:
        """Submit a task's circuit again, with its options but for those given.

        None leaves out what the task had: `seed=None` draws a new one.
        """
        return self._transport.run(self._do.rerun(task, options, idempotency_key))

    def retry_batch(
        self, batch: BatchLike, *, idempotency_key: str | None = None
    ) -> BatchSubmission:
        """Submit the failed elements again, as new tasks in their places."""
        return self._transport.run(self._do.retry_batch(batch, idempotency_key))

    # -- reading -------------------------------------------------------------------------------

    def get(self, task: TaskLike) -> Task:
        """A task as it is now."""
        return self._transport.run(self._do.get(task))

    def get_submission(self, task: TaskLike) -> dict[str, Any]:
        """What was submitted: the circuit as `circuit`, and the options."""
        return self._transport.run(self._do.get_submission(task))

    def get_batch(self, batch: BatchLike) -> Batch:
        """A batch as it is now."""
        return self._transport.run(self._do.get_batch(batch))

    def backends(self) -> list[BackendSummary]:
        """What tasks can be run on."""
        return self._transport.run(self._do.backends())

    def backend(self, name: str) -> Backend:
        """A backend with what defines it. Raises `NotFound`."""
        return self._transport.run(self._do.backend(name))

    def list(
        self, *, limit: int | None = None, **filters: Unpack[Filters]
    ) -> Iterator[TaskSummary]:
        """Tasks, newest first, page by page as they are asked for.

        Filters, of which all must hold: `status`, `backend`, `batch_id`, `ids`, `tag`, `name`,
        `submitted_after`, `submitted_before`. Besides `ordering` and `page_size`.
        """
        return self._transport.iterate(self._do.list(filters, limit))

    def batches(
        self, *, limit: int | None = None, **filters: Unpack[BatchFilters]
    ) -> Iterator[BatchSummary]:
        """Batches, newest first, page by page as they are asked for."""
        return self._transport.iterate(self._do.batches(filters, limit))

    def queue(self) -> Queue:
        """The queue as a whole."""
        return self._transport.run(self._do.queue())

    # -- waiting -------------------------------------------------------------------------------

    def wait(
        self,
        task: TaskLike,
        *,
        timeout: float | None = None,
        callback: Callable[[Task], object] | None = None,
        check: bool = True,
    ) -> Task:
        """The task once it has ended; the service tells when.

        Raises `TaskFailed` or `TaskCancelled` (not without `check`), and `WaitTimeout` after
        `timeout` seconds. `callback` is called with the task about once a second.
        """
        return self._transport.run(self._do.wait(task, timeout, callback, check))

    def wait_batch(
        self, batch: BatchLike, *, timeout: float | None = None, progress: Progress = False
    ) -> Batch:
        """The batch once all its elements have ended, however each did.

        `progress` shows a bar, or is called with the batch about once a second.
        """
        with watcher(progress) as callback:
            return self._transport.run(self._do.wait_batch(batch, timeout, callback))

    def results(
        self, batch: BatchLike, *, timeout: float | None = None, progress: Progress = False
    ) -> Iterator[BatchResult]:
        """Wait for the batch, and stream each element's result or error, in order."""
        with watcher(progress) as callback:
            yield from self._transport.iterate(self._do.results(batch, timeout, callback))

    # -- ending --------------------------------------------------------------------------------

    def cancel(self, task: TaskLike) -> Task:
        """Cancel a task. Raises `IllegalTransition` if it has completed or failed."""
        return self._transport.run(self._do.cancel(task))

    def cancel_batch(self, batch: BatchLike) -> Batch:
        """Cancel every element that has not ended."""
        return self._transport.run(self._do.cancel_batch(batch))
