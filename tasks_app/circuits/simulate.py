"""From a program to counts: compile for a method, run on Aer, format."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit.equivalence_library import (
    SessionEquivalenceLibrary,
)
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import PassManager, TranspilerError
from qiskit.transpiler.passes import (
    BasisTranslator,
    HighLevelSynthesis,
    UnrollCustomDefinitions,
)
from qiskit_aer import AerSimulator

from tasks_app.circuits import methods
from tasks_app.circuits.errors import CircuitError, result_too_large
from tasks_app.circuits.frontend import Program
from tasks_app.circuits.job import MAX_SEED, Limits
from tasks_app.circuits.noise import noise_model
from tasks_app.circuits.sampling import Sampling, sampling

_PARALLEL_FROM_QUBITS = 16  # Below, threads cost more than they bring.


@dataclass(frozen=True, slots=True)
class Compiled:
    """A circuit in gates its method knows, and what was learnt on the way."""

    circuit: QuantumCircuit
    method: str
    registers: tuple[tuple[int, ...], ...]
    """Indices of the bits to count; none if nothing is measured."""
    noise: Any
    truncate: bool
    sampling: Sampling | None
    """How to count without running each shot, where that is possible."""


@dataclass(frozen=True, slots=True)
class Outcome:
    counts: dict[str, int]
    memory: list[str] | None
    seed: int


def compile_program(
    program: Program, *, method: str, shots: int, noise: Mapping[str, float] | None, limits: Limits
) -> Compiled:
    """Raises CircuitError when the method, or for ``automatic`` any, cannot run the program."""
    asked = method
    noisy = noise is not None
    circuit = program.circuit
    if "reset" in circuit.count_ops():
        circuit = methods.without_first_resets(circuit)
    # The state vector method knows most gates: what it leaves unchanged shows what is used.
    circuit = _translate(circuit, "statevector" if asked == "automatic" else asked, noisy)
    if circuit.has_control_flow_op():
        circuit = methods.without_idle_qubits(circuit)
    names = methods.operation_names(circuit)
    if asked == "automatic":
        method = methods.choose(circuit, names, shots, noisy, limits)
        circuit = _translate(circuit, method, noisy)
    methods.check(circuit, names, method, limits)
    registers = program.registers if "measure" in names else ()
    model = noise_model(noise, *_noisy_gates(method)) if noise is not None else None
    drawn = None
    if not noisy and method in ("statevector", "stabilizer"):
        drawn = sampling(circuit, method=method, shots=shots)
    return Compiled(circuit, method, registers, model, not circuit.has_control_flow_op(), drawn)


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
    _check_size(len(keys), len(lines), compiled, limits)
    outcome = _formatter(compiled)
    counts: dict[str, int] = {}
    for key, times in keys.items():
        # Outcomes that differ in hidden bits only are one.
        counts[outcome(key)] = counts.get(outcome(key), 0) + times
    return Outcome(counts, list(map(outcome, lines)) if memory else None, seed)


def _translate(circuit: QuantumCircuit, method: str, noisy: bool) -> QuantumCircuit:
    if methods.operation_names(circuit) <= _basis(method, noisy):
        return circuit
    try:
        return _pass_manager(method, noisy).run(circuit)
    except TranspilerError as error:
        raise CircuitError(
            "method_unsuitable",
            f"The circuit does not translate to the gates of the {method} method: "
            f"{error.message[:200]}",
        ) from None


@cache
def _pass_manager(method: str, noisy: bool) -> PassManager:
    """Unrolls what the method does not know; changes nothing else.

    Without a backend, so that no width limit guessed from the memory of the machine applies.
    """
    basis = sorted(_basis(method, noisy))
    library = SessionEquivalenceLibrary
    return PassManager(
        [
            HighLevelSynthesis(basis_gates=basis, equivalence_library=library),
            UnrollCustomDefinitions(library, basis_gates=basis),
            BasisTranslator(library, basis),
        ]
    )


@cache
def _basis(method: str, noisy: bool) -> frozenset[str]:
    """Names of the operations the method runs; with noise, of gates on one or two qubits only."""
    known = AerSimulator(method=method).configuration().basis_gates
    gates = get_standard_gate_name_mapping()
    widest = 2 if noisy else 100
    return methods.NOT_GATES.union(
        name for name in known if name in gates and gates[name].num_qubits <= widest
    )


def _noisy_gates(method: str) -> tuple[list[str], list[str]]:
    gates = get_standard_gate_name_mapping()
    names = sorted(_basis(method, True) - methods.NOT_GATES)
    return (
        [name for name in names if gates[name].num_qubits == 1],
        [name for name in names if gates[name].num_qubits == 2],
    )


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


def _check_size(keys: int, lines: int, compiled: Compiled, limits: Limits) -> None:
    """Refuse a result before its strings are made."""
    if keys > limits.max_result_keys:
        raise CircuitError(
            "too_many_outcomes",
            f"The shots gave {keys:,} different outcomes, {limits.max_result_keys:,} are "
            "allowed; measure fewer qubits or use fewer shots.",
        )
    if (keys + lines) * compiled.circuit.num_clbits > limits.max_result_bytes:
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
