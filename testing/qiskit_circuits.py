"""What the tests of the reader and of the client make Qiskit's circuits of."""

from collections.abc import Callable
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Gate, library
from qiskit.circuit.classical import expr, types

Build = Callable[[], QuantumCircuit]
Turn = Callable[[QuantumCircuit], object]
STANDARD = {
    name: gate
    for name, gate in library.get_standard_gate_name_mapping().items()
    if isinstance(gate, Gate)
}


def of(qubits: int, *steps: tuple[Any, ...]) -> QuantumCircuit:
    """A circuit of methods and their arguments, or of operations and their qubits."""
    circuit = QuantumCircuit(qubits)
    for what, *arguments in steps:
        if isinstance(what, str):
            getattr(circuit, what)(*arguments)
        else:
            circuit.append(what, *arguments)
    return circuit


def alone(gate: Gate) -> QuantumCircuit:
    values = [0.1 * place + 0.4 for place, _ in enumerate(gate.params)]
    return of(gate.num_qubits, (type(gate)(*values), range(gate.num_qubits)))


# What two measured qubits decide of a third; `turn` puts those two where they are measured.


def steered_by_switch(circuit: QuantumCircuit, turn: Turn) -> QuantumCircuit:
    _measure_two(circuit, turn)
    with circuit.switch(circuit.cregs[0]) as case:
        with case(0):
            circuit.x(2)
        with case(1, 2):
            circuit.sx(2)
        with case(case.DEFAULT):
            circuit.x([0, 2])
    return circuit


def steered_by_variables(
    circuit: QuantumCircuit, turn: Turn, names: tuple[str, str, str]
) -> QuantumCircuit:
    number = circuit.add_var(names[0], expr.lift(5, types.Uint(8)))
    flag = circuit.add_var(names[1], expr.lift(True))
    size = circuit.add_var(names[2], expr.lift(0.25, types.Float()))
    _measure_two(circuit, turn)
    with circuit.if_test(expr.logic_or(expr.less(circuit.cregs[0], 2), circuit.clbits[2])):
        circuit.store(number, expr.add(number, 3))
        circuit.store(flag, False)
        circuit.store(size, expr.mul(size, 2.0))
    with circuit.if_test(expr.logic_and(flag, expr.equal(number, 5))):
        circuit.x(2)
    with circuit.if_test(expr.greater(size, 0.3)):
        circuit.sx(2)
    circuit.measure(2, 2)
    return circuit


def steered_by_expressions(circuit: QuantumCircuit, turn: Turn) -> QuantumCircuit:
    register = circuit.cregs[0]
    _measure_two(circuit, turn)
    two = expr.shift_left(expr.lift(1, types.Uint(3)), 1)
    with circuit.if_test(expr.equal(expr.bit_and(register, 3), two)):
        circuit.x(2)
    with circuit.if_test(expr.greater(expr.cast(register, types.Uint(8)), 1)):
        circuit.sx(2)
    with circuit.if_test(expr.index(register, 0)):
        circuit.sx(2)
    circuit.measure(2, 2)
    return circuit


def _measure_two(circuit: QuantumCircuit, turn: Turn) -> None:
    turn(circuit)
    circuit.measure([0, 1], [0, 1])
