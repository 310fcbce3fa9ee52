"""Observables as weighted sums of Pauli strings, each string asked of the simulator once."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks_app.circuits.errors import CircuitError

Floats = NDArray[np.float64]


class Observables:
    """`paulis`: the different strings of all observables but the identity."""

    def __init__(self, observables: Sequence[Mapping[str, float]]) -> None:
        self.paulis: list[str] = []
        self._labels = [next(iter(terms)) for terms in observables]
        self._sums: list[tuple[float, list[int], list[float]]] = []
        places: dict[str, int] = {}
        for terms in observables:
            constant, indices, weights = 0.0, [], []
            for pauli, weight in terms.items():
                if set(pauli) == {"I"}:
                    constant += weight
                    continue
                if pauli not in places:
                    places[pauli] = len(self.paulis)
                    self.paulis.append(pauli)
                indices.append(places[pauli])
                weights.append(float(weight))
            self._sums.append((constant, indices, weights))

    @property
    def qubits(self) -> set[int]:
        """Those that anything but the identity is asked of."""
        strings = (reversed(pauli) for pauli in self.paulis)
        return {place for each in strings for place, letter in enumerate(each) if letter != "I"}

    def check_width(self, qubits: int) -> None:
        """Raises CircuitError."""
        for index, label in enumerate(self._labels):
            if len(label) != qubits:
                raise CircuitError(
                    "invalid_observables",
                    f"observables[{index}] has {len(label)} Pauli letters and the program "
                    f"{qubits} qubits; write one letter for each, the rightmost for the first.",
                )

    def values(self, of_paulis: Floats) -> Floats:
        """Of each observable, from those of `paulis` along the last axis."""
        columns = [
            constant + of_paulis[..., indices] @ np.asarray(weights)
            for constant, indices, weights in self._sums
        ]
        return np.stack(columns, axis=-1)


def with_precision(exact: Floats, precision: float, seed: int) -> Floats:
    """As Aer's EstimatorV2 gives them: drawn from a normal distribution around the exact values."""
    return np.random.default_rng(seed).normal(exact, precision, exact.shape)
