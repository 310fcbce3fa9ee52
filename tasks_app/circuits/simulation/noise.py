"""A small noise model: depolarizing gates and misread bits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from qiskit.circuit import Gate
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.simulation.rewriting import NOISELESS

_GATES = get_standard_gate_name_mapping()
_NOISY = {
    name for name, gate in _GATES.items() if isinstance(gate, Gate) and 1 <= gate.num_qubits <= 2
}
_depolarizing = lru_cache(depolarizing_error)  # Many gates have the same.
_KEYS = ("depolarizing_1q", "depolarizing_2q", "readout", "gates")


@dataclass(frozen=True, slots=True)
class Noise:
    """Depolarizing noise after gates, and bits that are read wrong.

    A depolarizing probability p replaces the state of the gate's qubits by the maximally mixed
    one with probability p. What is given for a qubit each is as long as the program has qubits.
    """

    one_qubit: Sequence[float]
    """For all qubits, or one for each."""
    two_qubit: float
    readout: Sequence[float]
    gates: Mapping[str, float]
    """Of single gates, by the names of Qiskit: they take the place of the other two."""

    @property
    def counts_qubits(self) -> bool:
        """Whether it has a number for each qubit."""
        return max(len(self.one_qubit), len(self.readout)) > 1

    def check_width(self, qubits: int) -> None:
        """Raises CircuitError."""
        for key, values in (("depolarizing_1q", self.one_qubit), ("readout", self.readout)):
            if len(values) not in (1, qubits):
                raise CircuitError(
                    "invalid_noise",
                    f"noise.{key} has {len(values)} numbers and the program {qubits} qubits; "
                    "give one number for all, or one for each in the order of their declaration.",
                )

    def after(self, gate: str, qubits: Sequence[int]) -> float:
        """The depolarizing probability after a gate."""
        if gate == NOISELESS:
            return 0.0
        if gate in self.gates:
            return self.gates[gate]
        return self.two_qubit if len(qubits) == 2 else _of(self.one_qubit, qubits[0])

    def misread(self, qubit: int) -> tuple[float, float]:
        """The probabilities that a 0 is read as 1, and a 1 as 0."""
        flip = _of(self.readout, qubit)
        return flip, flip

    def model(self) -> NoiseModel:
        """As Aer takes it."""
        model = NoiseModel()
        for name in sorted(_NOISY):
            width = _GATES[name].num_qubits
            alike = width == 2 or len(self.one_qubit) == 1
            for place in range(1 if alike else len(self.one_qubit)):
                if chance := self.after(name, range(place, place + width)):
                    error = _depolarizing(chance, width)
                    if alike:
                        model.add_all_qubit_quantum_error(error, name)
                    else:
                        model.add_quantum_error(error, name, [place])
        for place, flip in enumerate(self.readout):
            error = ReadoutError([[1 - flip, flip], [flip, 1 - flip]])
            if len(self.readout) == 1:
                model.add_all_qubit_readout_error(error)
            else:
                model.add_readout_error(error, [place])
        return model


def _of(values: Sequence[float], place: int) -> float:
    return values[0] if len(values) == 1 else values[place] if place < len(values) else 0.0


def check_noise(noise: Mapping[str, Any]) -> Noise:
    """Raises CircuitError."""
    if unknown := noise.keys() - _KEYS:
        raise CircuitError(
            "invalid_noise", f"noise can hold {', '.join(_KEYS)}, and no {min(unknown)!r:.80}."
        )
    gates = noise.get("gates", {})
    if not isinstance(gates, Mapping):
        raise CircuitError("invalid_noise", "noise.gates must be an object of gates' names.")
    if unknown := gates.keys() - _NOISY:
        raise CircuitError(
            "invalid_noise",
            f"noise.gates has {min(unknown)!r:.80}, which is no gate of Qiskit's on one or two "
            "qubits.",
        )
    return Noise(
        _chances(noise, "depolarizing_1q"),
        _chance(noise.get("depolarizing_2q", 0), "depolarizing_2q"),
        _chances(noise, "readout"),
        {name: _chance(value, f"gates.{name}") for name, value in gates.items()},
    )


def _chances(noise: Mapping[str, Any], key: str) -> tuple[float, ...]:
    given = noise.get(key, 0)
    values = given if isinstance(given, list | tuple) else [given]
    return tuple(_chance(value, key) for value in values)


def _chance(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise CircuitError("invalid_noise", f"noise.{key} must be a number from 0 to 1.")
    return float(value)
