"""Run a compiled circuit on Aer, and count."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from qiskit_aer import AerSimulator

from tasks_app.circuits.errors import CircuitError, result_too_large
from tasks_app.circuits.job import MAX_SEED, Limits
from tasks_app.circuits.simulation.compile import Compiled

_PARALLEL_FROM_QUBITS = 16  # Below, threads cost more than they bring.


@dataclass(frozen=True, slots=True)
class Outcome:
    counts: dict[str, int]
    memory: list[str] | None
    seed: int


def run(
    compiled: Compiled, *, shots: int, seed: int | None, memory: bool, threads: int, limits: Limits
) -> Outcome:
    """Raises CircuitError."""
    if seed is None:
        seed = secrets.randbelow(MAX_SEED + 1)
    if not compiled.registers:
        return Outcome({}, [] if memory else None, seed)
    threads = threads if compiled.circuit.num_qubits >= _PARALLEL_FROM_QUBITS else 1
    simulator = _simulator(compiled.method, limits.memory_mb, threads)
    drawn = compiled.sampling
    options = {
        "shots": 1 if drawn else shots,
        "seed_simulator": seed,
        "memory": memory and not drawn,
        "noise_model": compiled.noise,
        "enable_truncation": compiled.truncate,
    }
    # What `simulator.run` does, without its thread and its Result object.
    circuit = drawn.circuit if drawn else compiled.circuit
    answer = simulator._execute_circuits_job([circuit], None, options, format_result=False)
    if not answer["success"]:
        raise _refusal(answer, compiled.method)
    data = answer["results"][0]["data"]
    if drawn:
        keys, lines = drawn.draw(data["probabilities"], shots=shots, seed=seed, memory=memory)
    else:
        keys, lines = data["counts"], data.get("memory", [])
    check_size(len(keys), len(lines), compiled.circuit.num_clbits, limits)
    outcome = _formatter(compiled)
    counts: dict[str, int] = {}
    for key, times in keys.items():
        # Outcomes that differ in hidden bits only are one.
        counts[outcome(key)] = counts.get(outcome(key), 0) + times
    return Outcome(counts, list(map(outcome, lines)) if memory else None, seed)


@cache
def _simulator(method: str, memory_mb: int, threads: int) -> AerSimulator:
    return AerSimulator(method=method, max_memory_mb=memory_mb, max_parallel_threads=threads)


def _refusal(answer: Mapping[str, Any], method: str) -> CircuitError:
    reason = str((*answer["results"], answer)[0]["status"])[:300]
    lowered = reason.lower()
    if "memory" in lowered or "bad_alloc" in lowered:
        return CircuitError("too_much_memory", f"The simulator refused: {reason}")
    if "invalid instruction" in lowered or "not supported" in lowered:
        return CircuitError(
            "method_unsuitable", f"The {method} method cannot run this circuit: {reason}"
        )
    return CircuitError("simulation_failed", f"The simulator refused: {reason}")


def check_size(keys: int, lines: int, width: int, limits: Limits) -> None:
    """Refuse a result before its strings are made."""
    if keys > limits.max_result_keys:
        raise CircuitError(
            "too_many_outcomes",
            f"The shots gave {keys:,} different outcomes, {limits.max_result_keys:,} are "
            "allowed; measure fewer qubits or use fewer shots.",
        )
    if (keys + lines) * width > limits.max_result_bytes:
        raise result_too_large(limits.max_result_bytes)


def _formatter(compiled: Compiled) -> Callable[[str], str]:
    """From a key of Aer to one as Qiskit prints it: the last bit leftmost, registers apart.

    A bit outside registers stands apart, which Qiskit's own formatting drops.
    """
    width = compiled.circuit.num_clbits
    registers = compiled.registers
    if len(registers) == 1 and registers[0] == tuple(range(width)):
        return lambda key: f"{int(key, 16):0{width}b}"
    pickers = [_picker([width - 1 - i for i in reversed(r)]) for r in reversed(registers)]

    def outcome(key: str) -> str:
        bits = f"{int(key, 16):0{width}b}"
        return " ".join(pick(bits) for pick in pickers)

    return outcome


def _picker(places: list[int]) -> Callable[[str], str]:
    if places == list(range(places[0], places[-1] + 1)):
        return lambda bits: bits[places[0] : places[-1] + 1]
    return lambda bits: "".join(_at(bits, places))


def _at(bits: str, places: Iterable[int]) -> Iterable[str]:
    return (bits[place] for place in places)
