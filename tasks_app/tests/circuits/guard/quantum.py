"""Unitary matrices of OpenQASM 3's gates, and the state they act on.

From the specification's page "Gates" and its `stdgates.inc`. The first qubit of a gate is the
highest bit of its matrix; axis `i` of a state is qubit `i`.
"""

import cmath
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import schur

Matrix = NDArray[np.complex128]
_EDGE = 1e-9  # An eigenvalue this near to -1 is -1, whose principal angle is +π.


def _matrix(*rows: list[complex]) -> Matrix:
    return np.array(rows, np.complex128)


def builtin_u(theta: float, phi: float, lam: float) -> Matrix:
    """`U(θ, φ, λ)` with the phase that the specification gives it."""
    turn = cmath.exp(1j * theta)
    return _matrix(
        [(1 + turn) / 2, -1j * cmath.exp(1j * lam) * (1 - turn) / 2],
        [1j * cmath.exp(1j * phi) * (1 - turn) / 2, cmath.exp(1j * (phi + lam)) * (1 + turn) / 2],
    )


def global_phase(angle: float) -> Matrix:
    return _matrix([cmath.exp(1j * angle)])


def controlled(matrix: Matrix, controls: int, value: int) -> Matrix:
    """Under `controls` more qubits, in front, that are all `value`."""
    size = len(matrix)
    whole = np.eye(size << controls, dtype=complex)
    start = len(whole) - size if value else 0
    whole[start : start + size, start : start + size] = matrix
    return whole


def power(matrix: Matrix, exponent: float) -> Matrix:
    """The principal power: eigenvalues keep angles between -π (excluded) and π."""
    if exponent == int(exponent):
        return np.linalg.matrix_power(
            matrix if exponent >= 0 else matrix.conj().T, int(abs(exponent))
        )
    # A unitary is normal: its Schur form is diagonal.
    triangle, vectors = schur(matrix, output="complex")
    angles = [_principal(cmath.phase(value)) for value in np.diag(triangle)]
    powers = np.exp(1j * exponent * np.array(angles))
    result: Matrix = (vectors * powers) @ vectors.conj().T
    return result


def _principal(angle: float) -> float:
    return math.pi if abs(abs(angle) - math.pi) < _EDGE else angle


def _rotation(generator: Matrix, angle: float) -> Matrix:
    """`exp(-i angle/2 generator)` of a generator that is its own inverse."""
    return math.cos(angle / 2) * np.eye(2) - 1j * math.sin(angle / 2) * generator


_X = _matrix([0, 1], [1, 0])
_Y = _matrix([0, -1j], [1j, 0])
_Z = _matrix([1, 0], [0, -1])
_H = _matrix([1, 1], [1, -1]) / math.sqrt(2)
_SX = _matrix([1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]) / 2
_SWAP = np.eye(4, dtype=complex)[[0, 2, 1, 3]]


def _phase(angle: float) -> Matrix:
    return _matrix([1, 0], [0, cmath.exp(1j * angle)])


def _u3(theta: float, phi: float, lam: float) -> Matrix:
    """`Rz(φ) Ry(θ) Rz(λ)`, as `stdgates.inc` defines it."""
    return _rotation(_Z, phi) @ _rotation(_Y, theta) @ _rotation(_Z, lam)


def _cu(theta: float, phi: float, lam: float, gamma: float) -> Matrix:
    """`p(γ - θ/2) c; ctrl @ U(θ, φ, λ) c, t;`"""
    inner = cmath.exp(1j * (gamma - theta / 2)) * builtin_u(theta, phi, lam)
    return controlled(inner, 1, 1)


_FIXED: dict[str, Matrix] = {
    "x": _X,
    "y": _Y,
    "z": _Z,
    "h": _H,
    "s": _phase(math.pi / 2),
    "sdg": _phase(-math.pi / 2),
    "t": _phase(math.pi / 4),
    "tdg": _phase(-math.pi / 4),
    "sx": _SX,
    "id": np.eye(2, dtype=complex),
    "cx": controlled(_X, 1, 1),
    "CX": controlled(_X, 1, 1),
    "cy": controlled(_Y, 1, 1),
    "cz": controlled(_Z, 1, 1),
    "ch": controlled(_H, 1, 1),
    "swap": _SWAP,
    "ccx": controlled(_X, 2, 1),
    "cswap": controlled(_SWAP, 1, 1),
}
_ONE_ANGLE: dict[str, Callable[[float], Matrix]] = {
    "p": _phase,
    "phase": _phase,
    "u1": _phase,
    "rx": lambda angle: _rotation(_X, angle),
    "ry": lambda angle: _rotation(_Y, angle),
    "rz": lambda angle: _rotation(_Z, angle),
    "cp": lambda angle: controlled(_phase(angle), 1, 1),
    "cphase": lambda angle: controlled(_phase(angle), 1, 1),
    "crx": lambda angle: controlled(_rotation(_X, angle), 1, 1),
    "cry": lambda angle: controlled(_rotation(_Y, angle), 1, 1),
    "crz": lambda angle: controlled(_rotation(_Z, angle), 1, 1),
}
_MORE_ANGLES: dict[str, Callable[..., Matrix]] = {
    "u2": lambda phi, lam: _u3(math.pi / 2, phi, lam),
    "u3": _u3,
    "cu": _cu,
}
LIBRARY: dict[str, Callable[..., Matrix]] = {
    **{name: lambda matrix=matrix: matrix for name, matrix in _FIXED.items()},
    **_ONE_ANGLE,
    **_MORE_ANGLES,
}
"""What `stdgates.inc` defines, from parameters to the matrix."""


class State:
    """Qubits, each |0⟩ when it is added, and the probability of what was measured."""

    def __init__(self, amplitudes: Matrix | None = None) -> None:
        self._amplitudes: Matrix = np.ones((), complex) if amplitudes is None else amplitudes
        self.probability = 1.0

    @classmethod
    def identity(cls, qubits: int) -> "State":
        """One state for each basis state, in a last axis: gates on it make up a matrix."""
        return cls(np.eye(1 << qubits, dtype=complex).reshape((2,) * qubits + (1 << qubits,)))

    def as_matrix(self) -> Matrix:
        return self._amplitudes.reshape(self._amplitudes.shape[-1], -1)

    def add(self) -> int:
        """The number of the new qubit."""
        self._amplitudes = np.multiply.outer(self._amplitudes, np.array([1, 0], complex))
        return self._amplitudes.ndim - 1

    def apply(self, matrix: Matrix, qubits: Sequence[int]) -> None:
        count = len(qubits)
        tensor = matrix.reshape((2,) * (2 * count))
        moved = np.tensordot(tensor, self._amplitudes, axes=(range(count, 2 * count), qubits))
        self._amplitudes = np.moveaxis(moved, range(count), qubits)

    def probability_of_one(self, qubit: int) -> float:
        return float(np.sum(np.abs(np.take(self._amplitudes, 1, axis=qubit)) ** 2))

    def project(self, qubit: int, outcome: int, probability: float) -> None:
        """Keep the part in which the qubit is `outcome`, of this probability."""
        other: list[slice | int] = [slice(None)] * self._amplitudes.ndim
        other[qubit] = 1 - outcome
        self._amplitudes = self._amplitudes / math.sqrt(probability)
        self._amplitudes[tuple(other)] = 0
        self.probability *= probability
