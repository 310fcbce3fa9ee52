"""Run a circuit on Aer, once or for many values of its parameters."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression
from qiskit.exceptions import QiskitError
from qiskit_aer import AerSimulator

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits

SEED_STEP = 2113
"""Between the seeds of the circuits of one job of Aer's: each can be repeated by itself."""
NOT_REAL = (QiskitError, ArithmeticError, TypeError, ValueError, RuntimeError)
"""With which Qiskit and NumPy say that an angle is no real, finite number."""
_PARALLEL_FROM_QUBITS = 16  # Below, threads cost more than they bring.
_PARALLEL_FROM_RUNS = 8  # Of narrower circuits, which then share the threads.
Angles = Mapping[Parameter, float]


def execute(
    circuit: QuantumCircuit,
    angles: Sequence[Angles],
    *,
    method: str,
    seed: int,
    threads: int,
    limits: Limits,
    **options: Any,
) -> list[Mapping[str, Any]]:
    """Aer's data of each run: the i-th has the i-th angles and the seed `seed + i * SEED_STEP`.

    `options` are Aer's. Raises CircuitError.
    """
    free = circuit.parameters
    wide = circuit.num_qubits >= _PARALLEL_FROM_QUBITS
    several = bool(free) and len(angles) >= _PARALLEL_FROM_RUNS and not wide
    threads = threads if wide or several else 1
    simulator = _simulator(method, limits.memory_mb, threads, threads if several else 1)
    if free:
        jobs = [(seed, [{each: [values[each] for values in angles] for each in free}])]
    else:
        jobs = [(seed + i * SEED_STEP, []) for i in range(len(angles))]
    data: list[Mapping[str, Any]] = []
    for job_seed, binds in jobs:
        # What `simulator.run` does, without its thread and its Result object.
        answer = simulator._execute_circuits_job(
            [circuit], binds, {**options, "seed_simulator": job_seed}, format_result=False
        )
        if not answer["success"]:
            raise _refusal(answer, method)
        data += [result["data"] for result in answer["results"]]
    return data


class _Simulator(AerSimulator):  # type: ignore[misc]  # Aer has no types
    """Aer 0.18 asks a gate whether it has parameters, and controlled gates of Qiskit 2 say no: it
    would run them with whatever angles.
    """

    def _convert_circuit_binds(
        self, circuit: QuantumCircuit, binds: Mapping[Parameter, Sequence[float]], places: Any
    ) -> list[Any]:
        return [
            [(places[index] if places else index, position), _values(angle, binds)]
            for index, instruction in enumerate(circuit.data)
            if instruction.is_parameterized()
            for position, angle in enumerate(instruction.params)
            if isinstance(angle, ParameterExpression) and angle.parameters
        ]


def _values(
    angle: ParameterExpression, binds: Mapping[Parameter, Sequence[float]]
) -> Sequence[float]:
    """Those of one angle in all runs. Raises CircuitError."""
    if isinstance(angle, Parameter):  # Others may have no hash, as a negative number has not.
        return binds[angle]
    names = angle.parameters
    with real(f"The angle {angle!s:.80}"):
        columns = zip(*(binds[name] for name in names), strict=True)
        return [_real(angle.bind(dict(zip(names, row, strict=True)))) for row in columns]


@contextmanager
def real(what: str) -> Iterator[None]:
    """Raises CircuitError for the errors with which Qiskit says that an angle is no number."""
    try:
        yield
    except NOT_REAL:
        raise CircuitError(
            "invalid_parameters", f"{what} is no real, finite number for some values."
        ) from None


def _real(angle: ParameterExpression) -> float:
    number = angle.numeric()
    if isinstance(number, complex) or not math.isfinite(number):
        raise ValueError
    return float(number)


@cache
def _simulator(method: str, memory_mb: int, threads: int, runs: int) -> AerSimulator:
    return _Simulator(
        method=method,
        max_memory_mb=memory_mb,
        max_parallel_threads=threads,
        max_parallel_experiments=runs,
    )


def _refusal(answer: Mapping[str, Any], method: str) -> CircuitError:
    failed = (result for result in answer["results"] if not result.get("success"))
    reason = str(next(failed, answer)["status"])[:300]
    lowered = reason.lower()
    if "memory" in lowered or "bad_alloc" in lowered:
        return CircuitError("too_much_memory", f"The simulator refused: {reason}")
    if "invalid instruction" in lowered or "not supported" in lowered:
        return CircuitError(
            "method_unsuitable", f"The {method} method cannot run this circuit: {reason}"
        )
    return CircuitError("simulation_failed", f"The simulator refused: {reason}")
