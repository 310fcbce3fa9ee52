"""Circuits that measure on their way, or several registers, or many qubits."""

from functools import partial

from qiskit import QuantumCircuit
from qiskit.circuit import (
    ClassicalRegister,
    Clbit,
    Parameter,
    QuantumRegister,
    library,
)
from qiskit.quantum_info import Pauli, random_statevector, random_unitary

from testing.qiskit_circuits import (
    Build,
    steered_by_expressions,
    steered_by_switch,
    steered_by_variables,
)


def measured(qubits: int, *registers: int | tuple[int, str]) -> QuantumCircuit:
    named = [(each, f"c{i}") if isinstance(each, int) else each for i, each in enumerate(registers)]
    return QuantumCircuit(
        QuantumRegister(qubits, "q"), *(ClassicalRegister(size, name) for size, name in named)
    )


def several_registers() -> QuantumCircuit:
    circuit = measured(4, (2, "measure"), (0, "none"), (1, "x y"), (3, "β"))
    circuit.ry(0.7, [0, 1, 2, 3])
    circuit.cx(0, 3)
    circuit.measure([3, 0, 1, 2], [1, 0, 2, 5])  # and bits that nothing is measured into
    return circuit


def loose_bits() -> QuantumCircuit:
    bits = [Clbit(), Clbit()]
    circuit = QuantumCircuit(QuantumRegister(3, "q"), bits, ClassicalRegister(1, "input"))
    circuit.add_bits([Clbit()])
    circuit.ry(0.8, [0, 1, 2])
    circuit.cx(0, 1)
    circuit.measure([0, 1, 2], [3, 0, 2])
    return circuit


def aliases() -> QuantumCircuit:
    bits = [Clbit(), Clbit()]
    circuit = QuantumCircuit(QuantumRegister(3, "q"), bits, ClassicalRegister(1, "input"))
    circuit.add_register(ClassicalRegister(name="both", bits=bits[::-1]))
    circuit.add_register(ClassicalRegister(name="second", bits=bits[1:]))
    circuit.add_register(ClassicalRegister(0, "none"))
    circuit.ry(0.8, [0, 1])
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.cregs[1], 2)):
        circuit.x(2)
    circuit.measure(2, 2)
    return circuit


def interleaved() -> QuantumCircuit:
    bits = [Clbit() for _ in range(5)]
    circuit = QuantumCircuit(QuantumRegister(5, "q"), bits)
    circuit.add_register(ClassicalRegister(name="back", bits=[bits[4], bits[1]]))
    circuit.add_register(ClassicalRegister(name="front", bits=[bits[0], bits[3]]))
    for qubit in range(5):
        circuit.ry(0.3 + 0.4 * qubit, qubit)
        circuit.measure(qubit, qubit)
    return circuit


def mid_circuit() -> QuantumCircuit:
    circuit = measured(2, 3)
    circuit.ry(0.6, 0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.ry(1.2, 0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [1, 2])
    circuit.h(0)
    circuit.measure(0, 0)  # over the first
    return circuit


def teleported() -> QuantumCircuit:
    circuit = measured(3, 1, 1, 1)
    circuit.ry(0.9, 0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.cregs[1], 1)):
        circuit.x(2)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.z(2)
    circuit.measure(2, 2)
    return circuit


def branches() -> QuantumCircuit:
    circuit = measured(3, 2, (1, "gate"))
    circuit.ry(0.9, [0, 1])
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.cregs[0], 3)) as otherwise:
        circuit.x(2)
        with circuit.if_test((circuit.cregs[1], 0)):
            circuit.append(library.RYGate(0.4).control(ctrl_state=0), [0, 2])
    with otherwise:
        with circuit.if_test((circuit.clbits[1], 0)) as neither:
            circuit.unitary(random_unitary(2, seed=4), 2)
        with neither:
            circuit.initialize([0.6, 0.8], 2)
    circuit.measure(2, 2)
    return circuit


def switched() -> QuantumCircuit:
    circuit = steered_by_switch(measured(3, 3), lambda circuit: circuit.ry(1.1, [0, 1]))
    with circuit.switch(circuit.clbits[1]) as case, case(True):
        circuit.ry(0.5, 2)
    circuit.measure(2, 2)
    return circuit


def until_zero() -> QuantumCircuit:
    circuit = measured(2, 2)
    circuit.ry(1.3, 0)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.ry(0.4, 1)
        circuit.h(0)
        circuit.measure(0, 0)
    with circuit.for_loop(range(3)):
        circuit.ry(0.3, 1)
        circuit.measure(1, 1)
        with circuit.if_test((circuit.clbits[1], 1)):
            circuit.break_loop()
        circuit.continue_loop()
    return circuit


def called_alike() -> QuantumCircuit:
    circuit = measured(2, (2, "c"), (1, "_"))
    with circuit.for_loop([1, 2, 3], Parameter("c")) as number:
        circuit.rx(number, 0)
        with circuit.if_test((circuit.cregs[0], 0)):
            circuit.x(1)
    with circuit.for_loop([1]), circuit.if_test((circuit.cregs[1], 0)):
        circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    return circuit


def variables() -> QuantumCircuit:
    return steered_by_variables(
        measured(3, 3), lambda circuit: circuit.ry(1.2, [0, 1]), ("p0", "switch_dummy", "x")
    )


def expressions() -> QuantumCircuit:
    return steered_by_expressions(measured(3, 3), lambda circuit: circuit.ry(0.8, [0, 1]))


def prepared() -> QuantumCircuit:
    circuit = measured(3, 3)
    circuit.initialize(random_statevector(4, seed=3), [2, 0])
    circuit.h(1)
    circuit.initialize("1", 1)
    circuit.append(library.StatePreparation([0.6, 0.8j]), [1])
    circuit.initialize(2, [0, 2])
    circuit.ry(0.4, [0, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    return circuit


def composed() -> QuantumCircuit:
    part = measured(2, 2)
    part.ry(0.7, 0)
    part.measure(0, 1)
    part.cx(0, 1)
    part.measure(1, 0)
    part.global_phase = 1.0
    circuit = measured(3, 2, 2)
    circuit.append(part.to_instruction(), [2, 0], [3, 1])
    circuit.append(library.PauliProductMeasurement(Pauli("XX")), [0, 1], [0])
    return circuit


def boxed() -> QuantumCircuit:
    circuit = measured(2, 2)
    with circuit.box():
        circuit.ry(0.7, 0)
        circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def cat(qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    circuit.h(0)
    for qubit in range(1, qubits):
        circuit.cx(qubit - 1, qubit)
    circuit.measure_all()
    return circuit


def hidden_string(hidden: str) -> QuantumCircuit:
    """Whose only outcome is the string."""
    circuit = QuantumCircuit(len(hidden))
    circuit.h(circuit.qubits)
    circuit.z([place for place, bit in enumerate(reversed(hidden)) if bit == "1"])
    for first, second in zip(circuit.qubits, circuit.qubits[1:], strict=False):
        circuit.cz(first, second)
    circuit.barrier()
    for first, second in zip(circuit.qubits, circuit.qubits[1:], strict=False):
        circuit.cz(second, first)
    circuit.h(circuit.qubits)
    circuit.measure_all()
    return circuit


DYNAMIC: dict[str, Build] = {
    each.__name__: each
    for each in (
        *(
            several_registers,
            loose_bits,
            aliases,
            interleaved,
            mid_circuit,
            teleported,
            branches,
            switched,
        ),
        *(until_zero, called_alike, variables, expressions, prepared, composed, boxed),
    )
}
HIDDEN = "110100" * 10
WIDE: dict[str, Build] = {
    "cat of 60 qubits": partial(cat, 60),
    "hidden string of 60 qubits": partial(hidden_string, HIDDEN),
}
