"""Circuits of every kind that Qiskit's users have."""

from collections.abc import Callable
from functools import partial
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import (
    ClassicalRegister,
    Clbit,
    Gate,
    Parameter,
    ParameterVector,
    QuantumRegister,
    Qubit,
    library,
)
from qiskit.circuit.classical import expr, types
from qiskit.quantum_info import (
    Clifford,
    Pauli,
    SparsePauliOp,
    random_clifford,
    random_statevector,
    random_unitary,
)

Build = Callable[[], QuantumCircuit]


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


def own_gates() -> QuantumCircuit:
    """Gates that have the names of others, or one name."""
    first = of(1, ("h", 0), ("t", 0))
    second = of(1, ("x", 0), ("t", 0))
    first.name = second.name = "my gate!"
    first.global_phase = 0.7
    pair = of(2, ("h", 0), ("cx", 0, 1), (first.to_gate(), [1]))
    pair.name = "rzz"
    t = Parameter("t")
    turn = of(1, ("rx", 2 * t, 0), ("rz", t / 3 - 1, 0))
    turn.name = "rx"
    return of(
        3,
        (first.to_gate(), [0]),
        (second.to_gate(), [1]),
        (first.to_gate().control(), [2, 0]),
        (pair.to_gate(), [0, 1]),
        (pair.to_gate().inverse(), [2, 1]),
        (turn.to_gate({t: 0.3}), [0]),
        (turn.to_gate({t: Parameter("measure")}), [1]),
    )


def parametrised() -> QuantumCircuit:
    a, b, v = Parameter("β"), Parameter("input"), ParameterVector("v[", 12)
    circuit = of(
        2,
        ("rx", a + b, 0),
        ("ry", a * b - v[10] ** 2, 0),
        ("rz", (a / 2 + v[1]).sin() + b.cos() * a.tan(), 1),
        ("p", v[2].exp() - abs(a).log(), 1),
        ("rx", a.arcsin() + a.arccos() - b.arctan(), 0),
        ("u", -a, abs(-b), a.sign(), 1),
        ("rx", a.conjugate() * 2 / 3, 0),
        ("rx", -(a**2) + (-b) ** 2 + a**-1 + 2**b, 1),
        ("rx", 1e-7 * a + 1e7 / b, 1),
    )
    circuit.global_phase = v[11] / 2
    return circuit


def unused() -> QuantumCircuit:
    """With a parameter that nothing depends on."""
    gate = Gate("ignores", 1, [Parameter("a")])
    gate.definition = of(1, ("sx", 0))
    return of(1, (gate, [0]), ("rx", Parameter("b"), 0))


def odd_names() -> QuantumCircuit:
    registers = [QuantumRegister(1, name) for name in ("measure", "p0", "rzz", "a b", "θ")]
    circuit = QuantumCircuit(*registers)
    circuit.rzz(Parameter("p1"), 0, 1)
    circuit.rx(Parameter("x") + Parameter("p0x"), 2)
    circuit.cx(3, 4)
    return circuit


def transpiled() -> QuantumCircuit:
    from qiskit import generate_preset_pass_manager
    from qiskit.providers.fake_provider import GenericBackendV2

    device = GenericBackendV2(4, coupling_map=[[0, 1], [1, 2], [2, 3]], seed=1)
    circuit = of(3, ("h", 0), ("cx", 0, 2), ("rzz", 0.3, 0, 1))
    return generate_preset_pass_manager(1, device, seed_transpiler=1).run(circuit)


def looped() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    with circuit.for_loop(range(5, 0, -2)) as turn:
        circuit.rx(turn / 2, 0)
        with circuit.for_loop((1, 4), Parameter("p0")) as inner:
            circuit.ry(inner / 3 + Parameter("a"), 1)
    with circuit.for_loop(range(0)):
        circuit.x(0)
    return circuit


def overlapping() -> QuantumCircuit:
    bits = [Qubit(), Qubit(), Qubit()]
    circuit = QuantumCircuit(bits)
    circuit.add_register(QuantumRegister(name="front", bits=bits[:2]))
    circuit.add_register(QuantumRegister(name="back", bits=bits[:0:-1]))
    circuit.h(0)
    circuit.cx(circuit.qregs[1][0], circuit.qregs[1][1])
    circuit.crx(0.4, 0, 1)
    return circuit


STANDARD = {
    name: gate
    for name, gate in library.get_standard_gate_name_mapping().items()
    if isinstance(gate, Gate)
}
UNITARY: dict[str, Build] = {
    **{f"gate {name}": partial(alone, gate) for name, gate in STANDARD.items()},
    "no gates": lambda: QuantumCircuit(2, global_phase=0.3),
    "qft": lambda: of(4, (library.QFTGate(4), range(4))),
    "ansatz": lambda: library.efficient_su2(3, reps=1),
    "feature map": lambda: library.zz_feature_map(3, reps=1),
    "qaoa": lambda: library.qaoa_ansatz(SparsePauliOp(["ZZI", "IZZ"], [0.5, 2.0]), reps=1),
    "grover": lambda: library.grover_operator(of(3, ("ccz", 0, 1, 2))),
    "adder": lambda: of(5, (library.HalfAdderGate(2), range(5))),
    "many controls": lambda: of(6, ("mcx", [0, 1, 2, 3, 4], 5), ("mcp", 0.3, [0, 1, 2], 3)),
    "open controls": lambda: of(3, (library.RYGate(0.4).control(2, ctrl_state=1), [0, 1, 2])),
    "annotated": lambda: of(
        3,
        (library.RYGate(0.4).control(2, ctrl_state=2, annotated=True), [0, 1, 2]),
        (library.SXGate().inverse(annotated=True).power(2, annotated=True), [1]),
    ),
    "unitary": lambda: of(3, ("unitary", random_unitary(8, seed=1), [2, 0, 1])),
    "power": lambda: of(1, (library.RXGate(0.4).power(0.5), [0])),
    "inverse": lambda: of(2, ("rzx", 0.3, 0, 1), ("iswap", 0, 1)).inverse(),
    "permutation": lambda: of(3, (library.PermutationGate([2, 0, 1]), [0, 1, 2])),
    "evolution": lambda: of(
        2, (library.PauliEvolutionGate(SparsePauliOp(["XX", "ZZ"]), 0.3), [0, 1])
    ),
    "free evolution": lambda: of(
        2, (library.PauliEvolutionGate(SparsePauliOp(["XX", "YZ"]), Parameter("t")), [1, 0])
    ),
    "pauli": lambda: of(3, (library.PauliGate("XZY"), [0, 1, 2])),
    "diagonal": lambda: of(2, (library.DiagonalGate([1, -1, 1j, 1]), [0, 1])),
    "multiplexer": lambda: of(
        2, (library.UCGate([library.HGate().to_matrix(), library.XGate().to_matrix()]), [0, 1])
    ),
    "isometry": lambda: of(2, (library.Isometry(random_unitary(4, seed=2).data, 0, 0), [0, 1])),
    "clifford": lambda: of(3, (random_clifford(3, seed=1), [1, 0, 2])),
    "linear function": lambda: of(
        2, (library.LinearFunction([[1, 1], [0, 1]]), [0, 1]), (Clifford(of(1, ("h", 0))), [0])
    ),
    "barriers": lambda: of(2, ("h", 0), ("barrier",), ("cx", 0, 1), ("barrier", 1)),
    "delay of ticks": lambda: of(1, ("h", 0), ("delay", 100, 0, "dt"), ("h", 0)),
    "delay of picoseconds": lambda: of(1, ("h", 0), ("delay", 2.5, 0, "ps"), ("h", 0)),
    "own gates": own_gates,
    "parameters": parametrised,
    "odd names": odd_names,
    "unused": unused,
    "transpiled": transpiled,
    "loose qubits": lambda: QuantumCircuit([Qubit(), Qubit()]).compose(of(2, ("cx", 1, 0))),
    "overlapping registers": overlapping,
    "loops": looped,
    "nearly pi": lambda: of(1, ("rx", 3.14159265, 0), ("ry", 1e-9, 0), ("rz", 1.5707963, 0)),
}


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
    circuit.ry(0.8, [0, 1])
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.cregs[1], 2)):
        circuit.x(2)
    circuit.measure(2, 2)
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
    circuit = measured(3, 3)
    circuit.ry(1.1, [0, 1])
    circuit.measure([0, 1], [0, 1])
    with circuit.switch(circuit.cregs[0]) as case:
        with case(0):
            circuit.x(2)
        with case(1, 2):
            circuit.sx(2)
        with case(case.DEFAULT):
            circuit.x([0, 2])
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


def variables() -> QuantumCircuit:
    circuit = measured(3, 3)
    number = circuit.add_var("p0", expr.lift(5, types.Uint(8)))
    flag = circuit.add_var("switch_dummy", expr.lift(True))
    size = circuit.add_var("x", expr.lift(0.25, types.Float()))
    circuit.ry(1.2, [0, 1])
    circuit.measure([0, 1], [0, 1])
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


def expressions() -> QuantumCircuit:
    circuit = measured(3, 3)
    register = circuit.cregs[0]
    circuit.ry(0.8, [0, 1])
    circuit.measure([0, 1], [0, 1])
    two = expr.shift_left(expr.lift(1, types.Uint(3)), 1)
    with circuit.if_test(expr.equal(expr.bit_and(register, 3), two)):
        circuit.x(2)
    with circuit.if_test(expr.greater(expr.cast(register, types.Uint(8)), 1)):
        circuit.sx(2)
    with circuit.if_test(expr.index(register, 0)):
        circuit.sx(2)
    circuit.measure(2, 2)
    return circuit


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
        *(several_registers, loose_bits, aliases, mid_circuit, teleported, branches, switched),
        *(until_zero, variables, expressions, prepared, composed, boxed),
    )
}
HIDDEN = "110100" * 10
WIDE: dict[str, Build] = {
    "cat of 60 qubits": partial(cat, 60),
    "hidden string of 60 qubits": partial(hidden_string, HIDDEN),
}
