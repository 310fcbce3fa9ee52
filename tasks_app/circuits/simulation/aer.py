"""Run a circuit on Aer, once or for many values of its parameters."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit_aer import AerSimulator

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits

SEED_STEP = 2113
"""Between the seeds of the circuits of one job of Aer's: each can be repeated by itself."""
_PARALLEL_FROM_QUBITS = 16  # Below, threads cost more than they bring.
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
    threads = threads if circuit.num_qubits >= _PARALLEL_FROM_QUBITS else 1
    simulator = _simulator(method, limits.memory_mb, threads)
    free = circuit.parameters if angles[0] else ()
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


@cache
def _simulator(method: str, memory_mb: int, threads: int) -> AerSimulator:
    return AerSimulator(method=method, max_memory_mb=memory_mb, max_parallel_threads=threads)


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
