"""A quantum state that a path through a program changes and measures: a vector or a matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from tasks_app.circuits.job import Limits
from tasks_app.circuits.simulation import methods

Tensor = NDArray[np.complex128]
_PAULIS: Mapping[str, Tensor] = {
    "X": np.array([[0, 1], [1, 0]], complex),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.array([[1, 0], [0, -1]], complex),
}


@dataclass(slots=True)
class State:
    """The state of some qubits as a tensor with an axis for each; all others are known to be 0
    or 1, as fresh and measured ones are.

    The tensor of a mixed state is its density matrix, with axes for rows and for columns. No
    operation changes a tensor in place: states that have split share it.
    """

    mixed: bool
    limits: Limits
    tensor: Tensor = field(default_factory=lambda: np.ones((), complex))
    axes: tuple[int, ...] = ()
    """The qubit of each axis; `~qubit` for the columns."""
    ones: frozenset[int] = frozenset()
    """Qubits that are known to be 1."""

    def apply(self, matrix: Any, qubits: Sequence[int]) -> None:
        self._bring_in(qubits)
        self._multiply(np.asarray(matrix), qubits)
        if self.mixed:
            self._multiply(np.conj(matrix), [~qubit for qubit in qubits])

    def _multiply(self, matrix: Tensor, axes: Sequence[int]) -> None:
        """Bring the axes to the front, and leave them there."""
        # The first qubit of a gate is the lowest bit of its matrix, and so its last axis.
        front = self._spots(axes[::-1])
        order = [*front, *(spot for spot in range(len(self.axes)) if spot not in front)]
        moved = self.tensor.transpose(order)
        self.tensor = (matrix @ moved.reshape(len(matrix), -1)).reshape(moved.shape)
        self.axes = tuple([self.axes[spot] for spot in order])

    def depolarize(self, qubits: Sequence[int], probability: float) -> None:
        """Replace the qubits by the maximally mixed state with this probability."""
        mixed = self.tensor
        for row, column in zip(self._spots(qubits), self._columns(qubits), strict=True):
            trace = np.trace(mixed, axis1=row, axis2=column)
            mixed = np.moveaxis(np.multiply.outer(trace, np.eye(2) / 2), (-2, -1), (row, column))
        self.tensor = (1 - probability) * self.tensor + probability * mixed

    def unknown(self, qubits: Sequence[int]) -> list[int]:
        """Those of the qubits whose value only a measurement tells, each once."""
        return [qubit for qubit in dict.fromkeys(qubits) if qubit in self.axes]

    def probabilities(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        """Of each outcome of qubits that are not known, the first one its lowest bit."""
        found = np.maximum(self._weights(qubits[::-1]).reshape(-1), 0)
        return np.asarray(found / found.sum())

    def mean(self, pauli: Mapping[int, str]) -> float:
        """The expectation value of a Pauli string, letters by qubit, in a pure state."""
        changed, sign = replace(self), 1
        for qubit, letter in pauli.items():
            if qubit in self.axes:
                changed._multiply(_PAULIS[letter], [qubit])
            elif letter != "Z":
                return 0.0
            elif qubit in self.ones:
                sign = -sign
        same = self.tensor.transpose(self._spots(changed.axes))
        return float(sign * np.vdot(same, changed.tensor).real)

    def collapse(self, outcomes: Mapping[int, bool]) -> None:
        """The state after these qubits were measured; it is normalised."""
        found = [outcomes.get(max(axis, ~axis)) for axis in self.axes]
        self.tensor = self.tensor[tuple(slice(None) if n is None else int(n) for n in found)]
        self.axes = tuple(a for a, outcome in zip(self.axes, found, strict=True) if outcome is None)
        self.ones = self.ones - outcomes.keys() | {q for q, one in outcomes.items() if one}
        norm = self._weights(())
        self.tensor = self.tensor / (norm if self.mixed else np.sqrt(norm))

    def _weights(self, qubits: Sequence[int]) -> Any:
        """Of the outcomes of some qubits, with an axis for each."""
        weights: Any = self.tensor.real if self.mixed else np.abs(self.tensor) ** 2
        labels = self._spots([max(axis, ~axis) for axis in self.axes])  # Of the diagonal.
        return np.einsum(weights, labels, self._spots(qubits))

    def _spots(self, axes: Sequence[int]) -> list[int]:
        return [self.axes.index(axis) for axis in axes]

    def _columns(self, qubits: Sequence[int]) -> list[int]:
        return self._spots([~qubit for qubit in qubits])

    def _bring_in(self, qubits: Sequence[int]) -> None:
        new = [qubit for qubit in qubits if qubit not in self.axes]
        copies = 2 if self.mixed else 1
        axes = len(self.axes) + copies * len(new)
        exponent = axes + 2  # A product needs a second tensor, a path that has split keeps a third.
        if not methods.fits(exponent, self.limits):
            method = "density_matrix" if self.mixed else "statevector"
            raise methods.too_much_memory(axes // copies, method, exponent, self.limits)
        for qubit in new:
            basis = np.array([0, 1] if qubit in self.ones else [1, 0])
            self.tensor, self.axes = np.multiply.outer(self.tensor, basis), (*self.axes, qubit)
            if self.mixed:
                self.tensor, self.axes = np.multiply.outer(basis, self.tensor), (~qubit, *self.axes)
        self.ones -= set(new)


Piece = tuple[str, Any, tuple[int, ...]]
"""The name of a gate as noise knows it, its matrix, and the places of its qubits."""


def pieces(gate: Any) -> list[Piece]:
    """The gate as matrices on a few of its qubits each; a global phase is left out."""
    if hasattr(gate, "__array__") and (gate.num_qubits <= 4 or gate.name == "unitary"):
        places = tuple(range(gate.num_qubits))
        return [(gate.label or gate.name, gate.to_matrix(), places)] if places else []
    return circuit_pieces(gate.definition)


def circuit_pieces(circuit: QuantumCircuit) -> list[Piece]:
    found = []
    for instruction in circuit.data:
        if instruction.name in ("barrier", "delay"):
            continue
        places = [circuit.find_bit(bit).index for bit in instruction.qubits]
        for name, matrix, inner in pieces(instruction.operation):
            found.append((name, matrix, tuple(places[place] for place in inner)))
    return found
