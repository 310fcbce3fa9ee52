"""OpenQASM as other tools write it: taken where its meaning is certain, and noted."""

from collections.abc import Callable
from math import cos, pi, sin, sqrt
from typing import Any

import numpy as np
import pytest
from qiskit.quantum_info import Operator

from tasks_app.circuits import CircuitError, Limits
from tasks_app.circuits.language.program import Program
from tasks_app.circuits.language.read import parse
from tasks_app.circuits.language.source import read_source

Run = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., CircuitError]
V2 = 'OPENQASM 2.0; include "qelib1.inc"; '


def counts_and_notes(result: dict[str, Any]) -> tuple[dict[str, int], list[str]]:
    return result["counts"], result["metadata"].get("notes", [])


def test_amazon_brakets_programs_run(run: Run) -> None:
    program = (
        "OPENQASM 3.0;\nbit[2] b;\nqubit[2] q;\n#pragma braket verbatim\nbox{\nx q[0];\n"
        "cnot q[0], q[1];\nsi q[1];\n}\n#pragma braket result probability\n"
        "b[0] = measure q[0];\nb[1] = measure q[1];"
    )
    assert counts_and_notes(run(program, shots=9)) == (
        {"11": 9},
        [
            "The pragma 'braket verbatim' on line 4 was ignored.",
            "The pragma 'braket result probability' on line 10 was ignored.",
            "Used without an include, as the gates of these names: x, cnot, si.",
        ],
    )


def test_a_gate_without_an_include_is_noted_on_paths_too(run: Run) -> None:
    program = "OPENQASM 3; qubit q; bit c; x q; c = measure q; int n = c; if (n == 1) { y q; }"
    counts, notes = counts_and_notes(run(program, shots=9))
    assert counts == {"1": 9}
    assert notes == ["Used without an include, as the gates of these names: x, y."]


T = 0.7
A, B = 0.3, 1.1
PHASE = np.exp(1j * T)
# As Amazon Braket documents them: the first qubit is the highest bit.
MATRICES = {
    "gpi(0.3)": [[0, np.exp(-1j * A)], [np.exp(1j * A), 0]],
    "gpi2(0.3)": np.array([[1, -1j * np.exp(-1j * A)], [-1j * np.exp(1j * A), 1]]) / sqrt(2),
    "prx(0.7, 0.3)": [
        [cos(T / 2), -1j * np.exp(-1j * A) * sin(T / 2)],
        [-1j * np.exp(1j * A) * sin(T / 2), cos(T / 2)],
    ],
    "v": np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2,
    "vi": np.array([[1 - 1j, 1 + 1j], [1 + 1j, 1 - 1j]]) / 2,
    "ti": np.diag([1, np.exp(-1j * pi / 4)]),
    "phaseshift(0.7)": np.diag([1, PHASE]),
    "cphaseshift(0.7)": np.diag([1, 1, 1, PHASE]),
    "cphaseshift00(0.7)": np.diag([PHASE, 1, 1, 1]),
    "cphaseshift01(0.7)": np.diag([1, PHASE, 1, 1]),
    "cphaseshift10(0.7)": np.diag([1, 1, PHASE, 1]),
    "pswap(0.7)": [[1, 0, 0, 0], [0, 0, PHASE, 0], [0, PHASE, 0, 0], [0, 0, 0, 1]],
    "iswap": [[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]],
    "xy(0.7)": [
        [1, 0, 0, 0],
        [0, cos(T / 2), 1j * sin(T / 2), 0],
        [0, 1j * sin(T / 2), cos(T / 2), 0],
        [0, 0, 0, 1],
    ],
    "iswapdg": [[1, 0, 0, 0], [0, 0, -1j, 0], [0, -1j, 0, 0], [0, 0, 0, 1]],
    "cv": np.kron([[1, 0], [0, 0]], np.eye(2))
    + np.kron([[0, 0], [0, 1]], np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2),
    "ccnot": np.eye(8)[[0, 1, 2, 3, 4, 5, 7, 6]],
    "xx(0.7)": cos(T / 2) * np.eye(4) - 1j * sin(T / 2) * np.eye(4)[::-1],
    "yy(0.7)": cos(T / 2) * np.eye(4) - 1j * sin(T / 2) * np.diag([-1, 1, 1, -1])[::-1],
    "zz(0.7)": np.diag(np.exp(np.array([-1j, 1j, 1j, -1j]) * T / 2)),
    "ms(0.3, 1.1, 0.7)": [
        [cos(T / 2), 0, 0, -1j * np.exp(-1j * (A + B)) * sin(T / 2)],
        [0, cos(T / 2), -1j * np.exp(-1j * (A - B)) * sin(T / 2), 0],
        [0, -1j * np.exp(1j * (A - B)) * sin(T / 2), cos(T / 2), 0],
        [-1j * np.exp(1j * (A + B)) * sin(T / 2), 0, 0, cos(T / 2)],
    ],
}


@pytest.mark.parametrize("gate", MATRICES)
def test_a_gate_without_an_include_is_the_documented_one(gate: str) -> None:
    matrix = np.array(MATRICES[gate])
    qubits = ", ".join(f"q[{i}]" for i in range(len(matrix).bit_length() - 1))
    text = f"OPENQASM 3.0; qubit[{qubits.count('q')}] q; {gate} {qubits};"
    program = parse(read_source(text), Limits(), {})
    assert isinstance(program, Program)
    assert Operator(program.circuit.reverse_bits()).equiv(Operator(matrix))


def test_a_programs_own_gate_comes_before_one_of_that_name(run: Run) -> None:
    for program in (
        "OPENQASM 3.0; gate v a { U(pi, 0, pi) a; } qubit[1] q; bit[1] c; v q[0]; c = measure q;",
        V2 + "gate v a { U(pi, 0, pi) a; } qreg q[1]; creg c[1]; v q[0]; measure q -> c;",
    ):
        assert counts_and_notes(run(program, shots=9)) == ({"1": 9}, [])


def test_openqasm_2_without_an_include_is_taken_with_a_note(run: Run) -> None:
    program = (
        "OPENQASM 2.0; qreg q[2]; creg c[2]; x q[0]; iswap q[0], q[1]; cu1(0.3) q[0], q[1];"
        "cnot q[0], q[1]; measure q -> c;"
    )
    counts, notes = counts_and_notes(run(program, shots=9))
    assert counts == {"10": 9}
    assert notes == ["Used without an include, as the gates of these names: x, iswap, cu1, cnot."]


def test_the_wide_gates_of_qelib1_are_known(run: Run) -> None:
    program = (
        V2 + "qreg q[5]; creg c[5]; x q[0]; x q[1]; x q[2]; u0(1) q[0]; c3x q[0],q[1],q[2],q[3];"
        "c4x q[0],q[1],q[2],q[3],q[4]; rc3x q[0],q[1],q[2],q[4]; c3sqrtx q[0],q[1],q[2],q[4];"
        "c3sqrtx q[0],q[1],q[2],q[4]; measure q -> c;"
    )
    assert counts_and_notes(run(program, shots=9)) == ({"11111": 9}, [])


def test_pytkets_library_for_quantinuum_is_known(run: Run) -> None:
    program = (
        'OPENQASM 2.0;\ninclude "hqslib1.inc";\nqreg q[2];\ncreg c[2];\n'
        "U1q(0.5*pi,0.5*pi) q[0];\nRz(0.25*pi) q[1];\nRZZ(0.5*pi) q[0],q[1];\nZZ q[0],q[1];\n"
        "U1q(0.5*pi,0.5*pi) q[0];\nU1q(1.0*pi,0.3*pi) q[1];\nmeasure q -> c;"
    )
    assert counts_and_notes(run(program, shots=9)) == ({"10": 9}, [])


def test_pennylanes_conditions_on_one_bit_are_taken(run: Run) -> None:
    program = (
        V2 + "qreg q[3]; creg mcms[2]; creg c[3]; x q[0]; measure q[0] -> mcms[1];"
        "if(mcms[1]==1) x q[1]; if(mcms[0]==1) x q[2]; gphase(0.3); rx(2^2*pi/8*2) q[2];"
        "rx(1/2*2*pi) q[2]; measure q -> c;"
    )
    counts, notes = counts_and_notes(run(program, shots=9))
    assert counts == {"011 10": 9}
    assert "condition on one bit" in notes[0]


def test_qiskits_initialize_resets_before_its_gate(run: Run) -> None:
    program = (
        V2 + "gate initialize(p0) q0,q1 { reset q0; reset q1; ry(p0) q0; cx q0,q1; }"
        "qreg q[2]; creg c[2]; x q[1]; initialize(pi) q[0],q[1]; measure q -> c;"
    )
    assert run(program, shots=9)["counts"] == {"11": 9}


def test_a_gate_with_a_reset_runs_where_its_condition_holds(run: Run) -> None:
    program = (
        V2 + "gate prepare q0 { reset q0; x q0; } gate both a,b { prepare a; prepare b; }"
        "qreg q[3]; creg c[1]; creg d[3]; x q[0]; x q[2]; both q[0],q[1];"
        "if (c == 1) prepare q[1]; if (c == 0) both q[1],q[2]; measure q -> d;"
    )
    assert run(program, shots=9)["counts"] == {"111 0": 9}


@pytest.mark.parametrize(
    ("program", "named"),
    [
        ('OPENQASM 2.0;\ninclude "oqclib1.inc";', "oqclib1.inc"),
        (V2 + '\noracle f a, b { "f.v" }', "oracle"),
        (V2 + "\nqreg q[1]; pauli(X) q[0];", "pauli"),
        (V2 + "\nqreg q[1]; rx q[0];", "rx"),
        ("OPENQASM 3.0;\nqubit q; twist q;", "twist"),
        ("OPENQASM 3.0;\nbit c; x c;", "c is classical"),
        ("\nOPENQASM 5.1;", "5"),
    ],
)
def test_what_is_not_understood_is_named_and_placed(
    error_of: ErrorOf, program: str, named: str
) -> None:
    error = error_of(program)
    assert named in error.message
    assert error.line == 2
    assert error.column is not None
