"""What stands in a text beside its statements: line ends, annotations, pragmas, chains, names."""

from collections.abc import Callable
from typing import Any

import pytest

from tasks_app.circuits import CircuitError

Run = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., CircuitError]
V3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
V2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize(
    "program",
    [
        V3 + "// first\nqubit q; bit c; // x q;\nx q; // x q;\nc = measure q; // end",
        V3 + "qubit q; bit c;\n@note x q;\nx q;\n#pragma vendor x q;\nc = measure q;\n",
        V2 + "qreg q[1]; creg c[1]; // x q[0];\nx q[0]; // x q[0];\nmeasure q -> c;",
    ],
)
def test_every_kind_of_line_end_ends_a_comment_and_a_line(run: Run, program: str, end: str) -> None:
    assert run(program.replace("\n", end), shots=9)["counts"] == {"1": 9}


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_lines_are_counted_by_any_line_end(error_of: ErrorOf, end: str) -> None:
    error = error_of(f"OPENQASM 3.0;{end}// a comment{end}qubit q;{end}  hq q;")
    assert (error.line, error.column) == (4, 3)


@pytest.mark.parametrize("unseen", ["\xa0", "\u200b", "\u2028", "\u3000"])
def test_a_character_that_nobody_sees_is_told_by_its_code(error_of: ErrorOf, unseen: str) -> None:
    error = error_of(f"OPENQASM 3.0;\nqubit q;\nreset{unseen}q;")
    assert error.message == f"Unexpected characters: 'U+{ord(unseen):04X}'."
    assert (error.code, error.line, error.column) == ("syntax_error", 3, 6)


def test_what_was_ignored_is_noted(run: Run) -> None:
    program = V3 + "#pragma vendor fast\nqubit q; bit c;\n@slow 1\nx q;\n@slow 2\nc = measure q;"
    assert run(program)["metadata"]["notes"] == [
        "The pragma 'vendor fast' on line 3 was ignored.",
        "The annotation @slow was ignored.",
    ]
    assert "notes" not in run(V3 + "qubit q; bit c; c = measure q;")["metadata"]


@pytest.mark.parametrize("text", ["x q; else if (true) { x q; }", "if (true) else if (true) x q;"])
def test_an_else_without_its_if_is_refused_at_its_place(error_of: ErrorOf, text: str) -> None:
    error = error_of(f"{V3}qubit q;\n{text}")
    assert (error.code, error.line) == ("syntax_error", 4)


@pytest.mark.parametrize("name", ["inc", "qelib1", "e5", "creg_", "measured", "rzz", "if_"])
def test_a_gate_may_have_any_name_in_openqasm_2(run: Run, name: str) -> None:
    program = (
        f"{V2}gate {name} a, b {{ cx a, b; x a; }} qreg q[2]; creg c[2];"
        f"gate {name}_own(t) a {{ rx(t * 1.e5 / 100000) a; }}"
        f"{name} q[0], q[1]; {name}_own(2*pi) q[0]; {name} q[0], q[1]; measure q -> c;"
    )
    assert run(program, shots=9)["counts"] == {"10": 9}


@pytest.mark.parametrize(
    ("statement", "code", "place"),
    [
        ("nothing q[0];", "invalid_program", (5, 1)),
        ("x q[2];", "invalid_program", (5, 3)),
        ("cx q[1], q[1];", "invalid_program", (5, 1)),
        ("x c[0];", "invalid_program", (5, 3)),
        ("x(1) q[0];", "invalid_program", (5, 1)),
        ("cx q[0];", "invalid_program", (5, 1)),
        ("qreg q[1];", "invalid_program", (5, 1)),
        ("measure q -> c[0];", "invalid_program", (5, 1)),
        ("rx(1 / 0) q[0];", "invalid_program", (5, 4)),
        ("rx(sqrt(-1)) q[0];", "invalid_program", (5, 4)),
        ("gate g a { h b; }", "invalid_program", (5, 14)),
        ("gate g(t) a { none(t) a; }", "invalid_program", (5, 15)),
        ("rx(c[0]) q[0];", "invalid_program", (5, 1)),
        ("int n = 1;", "syntax_error", (5, 1)),
        ("qubit[2] r;", "syntax_error", (5, 1)),
        ("ctrl @ x q[0], q[1];", "syntax_error", (5, 1)),
        ("for int i in [0:1] { x q[i]; }", "syntax_error", (5, 1)),
        ("if (d == 1) x q[0];", "invalid_program", (5, 5)),
        ("x q[0]", "syntax_error", (5, 7)),
        ("x q[0;", "syntax_error", (5, 6)),
        ("creg d[-1];", "invalid_program", (5, 7)),
        ("qreg r[0];", "invalid_program", (5, 7)),
        ("@note\nx q[0];", "syntax_error", (5, 1)),
    ],
)
def test_an_error_of_openqasm_2_has_the_code_it_has_in_openqasm_3(
    error_of: ErrorOf, statement: str, code: str, place: tuple[int, int]
) -> None:
    error = error_of(f"{V2}qreg q[2];\ncreg c[2];\n{statement}")
    assert (error.code, error.line, error.column) == (code, *place), error.message
