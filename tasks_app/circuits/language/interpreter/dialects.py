"""Gates that other tools use without an include, where their meaning is certain."""

from collections.abc import Callable
from math import pi
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Gate, library

from tasks_app.circuits.language.interpreter.library import LIBRARY_GATES, GateSpec

Make = Callable[..., Gate]


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


# Name: the number of parameters and of qubits, and the gate of the values.
_GATES: dict[str, tuple[int, int, Make]] = {
    # Amazon Braket.
    "i": (0, 1, library.IGate),
    "si": (0, 1, library.SdgGate),
    "ti": (0, 1, library.TdgGate),
    "v": (0, 1, library.SXGate),
    "vi": (0, 1, library.SXdgGate),
    "phaseshift": (1, 1, library.PhaseGate),
    "prx": (2, 1, library.RGate),
    "gpi": (1, 1, lambda angle: _made_of(1, (library.XGate(), 0), (library.RZGate(2 * angle), 0))),
    "gpi2": (1, 1, lambda angle: library.RGate(pi / 2, angle)),
    "cnot": (0, 2, library.CXGate),
    "cv": (0, 2, library.CSXGate),
    "cphaseshift": (1, 2, library.CPhaseGate),
    "cphaseshift00": (1, 2, _cphase00),
    "cphaseshift01": (1, 2, lambda angle: library.CPhaseGate(angle, ctrl_state=0)),
    "cphaseshift10": (1, 2, _cphase10),
    "pswap": (1, 2, _pswap),
    "xx": (1, 2, library.RXXGate),
    "yy": (1, 2, library.RYYGate),
    "zz": (1, 2, library.RZZGate),
    "xy": (1, 2, lambda angle: library.XXPlusYYGate(-angle)),
    "ms": (3, 2, _ms),
    "ccnot": (0, 3, library.CCXGate),
    # Quantinuum, in pytket's hqslib1.inc.
    "U1q": (2, 1, library.RGate),
    "Rz": (1, 1, library.RZGate),
    "RZZ": (1, 2, library.RZZGate),
    "ZZ": (0, 2, lambda: library.RZZGate(pi / 2)),
    # MQT.
    "iswapdg": (0, 2, lambda: library.iSwapGate().inverse()),
}


def _known() -> dict[str, tuple[int, int, Make]]:
    standard = {
        name: (len(gate.params), gate.num_qubits, type(gate))
        for name, gate in library.get_standard_gate_name_mapping().items()
        if isinstance(gate, Gate) and gate.num_qubits
    }
    return standard | _GATES


KNOWN = _known()


def _spec(parameters: int, qubits: int, make: Make) -> GateSpec:
    return GateSpec(parameters, qubits, lambda run, values: (make(*run.angles(values)), 1))


WITHOUT_INCLUDE: dict[str, GateSpec] = {
    **{name: _spec(*known) for name, known in KNOWN.items()},
    **LIBRARY_GATES["qelib1.inc"],
    **LIBRARY_GATES["stdgates.inc"],
}
