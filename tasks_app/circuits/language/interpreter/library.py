"""The gates that a program can use by name, and how modifiers change a gate.

Those of the standard libraries, and those that other tools use without an include.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import pi
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


def _spec(parameters: int, qubits: int, gate: Callable[..., Gate]) -> GateSpec:
    standard = getattr(gate, "_standard_gate", None)
    return GateSpec(
        parameters, qubits, lambda run, values: (gate(*run.angles(values)), 1), standard
    )


_QISKIT = {
    name: _spec(len(gate.params), gate.num_qubits, gate.base_class)
    for name, gate in library.get_standard_gate_name_mapping().items()
    if isinstance(gate, Gate) and gate.num_qubits
}


def _named(names: str) -> dict[str, GateSpec]:
    return {name: _QISKIT[name] for name in names.split()}


_SHARED = _named(
    "p x y z h s sdg t tdg sx rx ry rz id u1 cx cy cz cp crx cry crz ch cu swap ccx cswap"
)
_STDGATES = _SHARED | {
    "CX": _QISKIT["cx"],
    # The specification's are rotations.
    "u2": replace(_QISKIT["u2"], phase=lambda phi, lam: -(phi + lam) / 2),
    "u3": replace(_QISKIT["u3"], phase=lambda theta, phi, lam: -(phi + lam) / 2),
    "phase": _QISKIT["p"],
    "cphase": _QISKIT["cp"],
}
_QELIB1 = (
    _SHARED
    | _named("u u2 u3 sxdg csx cu1 cu3 rxx rzz rccx")
    | {
        "u0": _spec(1, 1, lambda length: library.IGate()),
        "rc3x": _QISKIT["rcccx"],
        "c3x": _spec(0, 4, library.C3XGate),
        "c3sqrtx": _QISKIT["c3sx"],
        "c4x": _spec(0, 5, library.C4XGate),
    }
)
_QUANTINUUM = {
    "U1q": _QISKIT["r"],
    "Rz": _QISKIT["rz"],
    "RZZ": _QISKIT["rzz"],
    "ZZ": _spec(0, 2, lambda: library.RZZGate(pi / 2)),
}


def _made_of(qubits: int, *steps: tuple[Any, ...]) -> Gate:
    circuit = QuantumCircuit(qubits)
    for gate, *places in steps:
        circuit.append(gate, places)
    return circuit.to_gate()


def _pswap(angle: float) -> Gate:
    cx, swap, p = library.CXGate(), library.SwapGate(), library.PhaseGate(angle)
    return _made_of(2, (swap, 0, 1), (cx, 0, 1), (p, 1), (cx, 0, 1))


def _ms(first: float, second: float, angle: float = pi / 2) -> Gate:
    back = (library.RZGate(-first), 0), (library.RZGate(-second), 1)
    forth = (library.RZGate(first), 0), (library.RZGate(second), 1)
    return _made_of(2, *back, (library.RXXGate(angle), 0, 1), *forth)


def _cphase10(angle: float) -> Gate:
    return _made_of(2, (library.CPhaseGate(angle, ctrl_state=0), 1, 0))


def _cphase00(angle: float) -> Gate:
    x = library.XGate()
    return _made_of(2, (x, 1), (library.CPhaseGate(angle, ctrl_state=0), 0, 1), (x, 1))


_BRAKET = {
    "i": _QISKIT["id"],
    "si": _QISKIT["sdg"],
    "ti": _QISKIT["tdg"],
    "v": _QISKIT["sx"],
    "vi": _QISKIT["sxdg"],
    "phaseshift": _QISKIT["p"],
    "prx": _QISKIT["r"],
    "gpi": _spec(1, 1, lambda a: _made_of(1, (library.XGate(), 0), (library.RZGate(2 * a), 0))),
    "gpi2": _spec(1, 1, lambda angle: library.RGate(pi / 2, angle)),
    "cnot": _QISKIT["cx"],
    "cv": _QISKIT["csx"],
    "cphaseshift": _QISKIT["cp"],
    "cphaseshift00": _spec(1, 2, _cphase00),
    "cphaseshift01": _spec(1, 2, lambda angle: library.CPhaseGate(angle, ctrl_state=0)),
    "cphaseshift10": _spec(1, 2, _cphase10),
    "pswap": _spec(1, 2, _pswap),
    "xx": _QISKIT["rxx"],
    "yy": _QISKIT["ryy"],
    "zz": _QISKIT["rzz"],
    "xy": _spec(1, 2, lambda angle: library.XXPlusYYGate(-angle)),
    "ms": _spec(3, 2, _ms),
    "ccnot": _QISKIT["ccx"],
}
_MQT = {"iswapdg": _spec(0, 2, lambda: library.iSwapGate().inverse())}

# The specification's matrix has the phase e^{iθ/2}; that of OpenQASM 2 has none.
BUILT_IN = {"U": replace(_QISKIT["u"], phase=lambda theta, phi, lam: theta / 2)}
BUILT_IN_OLD = {"U": _QISKIT["u"], "CX": _QISKIT["cx"]}
LIBRARY_GATES = {
    "stdgates.inc": _STDGATES,
    "qelib1.inc": _QELIB1,
    "hqslib1.inc": _QELIB1 | _QUANTINUUM,
}
# Where their meaning is certain.
WITHOUT_INCLUDE = _QISKIT | _BRAKET | _QUANTINUUM | _MQT | _QELIB1 | _STDGATES


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
