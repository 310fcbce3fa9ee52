"""A quantum state that a path through a program changes and measures: a vector or a matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from tasks_app.circuits.job import Limits
from tasks_app.circuits.simulation import methods

Tensor = NDArray[np.complex128]


@dataclass(slots=True)
class State:
    """The state of some qubits as a tensor with an axis for each; all others are known to be 0
    or 1, as fresh and measured ones are.

    A mixed state has the axes twice, for the rows and the columns of its density matrix. No
    operation changes a tensor in place: states that have split share it.
    """

    mixed: bool
    limits: Limits
    tensor: Tensor = field(default_factory=lambda: np.ones((), complex))
    axes: tuple[int, ...] = ()
    ones: frozenset[int] = frozenset()
    """Qubits that are known to be 1."""

    def copy(self) -> "State":
        return State(self.mixed, self.limits, self.tensor, self.axes, self.ones)

    def apply(self, matrix: Any, qubits: Sequence[int]) -> None:
        self._bring_in(qubits)
        spots = self._spots(qubits)
        self.tensor = _product(matrix, self.tensor, spots)
        if self.mixed:
            columns = [spot + len(self.axes) for spot in spots]
            self.tensor = _product(np.conj(matrix), self.tensor, columns)

    def depolarize(self, qubits: Sequence[int], probability: float) -> None:
        """Replace the qubits by the maximally mixed state with this probability."""
        size = len(self.axes)
        mixed = self.tensor
        for spot in self._spots(qubits):
            trace = np.trace(mixed, axis1=spot, axis2=spot + size)
            mixed = np.multiply.outer(trace, np.eye(2) / 2)
            mixed = np.moveaxis(mixed, (-2, -1), (spot, spot + size))
        self.tensor = (1 - probability) * self.tensor + probability * mixed

    def unknown(self, qubits: Sequence[int]) -> list[int]:
        """Those of the qubits whose value only a measurement tells, each once."""
        return [qubit for qubit in dict.fromkeys(qubits) if qubit in self.axes]

    def probabilities(self, qubits: Sequence[int]) -> NDArray[np.float64]:
        """Of each outcome of qubits that are not known, the first one its lowest bit."""
        spots = self._spots(qubits)
        others = tuple(spot for spot in range(len(self.axes)) if spot not in spots)
        weights = self._weights().sum(axis=others)
        remaining = sorted(spots)
        order = [remaining.index(spot) for spot in reversed(spots)]
        result = np.maximum(np.transpose(weights, order).reshape(-1), 0)
        return np.asarray(result / result.sum())

    def collapse(self, outcomes: Mapping[int, bool]) -> None:
        """The state after these qubits were measured; it is normalised."""
        key: list[Any] = [slice(None)] * self.tensor.ndim
        for qubit, outcome in outcomes.items():
            if qubit in self.axes:
                spot = self.axes.index(qubit)
                key[spot] = int(outcome)
                if self.mixed:
                    key[spot + len(self.axes)] = int(outcome)
        self.tensor = self.tensor[tuple(key)]
        self.axes = tuple(qubit for qubit in self.axes if qubit not in outcomes)
        self.ones = self.ones - outcomes.keys() | {q for q, one in outcomes.items() if one}
        norm = self._weights().sum()
        self.tensor = self.tensor / (norm if self.mixed else np.sqrt(norm))

    def _weights(self) -> Any:
        if not self.mixed:
            return np.abs(self.tensor) ** 2
        side = 1 << len(self.axes)
        diagonal = np.diagonal(self.tensor.reshape(side, side)).real
        return diagonal.reshape((2,) * len(self.axes))

    def _spots(self, qubits: Sequence[int]) -> list[int]:
        return [self.axes.index(qubit) for qubit in qubits]

    def _bring_in(self, qubits: Sequence[int]) -> None:
        new = [qubit for qubit in qubits if qubit not in self.axes]
        if not new:
            return
        size = len(self.axes) + len(new)
        # A product needs a second tensor, and a path that has split keeps a third.
        exponent = (2 * size if self.mixed else size) + 2
        if not methods.fits(exponent, self.limits):
            method = "density_matrix" if self.mixed else "statevector"
            raise methods.too_much_memory(size, method, exponent, self.limits)
        for qubit in new:
            basis = np.array([0, 1] if qubit in self.ones else [1, 0])
            old = len(self.axes)
            self.tensor = np.multiply.outer(self.tensor, basis)
            if self.mixed:
                self.tensor = np.moveaxis(np.multiply.outer(self.tensor, basis), old * 2, old)
            self.axes = (*self.axes, qubit)
        self.ones = self.ones - set(new)


def _product(matrix: Any, tensor: Tensor, spots: Sequence[int]) -> Tensor:
    count = len(spots)
    # The first qubit of a gate is the lowest bit of its matrix, and its first axis the highest.
    axes = list(reversed(spots))
    factor = np.asarray(matrix).reshape((2,) * (2 * count))
    moved = np.tensordot(factor, tensor, axes=(range(count, 2 * count), axes))
    return np.moveaxis(moved, range(count), axes)


Piece = tuple[str, Any, tuple[int, ...]]
"""The name of a gate, its matrix, and the places of its qubits."""


def pieces(gate: Any) -> list[Piece]:
    """The gate as matrices on a few of its qubits each; a global phase is left out."""
    small = gate.num_qubits <= 4 or gate.name == "unitary"
    if hasattr(gate, "__array__") and (small or gate.definition is None):
        places = tuple(range(gate.num_qubits))
        return [(gate.name, gate.to_matrix(), places)] if places else []
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
