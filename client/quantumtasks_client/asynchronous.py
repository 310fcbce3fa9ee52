"""The client for asyncio."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Self, Unpack, overload

from quantumtasks_client.client import PATIENCE_S
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


class AsyncClient:
    """The methods of `Client`, awaited; `list`, `batches` and `results` are for `async for`.

    It belongs to the event loop in which it is first used: each `asyncio.run` needs one of its own.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, *, patience_s: float = PATIENCE_S
    ) -> None:
        # httpx takes several times as long to import as all the rest of this package.
        from quantumtasks_client.transport import Asynchronous

        self._service = Configuration.find(url, token)
        self._do = Operations(patience_s, self._service.url)
        self._transport = Asynchronous(self._service)

    def __repr__(self) -> str:
        return f"AsyncClient({self.url!r})"

    @property
    def url(self) -> str:
        """The service's URL."""
        return self._service.url

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- submitting ----------------------------------------------------------------------------

    async def submit(
        self, circuit: str, *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> Submission:
        """Submit a circuit. When this returns the task is stored, and will be run.

        Options, each as `POST /tasks` has it: `shots`, `seed`, `method`, `memory`, `parameters`,
        `parameter_sets`, `noise`, `observables`, `precision`, `outputs`, `circuit_format`, `name`,
        `tags`, `backend`, `optimization_level`, `priority`, `samplex`.

        With an `idempotency_key` of your own you may call it again after a crash of your program
        and get the same task.
        """
        return await self._transport.run(self._do.submit(circuit, options, idempotency_key))

    async def submit_batch(
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
        return await self._transport.run(self._do.submit_batch(elements, circuit, shared, key))

    async def sweep(
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
        return await self._transport.run(
            self._do.sweep(circuit, parameter_sets, options, timeout, submitted)
        )

    @overload
    async def estimate(
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
    async def estimate(
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

    async def estimate(
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
        return await self._transport.run(steps)

    async def rerun(
        self, task: TaskLike, *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> Submission:
        """Submit a task's circuit again, with its options but for those given.

        None leaves out what the task had: `seed=None` draws a new one.
        """
        return await self._transport.run(self._do.rerun(task, options, idempotency_key))

    async def retry_batch(
        self, batch: BatchLike, *, idempotency_key: str | None = None
    ) -> BatchSubmission:
        """Submit the failed elements again, as new tasks in their places."""
        return await self._transport.run(self._do.retry_batch(batch, idempotency_key))

    # -- reading -------------------------------------------------------------------------------

    async def get(self, task: TaskLike) -> Task:
        """A task as it is now."""
        return await self._transport.run(self._do.get(task))

    async def get_submission(self, task: TaskLike) -> dict[str, Any]:
        """What was submitted: the circuit as `circuit`, and the options."""
        return await self._transport.run(self._do.get_submission(task))

    async def get_batch(self, batch: BatchLike) -> Batch:
        """A batch as it is now."""
        return await self._transport.run(self._do.get_batch(batch))

    async def backends(self) -> list[BackendSummary]:
        """What tasks can be run on."""
        return await self._transport.run(self._do.backends())

    async def backend(self, name: str) -> Backend:
        """A backend with what defines it. Raises `NotFound`."""
        return await self._transport.run(self._do.backend(name))

    def list(
        self, *, limit: int | None = None, **filters: Unpack[Filters]
    ) -> AsyncGenerator[TaskSummary, None]:
        """Tasks, newest first, page by page as they are asked for.

        Filters, of which all must hold: `status`, `backend`, `batch_id`, `ids`, `tag`, `name`,
        `submitted_after`, `submitted_before`. Besides `ordering` and `page_size`.
        """
        return self._transport.iterate(self._do.list(filters, limit))

    def batches(
        self, *, limit: int | None = None, **filters: Unpack[BatchFilters]
    ) -> AsyncGenerator[BatchSummary, None]:
        """Batches, newest first, page by page as they are asked for."""
        return self._transport.iterate(self._do.batches(filters, limit))

    async def queue(self) -> Queue:
        """The queue as a whole."""
        return await self._transport.run(self._do.queue())

    # -- waiting -------------------------------------------------------------------------------

    async def wait(
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
        return await self._transport.run(self._do.wait(task, timeout, callback, check))

    async def wait_batch(
        self, batch: BatchLike, *, timeout: float | None = None, progress: Progress = False
    ) -> Batch:
        """The batch once all its elements have ended, however each did.

        `progress` shows a bar, or is called with the batch about once a second.
        """
        with watcher(progress) as callback:
            return await self._transport.run(self._do.wait_batch(batch, timeout, callback))

    async def results(
        self, batch: BatchLike, *, timeout: float | None = None, progress: Progress = False
    ) -> AsyncGenerator[BatchResult, None]:
        """Wait for the batch, and stream each element's result or error, in order."""
        with watcher(progress) as callback:
            steps = self._do.results(batch, timeout, callback)
            async with aclosing(self._transport.iterate(steps)) as elements:
                async for element in elements:
                    yield element

    # -- ending --------------------------------------------------------------------------------

    async def cancel(self, task: TaskLike) -> Task:
        """Cancel a task. Raises `IllegalTransition` if it has completed or failed."""
        return await self._transport.run(self._do.cancel(task))

    async def cancel_batch(self, batch: BatchLike) -> Batch:
        """Cancel every element that has not ended."""
        return await self._transport.run(self._do.cancel_batch(batch))
