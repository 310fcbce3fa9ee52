"""Counts drawn from probabilities: where that may be, and that nothing else changes by it."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tasks_app.circuits import Job, Sandbox
from tasks_app.tests.circuits.reference import assert_follows, distribution, load

Run = Callable[..., dict[str, Any]]
QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; '
TWO = QASM3 + "qubit[2] q; bit[2] c; ry(0.7) q[0]; cx q[0], q[1]; "
MANY = QASM3 + "qubit[{0}] q; bit[{0}] c; {1} q; c = measure q;"


@pytest.mark.parametrize(
    "program",
    [
        TWO + "c = measure q;",
        TWO + "c[1] = measure q[0]; c[0] = measure q[1];",
        TWO + "barrier q; c[1] = measure q[1]; barrier q;",
        TWO + "c[0] = measure q[0]; t q[1]; h q[1]; c[1] = measure q[1];",
        TWO + "bit[2] d; bit e; e = measure q[0]; d[1] = measure q[1];",
        TWO.replace("ry(0.7)", "reset q; ry(0.7)") + "c = measure q;",
        MANY.format(12, "ry(0.2)"),
        MANY.format(8, "h"),
    ],
)
def test_a_small_circuit_that_ends_by_measuring_is_drawn(run: Run, program: str) -> None:
    result = run(program, shots=1024, seed=3)
    assert result["metadata"]["sampling"] == "probabilities"
    assert sum(result["counts"].values()) == 1024
    assert_follows(result["counts"], distribution(load(program)))


@pytest.mark.parametrize(
    ("program", "options"),
    [
        (TWO + "c = measure q;", {"method": "matrix_product_state"}),
        (TWO + "c = measure q;", {"noise": {"readout": 0.0}}),
        (MANY.format(13, "ry(0.2)"), {}),
        (MANY.format(9, "h"), {}),
    ],
)
def test_others_are_run_shot_by_shot(run: Run, program: str, options: dict[str, Any]) -> None:
    result = run(program, shots=1024, seed=3, **options)
    assert result["metadata"]["sampling"] == "shots"
    assert_follows(result["counts"], distribution(load(program)))


def test_the_outcomes_of_the_shots_come_in_no_order(run: Run) -> None:
    result = run(TWO + "c = measure q;", shots=1000, seed=3, memory=True)
    assert Counter(result["memory"]) == result["counts"]
    changes = sum(one != other for one, other in pairwise(result["memory"]))
    share = result["counts"]["11"] / 1000
    assert changes == pytest.approx(2000 * share * (1 - share), rel=0.2)
    again = run(TWO + "c = measure q;", shots=1000, seed=3, memory=True)
    assert again["memory"] == result["memory"]


@st.composite
def programs(draw: DrawFn) -> str:
    """Gates, then a measurement of some qubits into some bits, in any order."""
    qubits, bits = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    lines = [f"qubit[{qubits}] q; bit[{bits}] c;"]
    for _ in range(draw(st.integers(0, 8))):
        first, second = draw(st.integers(0, qubits - 1)), draw(st.integers(0, qubits - 1))
        gate = draw(st.sampled_from(("h", "t", "x", "sx", "rx(0.4)", "cx")))
        if gate == "cx" and first != second:
            lines.append(f"cx q[{first}], q[{second}];")
        elif gate != "cx":
            lines.append(f"{gate} q[{first}];")
    measured = draw(st.permutations(range(qubits)))[: draw(st.integers(1, min(qubits, bits)))]
    into = draw(st.permutations(range(bits)))
    lines += [f"c[{bit}] = measure q[{qubit}];" for qubit, bit in zip(measured, into, strict=False)]
    return QASM3 + " ".join(lines)


@settings(max_examples=60)
@given(program=programs())
def test_what_is_drawn_follows_the_exact_distribution(
    shared_sandbox: Sandbox, program: str
) -> None:
    result = shared_sandbox.run(Job(circuit=program, shots=4000, seed=3))
    assert result["metadata"]["sampling"] == "probabilities"
    assert_follows(result["counts"], distribution(load(program)))
