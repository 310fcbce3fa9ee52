"""Public programs give the distribution that an independent simulator computes.

The programs are those of MQT Bench, exported to OpenQASM 2 and 3, of QASMBench and of the OpenQASM
project. Qiskit's own importers read them for the reference, our front end and Aer for the service.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks_app.circuits import CircuitError
from tasks_app.tests.circuits.reference import assert_follows, distribution, load

Run = Callable[..., dict[str, Any]]
DIRECTORY = Path(__file__).parent / "programs"
OPENQASM3 = DIRECTORY / "openqasm/v3"
PROGRAMS = sorted(path for path in DIRECTORY.rglob("*.qasm") if path.parent != OPENQASM3)
SHOTS = 20_000
FEW_SHOTS = 5_000  # Of programs that Aer runs anew for each, and that have few outcomes.
QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; '


# Qiskit's importer does not read its condition: a GHZ state whatever the two syndromes are.
GHZ_DYNAMIC = {f"{a}{b} {c * 5}": 1 / 8 for a in "01" for b in "01" for c in "01"}


def test_all_programs_are_found() -> None:
    found = Counter(str(path.parent.relative_to(DIRECTORY)) for path in PROGRAMS)
    assert found == {"mqt_bench": 61, "qasmbench": 27, "openqasm/v2": 13}
    assert RUN_AS.keys() | REFUSED.keys() == {path.stem for path in OPENQASM3.glob("*.qasm")}


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_public_program_has_its_exact_distribution(run: Run, path: Path) -> None:
    program = path.read_text()
    shots = FEW_SHOTS if path.parent.parent.name == "openqasm" else SHOTS
    counts = run(program, shots=shots, seed=7)["counts"]
    if path.stem == "ghz_dynamic_v3":
        assert_follows(counts, GHZ_DYNAMIC)
    elif "measure" in program:
        assert_follows(counts, distribution(load(program)))
    else:
        assert counts == {}


@pytest.mark.parametrize("method", ["statevector", "density_matrix", "matrix_product_state"])
@pytest.mark.parametrize("name", ["qpeinexact_v3", "wstate_v2", "dynamic_qft_v3", "grover_v2"])
def test_every_method_gives_the_same_distribution(run: Run, name: str, method: str) -> None:
    program = (DIRECTORY / f"mqt_bench/{name}.qasm").read_text()
    result = run(program, shots=SHOTS, seed=7, method=method)
    assert result["metadata"]["method"] == method
    assert_follows(result["counts"], distribution(load(program)))


# The OpenQASM project's own examples of OpenQASM 3, most of which Qiskit's importer does not read:
# what is expected is the distribution of the same example in OpenQASM 2, or the one given.
RUN_AS: dict[str, dict[str, float] | None] = {
    "adder": None,
    "alignment": {},  # It measures nothing.
    "ipe": {},  # It declares no bits: the outcomes are those of an angle.
    "inverseqft1": None,
    "inverseqft2": None,
    "qec": None,
    "qft": None,
    "qpt": None,
    "rb": None,
    # Its comment says zero, which forgets that 3 / 5 divides integers and is 0: the last rotation
    # is by pi / 2, and not by pi - arccos(0.6).
    "rus": {"0 00": 0.9, "1 00": 0.1},
    "teleport": None,
}
EXTERN = "A statement of the kind 'extern declaration' is not supported"
CALIBRATION = "A statement of the kind 'calibration grammar declaration' is not supported"
LENGTH = "An expression of the kind 'duration of' is not supported"
REFUSED = {
    # What a simulator has no use for: code outside the program, pulses, the length of gates.
    "gateteleport": ("unsupported_feature", 7, 1, EXTERN),
    "scqec": ("unsupported_feature", 17, 1, EXTERN),
    "t1": ("unsupported_feature", 14, 1, EXTERN),
    "vqe": ("unsupported_feature", 18, 1, EXTERN),
    "defcal": ("unsupported_feature", 1, 1, CALIBRATION),
    "pong": ("unsupported_feature", 6, 1, CALIBRATION),
    "dd": ("unsupported_feature", 9, 33, LENGTH),
    # Not OpenQASM 3.0: an index behind the end, a register that is not there, the calls of a draft.
    "arrays": ("invalid_program", 51, 1, "Index 4 is outside 0 to 3"),
    "cphase": ("invalid_program", 9, 15, "The name 'q' is not defined"),
    "msd": ("invalid_program", 157, 1, "'distill_and_buffer' is a subroutine; call it as"),
    "varteleport": ("invalid_program", 32, 3, "'bellprep' is a subroutine; call it as"),
}


@pytest.mark.parametrize("name", RUN_AS)
def test_an_openqasm_3_example_has_its_exact_distribution(run: Run, name: str) -> None:
    counts = run((OPENQASM3 / f"{name}.qasm").read_text(), shots=FEW_SHOTS, seed=7)["counts"]
    expected = RUN_AS[name]
    if expected is None:
        expected = distribution(load((DIRECTORY / f"openqasm/v2/{name}.qasm").read_text()))
    if expected:
        assert_follows(counts, expected)
    else:
        assert counts == {}


@pytest.mark.parametrize("name", REFUSED)
def test_an_unsupported_openqasm_3_example_is_refused_at_its_place(
    error_of: Callable[..., CircuitError], name: str
) -> None:
    code, line, column, message = REFUSED[name]
    error = error_of((OPENQASM3 / f"{name}.qasm").read_text())
    assert (error.code, error.line, error.column) == (code, line, column)
    assert error.message.startswith(message)


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
    # Under control a global phase shows: that of cu by pi turns its control's control.
    (
        "qubit[3] q; bit[3] c; h q[0]; inv @ ctrl @ cu(0, 0, 0, pi) q[0], q[1], q[2];"
        "x q[1]; inv @ ctrl @ cu(0, 0, 0, pi) q[0], q[1], q[2]; h q[0]; c = measure q;",
        {"011": 1.0},
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
