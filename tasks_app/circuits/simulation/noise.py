"""A small noise model: depolarizing gates and misread bits."""

from collections.abc import Mapping
from typing import Any

from qiskit_aer.noise import (
    NoiseModel,
    ReadoutError,
    depolarizing_error,
)

from tasks_app.circuits.errors import CircuitError

_KEYS = ("depolarizing_1q", "depolarizing_2q", "readout")


def check_noise(noise: Mapping[str, Any]) -> dict[str, float]:
    """The probabilities by name, those not given 0. Raises CircuitError."""
    for key, value in noise.items():
        if key not in _KEYS:
            raise CircuitError("invalid_noise", f"noise can hold {', '.join(_KEYS)} only.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise CircuitError("invalid_noise", f"noise.{key} must be a number from 0 to 1.")
    return {key: float(noise.get(key, 0)) for key in _KEYS}


def noise_model(noise: Mapping[str, float], one_qubit: list[str], two_qubit: list[str]) -> Any:
    """`depolarizing_1q` after each gate named in `one_qubit`, the other likewise.

    A depolarizing probability p replaces the state of the gate's qubits by the maximally mixed
    one with probability p. `readout` flips each measured bit with its probability.
    """
    model = NoiseModel()
    for key, width, names in (("depolarizing_1q", 1, one_qubit), ("depolarizing_2q", 2, two_qubit)):
        if noise[key]:
            model.add_all_qubit_quantum_error(depolarizing_error(noise[key], width), names)
    if flip := noise["readout"]:
        model.add_all_qubit_readout_error(ReadoutError([[1 - flip, flip], [flip, 1 - flip]]))
    return model
