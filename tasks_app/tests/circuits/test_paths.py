"""Programs that measurements steer beyond Aer's control flow, run path by path."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tasks_app.circuits import CircuitError, Job, Sandbox
from tasks_app.tests.circuits.reference import assert_follows

Run = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., CircuitError]
V3 = 'OPENQASM 3.0; include "stdgates.inc"; '
# Assigning a measured value to a number makes any program one for the paths.
STEERED = "bit s; s = measure q[0]; int n = s; "


def sampling(result: dict[str, Any]) -> str:
    return str(result["metadata"]["sampling"])


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        # A coin decides an angle: P(1) = 1/2 for 0 and 3/4 for 1.
        (
            "qubit[2] q; bit a; bit b; h q[0]; a = measure q[0]; float f = pi / 2;"
            "if (a) { f = 2 * pi / 3; } ry(f) q[1]; b = measure q[1];",
            {"0 0": 0.25, "1 0": 0.25, "0 1": 0.125, "1 1": 0.375},
        ),
        # How often a coin falls on 1 before it falls on 0, of three times at most.
        (
            "def tries(qubit a) -> uint[2] { for uint i in [0:2] { bit b; reset a; h a;"
            "b = measure a; if (!b) { return i; } } return 3; }"
            "qubit q; bit[2] c; c = tries(q);",
            {"00": 0.5, "01": 0.25, "10": 0.125, "11": 0.125},
        ),
        # Entangled halves fall alike, whatever is measured in between.
        (
            "qubit[3] q; bit[2] c; int n; h q[0]; cx q[0], q[2]; ry(pi / 3) q[1];"
            "c[0] = measure q[0]; n += 2 * c[0]; c[1] = measure q[n]; ",
            {"00": 0.5, "11": 0.5},
        ),
        # Two resets of an entangled qubit: the other one is mixed.
        (
            "qubit[2] q; bit a; bit b; int n; h q[0]; cx q[0], q[1]; reset q[0]; reset q[0];"
            "a = measure q[0]; n = a; b = measure q[1];",
            {"0 0": 0.5, "1 0": 0.5},
        ),
        # Gates of the program's own, on three qubits and under control.
        (
            "gate g(t) a, b, c { h a; cx a, b; rz(t) b; ccx a, b, c; gphase(t); cx a, b; h a; }"
            "qubit[4] q; bit c; int n; h q[3]; ctrl @ g(0.7) q[3], q[0], q[1], q[2];"
            "c = measure q[3]; n = c; if (n == 1) { x q[3]; } reset q; x q[1]; c = measure q[1];",
            {"1": 1.0},
        ),
        # A gate with a barrier in it.
        (
            "gate g a, b { h a; barrier a, b; cx a, b; } qubit[2] q; bit[2] c; bit s; g q[0], q[1];"
            "s = measure q[0]; int n = s; for int i in [1:n] { x q; } c = measure q;",
            {"0 00": 0.5, "1 00": 0.5},
        ),
        # What is assigned in a block that never runs need not have a value.
        (
            'qubit q; bit[2] m = "01"; bit c; float f = -2; if (m == 2) { f = log(f); }'
            "rx(f * pi / 2) q; c = measure q;",
            {"1 01": 1.0},
        ),
    ],
)
def test_a_steered_program_has_its_exact_distribution(
    run: Run, program: str, expected: dict[str, float]
) -> None:
    result = run(V3 + program, shots=20_000, seed=3)
    assert sampling(result) == "paths"
    assert_follows(result["counts"], expected)


def test_a_program_without_bits_has_nothing_to_count(run: Run) -> None:
    result = run(V3 + "qubit q; h q; int n = measure q; if (n > 0) { x q; }")
    assert (result["counts"], result["metadata"]["measured"]) == ({}, False)
    assert sampling(result) == "paths"


def test_the_metadata_tell_of_the_paths(run: Run) -> None:
    program = V3 + "qubit[3] q; bit[2] c; output uint[4] n; h q[0]; h q[1]; c = measure q[0:1]; "
    metadata = run(program + "n = c; if (n > 1) { x q[2]; }", shots=1_000)["metadata"]
    assert metadata["paths"] == 4
    assert metadata["method"] == "statevector"
    assert (metadata["qubits"], metadata["clbits"], metadata["gates"]) == (3, 4, 3)
    assert metadata["measured"] is True


def test_a_seed_repeats_counts_and_memory(run: Run) -> None:
    program = V3 + "qubit[2] q; bit c; bit d; h q; " + STEERED + "c = n == 1; d = measure q[1];"
    first, again = (run(program, shots=500, seed=8, memory=True) for _ in range(2))
    assert first["counts"] == again["counts"] == Counter(first["memory"])
    assert first["memory"] == again["memory"]
    assert first["memory"] != sorted(first["memory"])
    assert run(program, shots=500, seed=9)["counts"] != first["counts"]


@pytest.mark.parametrize("noise", [{"depolarizing_1q": 0.2}, {"depolarizing_2q": 0.3}, {}])
@pytest.mark.parametrize("readout", [0.0, 0.1])
def test_noise_is_that_of_the_simulator(run: Run, noise: dict[str, float], readout: float) -> None:
    body = (
        "qubit[3] q; bit[3] c; bit s; h q[0]; cx q[0], q[1]; s = measure q[0];"
        "{} ccx q[0], q[1], q[2]; sx q[2]; c = measure q;"
    )
    noise = noise | {"readout": readout}
    steered = run(V3 + body.format("int n = s; n += 1;"), shots=20_000, seed=1, noise=noise)
    plain = run(
        V3 + body.format("if (s) { id q[2]; id q[2]; }"), shots=20_000, seed=2, noise={**noise}
    )
    assert (sampling(steered), sampling(plain)) == ("paths", "shots")
    assert steered["metadata"]["method"] == "density_matrix"
    if "depolarizing_1q" not in noise:
        total = sum(plain["counts"].values())
        assert_follows(steered["counts"], {k: v / total for k, v in plain["counts"].items()})


@pytest.mark.parametrize("method", ["stabilizer", "matrix_product_state", "extended_stabilizer"])
def test_other_methods_are_refused(error_of: ErrorOf, method: str) -> None:
    error = error_of(V3 + "qubit[1] q; " + STEERED, method=method)
    assert error.code == "method_unsuitable"
    assert "statevector" in error.message


def test_density_matrices_give_the_same(run: Run) -> None:
    program = V3 + "qubit[2] q; bit c; ry(1) q[0]; cx q[0], q[1]; " + STEERED + "c = measure q[1];"
    for method in ("statevector", "density_matrix"):
        result = run(program, shots=20_000, seed=4, method=method)
        assert result["metadata"]["method"] == method
        assert_follows(result["counts"], {"0 0": 0.7702, "1 1": 0.2298})


def test_measured_and_fresh_qubits_take_no_memory(run: Run) -> None:
    program = (
        V3 + "qubit[300] q; bit[300] c; int n = 0; for int i in [0:299] { h q[i];"
        "if (i > 0) { if (c[i - 1]) { h q[i]; } } c[i] = measure q[i]; if (c[i]) { n += 1; } }"
    )
    assert sum(run(program, shots=3)["counts"].values()) == 3


def test_too_many_qubits_at_one_time_are_refused(error_of: ErrorOf) -> None:
    error = error_of(V3 + "qubit[40] q; bit c; int n; h q; " + STEERED + "cx q[0], q[1];")
    assert error.code == "too_much_memory"


def test_an_endless_path_is_refused(make_sandbox: Callable[..., Sandbox]) -> None:
    program = V3 + "qubit[1] q; " + STEERED + "while (n == 0) { s = measure q[0]; n = s; }"
    with pytest.raises(CircuitError) as caught:
        make_sandbox(max_operations=50_000).run(Job(circuit=program))
    assert caught.value.code == "too_many_operations"


def test_a_wide_register_of_which_little_is_unknown_is_measured_at_once(run: Run) -> None:
    program = (
        V3 + "qubit[70] q; bit[70] c; x q[69]; h q[0]; c[0] = measure q[0]; float f = c[0];"
        "ry(f * pi) q[1]; c = measure q;"
    )
    result = run(program, shots=2_000)
    assert sampling(result) == "paths"
    high = "1" + "0" * 67
    assert_follows(result["counts"], {high + "00": 0.5, high + "11": 0.5})


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        # A measurement that no shot comes to, as the simulator counts one.
        ("qubit q; bit c; bit d; int n; if (c) { n = 1; d = measure q; }", {"0 0": 1.0}),
        ("qubit q; bit[2] c; while (c == 3) { int n = c[0]; c[0] = measure q; }", {"00": 1.0}),
        # Shots that end before a register is declared have it all the same.
        (
            "qubit[2] q; x q[1]; h q[0]; bit a = measure q[0]; if (a) { end; }"
            "const int n = 2; bit[n] b = measure q;",
            {"10 0": 0.5, "00 1": 0.5},
        ),
        (
            "qubit q; h q; output bit a; a = measure q; if (a) { end; } output uint[3] m; m = 5;",
            {"101 0": 0.5, "000 1": 0.5},
        ),
        ("qubit q; bit a; x q; a = measure q; end; input float x; bit[2] b;", {"00 1": 1.0}),
        # Known before the run not to be measured, or never meant to be.
        ('qubit q; h q; bit[2] c = "10"; if (false) { c[0] = measure q; }', {"10": 1.0}),
        ('qubit q; h q; output bit[2] c; c = "10";', {"10": 1.0}),
        ('output bit[2] c; c = "10";', {"10": 1.0}),
    ],
)
def test_every_outcome_has_all_registers(
    run: Run, program: str, expected: dict[str, float]
) -> None:
    values = {"x": 1} if "input" in program else {}
    assert_follows(run(V3 + program, seed=3, parameters=values)["counts"], expected)


@pytest.mark.parametrize("options", [{}, {"method": "density_matrix"}, {"noise": {"readout": 0.3}}])
def test_what_an_input_keeps_from_being_measured_is_zero(run: Run, options: dict[str, Any]) -> None:
    program = V3 + "input bool asked; qubit[2] q; bit[2] c; h q; if (asked) { c = measure q; }"
    sets = [{"asked": False}, {"asked": True}]
    told = run(program, parameter_sets=sets, shots=200, memory=True, **options)
    assert told["sets"][0]["counts"] == {"00": 200} and len(told["sets"][1]["counts"]) == 4
    asked = {"outputs": ["probabilities"], "observables": [{"XX": 1}]}
    told = run(program, parameters=sets[0], **asked, **options)
    assert told["probabilities"] == {"00": 1}
    assert told["expectation_values"] == [pytest.approx(1)]


@pytest.mark.parametrize("declared", ["bit[n + 1] b", "output uint[n + 1] b", "qubit[n + 1] b"])
def test_a_size_that_a_measurement_decides_is_refused(error_of: ErrorOf, declared: str) -> None:
    error = error_of(V3 + f"qubit[1] q; h q;\n{STEERED}\n{declared};", seed=3)
    assert error.line == 3 and "size of 'b'" in error.message
