"""What Qiskit's exporters write, read back, is the circuit that was exported."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from qiskit import QuantumCircuit, qasm2, qasm3
from qiskit.circuit import (
    ClassicalRegister,
    Clbit,
    Parameter,
    ParameterVector,
    QuantumRegister,
    Qubit,
    library,
)
from qiskit.circuit.classical import expr, types
from qiskit.quantum_info import Operator, SparsePauliOp, random_clifford, random_unitary

from tasks_app.circuits import Limits
from tasks_app.circuits.language.program import Program
from tasks_app.circuits.language.read import parse
from tasks_app.circuits.language.source import read_source
from tasks_app.tests.circuits.reference import assert_follows
from testing.qiskit_circuits import (
    STANDARD,
    Build,
    alone,
    of,
    steered_by_expressions,
    steered_by_switch,
    steered_by_variables,
)

Run = Callable[..., dict[str, Any]]


def own_gates() -> QuantumCircuit:
    t = Parameter("θ")
    part = of(2, ("h", 0), ("rzz", 0.3, 0, 1), ("sx", 1))
    part.name, part.global_phase = "my gate!", 0.7
    turned = of(1, ("rx", t * 2, 0), ("rz", t / 3 - 1, 0))
    gate = part.to_gate()
    return of(
        3,
        (gate, [0, 1]),
        (gate.control(), [2, 0, 1]),
        (gate.inverse(), [1, 2]),
        (turned.to_gate({t: 0.3}), [0]),
        (turned.to_gate({t: -0.3}), [1]),
    )


def parametrised() -> QuantumCircuit:
    a, b, v = Parameter("a"), Parameter("b"), ParameterVector("v", 2)
    return of(
        2,
        ("rx", a + b, 0),
        ("ry", a * b - v[0] ** 2, 0),
        ("rz", (a / 2 + v[1]).sin() + b.cos() * a.tan(), 1),
        ("p", v[1].exp() - abs(a).log(), 1),
        ("rx", a.arcsin() + a.arccos() - b.arctan(), 0),
        ("u", -a, abs(-b), a.sign(), 1),
        ("rx", a.conjugate(), 0),
    )


CIRCUITS: dict[str, Build] = {
    "qft": lambda: library.QFTGate(4).definition,
    "ansatz": lambda: library.efficient_su2(3, reps=1),
    "feature map": lambda: library.zz_feature_map(3, reps=1),
    "qaoa": lambda: library.qaoa_ansatz(SparsePauliOp(["ZZI", "IZZ"]), reps=1),
    "grover": lambda: library.grover_operator(of(3, ("ccz", 0, 1, 2))),
    "adder": lambda: library.HalfAdderGate(2).definition,
    "many controls": lambda: of(5, ("mcx", [0, 1, 2, 3], 4), ("mcp", 0.3, [0, 1, 2], 3)),
    "open controls": lambda: of(3, (library.RYGate(0.4).control(2, ctrl_state=1), [0, 1, 2])),
    "unitary": lambda: of(2, ("unitary", random_unitary(4, seed=1), [0, 1])),
    "power": lambda: of(1, (library.RXGate(0.4).power(0.5), [0])),
    "inverse": lambda: of(2, ("rzx", 0.3, 0, 1), ("iswap", 0, 1)).inverse(),
    "permutation": lambda: of(3, (library.PermutationGate([2, 0, 1]), [0, 1, 2])),
    "evolution": lambda: of(
        2, (library.PauliEvolutionGate(SparsePauliOp(["XX", "ZZ"]), 0.3), [0, 1])
    ),
    "clifford": lambda: random_clifford(3, seed=1).to_circuit(),
    "barrier": lambda: of(2, ("h", 0), ("barrier",), ("cx", 0, 1), ("barrier", 1)),
    "no gates": lambda: QuantumCircuit(1, global_phase=0.3),
    "own gates": own_gates,
    "parameters": parametrised,
    **{f"gate {name}": partial(alone, gate) for name, gate in STANDARD.items() if gate.num_qubits},
}


def read_back(text: str, parameters: dict[str, float]) -> QuantumCircuit:
    program = parse(read_source(text), Limits(), parameters)
    assert isinstance(program, Program)
    return program.circuit


@pytest.mark.parametrize("name", CIRCUITS)
def test_what_the_exporter_of_openqasm_3_writes_is_read_back(name: str) -> None:
    circuit = CIRCUITS[name]()
    values = {parameter: 0.2 + 0.1 * i for i, parameter in enumerate(circuit.parameters)}
    # The exporter renames the elements of vectors.
    inputs = {
        (f"_{p.name[:-1].replace('[', '_')}_" if "[" in p.name else p.name): value
        for p, value in values.items()
    }
    back = read_back(qasm3.dumps(circuit), inputs)
    assert Operator(back).equiv(Operator(circuit.assign_parameters(values)))


@pytest.mark.parametrize("name", CIRCUITS)
def test_what_the_exporter_of_openqasm_2_writes_is_read_back(name: str) -> None:
    circuit = CIRCUITS[name]()
    circuit = circuit.assign_parameters([0.2 + 0.1 * i for i in range(circuit.num_parameters)])
    assert Operator(read_back(qasm2.dumps(circuit), {})).equiv(Operator(circuit))


def measured(qubits: int, bits: int) -> QuantumCircuit:
    return QuantumCircuit(QuantumRegister(qubits, "q"), ClassicalRegister(bits, "c"))


def branching() -> QuantumCircuit:
    circuit = measured(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.x(1)
    with otherwise:
        circuit.sx(1)
    circuit.measure(1, 1)
    return circuit


def turned(circuit: QuantumCircuit) -> None:
    circuit.h([0, 1])


def switching() -> QuantumCircuit:
    circuit = steered_by_switch(measured(3, 3), turned)
    circuit.measure(2, 2)
    return circuit


def looping() -> QuantumCircuit:
    circuit = measured(2, 2)
    with circuit.for_loop(range(1, 5)) as turns:
        circuit.rx(turns * 0.15707963267948966, 1)
    with circuit.while_loop(expr.lift(True)):
        circuit.h(0)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 0)):
            circuit.continue_loop()
        circuit.break_loop()
    circuit.measure(1, 1)
    return circuit


def variables() -> QuantumCircuit:
    return steered_by_variables(measured(3, 3), turned, ("a", "f", "x"))


def expressions() -> QuantumCircuit:
    return steered_by_expressions(measured(3, 3), turned)


def loose_bits() -> QuantumCircuit:
    bits = [Clbit(), Clbit()]
    circuit = QuantumCircuit([Qubit(), Qubit()], bits, ClassicalRegister(1, "input"))
    circuit.add_register(ClassicalRegister(name="both", bits=bits))
    circuit.add_register(ClassicalRegister(name="second", bits=bits[1:]))  # Both are aliases.
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.cregs[1], 1)):
        circuit.x(1)
    circuit.measure(1, 2)
    return circuit


HALVES = {"000": 0.25, "111": 0.25, "001": 0.125, "101": 0.125, "010": 0.125, "110": 0.125}
DYNAMIC: list[tuple[Build, dict[str, float]]] = [
    (branching, {"00": 0.25, "10": 0.25, "11": 0.5}),
    (
        switching,
        {"100": 0.25, "001": 0.125, "101": 0.125, "010": 0.125, "110": 0.125, "111": 0.25},
    ),
    (looping, {"01": 0.5, "11": 0.5}),
    (variables, {"000": 0.125, "100": 0.125, "001": 0.125, "101": 0.125, "110": 0.25, "111": 0.25}),
    (expressions, HALVES),
    (loose_bits, {"0 0 0": 0.5, "1 0 1": 0.5}),
]


@pytest.mark.parametrize(
    ("build", "expected"), DYNAMIC, ids=lambda each: getattr(each, "__name__", "")
)
@pytest.mark.parametrize(
    "options",
    [
        {"allow_aliasing": True},
        # As IBM's QRMI exports.
        {
            "allow_aliasing": True,
            "disable_constants": True,
            "experimental": qasm3.ExperimentalFeatures.SWITCH_CASE_V1,
        },
    ],
    ids=["plain", "QRMI"],
)
def test_circuits_that_measurements_steer_are_read_back(
    run: Run, build: Build, expected: dict[str, float], options: dict[str, Any]
) -> None:
    text = qasm3.dumps(build(), **options)
    assert_follows(run(text, shots=20_000, seed=5)["counts"], expected)


def test_inputs_of_an_exported_circuit_are_given_by_name(run: Run) -> None:
    circuit = measured(2, 2)
    number, flag = circuit.add_input("a", types.Uint(4)), circuit.add_input("f", types.Bool())
    with circuit.if_test(expr.logic_and(flag, expr.greater(number, 3))):
        circuit.x(0)
    circuit.measure([0, 1], [0, 1])
    for value, outcome in ((4, "01"), (3, "00")):
        inputs = {"a": value, "f": True}
        assert run(qasm3.dumps(circuit), shots=9, parameters=inputs)["counts"] == {outcome: 9}
