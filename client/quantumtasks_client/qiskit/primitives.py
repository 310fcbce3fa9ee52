"""Sampler and estimator, run by the service."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from qiskit.primitives import (
    BaseEstimatorV2,
    BasePrimitiveJob,
    BaseSamplerV2,
    EstimatorPubLike,
    PrimitiveResult,
    SamplerPubLike,
)
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import JobStatus

from quantumtasks_client.qiskit import estimation, sampling
from quantumtasks_client.qiskit.backend import QuantumTasksBackend
from quantumtasks_client.qiskit.following import Followed, Submitted, raise_first
from quantumtasks_client.qiskit.pubs import Part, Told


class QuantumTasksPrimitiveJob(
    Followed,
    BasePrimitiveJob[PrimitiveResult[Any], JobStatus],  # type: ignore[misc]
):
    """PUBs that a primitive runs: a batch of tasks."""

    def __init__(self, submitted: Submitted) -> None:
        super().__init__(submitted.job_id)
        self._submitted = submitted
        self._result: PrimitiveResult[Any] | None = None

    def result(self, timeout: float | None = None) -> PrimitiveResult[Any]:
        """Wait for the end, and what came of each PUB.

        Raises `TaskFailed` or `TaskCancelled` for the first task without a result, and
        JobTimeoutError.
        """
        if self._result is None:
            ended = self._submitted.ended(timeout)
            raise_first(ended)
            told = [Told(each.note, each.task.get_result()) for each in ended]
            of_all = sampling.result if ended[0].note.kind == "sampler" else estimation.result
            self._result = of_all(told)
        return self._result


@dataclass(kw_only=True)
class _Options:
    """What is None is as the backend's options say."""

    seed_simulator: int | None = None
    """Makes the results repeatable."""
    method: str | None = None
    """Of the simulation."""
    noise: Mapping[str, float] | None = None
    """As in `POST /tasks`."""
    optimization_level: int | None = None
    """How hard the service compiles for a device; circuits that are transpiled, not at all."""
    priority: int | None = None
    """Of the tasks."""
    tags: Iterable[str] | None = None
    """Of the tasks."""

    def over(self, backend: QuantumTasksBackend) -> dict[str, Any]:
        """These options, and the backend's where they say nothing."""
        own = {each.name: getattr(self, each.name) for each in fields(_Options)}
        return {n: backend.options[n] if value is None else value for n, value in own.items()}


@dataclass(kw_only=True)
class SamplerOptions(_Options):
    """How `SamplerV2` runs its PUBs."""

    default_shots: int = 1024
    """Where neither `run` nor the PUB says."""


@dataclass(kw_only=True)
class EstimatorOptions(_Options):
    """How `EstimatorV2` runs its PUBs."""

    default_precision: float = 0.0
    """Where neither `run` nor the PUB says; 0: exact values."""


class SamplerV2(BaseSamplerV2):  # type: ignore[misc]  # Qiskit has no types
    """Samples PUBs on a backend of the service: each is a task, a `run` is a batch.

    `options` are those of `SamplerOptions`.
    """

    def __init__(
        self, backend: QuantumTasksBackend, *, options: Mapping[str, Any] | None = None
    ) -> None:
        self.backend, self.options = backend, SamplerOptions(**(options or {}))

    def run(
        self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None
    ) -> QuantumTasksPrimitiveJob:
        """Submit PUBs. When this returns they are stored, and will be run.

        With `seed_simulator` each parameter set of each PUB has a seed of its own, the first of
        all the given one.
        """
        shots = self.options.default_shots if shots is None else shots
        coerced = [SamplerPub.coerce(pub, shots) for pub in pubs]
        for index, pub in enumerate(coerced):
            if not pub.circuit.cregs:
                warnings.warn(
                    f"The circuit of PUB {index} has no classical register, so that its result "
                    "will be empty: add measurements.",
                    stacklevel=2,
                )
        return _submit(self.backend, self.options, sampling.parts, coerced)


class EstimatorV2(BaseEstimatorV2):  # type: ignore[misc]  # Qiskit has no types
    """Estimates the PUBs' observables on a backend of the service: each is a task, a `run` a batch.

    `options` are those of `EstimatorOptions`.

    Without a precision the values are exact. With one they are drawn from a normal distribution
    around the exact ones, as Aer's `EstimatorV2` does it, and with the same values for the same
    `seed_simulator`. Where a circuit that measures or resets before its end has too many paths or
    noise, or noise cannot be told exactly, they are averages over as many shots as the precision
    needs, and `stds` say what came of it.
    """

    def __init__(
        self, backend: QuantumTasksBackend, *, options: Mapping[str, Any] | None = None
    ) -> None:
        self.backend, self.options = backend, EstimatorOptions(**(options or {}))

    def run(
        self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None
    ) -> QuantumTasksPrimitiveJob:
        """Submit PUBs. When this returns they are stored, and will be run."""
        precision = self.options.default_precision if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        return _submit(self.backend, self.options, estimation.parts, coerced)


def _submit(
    backend: QuantumTasksBackend,
    options: _Options,
    parts_of: Callable[[QuantumTasksBackend, Sequence[Any], int | None], Iterable[Part]],
    pubs: Sequence[Any],
) -> QuantumTasksPrimitiveJob:
    shared = options.over(backend) | {"backend": backend.name}
    parts = list(parts_of(backend, pubs, shared.pop("seed_simulator")))
    return QuantumTasksPrimitiveJob(Submitted.now(backend.client, parts, shared, batch=True))
