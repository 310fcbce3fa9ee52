"""Conditions on measured bits mean in the simulator what they mean in OpenQASM."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.circuits import CircuitError

ErrorOf = Callable[..., CircuitError]
Run = Callable[..., dict[str, Any]]
HEADER = 'OPENQASM 3.0; include "stdgates.inc"; '
# Pairs of a condition and the same in Python, on registers a (3 bits), b (2 bits), bit d.
Pair = tuple[str, str]

bits = st.sampled_from(
    [
        ("a[0]", "(a & 1)"),
        ("a[2]", "(a >> 2)"),
        ("b[1]", "(b >> 1)"),
        ("d", "d"),
        ("a[-1]", "(a >> 2)"),
    ]
)
order = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
equality = st.sampled_from(["==", "!="])


def joined(left: Pair, operation: str, right: Pair) -> Pair:
    return f"({left[0]} {operation} {right[0]})", f"({left[1]} {operation} {right[1]})"


def same(number: int) -> Pair:
    return str(number), str(number)


leaves = st.one_of(
    bits,
    bits.map(lambda bit: (f"!{bit[0]}", f"(not {bit[1]})")),
    st.builds(joined, bits, equality, bits),
    st.builds(joined, bits, order, st.integers(-1, 2).map(same)),
    st.builds(joined, bits, equality, st.sampled_from([("true", "1"), ("false", "0")])),
    st.builds(joined, bits, st.sampled_from("&|^"), bits),
    st.builds(joined, st.just(("a", "a")), order, st.integers(-2, 9).map(same)),
    st.builds(joined, st.integers(-2, 9).map(same), order, st.just(("b", "b"))),
    st.builds(joined, st.just(("a[0:1]", "(a & 3)")), equality, st.integers(-1, 4).map(same)),
    st.builds(joined, st.just(("a[1:2]", "(a >> 1)")), equality, st.just(("b", "b"))),
    st.builds(
        joined, st.just(("b", "b")), equality, st.sampled_from([('"10"', "2"), ('"01"', "1")])
    ),
    st.sampled_from(
        [("a", "(a != 0)"), ("bool(b)", "(b != 0)"), ("(a & 5) == 4", "((a & 5) == 4)")]
    ),
    st.sampled_from([("(~a) == 3", "((7 - a) == 3)"), ("true", "True"), ("k > 2", "True")]),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(lambda pair: (f"!({pair[0]})", f"(not {pair[1]})")),
        st.builds(
            lambda left, how, right: (
                f"(({left[0]}) {how} ({right[0]}))",
                f"({left[1]} {'and' if how == '&&' else 'or'} {right[1]})",
            ),
            inner,
            st.sampled_from(["&&", "||"]),
            inner,
        ),
    ),
    max_leaves=4,
)


@settings(max_examples=120)
@given(condition=conditions, a=st.integers(0, 7), b=st.integers(0, 3), d=st.integers(0, 1))
def test_a_condition_decides_as_python_does(
    run: Run, condition: Pair, a: int, b: int, d: int
) -> None:
    flips = [f"x q[{i}];" for i in range(6) if (a | b << 3 | d << 5) >> i & 1]
    program = (
        f"{HEADER} const int k = 3; qubit[7] q; bit[3] a; bit[2] b; bit d; bit yes; bit flag;"
        f"{' '.join(flips)} a = measure q[0:2]; b = measure q[3:4]; d = measure q[5];"
        f"if ({condition[0]}) {{ x q[6]; }} else {{ }} yes = measure q[6];"
        f"bool kept = bool({condition[0]}); flag = kept;"
    )
    expected = bool(eval(condition[1], {"a": a, "b": b, "d": d}))
    outcome = f"{int(expected)} {int(expected)} {d} {b:02b} {a:03b}"
    assert run(program, shots=3)["counts"] == {outcome: 3}


@pytest.mark.parametrize(("body", "outcome"), [("", "0 1"), ("default { x q[1]; }", "1 1")])
def test_a_switch_without_cases_does_its_default_or_nothing(
    run: Run, body: str, outcome: str
) -> None:
    program = f"{HEADER} qubit[2] q; bit[1] c; bit d; x q[0]; c[0] = measure q[0];"
    program += f"switch (int[2](c)) {{ {body} }} d = measure q[1];"
    assert run(program, shots=3)["counts"] == {outcome: 3}


@pytest.mark.parametrize("labels", ["4", "-1", "1, 1", "11000000000000000000000000000000"])
def test_a_case_that_cannot_be_is_named(error_of: ErrorOf, labels: str) -> None:
    program = f"{HEADER} qubit[2] q; bit[2] c; c = measure q;"
    error = error_of(f"{program} switch (c) {{ case {labels} {{ x q[0]; }} }}")
    assert error.code == "invalid_program"
    assert labels.split(",")[0] in error.message
    assert error.line == 1
