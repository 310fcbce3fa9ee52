"""The service as a provider of Qiskit."""

from collections.abc import Iterator
from typing import Unpack

from qiskit.providers.exceptions import QiskitBackendNotFoundError

from quantumtasks_client.client import Client
from quantumtasks_client.operations import Filters
from quantumtasks_client.qiskit.backend import DEFAULT, QuantumTasksBackend
from quantumtasks_client.qiskit.following import TAG, Submitted
from quantumtasks_client.qiskit.job import QuantumTasksJob
from quantumtasks_client.qiskit.primitives import QuantumTasksPrimitiveJob

Job = QuantumTasksJob | QuantumTasksPrimitiveJob


class QuantumTasksProvider:
    """A Quantum Tasks service.

    URL and token come from the arguments, `QUANTUMTASKS_URL` and `QUANTUMTASKS_TOKEN`, or the
    file that `qtasks login` writes.
    """

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self.client = Client(url, token)
        """For what Qiskit has no words for."""

    def __repr__(self) -> str:
        return f"QuantumTasksProvider({self.client.url!r})"

    def backends(self, name: str | None = None) -> list[QuantumTasksBackend]:
        """All, or the one of this name."""
        return [
            QuantumTasksBackend(self.client, each.name, self, each.description)
            for each in self.client.backends()
            if name in (None, each.name)
        ]

    def get_backend(self, name: str | None = None) -> QuantumTasksBackend:
        """The one of this name, or the default one. Raises QiskitBackendNotFoundError."""
        for backend in self.backends(DEFAULT if name is None else name):
            return backend
        raise QiskitBackendNotFoundError(f"The service has no backend {name!r}.")

    def job(self, job_id: str) -> Job:
        """A job by its id, of whichever process. Raises `NotFound`, or `NotFromQiskit`."""
        return self._job(Submitted.find(self.client, job_id))

    def jobs(self, limit: int | None = 10, **filters: Unpack[Filters]) -> Iterator[Job]:
        """Jobs submitted from Qiskit, the newest first; `filters` are those of `Client.list`.

        They come as they are asked for, page by page.
        """
        tags = filters.pop("tag", None) or ()
        wanted: Filters = {**filters, "tag": [TAG, *([tags] if isinstance(tags, str) else tags)]}
        seen: set[str] = set()
        for task in self.client.list(**wanted):
            if limit is not None and len(seen) >= limit:
                return
            if (job_id := task.batch_id or task.task_id) not in seen:
                seen.add(job_id)
                yield self.job(job_id)

    def _job(self, submitted: Submitted) -> Job:
        if submitted.kind == "run":
            backend = QuantumTasksBackend(self.client, submitted.backend, self)
            return QuantumTasksJob(backend, submitted)
        return QuantumTasksPrimitiveJob(submitted)
