"""Exact outcome probabilities of a circuit, by NumPy alone, and counts held against them."""

from collections import defaultdict
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qasm2, qasm3
from qiskit.circuit import Clbit

State = NDArray[np.complex128]
_NEGLIGIBLE = 1e-12


def load(program: str) -> QuantumCircuit:
    """A program as Qiskit's own importers read it."""
    if "OPENQASM 2.0" in program:
        legacy = qasm2.LEGACY_CUSTOM_INSTRUCTIONS
        return qasm2.loads(
            program,
            custom_instructions=[gate for gate in legacy if f"gate {gate.name} " not in program],
            custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
        )
    return qasm3.loads(program)


def distribution(circuit: QuantumCircuit) -> dict[str, float]:
    """Probability of each outcome, written as Qiskit does.

    Every measurement splits the run in two, so that no randomness is left.
    """
    start = np.zeros((2,) * circuit.num_qubits, complex)
    start.flat[0] = 1
    zeros = (0,) * circuit.num_clbits
    places = {bit: i for i, bit in enumerate((*circuit.qubits, *circuit.clbits))}
    places |= {bit: i for i, bit in enumerate(circuit.clbits)}
    probabilities: dict[str, float] = defaultdict(float)
    for state, bits in _run(circuit, [(start, zeros)], places):
        probabilities[_written(circuit, bits)] += float(np.sum(np.abs(state) ** 2))
    return dict(probabilities)


def _run(
    circuit: QuantumCircuit, branches: list[tuple[State, tuple[int, ...]]], places: dict[Any, int]
) -> list[tuple[State, tuple[int, ...]]]:
    for instruction in circuit.data:
        qubits = [places[bit] for bit in instruction.qubits]
        clbits = [places[bit] for bit in instruction.clbits]
        name, operation = instruction.name, instruction.operation
        if name in ("barrier", "delay"):
            continue
        if name == "measure":
            branches = [
                (part, (*bits[: clbits[0]], value, *bits[clbits[0] + 1 :]))
                for state, bits in branches
                for value, part in enumerate(_project(state, qubits[0]))
                if np.linalg.norm(part) > _NEGLIGIBLE
            ]
        elif name == "reset":
            branches = [
                (np.flip(part, qubits[0]) if value else part, bits)
                for state, bits in branches
                for value, part in enumerate(_project(state, qubits[0]))
                if np.linalg.norm(part) > _NEGLIGIBLE
            ]
        elif name == "if_else":
            branches = [
                end
                for state, bits in branches
                for end in _branch(operation, qubits, clbits, state, bits, places)
            ]
        else:
            branches = [(_apply(operation, qubits, state), bits) for state, bits in branches]
    return branches


def _branch(
    operation: Any,
    qubits: list[int],
    clbits: list[int],
    state: State,
    bits: tuple[int, ...],
    places: dict[Any, int],
) -> list[tuple[State, tuple[int, ...]]]:
    left, right = operation.condition
    if isinstance(left, Clbit):
        holds = bits[places[left]] == right
    else:
        holds = sum(bits[places[bit]] << i for i, bit in enumerate(left)) == right
    block = operation.blocks[0] if holds else (*operation.blocks, None)[1]
    if block is None:
        return [(state, bits)]
    inner = dict(zip((*block.qubits, *block.clbits), (*qubits, *clbits), strict=True))
    return _run(block, [(state, bits)], places | inner)


def _project(state: State, qubit: int) -> tuple[State, State]:
    zero, one = state.copy(), state.copy()
    zero[(slice(None),) * qubit + (1,)] = 0
    one[(slice(None),) * qubit + (0,)] = 0
    return zero, one


def _apply(operation: Any, qubits: list[int], state: State) -> State:
    try:
        matrix = operation.to_matrix()
    except Exception:  # It has a definition only.
        definition = operation.definition
        state = state * np.exp(1j * float(definition.global_phase))
        for instruction in definition.data:
            inner = [qubits[definition.find_bit(bit).index] for bit in instruction.qubits]
            state = _apply(instruction.operation, inner, state)
        return state
    count = len(qubits)
    # The first qubit of a gate is the lowest bit of its matrix, and axis 0 is the highest.
    tensor = np.asarray(matrix).reshape((2,) * (2 * count))
    axes = qubits[::-1]
    moved = np.tensordot(tensor, state, axes=(range(count, 2 * count), axes))
    return np.moveaxis(moved, range(count), axes)


def _written(circuit: QuantumCircuit, bits: tuple[int, ...]) -> str:
    """Registers apart, the last leftmost; a bit outside registers is one of its own."""
    groups: dict[Any, str] = {}
    for index, bit in enumerate(circuit.clbits):
        registers = circuit.find_bit(bit).registers
        group = registers[0][0] if registers else bit
        groups[group] = str(bits[index]) + groups.get(group, "")
    return " ".join(reversed(list(groups.values())))


def assert_follows(counts: dict[str, int], expected: dict[str, float]) -> None:
    """The total variation distance is what sampling explains.

    For K outcomes it is sqrt(K / N) / 2 on average or less, and by McDiarmid's inequality more
    than 3 / sqrt(N) above that once in 10**7 runs. The seed is fixed besides.
    """
    shots = sum(counts.values())
    expected = {outcome: p for outcome, p in expected.items() if p > 1e-9}
    assert counts.keys() <= expected.keys()
    distance = sum(abs(counts.get(key, 0) / shots - p) for key, p in expected.items()) / 2
    assert distance < sqrt(len(expected) / shots) / 2 + 3 / sqrt(shots)
