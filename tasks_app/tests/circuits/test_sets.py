"""One task for many values of a program's inputs: as if each had been run by itself."""

import math
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tasks_app.circuits import CircuitError, Job, Limits, Sandbox
from tasks_app.circuits.job import as_message
from tasks_app.circuits.language.interpreter.deferred import Tape
from tasks_app.circuits.language.interpreter.library import WITHOUT_INCLUDE
from tasks_app.circuits.language.program import Program as Circuit
from tasks_app.circuits.language.read import parse
from tasks_app.circuits.language.source import read_source
from tasks_app.circuits.simulation.runner import Runner
from tasks_app.tests.circuits.guard.agreement import SHOTS, compare, surprise
from tasks_app.tests.circuits.guard.interpreter import answer
from tasks_app.tests.circuits.guard.programs import Program
from tasks_app.tests.circuits.guard.values import Unspecified

Run = Callable[..., dict[str, Any]]
ErrorOf = Callable[..., CircuitError]
QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; '
TURNED = QASM3 + "input float t; qubit q; bit c; ry(t) q; c = measure q;"

IN_ORDER = (
    QASM3 + "input float a; input int n; qubit[2] q; bit[2] c; bit d; rx(a) q[0]; "
    "for int i in [1:n] { x q[1]; } c = measure q;"
)
STEERED = (
    QASM3 + "input float a; qubit[2] q; bit c; output int[3] n; x q[0]; c = measure q[0];"
    "n = 0; if (c) { n += 2; } rx(n * a) q[1]; c = measure q[1]; if (c) { n += 1; }"
)


# A program, the values of its inputs, and how many compilations they need.
PROGRAMS: dict[str, tuple[str, list[Mapping[str, Any]], int]] = {
    "an angle as it is": (TURNED, [{"t": i / 3} for i in range(9)], 1),
    "angles computed from inputs": (
        QASM3 + "input float a; input float b; qubit[2] q; bit[2] c;"
        "float x = a / 2 + sin(b) ** 2; h q[0]; cp(x * 2) q[0], q[1]; rx(-x) q[1]; ry(b) q;"
        "for int i in [1:3] { x += a * i; rz(x) q[0]; } h q[0]; c = measure q;",
        [{"a": 0.3 * i, "b": 1.1 - i} for i in range(6)],
        1,
    ),
    "gates of the program's own, and modifiers": (
        QASM3 + "input float a; qubit[2] q; bit[2] c;"
        "gate g(x) p, r { U(x, x / 2, -x) p; ctrl @ ry(x + 1) p, r; gphase(x); inv @ s r; }"
        "h q; g(a) q[0], q[1]; g(2 * a) q[1], q[0]; ctrl @ g(0.1) q[0], q[1], $0;"
        "c = measure q;",
        [{"a": 0.2 * i} for i in range(5)],
        1,
    ),
    "gates whose bodies have inputs": (
        QASM3 + "input float a; input int n; qubit[2] q; bit[2] c;"
        "gate g(x) p { ry(a * x / (x - 1)) p; } gate h2 p { g(3) p; rz(a) p; }"
        "gate unused(x) p { rx(a / (x - 1)) p; pow(n) @ x p; }"
        "h2 q; g(2) q[0]; gate h3 p { h2 p; } h2 q[1]; c = measure q;",
        [{"a": 0.2 * i, "n": i} for i in range(5)],
        1,
    ),
    "the bound of a loop": (
        QASM3 + "input int n; input float t; qubit q; bit c;"
        "for int i in [1:n] { rx(t * i) q; } c = measure q;",
        [{"n": i % 3, "t": i / 7} for i in range(9)],
        3,
    ),
    "a branch": (
        QASM3 + "input float t; input bool flip; qubit[2] q; bit[2] c; ry(t) q[0];"
        "if (flip) { x q[1]; ry(2 * t) q[1]; } c = measure q;",
        [{"t": i / 5, "flip": i % 2 == 0} for i in range(8)],
        2,
    ),
    "a branch that only one value reaches": (
        QASM3 + "input int n; input float t; qubit q; bit c; if (n > 1) { if (t > 1) { x q; } }"
        "ry(t) q; c = measure q;",
        [{"n": n, "t": t} for n in (0, 2) for t in (0.5, 1.5, 0.7)],
        4,
    ),
    "the case of a switch": (
        QASM3 + "input uint[2] n; input float t; qubit q; bit c;"
        "switch (n) { case 1 { x q; } default { ry(t) q; } } rx(t) q; c = measure q;",
        [{"n": i % 2, "t": i / 7} for i in range(6)],
        2,
    ),
    "bits of an input": (
        QASM3 + "input bit[2] n; input float t; qubit[2] q; bit[2] c; uint[2] w = 2; w[0] = n[1];"
        "for bool b in n { if (b) { x q[0]; } } if (w == 3) { x q[1]; } ry(t) q; c = measure q;",
        [{"n": i % 2 * 3, "t": i / 7} for i in range(6)],
        2,
    ),
    "bits that an input sets": (
        QASM3 + "input uint[2] n; input float t; qubit[2] q; bit[2] c; bit[2] d = n;"
        "rx(t) q; if (d == 1) { x q; } c = measure q;",
        [{"n": i % 2, "t": i / 7} for i in range(6)],
        2,
    ),
    "a measured number compared with an input": (
        QASM3 + "input uint[2] n; input float t; qubit[2] q; bit[2] c; bit[2] d; h q;"
        "d = measure q; if (d < n) { ry(t) q; } c = measure q;",
        [{"n": i % 2 + 1, "t": i / 7} for i in range(6)],
        2,
    ),
    "fixed-point angles and narrow floats": (
        QASM3 + "input angle[6] a; input float[32] f; qubit q; bit c;"
        "angle[6] b = a + a; ry(b) q; rx(f * 3) q; c = measure q;",
        [{"a": i, "f": i / 3} for i in range(7)],
        1,
    ),
    "a subroutine and an array": (
        QASM3 + "input float t; qubit[2] q; bit[2] c; array[float, 2] v = {t, 2 * t};"
        "def turn(qubit p, float by) { ry(by / 2) p; } turn(q[0], v[0]); turn(q[1], v[1] + 1);"
        "c = measure q;",
        [{"t": i / 4} for i in range(5)],
        1,
    ),
    "elements of arrays": (
        QASM3 + "input array[float, 2] t; input array[angle[6], 2, 2] a; qubit[2] q; bit[2] c;"
        "ry(t[0] / 2) q; rx(2 * t[1]) q[0]; rz(a[-1, 0]) q[1];"
        "array[float, 2] v = t; v[0] += 1; for float x in v { ry(x) q; } ry(a[0, 1]) q[0];"
        "c = measure q;",
        [{"t": [i / 4, 1 - i], "a": [[i, 0.5], [i / 3, 2]]} for i in range(5)],
        1,
    ),
    "an array that decides": (
        QASM3 + "input array[int[8], 2] n; input array[float, 2] t; qubit[2] q; bit[2] c;"
        "for int i in [0:n[1]] { ry(t[n[0]]) q; } c = measure q;",
        [{"n": [i % 2, 1], "t": [i / 4, 1 - i]} for i in range(6)],
        2,
    ),
    "arrays of whole numbers, of truths and of bits": (
        QASM3 + "input array[uint[4], 2] n; input array[bool, 2] b; input array[bit[2], 2] m;"
        "input array[float[32], 1] f; qubit[2] q; bit[2] c;"
        "rx(n[0] / 2.0) q[0]; if (b[1]) { x q[1]; } if (m[1] == 2) { h q[0]; } ry(f[0]) q;"
        "c = measure q;",
        [{"n": [i, 1], "b": [True, i > 1], "m": [0, i], "f": [i / 3]} for i in range(4)],
        4,
    ),
    "feed-forward": (
        QASM3 + "input float t; qubit[2] q; bit[2] c; h q[0]; c[0] = measure q[0];"
        "if (c[0]) { ry(t) q[1]; } c[1] = measure q[1];",
        [{"t": i / 2} for i in range(5)],
        1,
    ),
    "steered beyond a circuit": (
        QASM3 + "input float t; qubit q; bit c; uint[4] n = 0; h q; c = measure q;"
        "n += c; ry(t * n) q; c = measure q;",
        [{"t": i // 2 / 2} for i in range(4)],
        0,
    ),
    "not used": (QASM3 + "input float t; qubit q; bit c; h q; c = measure q;", [{"t": 1}] * 3, 1),
}


@pytest.mark.parametrize("name", sorted(PROGRAMS))
@pytest.mark.parametrize("noise", [None, {"depolarizing_1q": 0.1}], ids=["ideal", "noisy"])
def test_each_set_is_as_if_its_values_were_written_out(
    run: Run, name: str, noise: Mapping[str, float] | None
) -> None:
    program, sets, compilations = PROGRAMS[name]
    result = run(program, parameter_sets=sets, shots=200, seed=3, noise=noise)
    assert result.keys() == {"sets", "shots", "metadata"}
    assert result["metadata"]["compilations"] == compilations
    for values, told in zip(sets, result["sets"], strict=True):
        alone = run(written_out(program, values), shots=200, seed=told["seed"], noise=noise)
        assert alone["counts"] == told["counts"]


def written_out(program: str, values: Mapping[str, Any]) -> str:
    """The program with constants for its inputs, and arrays of them."""
    for name, value in values.items():
        kind = "" if isinstance(value, list) else "const "
        declared = rf"input ((?:array)?[\w\[\], ]+) {name};"
        program = re.sub(declared, rf"{kind}\1 {name} = {_literal(value)};", program)
    assert "input" not in program
    return program


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"{{{', '.join(map(_literal, value))}}}"
    return str(value).lower() if isinstance(value, bool) else repr(value)


@pytest.mark.parametrize(
    "name", sorted(name for name, spec in WITHOUT_INCLUDE.items() if spec.parameters)
)
def test_every_gate_takes_angles_from_inputs(run: Run, name: str) -> None:
    """Aer binds them; what it does of all others must be what it does of numbers."""
    spec = WITHOUT_INCLUDE[name]
    angles = ", ".join(["t", "2 * t", "-t", "t / 3"][: spec.parameters])
    qubits = ", ".join(f"q[{place}]" for place in range(spec.qubits))
    program = (
        f"OPENQASM 3.0; input float t; qubit[{spec.qubits}] q; h q; rz(0.4) q; ry(0.7) q;"
        f"{name}({angles}) {qubits};"
    )
    sets = [{"t": 0.3}, {"t": -1.1}]
    told = run(program, parameter_sets=sets, outputs=["statevector"])
    assert told["metadata"]["compilations"] == 1
    for values, each in zip(sets, told["sets"], strict=True):
        alone = run(written_out(program, values), outputs=["statevector"])["statevector"]
        for amplitude, right in zip(each["statevector"], alone, strict=True):
            assert amplitude == pytest.approx(right, abs=1e-12)


def test_nothing_waits_that_the_circuit_lacks() -> None:
    """The body of a gate is tried when it is defined."""
    tape = Tape()

    def read(statements: str) -> Circuit:
        text = f"{QASM3} input float a; qubit q; {statements}"
        program = parse(read_source(text), Limits(), {"a": tape.input("a")})
        assert isinstance(program, Circuit)
        return program

    gates = "gate g(x) p { ry(a * x) p; } gate h2 p { g(a) p; }"
    read("")
    steps = tape.length
    assert read(gates).deferred == {}
    assert tape.length == 2 * steps
    used = read(gates + "g(1) q; h2 q;")
    needed = set(used.circuit.decompose(reps=3).parameters)
    assert len(needed) == 2
    assert needed <= set(used.deferred.values())


def test_many_sets_run_in_several_jobs_of_the_simulator(run: Run) -> None:
    sets = [{"t": i / 99} for i in range(230)]
    result = run(TURNED, parameter_sets=sets, shots=50, seed=1)
    assert [each["seed"] for each in result["sets"]] == [1 + 2113 * i for i in range(230)]
    alone = run(TURNED, parameters=sets[229], shots=50, seed=1 + 2113 * 229)
    assert result["sets"][229]["counts"] == alone["counts"]


def test_memory_and_probabilities_are_told_of_each_set(run: Run) -> None:
    sets = [{"t": 0}, {"t": 3.141592653589793}]
    result = run(TURNED, parameter_sets=sets, memory=True, outputs=["probabilities"], shots=3)
    assert [each["memory"] for each in result["sets"]] == [["0"] * 3, ["1"] * 3]
    assert [each["probabilities"] for each in result["sets"]] == [
        {"0": pytest.approx(1)},
        {"1": pytest.approx(1)},
    ]


def test_the_compilation_serves_the_next_task_with_other_values() -> None:
    runner = Runner(Limits())
    told = [
        runner.run(as_message(Job(circuit=TURNED, parameters={"t": t})) | {"threads": 1})
        for t in (0.1, 0.2)
    ]
    assert told[0]["metadata"]["compile_seconds"] > 0
    assert told[1]["metadata"]["compile_seconds"] == told[1]["metadata"]["parse_seconds"] == 0


@pytest.mark.parametrize(
    ("sets", "code", "sentence"),
    [
        ([{"t": 2}, {}], "invalid_parameters", "It has other names"),
        (
            [{"t": 2}, {"t": 3, "u": 2}],
            "invalid_parameters",
            "It has other names",
        ),
        ([{"t": 0}, {"t": 1}, {"t": 2}], "invalid_program", "This expression"),
    ],
)
def test_an_error_names_the_set(
    error_of: ErrorOf, sets: list[dict[str, float]], code: str, sentence: str
) -> None:
    program = QASM3 + "input float t; qubit q; bit c; rx(1 / (t - 1)) q; c = measure q;"
    error = error_of(program, parameter_sets=sets)
    assert error.code == code and error.message.startswith(f"parameter_sets[1]: {sentence}")
    if code == "invalid_program":
        assert error.line == 1 and error.column


def test_a_result_that_grows_too_large_says_how_many_sets_fit(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    sandbox = make_sandbox(max_result_bytes=4_000)
    sets = [{"t": i / 99} for i in range(300)]
    job = Job(circuit=TURNED, parameter_sets=sets, seed=1)  # A drawn one has more or fewer digits.
    with pytest.raises(CircuitError, match=r"(\d+) of 300 parameter sets fill") as caught:
        sandbox.run(job)
    assert caught.value.code == "result_too_large"
    fit = int(caught.value.message.split()[0])
    assert sandbox.run(Job(circuit=TURNED, parameter_sets=sets[:fit], seed=1))["sets"]


def test_too_little_time_says_how_many_sets_fit() -> None:
    runner = Runner(Limits(deadline_s=1e-9))
    job = Job(circuit=TURNED, parameter_sets=[{"t": i} for i in range(300)])
    with pytest.raises(CircuitError, match="100 of 300 parameter sets took most of") as caught:
        runner.run(as_message(job) | {"threads": 1})
    assert caught.value.code == "timed_out"


def test_drawn_programs_with_inputs_are_right_for_each_set() -> None:
    """Against the guard: values that wait for their inputs are those read with them."""
    runner, tried = Runner(Limits(max_operations=20_000)), 0
    for number in range(400):
        program = Program(random.Random(f"sets:{number}").randint)
        text = program.write()
        if not program.inputs or compare(runner, text, program.inputs).kind != "right":
            continue
        sets = [_changed(program.inputs, step) for step in range(3)]
        try:
            rights = [answer(text, values) for values in sets]
        except Unspecified:
            continue
        job = Job(circuit=text, shots=SHOTS, seed=7, parameter_sets=sets)
        try:
            told = runner.run(as_message(job) | {"threads": 1})["sets"]
        except CircuitError:
            continue
        for right, each in zip(rights, told, strict=True):
            assert right.literals_mixed or surprise(each["counts"], right) < 28, text
        tried += 1
    assert tried > 20


def _changed(inputs: Mapping[str, Any], step: int) -> dict[str, Any]:
    return {name: _changed_value(value, step) for name, value in inputs.items()}


def _changed_value(value: Any, step: int) -> Any:
    if isinstance(value, list):
        return [_changed_value(each, step) for each in value]
    if isinstance(value, bool) or step == 0:
        return value
    return max(value - step, 0) if isinstance(value, int) else value + step / 3


def test_a_phase_that_waits_for_its_input_is_told_of_each_set(run: Run) -> None:
    program = QASM3 + "input float t; qubit q; gphase(t); U(0, t, t) q;"
    angles = [0.3, 0.3, -1.2]
    result = run(program, parameter_sets=[{"t": t} for t in angles], outputs=["statevector"])
    for t, told in zip(angles, result["sets"], strict=True):
        alone = run(QASM3 + f"qubit q; gphase({t}); U(0, {t}, {t}) q;", outputs=["statevector"])
        for amplitude, other in zip(told["statevector"], alone["statevector"], strict=True):
            assert amplitude == pytest.approx(other, abs=1e-12)


@pytest.mark.parametrize(
    "gate",
    [
        *("p(t) a", "rx(t) a", "ry(t) a", "rz(t) a", "U(t, 2 * t, -t) a", "gphase(t)"),
        *("cp(t) a, b", "crx(t) a, b", "cry(t) a, b", "crz(t) a, b", "cphase(t) a, b"),
        *("cu(t, 0.1, 2 * t, 0.3) a, b", "ctrl @ U(0.1, t, t) a, b", "ctrl(2) @ p(t) a, b, c"),
        *("ctrl @ gphase(t) a", "negctrl @ rz(t) a, b", "inv @ crz(t) a, b", "pow(2) @ cp(t) a, b"),
    ],
)
def test_an_angle_from_an_input_is_the_same_angle_as_written_out(run: Run, gate: str) -> None:
    program = "qubit a; qubit b; qubit c; h a; ry(0.3) b; rx(0.4) c; " + gate + ";"
    given = run(QASM3 + "input float t;" + program, parameters={"t": 1.25}, outputs=["statevector"])
    written = run(QASM3 + "const float t = 1.25;" + program, outputs=["statevector"])
    for amplitude, other in zip(given["statevector"], written["statevector"], strict=True):
        assert amplitude == pytest.approx(other, abs=1e-12)


def test_values_may_come_in_the_order_of_declaration(run: Run, error_of: ErrorOf) -> None:
    result = run(IN_ORDER, parameter_sets=[[math.pi, 2], [0, 1]], outputs=["counts", "registers"])
    assert [list(each["counts"]) for each in result["sets"]] == [["0 01"], ["0 10"]]
    assert result["registers"] == [{"name": "c", "bits": [0, 1]}, {"name": "d", "bits": [2]}]
    assert "takes 2 values in order, 3" in error_of(IN_ORDER, parameters=[1, 2, 3]).message
    assert "Give a value for 'n'" in error_of(IN_ORDER, parameters=[1]).message


def test_a_steered_program_takes_values_in_order_and_tells_its_registers(run: Run) -> None:
    result = run(STEERED, parameters=[math.pi / 2], outputs=["counts", "registers"])
    assert result["counts"] == {"011": 1024}
    assert result["registers"] == [{"name": "n", "bits": [0, 1, 2]}]
