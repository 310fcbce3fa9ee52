"""The guard itself: examples of the specification, cases computed by hand, Qiskit's simulation."""

import random
import re

import pytest
from qiskit import qasm3, transpile
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Operator
from qiskit_aer import AerSimulator

from tasks_app.tests.circuits.guard import quantum
from tasks_app.tests.circuits.guard.agreement import surprise
from tasks_app.tests.circuits.guard.interpreter import answer
from tasks_app.tests.circuits.guard.programs import Program
from tasks_app.tests.circuits.guard.values import Unspecified

HEADER = 'OPENQASM 3.0; include "stdgates.inc";\n'


def only(program: str, **inputs: object) -> str:
    """The one outcome of a program."""
    found = answer(HEADER + program, inputs).probabilities
    ((outcome, probability),) = found.items()
    assert probability == pytest.approx(1)
    return outcome


VALUES = """
int[8]   | a = 7 / 2                        | 3
int[8]   | a = (-7) / 2                     | -3
int[8]   | a = (-7) % 2                     | -1
int[8]   | a = 127; a += 1                  | -128
int[4]   | int[8] b = 100; a = b            | 4
uint[4]  | uint[4] b = 15; uint[4] d = 1; a = b + d | 0
uint[8]  | uint[4] b = 15; uint[4] d = 1; a = b + d | 0
uint[8]  | uint[4] b = 15; uint[8] d = 1; a = b + d | 16
uint[4]  | a = ~uint[4](5)                  | 10
uint[4]  | a = uint[4](5) << 2              | 4
uint[8]  | a = uint[4](5) << 2              | 4
int[4]   | a = int[4](-8) >> 1              | -4
uint[8]  | int[4] b = -1; uint[4] d = 0; a = b + d | 15
int[8]   | int[8] b = -1; uint[4] d = 1; a = b * d | -1
uint[8]  | bool b = -1 < uint[4](1); a = int(b) | 1
uint[8]  | int[4] b = -1; uint[4] d = 1; bool e = b < d; a = int(e) | 0
uint[6]  | a = rotl(uint[6](37), 3)         | 44
uint[6]  | a = popcount(uint[6](37))        | 3
uint[8]  | a = 3 ** 2 + 2 * 3               | 15
uint[8]  | a = 2; a **= 3                   | 8
int[8]   | a = 7.9                          | 7
int[8]   | float f = -7.9; a = int[8](f)    | -7
int[16]  | a = int[16](1000 * sin(pi / 6))  | 499
uint[8]  | float[32] f = 0.1; float[64] g = 0.1; bool b = f == g; a = int(b) | 0
uint[8]  | a = floor(3.5) / 2 * 10          | 15
uint[8]  | a = mod(17, 5)                   | 2
uint[8]  | a[4:7] = "1010"; a[0:3] = "1111" | 175
"""


@pytest.mark.parametrize("row", VALUES.strip().splitlines())
def test_numbers(row: str) -> None:
    type, statements, right = (cell.strip() for cell in row.split("|"))
    width = int(type[type.index("[") + 1 : -1])
    program = f"{type} a = 0; {statements}; bit[{width}] c = bit[{width}](a);"
    assert only(program) == format(int(right) % (1 << width), f"0{width}b")


@pytest.mark.parametrize(
    ("expression", "right"),
    [
        # From the specification's page on classical instructions.
        ("bit[4](a + b)", "1000"),
        ("bit[4](b - a)", "1010"),
        ("bit[4](a / two)", "0011"),
        ("bit[4](two * c)", "0100"),
        ("bit[4](c / b)", "1010"),
        ("bit[4](-b)", "1111"),
        ("bit[4](n << 2)", "0100"),
        ("bit[4](n >> 2)", "0010"),
        ("bit[4](angle[4](angle[2](pi / 2)))", "0100"),
    ],
)
def test_angles(expression: str, right: str) -> None:
    assert right == only(
        "angle[4] a = 7 * (pi / 8); angle[4] b = pi / 8; angle[4] c = 5 * (pi / 4);"
        "angle[4] n = 9 * (pi / 8); uint[4] two = 2;"
        f"bit[4] o = {expression};"
    )


def test_a_float_becomes_the_nearest_angle_and_of_two_the_even() -> None:
    assert only("angle[8] a = 6.283185307179586 * (127. / 512.); bit[8] c = bit[8](a);") == (
        "01000000"
    )


@pytest.mark.parametrize(
    ("expression", "right"),
    [("a << 1", "00011110"), ("rotl(a, 2)", "00111110"), ("a | b", "11111111")],
)
def test_bits(expression: str, right: str) -> None:
    assert (
        right == only(f'bit[8] a = "10001111"; bit[8] b = "01110000"; a = {expression};').split()[1]
    )


PROGRAMS = {
    # From the pages on types, on subroutines and on scope.
    "array slices": (
        "array[int[8], 2] first = {0, 1}; array[int[8], 3] second = {2, 3, 4};"
        "second[1:2] = first[0:1]; array[int[8], 2] last = second[-2:-1]; last[1] += 4;"
        "bit[8] c = bit[8](int[8](100 * second[0] + 10 * last[0] + last[1] - 100 + second[2]));",
        format(106, "08b"),
    ),
    "rows and columns": (
        "array[int[8], 3, 2] a; array[int[8], 3, 2] b = {{1, 2}, {3, 4}, {5, 6}};"
        "a = b; a[1:2, 0] = b[0:1, 1]; a[-1, -1] = 7;"
        "bit[8] c = bit[8](uint[8](100 * a[1, 0] + 10 * a[2, 0] + a[2, 1] - 200));",
        format(47, "08b"),
    ),
    "mutable references": (
        "def f(mutable array[int[8], #dim = 1] a) { a[2] = 10; a[0] = sizeof(a); }"
        "array[int[8], 5] aa = {1, 2, 3, 4, 5}; f(aa[1:3]);"
        "bit[8] c = bit[8](int[8](aa[3] + 16 * aa[1]));",
        format(10 + 48, "08b"),
    ),
    "values are copies": (
        "def f(int[8] a, bit[2] b) -> int[8] { a += 1; b[0] = 1; return a; }"
        'int[8] n = 4; bit[2] c = "00"; int[8] k = f(n, c); bit[8] d = bit[8](n * 16 + k);',
        "01000101 00",
    ),
    "aliases are references": ('bit[4] c = "0000"; let d = c[1:2] ++ c[3:3]; d[2] = 1;', "1000"),
    "shadowing": (
        "int[8] i = 10; int[8] sum = 0; { i *= 2; int[8] i = 1; i *= 2; sum += i; }"
        "for int[8] i in [1:10] { sum += i; if (sum > 10) { break; } continue; }"
        "bit[8] c = bit[8](sum); bit[8] d = bit[8](i);",
        "00010100 00001100",
    ),
    "switch": (
        "int i = 5; int[4] k = 0; switch (i) { case 1, 3 { k = 1; } case 4, 5 { k += 2; }"
        " default { k = 4; } } bit[4] c = bit[4](k);",
        "0010",
    ),
    "loops over sets, arrays and bits": (
        "uint[8] n = 0; for int i in {1, 5, 10} { n += i; } for uint i in [6:-2:0] { n += i; }"
        "array[uint[8], 2] a = {50, 20}; for uint[8] i in a { n += i; }"
        'bit[3] b = "110"; for bit k in b { n <<= 1; n[0] = k; } bit[8] c = bit[8](n);',
        # 98 with the bits 0, 1, 1 shifted in.
        f"{(98 * 8 + 3) % 256:08b} 110",
    ),
    "steered by a measurement": (
        "qubit[2] q; x q[0]; bit[2] m = measure q; if (m == 1) { x q[1]; }"
        "uint[2] n = m; while (n < 3) { n += 1; } m = measure q; bit[2] c = n;",
        "11 11",
    ),
    "end": ("bit[2] c; c = 2; if (c[1]) { end; } c = 3;", "10"),
}


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_programs(name: str) -> None:
    program, right = PROGRAMS[name]
    assert only(program) == right


def test_an_array_is_given_row_by_row() -> None:
    program = (
        "input array[int[8], 3, 2] a; input array[float, 2] f; int[8] n = a[2, 0] + 10 * a[-1, 1];"
        "n += int[8](4 * f[1]); bit[8] c = bit[8](n);"
    )
    given = {"a": [[1, 2], [3, 4], [5, 6]], "f": [0.5, 2.25]}
    assert only(program, **given) == format(65 + 9, "08b")


def test_a_literal_can_be_read_in_two_ways_and_a_variable_in_one() -> None:
    program = "uint[3] n = 3; int k = 5; bit[4] c = {}; bit[4] d = {};"
    readings = [
        answer(
            HEADER + program.format("int[4](n + 5)", "int[4](n + k)"), literals_adapt=literals_adapt
        ).probabilities
        for literals_adapt in (False, True)
    ]
    assert readings == [{"1000 1000": 1}, {"1000 0000": 1}]


def test_every_measured_branch_is_followed() -> None:
    program = (
        "qubit[2] q; bit[2] c; h q[0]; c[0] = measure q[0];"
        "if (c[0]) { ry(pi / 3) q[1]; c[1] = measure q[1]; reset q[0]; }"
    )
    right = {"00": 0.5, "01": 0.375, "11": 0.125}
    assert answer(HEADER + program).probabilities == pytest.approx(right)


def test_repeat_until_success_loses_next_to_nothing() -> None:
    found = answer(HEADER + "qubit q; bit c; while (!c) { h q; c = measure q; }")
    assert found.probabilities["1"] == pytest.approx(1, abs=1e-5) and found.lost < 1e-5


@pytest.mark.parametrize(
    "gates",
    [
        "gate not a { U(π, 0, π) a; gphase(-π/2); }"
        "h q[0]; ctrl @ not q[0], q[1]; cx q[0], q[1]; h q[0];",
        "h q[0]; ctrl @ u3(1.0, 0.5, 0.7) q[0], q[1]; crz(-0.5) q[0], q[1]; cry(-1.0) q[0], q[1];"
        "crz(-0.7) q[0], q[1]; h q[0];",
        "h q[0]; negctrl @ pow(0.5) @ z q[0], q[1]; ctrl @ gphase(0.3) q[0]; p(-0.3) q[0]; h q[0];",
        "pow(0.5) @ x q[0]; inv @ sx q[0]; U(0.2, 0.3, 0.4) q; inv @ U(0.2, 0.3, 0.4) q;",
    ],
)
def test_gates_that_undo_each_other(gates: str) -> None:
    assert only(f"qubit[2] q; {gates} bit[2] c = measure q;") == "00"


@pytest.mark.parametrize(
    "program",
    [
        "uint[4] a = 1 / 0;",
        "bit[2] c; c[2] = 1;",
        "int[4] n; bit[4] c = bit[4](n);",
        "const int[4] n = 1; n = 2;",
        "int[4] a = 1; gate g q { rx(a) q; } qubit q; g q;",
        "qubit[2] q; cx q[0], q[0];",
        "bit[3] a = uint[4](1);",
    ],
)
def test_what_has_no_right_answer(program: str) -> None:
    with pytest.raises(Unspecified):
        answer(HEADER + program)


@pytest.mark.parametrize("name", sorted(quantum.LIBRARY.keys() - {"u2", "u3"}))
def test_gates_are_those_of_qiskit(name: str) -> None:
    """With their phases. (`u2` and `u3` have another one in OpenQASM 3 than in Qiskit.)"""
    gates = get_standard_gate_name_mapping()
    aliases = {"CX": "cx", "phase": "p", "cphase": "cp"}
    standard = gates[aliases.get(name, name)]
    values = [0.3, 1.1, -0.7, 0.4][: len(standard.params)]
    right = Operator(standard.base_class(*values)).reverse_qargs().data
    assert quantum.LIBRARY[name](*values) == pytest.approx(right)


def test_a_principal_power_takes_half_a_turn_forwards() -> None:
    assert quantum.power(quantum.LIBRARY["z"](), 0.5) == pytest.approx(quantum.LIBRARY["s"]())
    assert quantum.power(quantum.LIBRARY["x"](), 0.5) == pytest.approx(quantum.LIBRARY["sx"]())


def test_qiskit_agrees_on_circuits_of_gates() -> None:
    chance = random.Random(5)
    simulator = AerSimulator()
    for _ in range(25):
        program = f"{HEADER}qubit[3] q; {GateWriter(chance.randint).gates()} bit[3] c = measure q;"
        circuit = transpile(qasm3.loads(program), simulator, optimization_level=0)
        counts = simulator.run(circuit, shots=2_000, seed_simulator=3).result().get_counts()
        assert surprise(counts, answer(program)) < 25, program


class GateWriter(Program):
    """Writes gates on three qubits, without those that Qiskit gives another phase."""

    def gates(self) -> str:
        self.qubits, self.plain = 3, True
        for _ in range(12):
            self.gate()
        return " ".join(line for line in self.lines if not re.search(r"u2|u3|U", line))
