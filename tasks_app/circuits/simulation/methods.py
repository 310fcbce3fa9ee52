"""Choose a simulation method that can do the job, and refuse what none can."""

from collections.abc import Iterator
from math import log2

import numpy as np
from qiskit import QuantumCircuit

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.job import Limits
from tasks_app.circuits.simulation.rewriting import instructions, used

CLIFFORD = frozenset(
    ("id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "ecr")
)
NOT_GATES = frozenset(
    ("measure", "reset", "barrier", "delay", "store", "if_else", "for_loop", "while_loop")
).union(("switch_case", "break_loop", "continue_loop"))
_BYTES_PER_AMPLITUDE = 16
_RANK_4 = frozenset(("swap", "unitary", "iswap", "dcx", "cswap"))
# Measuring a stabilizer state takes the square of its width for each shot, a matrix product
# state the square of its bonds: from this width on, narrow bonds win.
_WIDE = 60
_NARROW_BONDS = 3.0
# Aer's singular value decompositions hold several copies of a tensor.
_COPIES = 4


def choose(
    circuit: QuantumCircuit, names: set[str], shots: int, noisy: bool, limits: Limits
) -> str:
    """The method for `automatic`. Raises CircuitError if none fits in memory."""
    qubits = used_qubits(circuit)
    if noisy and 4**qubits <= 16 * shots and fits(2 * qubits, limits):
        return "density_matrix"  # One run for all shots, instead of one for each.
    if names <= CLIFFORD | NOT_GATES:
        narrow = circuit.num_qubits >= _WIDE and max(_bonds(circuit)) <= _NARROW_BONDS
        return "matrix_product_state" if narrow and not noisy else "stabilizer"
    if fits(qubits, limits):
        return "statevector"
    if _log2_mps_bytes(circuit) <= log2(limits.memory_mb) + 20:
        return "matrix_product_state"
    raise too_much_memory(qubits, "statevector", qubits, limits)


def check(circuit: QuantumCircuit, names: set[str], method: str, limits: Limits) -> None:
    """Refuse a circuit that the method cannot run. Raises CircuitError."""
    qubits = used_qubits(circuit)
    exponent = {"statevector": qubits, "density_matrix": 2 * qubits}.get(method, 0)
    if not fits(exponent, limits):
        raise too_much_memory(qubits, method, exponent, limits)
    if method == "stabilizer" and (others := names - CLIFFORD - NOT_GATES):
        raise CircuitError(
            "method_unsuitable",
            "The stabilizer method runs Clifford gates only; compiled, the circuit has "
            f"{min(others)}. Choose another method or automatic.",
        )


def used_qubits(circuit: QuantumCircuit) -> int:
    """Those that take memory: that anything acts on, or with control flow all of them."""
    return int(circuit.num_qubits) if circuit.has_control_flow_op() else len(used(circuit))


def fits(exponent: int, limits: Limits) -> bool:
    """Whether two to this power complex numbers leave some of the memory to the rest."""
    return exponent < 60 and _BYTES_PER_AMPLITUDE << exponent < limits.memory_mb << 20


def too_much_memory(qubits: int, method: str, exponent: int, limits: Limits) -> CircuitError:
    needed = (_BYTES_PER_AMPLITUDE << exponent) >> 20
    amount = f"{needed:,} MiB" if exponent < 80 else f"2^{exponent - 16} MiB"
    return CircuitError(
        "too_much_memory",
        f"{qubits} qubits need {amount} with the {method} method, {limits.memory_mb:,} MiB are "
        "allowed in all; use fewer qubits, only Clifford gates, or the matrix_product_state "
        "method if the circuit entangles little.",
    )


def _log2_mps_bytes(circuit: QuantumCircuit) -> float:
    bonds = np.array([0.0, *_bonds(circuit), 0.0])
    numbers = float(np.logaddexp2.reduce(1 + bonds[:-1] + bonds[1:]))  # As a logarithm too.
    return numbers + log2(_COPIES * _BYTES_PER_AMPLITUDE)


def _bonds(circuit: QuantumCircuit) -> list[float]:
    """An estimate of log2 of the bond dimension between each qubit and the next.

    Every gate across a cut multiplies the bond by at most its rank; and where all of them share
    a few qubits on one side, as the target of an oracle, these qubits carry no more.
    """
    size = circuit.num_qubits
    crossing, from_left, from_right = np.zeros((3, size))
    last, first = list(range(size)), list(range(size))  # Partners farthest right and left.
    for low, high, rank in _spans(circuit):
        crossing[low:high] += rank
        last[low] = max(last[low], high)
        first[high] = min(first[high], low)
    for qubit in range(size):
        from_left[qubit : last[qubit]] += 1
        from_right[first[qubit] : qubit] += 1
    places = np.arange(size)
    most = (crossing, 2 * from_left, 2 * from_right, places + 1, size - places - 1)
    return list(np.minimum.reduce(most)[: max(size - 1, 1)])


def _spans(circuit: QuantumCircuit) -> Iterator[tuple[int, int, float]]:
    """Lowest qubit, highest qubit and log2 of the rank of each gate on several qubits."""
    places = {bit: place for place, bit in enumerate(circuit.qubits)}
    for instruction in instructions(circuit):
        if len(instruction.qubits) > 1 and instruction.name not in NOT_GATES:
            spots = [places[bit] for bit in instruction.qubits]
            rank = 2.0 if len(spots) > 2 or instruction.name in _RANK_4 else 1.0
            yield min(spots), max(spots), rank
