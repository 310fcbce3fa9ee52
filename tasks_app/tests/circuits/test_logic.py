"""Classical expressions in QPY hold for measured bits what they hold in Python."""

import base64
import io
from collections.abc import Callable
from typing import Any

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy
from qiskit.circuit import Duration
from qiskit.circuit.classical import expr, types

from tasks_app.circuits import CircuitError

Run = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., CircuitError]
Asks = Callable[[ClassicalRegister], Any]
BYTE = types.Uint(8)
NEGATE = expr.Unary.Op.NEGATE


def written(circuit: QuantumCircuit) -> str:
    file = io.BytesIO()
    qpy.dump(circuit, file, version=17)
    return base64.b64encode(file.getvalue()).decode()


def holding(number: int, width: int) -> QuantumCircuit:
    """Bits that have been measured to be this number, and one that is for the answer."""
    bits, answer = ClassicalRegister(width, "bits"), ClassicalRegister(1, "answer")
    circuit = QuantumCircuit(QuantumRegister(2), bits, answer)
    circuit.x(0)
    for place in range(width):
        if number >> place & 1:
            circuit.measure(0, bits[place])
    return circuit


def answer(run: Run, circuit: QuantumCircuit) -> bool:
    circuit.measure(1, circuit.cregs[1][0])
    result = run(written(circuit), circuit_format="qpy", shots=5)
    (outcome,) = result["counts"]
    return bool(outcome[0] == "1")


QUESTIONS: dict[str, tuple[Asks, Callable[[int], bool]]] = {
    "truth": (lambda bits: expr.cast(bits, types.Bool()), lambda n: n > 0),
    "index": (lambda bits: expr.index(bits, 1), lambda n: n >> 1 & 1 == 1),
    "own": (lambda bits: expr.index(bits, expr.cast(bits, BYTE)), lambda n: n >> n & 1 == 1),
    "left": (lambda bits: expr.equal(expr.shift_left(bits, 1), 4), lambda n: n << 1 & 7 == 4),
    "right": (lambda bits: expr.less(expr.shift_right(bits, 1), 2), lambda n: n >> 1 < 2),
    "invert": (lambda bits: expr.equal(expr.bit_not(bits), 4), lambda n: ~n & 7 == 4),
    "wide": (lambda bits: expr.equal(expr.cast(bits, BYTE), 3), lambda n: n == 3),
    "narrow": (
        lambda bits: expr.not_equal(expr.cast(bits, types.Uint(1)), 1),
        lambda n: n % 2 == 0,
    ),
    "bits": (
        lambda bits: expr.logic_and(
            expr.bit_xor(bits[0], True), expr.logic_not(expr.index(bits, 2))
        ),
        lambda n: n in (0, 2),
    ),
    "known": (lambda bits: expr.less(expr.lift(2), expr.lift(3)), lambda n: True),
    "negative": (lambda bits: expr.less(expr.negate(2.5), 0.5), lambda n: True),
}


@pytest.mark.parametrize("number", [0, 2, 3, 6])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_condition_holds_where_it_holds_in_python(run: Run, question: str, number: int) -> None:
    asks, holds = QUESTIONS[question]
    circuit = holding(number, 3)
    with circuit.if_test(asks(circuit.cregs[0])):
        circuit.x(1)
    assert answer(run, circuit) == holds(number)


@pytest.mark.parametrize(("number", "equal"), [(1 << 69, True), (1, False)])
def test_numbers_may_have_more_bits_than_a_machine(run: Run, number: int, equal: bool) -> None:
    circuit = holding(number, 70)
    bits = circuit.cregs[0]
    with circuit.if_test(expr.equal(bits, expr.Value(1 << 69, types.Uint(70)))):
        circuit.x(1)
    with circuit.switch(bits) as case, case(0):
        circuit.x(1)
    assert answer(run, circuit) == equal


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(("number", "turned"), [(1, True), (2, False), (5, True), (0, True)])
def test_a_switch_may_be_on_an_expression(run: Run, number: int, turned: bool, plain: bool) -> None:
    circuit = holding(number << plain & 7, 3)
    circuit.global_phase = 1
    bits = circuit.cregs[0]
    with circuit.switch(bits if plain else expr.shift_left(bits, 1)) as case:
        with case(2, 6):
            circuit.x(1)
        with case(4):
            circuit.y(0)
        with case(case.DEFAULT):
            circuit.x(1)
    assert answer(run, circuit) == turned


def test_a_bit_is_stored(run: Run) -> None:
    circuit = holding(2, 3)
    bits = circuit.cregs[0]
    circuit.store(bits[2], expr.cast(bits, types.Bool()))
    circuit.store(expr.index(bits, 0), expr.less(bits, 3))
    circuit.store(bits, expr.bit_xor(bits, 3))
    result = run(written(circuit), circuit_format="qpy", shots=5)
    assert result["counts"] == {"0 101": 5}


@pytest.mark.parametrize(
    ("what", "asks"),
    [
        ("ADD", lambda bits: expr.equal(expr.add(bits, 1), 3)),
        ("arithmetic", lambda bits: expr.equal(expr.shift_left(bits, bits), 3)),
        ("arithmetic", lambda bits: expr.equal(expr.Unary(NEGATE, expr.lift(bits), BYTE), 3)),
        ("Value", lambda bits: expr.less(expr.negate(Duration.dt(9)), Duration.dt(1))),
    ],
)
def test_arithmetic_is_refused_by_name(error_of: ErrorOf, what: str, asks: Asks) -> None:
    circuit = holding(2, 3)
    with circuit.if_test(asks(circuit.cregs[0])):
        circuit.x(1)
    error = error_of(written(circuit), circuit_format="qpy")
    assert error.code == "unsupported_feature"
    assert what in error.message


@pytest.mark.parametrize(
    ("target", "value"),
    [
        (lambda bits: bits, lambda bits: expr.shift_left(bits, 1)),
        (lambda bits: expr.index(bits, bits), lambda bits: True),
    ],
)
def test_a_store_that_the_simulator_cannot_do_is_refused(
    error_of: ErrorOf, target: Asks, value: Asks
) -> None:
    circuit = holding(2, 3)
    circuit.store(target(circuit.cregs[0]), value(circuit.cregs[0]))
    assert error_of(written(circuit), circuit_format="qpy").code == "unsupported_feature"
