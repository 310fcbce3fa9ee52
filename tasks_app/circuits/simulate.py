"""From a Qiskit circuit to counts: choose a method, compile, run on Aer, format."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from typing import Any

from qiskit import QuantumCircuit  # type: ignore[import-untyped]
from qiskit.circuit import ControlFlowOp  # type: ignore[import-untyped]
from qiskit.circuit.library import get_standard_gate_name_mapping  # type: ignore[import-untyped]
from qiskit.passmanager import BasePassManager  # type: ignore[import-untyped]
from qiskit.transpiler import generate_preset_pass_manager  # type: ignore[import-untyped]
from qiskit_aer import AerSimulator  # type: ignore[import-untyped]

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import MAX_SEED, Limits

_BYTES_PER_AMPLITUDE = 16
_CLIFFORD = frozenset(
    ("id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "ecr")
)
_NOT_GATES = frozenset(
    ("measure", "reset", "barrier", "delay", "if_else", "while_loop", "for_loop")
)
_PARALLEL_FROM_QUBITS = 16  # Below, threads cost more than they bring.


@dataclass(frozen=True, slots=True)
class Compiled:
    """A circuit in gates its method knows, and what was learnt on the way."""

    circuit: QuantumCircuit
    method: str
    measured: bool


def compile_circuit(circuit: QuantumCircuit, method: str, limits: Limits) -> Compiled:
    """Raises CircuitError when no allowed method can run the circuit."""
    _check_width(circuit, limits)
    names = operation_names(circuit)
    if method == "automatic":
        method = _choose_method(circuit, names, limits)
    _check_memory(circuit.num_qubits, method, limits)
    return Compiled(_pass_manager(method).run(circuit), method, "measure" in names)


def run(compiled: Compiled, *, shots: int, seed: int | None, threads: int, limits: Limits) -> Any:
    """The counts, outcome to shots, and the seed used. Raises CircuitError."""
    if seed is None:
        seed = secrets.randbelow(MAX_SEED + 1)
    if not compiled.measured:
        return {}, seed
    circuit = compiled.circuit
    simulator = _simulator(
        compiled.method,
        limits.memory_mb,
        threads if circuit.num_qubits >= _PARALLEL_FROM_QUBITS else 1,
    )
    result = simulator.run(circuit, shots=shots, seed_simulator=seed).result()
    if not result.success:
        raise _refusal(result)
    counts = result.results[0].data.counts
    if len(counts) > limits.max_result_keys:
        raise CircuitError(
            "too_many_outcomes",
            f"The shots gave {len(counts):,} different outcomes, {limits.max_result_keys:,} are "
            "allowed; measure fewer qubits or use fewer shots.",
        )
    return _format_counts(counts, circuit), seed


def operation_names(circuit: QuantumCircuit) -> set[str]:
    """Names of all operations, those inside control flow included."""
    names = set(circuit.count_ops())
    if circuit.has_control_flow_op():
        for instruction in circuit.data:
            if isinstance(instruction.operation, ControlFlowOp):
                for block in instruction.operation.blocks:
                    names |= operation_names(block)
    return names


def _check_width(circuit: QuantumCircuit, limits: Limits) -> None:
    if circuit.num_qubits > limits.max_qubits:
        raise CircuitError(
            "too_many_qubits",
            f"The circuit has {circuit.num_qubits:,} qubits, {limits.max_qubits:,} are allowed.",
        )
    if circuit.num_clbits > limits.max_clbits:
        raise CircuitError(
            "too_many_clbits",
            f"The circuit has {circuit.num_clbits:,} classical bits, "
            f"{limits.max_clbits:,} are allowed.",
        )


def _choose_method(circuit: QuantumCircuit, names: set[str], limits: Limits) -> str:
    if names <= _CLIFFORD | _NOT_GATES:
        return "stabilizer"
    return "statevector"


def _check_memory(qubits: int, method: str, limits: Limits) -> None:
    exponent = {"statevector": qubits, "density_matrix": 2 * qubits}.get(method)
    if exponent is None:
        return
    allowed = limits.memory_mb * 2**20
    if exponent > 60 or _BYTES_PER_AMPLITUDE * 2**exponent > allowed:
        needed = _BYTES_PER_AMPLITUDE * 2**exponent // 2**20
        raise CircuitError(
            "too_much_memory",
            f"{qubits} qubits need {needed:,} MiB with the {method} method, "
            f"{limits.memory_mb:,} MiB are allowed; use fewer qubits, only Clifford gates, or "
            "the matrix_product_state method if the circuit entangles little.",
        )


@cache
def _pass_manager(method: str) -> BasePassManager:
    """Unrolls custom gates into those the method knows; changes nothing else.

    Without a backend, so that no width limit guessed from the memory of the machine applies.
    """
    known = set(AerSimulator(method=method).configuration().basis_gates)
    basis = sorted(known.intersection(get_standard_gate_name_mapping()))
    return generate_preset_pass_manager(optimization_level=0, basis_gates=basis)


@cache
def _simulator(method: str, memory_mb: int, threads: int) -> AerSimulator:
    return AerSimulator(method=method, max_memory_mb=memory_mb, max_parallel_threads=threads)


def _refusal(result: Any) -> CircuitError:
    reason = str(result.results[0].status if result.results else result.status)
    if "memory" in reason.lower():
        return CircuitError("too_much_memory", f"The simulator refused: {reason[:300]}")
    return CircuitError("simulation_failed", f"The simulator refused: {reason[:300]}")


def _format_counts(counts: dict[str, int], circuit: QuantumCircuit) -> dict[str, int]:
    """Keys as Qiskit prints them: the last bit leftmost, registers apart by a space.

    A bit outside registers stands apart, which Qiskit's own formatting drops.
    """
    owners = [
        locations.registers[0][0] if (locations := circuit.find_bit(bit)).registers else bit
        for bit in circuit.clbits
    ]
    sizes = [len(list(group)) for _, group in groupby(owners)]
    width = circuit.num_clbits
    ends = [width - sum(sizes[:i]) for i in range(len(sizes), -1, -1)]
    spans = list(pairwise(ends))
    formatted = {}
    for key, shots in counts.items():
        bits = f"{int(key, 16):0{width}b}"
        formatted[" ".join(bits[start:end] for start, end in spans)] = shots
    return formatted
