"""The fast lane agrees with the reference parser and with Qiskit's importer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, qasm3

from tasks_app.circuits import CircuitError, Limits
from tasks_app.circuits.language import fast_lane as lane
from tasks_app.circuits.language.interpreter import Run
from tasks_app.circuits.language.read import read_qasm3
from tasks_app.circuits.language.source import read_source

LIMITS = Limits()
# Integers divide toward zero, as in C, where the importer rounds down: no negative ones below.
# Names, parameters, qubits. `id` is left out: the importer makes U(0, 0, 0) of it.
GATES = [
    *((name, 0, 1) for name in ("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx")),
    *((name, 1, 1) for name in ("p", "rx", "ry", "rz", "phase", "u1")),
    *((name, 0, 2) for name in ("cx", "cy", "cz", "ch", "swap", "CX")),
    *((name, 1, 2) for name in ("cp", "crx", "cry", "crz", "cphase")),
    *(("ccx", 0, 3), ("cswap", 0, 3), ("u2", 2, 1), ("u3", 3, 1), ("U", 3, 1), ("cu", 4, 2)),
    *(("own", 1, 2), ("plain", 0, 1)),
]
HEADER = """OPENQASM 3.0;
include "stdgates.inc";
gate own(a) x1, y1 { rx(a / 2) x1; cx x1, y1; }
gate plain x1 { h x1; gphase(pi / 4); }
const float lambda = 2.5;
qubit[3] q;
qubit[3] r;
qubit w;
bit[3] c;
bit d;
creg e[2];
"""

spaces = st.sampled_from(["", "", "", " ", "\n", "\t ", "  "])
space = st.sampled_from([" ", " ", "\n", " \t"])
numbers = st.one_of(
    st.integers(0, 10**6).map(str),
    st.floats(0, 1e6, allow_nan=False).map(repr),
    st.sampled_from(
        ["1e-3", "2.E2", ".5", "1_000", "0x1F", "0b101", "7/2", "pi", "π", "tau", "euler", "lambda"]
    ),
)
angles = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(inner, spaces, st.sampled_from("+-*"), spaces, inner).map("".join),
        st.tuples(inner, st.just("/"), st.sampled_from(["2.0", "3.5", "pi"])).map("".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-({text})"),
        inner.map(lambda text: f"-{text}" if text[0] != "-" else text),
    ),
    max_leaves=4,
)
elements = st.sampled_from(["q[0]", "q[1]", "q[ 2 ]", "r[0]", "r[1]", "r [2]", "w", "q", "r"])
bits = st.sampled_from(["c", "c[0]", "c[2]", "d", "e", "e[1]"])


@st.composite
def statements(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["gate"] * 6 + ["measure", "arrow", "reset", "barrier", "other"]))
    if kind == "gate":
        name, parameters, width = draw(st.sampled_from(GATES))
        values = [draw(angles) for _ in range(parameters)]
        operands = [draw(elements) for _ in range(width)]
        call = f"({draw(spaces)}{', '.join(values)})" if values else ""
        return f"{name}{draw(spaces)}{call}{draw(space)}{','.join(operands)}{draw(spaces)};"
    if kind == "measure":
        return f"{draw(bits)}{draw(spaces)}={draw(spaces)}measure {draw(elements)};"
    if kind == "arrow":
        return f"measure {draw(elements)}{draw(spaces)}->{draw(spaces)}{draw(bits)};"
    if kind == "reset":
        return f"reset{draw(space)}{draw(elements)};"
    if kind == "barrier":
        return f"barrier {', '.join(draw(st.lists(elements, min_size=1, max_size=3)))};"
    return draw(
        st.sampled_from(
            [
                "if (c[0]) { x w; }",
                "if (d) x w; else { y w; }",
                "if (c == 5) x w;",
                "if (c == 9) x w;",
                "if (c == 5) x w; else y w;",
                "if (c == 5) x w;\nelse if (c == 4) y w;",
                "if (e == 2) cx q, r;",
                "if (d == 1) c = measure q;",
                "if (q == 1) x w;",
                "gate g2(a) x1, y1 { own(a / 3) x1, y1; rz(sin(a)) x1; U(a, 0, 1) y1; }",
                "gate g3 x1 { plain x1; barrier x1; U(1, 2, 3) x1; } g3 q;",
                "gate g4(a) x1 { rx(1 / a) x1; } g4(0) w;",
                "gate g5 x1 { nogate x1; } g5 w;",
                "gate g6 x1 { x q; } g6 w;",
                "gate g7(x1) x1 { }",
                "gate g8 x1 { h x1 x1; }",
                "gate g9 x1 { h; rx(1 x1; }",
                "ctrl @ x q[0], r[0];",
                "let a = q[0:1];",
                "while (d) { d = measure w; }",
                "x q[0:1];",
                "gphase(0.25);",
                "inv @ s q[0];",
                "delay[10ns] w;",
            ]
        )
    )


programs = st.lists(statements(), max_size=12).map(lambda lines: HEADER + "\n".join(lines))


def outcome(text: str, *, fast: bool) -> QuantumCircuit | tuple[str, str, int | None, int | None]:
    try:
        return read_qasm3(read_source(text).text, LIMITS, {}, fast=fast).circuit
    except CircuitError as error:
        return error.code, error.message, error.line, error.column


@settings(max_examples=150)
@given(programs)
def test_both_lanes_make_the_same_circuit_or_the_same_error(text: str) -> None:
    assert outcome(text, fast=True) == outcome(text, fast=False)


@settings(max_examples=100)
@given(programs)
def test_the_circuit_is_that_of_qiskits_importer(text: str) -> None:
    ours = outcome(text, fast=True)
    try:
        theirs = qasm3.loads(text)
    except Exception:
        return  # It refuses more than we do, which other tests cover.
    if isinstance(ours, tuple):
        assert "are measured to" in ours[1]  # The importer copies one qubit to several bits.
        return
    assert shape(ours) == shape(theirs)


def shape(circuit: QuantumCircuit) -> list[tuple[object, ...]]:
    """What a circuit does, without the names of gates that the program defines."""
    return [("phase", round(float(circuit.global_phase), 9))] + [
        (
            instruction.name.removeprefix("own_"),
            [
                shape(value) if isinstance(value, QuantumCircuit) else float(value)
                for value in instruction.params
            ],
            [circuit.find_bit(bit).index for bit in instruction.qubits],
            [circuit.find_bit(bit).index for bit in instruction.clbits],
            shape(instruction.operation.definition)
            if instruction.name.removeprefix("own_") in ("own", "plain")
            else None,
        )
        for instruction in circuit.data
        if instruction.name not in ("if_else", "while_loop", "barrier")
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "x q[0];",
        "cx q[0],q[1];",
        "rx(0.5) q[0];",
        "rx(-pi/2) q[0];",
        "rx( 3*(pi/4) ) q[0];",
        "U(0.1, .2, 3e-1) q[0];",
        "rx(1_0) q[0];",
        "rx(-2**3) q[0];",
        "rx(sin(π / 4)) q[0];",
        "U(pow(2, 3), mod(5, 3), 0x1F) q[0];",
        "h q;",
        "cx q, r;",
        "c = measure q;",
        "c[0] = measure q[0];",
        "measure q -> c;",
        "reset q;",
        "barrier q;",
        "barrier;",
        "qubit[2] t1;",
        "qubit t2;",
        "bit[2] t3;",
        "qreg t4[2];",
        "creg t5;",
        "own(0.5) q[0], q[1];",
        "if (c == 3) x q[0];",
        "if (d == 1) d = measure w;",
        "gate g a { }",
        "gate g(a) x1, y1 { rx(a / 2) x1; cx x1, y1; barrier x1; }",
    ],
)
def test_plain_statements_take_the_fast_lane(statement: str) -> None:
    interpreter = read_qasm3(read_source(HEADER).text, LIMITS, {})
    assert lane.FastLane(interpreter, statement).drive(0) == len(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "x q[3];",
        "cx q[0], q[0];",
        "cx q, c;",
        "rx(nan) q[0];",
        "rx(inf) q[0];",
        "rx(1e999) q[0];",
        "rx(1/0) q[0];",
        "rx(+1) q[0];",
        "rx(1j) q[0];",
        "rx(True) q[0];",
        "rx(2 // 3) q[0];",
        "rx(1 if 2 else 3) q[0];",
        "rx(1 or 2) q[0];",
        "rx(*c) q[0];",
        "rx(sqrt(-1)) q[0];",
        "rx(nosuch(1)) q[0];",
        "rx(0)*(1) q[0];",
        "u3(1), 2, sin(3) q[0];",
        "rx(**pi) q[0];",
        "ctrl @ x q[0], q[1];",
        "x q[0:1];",
        "int n = 3;",
        "bit d2 = measure w;",
        "int d = measure w;",
        "x q[0]",
        "qubit q;",
        "gphase(1);",
        "if (c[0] == 1) x q[0];",
        "if (c == 9) x q[0];",
        "if (c == 1) x c;",
        "if (q == 1) x w;",
        "if (c == 1) { x w; }",
        "if (c == 1) x w; else y w;",
        "gate own a { }",
        "gate g a, a { }",
        "gate g a { h a",
        "gate g a { h a a; }",
        "gate g a { rx(1 +) a; }",
        "gate g a { ctrl @ x a; }",
    ],
)
def test_other_statements_leave_the_fast_lane_before_they_change_anything(statement: str) -> None:
    interpreter: Run = read_qasm3(read_source(HEADER).text, LIMITS, {})
    before, names = interpreter.circuit.copy(), set(interpreter.globals)
    assert lane.FastLane(interpreter, statement).drive(0) == 0
    assert interpreter.circuit == before
    assert set(interpreter.globals) == names
