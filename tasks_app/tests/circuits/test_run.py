"""Circuits give the counts and the metadata a scientist expects."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks_app.circuits import CircuitError

Run = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., CircuitError]
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; '
# All-to-all entanglement: wide for a state vector and for matrix products.
DENSE_40 = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[40] q; bit[40] c; ry(0.3) q;'
    "for int i in [0:39] { for int j in [i + 1:39] { cx q[i], q[j]; ry(0.1) q[j]; } }"
    "c = measure q;"
)
QASM2 = 'OPENQASM 2.0; include "qelib1.inc"; '


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        ("bell.qasm", {"00", "11"}),
        ("bell_v2.qasm", {"00", "11"}),
        ("ghz.qasm", {"00000000", "11111111"}),
    ],
)
def test_the_examples_run(run: Run, name: str, outcomes: set[str]) -> None:
    result = run((EXAMPLES / name).read_text(), shots=1000)
    assert set(result["counts"]) == outcomes
    assert sum(result["counts"].values()) == 1000 == result["shots"]
    # 5 sigma around one half.
    assert all(abs(count - 500) < 80 for count in result["counts"].values())


@pytest.mark.parametrize(
    ("program", "counts"),
    [
        # Bit 0 is rightmost.
        (QASM3 + "qubit[3] q; bit[3] c; x q[0]; c = measure q;", {"001": 50}),
        (QASM2 + "qreg q[3]; creg c[3]; x q[2]; measure q -> c;", {"100": 50}),
        # The register declared last is leftmost, apart by a space.
        (
            QASM3 + "qubit[3] q; bit[2] a; bit[1] b; x q[0]; x q[2];"
            "a[0] = measure q[0]; a[1] = measure q[1]; b[0] = measure q[2];",
            {"1 01": 50},
        ),
        # A bit that is no array stands apart like a register of one.
        (
            QASM3 + "qubit[2] q; bit a; bit[2] b; x q[0]; a = measure q[0]; b = measure q;",
            {"01 1": 50},
        ),
        # A bit never measured stays 0.
        (QASM3 + "qubit q; bit[2] c; x q; c[1] = measure q;", {"10": 50}),
        # Physical qubits, whatever way their numbers are written.
        (QASM3 + "bit[2] c; x $0; cx $00, $1; c[1] = measure $01;", {"10": 50}),
        # The version line may be missing; then it is OpenQASM 3.
        ('include "stdgates.inc"; qubit q; bit c; x q; c = measure q;', {"1": 50}),
    ],
)
def test_bits_and_registers_stand_where_qiskit_prints_them(
    run: Run, program: str, counts: dict[str, int]
) -> None:
    assert run(program, shots=50)["counts"] == counts


def test_the_metadata_tells_how_to_repeat_the_run(run: Run) -> None:
    program = (EXAMPLES / "bell.qasm").read_text()
    metadata = run(program)["metadata"]
    assert metadata["circuit_sha256"] == hashlib.sha256(program.encode()).hexdigest()
    assert metadata["language"] == "OpenQASM 3"
    assert (metadata["qubits"], metadata["clbits"]) == (2, 2)
    assert (metadata["gates"], metadata["depth"]) == (4, 3)
    assert metadata["method"] == "stabilizer"
    assert metadata["sampling"] == "probabilities"
    assert metadata["measured"] is True
    assert metadata["qiskit"] and metadata["qiskit_aer"] and metadata["numpy"]
    assert all(metadata[f"{phase}_seconds"] >= 0 for phase in ("parse", "compile", "run"))


def test_a_seed_repeats_the_counts_and_no_seed_draws_one(run: Run) -> None:
    program = (EXAMPLES / "bell.qasm").read_text()
    first, second = run(program), run(program)
    assert first["metadata"]["seed"] != second["metadata"]["seed"]
    again = run(program, seed=first["metadata"]["seed"])
    assert again["counts"] == first["counts"]


def test_resets_of_fresh_qubits_are_left_out(run: Run) -> None:
    """Each would draw a number, which the counts for a seed tell, and make Aer run every shot."""
    program = QASM3 + "qubit[3] q; bit[3] c; {} ry(0.8) q; {} c = measure q;"
    for later in ("", "reset q[1];"):
        plain, reset = (
            run(program.format(first, later), shots=1000, seed=5)["counts"]
            for first in ("", "barrier q; reset q;")
        )
        assert plain == reset
        assert any(outcome[1] == "1" for outcome in plain) == (later == "")


def test_a_circuit_without_measurement_says_so(run: Run) -> None:
    program = QASM3 + "qubit[2] q; bit[2] c; h q;"
    result = run(program, outputs=["probabilities"])
    assert result["probabilities"] == {}
    assert "measure" in result["metadata"]["note"]
    result = run(program)
    assert result["counts"] == {}
    assert result["metadata"]["measured"] is False
    assert "measure" in result["metadata"]["note"]


@pytest.mark.parametrize(
    ("program", "code", "place"),
    [
        (" \n\t", "empty_circuit", (None, None)),
        ("OPENQASM 3.0;\nqubit q;\nx x x;", "syntax_error", (3, 5)),
        ("OPENQASM 3.0;\nqubit q", "syntax_error", (2, 8)),
        ("OPENQASM 2.0;\nqreg q[2];\n  hq q[0];", "invalid_program", (3, 3)),
        ("OPENQASM 3.0;\nqubit q;\n hq q;", "invalid_program", (3, 2)),
        ("OPENQASM 4.0;\nqubit q;", "unsupported_version", (1, 10)),
        ("OPENQASM three;", "unsupported_version", (1, 1)),
        ('OPENQASM 3.0;\ninclude "/etc/passwd";', "include_not_allowed", (2, 1)),
        ('OPENQASM 2.0; include "../../x";', "include_not_allowed", (1, 15)),
        ("OPENQASM 3.0; /* no end", "syntax_error", (1, 15)),
        ("OPENQASM 3.0;\nqubit\x00 q;", "invalid_character", (2, 6)),
        ("OPENQASM 3.0; // \ud800", "invalid_character", (1, 18)),
        (DENSE_40, "too_much_memory", None),
        (QASM3 + "qubit[5000] q;", "too_many_qubits", None),
    ],
)
def test_an_error_has_a_code_and_a_place(
    error_of: ErrorOf, program: str, code: str, place: tuple[int, int] | None
) -> None:
    error = error_of(program)
    assert error.code == code, error.message
    assert error.message
    if place is not None:
        assert (error.line, error.column) == place


def test_a_comment_cannot_hide_an_include(error_of: ErrorOf) -> None:
    program = 'OPENQASM 3.0; pragma " /*\ninclude "/etc/passwd";\n*/ qubit q;'
    assert error_of(program).code == "include_not_allowed"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"shots": 0}, "invalid_shots"),
        ({"shots": 100_001}, "invalid_shots"),
        ({"shots": True}, "invalid_shots"),
        ({"shots": 1.5}, "invalid_shots"),
        ({"seed": -1}, "invalid_seed"),
        ({"seed": 2**53}, "invalid_seed"),
        ({"method": "magic"}, "invalid_method"),
    ],
)
def test_wrong_run_options_are_refused(
    error_of: ErrorOf, options: dict[str, Any], code: str
) -> None:
    assert error_of("OPENQASM 3.0; qubit q;", **options).code == code


def test_too_much_text_is_refused(error_of: ErrorOf) -> None:
    assert error_of("OPENQASM 3.0;" + " " * 1_048_576).code == "circuit_too_large"
    assert error_of("// " + "é" * 524_288).code == "circuit_too_large"
