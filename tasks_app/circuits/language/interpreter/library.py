"""The gates of the standard libraries, and how modifiers change a gate."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Gate, library

# From the run and the values of the parameters, which may be deferred, to the gate and the number
# of its operations.
MakeGate = Callable[[Any, tuple[Any, ...]], tuple[Gate, int]]


@dataclass(frozen=True, slots=True)
class GateSpec:
    """A gate that can be applied by name."""

    parameters: int
    qubits: int
    make: MakeGate
    standard: Any = None
    """Qiskit's compact form, from which an instruction is made without a Python gate object."""
    phase: Callable[..., float] | None = None
    """The global phase that Qiskit's gate lacks, which shows when the gate is controlled."""


def _library(gate: type[Gate], parameters: int, qubits: int) -> GateSpec:
    return GateSpec(
        parameters,
        qubits,
        lambda run, values: (gate(*run.angles(values)), 1),
        getattr(gate, "_standard_gate", None),
    )


_U = _library(library.UGate, 3, 1)
# The specification's matrix has the phase e^{iθ/2}, and its u2 and u3 are rotations.
BUILT_IN = {"U": replace(_U, phase=lambda theta, phi, lam: theta / 2)}
_U2 = _library(library.U2Gate, 2, 1)
_U3 = _library(library.U3Gate, 3, 1)

_SHARED = {
    "p": _library(library.PhaseGate, 1, 1),
    "x": _library(library.XGate, 0, 1),
    "y": _library(library.YGate, 0, 1),
    "z": _library(library.ZGate, 0, 1),
    "h": _library(library.HGate, 0, 1),
    "s": _library(library.SGate, 0, 1),
    "sdg": _library(library.SdgGate, 0, 1),
    "t": _library(library.TGate, 0, 1),
    "tdg": _library(library.TdgGate, 0, 1),
    "sx": _library(library.SXGate, 0, 1),
    "rx": _library(library.RXGate, 1, 1),
    "ry": _library(library.RYGate, 1, 1),
    "rz": _library(library.RZGate, 1, 1),
    "id": _library(library.IGate, 0, 1),
    "u1": _library(library.U1Gate, 1, 1),
    "cx": _library(library.CXGate, 0, 2),
    "cy": _library(library.CYGate, 0, 2),
    "cz": _library(library.CZGate, 0, 2),
    "cp": _library(library.CPhaseGate, 1, 2),
    "crx": _library(library.CRXGate, 1, 2),
    "cry": _library(library.CRYGate, 1, 2),
    "crz": _library(library.CRZGate, 1, 2),
    "ch": _library(library.CHGate, 0, 2),
    "cu": _library(library.CUGate, 4, 2),
    "swap": _library(library.SwapGate, 0, 2),
    "ccx": _library(library.CCXGate, 0, 3),
    "cswap": _library(library.CSwapGate, 0, 3),
}

BUILT_IN_OLD = {"U": _U, "CX": _SHARED["cx"]}
# The two libraries an OpenQASM 3 program can include.
LIBRARY_GATES = {
    "stdgates.inc": _SHARED
    | {
        "CX": _SHARED["cx"],
        "u2": replace(_U2, phase=lambda phi, lam: -(phi + lam) / 2),
        "u3": replace(_U3, phase=lambda theta, phi, lam: -(phi + lam) / 2),
        "phase": _SHARED["p"],
        "cphase": _SHARED["cp"],
    },
    "qelib1.inc": _SHARED
    | {
        "u": _U,
        "u0": GateSpec(1, 1, lambda run, values: (library.IGate(), 1)),
        "u2": _U2,
        "u3": _U3,
        "sxdg": _library(library.SXdgGate, 0, 1),
        "csx": _library(library.CSXGate, 0, 2),
        "cu1": _library(library.CU1Gate, 1, 2),
        "cu3": _library(library.CU3Gate, 3, 2),
        "rxx": _library(library.RXXGate, 1, 2),
        "rzz": _library(library.RZZGate, 1, 2),
        "rccx": _library(library.RCCXGate, 0, 3),
        "rc3x": _library(library.RC3XGate, 0, 4),
        "c3x": _library(library.C3XGate, 0, 4),
        "c3sqrtx": _library(library.C3SXGate, 0, 4),
        "c4x": _library(library.C4XGate, 0, 5),
    },
}

# pytket's, in OpenQASM 2. What only it has is found among the gates without an include.
LIBRARY_GATES["hqslib1.inc"] = LIBRARY_GATES["qelib1.inc"]


def controlled(gate: Gate, controls: int, *, on: bool) -> Gate:
    """The gate under `controls` more qubits that must all be 1 (`on`) or all be 0."""
    return gate.control(controls, ctrl_state=2**controls - 1 if on else 0, annotated=False)


def power(gate: Gate, exponent: float) -> Gate:
    """The gate to a real power."""
    if exponent != int(exponent) or len(gate.params) or gate.num_qubits <= 3:
        return gate.power(exponent)
    # Repeating avoids the matrix of the gate, which grows as four to the number of qubits.
    base = gate if exponent >= 0 else gate.inverse()
    repeated = QuantumCircuit(gate.num_qubits)
    for _ in range(abs(int(exponent))):
        repeated.append(base, range(gate.num_qubits))
    return repeated.to_gate()


def global_phase(angle: float) -> Gate:
    return QuantumCircuit(global_phase=angle).to_gate()


def with_phase(gate: Gate, angle: float) -> Gate:
    """The gate times a global phase."""
    both = QuantumCircuit(gate.num_qubits, global_phase=angle)
    both.append(gate, range(gate.num_qubits))
    return both.to_gate()
