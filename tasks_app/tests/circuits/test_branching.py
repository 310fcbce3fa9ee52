"""Small circuits that measure on the way: shots that share their past run as one."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from tasks_app.tests.circuits.reference import assert_follows, distribution, load
from tasks_app.tests.circuits.test_qpy import file_of, refusal, run_file

Run = Callable[..., dict[str, Any]]
QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; '
TWO = QASM3 + "qubit[2] q; bit[2] c; ry(0.7) q[0]; cx q[0], q[1]; "
BRANCH = "c[0] = measure q[0]; if (c[0]) { h q[1]; } c[1] = measure q[1];"


@pytest.mark.parametrize(
    ("program", "paths"),
    [
        (TWO + "c[0] = measure q[0]; h q[0]; c[1] = measure q[0];", 4),
        (TWO + "c[0] = measure q[0]; c[0] = measure q[1];", 2),
        (TWO + "c[0] = measure q[0]; c[1] = measure q[0];", 2),
        (TWO + "reset q[1]; c = measure q;", 2),
        (TWO + "x q; reset q[1]; h q[1]; c = measure q;", 4),
        (TWO + BRANCH, 3),
        (QASM3 + "qubit q; bit c; h q; c = measure q; h q; c = measure q;", 4),  # Clifford gates
    ],
)
def test_shots_that_share_their_past_are_one(run: Run, program: str, paths: int) -> None:
    result = run(program, shots=4000, seed=3)
    assert (result["metadata"]["sampling"], result["metadata"]["paths"]) == ("paths", paths)
    assert_follows(result["counts"], distribution(load(program)))


def test_repeated_until_success(run: Run) -> None:
    program = QASM3 + "qubit[2] q; bit failed; bit c; failed = true; while (failed) { "
    program += "reset q[0]; ry(pi / 3) q[0]; cx q[0], q[1]; failed = measure q[0]; } "
    result = run(program + "c = measure q[1];", shots=4000, seed=3)
    assert result["metadata"]["paths"] > 3
    # A failure flips the other qubit, and comes with a chance of 1/4.
    assert_follows(result["counts"], {"0 0": 0.8, "1 0": 0.2})


@pytest.mark.parametrize(
    ("program", "options"),
    [
        (TWO + BRANCH, {"method": "matrix_product_state"}),
        (TWO + BRANCH, {"noise": {"readout": 0.0}}),
        (TWO.replace("qubit[2]", "qubit[13]") + "x q[2:12]; " + BRANCH, {}),
        (
            QASM3 + "qubit q; bit[9] c; for int i in [0:8] { h q; c[i] = measure q; }",
            {"shots": 300},
        ),
        (TWO + "c[0] = measure q[0]; for int i in [0:20000] { t q[1]; } " + BRANCH, {"shots": 20}),
    ],
    ids=["another method", "noise", "many qubits", "many paths", "many gates"],
)
def test_aer_runs_each_shot_of_all_others(run: Run, program: str, options: dict[str, Any]) -> None:
    result = run(program, **{"shots": 1000, "seed": 3, **options})
    assert result["metadata"]["sampling"] == "shots"
    assert sum(result["counts"].values()) == options.get("shots", 1000)


def test_a_seed_repeats_counts_and_memory(run: Run) -> None:
    first, again = (run(TWO + BRANCH, shots=500, seed=8, memory=True) for _ in range(2))
    assert first["counts"] == again["counts"] == Counter(first["memory"])
    assert first["memory"] == again["memory"] != sorted(first["memory"])
    assert run(TWO + BRANCH, shots=500, seed=9)["counts"] != first["counts"]


def test_each_set_of_a_sweep_has_its_angles_and_its_seed(run: Run) -> None:
    program = QASM3 + "input float theta; qubit q; bit[2] c; ry(theta) q; c[0] = measure q; "
    program += "if (c[0]) { ry(theta) q; } c[1] = measure q;"
    sets = [{"theta": theta} for theta in (0.4, 1.9, 0.4)]
    result = run(program, shots=4000, seed=3, parameter_sets=sets)
    assert result["metadata"]["sampling"] == "paths"
    for values, part in zip(sets, result["sets"], strict=True):
        bound = program.replace("input float theta;", "").replace("theta", str(values["theta"]))
        assert_follows(part["counts"], distribution(load(bound)))
    assert result["sets"][0]["counts"] != result["sets"][2]["counts"]


@pytest.mark.parametrize("outputs", [["counts"], ["circuit"]])
@pytest.mark.parametrize(
    ("angle", "value"),
    [
        (lambda theta: 1 / theta, 0),
        (lambda theta: theta**0.5, -1),
        (lambda theta: theta.arcsin(), 2),
        (lambda theta: theta.exp(), 1e4),
    ],
    ids=["infinite", "complex", "none", "too large"],
)
def test_an_angle_that_is_no_number_is_told(
    angle: Callable[[Parameter], Any], value: float, outputs: list[str]
) -> None:
    circuit, theta = QuantumCircuit(1, 2), Parameter("theta")
    circuit.ry(angle(theta), 0)
    circuit.measure(0, 0)
    circuit.h(0)
    circuit.measure(0, 1)
    data = file_of(circuit)
    assert run_file(data, parameters={"theta": 0.5})["metadata"]["sampling"] == "paths"
    assert refusal(data, parameters={"theta": value}, outputs=outputs).code == "invalid_parameters"


@st.composite
def circuits(draw: DrawFn) -> QuantumCircuit:
    """Gates, measurements, resets and branches in one another, in any order."""
    pair, single = ClassicalRegister(2, "pair"), ClassicalRegister(1, "single")
    circuit = QuantumCircuit(QuantumRegister(3), pair, single)
    place, angle = st.integers(0, 2), st.sampled_from((0.4, 1.1, 2.9))

    def write(depth: int) -> None:
        for _ in range(draw(st.integers(1, 5))):
            kind = draw(st.sampled_from(("ry", "cx", "measure", "reset", "if")))
            if kind == "ry":
                circuit.ry(draw(angle), draw(place))
            elif kind == "cx":
                first = draw(place)
                circuit.cx(first, (first + draw(st.integers(1, 2))) % 3)
            elif kind == "measure":
                circuit.measure(draw(place), draw(place))
            elif kind == "reset":
                circuit.reset(draw(place))
            elif depth < 3:
                bit = circuit.clbits[draw(place)]
                decides = draw(st.sampled_from([(bit, 0), (bit, 1), (pair, 1), (pair, 2)]))
                with circuit.if_test(decides) as otherwise:
                    write(depth + 1)
                if draw(st.booleans()):
                    with otherwise:
                        write(depth + 1)

    circuit.ry(0.9, [0, 1, 2])
    circuit.measure([0, 1], pair)
    write(1)
    circuit.measure([2, 1], pair)
    return circuit


@settings(max_examples=150)
@given(circuit=circuits())
def test_any_circuit_has_its_exact_distribution(circuit: QuantumCircuit) -> None:
    result = run_file(file_of(circuit), shots=4000, seed=3)
    assert result["metadata"]["sampling"] == "paths"
    assert_follows(result["counts"], distribution(circuit))


@settings(max_examples=50)
@given(circuit=circuits(), letters=st.tuples(*[st.sampled_from("IXZ")] * 3))
def test_any_circuit_has_its_exact_mean(circuit: QuantumCircuit, letters: tuple[str, ...]) -> None:
    circuit.h(circuit.qubits)  # Nothing before is a final measurement.
    told = run_file(file_of(circuit), shots=1, observables=[{"".join(reversed(letters)): 1}])
    assert told["metadata"]["sampling"] == "exact"
    for qubit, letter in enumerate(letters):
        if letter == "X":
            circuit.h(qubit)
    circuit.add_register(ClassicalRegister(3, "last"))
    circuit.measure(circuit.qubits, circuit.clbits[-3:])
    asked = [place for place, letter in enumerate(letters) if letter != "I"]
    mean = sum(
        chance * math.prod(1 - 2 * int(outcome[2 - place]) for place in asked)
        for outcome, chance in distribution(circuit).items()
    )
    assert told["expectation_values"] == pytest.approx([mean], abs=1e-9)
