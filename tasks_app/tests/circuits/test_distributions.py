"""Public programs give the distribution that an independent simulator computes.

The programs are MQT Bench's, exported to OpenQASM 2 and 3. Qiskit's own importers read them for
the reference, our front end and Aer for the service.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from qiskit import QuantumCircuit, qasm2, qasm3

from tasks_app.tests.circuits.reference import distribution

Run = Callable[..., dict[str, Any]]
PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.qasm"))
SHOTS = 20_000
QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; '


# Qiskit's importer does not read its condition: a GHZ state whatever the two syndromes are.
GHZ_DYNAMIC = {f"{a}{b} {c * 5}": 1 / 8 for a in "01" for b in "01" for c in "01"}


def load(program: str) -> QuantumCircuit:
    if "OPENQASM 2.0" in program:
        return qasm2.loads(
            program,
            custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS,
            custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
        )
    return qasm3.loads(program)


def assert_follows(counts: dict[str, int], expected: dict[str, float]) -> None:
    """The total variation distance is what sampling explains.

    For K outcomes it is sqrt(K / N) / 2 on average or less, and by McDiarmid's inequality more
    than 3 / sqrt(N) above that once in 10**7 runs. The seed is fixed besides.
    """
    shots = sum(counts.values())
    expected = {outcome: p for outcome, p in expected.items() if p > 1e-9}
    assert counts.keys() <= expected.keys()
    distance = sum(abs(counts.get(key, 0) / shots - p) for key, p in expected.items()) / 2
    assert distance < sqrt(len(expected) / shots) / 2 + 3 / sqrt(shots)


def test_there_are_sixty_programs() -> None:
    assert len(PROGRAMS) >= 60


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_public_program_has_its_exact_distribution(run: Run, path: Path) -> None:
    program = path.read_text()
    counts = run(program, shots=SHOTS, seed=7)["counts"]
    if path.stem == "ghz_dynamic_v3":
        assert_follows(counts, GHZ_DYNAMIC)
    elif "measure" in program:
        assert_follows(counts, distribution(load(program)))
    else:
        assert counts == {}


@pytest.mark.parametrize("method", ["statevector", "density_matrix", "matrix_product_state"])
@pytest.mark.parametrize("name", ["qpeinexact_v3", "wstate_v2", "dynamic_qft_v3", "grover_v2"])
def test_every_method_gives_the_same_distribution(run: Run, name: str, method: str) -> None:
    program = (Path(__file__).parent / f"programs/{name}.qasm").read_text()
    result = run(program, shots=SHOTS, seed=7, method=method)
    assert result["metadata"]["method"] == method
    assert_follows(result["counts"], distribution(load(program)))


# Written after the examples of the OpenQASM 3 specification: what Qiskit's importer does not
# read, with the distribution worked out by hand.
ASYMMETRIC = "ry(2 * arcsin(sqrt(0.3))) "
BY_HAND = [
    # Teleportation of a state with P(1) = 0.3.
    (
        f"qubit[3] q; bit c0; bit c1; bit c2; {ASYMMETRIC} q[0]; h q[1]; cx q[1], q[2];"
        "cx q[0], q[1]; h q[0]; c0 = measure q[0]; c1 = measure q[1];"
        "if (c0 == 1) z q[2]; if (c1 == 1) { x q[2]; } c2 = measure q[2];",
        {
            f"{a} {b} {c}": 0.25 * (0.3 if a else 0.7)
            for a in (0, 1)
            for b in (0, 1)
            for c in (0, 1)
        },
    ),
    # Ripple-carry adder: 1 + 15 = 16.
    (
        "gate majority a, b, c { cx c, b; cx c, a; ccx a, b, c; }"
        "gate unmaj a, b, c { ccx a, b, c; cx c, a; cx a, b; }"
        "qubit[1] cin; qubit[4] a; qubit[4] b; qubit[1] cout; bit[5] ans;"
        "uint[4] a_in = 1; uint[4] b_in = 15;"
        "for uint i in [0:3] { if (bool(a_in[i])) x a[i]; if (bool(b_in[i])) x b[i]; }"
        "majority cin[0], b[0], a[0]; for uint i in [0:2] { majority a[i], b[i + 1], a[i + 1]; }"
        "cx a[3], cout[0];"
        "for uint i in [2:-1:0] { unmaj a[i], b[i + 1], a[i + 1]; } unmaj cin[0], b[0], a[0];"
        "ans[0:3] = measure b[0:3]; ans[4] = measure cout[0];",
        {"10000": 1.0},
    ),
    # Inverse quantum Fourier transform with feed-forward, of the transform of 5.
    (
        "const int n = 4; qubit[n] q; bit[n] c; const float k = 5;"
        "for int i in [0:n - 1] { h q[i]; p(2 * pi * k / 2 ** (i + 1)) q[i]; }"
        "for int i in [0:n - 1] {"
        "  for int j in [0:i - 1] { if (c[j]) { p(-pi / 2 ** (i - j)) q[i]; } }"
        "  h q[i]; c[i] = measure q[i]; }",
        {"0101": 1.0},
    ),
    # Bit-flip code: any single error is corrected.
    (
        f"qubit[3] q; qubit[2] a; bit[2] syndrome; bit out; {ASYMMETRIC} q[0];"
        "cx q[0], q[1]; cx q[0], q[2]; x q[1];"
        "cx q[0], a[0]; cx q[1], a[0]; cx q[1], a[1]; cx q[2], a[1]; syndrome = measure a;"
        "if (syndrome == 1) x q[0]; if (syndrome == 2) x q[2]; if (syndrome == 3) x q[1];"
        "cx q[0], q[1]; cx q[0], q[2]; out = measure q[0];",
        {"0 11": 0.7, "1 11": 0.3},
    ),
    # Repeat until success: the result is 1 whatever it took.
    (
        "qubit[2] q; bit flag = 1; bit out; while (flag == 1) { reset q; h q[0]; cx q[0], q[1];"
        "flag = measure q[0]; } x q[1]; out = measure q[1];",
        {"1 0": 1.0},
    ),
    # A subroutine that measures parity without disturbing it.
    (
        "def parity(qubit[3] d, qubit a) -> bit { bit b; for int i in [0:2] { cx d[i], a; }"
        "b = measure a; reset a; return b; }"
        f"qubit[3] d; qubit a; bit p; bit[3] c; {ASYMMETRIC} d[0]; x d[1]; p = parity(d, a);"
        "c = measure d;",
        {"010 1": 0.7, "011 0": 0.3},
    ),
    # Powers and inverses of a gate of one's own: an eighth of a turn, seven times back.
    (
        "gate turn a { p(pi / 4) a; } qubit q; bit c; h q; pow(5) @ turn q; inv @ turn q; h q;"
        "c = measure q;",
        {"1": 1.0},
    ),
    # Asymmetric probabilities: bit 0 is rightmost, register b left of register a.
    (
        f"qubit[3] q; bit[2] a; bit[1] b; {ASYMMETRIC} q[0]; x q[2];"
        "a = measure q[0:1]; b[0] = measure q[2];",
        {"1 00": 0.7, "1 01": 0.3},
    ),
]


@pytest.mark.parametrize(("program", "expected"), BY_HAND)
def test_a_program_has_the_distribution_worked_out_by_hand(
    run: Run, program: str, expected: dict[str, float]
) -> None:
    assert_follows(run(QASM3 + program, shots=SHOTS, seed=3)["counts"], expected)


def test_the_reference_finds_wrong_counts() -> None:
    expected = {"0": 0.7, "1": 0.3}
    assert_follows({"0": 14_000, "1": 6_000}, expected)
    for wrong in ({"0": 6_000, "1": 14_000}, {"0": 13_400, "1": 6_600}, {"2": 20_000}):
        with pytest.raises(AssertionError):
            assert_follows(wrong, expected)
