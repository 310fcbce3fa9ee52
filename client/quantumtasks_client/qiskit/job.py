"""The jobs of a backend."""

from collections.abc import Iterable, Sequence

from qiskit.providers import BackendV2, JobV1
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData

from quantumtasks_client.errors import QuantumTasksError
from quantumtasks_client.qiskit.following import Ended, Followed, Submitted, raise_first
from quantumtasks_client.qiskit.outcomes import experiment, header


class QuantumTasksJob(Followed, JobV1):  # type: ignore[misc]  # Qiskit has no types
    """Circuits that a backend runs: a task, or a batch of tasks."""

    def __init__(self, backend: BackendV2, submitted: Submitted) -> None:
        super().__init__(backend, submitted.job_id)
        self._submitted = submitted
        self._ended: list[Ended] | None = None

    def submit(self) -> None:
        """A job is submitted before there is one: `backend.run` does that."""
        raise QuantumTasksError(f"Job {self.job_id()} is submitted already.")

    def result(self, timeout: float | None = None, *, partial: bool = False) -> Result:
        """Wait for the end, and what came of each circuit.

        Raises `TaskFailed` or `TaskCancelled` for the first circuit without a result; if `partial`
        is asked for, the result says of each whether it is a success. Raises JobTimeoutError.
        """
        if self._ended is None:
            self._ended = self._submitted.ended(timeout)
        if not partial:
            raise_first(self._ended)
        experiments = list(map(_experiment, _by_circuit(self._ended)))
        success = all(each.success for each in experiments)
        return Result(
            backend_name=self.backend().name,
            backend_version=self.backend().backend_version,
            job_id=self.job_id(),
            success=success,
            results=experiments,
            status="COMPLETED" if success else "PARTIAL COMPLETED",
        )


def _by_circuit(ended: Iterable[Ended]) -> list[list[Ended]]:
    """The tasks of each circuit: one, but for more shots than a task may have."""
    circuits: list[list[Ended]] = []
    for each in ended:
        if circuits and each.note.block and circuits[-1][0].note.block == each.note.block:
            circuits[-1].append(each)
        else:
            circuits.append([each])
    return circuits


def _experiment(ended: Sequence[Ended]) -> ExperimentResult:
    note = ended[0].note
    for each in ended:
        if (error := each.task.error) is not None:
            nothing = ExperimentResultData()
            return ExperimentResult(
                0, False, nothing, status=str(error), header=header(note), name=note.name
            )
    return experiment([each.task.get_result() for each in ended], note)
