"""Run options: the method, the memory of shots, noise, and what each refuses."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tasks_app.circuits import CircuitError, Job, Sandbox
from tasks_app.tests.circuits.reference import assert_follows
from tasks_app.tests.circuits.test_run import DENSE_40

Run = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., CircuitError]
QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; '
BELL = QASM3 + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"
NOT_CLIFFORD = QASM3 + "qubit[2] q; bit[2] c; rx(1) q[0]; t q[0]; cx q[0], q[1]; c = measure q;"


def ghz(qubits: int) -> str:
    return QASM3 + (
        f"qubit[{qubits}] q; bit[{qubits}] c; h q[0];"
        f"for int i in [0:{qubits - 2}] {{ cx q[i], q[i + 1]; }} c = measure q;"
    )


@pytest.mark.parametrize(
    "method",
    [
        "statevector",
        "density_matrix",
        "stabilizer",
        "matrix_product_state",
        "extended_stabilizer",
    ],
)
def test_each_method_runs_a_bell_circuit(run: Run, method: str) -> None:
    result = run(BELL, method=method, shots=200, seed=1)
    assert result["metadata"]["method"] == method and "note" not in result["metadata"]
    assert set(result["counts"]) == {"00", "11"}


def test_the_extended_stabilizer_method_takes_any_angle(run: Run) -> None:
    program = QASM3 + "qubit q; bit c; ry(pi) q; rz(0.4) q; c = measure q;"
    assert run(program, method="extended_stabilizer", shots=1)["counts"] == {"1": 1}


@pytest.mark.parametrize(
    ("program", "method"),
    [
        (BELL, "stabilizer"),
        (NOT_CLIFFORD, "statevector"),
        # A Clifford circuit behind a gate of the user's own.
        (QASM3 + "gate g a { h a; } qubit q; bit c; g q; c = measure q;", "stabilizer"),
        (ghz(40), "stabilizer"),
        (ghz(200), "matrix_product_state"),
        # As wide, and entangled as much as it can be.
        (QASM3 + "qubit[60] q; h q; for int i in [0:29] { cz q[i], q[i + 30]; }", "stabilizer"),
    ],
)
def test_automatic_chooses_a_method_that_fits(run: Run, program: str, method: str) -> None:
    assert run(program, shots=50)["metadata"]["method"] == method


def test_500_qubits_in_the_ghz_state_run(run: Run) -> None:
    assert set(run(ghz(500), shots=100, seed=2)["counts"]) == {"0" * 500, "1" * 500}


def test_bernstein_vazirani_on_500_qubits_finds_its_secret(run: Run) -> None:
    secret = "110" * 166
    oracle = " ".join(f"cx q[{i}], q[498];" for i, bit in enumerate(reversed(secret)) if bit == "1")
    program = QASM3 + (
        f"qubit[499] q; bit[498] c; x q[498]; h q; {oracle} h q[0:497]; c = measure q[0:497];"
    )
    assert run(program, shots=50)["counts"] == {secret: 50}


def test_60_shallow_qubits_run_on_matrix_product_states(run: Run) -> None:
    layer = "for int i in [0:59] { ry(0.3 * i) q[i]; } for int i in [0:2:58] { cx q[i], q[i+1]; }"
    program = QASM3 + (
        f"qubit[60] q; bit[60] c; {layer} for int i in [1:2:57] {{ crx(1) q[i], q[i+1]; }} {layer}"
        "c = measure q;"
    )
    result = run(program, shots=20)
    assert result["metadata"]["method"] == "matrix_product_state"
    assert sum(result["counts"].values()) == 20


def test_40_dense_qubits_are_refused_with_the_memory_needed_and_allowed(error_of: ErrorOf) -> None:
    error = error_of(DENSE_40)
    assert error.code == "too_much_memory"
    assert "16,777,216 MiB" in error.message
    assert "2,048 MiB" in error.message


@pytest.mark.parametrize("last", ["", "if (c[0]) { rx(pi) q[9]; }", "c[1] = measure q[8];"])
@pytest.mark.parametrize("middle", ["", "if (c[0]) { rx(pi) q[9]; }", "if (c[1]) { ry(1) q[8]; }"])
def test_qubits_that_nothing_uses_need_no_memory(run: Run, middle: str, last: str) -> None:
    program = QASM3 + (
        "qubit[200] q; bit[2] c; rx(pi) q[7]; barrier q; cx q[7], q[150]; c[0] = measure q[150];"
    )
    result = run(f"{program} {middle} {last}", shots=5, method="statevector")
    assert result["counts"] == {"01": 5}
    assert result["metadata"]["qubits"] == 200


def test_idle_qubits_count_where_they_take_memory(run: Run) -> None:
    program = QASM3 + "qubit[20] q; bit c; rx(pi) q[7]; c = measure q[7];"
    told = run(program, noise={"readout": [0.1] * 20}, outputs=["probabilities"])
    assert told["probabilities"] == pytest.approx({"0": 0.1, "1": 0.9})
    program = program.replace("20", "40") + "if (c) { rx(pi) q[7]; }"
    assert run(program, noise={"readout": [0] * 40}, shots=5)["counts"] == {"1": 5}


@pytest.mark.parametrize(
    ("program", "method", "code"),
    [
        (NOT_CLIFFORD, "stabilizer", "method_unsuitable"),
        (ghz(30), "statevector", "too_much_memory"),
        (ghz(15), "density_matrix", "too_much_memory"),
        (
            QASM3 + "qubit q; bit c; c = measure q; if (c) { x q; } c = measure q;",
            "extended_stabilizer",
            "method_unsuitable",
        ),
    ],
)
def test_a_method_that_does_not_fit_is_refused(
    error_of: ErrorOf, program: str, method: str, code: str
) -> None:
    error = error_of(program, method=method)
    assert error.code == code, error.message


def test_memory_lists_the_outcome_of_every_shot(run: Run) -> None:
    program = QASM3 + "qubit[2] q; bit a; bit[2] b; h q; a = measure q[0]; b = measure q;"
    result = run(program, shots=300, memory=True, seed=5)
    assert len(result["memory"]) == 300
    assert Counter(result["memory"]) == result["counts"]
    assert "memory" not in run(program, shots=300)


def test_as_many_outcomes_are_told_as_a_result_holds(run: Run, error_of: ErrorOf) -> None:
    uniform = QASM3 + "qubit[{0}] q; bit[{0}] c; h q; c = measure q;"
    counts = run(uniform.format(17), shots=100_000, seed=1)["counts"]
    assert len(counts) > 65_536 and sum(counts.values()) == 100_000
    error = error_of(uniform.format(100), shots=100_000)
    assert error.code == "result_too_large"


def test_a_result_larger_than_allowed_is_refused(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    # The first is refused before its strings are made, the second as it is written out.
    for qubits, shots in ((100, 200), (10, 40)):
        sandbox = make_sandbox(max_result_bytes=600)
        with pytest.raises(CircuitError) as caught:
            sandbox.run(Job(circuit=ghz(qubits), shots=shots, memory=True, seed=1))
        assert caught.value.code == "result_too_large"


def test_depolarizing_noise_follows_its_model(run: Run) -> None:
    program = QASM3 + "qubit q; bit c; x q; c = measure q;"
    for method in ("automatic", "density_matrix", "statevector"):
        noise = {"depolarizing_1q": 0.2}
        counts = run(program, noise=noise, shots=5_000, seed=4, method=method)["counts"]
        assert abs(counts["0"] - 500) < 120  # The mixed state is 0 half of the time.


@pytest.mark.parametrize("method", ["density_matrix", "statevector", "matrix_product_state"])
@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("crz", "crz(0) q[0], q[1];"),
        ("ch", "ch q[0], q[1];"),
        ("iswap", "iswap q[0], q[1];"),
        ("csx", "if (!c[0]) { csx q[0], q[1]; }"),
        ("crx", "own q[0], q[1];"),
    ],
)
def test_a_gate_has_its_noise_once_whatever_its_parts(
    run: Run, method: str, name: str, program: str
) -> None:
    text = QASM3 + "gate own a, b { crx(0) a, b; } qubit[2] q; output bit[2] c; %s" + program
    for noise in ({"depolarizing_2q": 0.8}, {"gates": {name: 0.8, "cx": 1, "h": 1}}):
        for steer in ("", "bit s; int n = s;") if method == "density_matrix" else ("",):
            told = run(text % steer + "c = measure q;", noise=noise, seed=4, method=method)
            assert_follows(told["counts"], {"00": 0.4, "01": 0.2, "10": 0.2, "11": 0.2})


@pytest.mark.parametrize("method", ["automatic", "density_matrix", "statevector"])
def test_noise_leaves_bits_that_are_only_stored(run: Run, method: str) -> None:
    noise = {"depolarizing_1q": 0.1}
    stored = QASM3 + 'qubit q; bit[2] c; bit[2] d = "01"; x q; c[0] = measure q;'
    told = run(stored, noise=noise, shots=100, seed=4, method=method, memory=True)
    assert {line[:4] for line in told["memory"]} == {"01 0"}
    branch = QASM3 + "qubit[2] q; bit a; bit b; bit c; bit[2] d; x q[0]; a = measure q[0];"
    branch += "if (a) { b = measure q[0]; } d[1] = a; c = b; if (d == 2) { c = 1; }"
    counts = run(branch, noise=noise, shots=100, seed=4, method=method)["counts"]
    assert set(counts) == {"10 1 1 1", "00 0 0 0"}


def test_two_qubit_noise_and_readout_noise_follow_their_model(run: Run) -> None:
    idle = QASM3 + "qubit[2] q; bit[2] c; cx q[0], q[1]; c = measure q;"
    counts = run(idle, noise={"depolarizing_2q": 0.4}, shots=20_000, seed=4)["counts"]
    assert all(abs(counts[key] - 2_000) < 250 for key in ("01", "10", "11"))
    counts = run(idle, noise={"readout": 0.1}, shots=20_000, seed=4)["counts"]
    assert abs(counts["11"] - 200) < 80
    assert abs(counts["01"] - 1_800) < 250


def test_a_bit_that_is_written_twice_is_misread_once(run: Run) -> None:
    program = QASM3 + "qubit[2] q; bit c; x q; c = measure q[1]; ry(1) q[1]; c = measure q[0];"
    asked = {"shots": 5_000, "seed": 4, "outputs": ["counts", "circuit"]}
    told = run(program, noise={"readout": 0.2}, **asked)
    assert abs(told["counts"]["0"] - 1_000) < 150
    assert set(run(told["circuit"]["openqasm"], **asked)["counts"]) == {"1"}
    for reads in ("d = c;", "if (c) { d = 1; }"):
        between = QASM3 + f"qubit q; bit c; bit d; x q; c = measure q; {reads} c = measure q;"
        counts = run(between, noise={"readout": 0.2}, shots=5_000, seed=4)["counts"]
        assert abs(counts["1 0"] - 800) < 150


def test_gates_on_three_qubits_are_noisy_through_their_parts(run: Run) -> None:
    program = QASM3 + "qubit[3] q; bit[3] c; x q[0]; x q[1]; ccx q[0], q[1], q[2]; c = measure q;"
    counts = run(program, noise={"depolarizing_2q": 0.1}, shots=2_000, seed=4)["counts"]
    assert 800 < counts["111"] < 1_600  # Six gates on two qubits.


@pytest.mark.parametrize(
    "noise",
    [
        *({"depolarizing_1q": 1.1}, {"readout": -0.1}, {"readout": "x"}, {"readout": True}),
        *({"t1": 1}, {"readout": [0.1, 2]}, {"readout": []}, {"depolarizing_2q": [0.1, 0.1]}),
        *({"gates": {"ccx": 0.1}}, {"gates": {"x": 2}}, {"gates": ["x"]}),
    ],
)
def test_wrong_noise_is_refused(error_of: ErrorOf, noise: dict[str, Any]) -> None:
    assert error_of(BELL, noise=noise).code == "invalid_noise"


@pytest.mark.parametrize("steer", ["", "uint[2] n = c; n += 1; if (n > 3) { x q[0]; }"])
def test_noise_finds_its_qubits_whatever_runs_the_program(
    run: Run, error_of: ErrorOf, steer: str
) -> None:
    program = QASM3 + f"qubit[3] q; bit[2] c; x q[1]; if (c[0]) {{ x q[2]; }} {steer}"
    program += "c[0] = measure q[1]; c[1] = measure q[2];"
    flips = {"readout": [0, 1, 0]}
    assert run(program, noise=flips, shots=50)["counts"] == {"00": 50}
    mixed = run(program, noise={"gates": {"x": 1}}, shots=500, seed=1)["counts"]
    assert set(mixed) == {"00", "01"}
    error = error_of(program, noise={"readout": [0.1, 0.1]})
    assert error.code == "invalid_noise" and "has 2 numbers and the program 3" in error.message


def test_the_options_of_one_run_do_not_leak_into_the_next(run: Run) -> None:
    """The same circuit hits the cache of the child with other options."""
    program = QASM3 + "input float a; qubit q; bit c; rx(a) q; c = measure q;"
    half_turn, none = {"a": 3.141592653589793}, {"a": 0.0}
    assert run(program, parameters=half_turn, shots=10)["counts"] == {"1": 10}
    assert run(program, parameters=none, shots=10)["counts"] == {"0": 10}
    noisy = run(program, parameters=none, shots=1000, noise={"readout": 0.5}, seed=1)["counts"]
    assert noisy["1"] > 300
    assert run(program, parameters=none, shots=1000, method="density_matrix")["metadata"][
        "method"
    ] == ("density_matrix")
    assert run(program, parameters=none, shots=1000)["counts"] == {"0": 1000}


def test_a_repeated_circuit_is_not_parsed_again(run: Run) -> None:
    program = BELL + "// repeated"
    assert run(program)["metadata"]["parse_seconds"] > 0
    assert run(program)["metadata"]["parse_seconds"] == 0
