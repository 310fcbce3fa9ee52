"""Arrays as inputs: their values come in lists."""

from collections.abc import Callable
from math import pi
from typing import Any

import pytest

from tasks_app.circuits import CircuitError

Run = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., CircuitError]
QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; '


@pytest.mark.parametrize(
    ("declared", "given", "told"),
    [
        ("array[int[8], 3] a", [1, -2, 3], "bit[8](int[8](100 * a[0] + 10 * a[1] + a[-1]))"),
        (
            "array[uint[8], 2, 2] a",
            [[1, 2], [3, 40]],
            "bit[8](uint[8](20 * a[0, 1] + a[1][0] + a[1, 1]))",
        ),
        (
            "array[bool, 2] a",
            [False, True],
            "bit[8](uint[8](82 * uint[8](a[1]) + uint[8](a[0]) + 1))",
        ),
        ("array[bit[4], 2] a", [3, 5], "bit[8](uint[8](a[0] + 16 * a[1]))"),
        ("array[angle[8], 1] a", [83 * pi / 128], "bit[8](a[0])"),
        ("array[float, 2] a", [80.25, 2.75], "bit[8](uint[8](a[0] + a[1]))"),
        (
            "array[float[32], 1, 1, 1, 1, 1, 1, 1] a",
            [[[[[[[83]]]]]]],
            "bit[8](uint[8](a[0, 0, 0, 0, 0, 0, 0]))",
        ),
        ("int n; input array[uint[8], n] a", [83, 0], "bit[8](a[0])"),
    ],
)
def test_each_type_of_element(run: Run, declared: str, given: Any, told: str) -> None:
    program = QASM3 + f"input {declared}; output bit[8] c; c = {told};"
    values = {"a": given} | ({"n": 2} if " n;" in declared else {})
    assert run(program, parameters=values, shots=3)["counts"] == {format(83, "08b"): 3}


def test_an_array_is_used_as_any_other(run: Run) -> None:
    program = QASM3 + (
        "input array[int[8], 4] a; int[8] n = 0; for int[8] each in a[0:2:3] { n += each; }"
        "def f(readonly array[int[8], 2] b) -> int[8] { return b[0] * b[1]; }"
        "n += f(a[2:3]); array[int[8], 4] own = a; own[0] = 9; n += own[0] + sizeof(a);"
        "output bit[8] c; c = bit[8](n);"
    )
    counts = run(program, parameters={"a": [1, 2, 3, 4]})["counts"]
    assert counts == {format(4 + 12 + 13, "08b"): 1024}


def test_the_bodies_of_gates_see_inputs(run: Run) -> None:
    program = QASM3 + (
        "input array[float, 2] a; qubit q; gate g p { ry(a[0]) p; rx(a[1] / 2) p; } g q; inv @ g q;"
        "ctrl @ g $0, q; g q;"
    )
    written = program.replace("input array[float, 2] a;", "").replace("a[0]", "0.3")
    told, right = (
        run(text, parameters=values, outputs=["statevector"])["statevector"]
        for text, values in ((program, {"a": [0.3, 1.2]}), (written.replace("a[1]", "1.2"), {}))
    )
    for amplitude, other in zip(told, right, strict=True):
        assert amplitude == pytest.approx(other, abs=1e-12)


@pytest.mark.parametrize(
    ("declared", "given", "told"),
    [
        ("array[float, 2] a", [1], "'a' does not fit array[float[64], 2]: it is a list of 1."),
        (
            "array[float, 2, 3] a",
            [[1, 2], [3, 4], [5, 6]],
            "'a' does not fit array[float[64], 2, 3]: it is a list of 3 x 2.",
        ),
        (
            "array[float, 2] a",
            [[1], [2]],
            "'a' does not fit array[float[64], 2]: it is a list of 2 x 1.",
        ),
        (
            "array[float, 2, 2] a",
            [[1], [2, 3]],
            "'a' does not fit array[float[64], 2, 2]: it is made of lists of different lengths.",
        ),
        ("array[float, 2] a", [[1], 2], "'a[0]' does not fit float[64]: it is a list of 1."),
        ("array[float, 1] a", 1, "'a' does not fit array[float[64], 1]: it is 1."),
        ("array[int[8], 2] a", [1, 1.5], "'a[1]' does not fit int[8]: it is 1.5."),
        ("array[bit[2], 1, 2] a", [[1, 4]], "'a[0, 1]' does not fit bit[2]: it is 4."),
        ("float a", [1], "'a' does not fit float[64]: it is a list of 1."),
        ("int[8] a", 1.5, "'a' does not fit int[8]: it is 1.5."),
        ("int[4] a", 8, "'a' does not fit int[4]: it is 8."),
        ("uint[4] a", -1, "'a' does not fit uint[4]: it is -1."),
        ("array[uint[4], 2] a", [15, 16], "'a[1]' does not fit uint[4]: it is 16."),
    ],
)
def test_what_does_not_fit_is_told_beside_what_is_declared(
    error_of: ErrorOf, declared: str, given: Any, told: str
) -> None:
    program = QASM3 + f"input {declared}; qubit q; bit c; c = measure q;"
    error = error_of(program, parameters={"a": given})
    assert (error.code, error.line) == ("invalid_parameters", 1)
    assert error.message == f"The value given for {told}"


@pytest.mark.parametrize("steered", ["", "int n = c; if (n > 0) { x q; }"])
def test_a_value_that_no_input_takes_is_refused(error_of: ErrorOf, steered: str) -> None:
    program = QASM3 + f"input float a; qubit q; bit c; rx(a) q; c = measure q; {steered}"
    error = error_of(program, parameters={"a": 1, "b": 2})
    assert (error.code, "no input named 'b'" in error.message) == ("invalid_parameters", True)


def test_what_does_not_fit_in_one_set_of_many_is_told_of_that_set(error_of: ErrorOf) -> None:
    program = QASM3 + "input array[float, 2] a; qubit q; bit c; rx(a[0]) q; c = measure q;"
    error = error_of(program, parameter_sets=[{"a": [1, 2]}, {"a": [1, 2, 3]}])
    assert error.code == "invalid_parameters"
    assert error.message.startswith("parameter_sets[1]: The value given for 'a' does not fit")


@pytest.mark.parametrize(
    ("program", "code", "told"),
    [
        ("input array[float, 2] a; a[0] = 1.0;", "invalid_program", "'a' is a constant"),
        ("input array[float, 2] a; a[0] += 1.0;", "invalid_program", "'a' is a constant"),
        (
            "input array[bit, 2] a; qubit q; a[0] = measure q;",
            "invalid_program",
            "'a' is a constant",
        ),
        (
            "input array[float, 2] a; def f(mutable array[float, 2] b) { b[0] = 1; } f(a);",
            "invalid_program",
            "readonly",
        ),
        ("input array[float, 2] a; qubit q; rx(a) q;", "invalid_program", "no number"),
        ("input array[float, 2] a; qubit q; rx(a[2]) q;", "invalid_program", "outside 0 to 1"),
        ("input array[float, 0] a;", "invalid_program", "at least one element"),
        (
            "input array[float, 1, 1, 1, 1, 1, 1, 1, 2] a;",
            "invalid_program",
            "at most 7 dimensions",
        ),
        ("array[float, 1, 1, 1, 1, 1, 1, 1, 2] b;", "invalid_program", "at most 7 dimensions"),
        ("input array[float, 1000, 1000, 1000] a;", "too_many_operations", "unrolls to more"),
        ("input array[complex[float], 2] a;", "unsupported_feature", "type complex"),
        ("input array[duration, 2] a;", "unsupported_feature", "type duration"),
        ("input duration a;", "unsupported_feature", "type duration"),
        ("output array[int, 2] a;", "unsupported_feature", "output of type array"),
    ],
)
def test_what_is_refused_is_refused_by_name_and_place(
    error_of: ErrorOf, program: str, code: str, told: str
) -> None:
    parameters = {"a": [0, 1]} if "input" in program else {}
    error = error_of(QASM3 + program, parameters=parameters)
    assert (error.code, error.line) == (code, 1)
    assert told in error.message


def test_arrays_may_come_in_the_order_of_declaration(run: Run) -> None:
    program = QASM3 + (
        "input array[int[4], 2] a; input int[4] n; input array[int[4], 1] b;"
        "output bit[4] c; c = bit[4](int[4](a[1] + n - b[0]));"
    )
    assert run(program, parameters=[[7, 5], 2, [4]])["counts"] == {"0011": 1024}


def test_the_compiled_circuit_of_a_sweep_names_the_elements(run: Run) -> None:
    program = QASM3 + "input array[float, 2, 2] a; qubit q; rx(a[1, 0]) q; ry(2 * a[0, 0]) q;"
    sets = [{"a": [[0.1, 0], [0.2, 0]]}, {"a": [[0.3, 0], [0.4, 0]]}]
    result = run(program, parameter_sets=sets, outputs=["circuit"])
    assert "rx(a_1_0)" in result["circuit"]["openqasm"]
    assert "a[1, 0]" in result["circuit"]["svg"]
