"""A circuit that was sent is the circuit that the service reads."""

import base64
import io
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import (
    Annotation,
    ClassicalRegister,
    Gate,
    Parameter,
    ParameterExpression,
    QuantumRegister,
)
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Operator
from qiskit.transpiler import PassManager
from qiskit.transpiler.passes import UnrollForLoops
from qiskit_aer.library import SaveStatevector

from quantumtasks_client.qiskit.gates import GATES, WITHOUT_DEFINITION, WRITTEN
from quantumtasks_client.qiskit.note import Block, found_in
from quantumtasks_client.qiskit.program import Program
from tasks_app.circuits import CircuitError, Limits
from tasks_app.circuits.job import METHODS
from tasks_app.circuits.language.interpreter.library import LIBRARY_GATES, WITHOUT_INCLUDE
from tasks_app.circuits.language.program import Program as Read
from tasks_app.circuits.language.read import parse
from tasks_app.circuits.language.source import read_source
from tasks_app.circuits.simulation.compile import _basis
from tasks_app.circuits.simulation.methods import CLIFFORD, NOT_GATES
from testing.qiskit_circuits import of
from tests.circuits import UNITARY
from tests.dynamic_circuits import DYNAMIC

Values = dict[Parameter, float]


def sent(circuit: QuantumCircuit) -> dict[str, str]:
    program = Program(circuit, "run")
    return program.fields(program.note)


def read(circuit: QuantumCircuit, values: Values) -> QuantumCircuit:
    """The circuit as the service reads it."""
    fields, program = sent(circuit), Program(circuit, "run")
    assert fields.keys() == {"circuit"}, "sent as QPY"
    inputs = program.values([values[parameter] for parameter in circuit.parameters])
    found = parse(read_source(fields["circuit"]), Limits(), inputs)
    assert isinstance(found, Read)
    return found.circuit


@pytest.mark.parametrize("name", UNITARY)
def test_a_circuit_without_measurements_has_the_same_matrix(name: str) -> None:
    circuit = UNITARY[name]()
    values = {parameter: 0.2 + 0.1 * place for place, parameter in enumerate(circuit.parameters)}
    without_loops = PassManager([UnrollForLoops()]).run(circuit.assign_parameters(values))
    assert Operator(read(circuit, values)) == Operator(without_loops)


A, B = Parameter("a"), Parameter("b")
_ONE = [
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "log", "sign", "conjugate"),
    *("__abs__", "__neg__"),
]
_TWO: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / y,
    lambda x, y: abs(x) ** y,
    lambda x, y: y - x**2,
    lambda x, y: (-x) ** -1 * y,
]
expressions = st.recursive(
    st.sampled_from([A, B]) | st.integers(-3, 3) | st.floats(-3, 3),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(_ONE), inner), st.tuples(st.sampled_from(_TWO), inner, inner)
    ),
    max_leaves=6,
)


def built(tree: Any) -> Any:
    if not isinstance(tree, tuple):
        return tree
    how, *parts = tree
    values = [built(part) for part in parts]
    if callable(how):
        return how(*values)
    symbolic = values[0] if isinstance(values[0], ParameterExpression) else 0 * A + values[0]
    return getattr(symbolic, how)()


@settings(max_examples=150)
@given(tree=expressions, a=st.floats(0.1, 2), b=st.floats(-2, -0.1))
def test_an_expression_has_the_same_value_or_is_refused(tree: Any, a: float, b: float) -> None:
    """Refused is what is complex or infinite on its way to a real value."""
    values = {A: a, B: b}
    try:
        angle = built(tree) + 0 * A
        exact = complex(angle.bind(values, allow_unknown_parameters=True))
    except (ArithmeticError, RuntimeError, TypeError, ValueError):
        assume(False)
    assume(exact.imag == 0 and abs(exact.real) < 1e3 and angle.parameters)
    try:
        found = read(of(1, ("rx", angle, 0)), values)
    except CircuitError:
        return
    np.testing.assert_allclose(float(found.data[0].params[0]), exact.real, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "ps", "dt"])
def test_a_delay_by_parameters_is_as_long(unit: str) -> None:
    circuit = of(1, ("delay", 2 * A + B, 0, unit))
    with circuit.for_loop([3], Parameter("n")) as n:
        circuit.delay(n, 0, unit)
    values: Values = {A: 2, B: 1}
    by_parameters = read(circuit, values).data
    bound = read(of(1, ("delay", 5, 0, unit), ("delay", 3, 0, unit)), {}).data
    for found, expected in zip(by_parameters, bound, strict=True):
        assert found.operation.unit == expected.operation.unit
        assert found.operation.duration == pytest.approx(expected.operation.duration)


class Twirled(Annotation):  # type: ignore[misc]  # Qiskit has no types
    namespace = "of.somebody"


def in_a_box() -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    with circuit.box([Twirled()]):
        circuit.h(0)
    return circuit


SAID_IN_QPY = {
    "a gate without a definition": of(1, ("p", Parameter("t"), 0), (Gate("secret", 1, []), [0])),
    "an instruction of Aer": of(1, ("h", 0), (SaveStatevector(1), [0])),
}


@pytest.mark.parametrize("name", SAID_IN_QPY)
def test_what_openqasm_cannot_say_is_sent_as_qpy(name: str) -> None:
    circuit = SAID_IN_QPY[name]
    circuit.metadata = {"mine": [1, 2]}
    fields = sent(circuit)
    assert fields["circuit_format"] == "qpy"
    (back,) = qpy.load(io.BytesIO(base64.b64decode(fields["circuit"])))
    assert back.count_ops() == circuit.count_ops()
    assert [p.name for p in back.parameters] == [f"p{i}" for i in range(circuit.num_parameters)]
    note = found_in(fields["circuit"])
    assert note is not None
    assert (note.name, note.metadata) == (circuit.name, {"mine": [1, 2]})


def test_a_variable_that_hides_a_register_is_refused() -> None:
    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(2, "c"))
    with circuit.if_test((circuit.clbits[0], 0)):
        circuit.add_var("c", expr.lift(3, types.Uint(2)))
        with circuit.if_test((circuit.cregs[0], 0)):
            circuit.x(0)
    with pytest.raises(ValueError, match="called as a register is: c;"):
        sent(circuit)


def test_what_nothing_can_say_is_not_sent() -> None:
    with pytest.raises(QiskitError):
        sent(in_a_box())


@pytest.mark.parametrize("name", DYNAMIC)
def test_circuits_that_measurements_steer_are_sent_as_text(name: str) -> None:
    circuit = DYNAMIC[name]()
    fields = sent(circuit)
    assert fields.keys() == {"circuit"}, "sent as QPY"
    found = parse(read_source(fields["circuit"]), Limits(), {})
    # Aer cannot say what the others do: they are run path by path.
    assert isinstance(found, Read) is (name not in ("until_zero", "variables"))


def test_a_program_tells_of_its_circuit() -> None:
    circuit = DYNAMIC["several_registers"]()
    circuit.name = "line\nend \x7f \u2028 é"
    circuit.metadata = {"k": [np.float64(0.5), np.int64(3), np.arange(2)], "big": 10**30}
    program = Program(circuit, "sampler")
    note = msgspec.structs.replace(program.note, block=Block(pub=1, shape=[2, 3], first=4))
    text = program.fields(note)["circuit"]
    assert text.splitlines()[-1].isascii()
    told = found_in(text)
    assert told is not None
    assert told.metadata == {"k": [0.5, 3, [0, 1]], "big": 10**30}
    assert msgspec.structs.replace(told, metadata=None) == msgspec.structs.replace(
        note, metadata=None
    )
    assert isinstance(parse(read_source(text), Limits(), {}), Read)


def test_metadata_that_json_cannot_say_are_refused() -> None:
    circuit = QuantumCircuit(1, metadata={"k": {1, 2}})
    with pytest.raises(TypeError, match="set"):
        sent(circuit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h q;\n",
        "h q;\n// qiskit: {",
        "\n// qiskit: {}\n",
        "QQ==",
        "\n// qiskit: " + "[" * 20_000,
    ],
)
def test_other_programs_tell_nothing(text: str) -> None:
    assert found_in(text) is None


def test_the_target_is_what_the_methods_run() -> None:
    standard = set(get_standard_gate_name_mapping())
    assert GATES.keys() == set(METHODS)
    for method, gates in GATES.items():
        known = _basis("statevector" if method == "automatic" else method, False) & standard
        assert gates == known & CLIFFORD if method == "stabilizer" else known - NOT_GATES, method


def test_gates_are_called_by_names_that_the_service_knows() -> None:
    standard = {name for name, gate in get_standard_gate_name_mapping().items() if gate.num_qubits}
    assert standard - NOT_GATES == WRITTEN, "of Qiskit's, all"
    assert WITHOUT_INCLUDE.keys() >= WRITTEN
    assert LIBRARY_GATES["stdgates.inc"].keys() >= WRITTEN - WITHOUT_DEFINITION
    assert not WITHOUT_DEFINITION & LIBRARY_GATES["stdgates.inc"].keys()
